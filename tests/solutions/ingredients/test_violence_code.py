"""VD as the authors' public code has it: images of optical flow, and votes on videos shorter than a window."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from solutions.clips.settings import Windows
from solutions.clips.windows import averaged, windows_of
from solutions.encoders.flow.encoder import CodeFlow, PaperFlow
from solutions.recipes import RECIPES, recipe_named
from tests.support.moving_squares import moving_square


def script_images(frames: list[np.ndarray]) -> list[bytes]:
    """Return JPEG files as ``precompute_features.py`` writes them: BGR of dx, dy, magnitude, each stretched and cut."""
    files, before = [], None
    for frame in frames:
        grey = cv2.resize(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), (224, 224))
        image = np.zeros((224, 224, 3), np.uint8)
        if before is not None:
            flow = cv2.calcOpticalFlowFarneback(before, grey, None, 0.5, 3, 15, 3, 5, 1.2, 0)
            channels = [flow[..., 0], flow[..., 1], np.sqrt(flow[..., 0] ** 2 + flow[..., 1] ** 2)]
            for k, values in enumerate(channels):
                if values.max() - values.min() >= 1e-6:
                    image[..., k] = (values - values.min()) / (values.max() - values.min()) * 255
        files.append(cv2.imencode(".jpg", image)[1].tobytes())
        before = grey
    return files


def test_flow_by_code_is_the_scripts_files_to_the_byte():
    frames = moving_square(6)
    encoder = CodeFlow()
    prepared = [encoder.prepare(frame) for frame in frames]
    assert encoder.encode(prepared) == script_images(frames)
    assert PaperFlow().encode(prepared) != script_images(frames), "the default rounds"


def test_flow_of_a_still_scene_is_the_scripts_to_the_byte():
    """Channels without any span are black, which ours by rounding are not always."""
    still = [np.full((64, 64, 3), 90, np.uint8)] * 3
    encoder = CodeFlow()
    assert encoder.encode([encoder.prepare(frame) for frame in still]) == script_images(still)


def test_rows_with_flow_have_the_scripts_images_by_code():
    rows = [r for r in RECIPES if r.name.startswith("vd/") and r.row and r.streams[0].network.flow]
    assert len(rows) == 2
    for row in rows:
        (stream,) = recipe_named(f"{row.name}@code").streams
        assert stream.network.flow_pictures == "flow-code"
        assert stream.encoders[1].startswith("flow-code:")


@pytest.mark.parametrize(("n", "length"), [(1, 16), (5, 16), (15, 16), (1, 32), (20, 32), (31, 32)])
def test_short_videos_get_the_mean_of_all_votes_as_in_the_loop(n, length):
    """The loop of the notebook, in all of its 30 commits: ``for k, fi in enumerate(idxs): sum[fi] += p[k]``."""
    votes = np.random.default_rng(n).random((1, length, 2)).astype(np.float32)
    indices = np.clip(np.arange(length), 0, n - 1)
    sums, counts = np.zeros((n, 2)), np.zeros(n)
    for k, index in enumerate(indices):
        sums[index] += votes[0, k]
        counts[index] += 1
    frames = windows_of(n, Windows(length, length // 2, 1))
    assert frames.tolist() == [indices.tolist()]
    np.testing.assert_allclose(averaged(frames, votes, n), sums / counts[:, None], atol=1e-6)
