"""The downloader against a server on this machine that breaks off, lies and changes its mind."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from dataclasses import replace
from functools import partial

import pytest
import torch

from harness.errors import DataError, MissingDependencyError, StorageError
from harness.system.provenance import sha256_of
from solutions.weights import download, store
from solutions.weights.registry import WEIGHTS
from solutions.weights.store import fetch_weights, import_weights, is_here, load_weights, read_record
from tests.support.places import REPOSITORY
from tests.support.weights_server import NAME, breaks_off, serve


@contextlib.contextmanager
def quiet(title, total, unit):
    yield lambda n: None


fetch = partial(fetch_weights, NAME, progress=quiet)


def folder(settings):
    return settings.cache / "weights"


def visible(settings):
    return sorted(p.name for p in folder(settings).iterdir() if not p.name.startswith("."))


WHOLE = [f"{NAME}.json", f"{NAME}.safetensors"]
PART = [f"{NAME}.pt.part", f"{NAME}.pt.part.json"]


def test_fetch_brings_records_and_checks(server, checkpoint, settings):
    got = fetch(settings)
    assert got.sha256 == sha256_of(checkpoint[0])
    assert all(torch.equal(got.tensors[name], tensor) for name, tensor in checkpoint[1].items())
    assert visible(settings) == WHOLE
    record = read_record(NAME, settings)
    assert (record.source, record.size) == (server.url, len(server.content))
    assert server.asked[0]["User-Agent"].startswith("abaw/")
    fetch(settings)
    assert len(server.asked) == 1, "weights that are here are not asked for again"


def test_a_broken_connection_is_gone_on_with(server, settings):
    server.plan = [breaks_off(30_000), breaks_off(20_000)]
    fetch(settings)
    assert server.ranges() == [None, "bytes=30000-", "bytes=50000-"]
    assert [asked.get("If-Range") for asked in server.asked] == [None, '"one"', '"one"']


def test_progress_counts_every_byte_once(server, settings):
    told, seen = [], []

    @contextlib.contextmanager
    def told_to(title, total, unit):
        told.append((title, total, unit))
        yield seen.append

    def restart(handler, server):
        handler.answer(200, server.content, ETag='"one"')

    server.plan = [breaks_off(30_000), restart]
    fetch_weights(NAME, settings, told_to)
    size = len(server.content) // 1000
    assert told == [(NAME, size, "kB")]
    assert sum(seen) == size
    assert min(seen) < 0, "a server that begins anew sets the bar back"


def test_a_later_command_goes_on_too(server, settings, monkeypatch):
    monkeypatch.setattr(download, "_TRIES", 1)
    server.plan = [breaks_off(30_000)]
    with pytest.raises(MissingDependencyError, match=r"goes on from where it stopped.*abaw weights import"):
        fetch(settings)
    assert visible(settings) == PART
    fetch(settings)
    assert server.ranges() == [None, "bytes=30000-"]
    assert visible(settings) == WHOLE


def test_a_server_that_ignores_ranges(server, settings):
    server.plan = [breaks_off(30_000), lambda handler, server: handler.answer(200, server.content, ETag='"one"')]
    fetch(settings)
    assert server.ranges()[1] == "bytes=30000-"


def test_a_file_that_changes_between_two_halves_is_begun_anew(server, settings, checkpoint):
    def change():
        server.etag = '"two"'

    first = bytes(len(server.content))
    content, server.content = server.content, first
    server.plan = [partial(serve, only=30_000, after=change)]

    def swap(handler, server):
        server.content = content
        serve(handler, server)

    server.plan.append(swap)
    assert fetch(settings).sha256 == sha256_of(checkpoint[0])


def test_a_server_that_goes_on_with_another_file_is_not_believed(server, settings, checkpoint):
    """It ignores If-Range, and answers with the other half of what it has now."""

    def other_half(handler, server):
        start = int(handler.headers["Range"][6:-1])
        size = len(server.content)
        handler.answer(206, bytes(size - start), ETag='"two"', Content_Range=f"bytes {start}-{size - 1}/{size}")

    server.plan = [breaks_off(30_000), other_half]
    assert fetch(settings).sha256 == sha256_of(checkpoint[0])
    assert server.ranges() == [None, "bytes=30000-", None]


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_strong_validator_nothing_is_resumed(server, settings, etag):
    server.plan = [lambda handler, server: handler.answer(200, server.content[:9000], ETag=etag,
                                                          Content_Length=len(server.content))]  # fmt: skip
    fetch(settings)
    assert server.ranges() == [None, None]


def test_a_date_serves_as_validator(server, settings):
    date = "Wed, 21 Oct 2015 07:28:00 GMT"

    def dated(handler, server):
        start = int(handler.headers.get("Range", "bytes=0-")[6:-1])
        size = len(server.content)
        body = server.content[start:] if start else server.content[:9000]
        span = f"bytes {start}-{size - 1}/{size}" if start else None
        length = size - start
        handler.send_response(206 if start else 200)
        for key, value in {"Last-Modified": date, "Content-Range": span, "Content-Length": length}.items():
            if value is not None:
                handler.send_header(key, value)
        handler.end_headers()
        handler.wfile.write(body)

    server.plan = [dated, dated]
    fetch(settings)
    assert (server.asked[1]["Range"], server.asked[1]["If-Range"]) == ("bytes=9000-", date)


@pytest.mark.parametrize("spans", ["bytes 0-{last}/{size}", "bytes 30000-{last}/*", "bytes 30001-{last}/{size}", "x",
                                   None, "bytes 30000-40000/{size}", "bytes 30000-{size}/{size}"])  # fmt: skip
def test_a_wrong_content_range_is_refused(server, settings, spans):
    size = len(server.content)
    span = spans and spans.format(size=size, last=size - 1)
    server.plan = [
        breaks_off(30_000),
        lambda handler, server: handler.answer(206, server.content[30_000:], ETag='"one"', Content_Range=span),
    ]
    with pytest.raises(MissingDependencyError, match="an answer that does not fit the question"):
        fetch(settings)


def test_a_server_that_announces_too_much(server, settings):
    size = len(server.content)
    server.plan = [
        lambda handler, server: handler.answer(200, server.content, ETag='"one"', Content_Length=size + 99),
        *[lambda handler, server: handler.answer(206, b"", ETag='"one"', Content_Length=99,
                                                 Content_Range=f"bytes {size}-{size + 98}/{size + 99}")] * 9,
    ]  # fmt: skip
    with pytest.raises(MissingDependencyError, match=rf"{size:,} bytes, where the server announced {size + 99:,}"):
        fetch(settings)
    assert len(server.asked) == download._TRIES
    assert not is_here(NAME, settings)


def test_a_server_that_announces_too_little(server, settings):
    server.plan = [lambda handler, server: handler.answer(200, server.content, Content_Length=40_000)]
    with pytest.raises(DataError, match=r"not readable as weights.*is kept as .*drawn\.pt\.refused"):
        fetch(settings)
    assert visible(settings) == [f"{NAME}.pt.refused"]
    fetch(settings)
    assert visible(settings) == WHOLE


def test_wrong_bytes_are_refused_and_kept_aside(server, settings, tmp_path, monkeypatch):
    first = fetch(settings)
    store.tensors_path(NAME, settings).unlink()
    torch.save({"x": torch.ones(3)}, tmp_path / "other.pt")
    content, server.content = server.content, (tmp_path / "other.pt").read_bytes()
    refused = folder(settings) / f"{NAME}.pt.refused"
    with pytest.raises(DataError, match=rf"not the file that {NAME} came from .*import {NAME} {refused} --replace"):
        fetch(settings)
    assert refused.read_bytes() == server.content
    assert visible(settings) == [f"{NAME}.json", refused.name]
    server.content = content
    assert fetch(settings).sha256 == first.sha256
    assert visible(settings) == WHOLE
    monkeypatch.setattr(download, "download", None)
    import_weights(NAME, tmp_path / "other.pt", settings, replace=True)


def test_a_known_hash_is_asked_of_the_first_download(server, settings, monkeypatch):
    monkeypatch.setitem(WEIGHTS, NAME, replace(WEIGHTS[NAME], sha256="0" * 64))
    with pytest.raises(DataError, match="not the published file of drawn"):
        fetch(settings)
    assert not is_here(NAME, settings)


def test_a_web_page_in_place_of_the_file(server, settings):
    page = b"<!DOCTYPE html><title>Sign in</title>"
    server.plan = [lambda handler, server: handler.answer(200, page, Content_Type="text/html; charset=utf-8")]
    with pytest.raises(MissingDependencyError, match="a web page in place of the file"):
        fetch(settings)
    server.plan = [lambda handler, server: handler.answer(200, page, Content_Type="application/octet-stream")]
    with pytest.raises(DataError, match="a web page"):
        fetch(settings)


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_what_is_not_there_is_asked_for_once(server, settings, status):
    server.plan = [lambda handler, server: handler.answer(status, b"gone")] * 9
    with pytest.raises(
        MissingDependencyError, match=rf"{server.url}: the weights .* can't be downloaded; found {status}"
    ):
        fetch(settings)
    assert len(server.asked) == 1


def test_a_busy_server_is_asked_again(server, settings):
    server.plan = [lambda handler, server: handler.answer(503, b"")] * 3
    fetch(settings)
    server.plan = [lambda handler, server: handler.answer(503, b"")] * 9
    store.tensors_path(NAME, settings).unlink()
    with pytest.raises(MissingDependencyError, match=r"503.* 5 attempts"):
        fetch(settings)


def test_no_connection(server, settings, monkeypatch):
    monkeypatch.setitem(WEIGHTS, NAME, replace(WEIGHTS[NAME], url="http://127.0.0.1:9/x.pt"))
    with pytest.raises(MissingDependencyError, match=r"no connection .*refused.*5 attempts.*landmarks"):
        fetch(settings)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "/etc/passwd"])
def test_addresses_that_are_not_of_the_web(server, settings, monkeypatch, url):
    server.plan = [lambda handler, server: handler.answer(302, b"", Location=url)]
    if ":" in url:
        with pytest.raises(MissingDependencyError, match=r"302|not followed"):
            fetch(settings)
        assert visible(settings) == []
    monkeypatch.setitem(WEIGHTS, NAME, replace(WEIGHTS[NAME], url=url))
    with pytest.raises(MissingDependencyError, match="not of the web"):
        fetch(settings)


def test_redirects_are_followed_but_not_from_https_to_http(server, settings):
    server.plan = [lambda handler, server: handler.answer(302, b"", Location=server.url + "?raw=true")]
    fetch(settings)
    assert download._followed("http://example.org/x", "//example.com/y") == "http://example.com/y"
    assert download._followed("https://example.org/x", "/y") == "https://example.org/y"
    with pytest.raises(download.DownloadError, match="not followed"):
        download._followed("https://example.org/x", "http://example.org/x")


def test_redirects_in_a_circle_end(server, settings):
    server.plan = [lambda handler, server: handler.answer(302, b"", Location=server.url)] * 99
    with pytest.raises(MissingDependencyError, match="more than 10 redirects"):
        fetch(settings)
    assert len(server.asked) == 10


def test_the_body_of_a_redirect_is_not_read(server, settings):
    """It may never end."""
    sent: list[int] = []

    def endless(handler, server):
        handler.send_response(302)
        handler.send_header("Location", server.url + "?raw=true")
        handler.send_header("Content-Length", 10**9)
        handler.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(1000):
                sent.append(handler.wfile.write(bytes(10**6)))

    server.plan = [endless]
    fetch(settings)
    assert sum(sent) < 10**8


@pytest.mark.parametrize("place", ["name:password@127.0.0.1", "name@127.0.0.1"])
def test_a_password_in_an_address_is_refused(server, settings, monkeypatch, place):
    url = server.url.replace("127.0.0.1", place)
    server.plan = [lambda handler, server: handler.answer(302, b"", Location=url)]
    with pytest.raises(MissingDependencyError, match="not followed"):
        fetch(settings)
    monkeypatch.setitem(WEIGHTS, NAME, replace(WEIGHTS[NAME], url=url))
    with pytest.raises(MissingDependencyError, match="not of the web"):
        fetch(settings)
    assert len(server.asked) == 1


def test_no_password_is_looked_for_at_home(server, settings, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    server.plan = [lambda handler, server: handler.answer(302, b"", Location=server.url + "?raw=true")]
    fetch(settings)
    assert [asked["Authorization"] for asked in server.asked] == [None, None]


def test_a_proxy_is_asked_for_what_is_elsewhere(server, settings, monkeypatch):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setitem(WEIGHTS, NAME, replace(WEIGHTS[NAME], url="http://weights.invalid/x.pt"))
    fetch(settings)
    assert server.asked[0]["Host"] == "weights.invalid"


@pytest.fixture
def safe_server(server, tmp_path, monkeypatch):
    """The server over TLS, with a certificate that nobody has signed."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", key, "-out", certificate, "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    monkeypatch.setitem(WEIGHTS, NAME, replace(WEIGHTS[NAME], url=server.url.replace("http:", "https:")))
    return certificate


