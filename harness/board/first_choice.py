"""The solution of each task to start with: the user's best, or before any run the simplest that needs no download."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from harness.board.own_best import OwnBest
from harness.plugins.interface import SolutionEntry
from harness.plugins.needs import Need
from harness.tasks import TASKS


@dataclass(frozen=True)
class FirstChoice:
    """A solution to start with.

    Attributes:
        name: of the solution.
        why: reason in a few words.
    """

    name: str
    why: str


def first_choices(
    entries: Sequence[SolutionEntry],
    needs: Mapping[str, Sequence[Need]],
    best: Mapping[str, OwnBest],
    *,
    demo: Collection[str] = (),
) -> dict[str, FirstChoice]:
    """Return the solution to start with by task, of those that run now.

    It is the solution with the best recorded validation score of the user's runs on real data. Before any such run it
    is the simplest single solution that needs no download: one head in place of a blend, encoders other than the demo's
    where there is a choice, few of them, smoothed over time, few further steps. Where every solution needs weights, the
    same holds for those whose weights are here, the best score of a paper first.

    Args:
        entries: solutions to choose from; variants count with the solution that they are a variant of.
        needs: of each solution by name, here or missing; those of a variant are optional.
        best: the user's best run of each solution by name.
        demo: names of the demo's solutions, whose encoders are chosen last.
    """
    demo_encoders = {entry.encoder for entry in entries if entry.name in demo}

    def simplicity(entry: SolutionEntry) -> tuple[float, bool, int, bool, int]:
        steps = entry.postprocess.split(", ")
        score, plain = entry.published or 0, entry.encoder not in demo_encoders
        return score, plain, -entry.encoder.count(" + "), "smoothed" in steps, -len(steps)

    choices = {}
    for task in TASKS.values():
        ready = [e for e in entries if e.task == task and all(need.here for need in needs.get(e.name) or ())]
        scored = [e for e in ready if e.name in best and not best[e.name].drawn]
        if scored:
            first = max(scored, key=lambda entry: best[entry.name].score)
            choices[task.name] = FirstChoice(first.name, f"your best: {best[first.name].score:.4f}")
            continue
        single = [e for e in ready if not e.variant_of and " + " not in e.head]
        light = [e for e in single if all(need.kind == "package" for need in needs.get(e.name) or ())]
        if light or single:
            first = max(light or single, key=simplicity)
            why = "simplest, no download" if light else "its weights are here"
            choices[task.name] = FirstChoice(first.name, why)
    return choices
