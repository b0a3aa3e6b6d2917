"""Download of one file over HTTP, which resumes earlier attempts and distrusts the server's statements."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import random
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from harness import __version__
from harness.errors import DISK_FULL, StorageError, storage_error
from harness.system.atomic import write_text
from harness.system.counts import counted
from harness.system.regular import read_text

if TYPE_CHECKING:
    from requests import Response
    from tenacity import RetryCallState

MAX_SIZE = 16 * 2**30
_CHUNK = 2**18
_TIMEOUT = 30.0
_TRIES = 5  # attempts in a row without further bytes
_MOST_TRIES = 50
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 30.0
_MOST_REDIRECTS = 10
_PASSING = frozenset({408, 416, 425, 429, 500, 502, 503, 504})

Progress = Callable[[str, int, str], AbstractContextManager[Callable[[int], None]]]


class DownloadError(Exception):
    """Failure to download a file from an address; the message is the reason, to be shown after ``found``."""


class _BrokenOffError(Exception):
    """Failure of one attempt after which another attempt may succeed."""


@dataclass(frozen=True)
class _Source:
    """Identity of a partly downloaded file.

    Attributes:
        url: address of the file.
        validator: strong ETag or date of the file on the server; ``None`` excludes resuming.
        size: size of the complete file in bytes, if the server stated it.
    """

    url: str
    validator: str | None
    size: int | None


def download(url: str, part: Path, title: str, progress: Progress) -> None:
    """Download ``url`` into ``part``, and resume an earlier call's download of the same file.

    Args:
        url: web address without a password.
        part: target file; ``<part>.json`` beside it identifies the file that it is a part of.
        title: title of the progress display.
        progress: function like :func:`harness.system.progress.progress`.

    Raises:
        DownloadError: the download failed; ``part`` keeps the received bytes.
        StorageError: the disk is full, or writing to the folder fails; ``part`` keeps the received bytes.
    """
    import tenacity

    if not _is_web(url):
        raise DownloadError(f"an address that is not of the web: {url}")
    furthest, tries = -1, 0

    def wait(state: RetryCallState) -> float:
        nonlocal furthest, tries
        reached = _size(part)
        tries, furthest = (1, reached) if reached > furthest else (tries + 1, furthest)
        return min(_LONGEST_WAIT, _FIRST_WAIT * 2.0**tries) * random.uniform(0.5, 1.0)

    def give_up(state: RetryCallState) -> None:
        raise DownloadError(
            f"{state.outcome and state.outcome.exception()}, {counted(state.attempt_number, 'attempt')}"
        )

    with _Meter(title, progress) as meter:
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_BrokenOffError),
            wait=wait,
            stop=lambda state: tries >= _TRIES or state.attempt_number == _MOST_TRIES,
            retry_error_callback=give_up,
        )
        try:
            attempts(_attempt, url, part, meter)
        except OSError as error:  # an error of the disk: those of the network became _BrokenOffError
            if error.errno in DISK_FULL:
                do = "Free some space, or name a larger disk with --cache; the same command goes on from there"
                raise StorageError("the disk is full", where=part, found=error, do=do) from None
            raise storage_error(error, part) from None


def forget(part: Path) -> None:
    """Remove a part and the note that identifies it."""
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _attempt(url: str, part: Path, meter: _Meter) -> None:
    """Make one request, and append the received bytes to the part."""
    source = _read_note(part, url)
    have = _size(part) if source else 0
    if source and source.size == have:  # an earlier process was killed after the last byte
        return
    headers = {"User-Agent": f"abaw/{__version__}", "Accept-Encoding": "identity"}
    if source and source.validator and have:
        headers |= {"Range": f"bytes={have}-", "If-Range": source.validator}
    with contextlib.closing(_answer(url, headers)) as response:
        if response.status_code == 416:  # no such range: the part is not the beginning of the server's file
            forget(part)
        if response.status_code >= 300:
            status = f"{response.status_code} {response.reason}"[:200]
            raise (_BrokenOffError if response.status_code in _PASSING else DownloadError)(status)
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
        with part.open("ab", buffering=0) as stream:  # unbuffered, so that received bytes survive a kill
            for data in _blocks(response, None if size is None else size - start):
                if stream.write(data) != len(data):
                    raise OSError(errno.ENOSPC, "only a part of it was written")
                meter.advance(len(data))
            os.fsync(stream.fileno())
    if size is not None and _size(part) != size:
        raise _BrokenOffError(f"{_size(part):,} bytes, where the server announced {size:,}")


def _answer(url: str, headers: Mapping[str, str]) -> Response:
    """Request an address, follow redirects, and return the response before reading its content."""
    import requests
    from requests.adapters import HTTPAdapter

    class SystemTrust(HTTPAdapter):
        """Adapter that trusts the system's certificates, as the standard library does."""

        def build_connection_pool_key_attributes(self, *request: Any) -> tuple[dict[str, Any], dict[str, Any]]:
            host, tls = super().build_connection_pool_key_attributes(*request)
            return host, {**tls, "ssl_context": ssl.create_default_context()}

        def cert_verify(self, *request: Any) -> None:
            """Skip the certificates that requests would add."""

    adapter = SystemTrust()
    for _ in range(_MOST_REDIRECTS):
        # without a session, which would read redirects' bodies of any size, and passwords from ~/.netrc
        request = requests.Request("GET", url, headers).prepare()
        with _network_errors():
            proxies = requests.utils.get_environ_proxies(url)
            response = adapter.send(request, stream=True, timeout=_TIMEOUT, proxies=proxies)
        if not response.is_redirect:
            return response
        response.close()
        url = _followed(url, response.headers["Location"])
    raise DownloadError(f"more than {_MOST_REDIRECTS} redirects")


