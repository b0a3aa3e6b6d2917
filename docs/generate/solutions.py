"""Pages of solutions: one per table of a paper, and one of the project's own, generated from the recipes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from docs.generate.markdown import cell, fenced, page, slug, table
from harness.metrics.titles import score_title
from harness.reference.papers import TableRow, table_rows
from harness.tasks import TASKS
from solutions.recipe import PAPER_CONSTANTS, Recipe
from solutions.recipes import RECIPES

FOLDER = "solutions"
PAPERS = {
    "abaw10": "HSEmotion at ABAW-10 (arXiv:2603.12693)",
    "abaw8": "HSEmotion at ABAW-8 (2025)",
}


def tables() -> dict[tuple[str, str], list[Recipe]]:
    """Return the recipes of each table of a paper, in the order of :data:`RECIPES`."""
    of_table: dict[tuple[str, str], list[Recipe]] = {}
    for recipe in RECIPES:
        if recipe.row is not None:
            of_table.setdefault((recipe.row.paper, recipe.row.table), []).append(recipe)
    return dict(sorted(of_table.items(), key=lambda item: (-int(item[0][0].removeprefix("abaw")), int(item[0][1]))))


def pages() -> dict[str, str]:
    """Return the page of each table, and that of the project's own solutions."""
    listed: set[str] = set()
    texts = {}
    for (paper, number), recipes in tables().items():
        variants = [recipe for recipe in RECIPES if recipe.variant_of in {one.name for one in recipes}]
        listed |= {recipe.name for recipe in (*recipes, *variants)}
        texts[f"{FOLDER}/{paper}-table{number}.md"] = _table_page(paper, number, recipes, variants)
    rest = [recipe for recipe in RECIPES if recipe.name not in listed]
    texts[f"{FOLDER}/ours.md"] = _own_page(rest)
    return texts


def title_of(paper: str, number: str) -> str:
    """Return the title of a table's page, such as *ABAW-10, table 1: EXPR*."""
    names = dict.fromkeys(recipe.task.name for recipe in tables()[paper, number])
    return f"{paper.upper().replace('ABAW', 'ABAW-')}, table {number}: {', '.join(names)}"


def _table_page(paper: str, number: str, recipes: Sequence[Recipe], variants: Sequence[Recipe]) -> str:
    printed = [row for row in table_rows() if (row.row.paper, row.row.table) == (paper, number)]
    by_row: dict[str, list[TableRow]] = {}
    for row in printed:
        by_row.setdefault(row.row.row_id, []).append(row)
    rows = (
        (_link(recipe), cell(recipe.summary), cell(_encoders(recipe)), _values(by_row.get(recipe.row.row_id, ())))
        for recipe in recipes
        if recipe.row
    )
    others = [row for row in printed if not row.is_own]
    parts = [
        f"Rows of table {number} of {PAPERS[paper]} as recipes. *Printed* is the paper's number; run a row to see "
        f"yours. The whole table: `abaw reproduce {paper}:table{number}`. [Ingredients](../ingredients.md) says where "
        "text and code differ.\n",
        table(("solution", "what it is", "encoders", "printed"), rows),
    ]
    if others:
        lines = ((cell(row.system), cell(row.variant or row.head), _values([row])) for row in others)
        parts += ["## Other systems that the table prints\n", table(("system", "variant", "printed"), lines)]
    parts += [
        "## Recipes\n",
        *(_recipe(recipe, [v for v in variants if v.variant_of == recipe.name]) for recipe in recipes),
    ]
    return page(title_of(paper, number), *parts)


def _own_page(recipes: Sequence[Recipe]) -> str:
    rows = ((_link(recipe), cell(recipe.summary), cell(_encoders(recipe))) for recipe in recipes)
    parts = [
        "Solutions of this project, which reproduce no row of a paper. Those on `landmarks`, `tiny` and `log-mel` need "
        "no download. [Solutions](../solutions.md) has their scores on real faces.\n",
        table(("solution", "what it is", "encoders"), rows),
        "## Recipes\n",
        *(_recipe(recipe, []) for recipe in recipes),
    ]
    return page("Our own solutions", *parts)


def _link(recipe: Recipe) -> str:
    return f"[`{recipe.name}`](#{slug(recipe.name)})"


def _encoders(recipe: Recipe) -> str:
    return ", ".join(recipe.encoders)


def _values(rows: Iterable[TableRow]) -> str:
    """Return what a paper prints of a row over all targets, with split and metric."""
    parts = [
        f"{row.split} {score_title(metric)} {value:g}"
        for row in rows
        for (metric, target), value in row.values.items()
        if target == "all"
    ]
    return cell("; ".join(parts) or "by target only")


def _recipe(recipe: Recipe, variants: Sequence[Recipe]) -> str:
    heads = ", ".join(dict.fromkeys(stream.words for stream in recipe.streams))
    rows = [
        ("task", f"{recipe.task.name}, {TASKS[recipe.task.name].title}"),
        ("encoders", cell(_encoders(recipe))),
        ("head", cell(heads)),
        ("after the head", cell(recipe.postprocess.words())),
        ("extras", cell(", ".join(recipe.needs) or "none beyond those of its encoders")),
    ]
    names = [f"[`{variant.name}`](#{slug(variant.name)})" for variant in variants]
    if recipe.paper_constants is not None:
        names.append(f"`{recipe.name}{PAPER_CONSTANTS}`")
    if names:
        rows.append(("variants", ", ".join(names)))
    parts = [f"### `{recipe.name}` {{ #{slug(recipe.name)} }}\n", f"{_sentence(recipe.summary)}\n"]
    if recipe.remark:
        parts.append(f"{_sentence(recipe.remark)}\n")
    parts += [table(("", ""), rows), _data(recipe)]
    for variant in variants:
        parts.append(f"#### `{variant.name}` {{ #{slug(variant.name)} }}\n")
        parts += [f"{_sentence(variant.remark or variant.summary)}\n", _data(variant)]
    return "\n".join(parts)


def _sentence(text: str) -> str:
    return cell(text[:1].upper() + text[1:].rstrip(".")) + "."


def _data(recipe: Recipe) -> str:
    text = json.dumps(recipe.describe(), indent=2, ensure_ascii=False)
    block = fenced(text, "json").replace("\n", "\n    ").rstrip()
    return f'??? note "As data"\n\n    {block}\n'
