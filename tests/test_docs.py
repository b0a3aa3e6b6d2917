"""The documentation site builds; each command, option, public name, error, format and recipe has an anchor in it."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

import abaw
from docs.generate import pages
from docs.generate.commands import option_anchor, page_of
from harness import errors
from harness.files.formats import FORMATS
from solutions.recipes import RECIPES
from tests.support.command_tree import COMMANDS, options
from tests.support.places import REPOSITORY

PAGES = pages()
ERRORS = PAGES["reference/errors.md"]
SOLUTIONS = "\n".join(text for path, text in PAGES.items() if path.startswith("solutions/"))
SOURCES = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "harness/files").rglob("*.py")]
CODES = sorted(
    {code for text in SOURCES for code in re.findall(r'(?:\.add|Found)\([^"]*?"([a-z]+(?:-[a-z]+)*)"', text)}
)


@pytest.mark.parametrize("name", COMMANDS)
def test_command_has_a_page_with_all_its_options(name):
    text = PAGES[page_of(name)]
    assert f"\n{name} " in text or f"\n{name}\n" in text
    missing = [option for option in options(COMMANDS[name]) if f'id="{option_anchor(name, option)}"' not in text]
    assert missing == []


@pytest.mark.parametrize("name", abaw.__all__)
def test_public_name_has_a_section(name):
    text = PAGES["reference/api.md"]
    assert f"\n::: abaw.{name}\n" in text or f'id="abaw.{name}"' in text


def test_every_error_class_has_a_section():
    names = {name for name, value in vars(errors).items() if inspect.isclass(value) and name.endswith("Error")}
    assert {name for name in names if f"{{ #{name} }}" not in ERRORS} == set()
    assert len(names) > 10


def test_every_exit_code_has_a_row():
    used = {value.exit_code for value in vars(errors).values() if hasattr(value, "exit_code")}
    assert {code for code in {0, 130, *used} if f'id="exit-code-{code}"' not in ERRORS} == set()


def test_every_problem_code_has_a_section():
    assert len(CODES) > 30
    assert [code for code in CODES if f"{{ #problem-{code} }}" not in ERRORS] == []


def test_problem_of_a_damaged_file_is_on_the_page(tmp_path):
    path = tmp_path / "predictions.txt"
    path.write_text("image_location,valence,arousal\nv/00001.jpg,2,0\nv/00001.jpg,x,0\nv/3.jpg,0\n", encoding="utf-8")
    codes = {problem.code for problem in abaw.validate(path, "VA").problems}
    assert len(codes) > 2
    assert {code for code in codes if f"{{ #problem-{code} }}" not in ERRORS} == set()


def test_messages_are_listed_with_their_module():
    assert "- no data set named. Give --data ROOT" in ERRORS
    assert "<code>harness/datasets/open.py</code>" in ERRORS


@pytest.mark.parametrize("name", FORMATS)
def test_format_has_a_section_and_its_editions(name):
    text, format = PAGES["reference/formats.md"], FORMATS[name]
    anchor = f"format-{name.lower()}"
    assert f"{{ #{anchor} }}" in text
    for edition in format.editions:
        row = next(line for line in text.splitlines() if line.startswith(f"| {edition} |"))
        assert f"(#{anchor})" in row


@pytest.mark.parametrize("name", FORMATS)
def test_example_of_a_format_is_valid(name, tmp_path):
    section = PAGES["reference/formats.md"].partition(f"{{ #format-{name.lower()} }}")[2]
    example = re.search(r"```text\n(.*?)```", section, re.S)[1]
    format = FORMATS[name]
    path = tmp_path / "predictions.txt"
    if format.per_video:
        path = tmp_path / "predictions"
        path.mkdir()
        (path / f"video1{format.suffix}").write_text(example, encoding="utf-8")
    else:
        path.write_text(example, encoding="utf-8")
    report = abaw.validate(path, format.task)
    assert [str(problem) for problem in report.problems if problem.severity == "error"] == []


def test_every_recipe_has_a_section():
    assert [recipe.name for recipe in RECIPES if f"# `{recipe.name}` {{" not in SOLUTIONS] == []


def test_every_table_of_a_paper_with_recipes_has_a_page():
    tables = {(recipe.row.paper, recipe.row.table) for recipe in RECIPES if recipe.row}
    assert len(tables) == 13
    assert all(f"solutions/{paper}-table{number}.md" in PAGES for paper, number in tables)


def test_links_into_generated_pages_lead_somewhere():
    written = [*(REPOSITORY / "docs").glob("*.md"), REPOSITORY / "CONTRIBUTING.md"]
    for page in written:
        links = re.findall(r"\]\(((?:reference|solutions|examples)/[^)#]+\.md)", page.read_text(encoding="utf-8"))
        assert [link for link in links if link not in PAGES] == [], page.name


def test_pages_beside_the_generated_ones_are_in_the_navigation():
    listed = set(re.findall(r"\b([\w-]+\.md)\b", (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8")))
    written = {path.name for path in (REPOSITORY / "docs").glob("*.md")}
    assert written - listed == set()


def test_citation_names_the_version_and_both_papers():
    citation = yaml.safe_load((REPOSITORY / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert citation["version"] == project["version"]
    assert f"## {project['version']} - {citation['date-released']}" in (REPOSITORY / "CHANGELOG.md").read_text("utf-8")
    titles = [reference["title"] for reference in citation["references"]]
    assert titles[0].startswith("HSEmotion Team at ABAW-10 Competition")
    assert titles[1].startswith("Leveraging Lightweight Facial Models")


@pytest.mark.parametrize("path", sorted((REPOSITORY / ".github").rglob("*.yml")), ids=lambda path: path.name)
def test_form_or_workflow_is_yaml_and_names_real_targets(path):
    text = path.read_text(encoding="utf-8")
    assert yaml.safe_load(text)
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.M))
    assert set(re.findall(r"run: make ([a-z-]+)", text)) <= targets


def test_make_docs_is_strict_and_not_quiet():
    """With --quiet MkDocs counts no warnings, so that --strict passes whatever is broken."""
    lines = (REPOSITORY / "Makefile").read_text(encoding="utf-8").splitlines()
    build = next(line for line in lines if "mkdocs build" in line)
    assert "--strict" in build
    assert "--quiet" not in build


def test_image_of_the_board_is_small():
    data = (REPOSITORY / "docs/images/board.png").read_bytes()
    assert data.startswith(b"\x89PNG")
    assert 20_000 < len(data) < 200_000


class Assets(HTMLParser):
    """Collect the anchors of a page, and what a browser would load for it."""

    def __init__(self):
        super().__init__()
        self.anchors, self.loaded = set(), []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.anchors.add(values.get("id"))
        source = values.get("href") if tag == "link" and values.get("rel") != "canonical" else values.get("src")
        if source:
            self.loaded.append(source)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The built site, by this environment or by that of ``make docs``."""
    beside = REPOSITORY / ".venv-docs/bin/python"
    here = all(map(find_spec, ("material", "mkdocstrings", "altair", "vl_convert")))
    if not here and not beside.is_file():
        pytest.skip("the extra docs is not installed here, and make docs has made no .venv-docs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable if here else beside, "-m", "mkdocs", "build", "--strict", "--site-dir", folder]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.process
@pytest.mark.slow
def test_built_site_has_anchors_and_loads_nothing_from_outside(site):
    read = {}
    for page in site.rglob("*.html"):
        read[page.relative_to(site).as_posix()] = parser = Assets()
        parser.feed(page.read_text(encoding="utf-8"))
        assert [source for source in parser.loaded if "//" in source] == [], page.name
    assert len(read) > 70
    assert {f"abaw.{name}" for name in abaw.__all__} - read["reference/api.html"].anchors == set()
    assert {f"problem-{code}" for code in CODES} - read["reference/errors.html"].anchors == set()
    style = "\n".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"url\(\s*['\"]?https?:", style) == []
    for name in ("statistics", "interval", "pairs", "optimism"):
        assert "synthetic data" in (site / f"figures/{name}.svg").read_text(encoding="utf-8")
