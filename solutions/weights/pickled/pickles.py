"""Reader of pickles that records their content without executing it.

Python's unpickler calls any function that a file names. Here a pickle is only read: a name becomes a :class:`Name`, a
call becomes a :class:`Call` with its arguments, and an assignment of state is recorded in this call. Content is never
imported, called, compared, hashed or changed, so that a file is harmless, whichever classes it names. Messages avoid
``repr`` of content, because it may be endless.
"""

from __future__ import annotations

import pickletools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO, Any

MAX_OPCODES = 2_000_000  # a whole pickled EfficientNet-B2 has 66,000
_MAX_MEMO = 2**32


class UnreadablePickleError(ValueError):
    """Error for damaged pickles, other content, and operations that files of weights never need."""


@dataclass(frozen=True, eq=False, repr=False)
class Name:
    """Global that the file names, such as ``Name("collections", "OrderedDict")``."""

    module: str
    name: str

    def __str__(self) -> str:
        """Return the full name."""
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, eq=False, repr=False)
class Persistent:
    """Reference to an object outside the pickle: torch's storages, in old files also classes."""

    id: Any


@dataclass(eq=False, repr=False)
class Items:
    """Dict or set, as a list of pairs or members in the file's order, without hashing."""

    values: list[Any] = field(default_factory=list)


@dataclass(eq=False, repr=False)
class Call:
    """Call that the file asks for, with the changes to its result.

    Attributes:
        function: the called object, mostly a :class:`Name`.
        arguments: the arguments.
        states: states for ``__setstate__`` or ``__dict__``, in order.
        items: pairs of keys and values that are set.
        members: values that are appended or added.
    """

    function: Any
    arguments: Any
    states: list[Any] = field(default_factory=list)
    items: list[Any] = field(default_factory=list)
    members: list[Any] = field(default_factory=list)


def called(value: Any) -> str:
    """Return the full name of the function that a :class:`Call` calls; empty for all other content."""
    return str(value.function) if isinstance(value, Call) and isinstance(value.function, Name) else ""


def describe(value: Any) -> str:
    """Return a short description of content, for messages."""
    if isinstance(value, Call):
        return f"a pickled call of {called(value)[:120] or 'something nameless'}"
    if isinstance(value, Name):
        return f"the name {str(value)[:120]}"
    return "a pickled dict or set" if isinstance(value, Items) else f"a pickled {type(value).__name__}"


def mapping(value: Any) -> dict[str, Any]:
    """Return a dict, an OrderedDict, or an object of a subclass as a dict with text as keys.

    Raises:
        UnreadablePickleError: the content is no dict.
    """
    if isinstance(value, Items):
        pairs = value.values
    elif called(value) == "collections.OrderedDict":  # Python 2 passes a list of pairs
        first = value.arguments[0] if isinstance(value.arguments, tuple) and value.arguments else None
        pairs = [*first, *value.items] if isinstance(first, list) else value.items
    elif isinstance(value, Call) and value.items:
        pairs = value.items
    else:
        raise UnreadablePickleError(describe(value))
    result: dict[str, Any] = {}
    for pair in pairs:
        if not (isinstance(pair, (tuple, list)) and len(pair) == 2):
            raise UnreadablePickleError(f"{describe(pair)} in place of a key and its value")
        key = pair[0].decode("latin-1") if isinstance(pair[0], bytes) else pair[0]
        if not isinstance(key, str):
            raise UnreadablePickleError(f"a dict with {describe(key)} as a key")
        result[key] = pair[1]
    return result


_VALUES = frozenset(
    {
        "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
        "STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
        "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8",
    }
)  # fmt: skip
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_REFUSED = {
    "EXT1": "copyreg's extension codes", "EXT2": "copyreg's extension codes", "EXT4": "copyreg's extension codes",
    "NEXT_BUFFER": "buffers outside the file", "READONLY_BUFFER": "buffers outside the file",
}  # fmt: skip
_MARK = object()


def read_pickle(stream: IO[bytes]) -> tuple[Any, list[Any]]:
    """Read one pickle from the position of the stream, which is left at the end of the pickle.

    Returns:
        The content, and the ids of all persistent objects in it in the file's order. Content consists of numbers, text,
        bytes, lists, tuples, :class:`Items`, :class:`Name`, :class:`Call` and :class:`Persistent`, possibly in cycles.

    Raises:
        UnreadablePickleError: the pickle is damaged, too long, or uses an operation that weights never need.
    """
    reader = _Reader()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
            if count >= MAX_OPCODES:
                raise UnreadablePickleError(f"a pickle of more than {MAX_OPCODES:,} operations")
            if opcode.name == "STOP":
                return reader.pop(), reader.persistent
            reader.step(opcode.name, argument)
    except UnreadablePickleError:
        raise
    except ValueError as error:  # raised by pickletools, for example for unknown operations and truncated files
        raise UnreadablePickleError(f"not a whole pickle ({str(error)[:120]})") from None
    raise UnreadablePickleError("not a whole pickle")


