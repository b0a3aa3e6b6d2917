"""A run in the terms of other programs: plain parameters, named numbers and files."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import DataError, SubmissionError
from harness.system.counts import with_seed

if TYPE_CHECKING:
    from harness.records.run import RunRecord

SEEN_IN_TRAINING = "seen_in_training"
"""Prefix in the names of scores on videos that the heads were trained on."""


@dataclass(frozen=True)
class PortableRun:
    """Run to be exported to another program.

    Attributes:
        record: record of the run.
        folder: folder of the run.
        remark: caution about the scores: synthetic data, labels that may be derived, a split that the heads were
            trained on; empty if no caution applies.
    """

    record: RunRecord
    folder: Path
    remark: str

    @classmethod
    def of(cls, folder: Path) -> PortableRun:
        """Read a run's folder.

        Raises:
            DataError: the folder holds no run.
        """
        from harness.datasets.identity import remark_on_data
        from harness.records.run import RunRecord

        record = RunRecord.read(folder)
        remarks = [remark_on_data(str(record.data.get("name", "")), record.task)]
        if record.has_seen_its_split:
            remarks.append(f"heads trained on {record.trained_on}: scores on {record.split} are no validation")
        return cls(record, folder, "; ".join(filter(None, remarks)))

    @property
    def is_synthetic(self) -> bool:
        """True where a program drew the data set of the run."""
        from harness.datasets.identity import is_synthetic

        return is_synthetic(str(self.record.data.get("name", "")))

    @property
    def title(self) -> str:
        """Name of the solution, with its seed and a mark for synthetic data."""
        synthetic = " (synthetic data)" if self.is_synthetic else ""
        return f"{with_seed(self.record.name, self.record.seed)}{synthetic}"

    def parameters(self) -> dict[str, str]:
        """Return the parameters of the run as text: solution, task, split, seed, data set, parts, options."""
        record = self.record
        parts = ("name", "task", "split", "seed", "encoder", "head", "postprocess", "trained_on", "tuned_on")
        plain = {part: getattr(record, part) for part in parts}
        plain["data"] = record.data.get("name")
        plain["labels"] = str(record.data.get("fingerprint") or "")[:8]
        plain |= {f"option.{name}": value for name, value in record.options.items()}
        texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in plain.items()}
        return {"solution": texts.pop("name"), **texts}

    def numbers(self) -> dict[str, float]:
        """Return scores and timings by name, such as ``macro_f1``, ``macro_f1.low``, ``macro_f1.high``, ``f1.Anger``.

        Names of other estimates than the headline begin with the estimate: ``constant.macro_f1``. Scores on videos that
        the heads were trained on begin with ``seen_in_training``.

        Raises:
            DataError: two scores have the same name.
        """
        from harness.records.run import HEADLINE

        start = [SEEN_IN_TRAINING] if self.record.has_seen_its_split else []
        numbers: dict[str, float] = {}
        for row in self.record.scores:
            estimate = [] if row["estimate"] == HEADLINE else [row["estimate"]]
            target = [] if row["target"] == "all" else [row["target"]]
            name = re.sub(r"[^\w./ -]", "_", ".".join([*start, *estimate, row["metric"], *target]))
            if name in numbers:
                raise DataError("two scores of a run have one name", where=self.folder, found=name)
            ends = {f"{name}.{end}": row[end] for end in ("low", "high") if row[end] is not None}
            numbers |= {name: row["value"], **ends}
        timings = {f"timing.{name}": n for name, n in self.record.timings.items() if n is not None}
        return numbers | {name: float(n) for name, n in timings.items()}

    def score_rows(self) -> list[dict[str, Any]]:
        """Return one row per score, with the run, data and labels that the score belongs to."""
        record = self.record
        start = {
            "run_id": record.run_id,
            "solution": record.name,
            "task": record.task,
            "split": record.split,
            "seed": record.seed,
            "data": record.data.get("name"),
            "labels": str(record.data.get("fingerprint") or "")[:8],
            "remark": self.remark,
        }
        return [{**start, **row} for row in record.scores]

    def copy_files(self, folder: Path) -> None:
        """Copy the record and the files that it names into a folder, and check each copy against its hash.

        Raises:
            SubmissionError: a file is missing, or differs from what the run wrote.
        """
        from harness.records.run import RUN_FILE, STATISTICS_FILE, recorded_file
        from harness.system.provenance import sha256_of

        folder.mkdir(parents=True, exist_ok=True)
        names: Mapping[str, str | None] = {**self.record.files, RUN_FILE: None, STATISTICS_FILE: None}
        for name, digest in names.items():
            source, copy = recorded_file(self.folder, name), folder / name
            if not source.is_file():
                raise SubmissionError(
                    "a file of the run is missing", where=source, do="Make the run again with --fresh"
                )
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy)
            if digest is not None and sha256_of(copy) != digest:
                do = "Make the run again with --fresh"
                raise SubmissionError(
                    "this file is not what the run wrote", where=source, found="a changed file", do=do
                )
