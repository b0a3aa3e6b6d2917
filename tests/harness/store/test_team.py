"""One store for a team: many who record at once, a server that is killed, and all that is not as it should be."""

from __future__ import annotations

import contextlib
import http.server
import json
import shutil
import signal
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from harness.cli.results import run_folder
from harness.datasets.affwild2 import open_affwild2
from harness.errors import (
    DataError,
    MissingDependencyError,
    StoreBusyError,
    StoreError,
    StoreSchemaError,
    StoreUnreachableError,
    UsageError,
)
from harness.plugins.interface import SolutionEntry
from harness.runs.batch import Job, run_all
from harness.settings import Settings
from harness.store.address import StoreAddress
from harness.store.connection import connect
from harness.store.schema import migrations
from harness.store.server import extensions, server
from harness.store.store import Store
from harness.store.sync import due, record_due
from harness.tasks import EXPR
from tests.support.commands import invoke as abaw
from tests.support.constant import Constant
from tests.support.leaderboard_server import free_port
from tests.support.python_forks import Fork
from tests.support.team_server import TOKEN, Team, team_store

pytestmark = pytest.mark.process

WRITE = """
    import pathlib
    from dataclasses import replace
    from harness.records.run import RunRecord
    from harness.store.address import store_place
    from harness.store.store import Store
    folder = pathlib.Path(argument["folder"])
    record, store = RunRecord.read(folder), Store(store_place(argument["store"]), patience=60)
    store.version()
    print("ready", flush=True)
    sys.stdin.readline()
    for k in range(argument["runs"]):
        store.record([(replace(record, run_id=f"{argument['name']}-{k}"), folder)])
    print("done")
"""
READ = """
    import select
    from harness.store.address import store_place
    from harness.store.store import Store
    store, seen = Store(store_place(argument["store"])), [0]
    while not select.select([sys.stdin], [], [], 0.02)[0]:
        version, runs = store.version(), store.runs()
        assert len(runs) >= seen[-1], seen
        assert runs.value.notna().all(), "half a run"
        seen.append(len(runs))
    print(json.dumps({"looks": len(seen), "last": len(store.runs())}))
"""
SAVE = """
    import pathlib
    from dataclasses import replace
    from harness.errors import StoreUnreachableError
    from harness.records.run import RunRecord
    from harness.store.address import store_place
    from harness.store.store import Store
    record = RunRecord.read(pathlib.Path(argument["folder"]))
    store, lost = Store(store_place(argument["store"]), patience=5), 0
    for k in range(argument["runs"]):
        run = replace(record, run_id=f"{argument['name']}-{k}")
        place = pathlib.Path(argument["out"]) / "EXPR" / run.run_id
        run.write(place)
        try:
            store.record([(run, place)])
        except StoreUnreachableError:
            lost += 1
        print(k, flush=True)
    print(f"lost {lost}")
"""


@pytest.fixture(scope="module")
def served_once(tmp_path_factory) -> Iterator[Team]:
    """A server that the tests share."""
    with pytest.MonkeyPatch.context() as patch, team_store(tmp_path_factory.mktemp("shared"), patch) as found:
        yield found


@pytest.fixture
def team(served_once, monkeypatch) -> Team:
    """An empty store, served, to be changed; the token is in the environment."""
    monkeypatch.setenv("ABAW_STORE_TOKEN", TOKEN)
    served_once.borrow()
    return served_once


@pytest.fixture
def shared(served_once, monkeypatch) -> Team:
    """An empty store, served, for a test that does not change it; the token is in the environment."""
    monkeypatch.setenv("ABAW_STORE_TOKEN", TOKEN)
    served_once.borrow(to_change=False)
    return served_once


@pytest.fixture
def store(team) -> Store:
    return Store(team.address, patience=5)


@pytest.fixture
def folder(tmp_path, run_record) -> Path:
    """A run folder that other processes can read."""
    run_record().write(tmp_path / "run")
    return tmp_path / "run"


def start_together(writers: Sequence[Fork]) -> None:
    """Let processes that run ``WRITE`` begin, when all of them can."""
    for writer in writers:
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()


