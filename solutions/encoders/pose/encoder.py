"""Encoder ``pose``: MediaPipe's PoseLandmarker on each frame, for two people.

The models are part of the mediapipe wheel, so that nothing is downloaded. The task needs them in one bundle with a
description of the normalisation of their inputs, which the wheel's writer adds here, in memory. The wheel contains the
*full* landmark model; the authors used *lite*, which the wheel lacks.
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
"""Version of the columns' meaning, increased with each change: features of another version are computed again."""

PEOPLE, LANDMARKS, VALUES = 2, 33, 4
"""Numbers of people, of landmarks per person, and of values per landmark: x and y as shares of the image's width and
height, z on about x's scale, visibility."""

DIM = PEOPLE * LANDMARKS * VALUES + PEOPLE + 1
"""Number of columns: people x landmarks x values, 0 for an absent person; then for each person 1 if present, else 0;
then the image's width over its height."""

CONFIDENCE = 0.5
"""Lowest confidence for the detection and for the presence of a person, MediaPipe's default."""

MODELS = {
    "pose_detector.tflite": ("modules/pose_detection/pose_detection.tflite", 127.5, 127.5),
    "pose_landmarks_detector.tflite": ("modules/pose_landmark/pose_landmark_full.tflite", 0.0, 255.0),
}
"""Models by name in the bundle: file in the package's folder, mean and standard deviation of the model's input."""


@functools.cache
@plain_locale()
def bundle() -> bytes:
    """Return both models as one file for the task to open; the bytes are always the same.

    Raises:
        MissingDependencyError: MediaPipe, or a library that it needs, is missing.
    """
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # the writer leaves its files to the garbage collector
        try:
            from mediapipe.tasks.python.metadata.metadata_writers import metadata_writer, model_asset_bundle_utils
        except ImportError as error:
            raise missing("the pose encoder", error) from None
        buffer = io.BytesIO()
        with model_asset_bundle_utils.AlignZipFile(buffer, mode="w", alignment=4) as archive:
            for name, (model, mean, std) in MODELS.items():
                writer = metadata_writer.MetadataWriter.create(bytearray((_package() / model).read_bytes()))
                writer.add_image_input([mean], [std])
                # a zip contains the time of packing; without it the bytes are the same each time
                archive.writestr(zipfile.ZipInfo(name), bytes(writer.populate()[0]))
                writer.__del__()  # remove its folder now
        # a writer is in a reference cycle: at the interpreter's end its destructor would run without the module os
        del writer
        gc.collect()
    return buffer.getvalue()


def _package() -> Path:
    """Return the package's folder without importing the package, which would take seconds.

    Raises:
        MissingDependencyError: MediaPipe is missing.
    """
    spec = importlib.util.find_spec("mediapipe")
    if spec is None or spec.origin is None:
        raise missing("the pose encoder", ImportError("No module named 'mediapipe'"))
    return Path(spec.origin).parent


class PoseEncoder:
    """Landmarks of up to two people, ordered by mean visibility of their landmarks as in the authors' code.

    Every image is treated by itself (``IMAGE`` mode), without tracking from frame to frame, so that a row is
    independent of earlier images. The columns are MediaPipe's values, see ``DIM``;
    :mod:`solutions.encoders.pose.features` computes the inputs of networks from them. MediaPipe is loaded at the first
    image, so that cached rows are available without it.

    Raises:
        MissingDependencyError: MediaPipe is missing; or, at the first image, importing it fails.
    """

    name = "pose"
    dim = DIM
    parts: tuple[Part, ...] = (Part("embeddings", DIM, np.dtype(np.float32)),)
    parallel: Parallel = "processes"
    batch_size = 8

    def __init__(self) -> None:
        """Look up MediaPipe's folder."""
        self._package = _package()
        self._detected_before = False

    @functools.cached_property
    @plain_locale()
    def _detect(self) -> Callable[[Image], Sequence[Any]]:
        """Function from an image to its people's landmarks."""
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

            def detect(image: Image) -> Sequence[Any]:
                converted = mediapipe.Image(mediapipe.ImageFormat.SRGB, np.ascontiguousarray(image))
                people: Sequence[Any] = task.detect(converted).pose_landmarks
                return people

            # the graph logs while it starts; after a first result it has started
            detect(np.zeros((64, 64, 3), np.uint8))
        return detect

    def identity(self) -> dict[str, Any]:
        """Return the hashes of both models, MediaPipe's version and the constants of this module."""
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
        """Return the image as it is, because people are detected at its full size."""
        return image

    def encode(self, images: Sequence[Image]) -> npt.NDArray[np.float32]:
        """Return float32 ``(len(images), DIM)`` without NaN; see :class:`~solutions.encoders.encoder.Encoder`."""
        rows = np.zeros((len(images), self.dim), np.float32)
        for row, image in zip(rows, images, strict=True):
            people = self.people(image)
            row[: people.size] = people.reshape(-1)
            row[-PEOPLE - 1 : -PEOPLE - 1 + len(people)] = 1
            row[-1] = image.shape[1] / image.shape[0]
        return rows

    @plain_locale()
    def people(self, image: Image) -> npt.NDArray[np.float32]:
        """Return the landmarks of the people in an image.

        Args:
            image: RGB uint8 ``(h, w, 3)``.

        Returns:
            float32 ``(people, 33, 4)``, 0 to 2 people: x, y, z, visibility; highest mean visibility first.
        """
        # the last part of the graph logs once, at the first person
        with contextlib.nullcontext() if self._detected_before else quiet():
            detected = self._detect(image)
        self._detected_before = self._detected_before or bool(detected)
        people = np.array([[(p.x, p.y, p.z, p.visibility) for p in person] for person in detected], np.float32)
        people = people.reshape(-1, LANDMARKS, VALUES)
        return people[np.argsort(-people[:, :, 3].mean(1), kind="stable")]
