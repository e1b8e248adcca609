# SPDX-License-Identifier: Apache-2.0
"""From a specification to a secret in an app's hands: build, audit, build again, boot, deliver; and Secure Boot."""

import hashlib
import json
import subprocess

import pytest
from tests.boot.built_images import boot, build, image, measured, serve_bundle, write_project

from strongroom.formats.console import parse_console
from strongroom.formats.uefi_data import read_uefi_data
from strongroom.twin.attack.canary import Canary
from strongroom.twin.attack.vendor import TwinVendor
from strongroom.twin.server import Twin

pytestmark = pytest.mark.slow

BROKEN = """
version = 1
[image]
name = "x"
[base]
kind = "debian"
suite = "bookworm"
packages = ["no-such-package"]
"""
STATIC = (2, 4, 7, 11, 12, 13)


@pytest.fixture(scope="module")
def twin():
    with Twin() as running:
        yield running


@pytest.fixture(scope="module")
def canary() -> Canary:
    return Canary.make()


@pytest.fixture(scope="module")
def vendor(twin, canary) -> TwinVendor:
    return TwinVendor(twin, canary)


@pytest.fixture(scope="module")
def spec(tmp_path_factory, twin, vendor):
    return write_project(tmp_path_factory.mktemp("project"), twin, vendor)


@pytest.fixture(scope="module")
def built(spec):
    return build(spec, spec.with_name("out"))


@pytest.fixture(scope="module")
def booted(twin, vendor, built):
    serve_bundle(twin, vendor, vendor.make_safe([measured(built).pcrs]))
    return boot(twin, built)


def test_a_build_writes_what_is_to_be_known_of_the_image(built):
    names = {each.name for each in built.iterdir()}
    assert names == {
        *("disk.raw", "image.efi", "pcr_measurements.json", "sbom.cdx.json", "build.json"),
        *("provenance.intoto.json", "audit.json", "build.log"),
    }
    record = json.loads((built / "build.json").read_text())
    assert record["variant"] == "rehearsal"
    assert {each["name"] for each in record["packages"]} > {"systemd", "busybox-static", "python3-minimal"}
    disk = next(each for each in record["outputs"] if each["name"] == "disk.raw")
    assert disk["sha256"] == hashlib.sha256((built / "disk.raw").read_bytes()).hexdigest()
    assert (built / "disk.raw").stat().st_blocks * 512 <= 150 << 20


def test_the_audit_finds_no_error_in_it_but_that_it_is_a_rehearsal(built):
    assert json.loads((built / "audit.json").read_text())["passed"] is True
    as_production = json.loads(image("audit", built / "disk.raw", "--json").stdout)
    errors = {each["rule"] for each in as_production["findings"] if each["severity"] == "error"}
    assert errors == {"audit.other-profile"}


def test_built_again_it_is_the_same_byte_for_byte(spec, built):
    again = image("rebuild", spec, "--compare", built)
    assert again.returncode == 0, again.stdout + again.stderr


def test_what_a_boot_measures_is_what_was_predicted(built, booted):
    expected = measured(built).pcrs
    assert {index: booted.pcrs[index] for index in STATIC} == {index: expected[index] for index in STATIC}


def test_the_app_has_the_secret(booted, canary):
    digest = hashlib.sha256(canary.text.encode()).hexdigest()
    console = booted.console.text
    assert f"{digest}  /run/strongroom/secrets/canary/canary.txt" in console
    assert not canary.found_in(console.encode())


def test_its_console_has_a_receipt(booted):
    assert parse_console(booted.console.text.encode()).receipts


def test_an_image_that_the_key_does_not_know_says_why_it_has_no_secret(twin, vendor, built, tmp_path):
    other = write_project(tmp_path, twin, vendor, more='\n[kernel]\narguments = ["acme.changed=1"]\n')
    changed = boot(twin, build(other, tmp_path / "out"))
    console = changed.console.text
    assert "kms.access-denied" in console
    assert "/run/strongroom/secrets/canary/canary.txt: No such file" in console


def test_with_secure_boot_it_boots_and_measures_what_was_predicted(twin, vendor, tmp_path):
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=acme", "-days", "3650"]
    keys = tmp_path / "keys"
    keys.mkdir()
    subprocess.run([*make, "-keyout", keys / "db.key", "-out", keys / "db.pem"], check=True, capture_output=True)
    (keys / "db.key").chmod(0o600)
    signed = '\n[secure-boot]\nkey = "keys/db.key"\ncertificate = "keys/db.pem"\n'
    output = build(write_project(tmp_path, twin, vendor, more=signed), tmp_path / "out")
    variables = read_uefi_data((output / "uefi-data.b64").read_bytes())
    instance, expected = boot(twin, output, variables=variables), measured(output).pcrs
    assert {index: instance.pcrs[index] for index in STATIC} == {index: expected[index] for index in STATIC}


def test_a_debug_image_is_another_and_no_audit_passes_it(spec, built):
    output = build(spec, spec.with_name("debug"), "--debug")
    assert measured(output).pcrs[4] != measured(built).pcrs[4]
    assert json.loads((output / "audit.json").read_text())["passed"] is False


def test_a_build_that_fails_names_its_step_and_leaves_its_log_and_nothing_else(tmp_path):
    broken = tmp_path / "image.toml"
    broken.write_text(BROKEN)
    done = image("build", broken, "-o", tmp_path / "out")
    assert done.returncode == 9
    assert "installing packages" in done.stderr
    assert {each.name for each in tmp_path.iterdir()} == {"image.toml", "out.log"}
    assert "no-such-package" in (tmp_path / "out.log").read_text()
