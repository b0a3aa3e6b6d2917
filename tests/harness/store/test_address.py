"""Where a store lies, as a setting says it, and the token that a server wants."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.settings import load_settings
from harness.store.address import StoreAddress, store_place
from harness.store.server.token import check_owner, given_token, make_token, read_token, remember_owner

LONG = "sixteen-letters-and-more"


@pytest.mark.parametrize(
    ("text", "address", "again"),
    [
        ("quack:localhost:9494", StoreAddress("localhost", 9494, tls=False), "quack:localhost:9494"),
        ("quack:localhost", StoreAddress("localhost", 9494, tls=False), "quack:localhost:9494"),
        ("quack:board.lab.example:443", StoreAddress("board.lab.example", 443, tls=True), None),
        ("quack://board.lab.example:443/", StoreAddress("board.lab.example", 443), "quack:board.lab.example:443"),
        ("quack+http:board.lab.example:80", StoreAddress("board.lab.example", 80, tls=False), None),
        ("quack+https:localhost:8443", StoreAddress("localhost", 8443, tls=True), None),
        ("quack+http:127.0.0.1:1", StoreAddress("127.0.0.1", 1, tls=False), "quack:127.0.0.1:1"),
        ("quack:[::1]:9494", StoreAddress("::1", 9494, tls=False), None),
        ("quack:10.0.0.7:9494", StoreAddress("10.0.0.7", 9494, tls=True), None),
    ],
)
def test_an_address_says_itself_again(text, address, again):
    assert store_place(text) == store_place(Path(text)) == address
    assert str(address) == (again or text)
    assert store_place(str(address)) == address


@pytest.mark.parametrize(
    "text", ["results.duckdb", "C:/store.duckdb", "a:b", "quack", "./quack:x", "/srv/quack:1.duckdb"]
)
def test_all_else_is_a_file(text):
    assert store_place(text) == Path(text)


@pytest.mark.parametrize(
    "text", ["quack:", "quack::1", "quack:host:0", "quack:host:65536", "quack:a b:1", "quack:h:1'; DROP", "quack:h:x"]
)
def test_what_is_nearly_an_address_is_refused(text):
    with pytest.raises(UsageError, match=r"not the address of a results store.*quack:HOST:PORT"):
        store_place(text)


def test_an_address_comes_from_flag_environment_and_file(tmp_path, monkeypatch):
    (tmp_path / "abaw.toml").write_text('store = "quack:from.file:1"')
    assert load_settings(tmp_path).store == StoreAddress("from.file", 1)
    monkeypatch.setenv("ABAW_STORE", "quack:localhost:2")
    assert load_settings(tmp_path).store == StoreAddress("localhost", 2, tls=False)
    assert load_settings(tmp_path, store=Path("quack:flag:3")).store == StoreAddress("flag", 3)
    assert load_settings(tmp_path, out=tmp_path / "mine").store == StoreAddress("localhost", 2, tls=False)


def test_a_file_in_the_file_is_still_relative_to_it(tmp_path):
    (tmp_path / "abaw.toml").write_text('store = "board/results.duckdb"')
    assert load_settings(tmp_path).store == tmp_path / "board/results.duckdb"


def test_a_token_that_is_made_is_its_owners_alone_and_stays(tmp_path):
    token = make_token(tmp_path / "token")
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
    assert len(token) > 30
    assert make_token(tmp_path / "token") == read_token(tmp_path / "token") == token


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620])
def test_a_token_that_others_may_read_is_refused(tmp_path, mode):
    (tmp_path / "token").write_text(LONG)
    (tmp_path / "token").chmod(mode)
    with pytest.raises(UsageError, match=r"others may read .* chmod 600"):
        read_token(tmp_path / "token")


@pytest.mark.parametrize(
    "text", ["", "short", "two words in one token", "a-token\nand-another-line", "türschlüssel-zum-brett"]
)
def test_what_is_no_token_is_refused_and_not_said(tmp_path, text):
    (tmp_path / "token").write_text(text)
    (tmp_path / "token").chmod(0o600)
    with pytest.raises(UsageError, match="not a token") as found:
        read_token(tmp_path / "token")
    assert not text or text not in str(found.value)


def test_flag_beats_variable_which_beats_named_file(tmp_path, monkeypatch):
    for name in ("flag", "named"):
        (tmp_path / name).write_text(f"{name}-{LONG}\n")
        (tmp_path / name).chmod(0o600)
    assert given_token() is None
    monkeypatch.setenv("ABAW_STORE_TOKEN_FILE", str(tmp_path / "named"))
    assert given_token() == f"named-{LONG}"
    monkeypatch.setenv("ABAW_STORE_TOKEN", LONG)
    assert given_token() == LONG
    assert given_token(tmp_path / "flag") == f"flag-{LONG}"


def test_a_token_file_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("ABAW_STORE_TOKEN_FILE", str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="nowhere"):
        given_token()


# --- a token belongs to servers


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder whose settings file names a server."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "abaw.toml").write_text('store = "quack:other.example:443"')
    return tmp_path / "project"


OTHER = StoreAddress("other.example", 443)


def test_a_new_token_goes_to_the_server_of_the_own_project(project, monkeypatch):
    assert load_settings(project).store == OTHER
    monkeypatch.setenv("ABAW_STORE_TOKEN", LONG)
    assert load_settings(project).store == OTHER
    remember_owner(OTHER, LONG)
    assert load_settings(project).store == OTHER


def test_token_of_other_server_is_kept_from_servers_in_files(project, monkeypatch):
    monkeypatch.setenv("ABAW_STORE_TOKEN", LONG)
    remember_owner(StoreAddress("board.lab.example", 443), LONG)
    remember_owner(StoreAddress("localhost", 9494, tls=False), LONG)
    with pytest.raises(UsageError, match="token is not sent to a server that this file alone names") as error:
        load_settings(project)
    words = str(error.value)
    assert "expected quack:board.lab.example:443 or quack:localhost:9494" in words
    assert "abaw runs --store quack:other.example:443" in words
    assert LONG not in words
    monkeypatch.setenv("ABAW_STORE", str(OTHER))
    assert load_settings(project).store == OTHER, "named by the user"
    monkeypatch.delenv("ABAW_STORE")
    assert load_settings(project, store=OTHER).store == OTHER
    monkeypatch.setenv("ABAW_STORE_TOKEN", f"{LONG}-of-the-other")
    assert load_settings(project).store == OTHER, "a token of its own"
    monkeypatch.setenv("ABAW_STORE_TOKEN", LONG)
    remember_owner(OTHER, LONG)
    assert load_settings(project).store == OTHER, "said once"


def test_a_new_token_goes_to_no_server_that_a_far_file_names(project, monkeypatch, tmp_path):
    (project / "below").mkdir()
    assert load_settings(project / "below").store == OTHER, "without a token nothing is sent"
    monkeypatch.setenv("ABAW_STORE_TOKEN", LONG)
    with pytest.raises(UsageError, match=r"alone names; found store .*expected a server that took this token before"):
        load_settings(project / "below")
    remember_owner(OTHER, LONG)
    assert load_settings(project / "below").store == OTHER, "said once"
    monkeypatch.setenv("ABAW_STORE_TOKEN", f"{LONG}-of-the-other")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert load_settings(project / "below").store == OTHER, "below the user's home"
    monkeypatch.setattr(Path, "home", lambda: Path("/"))
    with pytest.raises(UsageError, match="alone names"):
        load_settings(project / "below")


def test_the_same_server_without_encryption_is_another(project, monkeypatch):
    monkeypatch.setenv("ABAW_STORE_TOKEN", LONG)
    remember_owner(OTHER, LONG)
    (project / "abaw.toml").write_text('store = "quack+http:other.example:443"')
    with pytest.raises(UsageError, match="token is not sent to a server that this file alone names"):
        load_settings(project)


def test_what_is_remembered_is_no_token(tmp_path, monkeypatch):
    monkeypatch.setenv("ABAW_STORE_TOKEN", LONG)
    remember_owner(OTHER, LONG)
    remember_owner(OTHER, LONG)
    (kept,) = (tmp_path / "config").rglob("*.json")
    assert LONG not in kept.read_text()
    assert kept.read_text().count("other.example") == 1
    kept.write_text("{")
    check_owner(StoreAddress("new.example"), Path("abaw.toml"), near=True)


def test_without_a_folder_for_settings_nothing_is_remembered(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    remember_owner(OTHER, LONG)
