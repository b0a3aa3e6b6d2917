"""Labels of BAH and of mimicry as the organisers ship them: held against PyYAML, and scored."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest
import yaml

from harness.errors import DataError, SubmissionError
from harness.files.labels.ambivalence import read_annotations, read_split_list
from harness.files.labels.truth import read_truth
from harness.files.score import score_submission
from tests.support.speech_trees import (
    HEADER,
    OTHER,
    PLAIN,
    SPACED,
    DoubtTree,
    small_doubts,
    write_lines,
)


@pytest.fixture
def doubts(tmp_path) -> DoubtTree:
    return small_doubts(tmp_path / "data")


def test_annotations_equal_those_of_a_whole_load(doubts):
    path = doubts.home / "annotation.yml"
    whole = yaml.safe_load(path.read_text())
    annotations = read_annotations(path)
    assert list(annotations) == list(whole)
    for name, entry in whole.items():
        assert annotations[name].frames.tolist() == [label for _, label in entry["frame_annotation"]]
        assert annotations[name].video == entry["global_ah"]
    assert [entry.line for entry in annotations.values()] == [
        k for k, line in enumerate(path.read_text().splitlines(), 1) if line.endswith(".mp4:")
    ]


def test_any_style_of_yaml_is_read_alike(tmp_path):
    """PyYAML's dumper folds long names and tags tuples; JSON is YAML, too."""
    name = "Videos/" + SPACED.replace(".mp4", "-" + "x" * 100 + ".mp4")
    entry = {"frame_annotation": [(f"{name}/frame-{k}.jpg", k % 2) for k in range(4)], "global_ah": 1, "all_cues": None}
    path = tmp_path / "a.yml"
    for text in (
        yaml.dump({name: entry}),
        yaml.dump({name: entry}, default_flow_style=True, width=40),
        yaml.dump({name: entry | {"frame_annotation": [list(pair) for pair in entry["frame_annotation"]]}}),
    ):
        path.write_text(text)
        assert read_annotations(path)[name].frames.tolist() == [0, 1, 0, 1]


def test_frames_in_another_order_go_to_their_numbers(tmp_path):
    pairs = [[f"{PLAIN}/frame-{k}.jpg", int(k == 2)] for k in (3, 0, 2)]
    path = tmp_path / "a.yml"
    path.write_text(yaml.dump({PLAIN: {"frame_annotation": pairs, "global_ah": 1}}))
    assert read_annotations(path)[PLAIN].frames.tolist() == [0, -1, 1, 0]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["- a"], r"a\.yml: not an annotation file of BAH; found no mapping"),
        ([], r"a\.yml: not an annotation file of BAH"),
        (["v.mp4:", "  global_ah: 1"], r"a\.yml:1:1: this video has no frame_annotation; found v\.mp4"),
        (["v.mp4: 1"], r"a\.yml:1:1: this video's entry is no mapping"),
        (["v.mp4:", "  frame_annotation: 1"], r"a\.yml:2:21: the frames of v\.mp4 are no list"),
        (["v.mp4:", "  frame_annotation:", "  - [v.mp4/frame-0.jpg, 2]"], r"a\.yml:3:25: not a label; found '2'"),
        (["v.mp4:", "  frame_annotation:", "  - [v.mp4/00001.jpg, 1]"], r"a\.yml:3:6: not a frame of this video"),
        (["v.mp4:", "  frame_annotation:", "  - [w.mp4/frame-0.jpg, 1]"], r"a\.yml:3:6: not a frame of this video"),
        (["v.mp4:", "  frame_annotation:", "  - [v.mp4/frame-0.jpg]"], r"a\.yml:3:5: a frame of v\.mp4 is no pair"),
        (
            ["v.mp4:", "  frame_annotation:", *["  - [v.mp4/frame-1.jpg, 1]"] * 2],
            r"a frame of v\.mp4 has two labels; found frame-1\.jpg",
        ),
        (["v.mp4:", "  frame_annotation: []", "  global_ah: 3"], r"a\.yml:3:3: the label of v\.mp4; found 3"),
        (["v.mp4: {frame_annotation: []}"] * 2, r"a\.yml:2:1: a video has two entries; .*line 1"),
        (["../v.mp4: {frame_annotation: []}"], r"a\.yml:1:1: this can't be the name of a video"),
        (["v.mp4:", "  x: !!python/name:os.system ''"], r"a\.yml:2:6: .*found !!python/name:os\.system"),
        (
            ["v.mp4:", "  frame_annotation:", "  - [!!python/name:os.system '', 1]"],
            r"a\.yml:3:6: .*found !!python/name:os\.system",
        ),
        (["v.mp4:", "  frame_annotation: [", "  - x"], r"a\.yml:.*can't be read as YAML|no pair"),
    ],
)
def test_annotations_that_cannot_be_read_are_one_error(tmp_path, lines, message):
    with pytest.raises(DataError, match=message):
        read_annotations(write_lines(tmp_path / "a.yml", lines))


