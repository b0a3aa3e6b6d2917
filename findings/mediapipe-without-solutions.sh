#!/bin/sh
# `mp.solutions` (FaceMesh, Pose) and the networks inside the wheel are what most scripts of this field call. 0.10.21 is the
# last release that has them: 0.10.30 and all later ones, 1.x too, have neither the module nor one network file. A
# requirement such as `mediapipe>=0.10` installs without a complaint and fails at the first attribute.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
for version in 0.10.21 0.10.30 1.2.3; do
	"$python" -m pip download --quiet --no-deps --dest "$folder/$version" "mediapipe==$version"
	"$python" - "$version" "$folder/$version"/*.whl <<'PY'
import sys
import zipfile

names = zipfile.ZipFile(sys.argv[2]).namelist()
solutions = sum(name.startswith("mediapipe/python/solutions/") for name in names)
networks = sorted(name.rsplit("/", 1)[1] for name in names if name.endswith(".tflite"))
print(f"mediapipe {sys.argv[1]}: {solutions} files of solutions, {len(networks)} networks", *networks)
raise SystemExit((solutions > 0, len(networks) > 0) != ((True, True) if sys.argv[1] == "0.10.21" else (False, False)))
PY
done
