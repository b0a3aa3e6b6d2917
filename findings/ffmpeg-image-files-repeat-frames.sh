#!/bin/sh
# `ffmpeg -i film.mp4 %05d.jpg` is the usual line for "one file per frame". The image writer runs at a constant rate: where
# a film's frames are not evenly spaced (screen recordings, phones), frames are repeated without a message, so that file k
# is not frame k. `-fps_mode passthrough` writes each frame once. Here 50 frames, the second half at half the rate.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install --quiet "imageio-ffmpeg==0.6.0"
ffmpeg=$("$python" -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
"$ffmpeg" -version | head -1
"$ffmpeg" -loglevel error -f lavfi -i testsrc=size=64x48:rate=25 -frames:v 50 \
	-vf 'settb=1/25,setpts=if(lt(N\,25)\,N\,2*N-25)' -fps_mode passthrough -enc_time_base 1/25 -c:v libx264 \
	-pix_fmt yuv420p "$folder/film.mkv"
mkdir "$folder/usual" "$folder/each"
"$ffmpeg" -loglevel error -i "$folder/film.mkv" "$folder/usual/%05d.jpg"
"$ffmpeg" -loglevel error -i "$folder/film.mkv" -fps_mode passthrough "$folder/each/%05d.jpg"
usual=$(ls "$folder/usual" | wc -l)
each=$(ls "$folder/each" | wc -l)
echo "50 frames: the usual line writes $usual files, with -fps_mode passthrough $each"
test "$usual" -gt 60 && test "$each" -eq 50
