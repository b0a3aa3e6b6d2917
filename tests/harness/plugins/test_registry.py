"""Solutions are found by name, and one broken package does not take the others down."""

from __future__ import annotations

import logging
from importlib import metadata

import pytest

from harness.errors import UnknownNameError, UsageError
from harness.plugins import registry
from harness.plugins.interface import ExtractionReport, SolutionEntry
from harness.plugins.registry import extract, providers, solution_entries, solution_entry
from harness.settings import Settings
from harness.tasks import EXPR

PLUGIN = """
from harness.plugins.interface import ExtractionReport, SolutionEntry
from harness.tasks import EXPR

class Provider:
    def solutions(self):
        return [SolutionEntry("expr/theirs", EXPR, "a third party's", create=None)]
    def encoders(self):
        return {"their-encoder": "theirs"}
    def extract(self, encoder, data, splits, settings):
        return ExtractionReport(encoder, 1, 2, 0, 0, 1.0) if encoder == "their-encoder" else None

GOOD, NOT_A_PROVIDER = Provider(), object()
"""


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Installs a package with the entry points given, as pip would."""
    registry.providers.cache_clear()
    registry.solution_entries.cache_clear()

    def install(**points: str) -> None:
        (tmp_path / "their_plugin.py").write_text(PLUGIN)
        (tmp_path / "their_broken_plugin.py").write_text("import a_package_nobody_has")
        folder = tmp_path / "their_plugin-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: their-plugin\nVersion: 1.0\n")
        lines = [f"{name} = {target}" for name, target in points.items()]
        (folder / "entry_points.txt").write_text("\n".join([f"[{registry.GROUP}]", *lines, ""]))
        monkeypatch.syspath_prepend(tmp_path)
        assert any(point.name in points for point in metadata.entry_points(group=registry.GROUP))

    yield install
    registry.providers.cache_clear()
    registry.solution_entries.cache_clear()


def test_our_own_recipes_are_found():
    assert "expr/tiny-mlp-smooth" in solution_entries()


def test_name_without_its_task_is_refused_with_full_names():
    with pytest.raises(UnknownNameError, match=r"Copy it whole: au/tiny-mlp-smooth or expr/tiny-mlp-smooth or va/"):
        solution_entry("tiny-mlp-smooth")
    with pytest.raises(UnknownNameError, match=r"unknown solution 'log-mel'.* whole: ah/log-mel or emi/log-mel\.$"):
        solution_entry("log-mel")


def test_entries_carry_their_names():
    for name, entry in solution_entries().items():
        assert entry.name == name
        assert isinstance(entry, SolutionEntry)
        assert name.partition("/")[0] == entry.task.name.lower()


def test_a_third_partys_solution_stands_beside_ours(installed):
    installed(theirs="their_plugin:GOOD")
    assert solution_entry("expr/theirs").task is EXPR
    assert "expr/tiny-mlp-smooth" in solution_entries()


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("their_broken_plugin:GOOD", "ModuleNotFoundError: No module named 'a_package_nobody_has'"),
        ("their_plugin:MISSING", "AttributeError"),
        ("their_plugin:NOT_A_PROVIDER", "AttributeError"),
    ],
)
def test_a_broken_package_is_warned_about_and_left_out(installed, caplog, target, reason):
    installed(broken=target)
    with caplog.at_level(logging.WARNING, "abaw"):
        assert "expr/tiny-mlp-smooth" in solution_entries()
    assert [record.name for record in caplog.records] == ["abaw"]
    assert "solutions of 'broken' can't be loaded" in caplog.text
    assert reason in caplog.text


def test_two_solutions_of_one_name_are_refused(installed):
    installed(theirs="their_plugin:GOOD", again="their_plugin:GOOD")
    with pytest.raises(UsageError, match="two packages offer a solution called 'expr/theirs'"):
        solution_entries()


def test_an_unknown_solution_gets_a_guess():
    with pytest.raises(UnknownNameError, match=r"unknown solution 'expr/tiny-mlp-smoth'\. Did you mean expr/tiny-mlp"):
        solution_entry("expr/tiny-mlp-smoth")


def test_an_encoder_is_found_in_whichever_package_has_it(installed):
    installed(theirs="their_plugin:GOOD")
    assert extract("their-encoder", None, ["train"], Settings()) == ExtractionReport("their-encoder", 1, 2, 0, 0, 1.0)


def test_an_unknown_encoder_gets_a_guess():
    with pytest.raises(UnknownNameError, match=r"unknown encoder 'landmark'\. Did you mean landmarks"):
        extract("landmark", None, ["train"], Settings())


def test_every_encoder_has_a_line_of_explanation():
    for provider in providers():
        assert all(provider.encoders().values())
