"""Safe reader of YAML files of other people: plain values and tuples alone, by libyaml if PyYAML has it.

BAH's transcripts mark pairs of times with ``!!python/tuple``, which PyYAML's safe loaders refuse. One constructor for
that tag makes them readable; any other tag that names a type of Python stays an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer

from harness.errors import DataError
from harness.system.regular import read_or_refuse

TUPLE_TAG = "tag:yaml.org,2002:python/tuple"
_PLAIN = "tag:yaml.org,2002:"
_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class TupleLoader(Composer, _Safe):  # type: ignore[misc]
    """Safe loader that also knows the tag of tuples.

    The loader composes nodes in Python from the parser's events, so that a large file can be read one value at a time.
    """

    def __init__(self, data: bytes) -> None:
        """Begin to read a document."""
        _Safe.__init__(self, data)
        self.anchors: dict[str, yaml.Node] = {}

    def value(self, node: yaml.Node) -> Any:
        """Return a node's value of any type.

        Raises:
            yaml.constructor.ConstructorError: the node holds another tag.
        """
        return self.construct_document(node)


def _tuple(loader: TupleLoader, node: yaml.Node) -> tuple[Any, ...]:
    return tuple(loader.construct_sequence(node, deep=True))


TupleLoader.add_constructor(TUPLE_TAG, _tuple)


@contextmanager
def open_yaml(path: Path, noun: str, most: int) -> Iterator[TupleLoader]:
    """Open a YAML file, and turn every error of its reader into a DataError.

    Args:
        path: the file.
        noun: kind of the file, such as ``transcript``, for messages.
        most: largest accepted size in bytes.

    Raises:
        DataError: the file is unreadable, larger or damaged, or holds a tag other than that of tuples.
    """
    content = read_or_refuse(path, f"can't read the {noun}", most=most)
    try:
        loader = TupleLoader(content)
    except yaml.YAMLError as error:
        raise _unreadable(error, path, noun) from None
    try:
        yield loader
    except yaml.YAMLError as error:
        raise _unreadable(error, path, noun) from None
    except RecursionError:
        raise DataError(f"this {noun} is nested too deeply", where=path) from None
    except ValueError as error:  # a date or a number that is none
        raise DataError(f"this {noun} can't be read as YAML", where=path, found=error) from None
    finally:
        loader.dispose()


def place(path: Path, node: Any) -> str:
    """Return ``file:line:column`` of a node or of an event."""
    return f"{path}:{node.start_mark.line + 1}:{node.start_mark.column + 1}"


def wrong_tag(path: Path, noun: str, node: Any) -> DataError:
    """Return the error for a node, or an event, with a refused tag."""
    return DataError(
        f"this {noun} holds a YAML tag that is not read, as it may make a program run",
        where=place(path, node),
        found=f"!!{node.tag.removeprefix(_PLAIN)}" if node.tag.startswith(_PLAIN) else node.tag,
        expected="plain values, and !!python/tuple",
        do="Take the file from the organisers' pack again",
    )


def _unreadable(error: yaml.YAMLError, path: Path, noun: str) -> DataError:
    mark = getattr(error, "problem_mark", None)
    where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark is not None else str(path)
    text = getattr(error, "problem", None) or str(error).partition("\n")[0]
    if isinstance(error, yaml.constructor.ConstructorError) and "determine a constructor" in text:
        tag = text.rpartition("tag ")[2].strip("'\"")
        return DataError(
            f"this {noun} holds a YAML tag that is not read, as it may make a program run",
            where=where,
            found=f"!!{tag.removeprefix(_PLAIN)}" if tag.startswith(_PLAIN) else tag,
            expected="plain values, and !!python/tuple",
            do="Take the file from the organisers' pack again",
        )
    return DataError(f"this {noun} can't be read as YAML", where=where, found=text)
