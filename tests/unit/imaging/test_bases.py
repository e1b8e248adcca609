# SPDX-License-Identifier: Apache-2.0
"""Bases that somebody else made, opened wherever they lie, and written as one archive."""

import gzip
import io
import stat
import subprocess
import tarfile

import pytest
from tests.processes import program
from tests.small_trees import tar, tar_entry
from tests.unit.imaging.test_archives import BASE, UPPER, Layout

from strongroom.errors import FormatError, LocalFault
from strongroom.formats.image_spec_model import BaseKind
from strongroom.formats.uki import Architecture
from strongroom.imaging.audit.scratch import scratch_space
from strongroom.imaging.bases.archive import write_archive
from strongroom.imaging.bases.opening import digest_tree, open_base
from strongroom.imaging.bases.parts import find_boot_parts
from strongroom.imaging.tree.archives import tar_tree
from strongroom.imaging.tree.node import Node
from strongroom.imaging.tree.tree import memory_tree

X86, ARM = Architecture.X86_64, Architecture.ARM64
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")
"""cap_net_raw=ep, as `setcap` writes it: it is no text."""


@pytest.fixture
def scratch(tmp_path):
    with scratch_space(tmp_path) as space:
        yield space


def code_of(kind, path, scratch, error=FormatError) -> str:
    with pytest.raises(error) as caught:
        open_base(kind, path, X86, scratch)
    return str(caught.value.code)


def small():
    """Every kind of node, with owners, bits and a capability."""
    rows = [
        (Node(path="/usr", mode=stat.S_IFDIR | 0o755), b""),
        (Node(path="/usr/ping", mode=stat.S_IFREG | 0o755, size=4, capabilities=CAPABILITY), b"ping"),
        (Node(path="/usr/su", mode=stat.S_IFREG | 0o4755, uid=0, gid=7, size=2), b"su"),
        (Node(path="/home", mode=stat.S_IFDIR | 0o1777, uid=1_000, gid=1_001), b""),
        (Node(path="/bin", mode=stat.S_IFLNK | 0o777, target="usr"), b""),
        (Node(path="/null", mode=stat.S_IFCHR | 0o666, device=(1, 3)), b""),
        (Node(path="/disk", mode=stat.S_IFBLK | 0o660, device=(8, 1)), b""),
        (Node(path="/pipe", mode=stat.S_IFIFO | 0o600), b""),
        (Node(path="/\udcff", mode=stat.S_IFREG | 0o644, size=1), b"x"),
    ]
    return memory_tree(rows)


def test_a_folder_belongs_to_root_where_it_belongs_to_whoever_builds(tmp_path, scratch, monkeypatch):
    (tmp_path / "root" / "etc").mkdir(parents=True)
    (tmp_path / "root" / "etc" / "passwd").write_bytes(b"root")
    (tmp_path / "root" / "bin").symlink_to("/usr/bin")
    (tmp_path / "root" / "etc").chmod(0o711)
    monkeypatch.setattr("os.getuid", (tmp_path / "root").stat().st_uid.__int__)
    found = open_base(BaseKind.TREE, tmp_path / "root", X86, scratch)
    assert {path: (oct(node.mode), node.uid) for path, node in found.nodes.items() if path != "/"} == {
        "/bin": ("0o120777", 0),
        "/etc": ("0o40711", 0),
        "/etc/passwd": ("0o100644", 0),
    }
    assert (found.read("/etc/passwd"), found.nodes["/bin"].target) == (b"root", "/usr/bin")


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_tar_file_keeps_its_owners(tmp_path, scratch, compress):
    (tmp_path / "root.tar").write_bytes(compress(tar(tar_entry(b"a/b", b"x", uid=5, gid=6, mode=0o2755))))
    node = open_base(BaseKind.TREE, tmp_path / "root.tar", X86, scratch).nodes["/a/b"]
    assert (node.uid, node.gid, stat.S_IMODE(node.mode)) == (5, 6, 0o2755)


