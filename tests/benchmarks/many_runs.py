"""A store as a group has it after a season: a thousand runs on valence and arousal, 76 videos, 376,323 frames each.

Labels are drawn, and each run says a mixture of them and of noise, its own share of either for every video. Statistics
follow from sums over frames that are taken once, so that a run costs its bootstrap and little else. The first few runs
have folders as ``abaw run`` leaves them, on data that lie beside them.

To look at it:  python tests/benchmarks/many_runs.py FOLDER [RUNS];  abaw leaderboard --out FOLDER
"""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.datasets.dataset import Dataset, Video
from harness.files.one_file import FILE_NAME, write_one_file
from harness.metrics.metric import metric_for
from harness.metrics.moments import LABELS_ONLY, MOMENTS
from harness.metrics.scoring import score_card, video_statistics
from harness.records.curves import SweepPoint, write_sweep
from harness.records.failure import Failure
from harness.records.run import HEADLINE, TUNED_ON_ALL, RunRecord, constant_row, score_rows, statistics_of
from harness.records.scores import SCORES_FILE, write_scores
from harness.runs.finished import slug
from harness.slots import Ledger
from harness.store.store import Store
from harness.system.provenance import digest_of, sha256_of
from harness.tasks import VA
from tests.benchmarks.drawn import videos_like

Values = npt.NDArray[np.float64]
SEEDS, VIDEOS, FRAMES = 5, 76, 376_323
NOISE = 0.4  # a run's mixture never leaves [-1, 1]: its share of the labels is at most 1 - NOISE
START = datetime.datetime(2026, 9, 1, tzinfo=datetime.UTC)
# rows of the paper's table first, so that its page has something to set beside them
NAMES = ("abaw10-mt-ddamfn-mlp-smooth", "abaw10-mt-ddamfn-mlp", "abaw10-wav2vec2", "landmarks-tiny-smooth")
ENCODERS = ("ddamfn_8", "wav2vec2", "enet_b0_8_best_vgaf", "landmarks", "tiny", "mbf_va_mtl", "precomputed:libreface")
HEADS = ("mlp-128", "mlp-256", "linear", "bilstm-64")
POSTPROCESS = (
    "gaps filled",
    "gaps filled, smoothed over 2k+1 frames, k chosen on val",
    "gaps filled, smoothed, k = 25",
)


@dataclass(frozen=True)
class Frames:
    """What every run is made of.

    Attributes:
        labels: by video, ``(n, 2)``, one frame in fifty not annotated.
        mood: the same with every frame annotated.
        noise: by video, in [-1, 1].
    """

    labels: Mapping[str, Values]
    mood: Mapping[str, Values]
    noise: Mapping[str, Values]

    @classmethod
    def draw(cls, seed: int = 0) -> Frames:
        """The same for the same seed."""
        rng = np.random.default_rng(seed)
        labels, mood, noise = {}, {}, {}
        for name, n in videos_like(VIDEOS, FRAMES).items():
            walk = rng.normal(0, 0.3, 2) + np.cumsum(rng.normal(0, 0.01, (n, 2)), 0)
            mood[name] = np.clip(walk, -1, 1).round(3)
            labels[name] = np.where(rng.random((n, 1)) < 0.02, VA.invalid, mood[name])
            noise[name] = np.clip(rng.normal(0, 0.3, (n, 2)), -1, 1)
        return cls(labels, mood, noise)

    def sums(self) -> Values:
        """Moments of labels and noise, ``(videos, 2, 11)``."""
        return video_statistics(VA, metric_for(VA), self.labels, self.noise).reshape(VIDEOS, 2, MOMENTS)


