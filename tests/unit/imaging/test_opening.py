# SPDX-License-Identifier: Apache-2.0
"""What is audited is found in it, and what cannot be read is told: nothing passes unseen."""

import datetime as dt
import gzip
import uuid

import pytest
from tests.audited_images import FILES, INITRD, audited_disk, erofs_of
from tests.disks import gpt_disk, partition
from tests.fat_volumes import make_fat
from tests.images import make_uki
from tests.small_trees import FILE, Erofs, cpio, newc, tar, tar_entry, xattr

from strongroom.errors import FormatError, LocalFault, UsageError
from strongroom.formats.audit_waivers import Waiver
from strongroom.formats.partition import Profile
from strongroom.imaging.audit.opening import open_subject
from strongroom.imaging.audit.report import audit_image
from strongroom.imaging.audit.scratch import scratch_space
from strongroom.imaging.audit.subject import Part

TODAY = dt.date(2030, 1, 1)
QCOW2 = b"QFI\xfb" + bytes(600)


@pytest.fixture
def opened(tmp_path):
    """Open bytes as a file, or a folder as it is, and keep what was unpacked."""
    with scratch_space(tmp_path) as scratch:

        def call(image):
            path = tmp_path / "image"
            if isinstance(image, bytes):
                path.write_bytes(image)
            return open_subject(path if isinstance(image, bytes) else image, Profile.PRODUCTION, scratch)

        yield call


@pytest.fixture
def audited(tmp_path):
    def call(image, **options):
        path = tmp_path / "image"
        path.write_bytes(image)
        return audit_image(path, today=TODAY, **options)

    return call


def codes(report):
    return {each.rule.code for each in report.findings.found}


def messages(report, code):
    return [each.fault.message for each in report.findings.found if each.rule.code == code]


def test_every_part_of_a_disk_is_found(opened):
    subject = opened(audited_disk())
    assert all(subject.has(part) for part in Part)
    assert subject.problems == ()
    assert subject.files.read("/etc/canary") == b"found"
    assert subject.first_files.read("/init") == b"#!/bin/sh\n"
    assert subject.values("roothash") == (subject.root_hash,)
    assert (subject.option("CONFIG_KEXEC"), subject.option("CONFIG_A"), subject.option("CONFIG_NAME")) == (
        "y",
        "n",
        "a b",
    )
    assert subject.os_release["VARIANT_ID"] == "production"


def test_other_things_are_opened_too(opened, tmp_path):
    files = [tar_entry(name.encode(), contents) for name, contents in FILES.items()]
    initrd = tar_entry(b"boot/initrd.img-6.1.0-test", gzip.compress(INITRD, mtime=0))
    for image in (erofs_of(FILES), tar(*files), gzip.compress(tar(*files), mtime=0)):
        assert opened(image).files.read("/etc/canary") == b"found"
    assert opened(tar(*files, initrd)).first_files.read("/init") == b"#!/bin/sh\n"
    assert opened(make_uki({".initrd": INITRD})).first_files.read("/init") == b"#!/bin/sh\n"
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/canary").write_bytes(b"found")
    assert opened(tmp_path / "root").files.read("/etc/canary") == b"found"
    (tmp_path / "link").symlink_to(tmp_path / "root")
    assert opened(tmp_path / "link").files.read("/etc/canary") == b"found"


def test_capabilities_are_those_of_the_file_system(opened):
    made = Erofs()
    file = made.inode(FILE, b"x", attributes=xattr(6, b"capability", b"caps"))
    assert opened(made.image(made.folder({b"x": file}))).files.nodes["/x"].capabilities == b"caps"


@pytest.mark.parametrize(
    ("image", "code"),
    [
        (QCOW2, "audit.not-an-image"),
        (b"plain text", "audit.not-an-image"),
        (audited_disk()[:30_000], "gpt.backup"),
        (b"MZ" + bytes(600), "pe.header"),
        (erofs_of(FILES)[:1_100], "erofs.superblock"),
    ],
)
def test_what_is_broken_as_a_whole_is_refused_and_described(opened, image, code):
    with pytest.raises(FormatError) as caught:
        opened(image)
    assert caught.value.code.partition(".")[0] == code.partition(".")[0]
    if image == QCOW2:
        assert "qemu-img convert -f qcow2" in caught.value.remedy


def test_an_empty_or_missing_file_is_told(tmp_path):
    with pytest.raises(LocalFault):
        audit_image(tmp_path / "none", today=TODAY)
    (tmp_path / "empty").touch()
    with pytest.raises(FormatError):
        audit_image(tmp_path / "empty", today=TODAY)