def test_layers_of_a_container_image_lie_over_each_other_in_a_folder_as_in_an_archive(tmp_path, scratch):
    (tmp_path / "layout").mkdir()
    layout = Layout(tmp_path / "layout")
    layout.index(
        layout.image(BASE, gzip.compress(UPPER), platform={"architecture": "amd64"}),
        layout.image(BASE, platform={"architecture": "arm64"}),
    )
    found = open_base(BaseKind.OCI, layout.folder, X86, scratch)
    assert [node.path for node in found.files] == ["/c", "/etc/a", "/var/old/new"]
    assert [node.path for node in open_base(BaseKind.OCI, layout.folder, ARM, scratch).files][-1] == "/var/old/x"
    with tarfile.open(tmp_path / "layout.tar", "x") as archive:
        archive.add(layout.folder, ".")
    assert digest_tree(open_base(BaseKind.OCI, tmp_path / "layout.tar", X86, scratch)) == digest_tree(found)


def test_a_blob_that_is_not_what_its_digest_says_is_refused(tmp_path, scratch):
    layout = Layout(tmp_path)
    layout.index(layout.image(BASE))
    for blob in (tmp_path / "blobs/sha256").iterdir():
        blob.write_bytes(blob.read_bytes() + b" ")
    assert code_of(BaseKind.OCI, tmp_path, scratch) == "oci.digest"


def test_a_layer_that_leads_out_of_the_tree_is_refused(tmp_path, scratch):
    layout = Layout(tmp_path)
    layout.index(layout.image(tar(tar_entry(b"../../etc/passwd", b"x"))))
    assert code_of(BaseKind.OCI, tmp_path, scratch) == "tree.path"


def test_what_is_no_base_is_refused(tmp_path, scratch):
    (tmp_path / "file").write_bytes(b"text")
    (tmp_path / "empty").mkdir()
    assert code_of(BaseKind.TREE, tmp_path / "file", scratch) == "base.no-archive"
    assert code_of(BaseKind.OCI, tmp_path / "empty", scratch) == "base.no-layout"
    assert code_of(BaseKind.TREE, tmp_path / "missing", scratch, LocalFault) == "tree.unreadable"


def test_equal_trees_have_equal_digests_and_others_others():
    assert digest_tree(small()) == digest_tree(small())
    nodes = [(node, bytes(small().view(path)) if node.is_file else b"") for path, node in small().nodes.items()]
    digests = {digest_tree(memory_tree(nodes[:at] + nodes[at + 1 :])) for at in range(len(nodes))}
    assert digest_tree(small()) not in digests - {digest_tree(memory_tree(nodes[1:]))}


def test_an_archive_holds_the_whole_tree_and_is_the_same_each_time(tmp_path):
    for name in ("one.tar", "two.tar"):
        write_archive(small(), tmp_path / name, epoch=1_700_000_000)
    data = (tmp_path / "one.tar").read_bytes()
    assert data == (tmp_path / "two.tar").read_bytes()
    assert digest_tree(tar_tree(memoryview(data))) == digest_tree(small())
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert {entry.mtime for entry in archive} == {1_700_000_000}


def test_an_archive_replaces_nothing_and_says_why_it_cannot_be_written(tmp_path):
    (tmp_path / "there").touch()
    with pytest.raises(LocalFault) as caught:
        write_archive(small(), tmp_path / "there", epoch=0)
    assert caught.value.code == "base.unwritable"


@pytest.mark.slow
def test_gnu_tar_restores_owners_bits_and_devices_from_it(tmp_path):
    write_archive(small(), tmp_path / "root.tar", epoch=1_700_000_000)
    (tmp_path / "root").mkdir()
    options = f"-C {tmp_path}/root --numeric-owner"
    both = f"tar {options} -xf {tmp_path}/root.tar && tar {options} -cf {tmp_path}/again.tar ."
    subprocess.run([program("fakeroot"), "sh", "-c", both], check=True, capture_output=True)
    again = tar_tree(memoryview((tmp_path / "again.tar").read_bytes()))
    assert restored(again) == restored(small())


