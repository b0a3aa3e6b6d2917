"""Archives member by member: what a team's own zip program makes is read, what could deceive is refused, and why.

The hostile archives are put together by hand where no zip program would make them.
"""

from __future__ import annotations

import io
import os
import random
import stat
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable

import pytest

from harness.errors import SubmissionError
from harness.files.archives.read import Limits, Member, is_archive, read_members

ROWS = b"Frame_Number,Label\n1,0\n2,1\n"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results.zip"


def write(path, members, method=zipfile.ZIP_DEFLATED, **of_each):
    """A zip of ``(name, bytes)`` or ``(name, bytes, attributes of its entry)``."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data, *attributes in members:
            info = zipfile.ZipInfo(name, (2026, 3, 14, 15, 9, 26))
            info.compress_type = method
            for key, value in ({**of_each, **attributes[0]} if attributes else of_each).items():
                setattr(info, key, value)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(zipfile.ZipFile, "_writecheck", lambda *_: None)  # it warns of a name that is there twice
                archive.writestr(info, data)
    return path


def entry(name: bytes, data: bytes, **changes) -> tuple[bytes, bytes, dict[str, int]]:
    """A member's local part, its data included, and the fields of its directory entry, any of them a lie."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(data) + packer.flush()
    fields = {
        "needs": 20, "flags": 0, "method": 8, "time": 0, "date": 0x21, "crc": zlib.crc32(data),
        "packed": len(packed), "size": len(data), **changes,
    }  # fmt: skip
    values = [fields[key] for key in ("needs", "flags", "method", "time", "date", "crc", "packed", "size")]
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", *values, len(name), 0) + name + packed
    return name, local, fields


def by_hand(path, entries, *, before=b"", offsets=None, count=None):
    """A zip from :func:`entry`; ``offsets`` says where the directory claims that members lie."""
    body, places, directory = before, [], b""
    for _, local, _ in entries:
        places.append(len(body))
        body += local
    for (name, _, fields), place in zip(entries, offsets or places, strict=True):
        values = [fields[key] for key in ("needs", "flags", "method", "time", "date", "crc", "packed", "size")]
        attributes = fields.get("attributes", 0)
        directory += (
            struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, *values, len(name), 0, 0, 0, 0, attributes, place) + name
        )
    n = len(entries) if count is None else count
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, n, n, len(directory), len(body), 0)
    path.write_bytes(body + directory + end)
    return path


def refusal(path, limits=None):
    """What is said when all of it is read; it must be this project's error."""
    with pytest.raises(SubmissionError) as error:
        list(read_members(path, limits) if limits else read_members(path))
    assert str(path) in str(error.value)
    return str(error.value)


def test_members_come_as_they_went_in_and_in_order(path):
    members = [("0008.csv", ROWS), ("0001.csv", b""), ("sub/0002.csv", ROWS * 1000)]
    found = read_members(write(path, members))
    assert found.names == ("0008.csv", "0001.csv", "sub/0002.csv")
    assert list(found) == [Member(name, data) for name, data in members]
    assert list(found) == list(found)
    assert found.warnings == ()


def test_a_folder_reads_as_its_archive_does(tmp_path, path):
    members = [("a.csv", ROWS), ("b.csv", b"x"), ("sub/c.csv", b"")]
    for name, data in members:
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(data)
    assert list(read_members(tmp_path / "folder")) == list(read_members(write(path, members)))


def test_a_name_in_any_language(path):
    members = [("视频/Überraschung.txt", ROWS), ("a b, (1).csv", ROWS)]
    assert [member.name for member in read_members(write(path, members))] == [name for name, _ in members]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_what_zip_programs_make(path, method):
    assert [member.data for member in read_members(write(path, [("a.csv", ROWS)], method))] == [ROWS]


def test_a_zip_written_to_a_pipe_has_its_sizes_after_the_data(path):
    class Pipe(io.RawIOBase):
        def __init__(self):
            self.content = b""

        def writable(self):
            return True

        def write(self, data):
            self.content += bytes(data)
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", ROWS)
    path.write_bytes(pipe.content)
    assert [member.data for member in read_members(path)] == [ROWS]


