"""The authors' settings of each row of table 4."""

from __future__ import annotations

import pytest

from harness.reference.papers import table_rows
from solutions.clips.presets import PRESETS, TUNED_FRAMES, careful

ROWS = {row.row.row_id: row for row in table_rows() if (row.row.paper, row.row.table) == ("abaw10", "4") and row.is_own}


def test_every_own_row_has_settings():
    assert set(PRESETS) == set(ROWS)
    assert len(PRESETS) == 18


@pytest.mark.parametrize("row_id", PRESETS)
def test_network_and_row_agree(row_id):
    network, row = PRESETS[row_id].stream.network, ROWS[row_id]
    backbones = [name.partition(".")[0] for name in (network.rgb, network.flow) if name]
    named = {"swin3d_t": "video_swin_tiny"}
    expected = row.encoder.removesuffix("+mediapipe_pose")
    assert "+".join(named.get(name, name) for name in backbones) == expected
    assert network.features == (("pose:paper",) if row.encoder.endswith("+mediapipe_pose") else ())
    assert row.head in ("", network.head)
    fusion = {"cross-attn": "cross-attention", "cross-attn+frozen-rgb": "cross-attention"}.get(row.variant, row.variant)
    assert fusion in ("", network.fusion)


@pytest.mark.parametrize("row_id", PRESETS)
def test_windows_are_as_long_as_clips_and_overlap_by_half(row_id):
    stream = PRESETS[row_id].stream
    assert stream.windows.length == stream.training.clip_length
    assert stream.windows.stride == stream.windows.length // 2
    assert stream.windows.step == 1


@pytest.mark.parametrize("row_id", PRESETS)
def test_what_is_firm_is_said(row_id):
    preset = PRESETS[row_id]
    assert preset.source in preset.remark
    assert preset.firm in preset.remark
    assert ".json)" in preset.source


def test_rows_with_skeletons_take_over_the_tuned_encoder_frozen():
    for row_id, preset in PRESETS.items():
        frozen = preset.stream.training.encoders == "frozen"
        assert frozen == bool(preset.stream.network.features)
        assert preset.stream.rgb_from == (TUNED_FRAMES if frozen else ""), row_id


def test_a_careful_variant_differs_in_how_it_is_trained_alone():
    stream = PRESETS["convnext-t-bilstm"].stream
    other = careful(stream)
    assert (other.network, other.windows) == (stream.network, stream.windows)
    assert other.training != stream.training
