# SPDX-License-Identifier: Apache-2.0
"""Trees out of tar files, folders and OCI layouts."""

import gzip
import hashlib
import json
import os

import pytest
from tests.small_trees import pax, tar, tar_entry

from strongroom.errors import FormatError, LocalFault
from strongroom.imaging.tree import folder as folder_reader
from strongroom.imaging.tree import unpacking
from strongroom.imaging.tree.archives import tar_tree
from strongroom.imaging.tree.folder import folder_tree
from strongroom.imaging.tree.oci import is_oci_layout, oci_tree


def of_tar(*entries: bytes):
    return tar_tree(memoryview(tar(*entries)))


def test_a_tar_file_is_unpacked():
    capability = pax(SCHILY__xattr__security__capability=b"caps")
    found = of_tar(
        tar_entry(b"./", kind=b"5", mode=0o700),
        tar_entry(b"./usr/bin/x", b"canary", mode=0o4755, uid=7, gid=8),
        tar_entry(b"bin", kind=b"2", target=b"usr/bin"),
        tar_entry(b"hard", kind=b"1", target=b"./bin/x"),
        tar_entry(b"null", kind=b"3", device=(1, 3)),
        capability,
        tar_entry(b"bin/y", b"yy"),
    )
    assert found.read("/bin/x") == found.read("/hard") == b"canary"
    node = found.nodes["/usr/bin/x"]
    assert (node.mode, node.uid, node.gid, node.size) == (0o104755, 7, 8, 6)
    assert found.nodes["/hard"].uid == 7
    assert found.nodes["/null"].device == (1, 3)
    assert found.nodes["/"].mode == 0o40700
    assert found.nodes["/usr/bin/y"].capabilities == b"caps"


def test_a_later_entry_takes_the_place_of_an_earlier_one():
    found = of_tar(tar_entry(b"a/b", b"x"), tar_entry(b"a", b"file"), tar_entry(b"c", b"old"), tar_entry(b"c", b"new"))
    assert list(found.nodes) == ["/", "/a", "/c"]
    assert found.read("/c") == b"new"
    found = of_tar(tar_entry(b"c", b"old"), tar_entry(b"c", kind=b"2", target=b"x"))
    assert found.nodes["/c"].is_link


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([tar_entry(b"../etc/passwd", b"x")], "tree.path"),
        ([tar_entry(b"a/../../b", b"x")], "tree.path"),
        ([tar_entry(b"a", kind=b"1", target=b"../b")], "tree.path"),
        ([tar_entry(b"a", kind=b"1", target=b"b")], "tree.hard-link"),
        ([tar_entry(b"b", kind=b"5"), tar_entry(b"a", kind=b"1", target=b"b")], "tree.hard-link"),
        ([tar_entry(b"a", b"x"), tar_entry(b"a/b", b"x")], "tree.path"),
    ],
)
def test_what_leads_out_or_nowhere_is_refused(entries, code):
    with pytest.raises(FormatError) as caught:
        of_tar(*entries)
    assert caught.value.code == code


def test_a_link_out_of_the_tree_leads_to_its_root():
    found = of_tar(tar_entry(b"out", kind=b"2", target=b"../../.."), tar_entry(b"out/etc/x", b"inside"))
    assert found.read("/etc/x") == b"inside"


def test_entries_have_a_limit(monkeypatch, tmp_path):
    monkeypatch.setattr(unpacking, "MAX_NODES", 3)
    monkeypatch.setattr(folder_reader, "MAX_NODES", 2)
    of_tar(tar_entry(b"a"), tar_entry(b"b"))
    for name in "abc":
        (tmp_path / name).touch()
    for make in (lambda: of_tar(tar_entry(b"a"), tar_entry(b"b"), tar_entry(b"c")), lambda: folder_tree(tmp_path)):
        with pytest.raises(FormatError) as caught:
            make()
        assert caught.value.code == "tree.too-many"


def test_a_folder_is_read_as_it_stands(tmp_path):
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/canary").write_bytes(b"found")
    (root / "etc/empty").touch()
    (root / "etc/canary").chmod(0o640)
    (root / "link").symlink_to("/etc/canary")
    (root / "out").symlink_to(tmp_path / "secret")
    (tmp_path / "secret").write_text("not of the tree")
    os.mkfifo(root / "pipe")
    found = folder_tree(root)
    assert found.read("/link") == b"found"
    assert found.read("/etc/empty") == b""
    assert found.resolve("/out") is None
    node = found.nodes["/etc/canary"]
    assert (node.mode, node.uid, node.size) == (0o100640, os.getuid(), 5)
    assert [each.path for each in found.files] == ["/etc/canary", "/etc/empty"]


