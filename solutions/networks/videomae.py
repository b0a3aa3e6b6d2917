"""VideoMAE (Tong et al., NeurIPS 2022): a plain vision transformer over tubes of 2 frames by 16 x 16 pixels.

Names of parameters are those of Hugging Face's network of that name, without the prefix ``videomae.``.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from harness.errors import SolutionError
from harness.system.counts import counted

TUBE = 2
"""Frames of a token."""

PATCH = 16
"""Side length of a token in pixels."""

_EPSILON = 1e-12


class VideoMAE(nn.Module):
    """Network from a clip to the tokens of the last layer.

    Args:
        dim: columns of a token.
        heads: attention heads per layer.
        layers: number of Transformer layers.
        normalised: True if a layer norm follows the last layer; False for checkpoints tuned on Kinetics, which pool
            tokens by their mean.
    """

    def __init__(self, dim: int, heads: int, layers: int = 12, *, normalised: bool) -> None:
        """Create the layers."""
        super().__init__()
        tube = (TUBE, PATCH, PATCH)
        self.embeddings = nn.ModuleDict(
            {"patch_embeddings": nn.ModuleDict({"projection": nn.Conv3d(3, dim, tube, tube)})}
        )
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(_Layer(dim, heads) for _ in range(layers))})
        self.layernorm = nn.LayerNorm(dim, _EPSILON) if normalised else nn.Identity()

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Return tokens ``(b, dim, t / 2, h / 16, w / 16)`` of normalised clips ``(b, 3, t, h, w)``.

        Raises:
            SolutionError: the number of frames is odd, or a side is no multiple of 16.
        """
        frames, height, width = clips.shape[2:]
        if frames % TUBE or height % PATCH or width % PATCH:
            raise SolutionError(
                "VideoMAE can't cut a clip into tubes",
                found=f"{counted(frames, 'frame')} of {height} x {width} pixels",
                expected=f"an even number of frames, and sides that are multiples of {PATCH}",
            )
        tubes = self.get_submodule("embeddings.patch_embeddings.projection")(clips)
        x = tubes.flatten(2).transpose(1, 2)
        x = x + _sinusoids(x.shape[1], x.shape[2], clips.device)
        for layer in self.get_submodule("encoder.layer").children():
            x = layer(x)
        return self.layernorm(x).transpose(1, 2).unflatten(2, tubes.shape[2:])


class _Layer(nn.Module):
    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.layernorm_before = nn.LayerNorm(dim, _EPSILON)
        self.attention = nn.ModuleDict(
            {"attention": _Attention(dim, heads), "output": nn.ModuleDict({"dense": nn.Linear(dim, dim)})}
        )
        self.layernorm_after = nn.LayerNorm(dim, _EPSILON)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(dim, 4 * dim)})
        self.output = nn.ModuleDict({"dense": nn.Linear(4 * dim, dim)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        attended = self.get_submodule("attention.attention")(self.layernorm_before(x))
        x = x + self.get_submodule("attention.output.dense")(attended)
        inner = functional.gelu(self.intermediate["dense"](self.layernorm_after(x)))
        return x + self.output["dense"](inner)


class _Attention(nn.Module):
    """Self-attention; keys lack a bias, because softmax would cancel it."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        projections = (self.query(x), self.key(x), self.value(x))
        query, key, value = (y.unflatten(2, (self.heads, -1)).transpose(1, 2) for y in projections)
        return functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)


def _sinusoids(n: int, dim: int, device: torch.device) -> torch.Tensor:
    """Return fixed positions of n tokens, float32 ``(n, dim)``, alternating sines and cosines (Vaswani 2017, 3.5)."""
    at = torch.arange(n, dtype=torch.float64, device=device)[:, None]
    slower = 10_000 ** (torch.arange(0, dim, 2, dtype=torch.float64, device=device) / dim)
    return torch.stack([(at / slower).sin(), (at / slower).cos()], 2).flatten(1).float()
