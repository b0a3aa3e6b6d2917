#!/bin/sh
# Cropped faces are numbered files with holes where no face was found. Read as a film (`ffmpeg -i %05d.jpg`, or OpenCV's
# VideoCapture with such a pattern), the sequence ends at the first hole. ffmpeg exits with 0. Whether it says so depends on
# which number is missing, because it looks for the last file in steps of 1, 2, 4, 8 ...: without file 3 nothing is said,
# without file 8 one line; and then OpenCV's count is 40 although 7 pictures come.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install --quiet "opencv-python-headless==4.11.0.86" "imageio-ffmpeg==0.6.0"
"$python" - "$folder" 2>/dev/null <<'PY'
import pathlib
import subprocess
import sys

import cv2
import imageio_ffmpeg
import numpy as np

ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
print("OpenCV", cv2.__version__, "ffmpeg", imageio_ffmpeg.get_ffmpeg_version())
seen = {}
for missing in (3, 8):
    crops = pathlib.Path(sys.argv[1], f"without{missing}")
    crops.mkdir()
    for k in range(1, 41):
        if k != missing:
            cv2.imwrite(str(crops / f"{k:05d}.jpg"), np.full((112, 112, 3), 5 * k, np.uint8))
    capture, read = cv2.VideoCapture(str(crops / "%05d.jpg")), 0
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    while capture.read()[0]:
        read += 1
    command = [ffmpeg, "-loglevel", "error", "-i", str(crops / "%05d.jpg"), "-c:v", "ffv1", str(crops / "film.mkv")]
    done = subprocess.run(command, capture_output=True, text=True)
    film, written = cv2.VideoCapture(str(crops / "film.mkv")), 0
    while film.read()[0]:
        written += 1
    seen[missing] = (count, read, done.returncode, written, bool(done.stderr))
    print(f"39 of 40 crops, {missing} is missing: OpenCV counts {count} and reads {read}; ffmpeg ends with {done.returncode}, "
          f"writes {written} frames and {'a line' if done.stderr else 'no line'} of errors")
raise SystemExit(seen != {3: (2, 2, 0, 2, False), 8: (40, 7, 0, 7, True)})
PY