def restored(tree):
    nodes = {path: node for path, node in tree.nodes.items() if path != "/"}
    return {path: (node.mode, node.uid, node.gid, node.device, node.target) for path, node in nodes.items()}


def bootable(*, drop=(), architecture=X86, **more):
    stub = {X86: "linuxx64.efi.stub", ARM: "linuxaa64.efi.stub"}[architecture]
    files = {
        "/usr/lib/modules/6.1.0-9/vmlinuz": 0o644,
        "/usr/lib/modules/6.1.0-9/config": 0o644,
        f"/usr/lib/systemd/boot/efi/{stub}": 0o644,
        "/usr/lib/systemd/systemd": 0o755,
        "/usr/sbin/veritysetup": 0o755,
    } | more
    links = [(Node(path="/lib", mode=stat.S_IFLNK | 0o777, target="usr/lib"), b"")]
    nodes = [(Node(path=p, mode=stat.S_IFREG | mode, size=1), b"x") for p, mode in files.items() if p not in drop]
    return memory_tree(nodes + links)


def test_the_parts_of_a_boot_are_found_where_amazon_linux_has_them():
    parts = find_boot_parts(bootable(), X86)
    assert (parts.version, parts.kernel) == ("6.1.0-9", "/usr/lib/modules/6.1.0-9/vmlinuz")
    assert (parts.modules, parts.config) == ("/usr/lib/modules/6.1.0-9", "/usr/lib/modules/6.1.0-9/config")
    assert parts.stub == "/usr/lib/systemd/boot/efi/linuxx64.efi.stub"
    assert find_boot_parts(bootable(architecture=ARM), ARM).stub.endswith("linuxaa64.efi.stub")


def test_they_are_found_where_debian_has_them():
    moved = ("/usr/lib/modules/6.1.0-9/vmlinuz", "/usr/lib/modules/6.1.0-9/config")
    debian = {"/boot/vmlinuz-6.1.0-9": 0o644, "/boot/config-6.1.0-9": 0o644, "/usr/lib/modules/6.1.0-9/a.ko": 0o644}
    parts = find_boot_parts(bootable(drop=moved, **debian), X86)
    assert (parts.kernel, parts.config) == ("/boot/vmlinuz-6.1.0-9", "/boot/config-6.1.0-9")


@pytest.mark.parametrize(
    ("drop", "missing", "package"),
    [
        (["/usr/lib/modules/6.1.0-9/vmlinuz"], "the kernel", "linux-image-cloud-amd64"),
        (["/usr/lib/systemd/boot/efi/linuxx64.efi.stub"], "the stub", "systemd-boot"),
        (["/usr/sbin/veritysetup"], "/usr/sbin/veritysetup", "cryptsetup-bin"),
        (
            ["/usr/lib/systemd/systemd", "/usr/sbin/veritysetup"],
            "/usr/lib/systemd/systemd, /usr/sbin/verity",
            "systemd",
        ),
    ],
)
def test_everything_that_is_missing_is_named_with_its_package(drop, missing, package):
    with pytest.raises(FormatError) as caught:
        find_boot_parts(bootable(drop=drop), X86)
    assert caught.value.code == "base.missing"
    assert missing in caught.value.message
    assert package in caught.value.remedy


def test_a_program_that_nobody_may_run_is_missing():
    with pytest.raises(FormatError, match="veritysetup"):
        find_boot_parts(bootable(**{"/usr/sbin/veritysetup": 0o644}), X86)


def test_two_kernels_are_one_too_many():
    with pytest.raises(FormatError) as caught:
        find_boot_parts(bootable(**{"/usr/lib/modules/6.12.0/vmlinuz": 0o644}), X86)
    assert caught.value.code == "base.several-kernels"
