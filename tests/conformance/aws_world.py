# SPDX-License-Identifier: Apache-2.0
"""A twin as the account that `python -m conformance.aws` asks: over HTTP, by boto3, configured by variables alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from conformance.aws.__main__ import main
from conformance.aws.probes.attested import peer
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1
from tests.twin_world import RECIPIENT, small_uki

from strongroom.crypto.key_transport import RecipientKey
from strongroom.ids import AccountId
from strongroom.twin.accounts import FULL_ACCESS
from strongroom.twin.machine import Instance
from strongroom.twin.server import Twin

ACCOUNT = AccountId("111122224444")
REGION = "eu-central-1"
LONG_KEY = RecipientKey(rsa.generate_private_key(65537, 3072))


@dataclass
class Account:
    """A twin's account, the program that asks it, and what came of that."""

    twin: Twin
    folder: Path
    documents: list[str]

    @property
    def instance(self) -> Instance:
        """The instance whose documents they are."""
        return self.twin.instances[0]

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    @property
    def report(self) -> Any:
        """The latest report, which its name sorts last."""
        return json.loads(max((self.folder / "report").glob("*.json")).read_text())

    def run(self, *arguments: str, confirm: str | None = ACCOUNT) -> int:
        """Call the program without waiting for anything, as nothing on the twin takes time."""
        given = ["--journal", str(self.journal), "--report", str(self.folder / "report"), "--settle", "0"]
        if confirm:
            given += ["--confirm", confirm]
        return main([*given, "--patience", "0", *arguments])

    def make_client(self, service: str) -> Any:
        """A client of the account's administrator."""
        admin = self.twin.create_user(ACCOUNT, "admin", policies=[FULL_ACCESS])
        session: Any = boto3.Session(admin.access_key_id, admin.secret_access_key)
        return session.client(service)

    def verdicts(self) -> dict[str, str]:
        return {each["id"]: each["verdict"] for each in self.report["findings"]}

    def created(self) -> list[str]:
        """The kinds of everything that runs have created, by their journal."""
        lines = map(json.loads, self.journal.read_text().splitlines())
        return [line["kind"] for line in lines if line["state"] == "created"]

    def principals(self) -> list[str]:
        """The users and roles that runs have created and not removed."""
        iam = self.make_client("iam")
        names = [each["RoleName"] for each in iam.list_roles()["Roles"]]
        names += [each["UserName"] for each in iam.list_users()["Users"]]
        return [name for name in names if name.startswith("src-")]

    def keys_in_use(self) -> list[str]:
        return [arn for arn, key in self.twin.kms._store._keys.items() if key.deletion is None]


def make_documents(twin: Twin, folder: Path) -> list[str]:
    """One document of each kind that probes need, as files, in the words of the program."""
    twin.create_role(ACCOUNT, "instance", policies=[FULL_ACCESS])
    instance = twin.launch(small_uki(), account=ACCOUNT, role="instance")
    kinds = {"fresh": 0, "old": 7, "expired": 200}
    arguments = []
    for name, minutes in kinds.items():
        instance.document_age = timedelta(minutes=minutes)
        (folder / name).write_bytes(instance.attest(public_key=RECIPIENT.public_key))
    instance.document_age = timedelta(0)
    (folder / "ec").write_bytes(instance.attest(public_key=peer(SECP384R1())))
    (folder / "long").write_bytes(instance.attest(public_key=LONG_KEY.public_key))
    for name in (*kinds, "ec", "long"):
        arguments += ["--document", str(folder / name)]
    return arguments


@contextmanager
def account(folder: Path, environment: pytest.MonkeyPatch, *, policy: str = FULL_ACCESS) -> Iterator[Account]:
    """Run a twin, and point boto3 at it as a user with this policy, until the end of the block."""
    with Twin(region=REGION) as twin:
        twin.create_account(ACCOUNT, name="tried")
        runner = twin.create_user(ACCOUNT, "runner", policies=[policy])
        settings = {
            "AWS_ENDPOINT_URL": twin.endpoint_url,
            "AWS_ACCESS_KEY_ID": runner.access_key_id,
            "AWS_SECRET_ACCESS_KEY": runner.secret_access_key,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": "/nowhere",
            "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
        }
        for name, value in settings.items():
            environment.setenv(name, value)
        yield Account(twin, folder, make_documents(twin, folder))
