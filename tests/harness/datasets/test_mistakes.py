"""Hints that name what was probably meant where a folder is not the task's data set."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.datasets.open import open_dataset
from harness.errors import DataError
from harness.tasks import AH, EMI, EXPR, VD

ANNOTATIONS = "6th_ABAW_Annotations"
NOBODY = 65534


@pytest.fixture
def locked_folder() -> Iterator[Path]:
    """A folder that may not be read; root, who may read all, is nobody meanwhile."""
    with tempfile.TemporaryDirectory() as name:
        folder, user = Path(name), os.geteuid()
        folder.chmod(0)
        if user == 0:
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            os.seteuid(user)
            folder.chmod(0o700)


@pytest.mark.parametrize(
    "inside", ["6th_ABAW_Annotations", "6th_ABAW_Annotations/EXPR_Recognition_Challenge", "cropped"]
)
def test_folder_inside_of_the_data_set_names_the_one_above(drawn_once, inside):
    with pytest.raises(DataError, match=f"folder inside of the data set.*--data {drawn_once.resolve()}"):
        open_dataset(drawn_once / inside, EXPR)


def test_data_of_another_task_is_called_so(drawn_once, tiny_dvd_once):
    with pytest.raises(DataError, match=r"laid out as violence data \(DVD\), whose task is VD, not EXPR"):
        open_dataset(tiny_dvd_once, EXPR)
    with pytest.raises(DataError, match="laid out as Aff-Wild2, whose task is EXPR or VA or AU, not VD"):
        open_dataset(drawn_once, VD)


def test_folder_of_nothing_known_gets_no_guess(tmp_path):
    (tmp_path / "thing").mkdir()
    with pytest.raises(DataError) as error:
        open_dataset(tmp_path, EXPR)
    assert "laid out" not in str(error.value)
    assert "inside of" not in str(error.value)


def test_ambiguous_other_layout_hides_no_message(tmp_path):
    for name in ("Annotations", "ANNOTATIONS"):
        (tmp_path / "Training" / name).mkdir(parents=True)
    with pytest.raises(DataError, match="no Aff-Wild2 annotations here; found Training, expected") as error:
        open_dataset(tmp_path, EXPR)
    assert "two folders" not in str(error.value)


@pytest.mark.parametrize("task", [EXPR, EMI, AH], ids=lambda task: task.name)
def test_locked_folder_is_refused_in_our_words(locked_folder, task):
    with pytest.raises(DataError, match=f"^{locked_folder}(/.*)?: can't be looked into; found Permission denied"):
        open_dataset(locked_folder, task)


def test_missing_test_list_is_named(small_tree):
    for path in small_tree.root.rglob("*test_set_example.txt"):
        path.unlink()
    with pytest.raises(DataError, match=r"list of test rows .* put it below this folder, or name it .* --template"):
        open_dataset(small_tree.root, EXPR).videos("test")
