"""Windows over a whole video: the authors' loop to the vote, each frame read once, and no frame without a vote."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from harness.errors import SolutionError
from solutions.clips.settings import Windows
from solutions.clips.windows import averaged, slide, windows_of


def authors_votes(n: int, windows: Windows) -> list[list[int]]:
    """Every window of the authors' inference cell, told again in plain loops, with one phase."""
    span = (windows.length - 1) * windows.step + 1
    starts = list(range(0, max(0, n - span) + 1, windows.stride))
    if starts[-1] != max(0, n - span):
        starts.append(max(0, n - span))
    return [[min(start + k * windows.step, n - 1) for k in range(windows.length)] for start in starts]


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 15, 16, 17, 40, 41, 100])
@pytest.mark.parametrize("stride", [1, 3, 4, 8])
def test_with_a_step_of_one_windows_are_the_authors(n, stride):
    windows = Windows(8, stride, 1)
    assert windows_of(n, windows).tolist() == authors_votes(n, windows)


@pytest.mark.parametrize("n", [1, 2, 3, 14, 15, 16, 17, 30, 63, 64, 101])
@pytest.mark.parametrize(("stride", "step"), [(1, 2), (4, 2), (7, 2), (8, 2), (5, 3), (8, 4)])
def test_longer_step_includes_the_authors_windows(n, stride, step):
    windows = Windows(8, stride, step)
    found = windows_of(n, windows)
    assert set(map(tuple, authors_votes(n, windows))) <= set(map(tuple, found.tolist()))
    assert set(found.ravel().tolist()) == set(range(n)), "a frame without a vote"
    assert (found[:, 0] == np.sort(found[:, 0])).all()
    inside = np.diff(found, axis=1)
    assert set(inside.ravel().tolist()) <= set(range(step + 1))


def test_step_of_two_covers_every_frame_unlike_the_authors():
    windows = Windows(32, 32, 2)
    seen = {frame for window in authors_votes(4500, windows) for frame in window}
    assert len(seen) < 0.51 * 4500
    assert len(np.unique(windows_of(4500, windows))) == 4500


def test_each_frame_is_the_mean_of_its_votes():
    frames = np.array([[0, 1, 2], [1, 2, 2]])
    votes = np.array([[[0.1], [0.2], [0.3]], [[0.4], [0.5], [0.6]]], np.float32)
    np.testing.assert_allclose(averaged(frames, votes, 3)[:, 0], [0.1, 0.3, 1.4 / 3], rtol=1e-6)


def test_a_frame_without_a_vote_is_an_error():
    with pytest.raises(SolutionError, match=r"2 of 5 frames, the first is 4.*stride no longer than a window"):
        averaged(np.array([[0, 1, 2]]), np.zeros((1, 3, 2), np.float32), 5)
    with pytest.raises(SolutionError, match="without a vote"):
        slide(50, Windows(4, 6), lambda frames: {"x": frames}, lambda given: np.zeros((*given["x"].shape, 2)), 3)


class Small(nn.Module):
    """Pictures to probabilities: a convolution of each by itself, and an LSTM that sees the window."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.lstm = nn.LSTM(8, 5, bidirectional=True, batch_first=True)
        self.output = nn.Linear(10, 2)

    def encode(self, pictures: np.ndarray) -> torch.Tensor:
        """uint8 ``(k, h, w, 3)`` to ``(k, 8)``."""
        return self.encoder(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255)

    def decide(self, rows: torch.Tensor) -> np.ndarray:
        """``(b, t, 8)`` to probabilities ``(b, t, 2)``."""
        return self.output(self.lstm(rows)[0]).softmax(2).numpy()


@pytest.mark.parametrize("n", [1, 5, 8, 33, 70])
@pytest.mark.parametrize("windows", [Windows(8, 4), Windows(8, 5, 2), Windows(8, 8, 3)], ids=str)
@torch.inference_mode()
def test_sliding_head_equals_network_on_single_windows(n, windows):
    torch.manual_seed(0)
    net = Small().eval()
    pictures = np.random.default_rng(n).integers(0, 256, (n, 20, 16, 3), dtype=np.uint8)
    total, count = np.zeros((n, 2)), np.zeros(n)
    for window in windows_of(n, windows).tolist():  # one window, each picture encoded again
        given = net.decide(net.encode(pictures[window])[None])[0]
        for frame, own in zip(window, given, strict=True):
            total[frame] += own
            count[frame] += 1
    expected = total / count[:, None]
    rows = net.encode(pictures).numpy()
    over_rows = slide(
        n, windows, lambda frames: {"x": rows[frames]}, lambda given: net.decide(torch.from_numpy(given["x"])), 3
    )
    np.testing.assert_allclose(over_rows, expected, atol=1e-6)
    assert over_rows.dtype == np.float32

    def whole(given):
        clips = given["pictures"]
        return net.decide(net.encode(clips.reshape(-1, *clips.shape[2:])).reshape(*clips.shape[:2], -1))

    over_pictures = slide(n, windows, lambda frames: {"pictures": pictures[frames]}, whole, 3)
    np.testing.assert_allclose(over_pictures, expected, atol=1e-6)


@pytest.mark.parametrize("windows", [Windows(8, 4), Windows(8, 5, 2), Windows(4, 4, 3)], ids=str)
@pytest.mark.parametrize("batch", [1, 2, 100])
def test_each_frame_is_read_once_and_goes_where_it_belongs(windows, batch):
    read, n = [], 90

    def reader(frames):
        assert (np.diff(frames) > 0).all()
        read.extend(frames.tolist())
        return {"x": frames * 10.0, "y": np.stack([frames, -frames], 1)}

    seen = []
    slide(n, windows, reader, lambda given: (seen.append(given), np.zeros((*given["x"].shape, 2)))[1], batch)
    assert sorted(read) == list(range(n))
    frames = windows_of(n, windows)
    np.testing.assert_array_equal(np.concatenate([given["x"] for given in seen]), frames * 10.0)
    np.testing.assert_array_equal(np.concatenate([given["y"] for given in seen])[..., 1], -frames)
    assert max(len(given["x"]) for given in seen) <= batch


def test_what_goes_wrong_while_reading_ahead_is_raised():
    def reader(frames):
        if frames[0] > 20:
            raise OSError("gone")
        return {"x": frames}

    with pytest.raises(OSError, match="gone"):
        slide(90, Windows(8, 8), reader, lambda given: np.zeros((*given["x"].shape, 2)), 2)