class _Reader:
    """Stack and memo of a pickle machine."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.persistent: list[Any] = []

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise UnreadablePickleError("a pickle that takes from an empty stack")
        return self.stack.pop()

    def top(self) -> Any:
        value = self.pop()
        self.stack.append(value)
        return value

    def pop_to_mark(self) -> list[Any]:
        for at in range(len(self.stack) - 1, -1, -1):
            if self.stack[at] is _MARK:
                values = self.stack[at + 1 :]
                del self.stack[at:]
                return values
        raise UnreadablePickleError("a pickle that misses a mark")

    def step(self, name: str, argument: Any) -> None:
        """Record one operation, other than STOP."""
        push = self.stack.append
        match name:
            case "PROTO" | "FRAME":
                pass
            case _ if name in _VALUES:
                push(argument)
            case _ if name in _CONSTANTS:
                push(_CONSTANTS[name])
            case "MARK":
                push(_MARK)
            case "POP":
                if not self.stack:
                    raise UnreadablePickleError("a pickle that takes from an empty stack")
                self.stack.pop()
            case "POP_MARK":
                self.pop_to_mark()
            case "DUP":
                push(self.top())
            case "GET" | "BINGET" | "LONG_BINGET":
                if argument not in self.memo:
                    raise UnreadablePickleError("a pickle that recalls what it never noted")
                push(self.memo[argument])
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                if not 0 <= argument < _MAX_MEMO:
                    raise UnreadablePickleError("a pickle with an impossible memo")
                self.memo[argument] = self.top()
            case "MEMOIZE":
                self.memo[len(self.memo)] = self.top()
            case "EMPTY_TUPLE":
                push(())
            case "TUPLE":
                push(tuple(self.pop_to_mark()))
            case _ if name in _TUPLES:
                push(tuple(reversed([self.pop() for _ in range(_TUPLES[name])])))
            case "EMPTY_LIST":
                push([])
            case "LIST":
                push(self.pop_to_mark())
            case "EMPTY_DICT" | "EMPTY_SET":
                push(Items())
            case "DICT":
                push(Items(_pairs(self.pop_to_mark())))
            case "FROZENSET":
                push(Items(self.pop_to_mark()))
            case "APPEND":
                value = self.pop()
                _extend(self.top(), [value])
            case "APPENDS" | "ADDITEMS":
                values = self.pop_to_mark()
                _extend(self.top(), values)
            case "SETITEM":
                value, key = self.pop(), self.pop()
                _set_items(self.top(), [(key, value)])
            case "SETITEMS":
                values = self.pop_to_mark()
                _set_items(self.top(), _pairs(values))
            case "PERSID" | "BINPERSID":
                identity = argument if name == "PERSID" else self.pop()
                self.persistent.append(identity)
                push(Persistent(identity))
            case "BUILD":
                state = self.pop()
                target = self.top()
                if not isinstance(target, Call):
                    raise UnreadablePickleError("a pickle that gives a state to something that is not an object")
                target.states.append(state)
            case _:
                self._name_or_call(name, argument)

    def _name_or_call(self, name: str, argument: Any) -> None:
        push = self.stack.append
        match name:
            case "GLOBAL":
                push(_global(argument))
            case "STACK_GLOBAL":
                attribute, module = self.pop(), self.pop()
                if not (isinstance(attribute, str) and isinstance(module, str)):
                    raise UnreadablePickleError("a pickle with a name that is not text")
                push(Name(module, attribute))
            case "REDUCE" | "NEWOBJ":
                arguments, function = self.pop(), self.pop()
                push(Call(function, arguments))
            case "NEWOBJ_EX":
                keywords, arguments, function = self.pop(), self.pop(), self.pop()
                push(Call(function, (arguments, keywords)))
            case "INST":
                push(Call(_global(argument), tuple(self.pop_to_mark())))
            case "OBJ":
                function, *arguments = self.pop_to_mark() or [None]
                push(Call(function, tuple(arguments)))
            case _:
                raise UnreadablePickleError(f"a pickle that uses {_REFUSED.get(name, name)}")


def _global(argument: str) -> Name:
    module, _, name = argument.partition(" ")  # as pickletools joins the two lines
    return Name(module, name)


def _pairs(values: Sequence[Any]) -> list[Any]:
    if len(values) % 2:
        raise UnreadablePickleError("a pickle with a key that has no value")
    return list(zip(values[::2], values[1::2], strict=True))


def _extend(target: Any, values: list[Any]) -> None:
    if isinstance(target, list):
        target.extend(values)
    elif isinstance(target, Items):
        target.values.extend(values)
    elif isinstance(target, Call):
        target.members.extend(values)
    else:
        raise UnreadablePickleError("a pickle that appends to something that is not a list")


def _set_items(target: Any, pairs: list[Any]) -> None:
    if isinstance(target, Items):
        target.values.extend(pairs)
    elif isinstance(target, Call):
        target.items.extend(pairs)
    else:
        raise UnreadablePickleError("a pickle that sets items of something that is not a dict")
