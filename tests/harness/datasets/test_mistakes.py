"""Hints that name what was probably meant where a folder is not the task's data set."""

from __future__ import annotations

import pytest

from harness.datasets.open import open_dataset
from harness.errors import DataError
from harness.tasks import EXPR, VD

ANNOTATIONS = "6th_ABAW_Annotations"


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


def test_missing_test_list_is_named(small_tree):
    for path in small_tree.root.rglob("*test_set_example.txt"):
        path.unlink()
    with pytest.raises(DataError, match=r"list of test rows .* put it below this folder, or name it .* --template"):
        open_dataset(small_tree.root, EXPR).videos("test")
