"""The tables of the Papers page: a paper's rows with our runs beside them, and the gain of each ingredient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.board.gains import Ingredients
from harness.board.ingredients import INGREDIENTS
from harness.board.papers import Beside, PaperTable, unit_of_rows
from harness.metrics.titles import score_title
from harness.system.counts import counted
from harness.tables.table import Column, Table, one_line

NOT_RUN = "not run yet"
Row = dict[str, Any]


def paper_rows(table: PaperTable, rows: Sequence[Beside], data_name: str) -> list[Row]:
    """Return one row of plain values per row of the paper's table; missing values are ``None``.

    Args:
        table: the paper's table.
        rows: its rows with our runs.
        data_name: data set of our runs. The difference is left out for runs on other data than the paper's, and for
            labels that may differ from the paper's.
    """
    lines: list[Row] = []
    for row in rows:
        ours, constants = row.ours, row.constants
        comparable = ours is not None and row.paper is not None and data_name == table.on and not row.apart
        comparable = comparable and ours is not None and ours.metric == table.metric
        line: Row = {
            "system": row.printed.system,
            "own": row.printed.is_own,
            "paper": row.paper,
            "ours": ours and ours.mean,
            "interval": ours and ours.interval,
            "tuned": ours and ours.tuned,
            "optimism": None if ours is None or ours.tuned is None else ours.tuned - ours.mean,
            "constants": constants and constants.mean,
            "difference": ours.like_papers - row.paper if comparable and ours and row.paper is not None else None,
            "seeds": ours and len(ours.run_ids),
            "sd": ours and ours.sd,
            "solution": row.solution,
            "row": row.printed.row.row_id,
        }
        for key in table.targets:
            line["paper " + key[1]] = row.printed.values.get(key)
            line["ours " + key[1]] = ours and ours.targets.get(key)
        lines.append(line)
    return lines


def state_of(row: Beside, table: PaperTable) -> str:
    """Return the state of a row: run, waiting for weights by name, failed with the reason, or not run yet."""
    if row.ours is not None:
        n = len(row.ours.run_ids)
        return "run" if n == 1 else f"run, {counted(n, 'seed')}"
    if not row.printed.is_own:
        return "another team's"
    if table.split == "test":
        return "scored by the organisers"
    if not row.solution:
        return row.failure or "no solution for it"
    if row.failure:
        return row.needs or f"failed: {_first_line(row.failure)}"
    return NOT_RUN


def _first_line(reason: str) -> str:
    """Return the first line of a reason, cut after :data:`_LONGEST_REASON` characters."""
    line = one_line(reason.partition("\n")[0])
    return line if len(line) <= _LONGEST_REASON else f"{line[: _LONGEST_REASON - 1]}…"


_LONGEST_REASON = 200


def paper_table(table: PaperTable, rows: Sequence[Beside], data_name: str) -> Table:
    """Return a paper's table with our runs beside it, for export."""
    title = score_title(table.metric)
    columns = [
        Column("system", "System"),
        Column("paper", "Paper", "number", digits=4, best=True),
        Column("ours", "Ours", "number", digits=4, best=True),
        Column("interval", f"95 % by {unit_of_rows(rows)}", "interval"),
        Column("tuned", "Tuned on val", "number", digits=4, spare=1),
        Column("optimism", "Optimism", "signed", digits=4, spare=4),
        Column("constants", "Paper's constants", "number", digits=4, spare=5),
        Column("difference", "Ours - paper", "signed", digits=4),
        Column("seeds", "Seeds", "whole", spare=2),
        Column("sd", "SD of seeds", "number", digits=4, spare=3),
    ]
    for _, target in table.targets:
        columns += [Column(f"paper {target}", f"Paper, {target}", "number")]
        columns += [Column(f"ours {target}", f"Ours, {target}", "number")]
    columns.append(Column("state", "State"))
    lines = paper_rows(table, rows, data_name)
    for line, row in zip(lines, rows, strict=True):
        line["state"] = state_of(row, table)
    ran = any(row.ours for row in rows)
    notes = [f"{title}. The paper's numbers are, as a rule, tuned on the videos that they are reported on."]
    if ran:
        notes.append("Ours: mean over seeds, cross-fitted; 'tuned on val' as the paper does.")
    if ran and data_name != table.on:
        notes.append(f"Ours is on {data_name}, the paper's on {table.on}: not comparable, no difference is formed.")
    if ran and rows[0].apart:
        notes.append(f"{rows[0].apart} No difference is formed.")
    other = next((row.ours.metric for row in rows if row.ours and row.ours.metric != table.metric), "")
    if other:
        notes.append(f"Ours is {score_title(other)}, the paper's {title}: no difference is formed.")
    used = [
        c for c in columns if c.key in ("system", "paper", "state") or any(line[c.key] is not None for line in lines)
    ]
    return Table(table.title, tuple(used), tuple(lines), notes=tuple(notes))


