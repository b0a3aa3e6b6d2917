"""Training of clip networks, end to end or on cached features, with the authors' procedure or without its quirks.

===================  ==============================================  ==============================================
aspect               ``paper`` (the authors' notebook)               ``fixed``
===================  ==============================================  ==============================================
clips of an epoch    one per video, however long                     all videos cut end to end, each frame once
clips' frame step    2, while inference has 1                        that of inference
short videos         each repeat of the last frame counts            the last frame counts once
augmentation         random for each frame                           random for the clip, the same for all inputs
learning rates       encoders' rate by names: also for fusion and    encoders' rate for the encoders, full rate for
                     projections of features, but the last norm      all else
                     inside an encoder has the full rate
schedule             over more steps than happen: it stays high      over the steps that happen
left-over passes     skipped                                         a shorter step
loss of a step       mean of its passes' weighted means              weighted mean of its frames
changes of label     also towards frames without annotation          between annotated frames only
===================  ==============================================  ==============================================

Both modes have weighted cross-entropy, AdamW or SGD, one-cycle rates, gradients clipped to a norm of 1, a fixed number
of epochs, and plain weights instead of a moving average. Mode ``paper``, too, differs from the authors' code in these
points:

- The authors select the epoch that is best on 11 random clips of each validation video, and report these videos. Here
  every epoch's weights are stored (``keep="best"``), and the epoch is chosen by cross-fitting on whole validation
  videos; or the last epoch is used (``"last"``).
- With frozen encoders, features come from the cache, and thus from unchanged images; the authors compute them from
  augmented images. Their frozen ConvNeXt stays in training mode, which changes nothing: it lacks BatchNorm and dropout.
- Half precision is bfloat16, which needs no scaling of gradients; the authors use float16.
- In the authors' code BatchNorm sees a grey clip once before training, and each pass of an EfficientNet twice.
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
    """Train a clip network, or resume its training. On CPUs the same seed gives the same bytes for any number of cores.

    An interrupted call loses at most the current epoch; repeating the call resumes and gives the same bytes.

    Args:
        net: the initialised network; afterwards it is on ``device``, in evaluation mode, with the last epoch's weights.
            Encoders that are frozen before the call stay as they are. A network with the fusion ``side-by-side`` gets
            the moments of cached features first.
        training: settings of the training.
        clips: the training videos. Rows of features under ``rgb`` or ``flow`` replace the outputs of the encoders.
        seed: seed of clips, augmentation and dropout.
        device: torch device: ``cpu`` or ``cuda``.
        precision: ``bfloat16`` for the operations that torch's autocast runs in it; weights stay float32.
        folder: folder for weights and the state of training; one per set of clips, whose contents are not compared.
        workers: threads that read clips.

    Returns:
        Files of weights of each epoch, or of the last one (``training.keep``), which
        :func:`~solutions.clips.checkpoint.load_epoch` reads.

    Raises:
        DataError: all frames lack annotation, or images are damaged.
        UsageError: the device lacks this precision.
        SolutionError: the loss became infinite or NaN.
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
    images = not isinstance(clips, FeatureClips)
    if left:
        with (
            compute_threads(device, images),
            exact_float32(),
            progress("training the clip network", frames, "frames") as advance,
        ):
            for epoch in left:
                checkpoint.save(net, trainer.optimiser, trainer.epoch(epoch, advance), last=epoch == left[-1])
    net.eval()
    return checkpoint.kept


def training_note(training: ClipTraining, labels: Sequence[Integers]) -> str:
    """Return a note on the training for readers of the result; empty if there is nothing to tell.

    Args:
        training: settings of the training.
        labels: one int64 array ``(n,)`` per training video, -1 for frames without annotation.
    """
    return Plan.of(training, Sampler(labels, training).n_clips).note


class _Trainer:
    """Objects of a training run: network, sampler, plan, optimiser and loss."""

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
        """Create sampler, plan, optimiser and loss; see :func:`train_clips` for the arguments."""
        self.net, self.training, self.seed, self.device, self.precision = net, training, seed, device, precision
        self.sampler = Sampler(clips.labels, training)
        self.plan = Plan.of(training, self.sampler.n_clips)
        self.optimiser = make_optimiser(net, training)
        self._loading = Loading(clips, training, net.settings.flow_pictures, workers)
        weights = class_weights(self.sampler.labels, training.positive_weight)
        self._loss = ClipLoss(training, torch.tensor(weights, dtype=torch.float32))

    def key(self) -> str:
        """Return the hash of all that determines the weights, except for the contents of the clips."""
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
        """Train for an epoch, counted from 0, and return the mean loss of its steps.

        Raises:
            SolutionError: the loss is infinite or NaN.
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
        """Make one step of the optimiser, and return its loss."""
        targets = [torch.from_numpy(each.targets) for each in passes]
        half = torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")
        whole = torch.zeros((), device=self.device)
        for truth, totals in zip(targets, self._loss.totals(targets), strict=True):
            tensors = {key: self._moved(torch.from_numpy(values)) for key, values in next(inputs).items()}
            with half:
                logits = self.net(tensors)
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


def compute_threads(device: str, images: bool) -> contextlib.AbstractContextManager[None]:
    """Compute with a fixed number of threads on a CPU for a block; with a GPU, leave the number of threads as it is.

    Args:
        device: torch device.
        images: True if the network's inputs are images, False for rows of features.
    """
    if device != "cpu":
        return contextlib.nullcontext()
    return pinned_threads(PICTURE_THREADS if images else ROW_THREADS)


@contextlib.contextmanager
def exact_float32() -> Iterator[None]:
    """Compute in full float32 on a GPU for a block; by default, cuDNN rounds to TF32 with 10 bits."""
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
