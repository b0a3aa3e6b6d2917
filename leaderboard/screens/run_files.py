"""Part of the page Run: the official file, its place, state and validity, and a download."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from harness.board.run import command_for, twins_on_test
from harness.errors import AbawError
from harness.files.report import Report
from harness.records.run import RunRecord, submission_of
from harness.settings import load_settings
from harness.store.folders import within_reach
from harness.system.counts import counted
from leaderboard import words
from leaderboard.data.files import AS_WRITTEN, RunFile, check_official, to_upload
from leaderboard.screens.frames import files_of, signature
from leaderboard.screens.links import link
from leaderboard.screens.reading import Contents

_CHECKED = "run-checked"


def show_official_file(contents: Contents, record: RunRecord, folder: Path) -> None:
    """Show a box with the official file of a run."""
    files = files_of(record, folder)
    official = [file for file in files if file.official]
    path = submission_of(record.files, folder)
    with st.container(border=True, key="run-file"):
        st.markdown("**Official file**", help=words.OFFICIAL_FILE)
        st.code(str(path), language=None)
        whole = bool(official) and all(file.state == AS_WRITTEN for file in official)
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            st.text(_state(official, folder), width="content")
            if whole:
                _offer(record, folder, files, several=len(official) > 1)
                if st.button("Check it now", help=words.CHECK):
                    st.session_state[_CHECKED] = record.run_id
        if whole and st.session_state.get(_CHECKED) == record.run_id:
            _show_check(record, folder)
        _say_what_to_send(contents, record)
        if files:
            with st.expander("All files of this run"):
                _show_files(files)


def _state(official: list[RunFile], folder: Path) -> str:
    if not official:
        return "The run has no official file."
    if not within_reach(folder):
        return (
            "The run folder is not here: the run was made on another machine, or its folder was moved or removed. "
            "If it was moved, say where: abaw reindex --out FOLDER"
        )
    size = sum(file.bytes or 0 for file in official)
    number = "" if len(official) == 1 else f"{counted(len(official), 'file')}, "
    bad = [file for file in official if file.state != AS_WRITTEN]
    if not bad:
        return f"{number}{size:,} bytes, as the run wrote it"
    more = f" (and {len(bad) - 1} more)" if bad[1:] else ""
    return f"{bad[0].name}: {bad[0].state}{more}. Make the run again with --fresh; don't send this one in."


def _offer(record: RunRecord, folder: Path, files: list[RunFile], *, several: bool) -> None:
    path = submission_of(record.files, folder)
    name = f"{record.run_id}.zip" if several or path.is_dir() else f"{record.run_id}{path.suffix}"
    st.download_button(
        "Download" + (" as zip" if name.endswith(".zip") else ""),
        data=functools.partial(_content, record, folder, files),
        file_name=name,
        mime="application/zip" if name.endswith(".zip") else "text/plain",
        icon=":material/download:",
        on_click="ignore",
    )


def _content(record: RunRecord, folder: Path, files: list[RunFile]) -> bytes:
    return to_upload(record, folder, files)[1]


def _say_what_to_send(contents: Contents, record: RunRecord) -> None:
    """Show, on the page of a validation run, a link to the run on test, whose file is the one to upload."""
    if record.split == "test":
        return
    st.caption("This file is on labelled videos: to look at. The one to send in is that of the same solution on test.")
    twins = twins_on_test(contents.runs, record.run_id)
    if len(twins):
        link("run", "Open the run on test", run=str(twins["run_id"].iloc[0]))
    elif command := command_for(record, "test"):
        st.code(command, language="bash", wrap_lines=True)


def _show_check(record: RunRecord, folder: Path) -> None:
    try:
        report, template = _check(str(folder), signature(folder, record.files), record)
    except AbawError as error:
        st.error("It can't be checked.")
        st.text(str(error))
        return
    if report.valid:
        # a missing row can be told only beside a template, as `abaw validate` has it
        size = f"{counted(report.rows, 'row')}, {counted(report.videos, 'video')}"
        st.success(f"{'Valid' if template else 'Well-formed'}: {size}.")
    else:
        st.error(f"Not valid, don't send it in: {counted(report.n_errors, 'error')}, the first of each kind below.")
    lines = [*map(str, report.problems), *report.assumed]
    lines.append(f"held against the template {template}" if template else "held against no template: none within reach")
    st.text("\n".join(lines))


# arguments that begin with _ are no part of the key: the files' times and sizes decide when to check again
@st.cache_data(max_entries=16, show_spinner="Checking every row …")
def _check(folder: str, signature: tuple[Any, ...], _record: RunRecord) -> tuple[Report, str]:
    return check_official(_record, Path(folder), load_settings().data)


def _show_files(files: list[RunFile]) -> None:
    rows = pd.DataFrame(
        [{"file": f.name, "bytes": f.bytes, "state": f.state, "sha256": f.sha256} for f in files]
    ).astype({"bytes": "Int64"})
    c = st.column_config
    config = {
        "file": c.TextColumn("File"),
        "bytes": c.NumberColumn("Bytes", format="localized"),
        "state": c.TextColumn("State"),
        "sha256": c.TextColumn("sha256 in the record"),
    }
    st.dataframe(rows, hide_index=True, column_config=config, placeholder="–")
