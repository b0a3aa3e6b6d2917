"""One tree of errors, drawn at the top of its file; one style of message."""

from __future__ import annotations

import copy
import errno
import inspect
import json
import re
import sys
from pathlib import Path

import pytest

from harness import errors
from harness.errors import (
    AbawError,
    DataError,
    SubmissionError,
    UnknownNameError,
    install_command,
    problem,
    storage_error,
)
from tests.support.places import REPOSITORY


def drawn_tree() -> dict[str, tuple[str | None, int]]:
    """Parent and exit code of each class, as the docstring draws them."""
    drawn: dict[str, tuple[str | None, int]] = {}
    above: list[str] = []
    for line in errors.__doc__.splitlines():
        found = re.match(r" {4}([│├└─ ]*)(\w+Error) +(?:exit code )?(\d)", line)
        if found:
            depth = len(found[1]) // 4
            above[depth:] = [found[2]]
            drawn[found[2]] = (above[depth - 1] if depth else None, int(found[3]))
    return drawn


def real_tree() -> dict[str, tuple[str | None, int]]:
    classes = inspect.getmembers(errors, lambda c: inspect.isclass(c) and issubclass(c, AbawError))
    return {name: (None if c is AbawError else c.__base__.__name__, c.exit_code) for name, c in classes}


def test_the_tree_in_the_docstring_is_the_real_tree():
    assert drawn_tree() == real_tree()
    assert len(real_tree()) > 10


def test_every_error_is_explained():
    for name in real_tree():
        assert getattr(errors, name).__doc__


def test_a_problem_says_where_what_found_expected_and_what_to_do():
    text = problem("not a label", where=Path("a.txt:3:1"), found="'x'", expected="0 to 7", do="Unpack again.")
    assert text == "a.txt:3:1: not a label; found 'x', expected 0 to 7. Unpack again."


def test_a_question_ends_as_one():
    assert problem("is it there?", do="Was it moved?") == "is it there? Was it moved?"
    assert problem("no file", found="what?", do="Look again...") == "no file; found what? Look again."
    assert problem("stop!", do="Go on!") == "stop! Go on!"


def test_a_problem_leaves_out_what_is_not_known():
    assert problem("no videos") == "no videos."
    assert problem("no videos", found=0) == "no videos; found 0."


def test_unknown_names_get_the_closest_ones():
    error = UnknownNameError("solution", "landmark-mlp", ["landmarks-mlp", "tiny"])
    assert str(error) == "unknown solution 'landmark-mlp'. Did you mean landmarks-mlp? Known: landmarks-mlp, tiny."


def test_unknown_names_without_a_close_one_get_the_hint():
    assert str(UnknownNameError("run", "zzz", ["a"], hint="See: abaw runs")) == "unknown run 'zzz'. See: abaw runs"


def test_unknown_names_where_nothing_is_known():
    assert str(UnknownNameError("encoder", "x", [])) == "unknown encoder 'x'. Known: none."


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_is_called_that(code):
    assert "the disk is full" in str(storage_error(OSError(code, "words of the system"), Path("x")))


def test_numpys_short_write_is_a_full_disk_too():
    assert "the disk is full" in str(storage_error(OSError("100000 requested and 496 written"), Path("x")))


def test_other_failures_to_write_keep_the_systems_words_and_file():
    error = storage_error(OSError(errno.EACCES, "Permission denied", "/ro/model"), Path("/ro/run"))
    assert str(error).startswith("/ro/run: can't write; found")
    assert "Permission denied: '/ro/model'" in str(error)


def test_install_command_in_the_checkout_is_its_folder(monkeypatch):
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    monkeypatch.chdir(REPOSITORY)
    assert install_command("mediapipe") == "pip install -e '.[mediapipe]'"


def test_install_command_elsewhere_names_checkout_and_python(monkeypatch, tmp_path):
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.chdir(tmp_path)
    assert install_command("team") == f"{sys.executable} -m pip install -e '{REPOSITORY}[team]'"


def test_install_command_without_a_checkout_names_the_origin(monkeypatch, tmp_path):
    class Installed:
        def read_text(self, name):
            return json.dumps({"url": "file:///home/me/abaw.whl"}) if name == "direct_url.json" else None

    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    monkeypatch.setattr(errors, "__file__", str(tmp_path / "site-packages/harness/errors.py"))
    monkeypatch.setattr("importlib.metadata.distribution", lambda name: Installed())
    assert install_command("team") == "pip install 'abaw-harness[team] @ file:///home/me/abaw.whl'"


def test_error_of_parts_has_the_message_of_a_problem():
    error = DataError("not a label", where="a.txt:3:1", found="'x'", expected="0 to 7", do="Unpack again")
    assert str(error) == "a.txt:3:1: not a label; found 'x', expected 0 to 7. Unpack again."


def test_error_of_a_text_alone_keeps_the_text():
    assert str(DataError("no videos")) == "no videos"


def test_error_of_parts_survives_another_process():
    error = SubmissionError("too large", where="a.zip", expected="at most 2 bytes")
    again = copy.copy(error)  # made again from its arguments, as by pickle
    assert (type(again), str(again)) == (SubmissionError, str(error))
