"""``abaw validate`` and ``abaw slots send`` for EMI and BAH: test lists in place of templates, and editions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.datasets.synthetic import write_bah, write_vidmimic
from harness.errors import SubmissionError
from harness.files.editions import Evidence, common_editions, contradiction, in_words
from harness.slots import edition_of
from tests.support.commands import invoke as abaw

FEW = {"train": 2, "val": 2, "test": 4}
HEADER = "Filename,Admiration,Amusement,Determination,Empathic Pain,Excitement,Joy"


@pytest.fixture(scope="module")
def roots(tmp_path_factory) -> dict[str, Path]:
    """Write small data sets: EMI, and the packs of BAH's editions."""
    home = tmp_path_factory.mktemp("roots")
    write_vidmimic(home / "emi", seed=0, videos=FEW, frames=20)
    for edition in (8, 10, 11):
        write_bah(home / f"bah{edition}", seed=0, videos=FEW, frames=24, edition=edition)
    return {path.name: path for path in home.iterdir()}


def clips(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "test_data/face_images").iterdir())


def listed(root: Path) -> list[str]:
    return [line.split(",")[0] for line in (root / "split/test.txt").read_text().splitlines()]


def template_rows(root: Path) -> list[str]:
    (trial,) = sorted(root.glob("*/submissions/trial-0.txt"))[:1]
    return [line.rpartition(",")[0] for line in trial.read_text().splitlines()]


def mimicry(tmp_path: Path, names: list[str]) -> Path:
    path = tmp_path / "mimicry.csv"
    rows = [f"{name},0.{k},0.1,0.2,0.3,0.4,0.5" for k, name in enumerate(names)]
    path.write_text("\n".join([HEADER, *rows, ""]))
    return path


def binary(tmp_path: Path, names: list[str]) -> Path:
    path = tmp_path / "trial-0.txt"
    path.write_text("".join(f"{name},{k % 2}\n" for k, name in enumerate(names)))
    return path


def checked(*arguments: str | Path) -> dict[str, object]:
    return json.loads(abaw("validate", *arguments, "--json").stdout)


def sent(*arguments: str | Path) -> dict[str, object]:
    return json.loads(abaw("slots", "send", *arguments, "--json").stdout)


def test_mimicry_is_held_against_the_test_videos(roots, tmp_path):
    names = clips(roots["emi"])
    assert len(names) == FEW["test"]
    content = checked(mimicry(tmp_path, names[::-1]), "--data", roots["emi"])  # order is free
    assert (content["verdict"], content["template"]) == ("valid against the list of test videos", None)
    assert content["test_list"] == str(roots["emi"] / "test_data")
    assert any("no template of EMI is released" in note for note in content["assumed"])


def test_mimicry_lacking_a_test_video_is_not_valid(roots, tmp_path):
    path = mimicry(tmp_path, clips(roots["emi"])[:-1])
    shown = abaw("validate", path, "--data", roots["emi"])
    assert shown.exit_code == 1
    assert f"no row for {clips(roots['emi'])[-1]}" in shown.stdout
    assert checked(path)["verdict"] == "well-formed"
    with pytest.raises(SubmissionError, match="not valid"):
        abaw("slots", "send", path, "--data", roots["emi"])


def test_mimicry_of_other_videos_is_only_well_formed(roots, tmp_path):
    content = checked(mimicry(tmp_path, ["00001", "00002"]), "--data", roots["emi"])
    assert content["verdict"] == "well-formed"
    assert any("for other videos (0 of 2 are in it): not taken" in note for note in content["assumed"])


def test_sent_mimicry_names_the_other_editions(roots, tmp_path):
    entry = sent(mimicry(tmp_path, clips(roots["emi"])), "--data", roots["emi"])
    assert (entry["task"], entry["edition"], entry["problems"]) == ("EMI", 10, [])
    assert any("editions 6 and 8 had files like these" in note for note in entry["notes"])


