# SPDX-License-Identifier: Apache-2.0
"""The parts of a helper guest, out of packages that stand-ins for apt hand over."""

import lzma

import pytest

from strongroom.errors import LocalFault
from strongroom.formats.cpio import parse_cpio
from strongroom.imaging.tree import guest_parts as maker
from strongroom.imaging.tree.archives import cpio_tree
from strongroom.imaging.tree.guest_parts import guest_parts


class StandIn:
    """Stands in for apt: one package, which holds everything."""

    missing = ""

    @classmethod
    def prepare(cls, root, architecture):
        assert architecture == "amd64"
        return cls()

    def run(self, *command, folder=None):
        if "download" in command:
            (folder / "all.deb").touch()

    def dependency(self, package, prefix):
        return f"{prefix}6.1"

    def unpack(self, package, tree):
        drivers = "lib/modules/6.1/kernel/fs"
        files = {
            "boot/vmlinuz-6.1": b"kernel",
            "bin/busybox": b"busybox",
            "usr/bin/tar": b"tar",
            f"{drivers}/xfs/xfs.ko": b"\x7fELF\0depends=libcrc32c\0",
            f"{drivers}/btrfs/btrfs.ko.xz": lzma.compress(b"\x7fELF\0depends=xor,libcrc32c,circle_a\0"),
            "lib/modules/6.1/kernel/lib/libcrc32c.ko": b"\x7fELF\0depends=\0",
            "lib/modules/6.1/kernel/lib/xor.ko": b"\x7fELF\0depends=not_there\0",
            "lib/modules/6.1/kernel/lib/circle-a.ko": b"\x7fELF nothing said",
            **{f"lib/x86_64-linux-gnu/{name}": name.encode() for name in maker._LIBRARIES},
        }
        for name, contents in files.items():
            if name != self.missing:
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                (tree / name).write_bytes(contents)


@pytest.fixture
def fetch(tmp_path, monkeypatch):
    monkeypatch.setattr(maker, "Apt", StandIn)
    return lambda: guest_parts(tmp_path / "cache", progress=lambda _: None)


def test_modules_are_loaded_behind_those_that_they_need(fetch):
    parts = fetch()
    assert parts.kernel.read_bytes() == b"kernel"
    tree = cpio_tree([parse_cpio(memoryview(parts.initrd.read_bytes()))])
    assert tree.text("/modules/order").split() == ["libcrc32c.ko", "xfs.ko", "xor.ko", "circle-a.ko", "btrfs.ko"]
    assert tree.read("/modules/btrfs.ko") == b"\x7fELF\0depends=xor,libcrc32c,circle_a\0"
    assert tree.read("/bin/busybox") == b"busybox"
    assert tree.read("/lib64/ld-linux-x86-64.so.2") == b"ld-linux-x86-64.so.2"
    assert tree.nodes["/init"].is_executable
    assert tree.nodes["/bin/tar"].is_executable


def test_what_was_fetched_is_kept(fetch, monkeypatch):
    first = fetch()
    monkeypatch.setattr(maker, "Apt", None)
    assert fetch() == first


@pytest.mark.parametrize("missing", ["boot/vmlinuz-6.1", "bin/busybox", "lib/x86_64-linux-gnu/libc.so.6"])
def test_packages_without_a_part_are_told_and_leave_nothing(fetch, monkeypatch, tmp_path, missing):
    monkeypatch.setattr(StandIn, "missing", missing)
    with pytest.raises(LocalFault) as caught:
        fetch()
    assert caught.value.code == "guest.contents"
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_cache_that_cannot_be_written_is_told(fetch, tmp_path):
    (tmp_path / "cache").touch()
    with pytest.raises(LocalFault) as caught:
        fetch()
    assert caught.value.code == "guest.cache"
