# SPDX-License-Identifier: Apache-2.0
"""A folder with a tenant's key policy, a document that it opens for, its root, and `strongroom key` run in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.nitro_pki import NOW, PCRS, document, good_pki, root_pem

from strongroom.cli.main import run
from strongroom.formats.pcrs import GATES, PcrDigests
from strongroom.ids import AccountId, TenantId
from strongroom.keypolicy.generate import tenant_key_policy
from strongroom.keypolicy.model import encode_key_policy
from strongroom.keypolicy.spec import AdmittedRelease, SecureBoot, TenantKeySpec, VendorSpec

VENDOR, CUSTOMER = AccountId("444455556666"), AccountId("111122223333")
KEY = f"arn:aws:kms:eu-central-1:{VENDOR}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ROLE = f"arn:aws:iam::{CUSTOMER}:role/app"
CONTEXT = {
    "strongroom:product": "acme",
    "strongroom:tenant": "globex",
    "strongroom:purpose": "secret",
    "strongroom:name": "db",
    "strongroom:epoch": "1",
}


def tenant_policy(pcrs: dict[int, bytes] | None = None) -> str:
    """The generated policy of a key that opens for the PCRs of `document`."""
    measured = PcrDigests.of({index: (pcrs or PCRS)[index] for index in GATES})
    release = AdmittedRelease(version="1", ring="general", pcrs=measured, epoch=1, secure_boot=SecureBoot.NOT_GATED)
    vendor = VendorSpec(product="acme", account=VENDOR, sealer_role_arn=f"arn:aws:iam::{VENDOR}:role/sealer")
    spec = TenantKeySpec(vendor=vendor, tenant=TenantId("globex"), accounts=(CUSTOMER,), releases=(release,))
    return encode_key_policy(tenant_key_policy(spec))


def allow(**changes: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "kms:*", "Resource": "*", **changes}


def policy_of(*statements: dict[str, Any]) -> bytes:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}).encode()


@dataclass
class KeyFolder:
    """`folder.ask("simulate", …)` asks about the tenant's attested app, unless told otherwise."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    @property
    def document(self) -> tuple[object, ...]:
        return "--document", self.folder / "document", "--root", self.folder / "root"

    def run(self, command: str, *words: object) -> tuple[int, str, str]:
        """Return exit code, stdout and stderr."""
        code = run(["key", command, *map(str, words)])
        said = self.capsys.readouterr()
        return code, said.out, said.err

    def ask(self, command: str, *more: object, caller: str = ROLE, context: Any = CONTEXT) -> tuple[int, Any]:
        """Ask about the policy in the folder; return exit code and what `--json` prints."""
        words = [self.folder / "policy", "--key", KEY, "--caller", caller, "--context", json.dumps(context)]
        code, out, err = self.run(command, *words, *more, "--json")
        assert not err
        return code, json.loads(out)


def make_key_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> KeyFolder:
    world = KeyFolder(folder, capsys)
    pki = good_pki()
    world.write("policy", tenant_policy().encode())
    world.write("document", bytes(document(pki)))
    world.write("root", root_pem(pki))
    return world


AT_DOCUMENT = ("--at", NOW.isoformat())