def mixed(sums: Values, share: Values) -> Values:
    """Statistics ``(videos, 22)`` of decisions that are ``share`` of the labels and ``NOISE`` of the noise."""
    n, x, e, xx, ee, xe = sums[..., 0], *(sums[..., k] + sums[..., k + 5] for k in range(1, 6))
    a, out = share[:, None], np.zeros_like(sums)
    out[..., LABELS_ONLY], out[..., 0] = sums[..., LABELS_ONLY], n
    out[..., 2] = a * x + NOISE * e
    out[..., 4] = a**2 * xx + 2 * a * NOISE * xe + NOISE**2 * ee
    out[..., 5] = a * xx + NOISE * xe
    return out.reshape(len(sums), -1)


def shares(n: int, seed: int = 0) -> Iterator[tuple[int, int, Values]]:
    """Setup, seed, and share of the labels in each video, of so many runs."""
    rng = np.random.default_rng(seed)
    for setup in range(-(-n // SEEDS)):
        own = rng.uniform(0.1, 0.5) + rng.normal(0, 0.05, VIDEOS)
        for k in range(min(SEEDS, n - setup * SEEDS)):
            yield setup, k, np.clip(own + rng.normal(0, 0.01) + rng.normal(0, 0.01, VIDEOS), 0, 1 - NOISE)


def make_records(n: int, frames: Frames, root: Path) -> Iterator[RunRecord]:
    """Records of ``n`` runs, filled as those of ``abaw run`` are."""
    sums, names = frames.sums(), tuple(frames.labels)
    videos = tuple(Video(name, len(labels), labels) for name, labels in frames.labels.items())
    fingerprint = Dataset("Aff-Wild2", root, VA, {"val": videos}).fingerprint("val")
    for k, (setup, seed, share) in enumerate(shares(n)):
        card = score_card(VA, names, mixed(sums, share))
        tuned = score_card(VA, names, mixed(sums, np.clip(share + 0.004, 0, 1 - NOISE))) if setup % 2 == 0 else None
        encoder, head = ENCODERS[setup % len(ENCODERS)], HEADS[setup // 7 % len(HEADS)]
        name = f"va/{NAMES[setup]}" if setup < len(NAMES) else f"va/{slug(encoder)}-{head}-{setup:03d}"
        cards = {HEADLINE: card} | ({TUNED_ON_ALL: tuned} if tuned else {})
        yield RunRecord(
            run_id=f"{slug(name)}-val-s{seed}-{digest_of({'run': k})[:8]}",
            created=(START + datetime.timedelta(minutes=83 * k)).isoformat(timespec="seconds"),
            task="VA",
            split="val",
            name=name,
            seed=seed,
            encoder=encoder,
            head=head,
            postprocess=POSTPROCESS[1 if tuned else 2 * (setup % 3 == 0)],
            trained_on="train" if setup % 10 else "train+val",
            tuned_on="val, cross-fitted by video, 5 folds" if tuned else "nothing",
            recipe=_recipe(name, encoder, head),
            options={"crops": "cropped"},
            choices=_choices() if tuned else {},
            data={
                "name": "Aff-Wild2", "root": str(root), "fingerprint": fingerprint, "videos": VIDEOS,
                "frames": FRAMES, "frames_without_crop": 7_312,
            },
            scores=[row for estimate, one in cards.items() for row in score_rows(one, estimate)] + [constant_row(card)],
            files={FILE_NAME: digest_of({"file": k}), SCORES_FILE: digest_of({"scores": k})},
            provenance=_provenance(setup),
            timings={"fit": 31.2 + k % 7, "predict": 4.1, "total": 36.4 + k % 7, "frames_per_second": None},
            constant="always the same value",
            notes=[],
            statistics={estimate: statistics_of(one) for estimate, one in cards.items()},
        )  # fmt: skip


def _recipe(name: str, encoder: str, head: str) -> dict[str, Any]:
    stream = {"encoder": encoder, "part": "embeddings", "context": 0, "epochs": 6, "optimizer": "adam", "batch": 256}
    stream |= {"learning_rate": 1e-3, "loss": "ccc", "head": head, "hidden": [128], "dropout": 0.0, "weight_decay": 0.0}
    smoothing = {"half_width": {"candidates": list(range(0, 105, 5))}}
    return {"name": name, "task": "VA", "streams": [stream], "postprocess": {"fill": True, "smoothing": smoothing}}


def _choices() -> dict[str, Any]:
    chosen = {"candidates": list(range(0, 105, 5)), "per_fold": [25, 30, 25, 20, 25], "on_all": 25}
    return {"tuned_on": "val", "folds": 5, "half_width": chosen}


def _provenance(setup: int) -> dict[str, Any]:
    packages = dict.fromkeys(("abaw-harness", "torch", "torchvision", "timm", "numpy", "pandas", "duckdb"), "2.11.0")
    git = {"commit": digest_of({"commit": setup // 20})[:40], "dirty": setup % 4 == 0, "origin": ""}
    made = {"device": "cuda", "backend": "torch", "precision": "float32", "workers": 8, "source": "0" * 64}
    return {"git": git, "packages": packages, "python": "3.11.7", "platform": "Linux x86_64", **made}


def write_labels(frames: Frames, root: Path) -> None:
    """The labels as Aff-Wild2 has them; no crops."""
    folder = root / "6th_ABAW_Annotations" / VA.annotation_folders[0] / "Validation_Set"
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in frames.labels.items():
        rows = "\n".join(f"{valence:g},{arousal:g}" for valence, arousal in values)
        (folder / f"{name}.txt").write_text(f"{VA.header}\n{rows}\n")


def write_run(record: RunRecord, share: Values, frames: Frames, folder: Path) -> RunRecord:
    """A run's folder, with its official file, scores and a curve; returns the record with the files' hashes."""
    folder.mkdir(parents=True)
    own = zip(frames.mood, share, strict=True)
    said = {name: (a * frames.mood[name] + NOISE * frames.noise[name]).astype(np.float32) for name, a in own}
    write_one_file(folder / FILE_NAME, VA, said, list(said))
    write_scores(folder / SCORES_FILE, said)
    score = record.score()
    best = float(score["value"]) if score else 0.0
    points = [(width, best - 1e-5 * (width - 25) ** 2) for width in range(0, 105, 5)]
    write_sweep(folder, [SweepPoint("half_width", w, "mean_ccc", y, y - 0.03, y + 0.03) for w, y in points])
    written = replace(record, files={name: sha256_of(folder / name) for name in (FILE_NAME, SCORES_FILE)})
    written.write(folder)
    return written


def write_store(out: Path, n: int = 1000, *, whole: int = 3) -> Store:
    """A store of ``n`` runs below ``out``, of which the first ``whole`` have their folders."""
    frames, root = Frames.draw(), out / "data"
    write_labels(frames, root)
    runs = [(record, out / "VA" / record.run_id) for record in make_records(n, frames, root)]
    for k, (_, _, share) in zip(range(whole), shares(n), strict=False):
        record, folder = runs[k]
        runs[k] = write_run(record, share, frames, folder), folder
    failures = []
    for k in range(n // 50):
        reason = f"{root}/cropped: no crops of 3 videos; found 73, expected 76. Check the path given as --data."
        error = RuntimeError(reason) if k % 2 else MemoryError()
        failure = Failure.of(error, task="VA", split="val", name=f"va/failed-{k}", seed=0, data_name="Aff-Wild2")
        failures.append((failure, failure.write(out)))
    store = Store(out / "results.duckdb")
    store.record(runs, failures=failures)
    ledger = Ledger(out)
    for record, folder in runs[:whole]:
        sent = ledger.send(folder / FILE_NAME, "VA", run_id=record.run_id, note="first try")
        ledger.result(sent.number, 0.41)
    return store


if __name__ == "__main__":
    place = Path(sys.argv[1])
    made = write_store(place, int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
    print(json.dumps({"store": str(made.path), "runs": len(made.folders()), "bytes": made.path.stat().st_size}))