@pytest.mark.process
def test_a_certificate_that_the_system_trusts_is_enough(safe_server, settings, monkeypatch, server):
    monkeypatch.setenv("SSL_CERT_FILE", str(safe_server))
    server.plan = [breaks_off(30_000)]
    fetch(settings)
    assert server.ranges() == [None, "bytes=30000-"]


@pytest.mark.process
def test_a_certificate_that_nobody_knows_is_refused_at_once(safe_server, settings, server):
    with pytest.raises(MissingDependencyError, match=r"a certificate that can't be trusted \(self.signed"):
        fetch(settings)
    assert server.asked == []


@pytest.mark.process
def test_no_redirect_leads_from_a_safe_connection_to_an_open_one(safe_server, settings, server, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(safe_server))
    server.plan = [lambda handler, server: handler.answer(302, b"", Location=server.url)]
    with pytest.raises(MissingDependencyError, match=r"a redirect to 'http://127\.0\.0\.1.*not followed"):
        fetch(settings)


def test_part_of_other_address_or_without_note_is_not_resumed(server, settings):
    folder(settings).mkdir(parents=True)
    (folder(settings) / PART[0]).write_bytes(b"old" * 1000)
    fetch(settings)
    assert server.ranges() == [None]


@pytest.mark.parametrize("left", [60_000_000, "all"])
def test_a_part_that_is_too_long_or_complete(server, settings, left):
    folder(settings).mkdir(parents=True)
    size = len(server.content)
    part = server.content if left == "all" else bytes(size + 5)
    (folder(settings) / PART[0]).write_bytes(part)
    note = f'{{"url": "{server.url}", "validator": "\\"one\\"", "size": {size}}}'
    (folder(settings) / PART[1]).write_text(note)
    fetch(settings)
    assert server.ranges() == ([] if left == "all" else [f"bytes={size + 5}-", None])


