"""The slot ledger: what was sent stays known, whatever happens to the store, the run or the process that writes."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.errors import DataError, StorageError, SubmissionError, UnknownNameError, UsageError
from harness.files.archives.fingerprint import fingerprint
from harness.files.archives.pack import pack
from harness.slots import Ledger, of_slot
from harness.store.store import Store
from harness.tasks import EXPR
from tests.support.commands import invoke as abaw

ROWS = "a/00001.jpg,0\na/00002.jpg,7\n"


@pytest.fixture
def out(tmp_path) -> Path:
    return tmp_path / "submissions"


@pytest.fixture
def ledger(out) -> Ledger:
    return Ledger(out)


@pytest.fixture
def file(tmp_path) -> Path:
    """A valid EXPR file."""
    path = tmp_path / "predictions.txt"
    path.write_text(f"{EXPR.submission_header}\n{ROWS}")
    return path


@pytest.fixture
def template(tree) -> Path:
    """The rows of that file."""
    return tree.template({"a": 2})


@pytest.fixture
def others(tmp_path) -> list[Path]:
    """Nine more, all different."""
    paths = [tmp_path / f"other-{k}.txt" for k in range(1, 10)]
    for k, path in enumerate(paths):
        path.write_text(f"{EXPR.submission_header}\n{ROWS}a/00003.jpg,{k % 8}\n" + "b/00001.jpg,0\n" * (k // 8))
    return paths


@pytest.fixture
def run(out, run_record, file) -> Path:
    """A test run in the store that wrote ``file``."""
    return make_run(out, run_record, file, "test")


def make_run(out, run_record, file, split) -> Path:
    folder = out / "EXPR/run-1"
    folder.mkdir(parents=True)
    (folder / "predictions.txt").write_bytes(file.read_bytes())
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    record = run_record("run-1", split=split, files={"predictions.txt": digest})
    record.write(folder)
    Store(out / "results.duckdb").record([(record, folder)])
    return folder


def test_ledger_is_empty_first_and_reading_creates_no_file(ledger, out):
    assert ledger.read() == ()
    assert not out.exists()


def test_what_was_sent_is_read_back(ledger, file, out):
    sent = ledger.send(file, "EXPR", 10, run_id="run-1", note="first “try”")
    assert ledger.read() == (sent,)
    assert (sent.number, sent.task, sent.edition, sent.run_id, sent.note) == (1, "EXPR", 10, "run-1", "first “try”")
    assert sent.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert sent.bytes == file.stat().st_size
    assert sent.time.endswith("+00:00")
    assert sent.score is None
    assert json.loads((out / "slots.json").read_text())["format"] == 1


def test_returned_score_is_noted_and_the_last_one_counts(ledger, file, others):
    ledger.send(file, "EXPR")
    ledger.send(others[0], "EXPR")
    assert ledger.result(2, 0.386).score == 0.386
    assert ledger.result(2, 0.396).score == 0.396
    assert [entry.score for entry in ledger.read()] == [None, 0.396]
    assert [result["value"] for result in ledger.read()[1].results] == [0.386, 0.396]


def test_a_score_for_nothing_that_was_sent(ledger, file):
    ledger.send(file, "EXPR")
    with pytest.raises(UnknownNameError, match=r"unknown submission '7'.* Known: 1"):
        ledger.result(7, 0.5)


@pytest.mark.parametrize(("task", "value"), [("EXPR", 1.01), ("VA", -1.5), ("MTL", 3.1), ("AU", float("nan"))])
def test_a_value_that_no_score_has_is_refused(ledger, file, task, value):
    ledger.send(file, task)
    with pytest.raises(UsageError, match=f"no score of {task}"):
        ledger.result(1, value)
    assert ledger.read()[0].score is None


def test_percent_are_noticed(ledger, file):
    ledger.send(file, "EXPR")
    with pytest.raises(UsageError, match=r"Did you mean 0\.386"):
        ledger.result(1, 38.6)


@pytest.mark.parametrize(("task", "value"), [("EXPR", 0.0), ("VA", -0.1), ("MTL", 1.5286), ("VD", 1.0)])
def test_a_value_that_a_score_may_have(ledger, file, task, value):
    ledger.send(file, task)
    assert ledger.result(1, value).score == value


def test_sixth_submission_asks_and_other_tasks_are_not_counted(ledger, others):
    for path in others[:5]:
        ledger.send(path, "EXPR", 10)
    ledger.send(others[5], "VA", 10)
    ledger.send(others[6], "EXPR", 8)
    with pytest.raises(
        SubmissionError, match=r"give --yes\.\n  all 5 slots of EXPR, edition 10, are used; .* number 6"
    ):
        ledger.send(others[7], "EXPR", 10)
    assert len(ledger.read()) == 7
    sent = ledger.send(others[7], "EXPR", 10, despite=True)
    assert "all 5 slots" in sent.problems[0]
    assert len(of_slot(ledger.read(), "EXPR", 10)) == 6


def test_an_edition_may_have_more_slots_or_fewer(ledger, others):
    ledger.send(others[0], "EXPR", slots=1)
    with pytest.raises(SubmissionError, match="all 1 slot of EXPR, edition 10, is used"):
        ledger.send(others[1], "EXPR", slots=1)
    ledger.send(others[1], "EXPR", slots=6)


def test_a_file_that_was_sent_before_is_asked_about(ledger, file):
    ledger.send(file, "EXPR")
    ledger.result(1, 0.386)
    with pytest.raises(
        SubmissionError, match=r"the very same file was sent as #1 for EXPR on \d{4}-.*, and scored 0\.3860"
    ):
        ledger.send(file, "EXPR")


@pytest.mark.parametrize(
    "disguise", ["renamed", "zipped", "zipped in a folder", "in a folder", "crlf", "bom", "no last line end"]
)
def test_the_same_content_in_another_dress_is_asked_about(ledger, file, tmp_path, disguise):
    ledger.send(file, "EXPR")
    data = file.read_bytes()
    other = tmp_path / "submission_1.csv"
    if disguise.startswith("zipped"):
        other = pack([file], tmp_path / "x.zip", folder="team" if "folder" in disguise else "").path
    elif disguise == "in a folder":
        other = tmp_path / "folder"
        other.mkdir()
        (other / "p.txt").write_bytes(data)
    else:
        changed = {
            "crlf": data.replace(b"\n", b"\r\n"),
            "bom": b"\xef\xbb\xbf" + data,
            "no last line end": data.rstrip(),
        }
        other.write_bytes(changed.get(disguise, data))
    with pytest.raises(SubmissionError, match=r"the (very same file|same content) was sent as #1"):
        ledger.send(other, "EXPR")


def test_another_content_is_not_asked_about(ledger, file, tmp_path):
    ledger.send(file, "EXPR")
    file.write_text(file.read_text().replace(",7\n", ",6\n"))
    assert ledger.send(file, "EXPR").number == 2


def test_files_of_several_videos_are_told_apart_by_name(tmp_path):
    def archive(name, members):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for member, data in members.items():
                archive.writestr(member, data)
        return fingerprint(tmp_path / name).content

    first = archive("1.zip", {"0001.csv": "1,0", "0002.csv": "1,1"})
    assert first == archive("2.zip", {"team/0002.csv": "1,1\n", "team/0001.csv": "1,0\n"})
    assert first != archive("3.zip", {"0001.csv": "1,1", "0002.csv": "1,0"})
    assert first != archive("4.zip", {"a/0001.csv": "1,0", "b/0002.csv": "1,1"})


def test_a_file_that_is_not_there_is_not_noted(ledger, tmp_path, out):
    with pytest.raises(SubmissionError, match="No such file"):
        ledger.send(tmp_path / "absent.txt", "EXPR")
    assert ledger.read() == ()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "{}", '{"format": 1}', '{"format": 1, "sent": [1]}', '{"format": 1, "sent": [{}]}',
     '{"format": "x", "sent": []}', "<<<<<<< HEAD"],
)  # fmt: skip
def test_what_is_no_ledger_is_said_and_left_as_it_is(ledger, file, out, text):
    out.mkdir()
    (out / "slots.json").write_text(text)
    for use in (ledger.read, lambda: ledger.send(file, "EXPR"), lambda: ledger.result(1, 0.5)):
        with pytest.raises(DataError, match=r"slots\.json: not a readable slot ledger"):
            use()
    assert (out / "slots.json").read_text() == text


def test_entries_that_contradict_each_other_are_said(ledger, file, others, out):
    ledger.send(file, "EXPR")
    ledger.send(others[0], "EXPR")
    content = json.loads((out / "slots.json").read_text())
    content["sent"][1]["number"] = 1
    (out / "slots.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="which must be whole and differ"):
        ledger.read()


def test_entry_removed_by_hand_leaves_its_number_unused(ledger, others, out):
    for path in others[:3]:
        ledger.send(path, "EXPR")
    content = json.loads((out / "slots.json").read_text())
    del content["sent"][1]
    (out / "slots.json").write_text(json.dumps(content))
    assert ledger.send(others[3], "EXPR").number == 4
    assert [entry.number for entry in ledger.read()] == [1, 3, 4]


def test_a_newer_ledger_is_left_alone(ledger, file, out):
    ledger.send(file, "EXPR")
    text = (out / "slots.json").read_text().replace('"format": 1', '"format": 2')
    (out / "slots.json").write_text(text)
    with pytest.raises(DataError, match="written by a newer version; found format 2, expected at most 1"):
        ledger.result(1, 0.5)
    assert (out / "slots.json").read_text() == text


def test_fields_of_a_later_version_are_passed_over(ledger, file, out):
    sent = ledger.send(file, "EXPR")
    content = json.loads((out / "slots.json").read_text())
    content["sent"][0]["mood"] = "good"
    (out / "slots.json").write_text(json.dumps(content))
    assert ledger.read() == (sent,)


def test_processes_that_send_at_once_get_different_numbers(ledger, file, out, python, repetitions):
    times = repetitions(5, 10)
    code = """
        from pathlib import Path
        from harness.slots import Ledger
        for k in range(argument["times"]):
            Ledger(Path(argument["out"]), patience=60).send(Path(argument["file"]), "EXPR", despite=True)
    """
    for process in [python(code, {"out": out, "file": file, "times": times}) for _ in range(4)]:
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    assert [entry.number for entry in ledger.read()] == list(range(1, 4 * times + 1))


def test_simultaneous_processes_succeed_up_to_the_slots(ledger, others, out, python):
    code = """
        from pathlib import Path
        from harness.errors import SubmissionError
        from harness.slots import Ledger
        try:
            Ledger(Path(argument["out"]), patience=60).send(Path(argument["file"]), "EXPR", slots=2)
        except SubmissionError:
            print("refused")
    """
    processes = [python(code, {"out": out, "file": file}) for file in others[:5]]
    assert sorted(process.communicate(timeout=60)[0] for process in processes) == ["", "", *["refused\n"] * 3]
    assert len(ledger.read()) == 2


def test_a_folder_that_cannot_be_written_is_said(tmp_path, file):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="can't write"):
        Ledger(tmp_path / "file/below").send(file, "EXPR")


def test_the_command_says_where_a_template_names_another_edition(run, file, template, abaw):
    older = template.rename(template.with_name("CVPR_6th_ABAW_Expr_test_set_example.txt"))
    send = ("slots", "send", file, "--task", "EXPR", "--template", older)
    assert "counted for edition 10, the latest; the template's name says 6" in abaw(*send).stderr
    assert "template's name" not in abaw(*send, "--edition", 10, "--yes").stderr


def test_the_command_notes_the_run_shows_it_and_takes_the_score(run, file, template):
    said = abaw("slots", "send", file, "--task", "expr", "--template", template, "--note", "first")
    assert "#1:" in said.stdout
    assert "4 of 5 slots left" in said.stdout
    assert "run run-1" in said.stdout
    assert abaw("slots", "result", "1", "0.386").stdout == "#1: EXPR, edition 10, scored 0.3860\n"
    shown = json.loads(abaw("slots", "--json").stdout)
    assert [(s["number"], s["run_id"], s["score"], s["note"]) for s in shown["sent"]] == [(1, "run-1", 0.386, "first")]
    assert shown["left"] == [{"task": "EXPR", "edition": 10, "left": 4}]
    table = abaw("slots").stdout
    assert "0.3860" in table
    assert "4 of 5 slots left" in table


def test_the_command_finds_the_run_of_a_zip(run, file, tmp_path, template):
    packed = pack([file], tmp_path / "x.zip").path
    assert (
        json.loads(abaw("slots", "send", packed, "--task", "EXPR", "--template", template, "--json").stdout)["run_id"]
        == "run-1"
    )


def test_the_command_finds_the_run_without_a_store(run, out, template):
    (out / "results.duckdb").write_bytes(b"a poem")
    sent = json.loads(
        abaw("slots", "send", run / "predictions.txt", "--task", "EXPR", "--template", template, "--json").stdout
    )
    assert sent["run_id"] == "run-1"


def test_a_broken_store_does_not_hinder_sending(run, out, file, template):
    (out / "results.duckdb").write_bytes(b"a poem")
    said = abaw("slots", "send", file, "--task", "EXPR", "--template", template)
    assert said.exit_code == 0
    assert "which run wrote it can't be told" in said.stderr
    assert Ledger(out).read()[0].run_id is None


def test_the_ledger_outlives_the_store(run, out, file, template):
    abaw("slots", "send", file, "--task", "EXPR", "--template", template)
    (out / "results.duckdb").unlink()
    abaw("reindex")
    assert len(Ledger(out).read()) == 1


def test_command_asks_for_yes_before_an_invalid_file(out, file):
    file.write_text(file.read_text().replace(",7\n", ",9\n"))
    with pytest.raises(SubmissionError, match=r"not valid, 1 in all, the first: .*predictions\.txt:3:"):
        abaw("slots", "send", file, "--task", "EXPR")
    assert Ledger(out).read() == ()
    said = abaw("slots", "send", file, "--task", "EXPR", "--yes")
    assert "warning: not valid" in said.stderr
    assert len(Ledger(out).read()) == 1


def test_the_command_checks_against_a_template(out, file, tree):
    template = tree.template({"a": 3})
    with pytest.raises(SubmissionError, match="missing"):
        abaw("slots", "send", file, "--task", "EXPR", "--template", template)
    assert abaw("slots", "send", file, "--task", "EXPR", "--template", tree.template({"a": 2})).exit_code == 0


def test_command_asks_for_yes_before_file_of_validation_run(out, run_record, file):
    make_run(out, run_record, file, "val")
    with pytest.raises(SubmissionError, match="run run-1 is of EXPR on val"):
        abaw("slots", "send", file, "--task", "EXPR")


def test_the_command_tells_what_it_could_not_check(file):
    assert (
        "which rows must be there, and in what order, was not checked"
        in abaw("slots", "send", file, "--task", "EXPR", "--yes").stderr
    )


def test_slots_send_of_videos_that_nobody_knows_asks_for_yes(out, file):
    with pytest.raises(SubmissionError, match=r"0 of 1 videos are in the table of EXPR's real test set, not 'a'"):
        abaw("slots", "send", file, "--task", "EXPR")
    assert Ledger(out).read() == ()


@pytest.mark.parametrize("before", ["cropped_aligned/", "/data/", "C:\\\\crops\\\\"])
def test_slots_send_of_names_with_a_path_asks_for_yes(out, file, template, before):
    file.write_text(file.read_text().replace("\na/", f"\n{before}a/"))
    with pytest.raises(SubmissionError, match=r"\[name\] .* is too much in"):
        abaw("slots", "send", file, "--task", "EXPR", "--template", template)
    assert Ledger(out).read() == ()


@pytest.mark.parametrize("rest", ["_aligned", ".m4v", "_pred"])
def test_slots_send_of_names_in_another_spelling_asks_for_yes(out, file, template, rest):
    file.write_text(file.read_text().replace("\na/", f"\na{rest}/"))
    with pytest.raises(SubmissionError, match=r"\[name\] .* expected 'a'"):
        abaw("slots", "send", file, "--task", "EXPR", "--template", template)
    assert Ledger(out).read() == ()


def test_the_command_wants_yes_for_a_file_of_another_task(file):
    with pytest.raises(SubmissionError, match="this is a file for EXPR, expected VA"):
        abaw("slots", "send", file, "--task", "VA")
    assert abaw("slots", "send", file, "--task", "VA", "--yes").exit_code == 0


def test_a_negative_score_is_no_option(file):
    abaw("slots", "send", file, "--task", "VA", "--yes")
    assert "scored -0.1000" in abaw("slots", "result", "1", "-0.1").stdout


def test_the_list_shows_what_was_asked_for_and_any_text_as_it_is(file, others, template):
    abaw("slots", "send", file, "--task", "EXPR", "--template", template, "--note", "[red]it's")
    abaw("slots", "send", others[0], "--task", "VA", "--yes", "--edition", "8")
    shown = abaw("slots", "--task", "va").stdout
    assert "#1 " not in shown
    assert "VA, edition 8: 4 of 5 slots left" in shown
    assert "[red]it's" in abaw("slots", "--edition", "10").stdout


def test_without_a_ledger_the_command_says_how_to_begin():
    assert "abaw slots send FILE --task TASK" in abaw("slots").stdout


# tasks of some editions only


@pytest.mark.parametrize(("task", "edition"), [("EXPR", 10), ("EMI", 10), ("AH", 8), ("AHV", 11), ("MTL", 11)])
def test_latest_edition_of_the_task_is_the_default(ledger, file, task, edition):
    assert ledger.send(file, task).edition == edition


@pytest.mark.parametrize(("task", "edition"), [("EMI", 7), ("EMI", 9), ("AH", 10), ("AHV", 8), ("AHV", 9)])
def test_edition_that_had_no_such_task_needs_consent(ledger, file, task, edition):
    with pytest.raises(SubmissionError, match=f"edition {edition} has no {task}: the editions that had it are"):
        ledger.send(file, task, edition)
    assert ledger.send(file, task, edition, despite=True).problems


@pytest.mark.parametrize(("task", "edition"), [("EMI", 6), ("EMI", 8), ("AH", 8), ("AHV", 10), ("AHV", 11)])
def test_each_edition_of_a_task_has_five_slots(ledger, others, task, edition):
    for path in others[:5]:
        assert ledger.send(path, task, edition).problems == ()
    with pytest.raises(SubmissionError, match=f"all 5 slots of {task}, edition {edition}, are used"):
        ledger.send(others[5], task, edition)


def test_filter_without_submissions_leaves_stdout_empty(ledger, file, out):

    from harness.cli.slots import slots

    ledger.send(file, "EXPR", 10)
    shown = CliRunner().invoke(slots, ["--task", "VD", "--out", str(out), "--format", "csv"])
    assert shown.exit_code == 0
    assert shown.stdout == ""
    assert "nothing was sent for VD." in shown.stderr
