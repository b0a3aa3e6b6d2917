#!/bin/sh
# torchcodec's `seek_mode="approximate"` is offered as the faster way to the same frames where the rate is constant. Two
# things are not said. Of a video with uneven times one index is two frames: `decoder[40]` is frame 40 if index 39 was read
# before it, and frame 33 if not, so that a sampled clip and a clip read in turn disagree. And a fragmented mp4 (streaming,
# screen recordings) has as many frames as its first fragment: 10 of 50, without an error. `seek_mode="exact"`, the default,
# is right in both. Linux x86-64; downloads about 3 GB. FFmpeg's libraries are those in PyAV's wheel.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install --quiet "torch==2.11.0" "torchcodec==0.11.1" "av==18.1.0" "imageio-ffmpeg==0.6.0" "numpy==2.2.6"
libraries=$("$python" -c 'import av, pathlib; print(pathlib.Path(av.__file__).parent.parent / "av.libs")')
mkdir "$folder/libraries"
for library in "$libraries"/libav* "$libraries"/libsw*; do
	name=$(basename "$library" | sed -E 's/-[0-9a-f]+\.so\.([0-9]+).*/.so.\1/')
	ln -s "$library" "$folder/libraries/$name"
done
LD_LIBRARY_PATH="$folder/libraries:$libraries" "$python" -W ignore - "$folder" <<'PY'
import subprocess
import sys
from importlib.metadata import version

import imageio_ffmpeg
import numpy as np
from torchcodec.decoders import VideoDecoder

folder, ffmpeg = sys.argv[1], imageio_ffmpeg.get_ffmpeg_exe()


def number(image):
    """Read the number that eight bars show."""
    return sum(int(image.float()[:, :, 40 * bit + 10 : 40 * bit + 30].mean() > 120) << bit for bit in range(8))


images = np.zeros((50, 64, 320, 3), np.uint8)
for k in range(50):
    images[k] = np.repeat([200 if k >> bit & 1 else 40 for bit in range(8)], 40)[None, :, None]
source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "320x64", "-r", "25", "-i", "-"]
times = ["-vf", "settb=1/25,setpts=if(lt(N\\,25)\\,N\\,2*N-25)", "-fps_mode", "passthrough", "-enc_time_base", "1/25"]
codec = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "10", "-keyint_min", "10", "-sc_threshold", "0"]
for options, name in ((times, "uneven"), ([], "even")):
    command = [ffmpeg, "-loglevel", "error", *source, *options, *codec, f"{folder}/{name}.mkv"]
    subprocess.run(command, input=images.tobytes(), check=True)
for name, copied, *options in (("uneven", "uneven"), ("even", "fragmented", "-movflags", "frag_keyframe")):
    command = [ffmpeg, "-loglevel", "error", "-i", f"{folder}/{name}.mkv", "-c", "copy", *options, f"{folder}/{copied}.mp4"]
    subprocess.run(command, check=True)
print("torchcodec", version("torchcodec"), "torch", version("torch"))
seen = {}
for mode in ("exact", "approximate"):
    alone = number(VideoDecoder(f"{folder}/uneven.mp4", seek_mode=mode)[40])
    decoder = VideoDecoder(f"{folder}/uneven.mp4", seek_mode=mode)
    in_turn = [number(decoder[k]) for k in range(41)][40]
    fragmented = len(list(VideoDecoder(f"{folder}/fragmented.mp4", seek_mode=mode)))
    seen[mode] = (alone, in_turn, fragmented)
    print(f"{mode}: index 40 alone is frame {alone}, after index 39 frame {in_turn}; {fragmented} of 50 fragmented frames")
raise SystemExit(seen != {"exact": (40, 40, 50), "approximate": (33, 40, 10)})
PY
