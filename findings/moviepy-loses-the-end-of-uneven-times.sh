#!/bin/sh
# Video of a variable rate: 50 frames, the second half shown for twice as long. MoviePy's `n_frames` and `iter_frames` go by
# the mean rate, which is that of the header, but ffmpeg hands it frames at a constant rate of its own. 49 images come, near
# enough to 50 to pass a check of the count: among them are repeats, and the last 12 or 13 frames never come. OpenCV reads 50.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install --quiet "moviepy==2.2.1" "imageio==2.38.1" "imageio-ffmpeg==0.8.1" "opencv-python-headless==4.13.0.92" "numpy==2.2.6"
"$python" -W ignore - "$folder" <<'PY'
import subprocess
import sys
from importlib.metadata import version

import cv2
import imageio_ffmpeg
import numpy as np
from moviepy import VideoFileClip

folder, ffmpeg = sys.argv[1], imageio_ffmpeg.get_ffmpeg_exe()


def number(image):
    """Read the number that eight bars show."""
    return sum(int(np.asarray(image)[:, 40 * bit + 10 : 40 * bit + 30].mean() > 120) << bit for bit in range(8))


images = np.zeros((50, 64, 320, 3), np.uint8)
for k in range(50):
    images[k] = np.repeat([200 if k >> bit & 1 else 40 for bit in range(8)], 40)[None, :, None]
source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "320x64", "-r", "25", "-i", "-"]
times = ["-vf", "settb=1/25,setpts=if(lt(N\\,25)\\,N\\,2*N-25)", "-fps_mode", "passthrough", "-enc_time_base", "1/25"]
codec = ["-c:v", "libx264", "-pix_fmt", "yuv420p", f"{folder}/uneven.mkv"]
subprocess.run([ffmpeg, "-loglevel", "error", *source, *times, *codec], input=images.tobytes(), check=True)
copy = ["-i", f"{folder}/uneven.mkv", "-c", "copy", f"{folder}/uneven.mp4"]
subprocess.run([ffmpeg, "-loglevel", "error", *copy], check=True)
capture, read = cv2.VideoCapture(f"{folder}/uneven.mp4"), []
while (frame := capture.read())[0]:
    read.append(number(frame[1]))
clip = VideoFileClip(f"{folder}/uneven.mp4")
shown = [number(image) for image in clip.iter_frames()]
print("MoviePy", version("moviepy"), "imageio-ffmpeg", version("imageio-ffmpeg"), "OpenCV", cv2.__version__)
print(f"OpenCV reads {len(read)} frames, {read[0]} to {read[-1]}")
print(f"MoviePy: rate {clip.fps:.2f}, n_frames {clip.reader.n_frames}, {len(shown)} images come, {len(set(shown))} frames among them, the last is {shown[-1]}")
clip.close()
raise SystemExit(not (read == list(range(50)) and 48 <= len(shown) <= 50 and 35 <= max(shown) <= 39))
PY
