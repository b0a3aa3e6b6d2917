"""One file over HTTP, going on where an earlier attempt broke off, and never trusting what a server says of itself."""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import os
import random
import re
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from harness import __version__
from harness.errors import DISK_FULL, StorageError, problem, storage_error
from harness.system.atomic import write_text
from harness.system.regular import read_text

MAX_SIZE = 16 * 2**30
_CHUNK = 2**18
_TIMEOUT = 30.0
_TRIES = 5  # that got nothing more than the one before
_MOST_TRIES = 50
_FIRST_WAIT = 0.25
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})

Progress = Callable[[str, int, str], AbstractContextManager[Callable[[int], None]]]


class DownloadError(Exception):
    """The file can't be had from this address now; the message says why, in words for after ``found``."""


class _BrokenOffError(Exception):
    """Worth another try."""


class _RangeError(_BrokenOffError):
    """The server has no such range: what is here is not the beginning of what it has."""


@dataclass(frozen=True)
class _Source:
    """What a part on the disk is a part of.

    Attributes:
        validator: strong ETag or date of the file on the server; without one nothing is resumed.
        size: bytes of the whole, if the server said.
    """

    url: str
    validator: str | None
    size: int | None


def download(url: str, part: Path, title: str, progress: Progress) -> None:
    """Download ``url`` into ``part``, appending to what an earlier call left there if it is of the same file.

    Args:
        part: beside it lies ``<part>.json``, which says what it is a part of.
        progress: as :func:`harness.system.progress.progress`.

    Raises:
        DownloadError: it can't be had; ``part`` keeps what came.
        StorageError: the disk is full, or the folder can't be written; ``part`` keeps what came.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise DownloadError(f"an address that is not of the web: {url}")
    furthest, tries = -1, 0
    with _Meter(title, progress) as meter:
        for total in range(1, _MOST_TRIES + 1):
            try:
                _attempt(url, part, meter)
                return
            except _BrokenOffError as error:
                reached = _size(part)
                tries, furthest = (1, reached) if reached > furthest else (tries + 1, furthest)
                if tries >= _TRIES or total == _MOST_TRIES:
                    raise DownloadError(f"{error}, {total} attempts") from None
            except OSError as error:  # of the disk: the network's are turned into _BrokenOffError
                if error.errno in DISK_FULL:
                    do = "Free some space, or name a larger disk with --cache; the same command goes on from there"
                    raise StorageError(problem("the disk is full", where=part, found=error, do=do)) from None
                raise storage_error(error, part) from None
            time.sleep(min(30.0, _FIRST_WAIT * 2**tries) * random.uniform(0.5, 1.0))


def forget(part: Path) -> None:
    """Remove a part and what is known of it."""
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _attempt(url: str, part: Path, meter: _Meter) -> None:
    """Ask once, and take what comes."""
    source = _read_note(part, url)
    have = _size(part) if source else 0
    if source and source.size == have:  # a kill came between the last byte and its use
        return
    headers = {"User-Agent": f"abaw/{__version__}", "Accept-Encoding": "identity"}
    if source and source.validator and have:
        headers |= {"Range": f"bytes={have}-", "If-Range": source.validator}
    try:
        with _network_told():
            response = _opener().open(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT)  # noqa: S310
    except _RangeError:
        forget(part)
        raise
    with contextlib.closing(response):
        _refuse_pages(response)
        start, size = _span(response, have)
        offered = _Source(url, _validator(response), size)
        if start and not (source and offered.validator == source.validator and source.size in (None, size)):
            forget(part)
            raise _BrokenOffError("the file on the server changed between two attempts")
        if size is not None and size > MAX_SIZE:
            raise DownloadError(f"{size:,} bytes, more than any weights have")
        if not start:
            forget(part)
            part.parent.mkdir(parents=True, exist_ok=True)
            write_text(_note(part), json.dumps(asdict(offered)) + "\n")
        meter.begin(start, size)
        with part.open("ab", buffering=0) as stream:  # what has come survives a kill
            for data in _blocks(response, None if size is None else size - start):
                if stream.write(data) != len(data):
                    raise OSError(errno.ENOSPC, "only a part of it was written")
                meter.advance(len(data))
            os.fsync(stream.fileno())
    if size is not None and _size(part) != size:
        raise _BrokenOffError(f"{_size(part):,} bytes, where the server announced {size:,}")


def _blocks(response: http.client.HTTPResponse, size: int | None) -> Iterator[bytes]:
    """What comes, as it comes; of a response that says its size no more than that."""
    left = MAX_SIZE if size is None else size
    while left:
        with _network_told():
            data = response.read1(min(left, _CHUNK))
        if not data:
            return
        left -= len(data)
        yield data


def _refuse_pages(response: http.client.HTTPResponse) -> None:
    kind = response.headers.get_content_type()
    if kind in ("text/html", "application/xhtml+xml"):
        raise DownloadError("a web page in place of the file: perhaps a login is asked for")
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise DownloadError(f"the file in an encoding that was not asked for ({encoding[:40]!r})")


def _span(response: http.client.HTTPResponse, have: int) -> tuple[int, int | None]:
    """Where in the file the response begins, and the size of the whole file if it says so."""
    length = response.headers.get("Content-Length", "")
    announced = int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None
    if response.status == 200:  # also where the server knows no ranges, or the file is another one by now
        return 0, announced
    given = re.fullmatch(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", response.headers.get("Content-Range", ""))
    first, last, size = map(int, given.groups()) if given else (-1, -1, -1)
    if response.status != 206 or first != have or last != size - 1 or announced not in (None, size - first):
        found = response.headers.get("Content-Range", "no range")[:60]
        raise DownloadError(f"an answer that does not fit the question (status {response.status}, {found!r})")
    return first, size


def _validator(response: http.client.HTTPResponse) -> str | None:
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified")


@contextlib.contextmanager
def _network_told() -> Iterator[None]:
    """Sorts the network's errors into those worth another try and those not."""
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        said = f"{error.code} {error.reason}"[:200]
        if error.code == 416:
            raise _RangeError(said) from None
        raise (_BrokenOffError if error.code in _PASSING else DownloadError)(said) from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise DownloadError(f"a certificate that can't be trusted ({error.reason.verify_message})") from None
        raise _BrokenOffError(f"no connection ({str(error.reason)[:200]})") from None
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenOffError(f"the connection broke off ({type(error).__name__}: {str(error)[:200]})") from None


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to the web only, and none from a safe connection to an open one."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        scheme = urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme == "http"):
            raise DownloadError(f"a redirect to {newurl[:200]!r}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """As urllib's own, without its handlers of ``file:``, ``ftp:`` and ``data:``."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
        _SafeRedirects(),
    ):
        opener.add_handler(handler)
    return opener


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _read_note(part: Path, url: str) -> _Source | None:
    """What the part is a part of, if it can be gone on with."""
    try:
        source = _Source(**json.loads(read_text(_note(part))))
    except (OSError, ValueError, TypeError):
        return None
    return source if source.url == url and source.validator else None


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


class _Meter:
    """Progress in kilobytes, begun when the size is known, set back when a server begins anew."""

    def __init__(self, title: str, progress: Progress) -> None:
        self._title, self._progress = title, progress
        self._shown: Callable[[int], None] | None = None
        self._stack = contextlib.ExitStack()
        self._bytes = self._kilobytes = 0

    def __enter__(self) -> _Meter:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def begin(self, start: int, size: int | None) -> None:
        if self._shown is None:
            self._bytes = start
            self._kilobytes = start // 1000
            total = (size or start) // 1000 - self._kilobytes
            self._shown = self._stack.enter_context(self._progress(self._title, total, "kB"))
        self.advance(start - self._bytes)

    def advance(self, n: int) -> None:
        self._bytes += n
        step = self._bytes // 1000 - self._kilobytes
        if step and self._shown is not None:
            self._kilobytes += step
            self._shown(step)
