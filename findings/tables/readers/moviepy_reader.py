"""MoviePy's ``VideoFileClip``: its count and ``iter_frames``."""

from __future__ import annotations

from importlib.metadata import version

from frames import Read, measure_all
from moviepy import VideoFileClip


def moviepy_frames(path: str) -> Read:
    """Return ``n_frames`` and the frames that ``iter_frames`` gives."""
    clip = VideoFileClip(path)
    return int(clip.reader.n_frames), clip.iter_frames(), lambda index: clip.get_frame((index + 0.5) / clip.fps)


measure_all({f"MoviePy {version('moviepy')}": moviepy_frames}, ["moviepy", "imageio-ffmpeg"])
