"""imageio's plug-in of imageio-ffmpeg with its defaults."""

from __future__ import annotations

from importlib.metadata import version

import imageio.v3
import imageio_ffmpeg
from frames import Read, measure_all


def imageio_frames(path: str) -> Read:
    """Return rate times length, which is all that the plug-in reads of a header, and the frames."""
    header = next(imageio_ffmpeg.read_frames(path))
    frames = imageio.v3.imiter(path, plugin="FFMPEG")
    return (
        round(header["fps"] * header["duration"]),
        frames,
        lambda k: imageio.v3.imread(path, plugin="FFMPEG", index=k),
    )


measure_all({f"imageio-ffmpeg {version('imageio-ffmpeg')}": imageio_frames}, ["imageio", "imageio-ffmpeg"])