def test_zip64(path):
    with zipfile.ZipFile(path, "w") as archive, archive.open("a.csv", "w", force_zip64=True) as stream:
        stream.write(ROWS)
    assert [member.data for member in read_members(path)] == [ROWS]


def test_folders_inside_are_no_members(path):
    write(path, [("sub/", b"", {"external_attr": (stat.S_IFDIR | 0o755) << 16}), ("sub/a.csv", ROWS)])
    assert read_members(path).names == ("sub/a.csv",)
    assert "a folder that holds data" in refusal(write(path, [("sub/", ROWS), ("sub/a.csv", ROWS)]))


def test_what_macos_and_windows_add_is_left_out_and_said(path, tmp_path):
    litter = ["__MACOSX/._a.csv", ".DS_Store", "sub/.DS_Store", "Thumbs.db", "desktop.ini", "._b.csv"]
    found = read_members(write(path, [("a.csv", ROWS), *((name, b"x") for name in litter)]))
    assert found.names == ("a.csv",)
    assert len(found.warnings) == 1
    assert "'__MACOSX/._a.csv', '.DS_Store', 'sub/.DS_Store'" in found.warnings[0]
    assert "and 1 more" in found.warnings[0]
    (tmp_path / "folder").mkdir()
    for name in ("a.csv", ".DS_Store"):
        (tmp_path / "folder" / name).write_bytes(ROWS)
    found = read_members(tmp_path / "folder")
    assert found.names == ("a.csv",)
    assert ".DS_Store" in found.warnings[0]


def test_a_hidden_file_that_is_nobodys_litter_is_a_member(path):
    assert read_members(write(path, [("a.csv", ROWS), (".hidden", b"x")])).names == ("a.csv", ".hidden")


@pytest.mark.parametrize("members", [[], [("sub/", b"")], [(".DS_Store", b"x")]])
def test_an_archive_with_nothing_in_it(path, members):
    assert "the archive is empty" in refusal(write(path, members))


def test_a_folder_with_nothing_in_it(tmp_path):
    (tmp_path / "folder/sub").mkdir(parents=True)
    assert "the folder is empty" in refusal(tmp_path / "folder")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("/etc/passwd", "an absolute path"),
        ("C:/win.txt", "an absolute path"),
        ("../a.csv", "leads out of the archive"),
        ("a/../../b.csv", "leads out of the archive"),
        ("a/..", "leads out of the archive"),
        ("..", "leads out of the archive"),
        ("a\\b.csv", "a backslash"),
        ("..\\..\\b.csv", "a backslash"),
        ("a//b.csv", "an empty part"),
        ("./a.csv", "an empty part"),
        ("a\n.csv", "a control character"),
        ("a\x1b[2J.csv", "a control character"),
        ("a\u202ecsv.exe", "a control character"),
        ("ä" * 128, "longer than 255 bytes"),
    ],
)
def test_a_name_that_could_deceive_is_refused(path, name, why):
    said = refusal(write(path, [("good.csv", ROWS), (name, ROWS)]))
    assert why in said
    assert repr(name) in said
    assert "\x1b" not in said


@pytest.mark.parametrize("name", [b"", b"a\0.csv", b"a.csv\0/../b"])
def test_a_name_that_no_program_writes(path, name):
    refusal(by_hand(path, [entry(b"first", ROWS), entry(name, ROWS)]))


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("a.csv", "a.csv"), "there twice"),
        (("a.csv", "A.csv"), "differs from 'a.csv' only in case"),
        (("VA/a.csv", "va/a.csv"), "only in case"),
        (("straße", "STRASSE"), "only in case"),
        (("\u00e9.csv", "e\u0301.csv"), "only in case or spelling"),
        (("a", "a/b.csv"), "lies in 'a', which is a file"),
        (("a/b/c.csv", "A"), "lies in 'A', which is a file"),
    ],
)
def test_members_that_would_overwrite_each_other_are_refused(path, tmp_path, names, why):
    assert why in refusal(write(path, [(name, ROWS) for name in names]))


