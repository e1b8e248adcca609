# SPDX-License-Identifier: Apache-2.0
import hashlib
import json

import pytest
from tests.unit.formats.test_build_record import RECORD

from strongroom.errors import LocalFault
from strongroom.formats.build_record import Base, DebianPackage, encode_build_record
from strongroom.imaging.provenance import digest_file, digest_outputs, encode_provenance, package_url


def test_a_statement_speaks_of_every_output_and_of_everything_that_went_in():
    statement = json.loads(encode_provenance(RECORD))
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"
    assert {each["name"]: each["digest"]["sha256"] for each in statement["subject"]} == {
        each.name: each.sha256.hex() for each in RECORD.outputs
    }
    definition = statement["predicate"]["buildDefinition"]
    assert [each.get("uri", each.get("name")) for each in definition["resolvedDependencies"]] == [
        "/usr/lib/strongroom/trust.json",
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u13?arch=amd64&distro=bookworm",
        "pkg:deb/debian/python3-minimal@3.11.2-1%2Bb1?arch=amd64&distro=bookworm",
    ]
    assert definition["externalParameters"]["variant"] == "rehearsal"


def test_a_statement_pins_the_build_record_that_it_was_made_from():
    (record,) = json.loads(encode_provenance(RECORD))["predicate"]["runDetails"]["byproducts"]
    assert record["name"] == "build.json"
    assert record["digest"]["sha256"] == hashlib.sha256(encode_build_record(RECORD)).hexdigest()


def test_epochs_of_versions_stay_readable_in_package_urls():
    package = DebianPackage("libgcc-s1", "1:12.2~x", "amd64", bytes(32))
    assert package_url(package, RECORD.base) == "pkg:deb/debian/libgcc-s1@1:12.2~x?arch=amd64&distro=bookworm"
    assert package_url(package, Base("tree", "sha256:00")).endswith("?arch=amd64")


def test_files_are_digested_under_the_names_that_a_record_gives_them(tmp_path):
    (tmp_path / "b").write_bytes(b"two")
    (tmp_path / "a").write_bytes(b"one!")
    first, second = digest_outputs(tmp_path, ["b", "a"])
    assert (first.name, first.size_bytes, first.sha256) == ("a", 4, hashlib.sha256(b"one!").digest())
    assert second.name == "b"
    with pytest.raises(LocalFault) as caught:
        digest_file(tmp_path / "c", "c")
    assert caught.value.code == "file.unreadable"
