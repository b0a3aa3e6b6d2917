"""VideoMAE (Tong et al., NeurIPS 2022): a plain vision transformer over tubes of 2 frames by 16 x 16 pixels.

Names of parameters are those of Hugging Face's network of that name, without the prefix ``videomae.``.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from harness.errors import SolutionError

TUBE = 2
"""Frames of a token."""

PATCH = 16
"""Pixels of a token's side."""

_EPSILON = 1e-12


class VideoMAE(nn.Module):
    """A clip to the tokens of the last layer, which are not normalised where the network pools them by their mean.

    Args:
        dim: columns of a token.
        heads: of the attention.
        layers: of the transformer.
        normalised: whether a last layer norm stands behind; checkpoints tuned on Kinetics have none.
    """

    def __init__(self, dim: int, heads: int, layers: int = 12, *, normalised: bool) -> None:
        super().__init__()
        tube = (TUBE, PATCH, PATCH)
        self.embeddings = nn.ModuleDict(
            {"patch_embeddings": nn.ModuleDict({"projection": nn.Conv3d(3, dim, tube, tube)})}
        )
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(_Layer(dim, heads) for _ in range(layers))})
        self.layernorm = nn.LayerNorm(dim, _EPSILON) if normalised else nn.Identity()

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """``(b, 3, t, h, w)``, normalised, to ``(b, dim, t / 2, h / 16, w / 16)``.

        Raises:
            SolutionError: an odd number of frames, or a size that is no multiple of 16.
        """
        frames, height, width = clips.shape[2:]
        if frames % TUBE or height % PATCH or width % PATCH:
            raise SolutionError(
                "VideoMAE can't cut a clip into tubes",
                found=f"{frames} frames of {height} x {width} pixels",
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
    """Self-attention; keys have no bias, which softmax would not see."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        given = (self.query(x), self.key(x), self.value(x))
        query, key, value = (y.unflatten(2, (self.heads, -1)).transpose(1, 2) for y in given)
        return functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)


def _sinusoids(n: int, dim: int, device: torch.device) -> torch.Tensor:
    """Positions of n tokens, fixed: float32 ``(n, dim)``, sines and cosines in turn (Vaswani et al. 2017, 3.5)."""
    at = torch.arange(n, dtype=torch.float64, device=device)[:, None]
    slower = 10_000 ** (torch.arange(0, dim, 2, dtype=torch.float64, device=device) / dim)
    return torch.stack([(at / slower).sin(), (at / slower).cos()], 2).flatten(1).float()
