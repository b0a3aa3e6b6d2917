"""Heads see the frames that they should: both sides, so far and no further."""

from __future__ import annotations

import pytest
import torch

from solutions.clips.heads import TCN, BiLSTM, make_head
from solutions.clips.settings import ClipNetwork

T = 101
MIDDLE = T // 2


def seen(head: torch.nn.Module, frame: int) -> list[int]:
    """Frames that the logits of one frame depend on."""
    torch.manual_seed(0)
    rows = torch.randn(1, T, 6, requires_grad=True)
    head.eval()(rows)[0, frame].sum().backward()
    return rows.grad.abs().sum(2)[0].nonzero().flatten().tolist()


def test_tcn_of_five_blocks_sees_63_frames_symmetrically():
    assert seen(TCN(6, 2, channels=8), MIDDLE) == list(range(MIDDLE - 31, MIDDLE + 32))


def test_a_tcn_at_the_edge_sees_what_there_is():
    assert seen(TCN(6, 2, channels=8), 0) == list(range(32))
    assert seen(TCN(6, 2, channels=8), T - 1) == list(range(T - 32, T))


@pytest.mark.parametrize(("blocks", "reach"), [(1, 1), (2, 3), (3, 7)])
def test_each_block_doubles_its_reach(blocks, reach):
    assert seen(TCN(6, 2, channels=8, blocks=blocks), MIDDLE) == list(range(MIDDLE - reach, MIDDLE + reach + 1))


def test_a_tcn_of_dead_blocks_is_its_residual_path():
    head = TCN(6, 2, channels=8).eval()
    for block in head.blocks:
        torch.nn.init.zeros_(block[1].weight)
        torch.nn.init.zeros_(block[1].bias)
    rows = torch.randn(2, 9, 6)
    torch.testing.assert_close(head(rows), head.output(head.input(rows.transpose(1, 2))).transpose(1, 2))


def test_a_bilstm_sees_both_directions():
    assert seen(BiLSTM(6, 2, hidden=8), MIDDLE) == list(range(T))
    assert seen(BiLSTM(6, 2, hidden=8), 0) == list(range(T))


@pytest.mark.parametrize("head", ["conv1d", "linear"])
def test_the_plain_heads_see_a_frame_by_itself(head):
    assert seen(make_head(ClipNetwork(head=head), 6, 2), MIDDLE) == [MIDDLE]


def test_the_plain_heads_are_a_convolution_over_one_frame():
    head = make_head(ClipNetwork(head="conv1d"), 6, 2).eval()
    convolution = torch.nn.Conv1d(6, 2, 1)
    convolution.weight.data, convolution.bias.data = head[1].weight.data[:, :, None], head[1].bias.data
    rows = torch.randn(2, 9, 6)
    torch.testing.assert_close(head(rows), convolution(rows.transpose(1, 2)).transpose(1, 2))


@pytest.mark.parametrize("head", ["conv1d", "linear", "bilstm", "tcn"])
def test_dropout_is_everywhere_the_settings_say(head):
    made = make_head(ClipNetwork(head=head, dropout=0.7, layers=3), 6, 2)
    found = [module.p for module in made.modules() if isinstance(module, torch.nn.Dropout)]
    found += [module.dropout for module in made.modules() if isinstance(module, torch.nn.LSTM)]
    assert found == [0.7] * {"conv1d": 1, "linear": 1, "bilstm": 2, "tcn": 3}[head]


def test_an_lstm_of_one_layer_has_nothing_between_layers():
    """Torch warns of it, and warnings are errors here."""
    assert make_head(ClipNetwork(layers=1), 6, 2).lstm.dropout == 0