def test_a_folders_names_are_held_to_the_same(tmp_path):
    for name in ("a.csv", "A.csv", "b\\c.csv"):
        (tmp_path / "folder").mkdir(exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(ROWS)
    said = refusal(tmp_path / "folder")
    assert "only in case" in said
    assert "a backslash" in said


def test_all_refusals_are_counted_and_the_first_few_named(path):
    said = refusal(write(path, [(f"../{k}", ROWS) for k in range(9)]))
    assert "members that can't be accepted; found 9." in said
    assert said.count("leads out") == 5
    assert "… and 4 more" in said


@pytest.mark.parametrize(
    ("attributes", "why"),
    [
        ({"external_attr": (stat.S_IFLNK | 0o777) << 16}, "a symbolic link"),
        ({"external_attr": (stat.S_IFIFO | 0o644) << 16}, "a device or pipe"),
        ({"external_attr": (stat.S_IFCHR | 0o644) << 16}, "a device or pipe"),
    ],
)
def test_what_is_no_file_is_refused(path, attributes, why):
    assert why in refusal(write(path, [("good.csv", ROWS), ("a.csv", b"/etc/passwd", attributes)]))


def test_links_and_pipes_in_a_folder_are_refused(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file.csv").symlink_to("/etc/hostname")
    (folder / "below").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    said = refusal(folder)
    assert said.count("a symbolic link") == 2
    assert "a device or pipe" in said


@pytest.mark.parametrize("flags", [0x1, 0x41, 0x2001])
def test_an_encrypted_member_is_refused(path, flags):
    assert "encrypted; pack it without a password" in refusal(by_hand(path, [entry(b"a.csv", ROWS, flags=flags)]))


@pytest.mark.parametrize(
    ("method", "name"), [(9, "Deflate64"), (12, "bzip2"), (14, "LZMA"), (93, "Zstandard"), (77, "method 77")]
)
def test_a_compression_that_not_every_program_has_is_refused(path, method, name):
    assert f"compressed with {name}" in refusal(by_hand(path, [entry(b"a.csv", ROWS, method=method)]))


def test_a_zip_bomb_is_stopped_while_it_unpacks(path):
    write(path, [("a.csv", bytes(96 << 20))])
    assert path.stat().st_size < 1 << 20
    tracemalloc.start()
    said = refusal(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "a zip bomb" in said
    assert most < 64 << 20


def test_a_bomb_of_many_members_is_stopped(path):
    assert "a zip bomb" in refusal(write(path, [(f"{k}.csv", bytes(1 << 20)) for k in range(40)]))


def test_constant_predictions_are_no_bomb(path):
    write(path, [(f"{k}.txt", b"Neutral\n" + b"0\n" * 20_000) for k in range(50)])
    assert path.stat().st_size * 100 < 50 * 40_000
    assert len(list(read_members(path))) == 50


def test_a_size_that_the_directory_hides_does_not_help(path):
    said = refusal(by_hand(path, [entry(b"a.csv", bytes(96 << 20), size=100)]))
    assert "the member is damaged" in said


def test_a_size_that_the_directory_invents_is_noticed(path):
    assert "the member is damaged" in refusal(by_hand(path, [entry(b"a.csv", ROWS, size=len(ROWS) + 1)]))
    assert "the member is damaged" in refusal(by_hand(path, [entry(b"a.csv", ROWS, size=2**32 - 2)]))


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        (Limits(members=2), "too many members; found 3, expected at most 2"),
        (Limits(member_bytes=99), "too large; expected at most 99 bytes"),
        (Limits(total_bytes=250), "too large together; expected at most 250 bytes"),
    ],
)
def test_limits_hold_for_archives_and_folders(path, tmp_path, limits, why):
    members = [(f"{k}.csv", bytes(100)) for k in range(3)]
    assert why in refusal(write(path, members), limits)
    (tmp_path / "folder").mkdir()
    for name, data in members:
        (tmp_path / "folder" / name).write_bytes(data)
    assert why.partition("members;")[2][-18:] in refusal(tmp_path / "folder", limits)
    exact = Limits(members=3, member_bytes=100, total_bytes=300)
    assert len(list(read_members(path, exact))) == len(list(read_members(tmp_path / "folder", exact))) == 3


def test_the_number_of_members_is_counted_not_believed(path):
    by_hand(path, [entry(b"%d" % k, b"") for k in range(30)], count=1)
    assert "too many members; found 30" in refusal(path, Limits(members=20))


def test_members_that_share_their_bytes_are_refused(path):
    inner = entry(b"b.csv", ROWS)
    packed = len(inner[1])
    outer = (b"a.csv", entry(b"a.csv", b"")[1][:35], {**entry(b"a.csv", b"")[2], "packed": packed, "method": 0})
    by_hand(path, [outer, inner], offsets=[0, 35])
    assert "the member is damaged" in refusal(path)
    twice = by_hand(path, [entry(b"a.csv", ROWS), entry(b"b.csv", ROWS)], offsets=[0, 0])
    assert "bytes that belong to another member too" in refusal(twice)


def test_what_stands_before_the_archive_is_refused(path):
    good = by_hand(path, [entry(b"a.csv", ROWS)]).read_bytes()
    path.write_bytes(b"#!/bin/sh\n" + good)
    assert "not a zip archive; found a file that begins with b'#!/bin/sh" in refusal(path)
    path.write_bytes(good[:20] + good)
    assert "something stands before the first member" in refusal(path)


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.zip", b"anything", "zip"),
        ("a.tar.gz", b"anything", "gz"),
        ("a.csv", b"PK\x03\x04rest", "zip"),
        ("a.csv", b"\x1f\x8brest", "gzip"),
        ("a.csv", b"BZh91AY&SY", "bzip2"),
        ("a.csv", b"\xfd7zXZ\x00", "xz"),
        ("a.csv", bytes(257) + b"ustar\x0000", "tar"),
    ],
)
def test_an_archive_inside_is_refused(path, tmp_path, name, data, kind):
    assert f"the archive holds another archive; found {kind}" in refusal(write(path, [(name, data)]))
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / name).write_bytes(data)
    assert f"the archive holds another archive; found {kind}" in refusal(tmp_path / "folder")