def test_a_full_disk(server, settings, monkeypatch):
    def full(response, size):
        yield server.content[:1000]
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(download, "_blocks", full)
        with pytest.raises(StorageError, match=r"the disk is full.*--cache; the same command goes on from there"):
            fetch(settings)
    fetch(settings)
    assert server.ranges() == [None, "bytes=1000-"]


def test_two_at_once_get_one_download(server, settings):
    def slow(handler, server):
        time.sleep(0.3)
        serve(handler, server)

    server.plan = [slow]
    got = []
    threads = [threading.Thread(target=lambda: got.append(fetch(settings).sha256)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(got)) == 1
    assert len(got) == 3
    assert len(server.asked) == 1


FETCH = """
import sys
from dataclasses import replace
from pathlib import Path
from harness.settings import Settings
from solutions.weights.registry import WEIGHTS
from solutions.weights.store import fetch_weights
url, cache = sys.argv[1:]
WEIGHTS["drawn"] = replace(WEIGHTS["enet_b2_8"], name="drawn", url=url, file="drawn.pt")
fetch_weights("drawn", Settings(cache=Path(cache)))
"""


@pytest.mark.process
def test_kill_in_the_middle_then_the_same_again(server, settings, checkpoint):
    half, stop = threading.Event(), threading.Event()

    def hangs(handler, server):
        handler.send_response(200)
        handler.send_header("Content-Length", len(server.content))
        handler.send_header("ETag", server.etag)
        handler.end_headers()
        handler.wfile.write(server.content[:40_000])
        handler.wfile.flush()
        half.set()
        stop.wait(60)

    server.plan = [hangs]
    command = [sys.executable, "-c", FETCH, server.url, str(settings.cache)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
    part = folder(settings) / PART[0]
    try:
        assert half.wait(60)
        deadline = time.monotonic() + 60
        while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        stop.set()
    have = part.stat().st_size
    assert not is_here(NAME, settings)
    assert fetch(settings).sha256 == sha256_of(checkpoint[0])
    assert server.ranges() == [None, f"bytes={have}-"]
    assert 0 < have <= 40_000
    assert visible(settings) == WHOLE
    load_weights(NAME, settings)
