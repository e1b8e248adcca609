# SPDX-License-Identifier: Apache-2.0
"""What a comparison says of small things; whole disks are in test_compare_disks.py."""

import stat
from dataclasses import replace

import pytest
from tests.images import make_uki, with_certificates
from tests.unit.formats.test_build_record import RECORD

from strongroom.errors import LocalFault, UsageError
from strongroom.formats.build_record import DebianPackage, FileDigest, Tool, encode_build_record
from strongroom.imaging.audit.scratch import scratch_space
from strongroom.imaging.compare import outputs as outputs_module
from strongroom.imaging.compare.difference import Aspect, Difference, compare_bytes, first_difference
from strongroom.imaging.compare.outputs import compare_outputs
from strongroom.imaging.compare.programs import compare_programs
from strongroom.imaging.compare.records import compare_records
from strongroom.imaging.compare.trees import compare_trees
from strongroom.imaging.tree.node import Node
from strongroom.imaging.tree.tree import memory_tree
from strongroom.twin.initrd import build_initrd, file_entry, folder_entry

PASSWD = "/etc/passwd"
FILE, FOLDER, LINK = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777


def tree(**changes):
    entries = {
        "/etc": (Node(path="/etc", mode=FOLDER), b""),
        PASSWD: (Node(path=PASSWD, mode=FILE), b"root:x:0:0\n"),
        "/bin": (Node(path="/bin", mode=LINK, target="usr/bin"), b""),
    }
    return memory_tree((entries | changes).values())


def programs(left: bytes, right: bytes) -> list[Difference]:
    with scratch_space() as scratch:
        return [*compare_programs(("a.efi",), memoryview(left), memoryview(right), scratch)]


def spots(differences) -> list[tuple[str, str]]:
    return [("/".join(each.place[1:]), each.aspect) for each in differences]


@pytest.mark.parametrize("size", [1, 5_000_000])
def test_the_first_byte_that_differs_is_found_however_far_in(size):
    left = bytes(size) + b"\x01\x02"
    assert first_difference(memoryview(left), memoryview(left)) is None
    (found,) = compare_bytes(("x",), memoryview(left), memoryview(bytes(size) + b"\x01\xff"))
    assert (found.offset, found.left, found.right) == (size + 1, "02", "ff")
    (found,) = compare_bytes(("x",), memoryview(left), memoryview(left[:-1]))
    assert (found.offset, found.left, found.right) == (size + 1, "02", "end")


def test_equal_trees_do_not_differ():
    assert [*compare_trees((), tree(), tree())] == []