def _followed(url: str, location: str) -> str:
    """Return the target of a redirect.

    Raises:
        DownloadError: the target is outside the web, or would replace HTTPS by HTTP.
    """
    target = urljoin(url, location)
    if not _is_web(target) or (urlsplit(url).scheme == "https" and urlsplit(target).scheme == "http"):
        raise DownloadError(f"a redirect to {target[:200]!r}, which is not followed")
    return target


def _is_web(url: str) -> bool:
    """Return True for a web address without user name and password."""
    parts = urlsplit(url)
    return parts.scheme in ("http", "https") and "@" not in parts.netloc


@contextlib.contextmanager
def _network_errors() -> Iterator[None]:
    """Turn the network's errors into those after which a new attempt may succeed, and final ones."""
    import requests
    import urllib3

    try:
        yield
    except requests.RequestException as error:
        reason = getattr(error.args[0] if error.args else error, "reason", error)
        cause = reason.args[0] if reason.args else None
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise DownloadError(f"a certificate that can't be trusted ({cause.verify_message})") from None
        raise _BrokenOffError(f"no connection ({str(reason)[:200]})") from None
    except (OSError, urllib3.exceptions.HTTPError) as error:
        raise _BrokenOffError(f"the connection broke off ({type(error).__name__}: {str(error)[:200]})") from None


def _blocks(response: Response, size: int | None) -> Iterator[bytes]:
    """Yield blocks of the response as they arrive, up to its size if that is known."""
    response.raw.enforce_content_length = False  # another attempt requests missing bytes
    left = MAX_SIZE if size is None else size
    while left:
        with _network_errors():
            data = response.raw.read1(min(left, _CHUNK), decode_content=False)
        if not data:
            return
        left -= len(data)
        yield data


def _refuse_pages(response: Response) -> None:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        raise DownloadError("a web page in place of the file: perhaps a login is asked for")
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding != "identity":
        raise DownloadError(f"the file in an encoding that was not asked for ({encoding[:40]!r})")


def _span(response: Response, have: int) -> tuple[int, int | None]:
    """Return the position in the file at which the response begins, and the size of the complete file if stated.

    Raises:
        DownloadError: the response does not fit the requested range.
    """
    length = response.headers.get("Content-Length", "")
    announced = int(length) if re.fullmatch(r"[0-9]{1,18}", length) else None
    if response.status_code == 200:  # also for servers without ranges, or if the file has changed
        return 0, announced
    match = re.fullmatch(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})", response.headers.get("Content-Range", ""))
    first, last, size = map(int, match.groups()) if match else (-1, -1, -1)
    if response.status_code != 206 or first != have or last != size - 1 or announced not in (None, size - first):
        span = response.headers.get("Content-Range", "no range")[:60]
        raise DownloadError(f"an answer that does not fit the question (status {response.status_code}, {span!r})")
    return first, size


def _validator(response: Response) -> str | None:
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified")


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _read_note(part: Path, url: str) -> _Source | None:
    """Return the identity of a part if the download can resume, else ``None``."""
    try:
        source = _Source(**json.loads(read_text(_note(part))))
    except (OSError, ValueError, TypeError):
        return None
    return source if source.url == url and source.validator else None


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


class _Meter:
    """Progress display in kilobytes, started when the size is known, set back if a server starts over."""

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