@pytest.mark.parametrize("edition", [10, 11])
def test_videos_are_held_against_the_list_of_the_split(roots, tmp_path, edition):
    root = roots[f"bah{edition}"]
    path = binary(tmp_path, listed(root))
    content = checked(path, "--data", root)
    assert content["verdict"] == "valid against the list of test videos"
    assert content["test_list"] == str(root / "split/test.txt")
    assert sent(path, "--data", root)["edition"] == edition  # the data set knows it
    path = binary(tmp_path, listed(root)[1:])
    assert "NOT valid" in abaw("validate", path, "--data", root).stdout


def test_frames_are_held_against_the_template(roots, tmp_path):
    path = binary(tmp_path, template_rows(roots["bah8"]))
    content = checked(path, "--data", roots["bah8"])
    assert content["verdict"] == "valid"
    assert content["template"].endswith("submissions/trial-0.txt")
    assert sent(path, "--data", roots["bah8"])["edition"] == 8


def test_videos_without_data_are_counted_for_the_newest(roots, tmp_path):
    entry = sent(binary(tmp_path, listed(roots["bah11"])))
    assert entry["edition"] == 11
    assert any("--edition 10 would count it for" in note for note in entry["notes"])


def test_a_contradicted_edition_is_refused_with_the_command(roots, tmp_path, monkeypatch):
    path = binary(tmp_path, listed(roots["bah11"]))
    command = f"abaw slots send {path} --task AHV --edition 11"
    for options in (("--data", roots["bah11"], "--edition", "10"), ("--edition", "8"), ("--task", "AH")):
        with pytest.raises(SubmissionError, match=f"Run: {command}"):
            abaw("slots", "send", path, *options)
    monkeypatch.setenv("ABAW_EDITION", "8")
    with pytest.raises(SubmissionError, match="edition 8 has no AHV"):
        abaw("slots", "send", path)
    assert "--yes" not in sent(path, "--yes")["problems"][0]


def test_videos_of_the_eighth_edition_fit_no_edition(roots, tmp_path):
    names = list(dict.fromkeys(row.rpartition("/")[0] for row in template_rows(roots["bah8"])))
    path = binary(tmp_path, names)
    with pytest.raises(SubmissionError, match=r"of no edition: .* begin without Videos/: edition 8"):
        abaw("slots", "send", path)
    content = checked(path, "--data", roots["bah8"])
    assert any(problem["code"] == "edition" and problem["severity"] == "warning" for problem in content["problems"])
    assert abaw("validate", path, "--edition", "11").exit_code == 1


@pytest.mark.parametrize(("edition", "expected"), [(8, "editions 10 and 11"), (7, "editions 10 and 11")])
def test_validate_refuses_an_edition_without_the_format(roots, tmp_path, edition, expected):
    path = binary(tmp_path, listed(roots["bah11"]))
    for options in ((), ("--task", "AHV")):
        with pytest.raises(SubmissionError, match=f"found --edition {edition}, expected {expected}"):
            abaw("validate", path, "--edition", str(edition), *options)


def test_a_list_of_another_length_than_the_official_is_noted(roots, tmp_path):
    root = roots["bah10"]
    marker = root / "DATASET.toml"
    content = marker.read_text()
    marker.unlink()
    try:
        notes = checked(binary(tmp_path, listed(root)), "--data", root)["assumed"]
    finally:
        marker.write_text(content)
    assert any("the list has 4 videos, the official test set of AHV 525: is it whole?" in note for note in notes)


def test_editions_in_words_and_their_intersection():
    assert [in_words(numbers) for numbers in ({8}, {11, 10}, {10, 6, 8})] == [
        "edition 8", "editions 10 and 11", "editions 6, 8 and 10",
    ]  # fmt: skip
    one, other = Evidence("a", frozenset({10, 11})), Evidence("b", frozenset({11}))
    assert common_editions([]) is None
    assert common_editions([one, other]) == {11}
    assert contradiction("AHV", 11, [one, other], "abaw") == ""
    assert contradiction("AHV", 10, [one, other], "abaw") == "not of edition 10: b: edition 11. Run: abaw --edition 11"
    assert [edition_of("AHV", allowed) for allowed in (None, {10}, {8}, {10, 11})] == [11, 10, 11, 11]
