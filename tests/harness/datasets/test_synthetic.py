"""The procedural data set: laid out like Aff-Wild2, the same bytes every time, and its labels show in its pictures."""

from __future__ import annotations

import hashlib
import tomllib
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from harness.datasets.affwild2 import open_affwild2
from harness.datasets.synthetic import write_affwild2
from harness.datasets.synthetic.expressions import LABELLED, MUSCLES
from harness.datasets.synthetic.faces import render_faces
from harness.datasets.synthetic.people import invent_person
from harness.datasets.synthetic.rig import CANVAS, Pose, place_contours
from harness.datasets.synthetic.voice import SAMPLE_RATE, speak
from harness.errors import UsageError
from harness.system.images import read_rgb
from harness.tasks import AU, EXPR, VA

SMALL = {"train": 2, "val": 1, "test": 2}
TASKS = (EXPR, VA, AU)


def tree(root: Path) -> dict[str, str]:
    """Hash of every file, by its path below ``root``."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("synthetic") / "small"
    write_affwild2(root, seed=3, videos=SMALL, frames=80)
    return root


@dataclass(frozen=True)
class Fewer:
    """The same data set with fewer videos, written into a folder that was there and empty.

    Attributes:
        progress: what the progress was told.
    """

    root: Path
    progress: list[tuple[str, int, int]]


@pytest.fixture(scope="module")
def fewer(tmp_path_factory: pytest.TempPathFactory) -> Fewer:
    root, progress = tmp_path_factory.mktemp("fewer"), []
    write_affwild2(root, seed=3, videos={"train": 1, "val": 1}, frames=80, progress=lambda *call: progress.append(call))
    return Fewer(root, progress)


def label_files(root: Path, split: str) -> dict[str, list[Path]]:
    folder = {"train": "Train_Set", "val": "Validation_Set"}.get(split)
    return {
        task.name: sorted(
            (root / "6th_ABAW_Annotations" / task.annotation_folders[0] / folder).glob("*.txt")
            if folder
            else (root / "held_out" / task.annotation_folders[0]).glob("*.txt")
        )
        for task in TASKS
    }


def test_same_seed_gives_the_same_bytes(small: Path, tmp_path: Path) -> None:
    write_affwild2(tmp_path / "again", seed=3, videos=dict(reversed(SMALL.items())), frames=80)
    assert tree(tmp_path / "again") == tree(small)


def test_another_seed_gives_other_pictures_sounds_and_labels(small: Path, tmp_path: Path) -> None:
    write_affwild2(tmp_path / "other", seed=4, videos={"val": 1}, frames=80)
    first, other = tree(small), tree(tmp_path / "other")
    for suffix in (".jpg", ".wav", ".txt"):
        shared = {path for path in first.keys() & other.keys() if path.endswith(suffix)}
        assert shared
        assert all(first[path] != other[path] for path in shared)


def test_more_videos_leave_the_first_ones_as_they_were(small: Path, fewer: Fewer) -> None:
    first, more = tree(fewer.root), tree(small)
    del first["DATASET.toml"]
    assert first.items() <= more.items()


def test_the_harness_opens_it_for_every_task(small: Path) -> None:
    for task in TASKS:
        data = open_affwild2(small, task)
        assert data.name == "abaw-synth"
        assert {split: len(members) for split, members in data.splits.items()} == SMALL
        assert data.template is not None
        assert all(video.audio is not None and len(video.images) for split in SMALL for video in data.videos(split))


def test_label_files_have_official_headers_and_values(small: Path) -> None:
    for split in SMALL:
        files = label_files(small, split)
        for path in files["EXPR"]:
            header, *rows = path.read_text().splitlines()
            assert header == EXPR.header
            assert set(rows) <= {str(k) for k in range(-1, 8)}
        for path in files["AU"]:
            header, *rows = path.read_text().splitlines()
            assert header == AU.header
            assert all(set(row.split(",")) <= {"0", "1"} or row == ",".join(["-1"] * 12) for row in rows)
        for path in files["VA"]:
            header, *rows = path.read_text().splitlines()
            assert header == VA.header
            values = np.array([row.split(",") for row in rows], float)
            assert ((np.abs(values) <= 1).all(1) | (values == -5).all(1)).all()


def test_every_text_file_ends_its_lines_as_unix_does(small: Path) -> None:
    for path in [*small.rglob("*.txt"), *small.rglob("*.toml")]:
        raw = path.read_bytes()
        assert raw.endswith(b"\n")
        assert b"\r" not in raw


def test_video_has_equal_lines_in_all_tasks_and_template(small: Path) -> None:
    for split in SMALL:
        files = label_files(small, split)
        counts = [{path.stem: len(path.read_text().splitlines()) - 1 for path in files[task.name]} for task in TASKS]
        assert counts[0] == counts[1] == counts[2]
        if split == "test":
            for task in TASKS:
                template = small / "test_set_examples" / f"CVPR_6th_ABAW_{task.short}_test_set_example.txt"
                header, *rows = template.read_text().splitlines()
                assert header == task.submission_header
                names = [row.split("/")[0] for row in rows]
                assert {name: names.count(name) for name in names} == counts[0]


@pytest.mark.parametrize("split", SMALL)
def test_every_expression_occurs_in_every_split(small: Path, split: str) -> None:
    rows = [row for path in label_files(small, split)["EXPR"] for row in path.read_text().splitlines()[1:]]
    assert set(rows) - {"-1"} == {str(k) for k in range(8)}


def test_every_task_has_stretches_that_nobody_annotated(small: Path) -> None:
    for task, marker in ((EXPR, "-1"), (VA, "-5,-5"), (AU, ",".join(["-1"] * 12))):
        for split in SMALL:
            for path in label_files(small, split)[task.name]:
                rows = path.read_text().splitlines()[1:]
                assert 0 < rows.count(marker) < len(rows) / 2


def test_crops_are_missing_as_in_real_data(small: Path) -> None:
    train, test = open_affwild2(small, EXPR).videos("train"), open_affwild2(small, EXPR).videos("test")
    assert all(len(video.images) < video.n_frames for video in (*train, *test))
    assert max(int(video.images.frames[0]) for video in train) > 5  # a late start
    assert min(len(video.images) / video.n_frames for video in test) < 0.5  # hardly a crop
    assert all(int(video.images.frames[-1]) <= video.n_frames for video in (*train, *test))


def test_crops_are_square_and_of_one_size_within_a_video(small: Path) -> None:
    for folder in (small / "cropped").iterdir():
        shapes = {read_rgb(path).shape for path in sorted(folder.glob("*.jpg"))[::20]}
        assert len(shapes) == 1
        height, width, channels = shapes.pop()
        assert height == width
        assert 112 <= height <= 160
        assert channels == 3


def test_two_people_of_one_recording_share_its_sound(small: Path) -> None:
    names = {path.name for path in (small / "cropped").iterdir()}
    left = sorted(name for name in names if name.endswith("_left"))
    assert len(left) == len(SMALL)
    for name in left:
        assert (small / "audios" / f"{name.removesuffix('_left')}.wav").is_file()
    assert not list((small / "audios").glob("*_left.wav"))


def test_sound_is_16_khz_mono_and_as_long_as_the_video(small: Path) -> None:
    for video in open_affwild2(small, VA).videos("val"):
        with wave.open(str(video.audio), "rb") as sound:
            assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (SAMPLE_RATE, 1, 2)
            assert sound.getnframes() == round(video.n_frames / 30 * SAMPLE_RATE)


def test_it_says_what_it_is(small: Path) -> None:
    marker = tomllib.loads((small / "DATASET.toml").read_text())
    assert marker["name"] == "abaw-synth"
    assert marker["seed"] == 3
    assert marker["frames"] == 80
    assert marker["videos"] == SMALL
    assert marker["version"] >= 1
    assert "Procedural" in marker["note"]


def test_nonempty_folder_is_refused_and_unchanged(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="here already"):
        write_affwild2(tmp_path, videos={"val": 1}, frames=80)
    assert tree(tmp_path) == {"thesis.txt": hashlib.sha256(b"mine").hexdigest()}


def test_an_empty_folder_is_fine(fewer: Fewer) -> None:
    assert {split: len(videos) for split, videos in open_affwild2(fewer.root, EXPR).splits.items() if videos} == {
        "train": 1,
        "val": 1,
    }


@pytest.mark.parametrize(
    "wrong", [{"seed": -1}, {"frames": 10}, {"videos": {"val": -1}}, {"videos": {}}, {"videos": {"dev": 3}}]
)
def test_arguments_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        write_affwild2(tmp_path / "out", **wrong)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_an_interrupted_write_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(name: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_affwild2(tmp_path / "out", videos={"val": 2}, frames=80, progress=interrupt)
    assert not list(tmp_path.iterdir())


def test_progress_counts_the_videos(fewer: Fewer) -> None:
    assert [call[1:] for call in fewer.progress] == [(1, 2), (2, 2)]
    assert {name for name, _, _ in fewer.progress} == {path.name for path in (fewer.root / "cropped").iterdir()}


def portrait(**units: float) -> npt.NDArray[np.int64]:
    """A clean-shaven person without glasses, straight into the camera: int ``(CANVAS, CANVAS, 3)``."""
    person = next(
        person
        for person in (invent_person(np.random.default_rng(k)) for k in range(50))
        if person.beard == "none" and not person.glasses and person.hair_style == "short"
    )
    muscles = np.zeros((1, 2, len(MUSCLES)))
    for name, intensity in units.items():
        muscles[..., MUSCLES.index(int(name.removeprefix("AU")))] = intensity
    return next(render_faces(person, muscles, Pose.frontal(1), np.array([[0.3, -0.4, 0.8]]))).astype(np.int64)


def changed(unit: int) -> npt.NDArray[np.bool_]:
    """Where the full contraction of one action unit clearly changes the picture ``(CANVAS, CANVAS)``."""
    moved: npt.NDArray[np.bool_] = np.abs(portrait(**{f"AU{unit}": 1.0}) - portrait()).max(2) > 20
    return moved


@pytest.mark.parametrize("unit", LABELLED)
def test_every_action_unit_shows(unit: int) -> None:
    assert changed(unit).sum() > 100


@pytest.mark.parametrize(("unit", "upper"), [(1, True), (2, True), (4, True), (12, False), (15, False), (25, False)])
def test_an_action_unit_moves_its_own_half_of_the_face(unit: int, upper: bool) -> None:
    moved = changed(unit)
    middle = CANVAS // 2
    brows_and_lids, mouth = moved[:middle].sum(), moved[middle:].sum()
    assert (mouth if upper else brows_and_lids) < 0.02 * (brows_and_lids if upper else mouth)


def test_lips_and_lids_never_cross() -> None:
    rng = np.random.default_rng(0)
    person = invent_person(rng)
    muscles = rng.random((200, 2, len(MUSCLES)))
    shape = place_contours(person, muscles, Pose.frontal(200))
    for above, below in (
        ("lip_top", "lip_top_inner"),
        ("lip_top_inner", "lip_bottom_inner"),
        ("upper_lid", "lower_lid"),
    ):
        # a sixteenth of a pixel may be lost in rounding
        assert (shape[above][..., 1] <= shape[below][..., 1] + 1).all()


@pytest.mark.parametrize("pitch", [110.0, 200.0])
def test_voice_rises_with_arousal(pitch: float) -> None:
    found = []
    for arousal in (-0.8, 0.0, 0.8):
        sound = speak(np.random.default_rng(1), np.full(60, arousal), pitch).astype(float)
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
        peak = np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)[spectrum.argmax()]
        found.append((peak, np.sqrt((sound**2).mean())))
    (low, quiet), (middle, medium), (high, loud) = found
    assert low < middle < high
    assert middle == pytest.approx(pitch, rel=0.02)
    assert 1.5 * quiet < medium
    assert 1.5 * medium < loud < 32767 / 3