def test_a_file_that_goes_away_while_it_is_audited_is_a_fault_of_this_machine(tmp_path):
    (tmp_path / "x").write_bytes(b"y")
    found = folder_tree(tmp_path)
    (tmp_path / "x").unlink()
    with pytest.raises(LocalFault) as caught:
        found.read("/x")
    assert caught.value.code == "tree.unreadable"
    with pytest.raises(LocalFault):
        folder_tree(tmp_path / "none")


class Layout:
    """An OCI layout in the making."""

    def __init__(self, folder) -> None:
        self.folder = folder
        (folder / "blobs/sha256").mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def blob(self, data: bytes, **more) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        (self.folder / "blobs/sha256" / digest).write_bytes(data)
        return {"digest": f"sha256:{digest}", "size": len(data), **more}

    def image(self, *layers: bytes, **more) -> dict[str, object]:
        return self.blob(json.dumps({"layers": [self.blob(layer) for layer in layers]}).encode(), **more)

    def index(self, *manifests: dict[str, object]) -> None:
        (self.folder / "index.json").write_text(json.dumps({"manifests": manifests}))


BASE = tar(tar_entry(b"etc/a", b"a"), tar_entry(b"etc/b", b"b"), tar_entry(b"var/old/x", b"x"), tar_entry(b"c", b"c"))
UPPER = tar(
    tar_entry(b"etc/.wh.b"),
    tar_entry(b"var/old/new", b"n"),
    tar_entry(b"var/old/.wh..wh..opq"),
    tar_entry(b"etc/a", b"A"),
    tar_entry(b".wh.none"),
)


def test_layers_hide_what_is_below_them(tmp_path):
    layout = Layout(tmp_path)
    layout.index(layout.image(BASE, gzip.compress(UPPER, mtime=0)))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    found = oci_tree(tmp_path, scratch)
    assert is_oci_layout(tmp_path)
    assert [node.path for node in found.files] == ["/c", "/etc/a", "/var/old/new"]
    assert found.read("/etc/a") == b"A"
    assert not list(scratch.iterdir())


def test_an_index_may_lead_to_another_and_beside_an_image_may_lie_its_attestation(tmp_path):
    layout = Layout(tmp_path)
    attestation = layout.image(BASE, annotations={"vnd.docker.reference.type": "attestation-manifest"})
    amd = layout.image(BASE, platform={"architecture": "amd64"})
    arm = layout.image(UPPER, platform={"architecture": "arm64"})
    layout.index(layout.blob(json.dumps({"manifests": [amd, arm, attestation]}).encode()))
    assert oci_tree(tmp_path, tmp_path, architecture="amd64").read("/c") == b"c"
    with pytest.raises(FormatError) as caught:
        oci_tree(tmp_path, tmp_path)
    assert caught.value.code == "oci.several"


def wrong_blob(layout):
    image = layout.image(BASE)
    (layout.folder / "blobs/sha256" / image["digest"][7:]).write_bytes(b"{}")
    return image


@pytest.mark.parametrize(
    ("build", "code"),
    [
        (wrong_blob, "oci.digest"),
        (lambda layout: layout.image(BASE) | {"digest": "md5:00"}, "oci.digest"),
        (lambda layout: layout.blob(b"[]"), "oci.json"),
        (lambda layout: layout.blob(b"{"), "oci.json"),
        (lambda layout: layout.blob(b'{"layers": [1]}'), "oci.json"),
        (lambda layout: layout.image(*[BASE] * 300), "oci.too-many"),
        (lambda layout: layout.blob(b" " * (5 << 20)), "oci.json"),
    ],
)
def test_a_layout_that_is_wrong_is_refused(tmp_path, build, code):
    layout = Layout(tmp_path)
    layout.index(build(layout))
    with pytest.raises(FormatError) as caught:
        oci_tree(tmp_path, tmp_path)
    assert caught.value.code == code


def test_indexes_nest_only_so_deep(tmp_path):
    layout = Layout(tmp_path)
    image = layout.image(BASE)
    for _ in range(5):
        image = layout.blob(json.dumps({"manifests": [image]}).encode())
    layout.index(image)
    with pytest.raises(FormatError) as caught:
        oci_tree(tmp_path, tmp_path)
    assert caught.value.code == "oci.nesting"
