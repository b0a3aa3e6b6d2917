"""Part of the page Run: the videos of a run, the worst first, and each video frame by frame with its images."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from harness.board.run import video_rows
from harness.board.tables.run import video_table
from harness.datasets.dataset import Video
from harness.datasets.images.sources import Picture
from harness.errors import AbawError
from harness.records.run import RunRecord
from harness.tasks import TASKS
from leaderboard import words
from leaderboard.charts.timeline import timeline_chart
from leaderboard.data.frames import picture_address, thumbnails, video_names
from leaderboard.data.timeline import Timeline, Track, stretch_of
from leaderboard.screens import grid
from leaderboard.screens.downloads import heading
from leaderboard.screens.drawing import show_chart
from leaderboard.screens.frames import Shown, video_shown
from leaderboard.screens.spoken import show_answers, show_words

VIDEO, FRAMES = "video", "frames"
_PICKER, _SLIDER, _TABLE = "video-picker", "frames-slider", "videos"
_MOST_IMAGES, _WIDTH = 10, 104
_MOST_ROWS = 8
_LONG_NAME = 30  # characters
_STRETCH = 20  # the worst stretch is the video's length divided by this
_SHORTEST = 60  # least number of frames of that stretch
_THIS = "run"


def show_videos(record: RunRecord, folder: Path) -> None:
    """Show a table of the videos, and below it the video that the address names."""
    rows = video_rows(record)
    names = list(rows["video"]) or video_names(record, folder)
    if len(rows):
        heading("By video, the worst first", video_table(record), f"{record.run_id}-videos")
    else:
        st.subheader("By video", anchor=False)
    if not names:
        st.text("Neither the store nor the run folder tells which videos this run is on.")
        return
    asked = st.query_params.get(VIDEO)
    if asked is not None and asked not in names:
        st.warning("This run has no video of the name in this link. Choose another.")
    chosen = asked if asked in names else None
    if len(rows):
        _show_table(record, rows, chosen)
    choose_video(_PICKER, names, chosen)
    if chosen is None:
        rest = "frame by frame" if TASKS[record.task].level == "frame" else "with its images and words"
        st.caption(f"Select a video (its left edge), or choose one by its name, to see it {rest}.")
        return
    _show_video(record, folder, chosen)


def open_video(video: str | None) -> None:
    """Put a video into the address, with all its frames; a callback of widgets."""
    st.query_params.pop(FRAMES, None)
    if video is None:
        st.query_params.pop(VIDEO, None)
    else:
        st.query_params[VIDEO] = video


def _show_table(record: RunRecord, rows: pd.DataFrame, chosen: str | None) -> None:
    videos = list(rows["video"])
    # the key depends on the run: with another run the selection must not move to the video in the same row
    widget = f"{_TABLE}-{hashlib.sha256(record.run_id.encode()).hexdigest()[:12]}"

    def select() -> None:
        selected = st.session_state[widget]["selection"]["rows"]
        open_video(videos[selected[0]] if selected else None)

    help = {"score": words.VIDEO_SCORE, "possible": words.POSSIBLE, "pulls": words.PULLS, "error": words.VIDEO_ERROR}
    help["right"] = words.RIGHT_VIDEO if TASKS[record.task].level == "video" else words.RIGHT
    grid.show_grid(
        video_table(record),
        {"video": "medium" if max(map(len, videos)) < _LONG_NAME else "large"},
        help,
        rows=_MOST_ROWS,
        pinned=["video"],
        key=widget,
        on_select=select,
        selection_mode="single-row",
        selection_default={"selection": {"rows": [videos.index(chosen)] if chosen else [], "columns": [], "cells": []}},
    )


def choose_video(key: str, names: Sequence[str], chosen: str | None) -> None:
    """Show a list of videos to choose one by its name.

    Args:
        key: key of the widget.
        names: names of the videos.
        chosen: video in the address; ``None`` if the address names none.
    """
    st.session_state[key] = chosen

    def choose() -> None:
        open_video(st.session_state[key])

    st.selectbox(
        "Video",
        sorted(names),
        index=None,
        key=key,
        on_change=choose,
        placeholder="Choose a video",
        label_visibility="collapsed",
    )


@st.fragment  # a move of the slider redraws this part alone
def _show_video(record: RunRecord, folder: Path, video: str) -> None:
    shown = video_shown({_THIS: (record, folder)}, video)
    timeline = shown.timeline
    if timeline is None:
        st.warning("Nothing of this video is within reach: neither the run's files nor its data set.")
    elif timeline.task.level == "video":
        show_answers(timeline)
        if shown.split is not None and video in shown.split.videos:
            on_disk = shown.split.videos[video]
            _show_images(timeline, on_disk, 1, on_disk.n_frames)
        show_words(shown, timeline, 1, 1)
    else:
        first, last = choose_stretch(timeline)
        help_ = words.TIMELINE_VALUES if timeline.task.kind == "values" else words.TIMELINE
        st.caption(_stretch_text(timeline, first, last), help=help_)
        show_chart(timeline_chart(timeline, first, last))
        if shown.split is not None and video in shown.split.videos:
            _show_images(timeline, shown.split.videos[video], first, last)
        show_words(shown, timeline, first, last)
    say_what_is_missing(shown)


def say_what_is_missing(shown: Shown) -> None:
    """Show which parts of a timeline are unreadable, and a warning if the labels are not those of the run."""
    if shown.split is not None and shown.split.same is False:
        st.warning(
            "The labels on disk are not those that this run was scored on (other videos, lengths or labels): what is "
            "drawn above need not add up to its scores."
        )
    for reason in shown.missing:
        st.text(f"Not shown: {reason}")


def choose_stretch(timeline: Timeline) -> tuple[int, int]:
    """Show a slider and a button for the worst part, and return first and last frame; the address holds both."""
    first, last = stretch_of(st.query_params.get(FRAMES, ""), timeline.n_frames)
    if timeline.n_frames < 2:
        return first, last
    st.session_state[_SLIDER] = first, last

    def slide() -> None:
        _look_at(timeline.n_frames, *st.session_state[_SLIDER])

    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.slider("Frames", 1, timeline.n_frames, key=_SLIDER, on_change=slide, help=words.STRETCH)
        worst = _worst(timeline)
        if worst is not None:
            label = "Worst part" if len(timeline.tracks) == 1 else "Where they differ most"
            st.button(label, on_click=_look_at, args=(timeline.n_frames, *worst))
        if (first, last) != (1, timeline.n_frames):
            st.button("All of it", on_click=_look_at, args=(timeline.n_frames, 1, timeline.n_frames))
    return first, last


def _worst(timeline: Timeline) -> tuple[int, int] | None:
    length = max(_SHORTEST, timeline.n_frames // _STRETCH)
    if length >= timeline.n_frames:
        return None
    if len(timeline.tracks) == 2:
        a, b = timeline.tracks
        return timeline.apart_stretch(a, b, length)
    return timeline.worst_stretch(timeline.tracks[0], length)


def _look_at(n_frames: int, first: int, last: int) -> None:
    """Put a stretch of frames into the address; a callback of widgets."""
    if (first, last) == (1, n_frames) or first >= last:
        st.query_params.pop(FRAMES, None)
    else:
        st.query_params[FRAMES] = f"{first}-{last}"


def _stretch_text(timeline: Timeline, first: int, last: int) -> str:
    """Return the frames of a stretch in numbers, as Markdown without a user's text."""
    parts = [f"Frames {first:,} to {last:,} of {timeline.n_frames:,}"]
    shown = slice(first - 1, last)
    if timeline.annotated is not None:
        parts.append(f"{int(timeline.annotated[shown].sum()):,} with a label")
    if timeline.bare is not None:
        parts.append(f"{int(timeline.bare[shown].sum()):,} without a {timeline.task.noun}")
    error = timeline.error(timeline.tracks[0]) if timeline.task.kind == "classes" else None
    if error is not None:
        parts.append(f"{int((error[shown] > 0).sum()):,} decided wrong")
    return " · ".join(parts)