def tables(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables of runs."""
    names = ("runs", "files", "scores", "video_statistics", "draws", "sweep_points", "failures", "published")
    found = {}
    for name in names:
        with store.reading() as db:
            found[name] = db.execute(f"FROM {name} ORDER BY ALL").fetchall()
    return found


def test_through_a_server_all_is_as_in_a_file(store, run_record, tmp_path):
    file = Store(tmp_path / "file.duckdb")
    odd = "'; DROP TABLE runs; -- ü 🙂 \n$1 ?"
    runs = [(run_record("a"), tmp_path), (run_record("b", name=odd, notes=[odd]), tmp_path)]
    for each in (store, file):
        each.record(runs)
        each.record(runs[:1], gone=["nobody"])
    assert tables(store) == tables(file)
    assert store.runs().equals(file.runs())
    assert store.scores("a").equals(file.scores("a"))
    assert store.statistics("b") == file.statistics("b")
    assert {key: scores.tobytes() for key, scores in store.replicates(["a", "b"]).items()} == {
        key: scores.tobytes() for key, scores in file.replicates(["a", "b"]).items()
    }
    assert store.published() == file.published()
    for record, _ in runs:
        (sha256,) = record.files.values()
        assert store.runs_with_file(sha256) == file.runs_with_file(sha256) == [record.run_id]
    store.check()


def test_what_was_recorded_is_there_once_and_its_version_changes(store, run_record, tmp_path):
    versions = [store.version()]
    for _ in range(3):
        store.record([(run_record(), tmp_path)])
        versions.append(store.version())
    assert len(store.runs()) == 1
    assert len(set(versions)) == 4
    assert [version[0] - versions[0][0] for version in versions] == [0, 1, 2, 3], "each is done once"
    with store.reading() as db:
        who = db.execute("SELECT made_by, runs FROM recordings ORDER BY moment DESC LIMIT 1").fetchall()
    assert who[0][0].endswith(f"@{socket.gethostname()}")
    assert who[0][1] == 1


def test_a_record_is_whole_or_not_there(store, run_record, tmp_path):
    record = run_record()
    with pytest.raises(StoreError, match="can't be used"), connect(store.place, read_only=False) as db:
        db.execute("BEGIN; INSERT INTO schema_version VALUES (99); INSERT INTO nonsense VALUES (1); COMMIT")
    with store.reading() as db:
        assert db.execute("SELECT max(version) FROM schema_version").fetchone() == (migrations()[-1][0],)
    store.record([(record, tmp_path)])
    assert len(store.runs()) == 1


def test_three_processes_record_runs_while_one_reads(team, store, folder, python, repetitions):
    place, runs = str(team.address), repetitions(12, 100)
    reader = python(READ, {"store": place})
    writers = [python(WRITE, {"store": place, "folder": folder, "name": f"w{k}", "runs": runs}) for k in range(3)]
    start_together(writers)
    for writer in writers:
        said, wrong = writer.communicate(timeout=240)
        assert (writer.returncode, said) == (0, "done\n"), wrong
    said, wrong = reader.communicate("enough", timeout=60)
    assert reader.returncode == 0, wrong
    assert json.loads(said)["last"] == 3 * runs
    assert json.loads(said)["looks"] > 3
    assert set(store.folders()) == {f"w{w}-{k}" for w in range(3) for k in range(runs)}
    assert set(store.query("SELECT count(*) AS n FROM scores GROUP BY run_id").n) == {5}
    team.stop()
    assert len(Store(team.file).runs()) == 3 * runs


def test_two_clients_recording_the_same_run_both_succeed(team, store, folder, python, repetitions):
    runs = repetitions(8, 30)
    writers = [
        python(WRITE, {"store": str(team.address), "folder": folder, "name": "same", "runs": runs}) for _ in range(2)
    ]
    start_together(writers)
    for writer in writers:
        said, wrong = writer.communicate(timeout=120)
        assert (writer.returncode, said) == (0, "done\n"), wrong
    assert len(store.runs()) == runs
    assert store.version()[0] >= 2 * runs


def test_killed_server_loses_only_what_sync_restores(team, store, folder, tmp_path, python, repetitions):
    before_kill, before_start, runs = repetitions(4, 8), repetitions(10, 25), repetitions(16, 40)
    argument = {"store": str(team.address), "folder": folder, "out": tmp_path / "out", "runs": runs}
    writers = [python(SAVE, argument | {"name": name}) for name in ("a", "b")]
    for writer in writers:
        while int(writer.stdout.readline()) < before_kill:
            pass
    team.kill()
    for writer in writers:
        while int(writer.stdout.readline()) < before_start:
            pass
    team.start()
    lost = 0
    for writer in writers:
        lost += int(writer.stdout.read().split()[-1])  # communicate() knows nothing of what readline() read ahead
        assert writer.wait(timeout=120) == 0
    assert lost > 0
    wanted = {f"{name}-{k}" for name in "ab" for k in range(runs)}
    missing = wanted - set(store.folders())
    assert 0 < len(missing) <= lost
    found = due(store, tmp_path / "out")
    assert {record.run_id for record, _ in found.runs} == missing
    record_due(store, found, lambda n: None)
    assert sorted(store.runs().run_id) == sorted(wanted)
    assert set(store.query("SELECT count(*) AS n FROM scores GROUP BY run_id").n) == {5}
    assert due(store, tmp_path / "out").runs == ()
    store.check()


def test_open_transaction_of_killed_client_blocks_nobody(
    team, store, run_record, tmp_path, python, folder, repetitions
):
    team.spoiled = True  # who knows what it holds after this
    argument = {"store": str(store.place), "folder": folder, "name": "same", "runs": 1000}
    for _ in range(repetitions(2, 4)):
        writer = python(WRITE, argument)
        start_together([writer])
        before = store.version()[0]
        while store.version()[0] < before + 3:
            assert writer.poll() is None
        writer.kill()
        writer.communicate()
    for k in range(5):
        store.record([(run_record(f"same-{k}"), tmp_path)])
    assert {f"same-{k}" for k in range(5)} <= set(store.folders())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_asked_to_stop_leaves_one_whole_file(team, store, run_record, tmp_path, number):
    store.record([(run_record(), tmp_path)])
    code, words = team.stop(number)
    assert code == 0
    assert "Stopped" in words
    assert not Path(f"{team.file}.wal").exists()
    assert len(Store(team.file).runs()) == 1


def test_serve_after_a_kill_with_an_open_client_starts_at_once(team, store):
    with socket.create_connection((team.address.host, team.address.port)) as client:
        client.sendall(b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        assert client.recv(100)
        team.kill()
        team.start()
    assert store.runs().empty


def test_what_the_server_says_is_all_that_a_client_needs(team, store, run_record, tmp_path, monkeypatch):
    store.record([(run_record(), tmp_path)])
    team.stop()
    monkeypatch.delenv("ABAW_STORE_TOKEN")
    team.spoiled = True  # its token is another one from here on
    team.start()
    _, words = team.stop()
    assert "reverse_proxy" in words
    assert "proxy_pass" in words
    token = Path(f"{team.file}.token")
    assert f"export ABAW_STORE={team.address}" in words
    assert f"export ABAW_STORE_TOKEN_FILE={token}" in words
    assert token.stat().st_mode & 0o777 == 0o600
    assert token.read_text().strip() not in team.said + words
    team.start()
    monkeypatch.setenv("ABAW_STORE_TOKEN_FILE", str(token))
    monkeypatch.setenv("ABAW_STORE", str(team.address))
    rows = json.loads(abaw("runs", "--json").stdout)  # published results have no id
    assert [row["run_id"] for row in rows if row["run_id"]] == ["landmarks-val-s0-00000000"]


# --- runs


@pytest.fixture
def jobs(small_tree, tmp_path):
    """Runs the same constant under two seeds, with a store, and says how often it was fitted."""
    made: list[Constant] = []

    def create(settings: Settings) -> Constant:
        made.append(Constant(settings, 4))
        return made[-1]

    def run(place: StoreAddress) -> None:
        entry, data = SolutionEntry(Constant.name, EXPR, "", create=create), open_affwild2(small_tree.root, EXPR)
        settings = Settings(out=tmp_path / "out", store=place, cache=tmp_path / "cache", device="cpu")
        made.clear()
        try:
            for seed, ran in enumerate(run_all([Job(entry, 0), Job(entry, 1)], data, "val", settings)):
                assert ran.value is not None
                assert ran.item.seed == seed
        finally:
            run.fitted = sum(solution.fitted for solution in made)

    return run


def test_runs_without_server_are_complete_and_recorded_later(team, store, jobs, tmp_path):
    team.kill()
    with pytest.raises(StoreUnreachableError, match="abaw sync"):
        jobs(team.address)
    assert jobs.fitted == 2, "the first that could not be recorded did not stop the second"
    team.start()
    said = abaw("sync", "--out", tmp_path / "out", "--store", team.address).stdout
    assert f"{team.address}: 2 runs and 0 failures recorded" in said
    assert sorted(store.runs().seed) == [0, 1]
    assert "0 runs and 0 failures recorded" in abaw("sync", "--out", tmp_path / "out", "--store", team.address).stdout
    jobs(team.address)
    assert jobs.fitted == 0


def test_a_wrong_token_is_found_before_anything_is_computed(shared, jobs, monkeypatch, tmp_path):
    for token, kind in (("not-the-token-of-the-tests", StoreError), (None, UsageError)):
        monkeypatch.delenv("ABAW_STORE_TOKEN")
        if token:
            monkeypatch.setenv("ABAW_STORE_TOKEN", token)
        with pytest.raises(kind, match="token"):
            jobs(shared.address)
        assert jobs.fitted == 0
        assert not (tmp_path / "out").exists()
        monkeypatch.setenv("ABAW_STORE_TOKEN", TOKEN)


def test_a_run_of_another_machine_is_shown_and_compared(shared_runs):
    text = abaw("show", "theirs").stdout
    assert "macro-F1" in text
    assert "another machine" in text
    assert json.loads(abaw("show", "theirs", "--json").stdout)["run_id"] == "theirs"
    assert "statistics" not in abaw("show", "theirs", "--json").stdout
    found = json.loads(abaw("compare", "theirs", "other", "--json").stdout)
    assert (found["a"], found["b"], found["frames"]) == ("theirs", "other", 86)


@pytest.mark.parametrize("content", ['{"run_id": "other", "format": 1}', "no record"])
def test_a_folder_that_a_client_named_is_not_opened(team, store, run_record, monkeypatch, tmp_path, content):
    place = tmp_path / "private"
    place.mkdir()
    (place / "run.json").write_text(content)
    store.record([(run_record("theirs"), place)])
    monkeypatch.setenv("ABAW_STORE", str(team.address))
    assert "macro-F1" in abaw("show", "theirs").stdout, "what the store holds"
    with pytest.raises(DataError, match="is not opened: it does not hold this run of yours"):
        abaw("pack", "theirs", "--to", tmp_path / "x.zip")
    with pytest.raises(DataError, match="is not opened: it does not hold this run of yours"):
        run_folder(store, "theirs", tmp_path / "out")
    assert [path.name for path in place.iterdir()] == ["run.json"]


def test_the_own_folder_that_a_server_names_is_opened(team, store, run_record, monkeypatch, tmp_path):
    record = run_record("mine", notes=["on disk"])
    record.write(tmp_path / "elsewhere" / "mine")
    store.record([(replace(record, notes=["in the store"]), tmp_path / "elsewhere" / "mine")])
    monkeypatch.setenv("ABAW_STORE", str(team.address))
    assert "note: on disk" in abaw("show", "mine").stdout


@pytest.fixture
def shared_runs(team, store, run_record, monkeypatch) -> None:
    """Two runs that were made elsewhere."""
    elsewhere = Path("/home/somebody/submissions/EXPR")
    store.record([(run_record(name), elsewhere / name) for name in ("theirs", "other")])
    monkeypatch.setenv("ABAW_STORE", str(team.address))


# --- what a client can't do


@pytest.mark.parametrize(
    "statement",
    [
        "COPY runs TO '{place}/leak.csv'",
        "COPY (SELECT 1) TO '{place}/leak.parquet'",
        "EXPORT DATABASE '{place}/leak'",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "ATTACH '{place}/other.duckdb' AS other",
        "ATTACH '{file}' AS other",
        "INSTALL spatial",
        "LOAD '{place}/x.duckdb_extension'",
        "SET enable_external_access = true",
        "SET GLOBAL lock_configuration = false",
        "CREATE PERSISTENT SECRET s (TYPE quack, TOKEN 'abcd')",
    ],
)
def test_a_client_can_not_reach_other_files_of_the_server(shared, tmp_path, statement):
    (tmp_path / "place").mkdir()
    sql = statement.format(place=tmp_path / "place", file=shared.file)
    with pytest.raises(StoreError), connect(shared.address, read_only=False) as db:
        db.execute(sql).fetchall()
    assert list((tmp_path / "place").iterdir()) == []


# --- what is not as it should be


def test_no_token_is_said_with_where_to_put_it(shared, monkeypatch):
    monkeypatch.delenv("ABAW_STORE_TOKEN")
    with pytest.raises(UsageError, match=r"needs its token.*ABAW_STORE_TOKEN.*ABAW_STORE_TOKEN_FILE"):
        Store(shared.address).runs()


def test_a_wrong_token_is_said_and_not_shown(shared, run_record, tmp_path, monkeypatch):
    store = Store(shared.address, patience=5)
    monkeypatch.setenv("ABAW_STORE_TOKEN", "not-the-token-of-the-tests")
    for call in (store.runs, store.version, lambda: store.record([(run_record(), tmp_path)])):
        with pytest.raises(StoreError, match="does not take this token") as found:
            call()
        assert not isinstance(found.value, StoreUnreachableError)
        assert "not-the-token" not in str(found.value)
    monkeypatch.setenv("ABAW_STORE_TOKEN", TOKEN)
    assert store.runs().empty


def test_no_server_is_said_with_what_becomes_of_the_run(run_record, tmp_path, shared):
    nobody = Store(StoreAddress("127.0.0.1", free_port(), tls=False), patience=5)
    for call in (nobody.runs, nobody.version, lambda: nobody.record([(run_record(), tmp_path)])):
        with pytest.raises(StoreUnreachableError, match=r"does not answer.*whole in their folders.*abaw sync") as found:
            call()
        assert found.value.exit_code == 3


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_silent_server_is_waited_for_until_the_deadline(silent, run_record, tmp_path, shared):
    mute = Store(StoreAddress("127.0.0.1", silent, tls=False), patience=0.3)
    with pytest.raises(StoreUnreachableError, match="does not answer"):
        mute.record([(run_record(), tmp_path)])


class Website(http.server.BaseHTTPRequestHandler):
    """Something else that listens."""

    code = 200

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(self.code)
        self.end_headers()
        self.wfile.write(b"<html>Welcome!</html>")

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("code", [200, 404, 500, 502])
def test_somebody_elses_server_is_not_taken_for_a_store(code, shared):
    website = http.server.HTTPServer(("127.0.0.1", 0), type("Other", (Website,), {"code": code}))
    thread = threading.Thread(target=website.serve_forever, args=(0.02,))
    thread.start()
    try:
        words = "proxy, but the store's server behind it" if code == 502 else "no results store is served here"
        with pytest.raises(StoreUnreachableError if code == 502 else StoreError, match=words) as found:
            Store(StoreAddress("127.0.0.1", website.server_port, tls=False), patience=3).runs()
        assert f"quack:127.0.0.1:{website.server_port}" in str(found.value)
    finally:
        website.shutdown()
        thread.join()
        website.server_close()


def test_a_database_that_is_no_store_is_named(store):
    with connect(store.place, read_only=False) as db:
        db.execute("DROP TABLE schema_version")
    with pytest.raises(StoreError, match="not a results store"):
        store.runs()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("INSERT INTO schema_version VALUES (99)", "newer version.*Update this installation"),
        ("DELETE FROM schema_version WHERE version > 4", "earlier version.*Update the server"),
    ],
)
def test_a_server_of_another_version_says_who_must_update(store, run_record, tmp_path, change, words):
    with connect(store.place, read_only=False) as db:
        db.execute(change)
    for call in (store.runs, lambda: store.record([(run_record(), tmp_path)])):
        with pytest.raises(StoreSchemaError, match=words):
            call()


def test_without_the_extension_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(extensions, "_packaged", lambda name: None)
    monkeypatch.setattr(extensions, "TEAM", ("no_such_extension",))
    with duckdb.connect() as db, pytest.raises(MissingDependencyError, match=r"-e '.*\[team\]"):
        extensions.load_extensions(db)


def test_the_file_is_held_while_it_is_served(shared):
    with pytest.raises(StoreBusyError, match="store serve"):
        Store(shared.file, patience=0.2).runs()


def test_reindex_is_refused(shared, monkeypatch):
    monkeypatch.setenv("ABAW_STORE", str(shared.address))
    with pytest.raises(UsageError, match="abaw sync"):
        abaw("reindex")


def test_what_can_not_be_served_is_said(shared, tmp_path, monkeypatch):
    monkeypatch.setattr(server, "_PATIENCE", 0.2)
    free, new = free_port(), tmp_path / "new.duckdb"
    with duckdb.connect(str(tmp_path / "shopping.duckdb")) as db:
        db.execute("CREATE TABLE shopping (item VARCHAR)")
    wide = ("--host", "0.0.0.0", "--port", free)  # noqa: S104 - refused
    for kind, words, arguments in (
        (UsageError, "listens there already", (new, "--new", "--port", shared.address.port)),
        (StoreBusyError, "another process holds", (shared.file, "--port", free)),
        (StoreError, r"there is no results store.*--new", (new, "--port", free)),
        (StoreError, "not a results store", (tmp_path / "shopping.duckdb", "--port", free)),
        (UsageError, r"not encrypted.*--open-to-network", (shared.file, *wide)),
        (UsageError, "can't listen there", (new, "--new", "--host", "192.0.2.1", "--open-to-network")),
        (UsageError, r"served already.*--store FILE", ("quack:localhost:1",)),
    ):
        with pytest.raises(kind, match=words):
            abaw("store", "serve", "--store", *arguments)
        assert not new.exists()


# --- encryption


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """A certificate of this machine that nobody has signed, with its key."""
    openssl, path = shutil.which("openssl"), tmp_path_factory.mktemp("tls") / "both.pem"
    if openssl is None:
        pytest.skip("openssl is not installed")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", path, "-out", f"{path}.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


@pytest.fixture
def encrypted(shared, certificate) -> Iterator[StoreAddress]:
    """The shared store behind a proxy that speaks TLS, as one puts before it for other machines."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    there = (shared.address.host, shared.address.port)

    class Pass(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            try:
                near = context.wrap_socket(self.request, server_side=True)
            except OSError:
                return
            with near, socket.create_connection(there) as far:
                back = threading.Thread(target=pump, args=(far, near))
                back.start()
                pump(near, far)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Pass) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.02,))
        thread.start()
        yield StoreAddress("localhost", proxy.server_address[1], tls=True)
        proxy.shutdown()
        thread.join()


