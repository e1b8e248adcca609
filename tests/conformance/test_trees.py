# SPDX-License-Identifier: Apache-2.0
"""One tree, packed by other people's programs in every form that is read, is the same tree in all of them."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from tests.processes import program

from strongroom.errors import FormatError
from strongroom.formats.cpio import encode_cpio
from strongroom.imaging.audit.scratch import scratch_space
from strongroom.imaging.tree import initrd
from strongroom.imaging.tree.archives import tar_tree
from strongroom.imaging.tree.file_systems import file_system_tree
from strongroom.imaging.tree.folder import file_contents
from strongroom.imaging.tree.initrd import initrd_tree
from strongroom.imaging.tree.kinds import FileSystem, guess_file_system
from strongroom.imaging.tree.tree import Tree

pytestmark = [pytest.mark.slow, pytest.mark.attack("B19")]

CAPABILITIES = "0100000200040000000000000000000000000000"
BUILD = f"""
import os, sys
root = sys.argv[1]
os.umask(0o022)
for folder in ("dev", "etc", "usr/bin", "usr/share/many", "var/tmp"):
    os.makedirs(f"{{root}}/{{folder}}")
def write(path, contents, mode=0o644, owner=(0, 0)):
    with open(f"{{root}}/{{path}}", "wb") as file:
        file.write(contents)
    os.chmod(f"{{root}}/{{path}}", mode)
    os.chown(f"{{root}}/{{path}}", *owner)
write("etc/canary", b"found\\n", owner=(1234, 70000))
write("etc/empty", b"")
write("usr/bin/text", b"a line that is repeated\\n" * 20000)
write("usr/bin/noise", os.urandom(300001))
write("usr/bin/both", os.urandom(5000) + b"z" * 60000)
write("usr/bin/setuid", b"#!/bin/sh\\n", mode=0o6755)
write("usr/bin/capped", b"\\x7fELF" * 3000, mode=0o755)
os.setxattr(f"{{root}}/usr/bin/capped", "security.capability", bytes.fromhex("{CAPABILITIES}"))
for number in range(400):
    write(f"usr/share/many/{{'n' * (number % 200)}}{{number}}", b"%d" % number)
with open(f"{{root}}/etc/holes", "wb") as file:
    file.seek(100000)
    file.write(b"end")
os.link(f"{{root}}/etc/canary", f"{{root}}/etc/hard")
os.symlink("../etc/canary", f"{{root}}/usr/link")
os.symlink("x" * 300, f"{{root}}/usr/long")
os.mknod(f"{{root}}/dev/character", 0o20666, os.makedev(1, 3))
os.mknod(f"{{root}}/dev/block", 0o60660, os.makedev(259, 70000))
os.mkfifo(f"{{root}}/var/pipe")
os.chmod(f"{{root}}/var/tmp", 0o1777)
"""
FORMS = {
    "erofs": "mkfs.erofs --quiet {image} {root}",
    "erofs-lz4": "mkfs.erofs --quiet -zlz4hc {image} {root}",
    "erofs-chunks": "mkfs.erofs --quiet --chunksize=4096 {image} {root}",
    "squashfs-gzip": "mksquashfs {root} {image} -quiet -no-progress -comp gzip",
    "squashfs-zstd": "mksquashfs {root} {image} -quiet -no-progress -comp zstd",
    "ext4": "mke2fs -q -t ext4 -d {root} {image} 64M",
    "ext4-inline": "mke2fs -q -t ext4 -O inline_data,^metadata_csum -b 1024 -d {root} {image} 64M",
    "ext3": "mke2fs -q -t ext3 -b 1024 -d {root} {image} 64M",
    "ext2": "mke2fs -q -t ext2 -I 256 -d {root} {image} 64M",
    "tar": "tar --format=posix --numeric-owner -C {root} -cf {image} .",
    "tar-gnu": "tar --format=gnu --numeric-owner -C {root} -cf {image} .",
}
WITHOUT_CAPABILITIES = {"tar", "tar-gnu"}
"""Debian's tar asks for attributes in a way that fakeroot does not know."""
ADDED = {"/lost+found"}


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> dict[str, Path]:
    """Pack one tree in every form, in one session of fakeroot, which knows its owners and devices."""
    for name in ("mkfs.erofs", "mksquashfs", "mke2fs"):
        program(name)
    folder = tmp_path_factory.mktemp("packed")
    (folder / "build.py").write_text(BUILD)
    images = {form: folder / f"{form}.img" for form in FORMS}
    commands = [form.format(image=images[name], root=folder / "root") for name, form in FORMS.items()]
    script = "\n".join(["set -e", f"{sys.executable} {folder}/build.py {folder}/root", *commands])
    environment = os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    subprocess.run(
        [program("fakeroot"), "sh", "-c", script], check=True, env=environment, capture_output=True, timeout=120
    )
    return images


