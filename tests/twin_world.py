# SPDX-License-Identifier: Apache-2.0
"""Small images, and a twin with a vendor, a customer, a gated key and an instance: where its tests start."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config
from tests.images import make_pe

from strongroom.aws.lean.sigv4 import Credentials as LeanCredentials
from strongroom.crypto.key_transport import RecipientKey
from strongroom.formats.pcrs import PcrIndex
from strongroom.formats.uki import assemble_uki
from strongroom.ids import AccountId
from strongroom.twin.accounts import FULL_ACCESS, Credentials
from strongroom.twin.machine import DEFAULT_REGION, Instance
from strongroom.twin.server import Twin

VENDOR = "111111111111"
CUSTOMER = "222222222222"
CONTEXT = {"strongroom:tenant": "acme", "strongroom:epoch": "1"}
RSA_OAEP = "RSAES_OAEP_SHA_256"
RECIPIENT = RecipientKey.generate()
GATES = (2, 4, 12, 13)
BOTO3: Any = boto3.Session()
"""One for all clients: a session reads AWS's description of a service when it makes its first client of it, and keeps
it. That takes longer than most tests, so it is read here, where forks of the process inherit it."""
BOTO3.client("kms", region_name=DEFAULT_REGION, aws_access_key_id="nobody", aws_secret_access_key="none")


def small_pe(*sections: tuple[str, bytes]) -> bytes:
    """A PE32+ program for x86-64 that nobody could run, with room for more section headers."""
    return make_pe(sections)


def small_uki(*, cmdline: str = "root=/dev/mapper/root", version: int = 252, kernel: bytes = b"kernel") -> bytes:
    """A UKI of a kernel that is a PE program itself, with the mark of a systemd-stub."""
    mark = f"#### LoaderInfo: systemd-stub {version}.39-1 ####\0".encode()
    stub = small_pe((".text", b"stub"), (".sdmagic", mark))
    sections = ((".osrel", b"ID=debian\n"), (".cmdline", cmdline.encode() + b"\0"), (".initrd", b"initrd"))
    return assemble_uki(stub, (*sections, (".linux", small_pe((".text", kernel)))))


def client(twin: Twin, name: str, credentials: Credentials | LeanCredentials, *, region: str = DEFAULT_REGION) -> Any:
    """A boto3 client as anybody would make it, without retries."""
    return BOTO3.client(
        name,
        region_name=region,
        endpoint_url=twin.endpoint_url,
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        aws_session_token=credentials.session_token,
        config=Config(retries={"total_max_attempts": 1}),
    )


def gated_policy(instance: Instance) -> str:
    """A tenant key's policy: the customer may open what was sealed, on this boot state only."""
    pcrs = {f"kms:RecipientAttestation:NitroTPMPCR{i}": instance.pcrs[PcrIndex(i)].hex() for i in GATES}
    principal = {"AWS": f"arn:aws:iam::{CUSTOMER}:root"}
    vendor = {"AWS": f"arn:aws:iam::{VENDOR}:root"}
    opening = ["kms:Decrypt", "kms:GenerateDataKey"]
    statements = [
        {"Sid": "Admin", "Effect": "Allow", "Principal": vendor, "NotAction": opening, "Resource": "*"},
        {
            "Sid": "Open",
            "Effect": "Allow",
            "Principal": principal,
            "Action": "kms:Decrypt",
            "Resource": "*",
            "Condition": {
                "StringEqualsIgnoreCase": pcrs,
                "StringEquals": {f"kms:EncryptionContext:{name}": value for name, value in CONTEXT.items()},
            },
        },
    ]
    statements += [
        {
            "Sid": f"Gate{name.rpartition('PCR')[2]}",
            "Effect": "Deny",
            "Principal": "*",
            "Action": opening,
            "Resource": "*",
            "Condition": {"StringNotEqualsIgnoreCase": {name: value}},
        }
        for name, value in pcrs.items()
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


@dataclass
class World:
    """A running twin, a vendor with a key that opens on `instance` only, and a secret under that key."""

    twin: Twin
    vendor: Credentials
    customer: Credentials
    image: bytes
    instance: Instance
    key_arn: str
    blob: bytes
    clients: dict[tuple[str, str], Any] = field(default_factory=dict)

    def kms(self, who: Credentials | None = None, *, region: str = DEFAULT_REGION):
        """A client, made once for each caller and region: botocore takes its time."""
        who = who or self.customer
        known = self.clients.get((who.access_key_id, region))
        if known is None:
            known = self.clients[who.access_key_id, region] = client(self.twin, "kms", who, region=region)
        return known

    def launch(self, image: bytes | None = None, **settings) -> Instance:
        return self.twin.launch(image or self.image, account=AccountId(CUSTOMER), role="app", **settings)

    def recipient(self, instance: Instance | None = None) -> dict[str, object]:
        document = (instance or self.instance).attest(public_key=RECIPIENT.public_key)
        return {"KeyEncryptionAlgorithm": RSA_OAEP, "AttestationDocument": document}

    def decrypt(self, who: Credentials | None = None, **changes):
        call = {"CiphertextBlob": self.blob, "KeyId": self.key_arn, "EncryptionContext": CONTEXT} | changes
        return self.kms(who).decrypt(**{name: value for name, value in call.items() if value is not None})


SECRET = b"a data key of thirty-two bytes !"


@contextmanager
def world() -> Iterator[World]:
    """Run a twin with all that, until the end of the block."""
    with Twin() as twin:
        vendor, customer = (twin.create_account(i, name=n) for i, n in ((VENDOR, "vendor"), (CUSTOMER, "customer")))
        release = twin.create_user(vendor, "release", policies=[FULL_ACCESS])
        admin = twin.create_user(customer, "admin", policies=[FULL_ACCESS])
        twin.create_role(customer, "app", policies=[FULL_ACCESS])
        image = small_uki()
        instance = twin.launch(image, account=customer, role="app")
        kms = client(twin, "kms", release)
        arn = kms.create_key(Policy=gated_policy(instance))["KeyMetadata"]["Arn"]
        blob = kms.encrypt(KeyId=arn, Plaintext=SECRET, EncryptionContext=CONTEXT)["CiphertextBlob"]
        yield World(twin, release, admin, image, instance, arn, blob)
