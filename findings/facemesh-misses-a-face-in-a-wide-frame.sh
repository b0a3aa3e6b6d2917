#!/bin/sh
# MediaPipe's FaceMesh finds faces with its short-range detector, which sees the whole frame as 128 x 128. What counts is
# therefore the face's share of the frame, not its size in pixels. A photograph in which a face is found is put into frames
# that are wider, with grey beside it: same pixels, no face. Two people side by side: none of the two is found, however
# large `max_num_faces` is, though each half alone has one. Conversations and split screens of ordinary films are such frames.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
python="$folder/venv/bin/python"
"$python" -m pip install --quiet "mediapipe==0.10.21" "scikit-image==0.25.2"
"$python" - 2>/dev/null <<'PY'
import mediapipe
import numpy as np
from skimage.data import astronaut

photograph = astronaut()


def faces(frame):
    """Count the faces of one frame."""
    with mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=True, max_num_faces=4) as mesh:
        return len(mesh.process(np.ascontiguousarray(frame)).multi_face_landmarks or [])


def widened(factor):
    """Return the photograph with grey to its right."""
    frame = np.full((512, int(512 * factor), 3), 128, np.uint8)
    frame[:, :512] = photograph
    return frame


alone = {factor: faces(widened(factor)) for factor in (1, 1.5, 2, 3)}
small = {size: faces(photograph[:: 512 // size, :: 512 // size]) for size in (256, 128)}
pair = faces(np.concatenate([photograph, photograph[:, ::-1]], 1))
print("mediapipe", mediapipe.__version__)
print("photograph of 512 pixels: faces by width of the frame", alone)
print("the same photograph made smaller:", small)
print("two of them side by side:", pair)
raise SystemExit(not (alone == {1: 1, 1.5: 1, 2: 0, 3: 0} and small == {256: 1, 128: 1} and pair == 0))
PY
