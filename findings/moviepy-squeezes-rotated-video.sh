#!/bin/sh
# Phones write lying frames and a rotation of 90 degrees. MoviePy 2.2.1 reads the rotation out of the lines that ffmpeg prints.
# It finds it in those of ffmpeg 7.0.2 (imageio-ffmpeg 0.6.0), and frames come upright, 64 x 48. With imageio-ffmpeg 0.8.1,
# which pip installs beside it today, it finds none, and asks ffmpeg, which turns the frames by itself, to scale them to the
# lying size: 48 x 64, upright, a face pressed to half its width. The shape is plausible and no error comes.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
status=0
for pair in 0.6.0=upright 0.8.1=squeezed; do
	"$python" -m pip install --quiet "moviepy==2.2.1" "imageio==2.38.1" "imageio-ffmpeg==${pair%=*}" "numpy==2.2.6"
	"$python" -W ignore - "$folder" "${pair#*=}" <<'PY' || status=1
import subprocess
import sys
from importlib.metadata import version

import imageio_ffmpeg
import numpy as np
from moviepy import VideoFileClip

folder, ffmpeg = sys.argv[1], imageio_ffmpeg.get_ffmpeg_exe()
upright = np.zeros((48, 64, 3), np.uint8)
upright[:, :32] = 255
lying = np.ascontiguousarray(np.rot90(upright)).tobytes() * 25
source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "48x64", "-r", "25", "-i", "-"]
command = [ffmpeg, "-loglevel", "error", "-y", *source, "-c:v", "libx264", "-pix_fmt", "yuv420p", f"{folder}/lying.mp4"]
subprocess.run(command, input=lying, check=True)
turn = ["-display_rotation:v:0", "-90", "-i", f"{folder}/lying.mp4", "-c", "copy", f"{folder}/phone.mp4"]
subprocess.run([ffmpeg, "-loglevel", "error", "-y", *turn], check=True)
clip = VideoFileClip(f"{folder}/phone.mp4")
image = clip.get_frame(0.5).astype(int)
clip.close()
height, width = image.shape[:2]
left, right = image[:, : width // 2 - 4].mean(), image[:, width // 2 + 4 :].mean()
state = "lying" if left - right < 200 else "upright" if (width, height) == (64, 48) else "squeezed"
print(f"MoviePy {version('moviepy')}, imageio-ffmpeg {version('imageio-ffmpeg')} (ffmpeg {imageio_ffmpeg.get_ffmpeg_version()}): "
      f"{width} x {height}, brightness {left:.0f} in the left half and {right:.0f} in the right: {state}")
raise SystemExit(state != sys.argv[2])
PY
done
exit $status
