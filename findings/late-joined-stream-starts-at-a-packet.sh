#!/bin/sh
# A recorder that joins a running transport stream between two key frames writes packets first that no decoder can show.
# FFmpeg's `start_time` of the video stream is the time of the first such packet, while the first image is the next key frame:
# frame 50 of a join at frame 30, with H.264 and with MPEG-2. Whoever places audio and images by the two streams' start times,
# as is usual, is 20 frames off, without an error.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install --quiet "av==18.1.0" "numpy==2.2.6" "imageio-ffmpeg==0.6.0"
"$python" - "$folder" <<'PY'
import subprocess
import sys

import av
import imageio_ffmpeg
import numpy as np

folder, ffmpeg = sys.argv[1], imageio_ffmpeg.get_ffmpeg_exe()
images = np.zeros((100, 64, 320, 3), np.uint8)
for k in range(100):
    images[k] = np.repeat([200 if k >> bit & 1 else 40 for bit in range(8)], 40)[None, :, None]
source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "320x64", "-r", "25", "-i", "-"]
codecs = {
    "h264": ["-c:v", "libx264", "-g", "25", "-sc_threshold", "0", "-bf", "0"],
    "mpeg2": ["-c:v", "mpeg2video", "-g", "25", "-sc_threshold", "1000000000", "-bf", "0", "-q:v", "2"],
}


def number(image):
    """Read the number that eight bars show."""
    return sum(int(image[:, 40 * bit + 10 : 40 * bit + 30].mean() > 120) << bit for bit in range(8))


print("PyAV", av.__version__, "FFmpeg", av.library_versions["libavformat"])
seen = {}
for name, codec in codecs.items():
    whole, joined = f"{folder}/{name}.ts", f"{folder}/{name}.joined.ts"
    command = [ffmpeg, "-loglevel", "error", *source, *codec, "-pix_fmt", "yuv420p", whole]
    subprocess.run(command, input=images.tobytes(), check=True)
    with av.open(whole) as before, av.open(joined, "w", format="mpegts") as after:
        stream = before.streams.video[0]
        copy = after.add_stream_from_template(stream)
        for k, packet in enumerate(packet for packet in before.demux(stream) if packet.dts is not None):
            if k >= 30:
                packet.stream = copy
                after.mux(packet)
    with av.open(joined) as container:
        stream = container.streams.video[0]
        start, step = stream.start_time, 1 / (25 * stream.time_base)
        first = next(container.decode(stream))
        late = round((first.pts - start) / step)
        seen[name] = (number(first.to_ndarray(format="rgb24")), late)
    print(f"{name}: joined at frame 30, first image shows frame {seen[name][0]}, {late} frames after the stream's start_time")
print(seen)
raise SystemExit(seen != {"h264": (50, 20), "mpeg2": (50, 20)})
PY
