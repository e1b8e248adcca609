# SPDX-License-Identifier: Apache-2.0
"""What can be attacked: a disk, the folder of a build, an image alone."""

import pytest

from strongroom.errors import FormatError, LocalFault, UsageError
from strongroom.flows.files import map_file
from strongroom.formats.minimal_stub import minimal_kernel, minimal_stub
from strongroom.formats.uki import Architecture, assemble_uki
from strongroom.measure.disk import boot_image
from strongroom.measure.predict import measure_image
from strongroom.twin.attack.disk import make_disk
from strongroom.twin.attack.target import BOOT_PATH, open_target

pytestmark = pytest.mark.slow


def image_for(architecture):
    kernel = minimal_kernel(architecture, release="6.1")
    sections = [(".osrel", b"ID=test\n"), (".cmdline", b"quiet"), (".linux", kernel), (".initrd", b"initrd")]
    return assemble_uki(minimal_stub(architecture, version="252.1"), sections)


IMAGE = image_for(Architecture.X86_64)


@pytest.fixture
def scratch(tmp_path):
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


def test_an_image_alone_gets_a_disk_that_boots_it(tmp_path, scratch):
    (tmp_path / "image.efi").write_bytes(IMAGE)
    target = open_target(tmp_path / "image.efi", scratch=scratch)
    with map_file(target.disk, maximum_piped_bytes=0) as view:
        assert boot_image(view).image == target.image == IMAGE
    assert target.disk.parent == scratch
    assert target.pcrs == measure_image(IMAGE, secure_boot=None).pcrs


def test_a_disk_and_the_folder_of_a_build_are_taken_as_they_are(tmp_path, scratch):
    make_disk(tmp_path / "disk.raw", {BOOT_PATH: IMAGE})
    for path in (tmp_path / "disk.raw", tmp_path):
        target = open_target(path, scratch=scratch)
        assert (target.disk, target.image) == (tmp_path / "disk.raw", IMAGE)
    assert list(scratch.iterdir()) == []


def test_other_machines_and_other_files_are_refused(tmp_path, scratch):
    (tmp_path / "arm.efi").write_bytes(image_for(Architecture.ARM64))
    with pytest.raises(UsageError) as caught:
        open_target(tmp_path / "arm.efi", scratch=scratch)
    assert caught.value.code == "attack.architecture"
    (tmp_path / "text").write_bytes(b"no disk" * 1000)
    with pytest.raises(FormatError):
        open_target(tmp_path / "text", scratch=scratch)
    with pytest.raises(LocalFault):
        open_target(tmp_path, scratch=scratch)
