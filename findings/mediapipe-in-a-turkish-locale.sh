#!/bin/sh
# MediaPipe's FaceMesh can't be made in a process whose LC_CTYPE is Turkish, although Python's own locale settings are
# never touched: Python takes the letters from the environment when it starts, and the capital of "i" is not "I" there.
# The same call works in the C locale and in de_DE. An expert expects the user's language to matter for text alone, not
# for the set-up of a graph of calculators; who works in Turkey meets an error about a graph.
# Linux with localedef and the sources of locales (Debian: package locales); Python 3.11 or 3.12.
set -eu
command -v localedef >/dev/null || { echo "localedef is not installed" >&2; exit 2; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for name in tr_TR de_DE; do
    localedef -i "$name" -f UTF-8 "$folder/$name.UTF-8" || { echo "no sources of $name" >&2; exit 2; }
done
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install --quiet "mediapipe==0.10.21" "opencv-contrib-python-headless==4.11.0.86"
cat > "$folder/mesh.py" <<'PYTHON'
import locale
from importlib.metadata import version

import mediapipe
import numpy as np

name = locale.setlocale(locale.LC_CTYPE)
try:
    with mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True) as mesh:
        mesh.process(np.zeros((64, 64, 3), np.uint8))
    print("mediapipe", version("mediapipe"), name, "works")
except Exception as error:
    print("mediapipe", version("mediapipe"), name, type(error).__name__, str(error).splitlines()[0][:100])
PYTHON
changed=0
for name in C.UTF-8 de_DE.UTF-8 tr_TR.UTF-8; do
    said=$(LOCPATH="$folder" LC_ALL="$name" "$python" -W ignore "$folder/mesh.py" 2>/dev/null | tail -1)
    echo "$said"
    case "$name $said" in
        tr_TR*works | "tr_TR.UTF-8 ") changed=1 ;;
        tr_TR* | *works) ;;
        *) changed=1 ;;
    esac
done
exit $changed