def pump(source: socket.socket, sink: socket.socket) -> None:
    """All that comes from one, to the other."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def test_a_certificate_that_is_trusted_is_enough(encrypted, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    assert str(encrypted).startswith("quack+https:localhost:")
    assert Store(encrypted, patience=10).runs().empty


def test_unknown_certificate_is_refused_before_token_is_sent(encrypted):
    with pytest.raises(StoreError, match=r"certificate .* is not trusted.*SSL_CERT_FILE") as found:
        Store(encrypted, patience=10).runs()
    assert not isinstance(found.value, StoreUnreachableError)


def test_a_certificate_of_another_machine_is_refused(encrypted, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
    with pytest.raises(StoreError, match="is not trusted"):
        Store(replace(encrypted, host="127.0.0.1"), patience=10).runs()


class Impatient(socketserver.BaseRequestHandler):
    """A server without TLS that lets go at once of what it does not understand: DuckDB's does so after five seconds."""

    def handle(self) -> None:
        self.request.recv(65536)


def test_encryption_where_there_is_none_says_so(shared, pytestconfig):
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Impatient) as plain:
        thread = threading.Thread(target=plain.serve_forever, args=(0.02,))
        thread.start()
        addresses = [StoreAddress("127.0.0.1", plain.server_address[1], tls=True)]
        if pytestconfig.getoption("long"):
            addresses.append(replace(shared.address, tls=True))
        for address in addresses:
            with pytest.raises(StoreError, match=r"speaks no TLS.*quack\+http:"):
                Store(address, patience=10).runs()
        plain.shutdown()
        thread.join()


def test_no_encryption_where_there_is_some_says_where(encrypted):
    with pytest.raises(StoreError, match=str(encrypted.port)):
        Store(replace(encrypted, tls=False), patience=10).runs()


def test_a_proxy_of_the_network_is_not_asked_for_this_machine(shared, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert Store(shared.address, patience=10).runs().empty
