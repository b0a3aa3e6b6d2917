"""A submission of every task, scored against labels as the organisers ship them; and recorded on the board."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from harness.datasets.affwild2 import open_affwild2
from harness.datasets.dataset import Dataset, Video
from harness.errors import DataError, SubmissionError, UsageError
from harness.files.formats import FORMATS
from harness.files.one_file import write_one_file
from harness.files.score import score_submission
from harness.files.video_files import write_videos
from harness.records.run import RunRecord
from harness.runs.external import record_scored, split_of
from harness.settings import Settings
from harness.store.store import Store
from harness.tasks import AH, AHV, AU, EMI, EXPR, VA

LENGTHS = {"b_left": 40, "a": 60}


def ccc(x, y):
    return 2 * np.cov(x, y, ddof=0)[0, 1] / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)


def drawn(task, n, rng):
    blank = rng.random(n) < 0.1
    if task is VA:
        labels = rng.uniform(-1, 1, (n, 2)).round(3)
        decisions = (labels + rng.normal(0, 0.3, (n, 2))).clip(-1, 1).round(6)
    elif task is AU:
        labels = rng.integers(0, 2, (n, 12))
        decisions = np.where(rng.random((n, 12)) < 0.3, 1 - labels, labels)
    else:
        labels = rng.integers(0, 8, n)
        decisions = np.where(rng.random(n) < 0.5, labels, rng.integers(0, 8, n))
    labels[blank] = task.invalid
    return labels, decisions


def expected(task, labels, decisions):
    truth, answer = (np.concatenate([part[name] for name in labels]) for part in (labels, decisions))
    valid = truth != task.invalid
    valid = valid if valid.ndim == 1 else valid.all(1)
    truth, answer = truth[valid], answer[valid]
    if task is VA:
        return np.mean([ccc(truth[:, k], answer[:, k]) for k in range(2)])
    if task is AU:
        return np.mean([f1_score(truth[:, k], answer[:, k], zero_division=0) for k in range(12)])
    return f1_score(truth, answer, labels=range(8), average="macro", zero_division=0)


@pytest.fixture
def face_task(tree, tmp_path):
    """Labels and an official file of a task, and what scikit-learn says of them."""

    def make(task, seed=0):
        rng = np.random.default_rng(seed)
        labels, decisions = {}, {}
        for name, n in LENGTHS.items():
            labels[name], decisions[name] = drawn(task, n, rng)
            tree.labels(
                "val", name, [",".join(f"{v:g}" for v in np.atleast_1d(row)) for row in labels[name]], task=task
            )
            tree.crops(name, range(1, n + 1))
        path = tmp_path / f"{task.name}.txt"
        write_one_file(path, task, decisions, list(LENGTHS))
        folder = tree.root / "6th_ABAW_Annotations" / task.annotation_folders[0] / "Validation_Set"
        return path, folder, expected(task, labels, decisions)

    return make


@pytest.mark.parametrize("task", [EXPR, VA, AU], ids=lambda task: task.name)
@pytest.mark.parametrize("given", [True, False], ids=["named", "found-out"])
def test_face_tasks_agree_with_scikit_learn(face_task, task, given):
    path, labels, value = face_task(task)
    card = score_submission(path, labels, task=task.name if given else None).card
    assert card.headline.value == pytest.approx(value, abs=1e-12)
    assert card.headline.low <= card.headline.value <= card.headline.high
    assert card.task is task


@pytest.mark.parametrize("task", [EXPR, VA, AU], ids=lambda task: task.name)
def test_the_order_of_rows_does_not_matter(face_task, task):
    path, labels, value = face_task(task)
    header, *rows = path.read_text().splitlines()
    np.random.default_rng(1).shuffle(rows)
    path.write_text("\n".join([header, *rows, ""]))
    assert score_submission(path, labels).card.headline.value == pytest.approx(value, abs=1e-12)


def test_violence_is_scored_from_a_folder_or_a_zip(tmp_path):
    rng = np.random.default_rng(0)
    truth = {name: rng.integers(0, 2, n) for name, n in (("1", 50), ("2", 30))}
    answer = {name: np.where(rng.random(len(v)) < 0.3, 1 - v, v) for name, v in truth.items()}
    labels = write_videos(tmp_path / "labels", FORMATS["VD"], truth)[0].parent
    # a frame that nobody annotated, and one without a line
    text = (labels / "1.csv").read_text().splitlines()
    text[5] = "5,-1"
    del text[9]
    (labels / "1.csv").write_text("\n".join([*text, ""]))
    write_videos(tmp_path / "sent", FORMATS["VD"], answer)
    keep = np.ones(80, bool)
    keep[[4, 8]] = False
    both = [np.concatenate([part["1"], part["2"]])[keep] for part in (truth, answer)]
    card = score_submission(tmp_path / "sent", labels).card
    assert card.headline.value == pytest.approx(f1_score(*both, average="macro"), abs=1e-12)
    assert card.n_frames == 78


def test_multi_task_rows_are_joined_by_name(tmp_path):
    header = FORMATS["MTL"].header
    labels, sent = tmp_path / "validation_set_annotations.txt", tmp_path / "sent.txt"
    rng = np.random.default_rng(0)
    rows = [
        (f"v{k % 3}/{7 * k + 1:05d}.jpg", *rng.uniform(-1, 1, 2).round(3), rng.integers(8), *rng.integers(0, 2, 12))
        for k in range(90)
    ]
    line = lambda row: ",".join(map(str, row))  # noqa: E731
    marked = [
        (row[0], -5, -5, *row[3:]) if k % 10 == 0 else (*row[:3], -1, *row[4:]) if k % 7 == 0 else row
        for k, row in enumerate(rows)
    ]
    labels.write_text("\n".join([header, *map(line, marked), ""]))
    sent.write_text("\n".join([header, *map(line, rows[::-1]), f"v9/00001.jpg{',0' * 15}", ""]))
    scored = score_submission(sent, labels)
    assert scored.card.headline.value == pytest.approx(3.0, abs=1e-9)
    assert "1 video of the file has no labels" in scored.notes[0]
    sent.write_text("\n".join([header, *map(line, rows[1:]), ""]))
    with pytest.raises(SubmissionError, match=r"1 of 90 labelled rows have no prediction, the first is v0/00001\.jpg"):
        score_submission(sent, labels)


def test_mimicry_and_hesitancy_are_scored_by_clip(tmp_path):
    rng = np.random.default_rng(0)
    truth = rng.random((60, 6)).round(6)
    answer = (truth + rng.normal(0, 0.2, truth.shape)).clip(0, 1).round(6)
    for name, values in (("labels.csv", truth), ("sent.csv", answer)):
        write_one_file(
            tmp_path / name,
            FORMATS["EMI"],
            {f"{k:05d}": v[None] for k, v in enumerate(values)},
            [f"{k:05d}" for k in range(60)],
        )
    card = score_submission(tmp_path / "sent.csv", tmp_path / "labels.csv").card
    assert card.headline.value == pytest.approx(
        np.mean([np.corrcoef(truth[:, k], answer[:, k])[0, 1] for k in range(6)]), abs=1e-9
    )

    names = [f"Videos/{k}/Visite_1/a.mp4" for k in range(60)]
    labels, p1 = rng.integers(0, 2, 60), rng.random(60).round(6)
    (tmp_path / "labels.txt").write_text("".join(f"{n},{v}\n" for n, v in zip(names, labels, strict=True)))
    decided = (p1 > 0.5).astype(int)
    write_one_file(
        tmp_path / "trial-0.txt",
        FORMATS["AH-trials"],
        {n: np.array([[1 - p, p, d]]) for n, p, d in zip(names, p1, decided, strict=True)},
        names,
    )
    card = score_submission(tmp_path / "trial-0.txt", tmp_path / "labels.txt").card
    scores = {s.metric: s.value for s in card.scores if s.target == "all"}
    assert scores["macro_f1"] == pytest.approx(f1_score(labels, decided, average="macro"), abs=1e-12)
    assert scores["average_precision"] == pytest.approx(average_precision_score(labels, p1), abs=1e-12)


def test_labels_that_are_none_are_named(tmp_path, face_task):
    path, labels, _ = face_task(EXPR)
    with pytest.raises(DataError, match="no such folder"):
        score_submission(path, labels / "missing")
    with pytest.raises(DataError, match="no label files"):
        score_submission(path, labels.parent)
    mtl = tmp_path / "mtl.txt"
    mtl.write_text(f"{FORMATS['MTL'].header}\nv/00001.jpg{',0' * 15}\n")
    with pytest.raises(DataError, match="the labels of MTL are one table"):
        score_submission(mtl, labels)
    with pytest.raises(DataError, match="not a table of MTL labels"):
        score_submission(mtl, path)


def test_a_recorded_file_stands_on_the_board_beside_runs(face_task, tree, tmp_path):
    path, labels, value = face_task(EXPR)
    settings = Settings(out=tmp_path / "out", store=tmp_path / "out/results.duckdb")
    scored = score_submission(path, labels)
    first = record_scored(scored, path, labels, settings, name="our CNN", note="with flips")
    again = record_scored(scored, path, labels, settings, name="our CNN")
    assert (first.reused, again.reused, first.folder) == (False, True, again.folder)
    record = RunRecord.read(first.folder)
    assert record.score()["value"] == pytest.approx(value, abs=1e-12)
    assert (first.folder / path.name).read_bytes() == path.read_bytes()
    stored = Store(settings.store).runs()
    assert stored[["name", "split", "task"]].to_numpy().tolist() == [["our CNN", "val", "EXPR"]]
    # the same labels have the same fingerprint whoever scored them
    tree.labels("train", "t", [0])
    assert record.data["fingerprint"] == open_affwild2(tree.root, EXPR).fingerprint("val")
    assert record.data["name"] == open_affwild2(tree.root, EXPR).name


def test_what_cannot_be_recorded_is_said(face_task, tmp_path):
    path, labels, _ = face_task(EXPR)
    scored = score_submission(path, labels)
    with pytest.raises(UsageError, match="needs a name"):
        record_scored(scored, path, labels, Settings(out=tmp_path / "out"), name=" ")
    assert not (tmp_path / "out").exists()
    assert [split_of(tmp_path / name) for name in ("Validation_Set", "Train_Set", "elsewhere")] == [
        "val",
        "train",
        "test",
    ]


def test_the_command_records_and_compares(face_task, abaw, tmp_path):
    path, labels, _ = face_task(EXPR)
    runs = []
    for name in ("one", "two"):
        path.write_text(path.read_text().replace(",3\n", ",2\n") if name == "two" else path.read_text())
        done = abaw("score", path, "--labels", labels, "--record", "--name", name, "--json")
        assert done.returncode == 0, done.stderr
        runs.append(json.loads(done.stdout)["run"])
    compared = abaw("compare", *runs)
    assert compared.returncode == 0, compared.stderr
    assert re.search(r"A - B +[+-]0\.\d{3} \[", compared.stdout), compared.stdout
    assert abaw("runs").stdout.count("one") >= 1
    shown = abaw("show", runs[0])
    assert shown.returncode == 0, shown.stderr
    for words in ("how it was made is not known", "tuned on is not known", path.name, "one on data val\n"):
        assert words in " ".join(shown.stdout.split(" ")), shown.stdout
    (tmp_path / "submissions/results.duckdb").unlink()
    assert abaw("compare", *runs).returncode == 0
    assert abaw("score", path, "--labels", labels, "--name", "x").returncode == 2


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("lab/relabelled/Validation_Set", "relabelled"),
        ("lab/6th_ABAW_Annotations/EXPR_Recognition_Challenge/Validation_Set", "lab"),
        ("lab/annotations/EXPR Recognition Challenge/Validation_Set", "lab"),
    ],
)
def test_data_set_is_called_as_the_folder_above_its_annotations(tmp_path, place, name):
    folder = tmp_path / "team" / place
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("\n".join([EXPR.header, "0", "1", ""]))
    path = tmp_path / "predictions.txt"
    path.write_text("\n".join([EXPR.submission_header, "a/00001.jpg,0", "a/00002.jpg,1", ""]))
    scored = score_submission(path, folder, task="EXPR")
    run = record_scored(scored, path, folder, Settings(out=tmp_path / "out", store=tmp_path / "s.duckdb"), name="n")
    assert run.record.data["name"] == name


def test_frames_without_a_crop_can_be_left_out_of_the_variants(face_task, tree, abaw):
    path, labels, value = face_task(EXPR)
    for k in range(20, 60):
        (tree.root / "cropped/a" / f"{k + 1:05d}.jpg").unlink()
    shown = abaw("score", path, "--labels", labels, "--variants", "--data", tree.root, "--json")
    found = {v["name"]: v["value"] for v in json.loads(shown.stdout)["variants"]}
    kept = {}
    for name, n in (("a", 20), ("b_left", 40)):
        kept[name] = [int(row) for row in (labels / f"{name}.txt").read_text().splitlines()[1 : n + 1]]
    answers = dict(line.split(",") for line in path.read_text().splitlines()[1:])
    pairs = [(t, int(answers[f"{v}/{k:05d}.jpg"])) for v, own in kept.items() for k, t in enumerate(own, 1) if t >= 0]
    expected = f1_score(*zip(*pairs, strict=True), labels=range(8), average="macro", zero_division=0)
    assert found["frames without a crop left out"] == pytest.approx(expected, abs=1e-12)
    assert expected != pytest.approx(value)
    assert abaw("score", path, "--labels", labels, "--data", tree.root).returncode == 2


def test_each_video_alone_the_worst_first(face_task, abaw):
    path, labels, _ = face_task(EXPR)
    card = score_submission(path, labels).card
    rows = json.loads(abaw("score", path, "--labels", labels, "--by-video", "--json").stdout)["by_video"]
    values = {row["video"]: row["score"] for row in rows}
    alone = {name: score_submission_of(path, labels, name) for name in card.videos}
    assert values == pytest.approx(alone, abs=1e-12)
    shown = abaw("score", path, "--labels", labels, "--by-video").stdout.splitlines()
    listed = [line.split() for line in shown if line.startswith("  ")]
    share = {row["video"]: row["score"] / row["possible"] for row in rows}
    assert [words[0] for words in listed] == sorted(share, key=share.get) == [row["video"] for row in rows]


def score_submission_of(path, labels, video):
    """scikit-learn's macro-F1 of one video."""
    answers = dict(line.split(",") for line in path.read_text().splitlines()[1:])
    truth = [int(row) for row in (labels / f"{video}.txt").read_text().splitlines()[1:]]
    pairs = [(t, int(answers[f"{video}/{k:05d}.jpg"])) for k, t in enumerate(truth, 1) if t >= 0]
    return f1_score(*zip(*pairs, strict=True), labels=range(8), average="macro", zero_division=0)


