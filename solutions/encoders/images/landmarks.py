"""Encoder ``landmarks``: MediaPipe FaceMesh on each crop, then features of the face's shape.

The models are part of the mediapipe wheel, so that nothing is downloaded.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.system.images import Image, opencv
from solutions.encoders.encoder import Parallel, Part
from solutions.encoders.images.face_geometry import DIM, N_LANDMARKS, expression_features
from solutions.encoders.mediapipe_wheel import missing, plain_locale, quiet

FORMAT = 1
"""Version of the columns' meaning, increased with each change: features of another version are computed again."""

MARGIN = 0.25
"""Black border around a crop, as a share of its longer side. The detector was trained on faces with a margin. On tight
crops, at MediaPipe's default confidence, it detects 99 % of faces with this border, 96 % without a border, 97 to 98 %
with a border that mirrors or repeats the image."""

MIN_CONFIDENCE = 0.2
"""Lowest confidence of a face; MediaPipe's default is 0.5. Crops come from a face detector, so that a missed face costs
more than a doubtful one."""

MODELS = (
    "modules/face_detection/face_detection_short_range.tflite",
    "modules/face_landmark/face_landmark_with_attention.tflite",
)
"""Models that FaceMesh uses in static mode with refined landmarks, as paths in the package's folder."""


def _face_mesh() -> ModuleType:
    """Import MediaPipe's FaceMesh module on demand, because it is optional and its import takes seconds.

    Raises:
        MissingDependencyError: the package, its FaceMesh, or a shared library is missing.
    """
    try:
        from mediapipe.python.solutions import face_mesh
    except ImportError as error:
        raise missing("the landmarks encoder", error) from None
    module: ModuleType = face_mesh
    return module


class LandmarksEncoder:
    """Pose-free positions of brows, eyes, irises, nose and lips; see :mod:`solutions.encoders.images.face_geometry`.

    Every crop is treated as a single image (``static_image_mode``), without tracking from frame to frame, so that a row
    is independent of earlier images.

    Raises:
        MissingDependencyError: MediaPipe is missing, or importing it fails.
    """

    name = "landmarks"
    dim = DIM
    parts: tuple[Part, ...] = (Part("embeddings", DIM, np.dtype(np.float16)),)
    parallel: Parallel = "processes"
    batch_size = 32

    @plain_locale()
    def __init__(self) -> None:
        """Load FaceMesh and wait until its models are open."""
        self._cv2 = opencv()
        with quiet():
            module = _face_mesh()
            self._package = Path(module.__file__ or "").parents[2]
            self._mesh = module.FaceMesh(
                static_image_mode=True, max_num_faces=1, refine_landmarks=True, min_detection_confidence=MIN_CONFIDENCE
            )
            # the graph opens its models in the background and logs meanwhile; after a first result all are open
            self._mesh.process(np.zeros((64, 64, 3), np.uint8))
        self._face_seen = False

    def identity(self) -> dict[str, Any]:
        """Return the hashes of both models, MediaPipe's version and the constants of this module."""
        return {
            "encoder": self.name,
            "format": FORMAT,
            "mediapipe": version("mediapipe"),
            "models": {Path(m).name: hashlib.sha256((self._package / m).read_bytes()).hexdigest() for m in MODELS},
            "margin": MARGIN,
            "min_detection_confidence": MIN_CONFIDENCE,
            "refine_landmarks": True,
            "static_image_mode": True,
            "dim": self.dim,
        }

    def prepare(self, image: Image) -> Image:
        """Return the crop as it is, because detection uses its full size."""
        return image

    def encode(self, images: Sequence[Image]) -> npt.NDArray[np.float32]:
        """Return float32 ``(len(images), dim)``; see :class:`~solutions.encoders.encoder.Encoder`."""
        rows = np.full((len(images), self.dim), np.nan, np.float32)
        for row, image in zip(rows, images, strict=True):
            points = self.landmarks(image)
            if points is not None:
                row[:] = expression_features(points)
        return rows

    @plain_locale()
    def landmarks(self, image: Image) -> npt.NDArray[np.float32] | None:
        """Return the mesh of the face in a crop.

        Args:
            image: RGB uint8 ``(h, w, 3)``.

        Returns:
            float32 ``(478, 3)``, pixels of the crop, z on the scale of x; ``None`` if no face is detected.
        """
        padded, left, top = self._padded(image)
        side = padded.shape[0]
        # the last part of the graph logs once, at the first face
        with contextlib.nullcontext() if self._face_seen else quiet():
            faces = self._mesh.process(padded).multi_face_landmarks
        if not faces:
            return None
        self._face_seen = True
        points = np.array([(p.x, p.y, p.z) for p in faces[0].landmark], np.float32).reshape(N_LANDMARKS, 3)
        return points * np.float32(side) - np.array([left, top, 0], np.float32)

    def _padded(self, image: Image) -> tuple[Image, int, int]:
        """Return a square with the crop in its middle, for which the mesh is exact, and the crop's left and top."""
        height, width = image.shape[:2]
        side = max(height, width)
        side += 2 * round(MARGIN * side)
        top, left = (side - height) // 2, (side - width) // 2
        padded = self._cv2.copyMakeBorder(
            image, top, side - height - top, left, side - width - left, self._cv2.BORDER_CONSTANT, value=(0, 0, 0)
        )
        return padded, left, top
