"""Saved views of the board: names and addresses in a plain file beside the runs.

The file is ``views.json`` in the folder of the runs, beside the ledger of submissions: everyone who works in that
folder has the same views. Each change replaces the whole file under a lock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from harness.errors import UnknownNameError, UsageError
from harness.records.document import Document, now
from harness.system.counts import counted
from harness.system.locks import exclusive
from harness.tables.table import one_line

VIEWS_FILE = "views.json"
ADDRESS = (
    "task", "split", "data", "labels", "each_seed", "hidden", "q", "encoder", "head", "postprocess", "kind", "team",
    "evidence", "since", "until", "sort", "ascending", "columns", "entry", "base",
)  # fmt: skip
"""Parts of the board's address that a view holds."""
LONGEST_NAME, MOST_VIEWS = 80, 200
_MOST_VALUES, _LONGEST_VALUE = 200, 500


@dataclass(frozen=True)
class SavedView:
    """Saved view of the board.

    Attributes:
        name: one line, unlike that of any other view.
        address: values by key; the keys are among :data:`ADDRESS`.
        time: when the view was saved, ISO 8601 in UTC.
    """

    name: str
    address: Mapping[str, tuple[str, ...]]
    time: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError for a name or an address that no page can show."""
        if not self.name or one_line(self.name) != self.name or len(self.name) > LONGEST_NAME:
            raise ValueError(f"a name of a view that can't be shown: one line of 1 to {LONGEST_NAME} characters")
        values = [value for key in self.address for value in (key, *self.address[key])]
        if len(values) > _MOST_VALUES or any(len(value) > _LONGEST_VALUE for value in values):
            raise ValueError(
                f"an address that is too long: at most {_MOST_VALUES} parts of {_LONGEST_VALUE} characters"
            )


@dataclass
class _Content:
    views: tuple[SavedView, ...] = ()
    format: int = field(default=1)


VIEWS: Document[_Content] = Document(
    _Content, "the saved views can't be read", "Mend the file by hand, or move it away: views can be saved again"
)


class SavedViews:
    """Saved views below a folder of runs.

    Args:
        out: folder of the runs; the first view that is saved makes ``out/views.json``.
        patience: seconds to wait for another process that writes.
    """

    def __init__(self, out: Path, *, patience: float = 5.0) -> None:
        """Set the path of the file, which may be missing until the first view is saved."""
        self.path = out / VIEWS_FILE
        self._lock = out / f".{VIEWS_FILE}.lock"
        self._patience = patience

    def read(self) -> dict[str, SavedView]:
        """Return the views by name, in the order of their names.

        Raises:
            DataError: the file can't be read, or a newer version wrote it.
        """
        content = VIEWS.find(self.path) or _Content()
        return {view.name: view for view in sorted(content.views, key=lambda view: view.name.casefold())}

    def save(self, name: str, address: Mapping[str, tuple[str, ...]]) -> SavedView:
        """Save a view in place of an earlier one of the same name.

        Args:
            name: name of the view.
            address: values of the board's address by key; keys that are no part of a view are left out.

        Raises:
            UsageError: the name can't be shown, or there are too many views.
            DataError: the file can't be read.
            StorageError: the file can't be written.
        """
        try:
            parts = {key: tuple(address[key]) for key in ADDRESS if address.get(key)}
            view = SavedView(one_line(name), parts, now())
        except ValueError as error:
            raise UsageError("the view can't be saved", found=str(error), do="Give it a shorter name") from None

        def change(views: dict[str, SavedView]) -> None:
            if view.name not in views and len(views) >= MOST_VIEWS:
                do = "Delete one that is no longer needed"
                raise UsageError("no more views can be saved", found=counted(len(views), "view"), do=do)
            views[view.name] = view

        self._change(change)
        return view

    def rename(self, name: str, to: str) -> None:
        """Give a view another name.

        Raises:
            UnknownNameError: there is no view of the name.
            UsageError: the new name can't be shown, or another view has it.
            DataError: the file can't be read.
            StorageError: the file can't be written.
        """

        def change(views: dict[str, SavedView]) -> None:
            view = self._of(views, name)
            try:
                renamed = SavedView(one_line(to), view.address, view.time)
            except ValueError as error:
                raise UsageError("the view can't be renamed", found=str(error), do="Give it another name") from None
            if renamed.name != name and renamed.name in views:
                do = "Choose another name, or delete that view first"
                raise UsageError("another view has this name", found=renamed.name, do=do)
            del views[name]
            views[renamed.name] = renamed

        self._change(change)

    def delete(self, name: str) -> None:
        """Delete a view.

        Raises:
            UnknownNameError: there is no view of the name.
            DataError: the file can't be read.
            StorageError: the file can't be written.
        """

        def change(views: dict[str, SavedView]) -> None:
            del views[self._of(views, name).name]

        self._change(change)

    def _change(self, change: Callable[[dict[str, SavedView]], None]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(self._lock, patience=self._patience):
            views = self.read()
            change(views)
            VIEWS.write(self.path, asdict(_Content(tuple(views.values()))))

    @staticmethod
    def _of(views: Mapping[str, SavedView], name: str) -> SavedView:
        if name not in views:
            raise UnknownNameError("saved view", name, views)
        return views[name]
