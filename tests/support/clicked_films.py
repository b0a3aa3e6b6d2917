"""Video files whose frames say their numbers, with a click in the audio while one of them is shown; made by PyAV."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.numbered_films import numbered

FRAMES, RATE, KEY_EVERY, CLICK = 100, 25, 25, 60
"""Frames of a file, per second, from one key frame to the next; and the frame in whose middle the click is."""

SIZE, HZ = (64, 48), 48_000
CLICK_TIME = (CLICK + 0.5) / RATE
H264 = {"g": str(KEY_EVERY), "keyint_min": str(KEY_EVERY), "sc_threshold": "0"}


def write(
    path: Path,
    codec: str = "libx264",
    audio: str | None = None,
    *,
    ticks: Sequence[int] | None = None,
    audio_from: float = 0.0,
    audio_to: float = FRAMES / RATE,
    images_late: float = 0.0,
    gap: tuple[float, float] | None = None,
    rotation: int = 0,
    b_frames: bool = True,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a file.

    Args:
        path: of the file, whose ending tells the container.
        codec: of the images.
        audio: codec; silence but for the click.
        ticks: time of each frame in 1/25 s.
        audio_from, audio_to: seconds at which audio begins and ends, on the clock of the first frame.
        images_late: seconds by which images, and the click with them, are later.
        gap: seconds at which audio stops, and for how long.
        rotation: degrees of the display matrix, 0 or 180; frames are stored turned, and say their number upright.
        b_frames: frames may refer to later ones.
        options: of the container.
    """
    import av

    group = H264 if codec == "libx264" else {"g": str(KEY_EVERY)}
    group |= {} if b_frames else {"bf": "0"}
    with av.open(str(path), "w", options=options or {}) as container:
        images = container.add_stream(codec, rate=RATE, options=group)
        images.width, images.height, images.pix_fmt = *SIZE, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        images.codec_context.time_base = Fraction(1, RATE)
        if rotation:
            images.set_display_rotation(rotation)
        sound = container.add_stream(audio, rate=HZ, layout="mono") if audio else None
        for k in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(np.rot90(numbered(k, SIZE), rotation // 90).copy(), format="rgb24")
            tick = ticks[k] if ticks is not None else k
            frame.pts, frame.time_base = tick + round(images_late * RATE), Fraction(1, RATE)
            container.mux(images.encode(frame))
        container.mux(images.encode())
        if sound is not None:
            click = CLICK_TIME if ticks is None else (ticks[CLICK] + 0.5) / RATE
            _add_audio(container, sound, audio_from, audio_to, click + images_late, gap)
    return path


def _add_audio(
    container: Any, stream: Any, start: float, end: float, click: float, gap: tuple[float, float] | None
) -> None:
    import av

    samples = np.zeros(round((end - start) * HZ), np.float32)
    at = round((click - start) * HZ)
    samples[at : at + 8] = 0.9
    whole_numbers = np.rint(samples * 32767).astype(np.int16)
    resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=HZ)
    size = stream.codec_context.frame_size or 1024
    for first in range(0, len(samples), size):
        block = av.AudioFrame.from_ndarray(whole_numbers[None, first : first + size], format="s16", layout="mono")
        block.sample_rate, block.time_base = HZ, Fraction(1, HZ)
        place = first + round(start * HZ)
        if gap is not None and gap[0] <= place / HZ < gap[0] + gap[1]:
            continue
        for part in resampler.resample(block):
            part.pts, part.time_base = place, Fraction(1, HZ)
            container.mux(stream.encode(part))
    container.mux(stream.encode())


def copied(source: Path, path: Path, *, start: float = 0.0, options: dict[str, str] | None = None) -> Path:
    """Copy a file without encoding it again, from a time on: images from the key frame before, audio from the time on.

    Args:
        source: of :func:`write`.
        path: of the copy, whose ending tells the container.
        start: seconds.
        options: of the container.
    """
    import av

    with av.open(str(source)) as before, av.open(str(path), "w", options=options or {}) as after:
        streams = {stream.index: after.add_stream_from_template(stream) for stream in before.streams}
        waiting = start > 0
        key = int(start * RATE) // KEY_EVERY * KEY_EVERY / RATE
        for packet in before.demux():
            if packet.dts is None:
                continue
            if packet.stream.type == "video":
                waiting = waiting and not (packet.is_keyframe and packet.pts * packet.time_base >= key)
                if waiting:
                    continue
            elif packet.pts * packet.time_base < start:
                continue
            shift = round(start / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = streams[packet.stream_index]
            after.mux(packet)
    return path


def beginning_between_key_frames(source: Path, path: Path, seconds: float) -> Path:
    """Copy a transport stream without its first seconds, wherever key frames are, as a recorder that joins late."""
    import av

    with av.open(str(source)) as before, av.open(str(path), "w") as after:
        streams = {stream.index: after.add_stream_from_template(stream) for stream in before.streams}
        origin = before.start_time / av.time_base
        for packet in before.demux():
            if packet.dts is not None and packet.pts * packet.time_base >= origin + seconds:
                packet.stream = streams[packet.stream_index]
                after.mux(packet)
    return path


def click_in(path: Path) -> float:
    """Return the seconds from the first decoded sample to the click, all decoded samples laid end to end."""
    import av

    with av.open(str(path)) as container:
        parts = []
        for frame in container.decode(audio=0):
            parts.append(frame.to_ndarray()[0].astype(np.float32))
        samples = np.concatenate(parts)
        rate = container.streams.audio[0].rate
    return float(np.abs(samples).argmax() / rate)
