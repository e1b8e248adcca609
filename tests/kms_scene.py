# SPDX-License-Identifier: Apache-2.0
"""An instance of the twin and a key that opens for it, for whoever asks KMS on that instance.

Nothing is handed over but what an instance has: TPM_DEVICE leads to the instance's NitroTPM, credentials come from its
metadata service, and the key's policy was generated for what the image measures.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from tests.twin_world import CUSTOMER, VENDOR, client, small_uki
from werkzeug.wrappers import Request, Response

from strongroom.formats.pcrs import GATES, PcrDigests
from strongroom.ids import AccountId, TenantId
from strongroom.keypolicy.generate import tenant_key_policy
from strongroom.keypolicy.model import encode_key_policy
from strongroom.keypolicy.spec import AdmittedRelease, SecureBoot, TenantKeySpec, VendorSpec
from strongroom.twin.accounts import FULL_ACCESS, Credentials
from strongroom.twin.listener import Listener
from strongroom.twin.machine import Instance
from strongroom.twin.nitrotpm.board import Board
from strongroom.twin.nitrotpm.transports.pty_device import PtyDevice
from strongroom.twin.server import Twin
from strongroom.twin.tls import create_tls_authority

SECRET = b"\x00canary of the vendor\n"
CONTEXT = {
    "strongroom:product": "acme",
    "strongroom:tenant": "globex",
    "strongroom:purpose": "secret",
    "strongroom:name": "db-password",
    "strongroom:epoch": "1",
}
SHORTHAND = ",".join(f"{key}={value}" for key, value in CONTEXT.items())


@dataclass
class Scene:
    """A vendor with a secret under a key for one boot state, and a customer who runs the image."""

    twin: Twin
    vendor: Credentials
    image: bytes
    instance: Instance
    key_arn: str
    blob: bytes

    @property
    def decrypt(self) -> dict[str, Any]:
        return {"CiphertextBlob": self.blob, "KeyId": self.key_arn, "EncryptionContext": CONTEXT}

    def launch(self, **settings: Any) -> Instance:
        return self.twin.launch(self.image, account=AccountId(CUSTOMER), role="app", **settings)

    def create_key(self, policy: str) -> str:
        arn: str = client(self.twin, "kms", self.vendor).create_key(Policy=policy)["KeyMetadata"]["Arn"]
        return arn


def generated_policy(instance: Instance) -> str:
    release = AdmittedRelease(
        version="1.0",
        ring="stable",
        pcrs=PcrDigests.of({index: instance.pcrs[index] for index in GATES}),
        epoch=1,
        secure_boot=SecureBoot.NOT_GATED,
    )
    vendor = VendorSpec(product="acme", account=AccountId(VENDOR), sealer_role_arn=f"arn:aws:iam::{VENDOR}:role/sealer")
    spec = TenantKeySpec(vendor=vendor, tenant=TenantId("globex"), accounts=(AccountId(CUSTOMER),), releases=(release,))
    return encode_key_policy(tenant_key_policy(spec))


def open_policy(*actions: str) -> str:
    """Whoever is in one of the two accounts may do this, with a document or without."""
    principals = [f"arn:aws:iam::{account}:root" for account in (VENDOR, CUSTOMER)]
    allowed = {"Effect": "Allow", "Principal": {"AWS": principals}, "Action": [*actions, "kms:PutKeyPolicy"]}
    return json.dumps({"Version": "2012-10-17", "Statement": [allowed | {"Resource": "*"}]})


@contextmanager
def kms_scene(**settings: Any) -> Iterator[Scene]:
    """Run a twin with all that, until the end of the block."""
    with Twin(**settings) as twin:
        vendor_account = twin.create_account(VENDOR, name="vendor")
        customer_account = twin.create_account(CUSTOMER, name="customer")
        vendor = twin.create_user(vendor_account, "release", policies=[FULL_ACCESS])
        role = twin.create_role(vendor_account, "sealer", policies=[FULL_ACCESS])
        sealer = twin.directory.open_session(role, session_name="seal", now=twin.clock.now())
        twin.create_role(customer_account, "app", policies=[FULL_ACCESS])
        image = small_uki()
        instance = twin.launch(image, account=customer_account, role="app")
        scene = Scene(twin, vendor, image, instance, "", b"")
        scene.key_arn = scene.create_key(generated_policy(instance))
        reply = client(twin, "kms", sealer).encrypt(KeyId=scene.key_arn, Plaintext=SECRET, EncryptionContext=CONTEXT)
        scene.blob = reply["CiphertextBlob"]
        yield scene


@contextmanager
def on_instance(twin: Twin, instance: Instance, folder: Path, environment: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make this process one on the instance, with its TPM's device in the folder; yield the path of the device."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        environment.delenv(name)
    environment.setenv("TPM_DEVICE", str(folder / "tpm0"))
    environment.setenv("AWS_ENDPOINT_URL", twin.endpoint_url)
    environment.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", instance.imds_endpoint)
    environment.setenv("HOME", str(folder))
    device = PtyDevice(Board(instance.tpm()), folder / "tpm0")
    try:
        yield folder / "tpm0"
    finally:
        device.close()


def emulator(request: Request) -> Response:
    """Answer as emulators do that know Recipient by name only."""
    members = {"KeyId": request.get_json(force=True)["KeyId"], "Plaintext": base64.b64encode(b"not yours").decode()}
    return Response(json.dumps(members), mimetype="application/x-amz-json-1.1")


@contextmanager
def impostor() -> Iterator[tuple[str, bytes]]:
    """Run an endpoint that answers in plaintext; yield its URL and its TLS root (PEM), which anybody could make."""
    authority = create_tls_authority(datetime.now(UTC))
    listener = Listener(emulator, threads=2, tls=authority.server(datetime.now(UTC)))
    listener.start()
    try:
        yield listener.url, authority.certificate.public_bytes(Encoding.PEM)
    finally:
        listener.stop()
