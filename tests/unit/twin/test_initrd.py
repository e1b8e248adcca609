# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import shutil
import subprocess

import pytest

from strongroom.twin.initrd import (
    build_initrd,
    character_device_entry,
    file_entry,
    folder_entry,
    link_entry,
    program_entry,
)

ENTRIES = [
    program_entry("init", b"#!/bin/sh\n"),
    file_entry("etc/deep/name", b"123"),
    link_entry("bin/sh", "busybox"),
    folder_entry("proc"),
    character_device_entry("dev/console", major=5, minor=1),
]


def records(archive: bytes) -> dict[str, tuple[int, bytes, tuple[int, int]]]:
    """Reads newc by its description: name to mode, contents and device numbers."""
    found: dict[str, tuple[int, bytes, tuple[int, int]]] = {}
    offset = 0
    while True:
        assert archive[offset : offset + 6] == b"070701"
        fields = [int(archive[offset + 6 + 8 * n : offset + 14 + 8 * n], 16) for n in range(13)]
        name_end = offset + 110 + fields[11]
        name = archive[offset + 110 : name_end - 1].decode()
        start = -(-name_end // 4) * 4
        if name == "TRAILER!!!":
            assert start == len(archive)
            return found
        found[name] = (fields[1], archive[start : start + fields[6]], (fields[9], fields[10]))
        offset = -(-(start + fields[6]) // 4) * 4


def test_every_entry_and_its_folders_are_written_in_order():
    found = records(build_initrd(ENTRIES))
    assert list(found) == sorted(found)
    assert found["init"] == (0o100755, b"#!/bin/sh\n", (0, 0))
    assert found["etc/deep/name"] == (0o100644, b"123", (0, 0))
    assert found["bin/sh"] == (0o120777, b"busybox", (0, 0))
    assert found["dev/console"] == (0o020600, b"", (5, 1))
    assert {path for path, (mode, _, _) in found.items() if mode == 0o040755} == {
        *("bin", "dev", "etc", "etc/deep", "proc"),
    }


def test_equal_entries_in_any_order_give_equal_bytes():
    assert build_initrd(ENTRIES) == build_initrd(ENTRIES[::-1])


@pytest.mark.parametrize("path", ["/init", "../init", "a/../../b", "", "."])
def test_a_path_outside_the_archive_is_a_mistake(path):
    with pytest.raises(ValueError, match="inside the archive"):
        build_initrd([file_entry(path, b"")])


def test_a_path_given_twice_is_a_mistake():
    with pytest.raises(ValueError, match="once"):
        build_initrd([file_entry("a", b""), file_entry("./a", b"")])


def test_another_reader_of_the_format_agrees():
    cpio = shutil.which("cpio") or shutil.which("busybox")
    assert cpio, "cpio is missing: install the Debian package busybox-static (make setup does)"
    command = [cpio, *(["cpio"] if cpio.endswith("busybox") else []), "-t"]
    listed = subprocess.run(command, input=build_initrd(ENTRIES), capture_output=True, check=True).stdout.decode()
    assert set(listed.split()) == set(records(build_initrd(ENTRIES)))
