"""Drawn people who speak: the same bytes for a seed, and a face, a voice and words that each carry the label."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import soundfile
from sklearn.metrics import roc_auc_score

from harness.datasets.checking.dataset import check_data
from harness.datasets.dataset import Dataset, Video
from harness.datasets.open import open_dataset
from harness.datasets.synthetic import write_bah, write_vidmimic
from harness.datasets.synthetic.bah import PRESENT
from harness.datasets.synthetic.expressions import MUSCLES
from harness.datasets.synthetic.faces import render_faces
from harness.datasets.synthetic.people import invent_person
from harness.datasets.synthetic.rig import Pose
from harness.datasets.synthetic.speakers import move_face
from harness.datasets.synthetic.vidmimic import STATES
from harness.errors import UsageError
from harness.files.labels.truth import read_truth
from harness.tasks import AH, AHV, EMI
from tests.support.digests import digests

WRITERS = {"vidmimic": write_vidmimic, "bah": write_bah}
FEW = {"train": 2, "val": 2, "test": 2}
WINDOW = 512  # samples of a spectrum


@pytest.fixture(scope="module")
def mimics(tmp_path_factory) -> Dataset:
    root = tmp_path_factory.mktemp("mimics") / "data"
    write_vidmimic(root, seed=1, videos={"train": 28, "val": 14, "test": 2}, frames=20)
    return open_dataset(root, EMI)


@pytest.fixture(scope="module")
def doubts(tmp_path_factory) -> Dataset:
    root = tmp_path_factory.mktemp("doubts") / "data"
    write_bah(root, seed=1, videos={"train": 8, "val": 4, "test": 4}, frames=60)
    return open_dataset(root, AH)


@pytest.mark.parametrize("layout", WRITERS)
def test_one_seed_gives_the_same_bytes_and_another_others(tmp_path, layout):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        WRITERS[layout](tmp_path / name, seed=seed, videos={"train": 1, "test": 1}, frames=24)
    first, other = digests(tmp_path / "a"), digests(tmp_path / "c")
    assert digests(tmp_path / "b") == first
    media = {path for path in first.keys() & other.keys() if path.endswith((".jpg", ".mp3", ".wav"))}
    assert len(media) > 20
    assert all(first[path] != other[path] for path in media)


@pytest.mark.parametrize("layout", WRITERS)
def test_more_videos_leave_the_first_ones_as_they_were(tmp_path, layout):
    WRITERS[layout](tmp_path / "few", seed=3, videos={"train": 1, "val": 1}, frames=24)
    WRITERS[layout](tmp_path / "more", seed=3, videos={"train": 2, "val": 1}, frames=24)
    few, more = digests(tmp_path / "few"), digests(tmp_path / "more")
    media = {path: digest for path, digest in few.items() if path.endswith((".jpg", ".mp3"))}
    assert media.items() <= more.items()


@pytest.mark.parametrize("edition", [8, 10, 11])
def test_each_edition_is_drawn_as_it_lies_on_disk(tmp_path, edition):
    write_bah(tmp_path / "data", videos=FEW, frames=24, edition=edition)
    data = open_dataset(tmp_path / "data", AHV)
    assert data.name == "abaw-synth-bah"
    assert data.labels("train").tolist() == [0, 1]
    names = [video.name for split in FEW for video in data.videos(split)]
    assert all(name.startswith("Videos/") == (edition != 8) for name in names)
    report = check_data(tmp_path / "data")
    assert report.problems == []
    assert {row.task for row in report.splits} == ({"AH", "AHV"} if edition == 8 else {"AHV"})


def test_a_drawn_pack_of_mimicry_has_no_problem(mimics):
    report = check_data(mimics.root)
    assert report.problems == []
    assert mimics.name == report.name == "abaw-synth-vidmimic"
    labels = mimics.labels("train")
    assert labels.min() == 0
    assert labels.sum(1).max() <= 1
    assert (labels.std(0) > 0).all()
    assert (labels.sum(1) == 0).any()


def test_files_are_in_the_formats_of_the_packs(mimics, doubts):
    info = soundfile.info(mimics.videos("train")[0].audio)
    assert (info.format, info.samplerate, info.channels) == ("MP3", 16_000, 1)
    assert soundfile.info(mimics.videos("test")[0].audio).format == "WAV"
    video = doubts.videos("train")[2]
    assert "Visite 1/" in video.name
    assert " 10-00-00_Video.mp4" in video.name
    assert soundfile.info(video.audio).format == "MP3"
    assert soundfile.info(video.audio).duration == pytest.approx(video.n_frames / 24, abs=0.001)
    path = next(doubts.root.rglob("transcription/**/*.yml"))
    assert "!!python/tuple" in path.read_text(encoding="utf-8")


def test_held_out_labels_are_those_of_the_test_videos(mimics, doubts):
    truth = read_truth(mimics.root / "held_out" / "EMI" / "test_split.csv", "EMI")
    assert list(truth.labels) == [video.name for video in mimics.videos("test")]
    frames = read_truth(doubts.root / "held_out" / "AH" / "frames.txt", "AH")
    assert frames.n_frames == {video.name: video.n_frames for video in doubts.videos("test")}
    assert set(np.concatenate(list(frames.labels.values())).tolist()) == {0, 1}


def test_persons_speak_english_or_french(doubts):
    texts = {video.person: video.transcript.text for video in doubts.videos("train")}
    english = [any(word in text for word in (" I ", "maybe", "sister")) for text in texts.values()]
    french = [any(word in text for word in ("je ", "on ", "sœur", "oui")) for text in texts.values()]
    assert any(english)
    assert any(french)


def ridge(x, y, of, strength) -> np.ndarray:
    """Predict by ridge regression on standardised columns, in the dual form."""
    mean, deviation = x.mean(0), x.std(0) + 1e-6
    x, of = (x - mean) / deviation, (of - mean) / deviation
    return of @ x.T @ np.linalg.solve(x @ x.T + strength * np.eye(len(x)), y - y.mean(0))


def spectrum(video: Video) -> np.ndarray:
    """Logarithms of 40 bands below 2.5 kHz, by window."""
    samples, _ = soundfile.read(video.audio)
    pieces = samples[: len(samples) // WINDOW * WINDOW].reshape(-1, WINDOW) * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(pieces)) ** 2
    return np.log(power[:, 1:81].reshape(len(power), -1, 2).sum(2) + 1e-8)


def grey(video: Video) -> np.ndarray:
    images = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in video.images.paths()]
    return np.stack([cv2.resize(image, (24, 24), interpolation=cv2.INTER_AREA) for image in images]) / 255.0


def mean_pearson(predicted, labels) -> float:
    return float(np.mean([np.corrcoef(predicted[:, k], labels[:, k])[0, 1] for k in range(labels.shape[1])]))


def test_the_voice_tells_intensities(mimics):
    train, val = (np.stack([spectrum(v).mean(0) for v in mimics.videos(split)]) for split in ("train", "val"))
    assert mean_pearson(ridge(train, mimics.labels("train"), val, 100), mimics.labels("val")) > 0.35


def test_the_words_tell_intensities(mimics):
    def words(video: Video) -> list[str]:
        return video.transcript.text.lower().replace(",", " ").replace(".", " ").split()

    known = sorted({word for video in mimics.videos("train") for word in words(video)})
    train, val = (
        np.array([[words(video).count(word) for word in known] for video in mimics.videos(split)], float)
        for split in ("train", "val")
    )
    assert mean_pearson(ridge(train, mimics.labels("train"), val, 100), mimics.labels("val")) > 0.6


def test_each_intensity_has_a_face_of_its_own():
    """The same person, pose and lamp: faces differ from each other by the intensity alone."""
    person = invent_person(np.random.default_rng(5))
    states = list(STATES.values())
    levels = np.concatenate([np.zeros((1, len(states))), np.eye(len(states))])
    muscles = np.concatenate([move_face(np.random.default_rng(0), row[None], states, 25.0) for row in levels])
    muscles[..., MUSCLES.index(45)] = 0  # nobody blinks
    lamp = np.tile([0.0, -0.3, 0.8], (len(levels), 1))
    faces = np.stack(list(render_faces(person, muscles, Pose.frontal(len(levels)), lamp, side=96))).astype(float)
    distances = np.abs(faces[:, None] - faces[None]).mean((2, 3, 4))
    assert distances[np.triu_indices(len(faces), 1)].min() > 0.4


@pytest.mark.parametrize("target", EMI.targets)
def test_each_intensity_moves_muscles_of_its_own(target):
    states = list(STATES.values())
    levels = np.zeros((30, len(states)))
    levels[10:, EMI.targets.index(target)] = 1
    muscles = move_face(np.random.default_rng(0), levels, states, 25.0).mean(1)
    change = muscles[10:].mean(0) - muscles[:10].mean(0)
    moved = {MUSCLES[k] for k in np.flatnonzero(change > 0.2)}
    assert moved == {unit for unit, strength in STATES[target].units.items() if strength >= 0.3}


def frames_of(data: Dataset, split: str, feature) -> tuple[np.ndarray, np.ndarray]:
    videos = data.videos(split)
    return np.concatenate([feature(video) for video in videos]), np.concatenate([video.labels for video in videos])


def test_the_face_tells_frames_of_ambivalence(doubts):
    def feature(video: Video) -> np.ndarray:
        images = grey(video).reshape(video.n_frames, -1)
        return images - images.mean(0)

    (x, y), (of, truth) = (frames_of(doubts, split, feature) for split in ("train", "val"))
    assert roc_auc_score(truth, ridge(x, y.astype(float), of, 100)) > 0.58


def test_the_voice_tells_frames_of_ambivalence(doubts):
    def feature(video: Video) -> np.ndarray:
        bands = spectrum(video)
        at = ((np.arange(video.n_frames) + 0.5) / 24 * 16_000 / WINDOW).astype(int)
        return bands[np.minimum(at, len(bands) - 1)]

    (x, y), (of, truth) = (frames_of(doubts, split, feature) for split in ("train", "val"))
    assert roc_auc_score(truth, ridge(x, y.astype(float), of, 10)) > 0.8


def test_the_words_tell_videos_and_stretches(doubts):
    hesitant = {phrase for phrases in PRESENT.phrases.values() for phrase in phrases}
    for video in doubts.videos("train"):
        count = sum(phrase in video.transcript.text for phrase in hesitant)
        assert count == 0 or video.labels.any()
        for line in video.transcript.lines:
            labels = video.labels[round(24 * line.start) : round(24 * line.end)]
            assert (line.text.strip(" .") in hesitant) == (labels.mean() > 0.5)


@pytest.mark.parametrize(
    ("layout", "options", "message"),
    [
        ("vidmimic", {"frames": 19}, "more frames per video.* found 19, expected at least 20"),
        ("bah", {"frames": 23}, "more frames per video.* found 23, expected at least 24"),
        ("bah", {"edition": 9}, "BAH has no such edition; found 9, expected 8 or 10 or 11"),
        ("vidmimic", {"videos": {}}, "a data set needs videos"),
    ],
)
def test_numbers_out_of_range_are_refused(tmp_path: Path, layout, options, message):
    with pytest.raises(UsageError, match=message):
        WRITERS[layout](tmp_path / "a", **{"videos": FEW, "frames": 30} | options)


def test_the_command_draws_both_layouts(tmp_path, abaw):
    for layout, task in (("vidmimic", EMI), ("bah", AH)):
        done = abaw("data", "synth", tmp_path / layout, "--layout", layout, "--videos", "8", "--frames", "80")
        assert done.returncode == 0, done.stderr
        assert sum(map(len, open_dataset(tmp_path / layout, task).splits.values())) == 8
    done = abaw("data", "synth", tmp_path / "x", "--layout", "dvd", "--edition", "8")
    assert done.returncode == 2
    assert "only BAH's layout differs by edition" in done.stderr
