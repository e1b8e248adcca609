# SPDX-License-Identifier: Apache-2.0
"""Archives of an initrd, read strictly."""

import pytest
from tests.small_trees import cpio, newc

from strongroom.errors import FormatError
from strongroom.formats import cpio as reader
from strongroom.formats.cpio import encode_cpio, parse_cpio


def refused(data: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        parse_cpio(memoryview(data))
    return caught.value.code


def test_entries_and_the_end_are_told():
    data = cpio(newc(b"etc/file", b"canary", uid=7, gid=8), newc(b"dev/null", mode=0o20666, device=(1, 3), links=2))
    archive = parse_cpio(memoryview(data + b"behind"))
    assert archive.end == len(data)
    file, device = archive.entries
    assert (file.name, bytes(file.contents), file.uid, file.gid) == (b"etc/file", b"canary", 7, 8)
    assert (device.mode, device.device, device.links, device.inode) == (0o20666, (1, 3), 2, (0, 0, 0))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "cpio.header"),
        (b"070707" + bytes(200), "cpio.header"),
        (cpio().replace(b"00000000", b"0000000_", 1), "cpio.header"),
        (newc(b"a"), "cpio.header"),
        (newc(b""), "cpio.name"),
        (newc(bytes(5000)), "cpio.name"),
        (newc(b"a\0b"), "cpio.name"),
        (newc(b"name", b"x").replace(b"name\0", b"names"), "cpio.name"),
        (newc(b"name", b"contents")[:-1], "cpio.truncated"),
    ],
)
def test_what_is_wrong_is_named(data, code):
    assert refused(data) == code


def test_entries_have_a_limit(monkeypatch):
    monkeypatch.setattr(reader, "MAX_ENTRIES", 2)
    parse_cpio(memoryview(cpio(newc(b"a"), newc(b"b"))))
    assert refused(cpio(newc(b"a"), newc(b"b"), newc(b"c"))) == "cpio.too-many"


def test_what_is_written_is_read():
    written = encode_cpio([("etc", 0o40755, b""), ("etc/file", 0o100644, b"canary"), ("link", 0o120777, b"etc/file")])
    found = [(each.name, each.mode, bytes(each.contents)) for each in parse_cpio(memoryview(written)).entries]
    assert found == [(b"etc", 0o40755, b""), (b"etc/file", 0o100644, b"canary"), (b"link", 0o120777, b"etc/file")]
    assert parse_cpio(memoryview(written)).end == len(written)
