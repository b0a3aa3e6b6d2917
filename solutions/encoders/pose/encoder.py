"""The ``pose`` encoder: MediaPipe's PoseLandmarker on each frame, two people.

Its models lie inside the mediapipe wheel, so nothing is downloaded. The task wants them in one bundle with a note on
how their inputs are normalised, which the wheel's own writer adds here, in memory. The wheel carries the *full*
landmark model; the authors took *lite*, which it does not carry.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import importlib.util
import io
import warnings
import zipfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.system.images import Image
from solutions.encoders.encoder import Parallel, Part
from solutions.encoders.mediapipe_wheel import missing, plain_locale, quiet

FORMAT = 1
"""Raised whenever the meaning of a column changes: features cached under another number are made anew."""

PEOPLE, LANDMARKS, VALUES = 2, 33, 4
"""Values of a landmark: x and y as shares of the picture's width and height, z on about x's scale, visibility."""

DIM = PEOPLE * LANDMARKS * VALUES + PEOPLE + 1
"""Columns: people x landmarks x values; then 1 for each who is there, 0 for one who is not, whose values are 0; then
the picture's width over its height."""

CONFIDENCE = 0.5
"""MediaPipe's default, for detecting a person, and for one being there."""

MODELS = {
    "pose_detector.tflite": ("modules/pose_detection/pose_detection.tflite", 127.5, 127.5),
    "pose_landmarks_detector.tflite": ("modules/pose_landmark/pose_landmark_full.tflite", 0.0, 255.0),
}
"""By its name in the bundle: file in the package's folder; mean and standard deviation that normalise its input."""


@functools.cache
@plain_locale()
def bundle() -> bytes:
    """Both models as the one file that the task opens; always the same bytes.

    Raises:
        MissingDependencyError: MediaPipe, or a library that it needs, is not there.
    """
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the writer leaves its temporary files to the collector
        try:
            from mediapipe.tasks.python.metadata.metadata_writers import metadata_writer, model_asset_bundle_utils
        except ImportError as error:
            raise missing("the pose encoder", error) from None
        buffer = io.BytesIO()
        with model_asset_bundle_utils.AlignZipFile(buffer, mode="w", alignment=4) as archive:
            for name, (model, mean, std) in MODELS.items():
                writer = metadata_writer.MetadataWriter.create(bytearray((_package() / model).read_bytes()))
                writer.add_image_input([mean], [std])
                # the time of packing is part of a zip; without one the bytes are the same each time
                archive.writestr(zipfile.ZipInfo(name), bytes(writer.populate()[0]))
                writer.__del__()  # removes its folder now
        # a writer is part of a circle: left to the interpreter's end, its destructor runs without the module os
        del writer
        gc.collect()
    return buffer.getvalue()


def _package() -> Path:
    """The package's folder, found without importing it, which takes seconds.

    Raises:
        MissingDependencyError: it is not installed.
    """
    spec = importlib.util.find_spec("mediapipe")
    if spec is None or spec.origin is None:
        raise missing("the pose encoder", ImportError("No module named 'mediapipe'"))
    return Path(spec.origin).parent


class PoseEncoder:
    """Landmarks of up to two people, the one whose landmarks are more visible in the mean first, as the authors do.

    Every picture is taken by itself (``IMAGE`` mode), with no tracking from frame to frame: a row can't depend on what
    was shown before. Its columns are what MediaPipe gives, see ``DIM``; :mod:`solutions.encoders.pose.features` makes
    of them what networks are shown. MediaPipe is loaded when the first picture comes: cached rows don't wait for it.

    Raises:
        MissingDependencyError: MediaPipe is not installed; or, when the first picture comes, it can't be loaded.
    """

    name = "pose"
    dim = DIM
    parts: tuple[Part, ...] = (Part("embeddings", DIM, np.dtype(np.float32)),)
    parallel: Parallel = "processes"
    batch_size = 8

    def __init__(self) -> None:
        self._package = _package()
        self._seen = False

    @functools.cached_property
    @plain_locale()
    def _found(self) -> Callable[[Image], Sequence[Any]]:
        """From a picture to its people's landmarks."""
        content = bundle()
        with quiet():
            import mediapipe
            from mediapipe.tasks.python import BaseOptions, vision

            options = vision.PoseLandmarkerOptions(
                base_options=BaseOptions(model_asset_buffer=content),
                running_mode=vision.RunningMode.IMAGE,
                num_poses=PEOPLE,
                min_pose_detection_confidence=CONFIDENCE,
                min_pose_presence_confidence=CONFIDENCE,
            )
            task = vision.PoseLandmarker.create_from_options(options)

            def found(image: Image) -> Sequence[Any]:
                picture = mediapipe.Image(mediapipe.ImageFormat.SRGB, np.ascontiguousarray(image))
                people: Sequence[Any] = task.detect(picture).pose_landmarks
                return people

            # the graph logs as it starts; a first answer means that it has
            found(np.zeros((64, 64, 3), np.uint8))
        return found

    def identity(self) -> dict[str, Any]:
        """Hash of both models, MediaPipe's version, and the settings above."""
        return {
            "encoder": self.name,
            "format": FORMAT,
            "mediapipe": version("mediapipe"),
            "landmarks": "full",
            "models": [
                [name, mean, std, hashlib.sha256((self._package / model).read_bytes()).hexdigest()]
                for name, (model, mean, std) in MODELS.items()
            ],
            "people": PEOPLE,
            "confidence": CONFIDENCE,
            "dim": self.dim,
        }

    def prepare(self, image: Image) -> Image:
        """The picture as it is: people are found at its full size."""
        return image

    def encode(self, images: Sequence[Image]) -> npt.NDArray[np.float32]:
        """float32 ``(len(images), DIM)``; see :class:`~solutions.encoders.encoder.Encoder`. Never NaN."""
        rows = np.zeros((len(images), self.dim), np.float32)
        for row, image in zip(rows, images, strict=True):
            people = self.people(image)
            row[: people.size] = people.reshape(-1)
            row[-PEOPLE - 1 : -PEOPLE - 1 + len(people)] = 1
            row[-1] = image.shape[1] / image.shape[0]
        return rows

    @plain_locale()
    def people(self, image: Image) -> npt.NDArray[np.float32]:
        """Landmarks of the people in a picture.

        Args:
            image: RGB uint8 ``(h, w, 3)``.

        Returns:
            float32 ``(people, 33, 4)``, none to two of them: x, y, z, visibility; highest mean visibility first.
        """
        # the last part of the graph logs once, on the first person
        with contextlib.nullcontext() if self._seen else quiet():
            found = self._found(image)
        self._seen = self._seen or bool(found)
        people = np.array([[(p.x, p.y, p.z, p.visibility) for p in person] for person in found], np.float32)
        people = people.reshape(-1, LANDMARKS, VALUES)
        return people[np.argsort(-people[:, :, 3].mean(1), kind="stable")]
