# SPDX-License-Identifier: Apache-2.0
"""A vendor with a project file, a tenant with instances, and a twin between them: where the tests of `key` start."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate
from tests.twin_world import CUSTOMER, RECIPIENT, VENDOR, client, small_uki

from strongroom.cli import key_session, main
from strongroom.cli.project_file import read_project
from strongroom.formats.measurements import PREDICTED, Measurements, encode_measurements
from strongroom.formats.pcrs import PcrDigests
from strongroom.ids import AccountId, Region, TenantId
from strongroom.twin.accounts import FULL_ACCESS, Credentials
from strongroom.twin.clock import OffsetClock
from strongroom.twin.machine import DEFAULT_REGION, Instance
from strongroom.twin.server import Twin

ROLE = f"arn:aws:iam::{VENDOR}:role/"
CONTEXT = {
    "strongroom:product": "acme",
    "strongroom:tenant": "globex",
    "strongroom:purpose": "secret",
    "strongroom:name": "db-password",
    "strongroom:epoch": "1",
}
PROJECT = """\
version = 1

[product]
id = "acme"
regions = ["eu-central-1"]
rings = ["canary", "general"]
default-target = "twin"

[targets.twin]  # where we rehearse
profile = "rehearsal"
vendor-account = "{vendor}"
endpoint = "{endpoint}"
sealer-role = "{role}sealer"
escrow-role = "{role}escrow"
{more}
[targets.twin.trust]
nitro-root = "nitro-root.pem"
tls-root = "tls-root.pem"
kms-endpoint = "https://127.0.0.1:4601"
identity-certificates = {{ eu-central-1 = "identity.pem" }}

[tenants.globex]
accounts = ["{customer}"]

[tenants.initech]
accounts = ["333333333333"]
ring = "canary"

