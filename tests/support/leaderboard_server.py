"""``abaw leaderboard`` in a process of its own, and a visitor who reads its pages without a browser."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Block_pb2 import Block
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

START = "from leaderboard.command import leaderboard; leaderboard()"


def free_port() -> int:
    """One that nobody listens on now, and that no client is given for its own end of a connection.

    Who calls a port of the clients' range again and again while nobody listens there is at last given that port, calls
    itself, and it is taken (RFC 9293, 3.5: simultaneous open).
    """
    while True:
        with (
            contextlib.suppress(OSError),
            socket.create_server(("127.0.0.1", random.randrange(20_000, 32_768))) as probe,
        ):
            return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Server:
    """One that runs."""

    port: int
    process: subprocess.Popen[bytes]

    @property
    def worked(self) -> float:
        """Seconds of a processor that it has used so far: what it takes, however busy the machine is."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def served(store: Path, folder: Path, *options: str) -> Iterator[Server]:
    """A server on this store; what it says goes to ``folder/server.log``."""
    port, log = free_port(), folder / "server.log"
    command = [sys.executable, "-c", START, "--store", str(store), "--port", str(port), "--no-browser", *options]
    with log.open("w") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, cwd=folder)
        try:
            deadline = time.monotonic() + 30
            while not _listens(port):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield Server(port, process)
        finally:
            process.kill()  # asked to end, it takes a second
            process.wait()


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


@dataclass(frozen=True)
class Answer:
    """A page as the server sent it.

    Attributes:
        seconds: from the question to the end of the script.
        bytes: of all messages.
        elements: what it shows.
        blocks: what holds them: columns, tabs, expanders.
    """

    seconds: float
    bytes: int
    elements: tuple[Element, ...]
    blocks: tuple[Block, ...]

    @property
    def failures(self) -> list[str]:
        """Exceptions that the page shows."""
        raised = (e.exception for e in self.elements if e.WhichOneof("type") == "exception")
        return [f"{error.type}: {error.message}" for error in raised]

    @property
    def words(self) -> str:
        """Running text."""
        return "\n".join(str(getattr(e, kind).body) for e in self.elements if (kind := e.WhichOneof("type")) in _TEXTS)

    def shows(self, text: str) -> bool:
        """Whether a text stands anywhere on it, in tables and charts, too."""
        return any(text.encode() in element.SerializeToString() for element in self.elements)


_TEXTS = ("alert", "heading", "markdown", "text")


class Visitor:
    """A session with the server: opens pages one after the other."""

    def __init__(self, server: Server) -> None:
        here = f"127.0.0.1:{server.port}"
        # no pings: their answers wait behind messages that nobody reads, and are then taken for a server that is gone
        self._socket = connect(
            f"ws://{here}/_stcore/stream",
            subprotocols=["streamlit"],  # type: ignore[list-item]
            max_size=None,
            ping_interval=None,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def open(self, page: str = "", /, *, patience: float = 60.0, **address: Any) -> Answer:
        """The page with this state in its address."""
        question = BackMsg()
        question.rerun_script.page_name = page
        question.rerun_script.query_string = urlencode(address, doseq=True)
        size, elements, blocks = 0, [], []
        start = time.perf_counter()
        self._socket.send(question.SerializeToString())
        while True:
            data = self._socket.recv(timeout=patience)
            size += len(data)
            message = ForwardMsg()
            message.ParseFromString(data)
            kind = message.WhichOneof("type")
            if kind == "delta":
                elements += [message.delta.new_element] if message.delta.HasField("new_element") else []
                blocks += [message.delta.add_block] if message.delta.HasField("add_block") else []
            if kind == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                assert message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY
                return Answer(time.perf_counter() - start, size, tuple(elements), tuple(blocks))
