# SPDX-License-Identifier: Apache-2.0
"""Tar archives, read strictly, and as Python's own reader reads them."""

import io
import tarfile

import pytest
from tests.small_trees import pax, summed, tar, tar_entry

from strongroom.errors import FormatError
from strongroom.formats import tar as reader
from strongroom.formats.tar import TarKind, parse_tar


def entries(data: bytes):
    return list(parse_tar(memoryview(data)))


def refused(data: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        entries(data)
    return caught.value.code


def one(*parts: bytes):
    (entry,) = entries(tar(*parts))
    return entry


def test_an_entry_is_read_as_it_is():
    entry = one(tar_entry(b"etc/file", b"canary", mode=0o4755, uid=7, gid=8))
    assert (entry.name, entry.kind, bytes(entry.contents)) == (b"etc/file", TarKind.FILE, b"canary")
    assert (entry.mode, entry.uid, entry.gid, entry.attributes) == (0o4755, 7, 8, {})
    assert one(tar_entry(b"null", kind=b"3", device=(1, 3))).device == (1, 3)
    assert one(tar_entry(b"l", kind=b"2", target=b"../x")).target == b"../x"
    assert one(tar_entry(b"file", prefix=b"folder")).name == b"folder/file"
    assert one(tar_entry(b"old/", kind=b"\0")).kind is TarKind.FOLDER
    assert one(tar_entry(b"contiguous", b"x", kind=b"7")).kind is TarKind.FILE


def test_extended_headers_apply_to_the_next_entry_and_global_ones_to_all():
    everywhere = pax(b"g", uid=b"5")
    own = pax(path=b"long", linkpath=b"far", size=b"3", gid=b"6", SCHILY__xattr__security__capability=b"\x01\n=")
    first, second = entries(tar(everywhere, own, tar_entry(b"short", b"abcd", kind=b"0"), tar_entry(b"second")))
    assert (first.name, first.uid, first.gid, bytes(first.contents)) == (b"long", 5, 6, b"abc")
    assert first.attributes == {"security.capability": b"\x01\n="}
    assert first.target == b"far"
    assert (second.name, second.uid, second.gid) == (b"second", 5, 0)
    assert one(everywhere, pax(uid=b"9"), tar_entry(b"a")).uid == 9


def test_names_and_numbers_of_gnu_are_read():
    names = tar_entry(b"././@LongLink", b"a long name\0", kind=b"L"), tar_entry(b"./", b"a target\0", kind=b"K")
    entry = one(*names, tar_entry(b"short", kind=b"2", target=b"t"))
    assert (entry.name, entry.target) == (b"a long name", b"a target")
    large = tar_entry(b"a", b"xyz", size=b"\x80" + (3).to_bytes(11, "big"))
    assert bytes(one(large).contents) == b"xyz"


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_what_python_writes_is_read_alike(form):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as archive:
        for name, contents in ((f"{'d' * 90}/{'n' * 50}", b"x" * 700), ("b", b""), ("c", b"y" * 512)):
            member = tarfile.TarInfo(name)
            member.size, member.uid, member.mode = len(contents), 4_000, 0o640
            archive.addfile(member, io.BytesIO(contents))
    found = [(each.name.decode(), bytes(each.contents), each.uid, each.mode) for each in entries(file.getvalue())]
    assert [each[0] for each in found] == [f"{'d' * 90}/{'n' * 50}", "b", "c"]
    assert [each[1] for each in found] == [b"x" * 700, b"", b"y" * 512]
    assert {each[2:] for each in found} == {(4_000, 0o640)}


def test_an_archive_may_end_without_its_mark_and_what_follows_the_mark_is_not_looked_at():
    assert len(entries(tar_entry(b"a"))) == 1
    assert len(entries(tar(tar_entry(b"a")) + b"garbage")) == 1
    assert entries(b"") == []


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (tar_entry(b"a")[:-1], "tar.truncated"),
        (tar_entry(b"a").replace(b"a", b"b", 1), "tar.checksum"),
        (tar(tar_entry(b"a", kind=b"S")), "tar.kind"),
        (tar(pax(GNU__sparse__major=b"1"), tar_entry(b"a")), "tar.kind"),
        (tar_entry(b"a", b"x" * 600)[:-600], "tar.truncated"),
        (tar(pax(size=b"99999"), tar_entry(b"a")), "tar.too-large"),
        (tar(tar_entry(b"a", size=b"\x80" + b"\xff" * 11)), "tar.too-large"),
        (tar(tar_entry(b"l", bytes(2 << 20), kind=b"L")), "tar.too-large"),
        (tar(tar_entry(b"a", size=b"0000000009x\0")), "tar.number"),
        (tar(pax(size=b"-1"), tar_entry(b"a")), "tar.number"),
        (tar(pax(size=b"9" * 20), tar_entry(b"a")), "tar.number"),
        (tar(tar_entry(b"pax", b"nothing", kind=b"x"), tar_entry(b"a")), "tar.pax"),
        (tar(tar_entry(b"pax", b"9 path=ab", kind=b"x"), tar_entry(b"a")), "tar.pax"),
        (tar(tar_entry(b"pax", b"99 path=ab\n", kind=b"x"), tar_entry(b"a")), "tar.pax"),
        (tar(tar_entry(b"pax", b"0 path=ab\n", kind=b"x"), tar_entry(b"a")), "tar.pax"),
        (summed(tar_entry(b"a")[:100] + b"9999999\0" + tar_entry(b"a")[108:]), "tar.number"),
    ],
)
def test_what_is_wrong_is_named(data, code):
    assert refused(data) == code


def test_a_header_that_is_cut_off_is_told_where_it_begins():
    with pytest.raises(FormatError) as caught:
        entries(tar_entry(b"a", b"x") + tar_entry(b"b")[:-1])
    assert caught.value.offset == 1024


def test_entries_have_a_limit(monkeypatch):
    monkeypatch.setattr(reader, "MAX_ENTRIES", 2)
    assert len(entries(tar(tar_entry(b"a"), tar_entry(b"b")))) == 2
    assert refused(tar(tar_entry(b"a"), tar_entry(b"b"), tar_entry(b"c"))) == "tar.too-many"
