#!/bin/sh
# OpenCV 4.9 and 4.10 read a fragmented mp4 (what streaming, dashcams and MediaRecorder write) to one frame after its first
# fragment: read() returns False as at a normal end. OpenCV 4.11 and later read all of it. In all versions
# CAP_PROP_FRAME_COUNT is that of the first fragment. An expert expects that reading to the end gives all frames.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install --quiet "imageio-ffmpeg==0.6.0" "numpy==1.26.4"
ffmpeg=$("$python" -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
"$ffmpeg" -loglevel error -f lavfi -i testsrc=size=64x48:rate=25 -frames:v 50 -c:v libx264 -pix_fmt yuv420p -g 10 \
	-keyint_min 10 -sc_threshold 0 -movflags frag_keyframe "$folder/fragmented.mp4"
status=0
for pair in 4.9.0.80=11 4.10.0.84=11 4.11.0.86=50 4.12.0.88=50; do
	version=${pair%=*}
	"$python" -m pip install --quiet --no-deps --force-reinstall "opencv-python-headless==$version"
	"$python" - "$folder/fragmented.mp4" "${pair#*=}" <<'PYTHON' || status=1
import sys
import cv2

capture, n = cv2.VideoCapture(sys.argv[1]), 0
header = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
while capture.read()[0]:
    n += 1
print(f"OpenCV {cv2.__version__}: 50 frames are in the file, header {header}, read {n}")
sys.exit(0 if (n, header) == (int(sys.argv[2]), 10) else 1)
PYTHON
done
exit $status