@pytest.mark.parametrize(
    ("path", "node", "contents", "aspect", "values"),
    [
        (PASSWD, Node(path=PASSWD, mode=FILE), b"root:y:0:0\n", "contents", ("78", "79")),
        (
            PASSWD,
            Node(path=PASSWD, mode=FILE | 0o22),
            b"root:x:0:0\n",
            "mode",
            ("-rw-r--r--", "-rw-rw-rw-"),
        ),
        (PASSWD, Node(path=PASSWD, mode=FILE, uid=7), b"root:x:0:0\n", "owner", ("0:0", "7:0")),
        ("/bin", Node(path="/bin", mode=LINK, target="/tmp"), b"", "target", ("usr/bin", "/tmp")),
        (
            PASSWD,
            Node(path=PASSWD, mode=FILE, capabilities=b"\x01"),
            b"root:x:0:0\n",
            "capabilities",
            ("", "01"),
        ),
        ("/etc/new", Node(path="/etc/new", mode=FILE), b"", "presence", ("missing", "there")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_aspect_of_a_file_is_compared(path, node, contents, aspect, values):
    (found,) = compare_trees(("root",), tree(), tree(**{path: (node, contents)}))
    assert (found.place, found.aspect, (found.left, found.right)) == (("root", path), aspect, values)


def test_a_program_is_compared_by_its_sections():
    assert programs(make_uki(), make_uki()) == []
    assert spots(programs(make_uki(), make_uki(osrel=b"ID=other\n"))) == [(".osrel", "contents")]
    assert spots(programs(make_uki(), make_uki(uname=b"6.1"))) == [(".uname", "presence")]


def test_an_initrd_is_compared_by_its_files():
    initrds = [build_initrd([folder_entry("etc"), file_entry("etc/x", text)]) for text in (b"one", b"two")]
    (found,) = programs(*(make_uki(initrd=initrd) for initrd in initrds))
    assert (found.place, found.offset, found.left) == (("a.efi", ".initrd", "/etc/x"), 0, "6f")


def test_what_is_no_archive_is_compared_byte_by_byte_and_that_is_said():
    (found,) = programs(make_uki(), make_uki(initrd=b"something else"))
    assert found.place == ("a.efi", ".initrd")
    assert "not compared by files" in found.note
    (found,) = programs(b"MZ", make_uki())
    assert "not compared by sections" in found.note


def test_a_command_line_with_another_root_hash_alone_follows_from_the_root():
    hashes = [b"quiet roothash=" + digit * 64 for digit in (b"a", b"b")]
    (found,) = programs(*(make_uki(cmdline=line) for line in hashes))
    assert (found.follows, found.left[-4:], found.right[-4:]) == ("the root hash", "aaaa", "bbbb")
    (found,) = programs(make_uki(cmdline=hashes[0]), make_uki(cmdline=hashes[1] + b" init=/bin/sh"))
    assert not found.follows


def test_a_signature_is_compared_apart_from_what_is_signed():
    image = make_uki()
    assert spots(programs(image, with_certificates(image, b"a signature"))) == [("signature", "presence")]
    signed = [with_certificates(image, blob) for blob in (b"signature 1", b"signature 2")]
    assert spots(programs(*signed)) == [("signature", "contents")]


def test_records_are_compared_entry_by_entry():
    other = replace(
        RECORD,
        variant="production",
        inputs=(FileDigest("/usr/lib/strongroom/trust.json", b"\xff" * 32, 2_100),),
        packages=(replace(RECORD.packages[0], version="2.36-9+deb12u14"), DebianPackage("new", "1", "all", bytes(32))),
        tools=(Tool("mkfs.erofs", "1.8"),),
        outputs=(FileDigest("disk.raw", bytes(32), 1), RECORD.outputs[1]),
    )
    found = [*compare_records((), encode_build_record(RECORD), encode_build_record(other))]
    assert {("/".join(each.place), each.aspect.value) for each in found if not each.follows} == {
        ("variant", "contents"),
        ("inputs//usr/lib/strongroom/trust.json", "contents"),
        ("packages/libc6:amd64", "version"),
        ("packages/new:all", "presence"),
        ("packages/python3-minimal:amd64", "presence"),
        ("tools/mkfs.erofs", "version"),
        ("tools/sfdisk", "presence"),
    }
    assert [each.place for each in found if each.follows] == [("outputs", "disk.raw")]
    assert [*compare_records((), encode_build_record(RECORD), encode_build_record(RECORD))] == []


def test_a_record_in_another_encoding_differs_too():
    encoded = encode_build_record(RECORD)
    (found,) = compare_records(("build.json",), encoded, encoded.replace(b"\n", b"\n\n", 1))
    assert found.aspect is Aspect.CONTENTS


def outputs(folder, **files: bytes):
    folder.mkdir()
    for name, data in {"image.efi": make_uki(), "build.log": folder.name.encode(), **files}.items():
        (folder / name).write_bytes(data)
    return folder


def test_the_log_of_a_build_is_not_compared(tmp_path):
    assert compare_outputs(outputs(tmp_path / "a"), outputs(tmp_path / "b")) == ()


def test_what_describes_an_image_follows_from_it(tmp_path):
    left = outputs(tmp_path / "a", **{"pcr_measurements.json": b"1", "build.json": encode_build_record(RECORD)})
    right = outputs(
        tmp_path / "b", **{"pcr_measurements.json": b"2", "build.json": b"{}", "image.efi": make_uki(osrel=b"x")}
    )
    found = compare_outputs(left, right)
    assert [(each.place[0], each.follows) for each in found] == [
        ("image.efi", ""),
        ("build.json", "the image"),
        ("pcr_measurements.json", "the image"),
    ]


def test_a_description_that_differs_alone_is_a_difference_by_itself(tmp_path):
    left, right = (outputs(tmp_path / name, **{"audit.json": name.encode()}) for name in ("a", "b"))
    (found,) = compare_outputs(left, right)
    assert (found.place, found.follows) == (("audit.json",), "")


def test_a_file_on_one_side_only_is_a_difference(tmp_path):
    found = compare_outputs(outputs(tmp_path / "a", extra=b"1"), outputs(tmp_path / "b"))
    assert [(each.place, each.aspect) for each in found] == [(("extra",), Aspect.PRESENCE)]


def test_a_folder_without_an_output_is_refused(tmp_path):
    with pytest.raises(LocalFault) as caught:
        compare_outputs(tmp_path, tmp_path)
    assert caught.value.code == "compare.empty"


def test_a_folder_and_an_image_are_no_pair(tmp_path):
    (tmp_path / "image").write_bytes(make_uki())
    with pytest.raises(UsageError) as caught:
        compare_outputs(tmp_path, tmp_path / "image")
    assert caught.value.code == "compare.kinds"


def test_a_disk_without_room_to_unpack_is_said(tmp_path, monkeypatch):
    def full():
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(outputs_module, "scratch_space", full)
    with pytest.raises(LocalFault) as caught:
        compare_outputs(outputs(tmp_path / "a"), outputs(tmp_path / "b"))
    assert caught.value.code == "compare.unreadable"


def test_two_images_are_compared_whatever_they_are_called(tmp_path):
    (tmp_path / "a").write_bytes(make_uki())
    (tmp_path / "b").write_bytes(make_uki(osrel=b"ID=other\n"))
    (found,) = compare_outputs(tmp_path / "a", tmp_path / "b")
    assert found.place == ("a", ".osrel")
    (tmp_path / "b").write_bytes(b"text")
    (found,) = compare_outputs(tmp_path / "a", tmp_path / "b")
    assert (found.place, found.offset) == (("a",), 0)
