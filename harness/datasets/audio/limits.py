"""Limits on audio files that are read, and the ffmpeg command that makes one from a video file."""

from __future__ import annotations

from harness.system.counts import counted

RATES = (1_000, 768_000)
"""Lowest and highest samples per second of an audio file: speech needs more than the lowest, and converters stay below
the highest.
"""

MOST_CHANNELS = 64
MOST_SECONDS = 86_400
"""Longest audio file that is read, in seconds: a day."""

_RATE = 16_000
_ODD_RATES = 192_000  # up to here any rate is read: without a common factor the filter is as long as the rate


def audio_command(video: str, wav: str, *, start: float = 0.0, seconds: float | None = None) -> str:
    """Return the ffmpeg command that extracts audio from a video file, including the silence before a late start.

    The command also reads the video stream and discards it: otherwise ffmpeg counts the time of a transport stream from
    its first sample of audio. Checked with ffmpeg 5.1.9 and 7.0.2 for mp4, mov, mkv and ts.

    Args:
        video: path of the video file.
        wav: path of the file to be made, mono, 16 kHz.
        start: seconds of audio to leave out at the beginning.
        seconds: length to keep; all by default.
    """
    trim = f",atrim=start={start:.3f}" if start else ""
    length = f" -t {seconds:.3f}" if seconds is not None else ""
    return (
        f"ffmpeg -i {video} -map 0:a:0 -af aresample=async=1:first_pts=0{trim} -ac 1 -ar {_RATE}{length} {wav} "
        "-map 0:v:0 -c copy -f null -"
    )


def impossible_sound(rate: int, channels: int, samples: int) -> tuple[str, str] | None:
    """Return the property of an audio header that is out of range, and the range; ``None`` if all are in range.

    The header's claims decide how much time and memory resampling takes, however few samples follow it.

    Args:
        rate: samples per second of each channel.
        channels: number of channels.
        samples: number of samples of each channel.
    """
    low, high = RATES
    if not low <= rate <= high:
        return f"{rate:,} samples per second", f"{low:,} to {high:,}"
    if rate > _ODD_RATES and rate % 100:
        return f"{rate:,} samples per second", f"a multiple of 100 above {_ODD_RATES:,}"
    if not 1 <= channels <= MOST_CHANNELS:
        return counted(channels, "channel"), f"1 to {MOST_CHANNELS}"
    if samples > MOST_SECONDS * rate:
        return f"{samples / rate:,.0f} s", f"at most {MOST_SECONDS:,} s"
    return None
