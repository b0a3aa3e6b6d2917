"""Data set with one image in every few of its videos' images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.datasets.dataset import Dataset, Video
from harness.datasets.images.numbered import ImageFiles
from harness.errors import SolutionError


def thinned(data: Dataset, splits: Sequence[str], every: int) -> Dataset:
    """Return the data set with every ``every``-th image of some splits' videos, starting with the first of each.

    The thinned data set has a name of its own, so that the cache holds its features beside those of all images.

    Raises:
        SolutionError: a video's images come from a video file.
    """
    if every == 1:
        return data
    fewer = {split: [_with_images(video, every) for video in data.videos(split)] for split in splits}
    return replace(data, name=f"{data.name}-every-{every}", splits={**data.splits, **fewer})


def _with_images(video: Video, every: int) -> Video:
    images = video.images
    if not isinstance(images, ImageFiles):
        what, do = "every so many images can be taken of image files alone", "Write the video's images to files"
        raise SolutionError(what, where=f"video {video.name}", found="a video file", do=do)
    fewer = replace(video)
    fewer.__dict__["images"] = ImageFiles(
        images.folder, images.frames[::every], images.names[::every], images.sizes[::every], images.modified[::every]
    )
    return fewer