def ingredient_name(added: str, removed: str = "") -> str:
    """Return an ingredient's name: ``smoothing``, or ``best thresholds in place of threshold 0.5``."""
    words = [INGREDIENTS.get(name, (name,))[0] for name in (added, removed) if name]
    return " in place of ".join(words)


def ingredient_rows(ingredients: Ingredients) -> list[Row]:
    """Return one row per ingredient: its mean, least and largest gain, and the gain of our runs over the same pairs."""
    lines: list[Row] = []
    for gain in ingredients.listed:
        our_gain, values = ingredients.own(gain.steps), [step.gain for step in gain.steps]
        lines.append(
            {
                "ingredient": ingredient_name(gain.added, gain.removed),
                "what": "in place of another" if gain.removed else "put on top",
                "pairs": len(values),
                "paper": gain.mean if ingredients.printed else None,
                "least": min(values) if ingredients.printed else None,
                "most": max(values) if ingredients.printed else None,
                "ours": our_gain and our_gain.gain,
                "interval": our_gain and our_gain.interval,
                "own_pairs": our_gain.pairs if our_gain else 0,
            }
        )
    return lines


def ingredient_table(title: str, ingredients: Ingredients) -> Table:
    """Return the gain of each ingredient: in the paper, and of our runs."""
    columns = [
        Column("ingredient", "Ingredient"),
        Column("what", "How"),
        Column("pairs", "Pairs", "whole"),
        Column("paper", "Paper, mean", "signed", digits=4),
        Column("least", "Least", "signed", digits=4),
        Column("most", "Most", "signed", digits=4),
        Column("ours", "Ours, mean", "signed", digits=4),
        Column("interval", f"95 % by {ingredients.unit}", "interval", digits=4),
        Column("own_pairs", "Pairs run", "whole"),
    ]
    notes = ("Pairs: rows that differ in nothing else. Means over pairs.",)
    return Table(
        f"{title}: what each ingredient adds",
        _of_gains(columns, ingredients),
        tuple(ingredient_rows(ingredients)),
        notes=notes,
    )


def step_table(title: str, ingredients: Ingredients) -> Table:
    """Return every pair of rows that differ in one ingredient, the largest gain first."""
    columns = [
        Column("ingredient", "Ingredient"),
        Column("before", "From"),
        Column("after", "To"),
        Column("paper", "Paper", "signed", digits=4),
        Column("ours", "Ours", "signed", digits=4),
        Column("interval", f"95 % by {ingredients.unit}", "interval", digits=4),
    ]
    return Table(f"{title}: pairs", _of_gains(columns, ingredients), tuple(step_rows(ingredients)))


def _of_gains(columns: Sequence[Column], ingredients: Ingredients) -> tuple[Column, ...]:
    """Return the columns without the paper's, or ours, if these are empty."""
    missing = [] if ingredients.printed else ["paper", "least", "most"]
    missing += [] if ingredients.ours else ["ours", "interval", "own_pairs"]
    return tuple(column for column in columns if column.key not in missing)


def step_rows(ingredients: Ingredients) -> list[Row]:
    """Return one row per pair, the largest gain first; ``runs`` holds ids of our runs before and after, or ``None``."""
    pairs = [(gain, step) for gain in ingredients.listed for step in gain.steps]
    lines: list[Row] = []
    for gain, step in sorted(pairs, key=lambda pair: -pair[1].gain):
        our_gain = ingredients.own([step])
        lines.append(
            {
                "ingredient": ingredient_name(gain.added, gain.removed),
                "before": step.before.name,
                "after": step.after.name,
                "paper": step.gain if ingredients.printed else None,
                "ours": our_gain and our_gain.gain,
                "interval": our_gain and our_gain.interval,
                "runs": our_gain and tuple(ingredients.ours[end.key].run_ids[0] for end in (step.before, step.after)),
            }
        )
    return lines
