# SPDX-License-Identifier: Apache-2.0
import json
import stat
from dataclasses import replace

import pytest
from tests.cyclonedx_schema import faults
from tests.unit.formats.test_build_record import RECORD
from tests.unit.formats.test_dpkg_status import STATUS

from strongroom.errors import FormatError
from strongroom.formats.build_record import DebianPackage
from strongroom.formats.uki import Architecture
from strongroom.imaging.sbom import (
    Bill,
    agent_component,
    debian_components,
    encode_sbom,
    file_components,
    python_component,
)
from strongroom.imaging.tree.node import Node
from strongroom.imaging.tree.tree import memory_tree

COPYRIGHT = b"""Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
License: LGPL-2.1+

Files: debian/*
License: GPL-2+
 and here follows the text
License: LGPL-2.1+
"""
PACKAGES = (
    DebianPackage("libc6", "2.36-9+deb12u13", "amd64", b"\x01" * 32),
    DebianPackage("cryptsetup-bin", "2:2.6.1-4~deb12u2", "amd64", b"\x02" * 32),
    DebianPackage("systemd-boot-efi", "252.39-1~deb12u2", "amd64", b"\x03" * 32),
)
ELSEWHERE = {"systemd-boot-efi": ("uki",), "libc6": ("initrd",)}


def tree(**files: bytes):
    files = {"/var/lib/dpkg/status": STATUS, "/usr/share/doc/libc6/copyright": COPYRIGHT} | files
    nodes = [(Node(path=path, mode=stat.S_IFREG | 0o644, size=len(data)), data) for path, data in files.items()]
    return memory_tree(nodes)


def bill(**changes) -> Bill:
    components = (
        *debian_components(tree(), PACKAGES, RECORD.base, elsewhere=ELSEWHERE),
        python_component("Some_Package", "50.0.2", sha256=b"\x04" * 32, licence="Apache-2.0 OR BSD-3-Clause"),
        agent_component("0.1.0"),
        *file_components(RECORD.inputs),
    )
    whole = Bill("app", Architecture.X86_64, "production", RECORD.base, 1_700_000_000, components)
    return replace(whole, **changes)


def by_reference(encoded: bytes):
    return {each["bom-ref"]: each for each in json.loads(encoded)["components"]}


def places(component):
    return [each["value"] for each in component["properties"]]


def test_a_bill_is_what_the_schema_of_cyclonedx_wants():
    assert faults(json.loads(encode_sbom(bill()))) == []
    assert faults({"bomFormat": "CycloneDX"}) != [], "the oracle refuses something"


def test_packages_of_the_root_and_those_of_the_initrd_alone_are_told_apart():
    found = by_reference(encode_sbom(bill()))
    libc = found["pkg:deb/debian/libc6@2.36-9%2Bdeb12u13?arch=amd64&distro=bookworm"]
    assert (libc["version"], libc["hashes"][0]["content"]) == ("2.36-9+deb12u13", "01" * 32)
    assert places(libc) == ["root", "initrd"]
    assert [each["license"]["name"] for each in libc["licenses"]] == ["GPL-2+", "LGPL-2.1+"]
    assert places(found["pkg:deb/debian/cryptsetup-bin@2:2.6.1-4~deb12u2?arch=amd64&distro=bookworm"]) == ["initrd"]
    assert places(found["pkg:deb/debian/systemd-boot-efi@252.39-1~deb12u2?arch=amd64&distro=bookworm"]) == ["uki"]


def test_what_is_not_known_is_left_out():
    tzdata = by_reference(encode_sbom(bill()))["pkg:deb/debian/tzdata@2025b-0%2Bdeb12u2?arch=all&distro=bookworm"]
    assert not tzdata.keys() & {"hashes", "licenses", "supplier"}


def test_a_package_of_another_version_than_its_file_is_no_package_with_that_digest():
    other = (replace(PACKAGES[0], version="1"),)
    with pytest.raises(FormatError) as caught:
        debian_components(tree(), other, RECORD.base, elsewhere={})
    assert caught.value.code == "sbom.version"


@pytest.mark.parametrize("text", [b"This is free software.\n\nLicense: of its own\n", b""])
def test_a_copyright_file_in_prose_names_no_licence(text):
    components = debian_components(
        tree(**{"/usr/share/doc/libc6/copyright": text}), PACKAGES, RECORD.base, elsewhere={}
    )
    assert components[0].licences == ()


def test_a_tree_without_packages_has_none():
    assert debian_components(memory_tree([]), (), RECORD.base, elsewhere={}) == ()


def test_wheels_files_and_the_agent_are_in_it():
    found = by_reference(encode_sbom(bill()))
    assert found["pkg:pypi/some-package@50.0.2"]["hashes"][0]["content"] == "04" * 32
    assert found["pkg:generic/strongroom-agent@0.1.0"]["type"] == "application"
    assert found["file:/usr/lib/strongroom/trust.json"]["type"] == "file"


def test_equal_images_have_equal_bills_and_another_image_another_number():
    encoded = encode_sbom(bill())
    assert encode_sbom(bill(components=bill().components[::-1])) == encoded
    number = json.loads(encoded)["serialNumber"]
    assert json.loads(encode_sbom(bill(variant="rehearsal")))["serialNumber"] != number
    assert json.loads(encoded)["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"
