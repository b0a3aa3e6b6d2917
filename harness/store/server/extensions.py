"""DuckDB's own extensions for a store on a server, from Python packages, so that DuckDB need download nothing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import duckdb

from harness.errors import MissingDependencyError, install_command

TEAM = ("httpfs", "quack")
"""In the order in which they must be loaded."""


def load_extensions(db: duckdb.DuckDBPyConnection) -> None:
    """Load what it takes to serve a store or to use a served one. DuckDB checks its makers' signature in any case.

    Raises:
        MissingDependencyError: an extension is neither in a package nor where DuckDB looks.
    """
    for name in TEAM:
        packaged = _packaged(name)
        try:
            if packaged:
                place = str(packaged).replace("'", "''")
                db.execute(f"LOAD '{place}'")
            else:
                _load_by_name(db, name)
        except duckdb.Error as error:
            raise MissingDependencyError(
                f"a store on a server needs DuckDB's extension {name} for version {duckdb.__version__}",
                found=str(error).splitlines()[0],
                do=f"Install the extra: {install_command('team')}",
            ) from None


def _packaged(name: str) -> Path | None:
    """The extension's file in its package, where that is installed and made for this DuckDB."""
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    return path if path.is_file() else None


def _load_by_name(db: duckdb.DuckDBPyConnection, name: str) -> None:
    """What DuckDB has installed, else what it can get by itself."""
    try:
        db.execute(f"LOAD {name}")
    except duckdb.Error:
        db.execute(f"INSTALL {name}")
        db.execute(f"LOAD {name}")
