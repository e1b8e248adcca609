# SPDX-License-Identifier: Apache-2.0
"""One change each, booted for real: `explain` names it. What else moves PCRs is in test_measured_boot.py."""

import pytest
from tests.boot.explained import codes, gated, recorded, references
from tests.boot.machine import COMMAND_LINE, Machine, boot

from strongroom.formats.uki import assemble_uki

pytestmark = pytest.mark.slow

CHANGES = {
    ".linux": lambda kernel: kernel.replace(b"debian-kernel@", b"debian-kernex@", 1),
    ".initrd": lambda initrd: initrd + bytes(512),  # zeros between archives are skipped
    ".cmdline": lambda _: COMMAND_LINE + b" roothash=" + b"ab" * 32,
    ".osrel": lambda _: b'ID=other\nVERSION_ID="1"\n',
}


@pytest.fixture(scope="module")
def changed(parts, sections):
    def build(name: str) -> bytes:
        new = [(each, CHANGES[name](data) if each == name else data) for each, data in sections]
        assert new != sections
        return assemble_uki(parts.stub.read_bytes(), new)

    return build


@pytest.mark.attack("B6")
@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_section_is_named(name, image, changed):
    booted = boot(Machine(changed(name)))
    document, with_log = recorded(booted)
    for reference in references(image):
        assert codes(gated(reference, document)) == ["image"]
        (moved,) = gated(reference, with_log)
        assert (moved.code, moved.subject, moved.grounds) == ("explain.section", name, "proven")
    from_image = gated(references(image)[0], document)[0].sentence
    assert ("neither of them moved" in from_image) == (name in {".linux", ".osrel"})


def test_failed_boot_options_before_the_image_are_proven_without_a_log(image):
    booted = boot(Machine(image, empty_disks=2))
    for reference in references(image):
        for seen in recorded(booted):
            (moved,) = gated(reference, seen)
            assert (moved.code, moved.grounds) == ("explain.failed-boot-option", "proven")
            assert "2 boot options before the image's own failed" in moved.sentence
