# SPDX-License-Identifier: Apache-2.0
"""Images that `strongroom image build` made, and a vendor on a twin whose secret they open."""

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import boto3

from strongroom.cli.trust_file import as_a_guest_sees_it
from strongroom.formats.efi_variables import EfiVariables
from strongroom.formats.measurements import Measurements, parse_measurements
from strongroom.formats.trust import Tls, encode_trust
from strongroom.twin.attack.vendor import CUSTOMER, ROLE, Safe, TwinVendor
from strongroom.twin.instances.booted import BootedInstance
from strongroom.twin.qemu.hardware import NO_VARIABLES, Hardware
from strongroom.twin.server import Twin

BOOT_SECONDS = 180
USER_DATA = b'{"strongroom": {"bundles": "s3://acme-bundles/target"}}'
SPEC = """
version = 1

[image]
name = "acme-app"

[base]
kind = "debian"
suite = "bookworm"

[[users]]
name = "acme"
uid = 990

[[units]]
name = "acme.service"
contents = '''
[Unit]
Wants=strongroom-agent.service
After=strongroom-agent.service
SuccessAction=poweroff
FailureAction=poweroff
[Service]
Type=oneshot
User=acme
StandardOutput=tty
TTYPath=/dev/console
ExecStart=/usr/bin/sha256sum /run/strongroom/secrets/canary/canary.txt
[Install]
WantedBy=multi-user.target
'''

[agent]
bundles-from = "user-data"
trust = "trust.json"

[agent.bundles.canary]
owner = "acme"
"""
"""An app that says on the console what its secret's digest is, and switches the machine off."""


@dataclass(frozen=True)
class _NoInstance:
    """For trust files that name no metadata service: an image finds it where every instance has it."""

    imds_endpoint: None = None


DEBIAN_BASE = """kind = "debian"
suite = "bookworm"
"""


def write_project(folder: Path, twin: Twin, vendor: TwinVendor, *, more: str = "", base: str = DEBIAN_BASE) -> Path:
    """Write the specification of an image that rehearses with this vendor, and return its path."""
    trust = vendor.trust_file(_NoInstance())
    trust = replace(trust, tls=Tls(trust.tls.roots, trust.tls.kms, None, dict(trust.tls.kms)))
    (folder / "trust.json").write_bytes(encode_trust(as_a_guest_sees_it(trust)))
    spec = folder / "image.toml"
    spec.write_text(SPEC.replace(DEBIAN_BASE, base) + more)
    return spec


def image(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run `strongroom image` in a process of its own."""
    command = [sys.executable, "-m", "strongroom", "image", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def build(spec: Path, output: Path, *options: str) -> Path:
    """Build an image and return its output folder."""
    done = image("build", spec, "-o", output, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return output


def measured(output: Path) -> Measurements:
    return parse_measurements((output / "pcr_measurements.json").read_bytes())


def serve_bundle(twin: Twin, vendor: TwinVendor, safe: Safe) -> None:
    """Put a bundle where USER_DATA say that it is, in the customer's own bucket."""
    key = vendor.administrator
    bucket = boto3.client(
        "s3",
        endpoint_url=twin.endpoint_url,
        region_name=twin.region,
        aws_access_key_id=key.access_key_id,
        aws_secret_access_key=key.secret_access_key,
    )
    bucket.create_bucket(Bucket="acme-bundles", CreateBucketConfiguration={"LocationConstraint": twin.region})
    bucket.put_object(Bucket="acme-bundles", Key="target/canary.bundle", Body=safe.bundle)


def boot(twin: Twin, output: Path, *, variables: EfiVariables = NO_VARIABLES) -> BootedInstance:
    """Boot a built disk until it switches itself off."""
    hardware = Hardware(output / "disk.raw", variables=variables)
    instance = twin.boot(hardware, account=CUSTOMER, role=ROLE, user_data=USER_DATA)
    instance.wait(BOOT_SECONDS)
    return instance