def _show_images(timeline: Timeline, video: Video, first: int, last: int) -> None:
    noun = timeline.task.noun
    if video.image_folder is None and video.film is None:
        st.text(f"Not shown: the data set has no {noun}s of this video.")
        return
    try:
        images = thumbnails(video, first, last, _MOST_IMAGES)
        addresses = [picture_address(image.image) for image in images]
    except AbawError as error:
        st.text(f"Not shown: {error}")
        return
    if not images:
        st.text(f"No frame of this stretch has a {noun}." if timeline.task.level == "frame" else f"No {noun}s.")
        return
    captions = [_caption(timeline, timeline.tracks[0], image) for image in images]
    st.image(addresses, caption=captions, width=_WIDTH)


def _caption(timeline: Timeline, track: Track, image: Picture) -> str:
    """Return frame, label and decision as a caption, which is Markdown without a user's text."""
    k, task = image.frame - 1, timeline.task
    text = f"{image.frame:,}"
    if k >= timeline.n_frames or task.level == "video":
        return text
    counts = timeline.labels is not None and timeline.annotated is not None and timeline.annotated[k]
    label = timeline.labels[k] if timeline.labels is not None and counts else None
    answer = None if track.decisions is None else track.decisions[k]
    if task.kind == "classes":
        names = [
            task.targets[int(value)].replace("_", "-") for value in (label, answer) if value is not None and value >= 0
        ]
        return f"{text}: {names[0]}" if len(set(names)) == 1 else f"{text}: {' → '.join(names)}" if names else text
    if task.kind == "values":
        pairs = [" ".join(f"{value:+.2f}" for value in values) for values in (label, answer) if values is not None]
        return f"{text}: {' → '.join(pairs)}" if pairs else text
    error = timeline.error(track)
    wrong = None if error is None or label is None else round(float(error[k]) * task.n_outputs)
    return text if wrong is None else f"{text}: {wrong} wrong" if wrong else f"{text}: all right"
