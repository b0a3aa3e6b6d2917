"""Clip networks trained, end to end or on cached features, as the authors do it or as a careful person would.

===================  ==============================================  ==============================================
what                 ``paper`` (the authors' notebook)               ``fixed``
===================  ==============================================  ==============================================
clips of an epoch    one a video, however long                       all videos cut end to end, each frame once
clips' frame step    2, while inference has 1                        that of inference
short videos         the last frame's label counts again and again   counts once
augmentation         drawn for each frame                            drawn for the clip, other inputs kept in step
learning rates       encoder's by names, so that fusion and what     encoders at their rate, all else at the full one
                     projects features train at the encoder's, and
                     a last norm inside an encoder at the full one
schedule             over more steps than happen: never comes down   over the steps that happen
left-over passes     thrown away                                     a shorter step
a step's loss        mean of its passes' weighted means              weighted mean of its frames
label changes        towards frames nobody annotated count           don't
===================  ==============================================  ==============================================

In both: weighted cross-entropy, AdamW or SGD, one-cycle rates, gradients clipped to a norm of 1, a fixed number of
epochs, no moving average of weights. Mode ``paper``, too, differs from the authors' code in these points:

- They keep the epoch that is best on 11 random clips of each validation video, which are the videos that they report.
  Here every epoch's weights are kept (``keep="best"``), and which counts is chosen by cross-fitting on whole validation
  videos; or the last one's are (``"last"``).
- With frozen encoders, features come from the cache, and so from pictures as they are; theirs are computed of augmented
  ones. Their frozen ConvNeXt is left in training mode, which is all the same to it: it has no BatchNorm, no dropout.
- Half precision is bfloat16, which needs no scaling of gradients; theirs is float16.
- Their BatchNorms see a grey clip once before training, and each pass of an EfficientNet twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from harness.errors import SolutionError, UsageError
from harness.settings import Precision
from harness.system.progress import progress
from harness.system.provenance import digest_of
from solutions.clips.augment import Inputs
from solutions.clips.checkpoint import Checkpoint, digest_of_weights
from solutions.clips.clips import Clips, FeatureClips, Integers
from solutions.clips.loading import Loading
from solutions.clips.losses import ClipLoss, class_weights
from solutions.clips.optimiser import make_optimiser, set_rates
from solutions.clips.sampling import Drawn, Sampler
from solutions.clips.schedule import Plan
from solutions.clips.settings import PICTURE_THREADS, ROW_THREADS, ClipTraining
from solutions.networks.seeding import seeded
from solutions.networks.threads import pinned_threads

if TYPE_CHECKING:
    from solutions.clips.network import ClipNet

GRADIENT_NORM = 1.0


def train_clips(
    net: ClipNet,
    training: ClipTraining,
    clips: Clips,
    *,
    seed: int,
    device: str = "cpu",
    precision: Precision = "float32",
    folder: Path,
    workers: int = 2,
) -> list[Path]:
    """Train a clip network. Same seed, same bytes on a CPU, however many cores it has: see ``PICTURE_THREADS``.

    A kill loses the epoch that it falls into; the same call again goes on from there, to the same bytes.

    Args:
        net: as initialised; left on ``device``, in evaluation mode, with the last epoch's weights. What its ``freeze``
            was called for stays as it is. One that fuses ``side-by-side`` gets the moments of cached features first.
        clips: the training videos. Rows of features under ``rgb`` or ``flow`` stand for what its encoders give.
        device: of torch; ``cpu``, ``cuda``.
        precision: ``bfloat16`` for what torch's autocast holds to be safe in it; weights stay float32.
        folder: for weights and what going on needs; one for each set of clips, as their contents are not looked at.
        workers: threads that read clips.

    Returns:
        Files of weights: of each epoch, or of the last one (``training.keep``), as
        :func:`~solutions.clips.checkpoint.load_epoch` reads them.

    Raises:
        DataError: no frame is annotated, or pictures can't be read.
        UsageError: the device can't compute in this precision.
        SolutionError: the loss is no number any more.
    """
    _check_precision(device, precision)
    if training.encoders == "frozen":
        net.freeze()
    if net.settings.fusion == "side-by-side" and isinstance(clips, FeatureClips):
        net.set_moments({key: (torch.from_numpy(m), torch.from_numpy(s)) for key, (m, s) in clips.moments().items()})
    trainer = _Trainer(net, training, clips, seed, torch.device(device), precision, workers)
    checkpoint = Checkpoint.open(folder, trainer.key(), keep_all=training.keep == "best")
    net.to(device)
    if checkpoint.epochs_done:
        checkpoint.restore(net, None if checkpoint.epochs_done == training.epochs else trainer.optimiser)
    left = range(checkpoint.epochs_done, training.epochs)
    frames = len(left) * trainer.plan.n_used * training.clip_length
    pictures = not isinstance(clips, FeatureClips)
    if left:
        with (
            compute_threads(device, pictures),
            exact_float32(),
            progress("training the clip network", frames, "frames", step="train") as advance,
        ):
            for epoch in left:
                checkpoint.save(net, trainer.optimiser, trainer.epoch(epoch, advance), last=epoch == left[-1])
    net.eval()
    return checkpoint.kept


def training_note(training: ClipTraining, labels: Sequence[Integers]) -> str:
    """What a reader of the result must know of its training; empty if nothing.

    Args:
        labels: of the training videos, as for :class:`~solutions.clips.clips.Clips`.
    """
    return Plan.of(training, Sampler(labels, training).n_clips).note


class _Trainer:
    """What an epoch of training needs."""

    def __init__(
        self,
        net: ClipNet,
        training: ClipTraining,
        clips: Clips,
        seed: int,
        device: torch.device,
        precision: Precision,
        workers: int,
    ) -> None:
        self.net, self.training, self.seed, self.device, self.precision = net, training, seed, device, precision
        self.sampler = Sampler(clips.labels, training)
        self.plan = Plan.of(training, self.sampler.n_clips)
        self.optimiser = make_optimiser(net, training)
        self._loading = Loading(clips, training, net.settings.flow_pictures, workers)
        weights = class_weights(self.sampler.labels, training.positive_weight)
        self._loss = ClipLoss(training, torch.tensor(weights, dtype=torch.float32))

    def key(self) -> str:
        """Hash of all that decides the weights, but for what is read of the clips."""
        return digest_of(
            {
                "training": asdict(self.training),
                "weights": digest_of_weights(self.net),
                "labels": hashlib.sha256(self.sampler.lengths.tobytes() + self.sampler.labels.tobytes()).hexdigest(),
                "seed": self.seed,
                "device": self.device.type,
                "precision": self.precision,
            }
        )

    def epoch(self, epoch: int, advance: Callable[[int], None]) -> float:
        """Train for an epoch, counted from 0; the mean of its steps' losses.

        Raises:
            SolutionError: that is no number.
        """
        self.net.train()
        drawn = self.sampler.epoch(np.random.default_rng((self.seed, epoch)))
        steps = list(self.plan.passes(drawn))
        losses = []
        with (
            seeded((self.seed, epoch), self.device),
            contextlib.closing(
                self._loading.passes((each for passes in steps for each in passes), (self.seed, epoch))
            ) as inputs,
        ):
            for k, passes in enumerate(steps):
                set_rates(self.optimiser, self.training, self.plan, epoch * self.plan.steps + k)
                losses.append(self._step(passes, inputs))
                advance(sum(each.frames.size for each in passes))
        loss = float(torch.stack(losses).mean())
        if not math.isfinite(loss):
            raise SolutionError(
                f"training broke off in epoch {epoch + 1}",
                found=f"a loss of {loss}",
                do="Are there numbers in the features that are none? Otherwise a lower learning rate may help",
            )
        return loss

    def _step(self, passes: Sequence[Drawn], inputs: Iterator[Inputs]) -> torch.Tensor:
        """One step of the optimiser; its loss."""
        targets = [torch.from_numpy(each.targets) for each in passes]
        half = torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")
        whole = torch.zeros((), device=self.device)
        for truth, totals in zip(targets, self._loss.totals(targets), strict=True):
            given = {key: self._moved(torch.from_numpy(values)) for key, values in next(inputs).items()}
            with half:
                logits = self.net(given)
            loss = self._loss(logits, self._moved(truth), totals)
            loss.backward()
            whole += loss.detach()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), GRADIENT_NORM)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return whole

    def _moved(self, values: torch.Tensor) -> torch.Tensor:
        if self.device.type == "cpu":
            return values
        return values.pin_memory().to(self.device, non_blocking=True)


def compute_threads(device: str, pictures: bool) -> contextlib.AbstractContextManager[None]:
    """Compute with a fixed number of threads on a CPU for a block; leave those beside a GPU as they are.

    Args:
        device: of torch.
        pictures: the network's inputs are pictures, as opposed to rows of features.
    """
    if device != "cpu":
        return contextlib.nullcontext()
    return pinned_threads(PICTURE_THREADS if pictures else ROW_THREADS)


@contextlib.contextmanager
def exact_float32() -> Iterator[None]:
    """For a block, float32 means float32 on a GPU, too: by default, cuDNN computes it in TF32, of 10 bits."""
    places: list[Any] = [getattr(torch.backends.cudnn, kind) for kind in ("conv", "rnn")]
    places.append(torch.backends.cuda.matmul)
    before = [place.fp32_precision for place in places]
    try:
        for place in places:
            place.fp32_precision = "ieee"
        yield
    finally:
        for place, precision in zip(places, before, strict=True):
            place.fp32_precision = precision


def _check_precision(device: str, precision: Precision) -> None:
    if precision == "bfloat16" and device.startswith("cuda") and not torch.cuda.is_bf16_supported(False):
        raise UsageError(
            "training in bfloat16 needs a GPU that computes in it",
            found=torch.cuda.get_device_name(device),
            expected="compute capability 8.0 or higher",
            do="Train in float32: --precision float32",
        )
