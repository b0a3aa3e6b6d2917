"""The rule book's table of tasks."""

from __future__ import annotations

import dataclasses

import pytest

from harness.errors import UnknownNameError
from harness.metrics.metric import metric_for
from harness.tasks import AU, CE, EMI, EXPR, OTHER_TASKS, TASKS, VA, VD, task_named


def test_expressions_in_official_order():
    assert EXPR.targets == ("Neutral", "Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise", "Other")


def test_action_units_in_official_order():
    assert AU.header == "AU1,AU2,AU4,AU6,AU7,AU10,AU12,AU15,AU23,AU24,AU25,AU26"


@pytest.mark.parametrize(("task", "marker"), [(EXPR, -1), (VA, -5), (AU, -1), (VD, -1)])
def test_marker_of_frames_nobody_annotated(task, marker):
    assert task.invalid == marker


@pytest.mark.parametrize(("task", "outputs"), [(EXPR, 8), (VA, 2), (AU, 12), (VD, 2)])
def test_one_output_per_class_dimension_or_unit(task, outputs):
    assert task.n_outputs == outputs


def test_one_file_header_begins_with_image_location():
    assert VA.submission_header == "image_location,valence,arousal"


@pytest.mark.parametrize("name", ["EXPR", "expr", "Expr"])
def test_a_task_is_found_in_any_case(name):
    assert task_named(name) is EXPR


def test_an_unknown_task_gets_a_guess():
    known = r"Known: AH, AHV, AU, EMI, EXPR, VA, VD\."
    with pytest.raises(UnknownNameError, match=rf"unknown task 'EXP'\. Did you mean EXPR\? {known}"):
        task_named("EXP")


def test_tasks_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        EXPR.invalid = 0


def test_compound_expressions_in_official_order():
    assert CE.header == (
        "Fearfully_Surprised,Happily_Surprised,Sadly_Surprised,Disgustedly_Surprised,Angrily_Surprised,"
        "Sadly_Fearful,Sadly_Angry"
    )


def test_intensities_in_official_order():
    assert EMI.header == "Admiration,Amusement,Determination,Empathic Pain,Excitement,Joy"


@pytest.mark.parametrize("task", [*TASKS.values(), *OTHER_TASKS.values()], ids=lambda task: task.name)
def test_the_metric_of_a_task_is_the_one_it_names(task):
    assert metric_for(task).name == task.metric
    assert metric_for(task).task == task