def test_lists_part_fields_at_the_first_two_commas(tmp_path):
    path = write_lines(tmp_path / "train.txt", [f"{SPACED},1, Yes, no, maybe", f"{OTHER},0", "", PLAIN])
    rows = read_split_list(path)
    assert [(row.name, row.label, row.transcript, row.line) for row in rows] == [
        (SPACED, 1, " Yes, no, maybe", 1),
        (OTHER, 0, None, 2),
        (PLAIN, None, None, 4),
    ]


def test_a_list_of_a_split_gives_labels_of_its_frames(doubts):
    truth = read_truth(doubts.home / "default-split" / "val.txt", "AH")
    assert {name: values.tolist() for name, values in truth.labels.items()} == {OTHER: [1, 1, 0, 0, 0]}
    assert truth.rows.names()[0] == f"{OTHER}/frame-0.jpg"
    assert set(read_truth(doubts.home / "annotation.yml", "AH").labels) >= {OTHER, SPACED}


def test_a_list_of_a_split_gives_labels_of_its_videos(doubts):
    truth = read_truth(doubts.home / "default-split" / "train.txt", "AHV")
    assert [values.tolist() for values in truth.labels.values()] == [[1], [0]]
    assert truth.task == "AHV"
    whole = read_truth(doubts.home / "annotation.yml", "AHV")
    assert whole.labels[OTHER].tolist() == [1]
    with pytest.raises(DataError, match="a split file without labels"):
        read_truth(write_lines(doubts.home / "split" / "val.txt", [OTHER]), "AHV")


def test_a_list_without_annotations_beside_it_is_an_error(doubts):
    (doubts.home / "annotation.yml").unlink()
    with pytest.raises(DataError, match=r"no labels of frames beside this list.*annotation\.yml"):
        read_truth(doubts.home / "default-split" / "val.txt", "AH")


def test_frames_are_scored_against_a_list(doubts, tmp_path):
    rows = [f"{OTHER}/frame-{k}.jpg,{v}" for k, v in enumerate([1, 0, 0, 0, 1])]
    path = write_lines(tmp_path / "trial-0.txt", rows)
    scored = score_submission(path, doubts.home / "default-split" / "val.txt", task="AH")
    assert scored.decisions[OTHER].tolist() == [1, 0, 0, 0, 1]
    assert scored.truth.labels[OTHER].tolist() == [1, 1, 0, 0, 0]
    with pytest.raises(
        SubmissionError, match=r"labelled rows have no prediction.*Give the labels of the predicted split"
    ):
        score_submission(path, doubts.home / "annotation.yml", task="AH")


def test_integer_ids_of_labels_are_scored_with_a_note(tmp_path):
    rng = np.random.default_rng(0)
    names, values = [f"{k:05d}" for k in range(5)], rng.dirichlet(np.ones(6), 5).round(3)
    rows = [",".join([str(int(name)), *map(str, row)]) for name, row in zip(names, values, strict=True)]
    labels = write_lines(tmp_path / "valid_split.csv", [HEADER, *rows])
    predictions = rng.random((5, 6)).round(4)
    rows = [",".join([name, *map(str, row)]) for name, row in zip(names, predictions, strict=True)]
    scored = score_submission(write_lines(tmp_path / "p.txt", [HEADER, *rows]), labels, task="EMI")
    oracle = np.mean([np.corrcoef(predictions[:, k], values[:, k])[0, 1] for k in range(6)])
    assert scored.card.headline.value == pytest.approx(oracle, abs=1e-12)
    assert any("5 numbers in names lack their leading zeros" in note for note in scored.notes)


@pytest.mark.process
def test_annotations_of_an_edition_are_read_within_bounds(tmp_path):
    """As many frames as edition 8 has in a tenth of its videos: time and memory hardly grow with the file."""
    names = [PLAIN.replace("82712", str(82000 + k)) for k in range(40)]
    labels = {name: ([0] * 300 + [1] * 386) for name in names}
    path = DoubtTree(tmp_path).annotated(labels)
    code = (
        "import resource, sys; from pathlib import Path; "
        "from harness.files.labels.ambivalence import read_annotations; "
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; a = read_annotations(Path(sys.argv[1])); "
        "print(sum(len(e.frames) for e in a.values()), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    frames, kilobytes = map(int, done.stdout.split())
    assert frames == 40 * 686
    assert kilobytes * 1024 < 4 * path.stat().st_size + (8 << 20), "the parsed file must not be held"
    assert time.perf_counter() - start < 60
