"""The page on the architecture names what is there, and all of it."""

from __future__ import annotations

import re

import pytest

from tests.support.places import REPOSITORY

PAGE = (REPOSITORY / "docs/architecture.md").read_text(encoding="utf-8")
PATHS = re.findall(r"`((?:harness|solutions|leaderboard|tests|abaw)/[\w/.]*)`", PAGE)
TREE = re.findall(r"^\| `([\w/.]+)` \|", PAGE.partition("## Journey")[0], re.MULTILINE)


@pytest.mark.parametrize("path", sorted(set(PATHS)))
def test_named_path_exists(path):
    place = REPOSITORY / path
    assert place.is_dir() if path.endswith("/") else place.is_file()


@pytest.mark.parametrize("package", ["harness", "solutions", "leaderboard"])
def test_every_sub_package_stands_in_the_tree(package):
    folders = {path.parent.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / package).glob("**/__init__.py")}
    above = {folder for folder in folders if folder == package or f"{folder}/" in TREE}
    inside = {folder for folder in folders - above if folder.rpartition("/")[0] == "solutions/encoders"}
    assert folders - above - inside == set()
    line = next((row for row in PAGE.splitlines() if row.startswith("| `solutions/encoders/` |")), "")
    assert all(f"`{folder.rpartition('/')[2]}/`" in line for folder in inside)


def test_page_names_many_paths():
    assert len(set(PATHS)) > 60