@pytest.fixture(scope="module")
def trees(packed, tmp_path_factory):
    with scratch_space(tmp_path_factory.mktemp("scratch")) as scratch:
        yield {form: read(image, scratch) for form, image in packed.items()}


def read(image: Path, scratch) -> Tree:
    data = file_contents(image)
    kind = guess_file_system(data)
    if kind is None:
        return tar_tree(data)
    return file_system_tree(data, kind, lambda _: image, scratch.folder)


def described(tree: Tree, *, capabilities: bool) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for path, node in tree.nodes.items():
        if path not in ADDED:
            contents = bytes(tree.view(path)) if node.is_file else b""
            kept = node.capabilities if capabilities else b""
            found[path] = (node.mode, node.uid, node.gid, node.size, node.target, node.device, kept, contents)
    return found


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_tree(trees, form):
    capabilities = form not in WITHOUT_CAPABILITIES
    found = described(trees[form], capabilities=capabilities)
    expected = described(trees["squashfs-gzip"], capabilities=capabilities)
    found["/"], expected["/"] = (), ()  # the root's own mode is not in every form
    assert found == expected


def test_the_tree_is_the_one_that_was_packed(trees):
    tree = trees["erofs-lz4"]
    assert tree.read("/usr/link") == tree.read("/etc/hard") == b"found\n"
    assert (tree.nodes["/etc/canary"].uid, tree.nodes["/etc/canary"].gid) == (1234, 70000)
    assert tree.nodes["/usr/bin/capped"].capabilities.hex() == CAPABILITIES
    assert tree.nodes["/usr/bin/setuid"].is_setuid
    assert tree.nodes["/dev/block"].device == (259, 70000)
    assert tree.read("/etc/holes") == bytes(100000) + b"end"
    assert len(list(tree.children("/usr/share/many"))) == 400


@pytest.mark.parametrize("form", [form for form in FORMS if not form.startswith("tar")])
def test_forms_are_recognised(packed, form):
    kinds = {"erofs": FileSystem.EROFS, "squash": FileSystem.SQUASHFS, "ext": FileSystem.EXT}
    expected = next(kind for start, kind in kinds.items() if form.startswith(start))
    assert guess_file_system(file_contents(packed[form])) is expected


GUEST_FORMS = {
    "xfs": "truncate -s 320M {image} && mkfs.xfs -q -p {folder}/proto {image}",
    "btrfs": "mkfs.btrfs -q --rootdir {root} {image}",
    "ext4-unclean": "cp {folder}/ext4.img {image} && debugfs -w -R 'feature needs_recovery' {image}",
}
PROTO = """dummy
0 0
d--755 0 0
etc d--755 0 0
canary ---644 1234 567 {folder}/build.py
$
link l--777 0 0 etc/canary
null c--666 0 0 1 3
setuid -u-755 0 0 {folder}/build.py
$
"""


@pytest.fixture(scope="module")
def guest_packed(packed):
    """Pack the tree for Linux's own drivers, too; xfs takes a list of files."""
    folder = packed["ext4"].parent
    (folder / "proto").write_text(PROTO.format(folder=folder))
    images = {form: folder / f"{form}.img" for form in GUEST_FORMS}
    names = {"folder": folder, "root": folder / "root"}
    made = [form.format(image=images[name], **names) for name, form in GUEST_FORMS.items()]
    again = f"rm -rf {folder}/root && {sys.executable} {folder}/build.py {folder}/root"
    environment = os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    script = "\n".join(["set -e", again, "truncate -s 200M " + str(images["btrfs"]), *made])
    subprocess.run(
        [program("fakeroot"), "sh", "-c", script], check=True, env=environment, capture_output=True, timeout=120
    )
    return images


@pytest.fixture(scope="module")
def guest_trees(guest_packed, tmp_path_factory):
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "strongroom"
    with scratch_space(tmp_path_factory.mktemp("guest"), cache=cache) as scratch:
        yield {form: read_by_guest(image, scratch) for form, image in guest_packed.items()}


def read_by_guest(image: Path, scratch) -> Tree:
    data = file_contents(image)
    kind = guess_file_system(data)
    assert kind is not None
    return file_system_tree(data, kind, lambda _: image, scratch.folder, linux=scratch.linux)


