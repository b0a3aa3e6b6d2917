"""The two expression networks against NumPy, under drawn weights; and against published outputs, under their own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.errors import MissingDependencyError, SolutionError
from harness.settings import Settings
from solutions.networks import face_expression, mini_xception
from solutions.networks.face_expression import FaceExpressionNetwork
from solutions.networks.mini_xception import MiniXception
from solutions.networks.state import load_exactly
from solutions.weights.store import load_weights
from tests.support import tensorflow_oracle as oracle
from tests.support.npm_packages import both_weights

FACE, GREY = "expression", "expression.mini-xception"


def pattern(side: int, channels: int) -> np.ndarray:
    """Return the image value(row, column, channel) = (7 row + 3 column + 50 channel) mod 256."""
    row, column, channel = np.mgrid[:side, :side, :channels]
    return ((7 * row + 3 * column + 50 * channel) % 256).astype(np.uint8)


def as_torch(weights: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(value) for name, value in weights.items()}


def face_outputs(image: np.ndarray, tensors: dict[str, torch.Tensor]) -> np.ndarray:
    network = FaceExpressionNetwork().eval()
    load_exactly(network, face_expression.torch_tensors(tensors), source=FACE)
    x = torch.from_numpy(image).float().div(255) - torch.tensor(face_expression.MEAN)
    with torch.inference_mode():
        return network(x.permute(2, 0, 1)[None])[0].numpy()


def grey_outputs(image: np.ndarray, tensors: dict[str, torch.Tensor]) -> np.ndarray:
    network = MiniXception().eval()
    load_exactly(network, mini_xception.torch_tensors(tensors), source=GREY)
    x = (torch.from_numpy(image).float() / 255 - 0.5) * 2
    with torch.inference_mode():
        return network(x[None, None])[0].numpy()


def published(name: str) -> dict[str, torch.Tensor]:
    try:
        return dict(load_weights(name, Settings()).tensors)
    except MissingDependencyError as error:
        pytest.skip(f"published weights: {error}")


def test_face_network_matches_numpy():
    weights = both_weights()[FACE]
    image = pattern(112, 3)
    embedding, logits = oracle.face_expression(image, weights)
    found = face_outputs(image, as_torch(weights))
    np.testing.assert_allclose(found, np.concatenate([embedding, logits]), rtol=1e-4, atol=1e-4)
    assert np.ptp(logits) > 0.01


def test_mini_xception_matches_numpy():
    weights = both_weights()[GREY]
    image = pattern(64, 1)[..., 0]
    embedding, logits = oracle.mini_xception(image, weights)
    found = grey_outputs(image, as_torch(weights))
    np.testing.assert_allclose(found, np.concatenate([embedding, logits]), rtol=1e-4, atol=1e-4)
    assert np.ptp(logits) > 0.01


def test_parameters_are_as_many_as_published():
    assert sum(p.numel() for p in FaceExpressionNetwork().parameters()) == 323_687
    assert sum(p.numel() for p in MiniXception().parameters()) == 205_127  # the file has two axes of a mean beside them


def test_face_network_golden_output():
    tensors, image = published(FACE), pattern(112, 3)
    probabilities = oracle.softmax(face_outputs(image, tensors)[256:].astype(np.float64))
    expected = (0.05916, 0.00341, 0.68177, 0.02896, 0.00015, 0.00198, 0.22457)
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    weights = {name: value.numpy() for name, value in tensors.items()}
    by_numpy = np.concatenate(oracle.face_expression(image, weights))
    np.testing.assert_allclose(face_outputs(image, tensors), by_numpy, rtol=1e-4, atol=1e-4)


def test_mini_xception_published_weights_match_numpy():
    tensors, image = published(GREY), pattern(64, 1)[..., 0]
    weights = {name: value.numpy() for name, value in tensors.items()}
    expected = np.concatenate(oracle.mini_xception(image, weights))
    np.testing.assert_allclose(grey_outputs(image, tensors), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["dense9/conv0/bias", "fc/other"])
def test_face_network_other_tensors_refused(name):
    weights = as_torch(both_weights()[FACE])
    weights[name] = weights.pop("fc/bias")
    with pytest.raises(SolutionError, match="not those of FaceExpressionNetwork"):
        face_outputs(pattern(112, 3), weights)


def test_mini_xception_other_tensor_refused():
    weights = as_torch(both_weights()[GREY]) | {"unknown_50": torch.zeros(7)}
    with pytest.raises(SolutionError, match="not of mini-Xception; found unknown_50"):
        grey_outputs(pattern(64, 1)[..., 0], weights)