# official label files of EMI, and files of AH on the board


def emi_labels(path: Path, names: list[str], values: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [",".join([name, *map(str, row.tolist())]) for name, row in zip(names, values, strict=True)]
    path.write_text("\n".join([FORMATS["EMI"].header, *lines, ""]))
    return path


def test_integer_ids_of_labels_are_padded_with_a_note(tmp_path):
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, (12, 6)) / 3
    names = [f"{k:05d}" for k in range(12)]
    padded = emi_labels(tmp_path / "a/valid_split.csv", names, truth)
    whole = emi_labels(tmp_path / "b/valid_split.csv", [str(k) for k in range(12)], truth)
    sent = emi_labels(tmp_path / "sent.csv", names, rng.random((12, 6)).round(3))
    by_text, by_number = (score_submission(sent, labels, task="EMI") for labels in (padded, whole))
    assert by_text.card.scores == by_number.card.scores
    assert list(by_number.truth.labels) == names
    assert by_text.notes == ()
    assert len(by_number.notes) == 1
    assert "12 numbers in names lack their leading zeros" in by_number.notes[0]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("00001,0.1,0.2,0.3,0.4,0.5", r"valid_split\.csv:2:7: .*found 5 values, expected 6"),
        ("00001,0.1,0.2,0.3,0.4,0.5,1.5", r"valid_split\.csv:2:27: .*found 1\.5, expected a number from 0 to 1"),
        ("abc,0.1,0.2,0.3,0.4,0.5,0.6", r"valid_split\.csv:2:1: "),
    ],
)
def test_labels_of_intensities_that_are_none_are_named(tmp_path, row, words):
    path = tmp_path / "valid_split.csv"
    path.write_text(f"{FORMATS['EMI'].header}\n{row}\n")
    sent = emi_labels(tmp_path / "sent.csv", ["00001"], np.zeros((1, 6)))
    with pytest.raises(DataError, match=words):
        score_submission(sent, path, task="EMI")


