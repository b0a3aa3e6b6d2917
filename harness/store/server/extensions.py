"""DuckDB's own extensions for a store on a server, from Python packages, so that DuckDB need download nothing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import duckdb

from harness.errors import MissingDependencyError, install_command

TEAM = ("httpfs", "quack")
"""Names of the extensions, in the order in which they must be loaded."""


def load_extensions(db: duckdb.DuckDBPyConnection) -> None:
    """Load DuckDB's extensions that serve a store and use a served one. DuckDB checks their signatures.

    Raises:
        MissingDependencyError: an extension is missing from the Python packages and from DuckDB's own folder.
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
    """Return the extension's file in its Python package; ``None`` unless a package for this DuckDB is installed."""
    spec = importlib.util.find_spec(f"duckdb_extension_{name}")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
    return path if path.is_file() else None


def _load_by_name(db: duckdb.DuckDBPyConnection, name: str) -> None:
    """Load an extension from DuckDB's own folder, or let DuckDB download it."""
    try:
        db.execute(f"LOAD {name}")
    except duckdb.Error:
        db.execute(f"INSTALL {name}")
        db.execute(f"LOAD {name}")