def test_a_helper_guest_reads_what_only_linux_reads(guest_trees, trees):
    xfs = guest_trees["xfs"]
    assert xfs.read("/link") == BUILD.encode()
    assert (xfs.nodes["/etc/canary"].uid, xfs.nodes["/etc/canary"].gid) == (1234, 567)
    assert xfs.nodes["/null"].device == (1, 3)
    assert xfs.nodes["/setuid"].is_setuid
    expected = described(trees["squashfs-gzip"], capabilities=True)
    for form in ("btrfs", "ext4-unclean"):
        found = described(guest_trees[form], capabilities=True)
        for path in ("/", "/usr/bin/noise", "/usr/bin/both", "/dev/block", "/dev/character"):
            if form == "btrfs" or path == "/":  # packed anew with other noise; mkfs.btrfs loses numbers of devices
                assert found.pop(path)
                expected_here = {key: value for key, value in expected.items() if key in found}
        assert found == expected_here


def test_what_a_helper_guest_cannot_mount_is_described(tmp_path):
    image = tmp_path / "broken"
    image.write_bytes(b"XFSB" + bytes(1 << 20))
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "strongroom"
    with scratch_space(tmp_path, cache=cache) as scratch, pytest.raises(FormatError) as caught:
        read_by_guest(image, scratch)
    assert caught.value.code == "guest.unreadable"
    assert "HELPER FAILED: mount" in caught.value.message


def test_without_a_cache_there_is_no_helper_guest(tmp_path, guest_packed):
    with scratch_space(tmp_path) as scratch:
        for form, code in (("xfs", "tree.file-system"), ("ext4-unclean", "ext.unclean")):
            with pytest.raises(FormatError) as caught:
                read_by_guest(guest_packed[form], scratch)
            assert caught.value.code == code


COMPRESSORS = {
    "zstd": ("zstd", "-q", "-19"),
    "zstd of many threads": ("zstd", "-q", "-T2", "-3"),
    "lz4 as kernels have it": ("lz4", "-q", "-l"),
    "gzip": ("gzip", "-9"),
    "xz": ("xz", "--check=crc32"),
}


def compressed(how: str, data: bytes) -> bytes:
    command = [program(COMPRESSORS[how][0]), *COMPRESSORS[how][1:]]
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


@pytest.mark.parametrize("how", COMPRESSORS)
def test_an_initrd_is_read_however_it_is_compressed(how, tmp_path):
    noise = os.urandom(3_000_000)
    plain = encode_cpio([("early", 0o100644, b"first")])
    archive = encode_cpio([("etc", 0o40755, b""), ("etc/canary", 0o100644, b"found"), ("noise", 0o100644, noise)])
    packed = compressed(how, archive)
    with scratch_space(tmp_path) as scratch:
        tree = initrd_tree(memoryview(plain + bytes(512) + packed), scratch.folder())
        assert (tree.read("/etc/canary"), tree.read("/early"), tree.read("/noise")) == (b"found", b"first", noise)


@pytest.mark.parametrize("how", ["zstd", "lz4 as kernels have it"])
def test_a_bomb_in_an_initrd_is_refused(how, tmp_path, monkeypatch):
    monkeypatch.setattr(initrd, "MAX_BYTES", 1 << 20)
    bomb = compressed(how, bytes(1 << 27))
    with scratch_space(tmp_path) as scratch, pytest.raises(FormatError) as caught:
        initrd_tree(memoryview(bomb), scratch.folder())
    assert caught.value.code in {"sandbox.failed", "sandbox.limit", "compression.too-large"}


@pytest.mark.parametrize("form", [form for form in FORMS if not form.startswith("erofs-c")])
def test_a_damaged_file_system_is_read_or_refused(packed, form, tmp_path):
    good = packed[form].read_bytes()
    outcomes = set()
    written = [at for at, byte in enumerate(good) if byte]
    for seed in range(12):
        chance = random.Random(seed)
        data = bytearray(good)
        for at in chance.sample(written, 1 << seed):
            data[at] = chance.randrange(256)
        image = tmp_path / f"{seed}.img"
        image.write_bytes(bytes(data))
        with scratch_space(tmp_path) as scratch:
            outcomes.add(outcome(image, scratch))
        image.unlink()
    assert outcomes <= {"read", "refused"}
    assert "refused" in outcomes


def outcome(image: Path, scratch) -> str:
    try:
        tree = read(image, scratch)
        for node in tree.files:
            tree.view(node.path)
    except FormatError:
        return "refused"
    return "read"