def test_recorded_file_of_intensities_has_the_split_of_its_table(tmp_path):
    rng = np.random.default_rng(0)
    truth = rng.random((30, 6)).round(3)
    names = [f"{k:05d}" for k in range(30)]
    labels = emi_labels(tmp_path / "vidmimic/valid_split.csv", names, truth)
    sent = emi_labels(tmp_path / "sent.csv", names, (truth + rng.normal(0, 0.2, truth.shape)).clip(0, 1).round(3))
    settings = Settings(out=tmp_path / "out", store=tmp_path / "out/results.duckdb")
    finished = record_scored(score_submission(sent, labels), sent, labels, settings, name="our net")
    record = finished.record
    assert (record.task, record.split, record.data["name"]) == ("EMI", "val", "vidmimic")
    assert Store(settings.store).runs()["value"].item() == record.score()["value"]
    data = Dataset("vidmimic", tmp_path, EMI, {"val": [
        Video(name, 40, row[None], rows=1) for name, row in zip(names, truth, strict=True)
    ]})  # fmt: skip
    assert data.fingerprint("val") == record.data["fingerprint"]  # as a run of ours on the same labels has


@pytest.mark.parametrize("task", [AH, AHV], ids=lambda task: task.name)
def test_recorded_file_names_the_persons_of_its_videos(tmp_path, task):
    rng = np.random.default_rng(0)
    names = [f"{person}/Visite_1/{person} x_Question_{q}.mp4" for person in "abcdef" for q in (1, 2)]
    names = [f"Videos/{name}" for name in names] if task is AHV else names  # as the later editions write them
    rows = {name: rng.integers(0, 2, 9 if task is AH else 1) for name in names}
    answers = {name: np.where(rng.random(len(own)) < 0.3, 1 - own, own) for name, own in rows.items()}
    format = FORMATS["AH-frames" if task is AH else "AH-labels"]
    labels, sent = tmp_path / "lab/split/val.txt", tmp_path / "trial-0.txt"
    labels.parent.mkdir(parents=True)
    write_one_file(labels, format, rows, names)
    write_one_file(sent, format, answers, names)
    settings = Settings(out=tmp_path / "out", store=tmp_path / "out/results.duckdb")
    record = record_scored(score_submission(sent, labels), sent, labels, settings, name="ours").record
    assert (record.task, record.split, record.data["name"]) == (task.name, "val", "lab")
    assert record.groups == {name: name.split("/")[-3] for name in names}
    stored = Store(settings.store).runs()
    assert stored["persons"].item() == record.data["persons"] == 6
    assert (stored["low"].item(), stored["high"].item()) == (record.score()["low"], record.score()["high"])