def test_what_is_wrong_with_one_part_is_a_finding_and_the_others_are_audited(audited):
    broken_initrd = audited(audited_disk(initrd=b"no archive at all"))
    assert not broken_initrd.passed
    assert "compression.kind" in messages(broken_initrd, "audit.not-read")[0]
    assert Part.TREE in broken_initrd.parts
    no_root = audited(gpt_disk(partition(make_fat({"EFI": {"BOOT": {"BOOTX64.EFI": make_uki()}}}).data, first=34)))
    assert any("audit.no-root" in message for message in messages(no_root, "audit.not-read"))
    no_uki = audited(gpt_disk(partition(erofs_of(FILES), first=34)))
    assert any("disk.no-boot-file" in message for message in messages(no_uki, "audit.not-read"))
    assert Part.TREE in no_uki.parts
    huge_config = tar(tar_entry(b"boot/config-1", b"#" * (5 << 20)))
    assert any("tree.file-too-large" in each for each in messages(audited(huge_config), "audit.not-read"))
    initrd = tar_entry(b"boot/initrd.img-1", b"nothing of the kind")
    assert any("compression.kind" in each for each in messages(audited(tar(initrd)), "audit.not-read"))


def test_the_root_has_to_be_the_one_that_the_command_line_names(audited):
    assert "audit.other-root" not in codes(audited(audited_disk()))
    other = audited(audited_disk(command_line=f"roothash={'ab' * 32}"))
    assert "audit.other-root" in codes(other)
    disk = bytearray(audited_disk())
    at = bytes(disk).index(b"found")
    disk[at : at + 5] = b"faked"
    assert "audit.other-root" in codes(audited(bytes(disk)))
    assert "audit.other-root" in codes(audited(audited_disk(verity=False)))


def test_a_debug_variant_is_found_in_the_tree_and_in_the_uki(audited):
    debug = b"VARIANT_ID=debug\n"
    assert "audit.debug-variant" in codes(audited(audited_disk(os_release=debug)))
    assert "audit.debug-variant" in codes(audited(audited_disk(FILES | {"etc/os-release": debug})))
    assert "audit.debug-variant" not in codes(audited(audited_disk()))


def test_the_kernel_configuration_is_that_of_the_kernel(opened):
    files = FILES | {"usr/lib/modules/6.9/config": b"CONFIG_B=y\n", "boot/config-5.0": b"CONFIG_C=y\n"}
    assert opened(audited_disk(files)).option("CONFIG_KEXEC") == "y"
    assert opened(erofs_of(files)).option("CONFIG_B") == "y"
    assert opened(erofs_of({"etc/x": b""})).kernel_config is None


def test_the_largest_file_system_with_a_root_in_it_is_the_root(audited, opened):
    data, root = erofs_of({"data/x": b"y" * 400}), erofs_of({"etc/canary": b"found"})
    assert opened(gpt_disk(partition(data, first=34), partition(root, first=60))).files.read("/etc/canary") == b"found"
    neither = audited(gpt_disk(partition(data, first=34), partition(data, first=60)))
    assert any("audit.no-root" in each for each in messages(neither, "audit.not-read"))


def test_a_file_system_of_usr_lies_in_usr(opened):
    files = {"lib/os-release": b"VARIANT_ID=debug\n", "bin/x": b"canary"}
    subject = opened(audited_disk(files, command_line="usrhash={roothash}"))
    assert subject.files.read("/usr/bin/x") == b"canary"
    assert subject.os_release["VARIANT_ID"] == "debug"
    assert subject.values("usrhash") == (subject.root_hash,)
    usr = uuid.UUID("8484680c-9521-48c6-9c11-b0720656f69e")
    typed = opened(gpt_disk(partition(erofs_of({"bin/x": b"canary"}), first=34, kind=usr)))
    assert typed.files.read("/usr/bin/x") == b"canary"


def test_waivers_hold_until_their_day_and_only_for_rules_that_may_be_waived(audited):
    image = audited_disk(initrd=b"no archive at all")
    waiver = Waiver("audit.not-read", "a lab", expires=TODAY)
    covered = audited(image, waivers=[waiver, Waiver("audit.other-root", "none")])
    assert {each.rule.code for each in covered.findings.found if each.counts} == {
        each.rule.code for each in audited(image).findings.found if each.counts
    } - {"audit.not-read"}
    assert covered.unused == (Waiver("audit.other-root", "none"),)
    assert covered.members()["waived"] == 1
    late = Waiver("audit.not-read", "a lab", expires=dt.date(2029, 12, 31))
    assert audited(image, waivers=[late]).expired == (late,)
    for rule, code in (("audit.nosuch", "audit.unknown-rule"), ("audit.debug-variant", "audit.not-waivable")):
        with pytest.raises(UsageError) as caught:
            audited(image, waivers=[Waiver(rule, "why")])
        assert caught.value.code == code


def test_nothing_stays_behind(tmp_path, audited):
    space = tmp_path / "space"
    space.mkdir()
    audited(audited_disk(initrd=gzip.compress(INITRD, mtime=0)), scratch=space)
    assert not list(space.iterdir())


@pytest.mark.parametrize(
    "initrd", [cpio(newc(b"../../etc/passwd")), gzip.compress(b"070701", mtime=0), b"\x28\xb5\x2f\xfd" * 9]
)
def test_a_hostile_initrd_is_described(audited, initrd):
    assert "audit.not-read" in codes(audited(audited_disk(initrd=initrd)))
