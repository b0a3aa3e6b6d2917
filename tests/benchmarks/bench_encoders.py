"""Frames per second, memory and cache size of every encoder on this machine; ``docs/performance.md`` is made of it.

    python -m tests.benchmarks.bench_encoders [NAME ...] [--threads 2] [--seconds 10]

Each encoder fills a feature cache in a process of its own, as ``abaw extract`` does: images are decoded, prepared,
encoded and stored. Inputs are drawn, and published networks have random weights of their full size, which takes as long
as the published ones. Each is timed twice, and the better rate counts. ``results/<CPU>.json`` holds the figures of one
kind of machine; a run on some encoders leaves the figures of the others.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.encoder_results import RESULTS, Machine, Measurement, read_results, write_results
from tests.benchmarks.results_file import path_of, processor

THREADS, SECONDS = 2, 10.0
FRAMES = {"faces": 80, "scenes": 80, "mimicry": 80}
BACKBONES = ("frames:resnet18.tv_in1k", "frames:convnext_tiny.in12k_ft_in1k")
TIMM = ("timm:resnet18",)
TOKENS = 40
"""Tokens of a text for networks that are timed without a tokenizer; a clip of Hume-Vidmimic2 has about so many."""
RANDOM, FETCHED, NONE = "random", "published", "none"


def encoder_names() -> dict[str, str]:
    """Return the encoders to be timed, by name, with the kind of their input."""
    from solutions.encoders.images.emotiefflib import NETWORKS
    from solutions.encoders.text.networks import ENCODERS as TEXT

    alike = dict.fromkeys(row.architecture for row in NETWORKS.values())
    networks = [next(name for name, row in NETWORKS.items() if row.architecture == kind) for kind in alike]
    faces = ("landmarks", "tiny", "expression", *networks, *TIMM)
    scenes = ("pose", "flow-statistics", "flow", *BACKBONES)
    audio = ("log-mel", "log-mel-statistics", "speech-embedding", "wav2vec2", "hubert")
    kinds = {"face": faces, "frame": scenes, "audio": audio, "text": ("sentences", *TEXT)}
    return {name: kind for kind, names in kinds.items() for name in names}


def drawn(kind: str, home: Path) -> Any:
    """Return a drawn data set of one kind of input; it is written at the first call."""
    from harness.datasets.open import open_dataset
    from harness.datasets.synthetic import write_affwild2, write_dvd, write_vidmimic
    from harness.tasks import EMI, EXPR, VD

    folder, write, task = {
        "face": ("faces", write_affwild2, EXPR),
        "frame": ("scenes", write_dvd, VD),
        "audio": ("mimicry", write_vidmimic, EMI),
        "text": ("mimicry", write_vidmimic, EMI),
    }[kind]
    root = home / folder
    if not root.exists():
        write(root, seed=0, videos={"train": 2, "val": 1, "test": 1}, frames=FRAMES[folder])
    return open_dataset(root, task)


def repeated(data: Any, number: int) -> Any:
    """Return a data set whose training split has so many videos: those there are, again under other names."""
    videos = data.videos("train")
    many = [replace(videos[k % len(videos)], name=f"{k:05d}") for k in range(number)]
    return replace(data, splits={"train": many, "val": (), "test": ()})


def bring_weights(name: str, settings: Any, home: Path) -> str:
    """Bring weights of full size into a cache. Return their kind."""
    import torch

    from solutions.encoders.audio import wav2vec2
    from solutions.encoders.images.emotiefflib import NETWORKS
    from solutions.weights.store import import_weights
    from tests.support.published_files import bring

    if name in NETWORKS:
        bring(name, settings, home)
        return RANDOM
    if name == "wav2vec2":
        bring("wav2vec2-base-960h", settings, home)
        return RANDOM
    if name == "hubert":
        weights, network = wav2vec2.ENCODERS[name]
        path = home / f"{weights}.pt"
        torch.save(network.build(convolution_bias=True).state_dict(), path)
        import_weights(weights, path, settings, replace=True)
        return RANDOM
    if name == "expression":
        fetched = Path("~/.cache/abaw/weights").expanduser()
        if not fetched.is_dir():
            raise FileNotFoundError("its published weights are not here: abaw weights fetch expression")
        shutil.copytree(fetched, settings.cache / "weights", dirs_exist_ok=True)
        return FETCHED
    return RANDOM if name.startswith(("frames:", "timm:")) else NONE


def time_once(name: str, kind: str, home: Path, threads: int, seconds: float) -> Measurement:
    """Fill a new cache twice, each time for at least so many seconds, in this process. Return the better time."""
    from harness.settings import Settings
    from solutions.encoders.text.networks import ENCODERS as TEXT

    load = round(os.getloadavg()[0], 2)
    if name in TEXT:
        return time_network(name, threads, seconds, load)
    data, runs = drawn(kind, home), []
    with tempfile.TemporaryDirectory(dir=home) as cache:
        settings = Settings(
            cache=Path(cache) / "cache", out=Path(cache) / "out", workers=threads, device="cpu", weights="random"
        )
        weights, number = bring_weights(name, settings, Path(cache)), 1
        while len(runs) < 2:
            took, work, amount, size = fill(name, kind, repeated(data, number), settings)
            if took >= seconds:
                runs.append((amount / took, work / amount, size / amount, amount))
            else:
                number = max(number + 1, int(number * min(40.0, 1.3 * seconds / max(took, 0.05))))
    rate, work, cached, amount = max(runs)
    return Measurement(name, kind, rate, work, peak_memory(threads), cached, weights, load, amount)


def fill(name: str, kind: str, data: Any, settings: Any) -> tuple[float, float, float, int]:
    """Fill a new cache. Return seconds, CPU seconds, inputs, and bytes of features or images, without manifests."""
    from solutions.cache.features import FeatureSource

    shutil.rmtree(settings.cache / "features", ignore_errors=True)
    before = cpu_seconds()
    report = FeatureSource(settings).extract(name, data, ["train"])
    work = cpu_seconds() - before
    kept = (path for path in settings.cache.rglob("*") if path.suffix in (".npy", ".jpg", ".webp"))
    size = sum(path.stat().st_size for path in kept)
    return report.seconds, work, amount_of(data, kind) or report.frames, size


def amount_of(data: Any, kind: str) -> float:
    """Return seconds of audio, or texts; 0 for images, which the report of an extraction counts."""
    import soundfile

    if kind == "audio":
        return float(sum(soundfile.info(str(video.audio)).duration for video in data.videos("train")))
    return float(len(data.videos("train"))) if kind == "text" else 0.0


def time_network(name: str, threads: int, seconds: float, load: float) -> Measurement:
    """Time a text network alone on random tokens: a tokenizer comes with the published weights only."""
    import time

    import torch

    from solutions.encoders.text.networks import ENCODERS as TEXT

    torch.set_num_threads(threads)
    row = TEXT[name]
    network = row.build()
    tokens = torch.randint(5, row.vocabulary, (1, TOKENS))
    with torch.inference_mode():
        network(input_ids=tokens)
        runs = []
        for _ in range(2):
            start, texts, before = time.monotonic(), 0, cpu_seconds()
            while time.monotonic() - start < seconds:
                network(input_ids=tokens)
                texts += 1
            runs.append((texts / (time.monotonic() - start), (cpu_seconds() - before) / texts, texts))
    rate, work, texts = max(runs)
    rows = TOKENS if row.output == "tokens" else 1
    return Measurement(name, "text", rate, work, peak_memory(threads), 4.0 * row.dim * rows, RANDOM, load, texts)


def cpu_seconds() -> float:
    """Return the CPU time of this process and of workers that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def peak_memory(threads: int) -> int:
    """Return the peak of this process, and of as many workers as the largest one, in bytes."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return 1024 * (own + threads * worker)


def machine(threads: int) -> Machine:
    """Return the kind of this machine, without its name."""
    import platform

    from harness.system.provenance import provenance

    packages = provenance("cpu", threads)["packages"]
    versions = {
        name: packages[name] for name in ("torch", "timm", "mediapipe", "openvino", "numpy") if name in packages
    }
    return Machine(
        cpu=processor(),
        cores=os.cpu_count() or 1,
        threads=threads,
        python=platform.python_version(),
        packages={
            "opencv": packages.get("opencv-python-headless") or packages.get("opencv-contrib-python", ""),
            **versions,
        },
        date=datetime.now(UTC).date().isoformat(),
    )


def main() -> None:
    """Time encoders, each in a process of its own, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--threads", type=int, default=THREADS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    kinds = encoder_names()
    if options.one:
        (name,) = options.names
        print(json.dumps(asdict(time_once(name, kinds[name], options.home, options.threads, options.seconds))))
        return
    here = machine(options.threads)
    path = path_of({"processor": here.cpu, "cores": here.cores}, RESULTS)
    measured = {one.name: one for one in read_results(path).measurements} if path.exists() else {}
    missing = dict(read_results(path).missing) if path.exists() else {}
    with tempfile.TemporaryDirectory(prefix="bench-encoders-") as home:
        for name in options.names or kinds:
            command = [sys.executable, "-m", "tests.benchmarks.bench_encoders", name, "--one", "--home", home,
                       "--threads", str(options.threads), "--seconds", str(options.seconds)]  # fmt: skip
            environment = {**os.environ, "OMP_NUM_THREADS": str(options.threads), "ABAW_QUIET": "1"}
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                missing[name] = done.stderr.strip().splitlines()[-1].split(": ", 1)[-1][:200]
                measured.pop(name, None)
                print(f"{name}: {missing[name]}", flush=True)
            else:
                measured[name] = Measurement(**json.loads(done.stdout.splitlines()[-1]))
                missing.pop(name, None)
                print(
                    f"{name}: {measured[name].rate:,.1f} {measured[name].unit}, load {measured[name].load}", flush=True
                )
            order = [known for known in kinds if known in measured]
            write_results(path, here, [measured[known] for known in order], missing)


if __name__ == "__main__":
    main()