@pytest.mark.parametrize(
    ("start", "found"),
    [
        (b"\x1f\x8b\x08", "a gzip archive"),
        (b"Rar!\x1a\x07\x01", "a rar archive"),
        (b"image_location", "a file that begins with b'image_location'"),
        (b"", "an empty file"),
    ],
)
def test_another_kind_of_file_is_named(path, start, found):
    path.write_bytes(start)
    assert found in refusal(path)


def test_a_file_that_is_not_there(tmp_path):
    assert "No such file" in refusal(tmp_path / "absent.zip")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_archive_is_refused(path, share):
    data = write(path, [(f"{k}.csv", ROWS * 50) for k in range(20)]).read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    assert "not a whole zip archive" in refusal(path)


def test_a_byte_that_changed_on_the_way_is_noticed(path):
    write(path, [("a.csv", ROWS)], zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"2,1", b"2,0"))
    said = refusal(path)
    assert "'a.csv': the member is damaged" in said
    assert "CRC" in said


def test_whatever_the_bytes_it_is_read_right_or_refused(path, repetitions):
    """Every byte of an archive changed, and many more at random: never another exception, never other content."""
    members = [("a.csv", ROWS), ("sub/b.csv", b"x" * 40)]
    good = write(path, members).read_bytes()
    dice = random.Random(0)
    changed = [good[:k] + bytes([good[k] ^ 255]) + good[k + 1 :] for k in range(len(good))]
    for _ in range(repetitions(400, 5000)):
        data = bytearray(good)
        for _ in range(dice.randint(1, 4)):
            data[dice.randrange(len(data))] = dice.choice((0, 1, 255, dice.randrange(256)))
        changed.append(bytes(data))
    accepted = 0
    for data in changed:
        path.write_bytes(data)
        try:
            found = list(read_members(path))
        except SubmissionError:
            continue
        accepted += 1
        assert {member.data for member in found} <= {data for _, data in members}
    assert 0 < accepted < len(changed)


