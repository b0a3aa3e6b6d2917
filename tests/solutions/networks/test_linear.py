"""Linear layers by oneDNN: the numbers of NumPy in float64, and of torch where a gradient is wanted."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import erf

from solutions.networks.linear import linear, linear_gelu, use_onednn


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("inputs", [10, 512, 3072])
def test_products_equal_numpy_in_float64(inputs: int, bias: bool) -> None:
    rng = np.random.default_rng(inputs)
    x, weight, shift = rng.normal(size=(33, inputs)), rng.normal(size=(64, inputs)) / inputs**0.5, rng.normal(size=64)
    tensors = [torch.from_numpy(array.astype(np.float32)) for array in (x, weight, shift)]
    exact = tensors[0].double().numpy() @ tensors[1].double().numpy().T + bias * tensors[2].double().numpy()
    with torch.inference_mode():
        arguments = (tensors[0], tensors[1], tensors[2] if bias else None)
        np.testing.assert_allclose(linear(*arguments).numpy(), exact, atol=5e-6)
        activated = exact * (1 + erf(exact / 2**0.5)) / 2
        np.testing.assert_allclose(linear_gelu(*arguments).numpy(), activated, atol=5e-6)


def test_overlapping_rows_are_taken_as_they_are() -> None:
    x = torch.arange(20.0)
    windows = x.as_strided((6, 10), (2, 1))
    weight = torch.randn(4, 10, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        got = linear(windows, weight, None).numpy()
    np.testing.assert_allclose(
        got, np.lib.stride_tricks.sliding_window_view(x.numpy(), 10)[::2] @ weight.numpy().T, atol=1e-5
    )


def test_layers_of_a_network_give_the_same() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.GELU(), torch.nn.Linear(16, 4)).eval()
    x = torch.randn(2, 5, 8)
    with torch.inference_mode():
        expected = network(x)
        use_onednn(network)
        np.testing.assert_allclose(network(x).numpy(), expected.numpy(), atol=1e-6)
    assert network(x.requires_grad_()).requires_grad  # torch's own where gradients are wanted