[secrets.db-password]
files = ["secrets/db-password"]
"""


@dataclass
class KeyWorld:
    """What a vendor has: a folder, credentials, and a customer who runs his images."""

    twin: Twin
    clock: OffsetClock
    folder: Path
    environment: pytest.MonkeyPatch
    engineer: Credentials
    sealer: Credentials
    images: dict[str, bytes] = field(default_factory=dict)
    instances: dict[str, Instance] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        return self.folder / "strongroom.toml"

    def write_project(self, more: str = "", edit=lambda text: text) -> None:
        text = PROJECT.format(vendor=VENDOR, endpoint=self.twin.endpoint_url, role=ROLE, customer=CUSTOMER, more=more)
        self.file.write_text(edit(text))

    def act_as(self, who: Credentials) -> None:
        """Let commands run with these credentials from now on."""
        self.environment.setenv("AWS_ACCESS_KEY_ID", who.access_key_id)
        self.environment.setenv("AWS_SECRET_ACCESS_KEY", who.secret_access_key)
        self.environment.delenv("AWS_SESSION_TOKEN", raising=False)
        if who.session_token:
            self.environment.setenv("AWS_SESSION_TOKEN", who.session_token)

    def session_of(self, role: str, account: str = VENDOR) -> Credentials:
        principal = self.twin.directory.role(AccountId(account), role)
        return self.twin.directory.open_session(principal, session_name="s", now=self.twin.clock.now())

    def launch(self, version: str, **settings: Any) -> Instance:
        """Boot an image of this version for the customer, and write its measurements."""
        image = small_uki(cmdline=f"root=/dev/mapper/{version}")
        instance = self.twin.launch(image, account=AccountId(CUSTOMER), role="app", **settings)
        self.instances[version] = instance
        pcrs = PcrDigests.of({index: instance.pcrs[index] for index in PREDICTED if index in instance.pcrs})
        (self.folder / f"{version}.json").write_bytes(encode_measurements(Measurements(pcrs)))
        return instance

    def document(self, version: str) -> Path:
        """Write a fresh document of the instance of a version."""
        path = self.folder / f"{version}.cbor"
        path.write_bytes(self.instances[version].attest(public_key=RECIPIENT.public_key))
        return path

    def call(self, *words: object) -> subprocess.CompletedProcess[str]:
        """Run `strongroom key …` in the folder."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main.run(["key", *map(str, words)])
        return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())

    def ok(self, *words: object) -> dict[str, Any]:
        done = self.call(*words, "--json")
        assert done.returncode == 0, (done.stderr + done.stdout)[-2000:]
        answer: dict[str, Any] = json.loads(done.stdout)
        assert answer["ok"] is True
        return answer

    def key(self, *words: object) -> dict[str, Any]:
        """The same of a command about one key: what is said of that key."""
        (answer,) = self.ok(*words)["keys"]
        found: dict[str, Any] = answer
        return found

    def wrong(self, exit_code: int, *words: object) -> dict[str, Any]:
        """Run a command that fails; return the error."""
        done = self.call(*words, "--json")
        assert done.returncode == exit_code, (done.stderr + done.stdout)[-2000:]
        answer: dict[str, Any] = json.loads(done.stdout)
        assert answer["ok"] is False
        error: dict[str, Any] = answer["error"] if "error" in answer else answer["keys"][0]["error"]
        return error

    def arn(self, tenant: str = "globex", region: str = DEFAULT_REGION) -> str:
        return read_project(self.file).project.targets["twin"].keys[TenantId(tenant)][Region(region)]

    def kms(self, who: Credentials | None = None, region: str = DEFAULT_REGION) -> Any:
        return client(self.twin, "kms", who or self.engineer, region=region)

    def policy(self, tenant: str = "globex") -> dict[str, Any]:
        text = self.kms().get_key_policy(KeyId=self.arn(tenant), PolicyName="default")["Policy"]
        found: dict[str, Any] = json.loads(text)
        return found

    def put(self, policy: dict[str, Any], tenant: str = "globex") -> None:
        self.kms().put_key_policy(KeyId=self.arn(tenant), PolicyName="default", Policy=json.dumps(policy))

    def seal(self, epoch: int = 1) -> bytes:
        context = CONTEXT | {"strongroom:epoch": str(epoch)}
        reply = self.kms(self.sealer).encrypt(KeyId=self.arn(), Plaintext=b"secret", EncryptionContext=context)
        blob: bytes = reply["CiphertextBlob"]
        return blob

    def opens(self, instance: str | Instance, blob: bytes, epoch: int = 1) -> bool:
        """Tell whether KMS answers an attested Decrypt of an instance, under the customer's role."""
        running = self.instances[instance] if isinstance(instance, str) else instance
        document = running.attest(public_key=RECIPIENT.public_key)
        try:
            self.kms(self.session_of("app", CUSTOMER)).decrypt(
                CiphertextBlob=blob,
                KeyId=self.arn(),
                EncryptionContext=CONTEXT | {"strongroom:epoch": str(epoch)},
                Recipient={"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": document},
            )
        except ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDeniedException"
            return False
        return True

    def asked(self, operation: str) -> int:
        """How often KMS was asked for an operation."""
        return sum(each.operation == operation for each in self.twin.kms.decisions)


@contextmanager
def key_world(folder: Path, environment: pytest.MonkeyPatch) -> Iterator[KeyWorld]:
    """Run a twin with all that, until the end of the block. Nobody waits for KMS to settle: the twin has."""
    clock = OffsetClock()
    with Twin(clock=clock) as twin:
        vendor, customer = (twin.create_account(i, name=n) for i, n in ((VENDOR, "vendor"), (CUSTOMER, "customer")))
        twin.create_account("333333333333", name="initech")
        engineer = twin.create_user(vendor, "engineer", policies=[FULL_ACCESS])
        for role in ("sealer", "escrow", "release"):
            twin.create_role(vendor, role, policies=[FULL_ACCESS])
        twin.create_role(customer, "app", policies=[FULL_ACCESS])
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN"):
            environment.delenv(name, raising=False)
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        environment.setenv("AWS_CONFIG_FILE", str(folder / "nobody"))
        environment.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "nobody"))
        environment.setattr(key_session, "time", SimpleNamespace(sleep=lambda _: None))
        root = load_der_x509_certificate(twin.nitro_root).public_bytes(Encoding.PEM)
        (folder / "nitro-root.pem").write_bytes(root)
        world = KeyWorld(twin, clock, folder, environment, engineer, engineer)
        world.sealer = world.session_of("sealer")
        world.write_project()
        world.act_as(engineer)
        yield world