def test_an_archive_that_changes_between_two_looks_is_noticed(path):
    found = read_members(write(path, [("a.csv", ROWS)]))
    write(path, [("b.csv", ROWS)])
    with pytest.raises(SubmissionError, match="changed while it was read"):
        list(found)


def test_what_is_to_be_read_member_by_member(path, tmp_path):
    assert is_archive(tmp_path)
    assert is_archive(tmp_path / "absent.zip")
    assert is_archive(write(tmp_path / "no_ending", [("a", b"x")]))
    (tmp_path / "predictions.txt").write_text("image_location")
    assert not is_archive(tmp_path / "predictions.txt")
    assert not is_archive(tmp_path / "absent.txt")


def test_nothing_is_unpacked(path, tmp_path, monkeypatch):
    write(path, [("a.csv", ROWS)])
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    list(read_members(path))
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["here", "results.zip"]


def zipped(*names: str, comment: bytes = b"") -> bytearray:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, ROWS)
        archive.comment = comment
    return bytearray(stream.getvalue())


def changed(at: int, value: bytes) -> Callable[[bytearray], bytes]:
    def change(data: bytearray) -> bytes:
        data[at : at + len(value)] = value
        return bytes(data)

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (changed(30, b"b"), "another name before its data, b'b.csv'"),
        (changed(6, b"\x02"), "other flags, or another method"),
        (changed(8, b"\0"), "other flags, or another method"),
        (changed(14, b"\0\0\0\0"), "another size or checksum before its data"),
        (changed(18, b"\1\0\0\0"), "another size or checksum before its data"),
        (changed(22, b"\1\0\0\0"), "another size or checksum before its data"),
        (lambda data: bytes(data) + b"more", "something stands behind the archive's end"),
        (changed(-14, b"\2\0\2\0"), "the archive's end does not fit its directory"),
    ],
)
def test_archive_whose_parts_disagree_is_refused(path, change, words):
    path.write_bytes(change(zipped("a.csv")))
    assert words in refusal(path)


def test_bytes_that_no_member_has_are_refused(path):
    data = bytes(zipped("a.csv", "b.csv"))
    second = data.index(b"PK\3\4", 4)
    first, directory = data[:second], data.index(b"PK\1\2")
    moved = bytearray(first + b"??" + data[second:])
    entry_of_b = moved.index(b"PK\1\2", directory + 2 + 4)
    moved[entry_of_b + 42 : entry_of_b + 46] = (second + 2).to_bytes(4, "little")
    moved[-6:-2] = (directory + 2).to_bytes(4, "little")
    path.write_bytes(bytes(moved))
    assert "2 bytes before it that no member has" in refusal(path)


def test_bytes_behind_the_packed_data_of_a_member_are_refused(path):
    packed = zlib.compress(ROWS, wbits=-15) + b"rest"
    head = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, zlib.crc32(ROWS), len(packed), len(ROWS), 5, 0)
    local = b"PK\3\4" + head + b"a.csv" + packed
    central = b"PK\1\2" + struct.pack("<H", 20) + head + struct.pack("<HHHII", 0, 0, 0, 0, 0) + b"a.csv"
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)
    path.write_bytes(local + central + end)
    with pytest.raises(SubmissionError, match="4 bytes behind the end of its packed data"):
        list(read_members(path))


def test_archive_with_a_comment_is_read(path):
    path.write_bytes(zipped("a.csv", comment=b"from the lab"))
    assert [member.name for member in read_members(path)] == ["a.csv"]


def test_archive_that_was_written_to_a_pipe_is_read(path):
    class Pipe(io.RawIOBase):
        written = b""

        def writable(self) -> bool:
            return True

        def write(self, data) -> int:
            self.written += bytes(data)
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", ROWS)
    path.write_bytes(pipe.written)
    assert [member.data for member in read_members(path)] == [ROWS]
