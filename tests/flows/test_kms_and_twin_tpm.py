# SPDX-License-Identifier: Apache-2.0
"""`strongroom kms decrypt` with the TPM that `strongroom twin tpm --device` runs, in processes of their own."""

import json
import os
import subprocess
import sys

import pytest
from tests.kms_scene import CONTEXT, SECRET, SHORTHAND
from tests.tpm_commands import EMPTY, SHA384, Command, digests
from tests.twin_world import CUSTOMER, VENDOR, client
from tests.unit.cli.test_twin_tpm import running

from strongroom.appraisal.endorsements import NitroRoots
from strongroom.tpm.device import open_tpm
from strongroom.twin.accounts import FULL_ACCESS
from strongroom.twin.server import Twin

pytestmark = pytest.mark.slow
MEASURED = b"\x04" * 48


@pytest.fixture(scope="module")
def twin():
    with Twin() as running_twin:
        running_twin.create_account(VENDOR, name="vendor")
        running_twin.create_account(CUSTOMER, name="customer")
        yield running_twin


@pytest.fixture
def machine(tmp_path):
    """A TPM that has measured something into PCR 4; what the command said of it."""
    with running(tmp_path, "--device", "tpm0", "--state", "state", "--start") as (said, _):
        with open_tpm(tmp_path / "tpm0") as tpm:
            extended = tpm.transmit(Command("PCR_Extend", (4,), digests((SHA384, MEASURED)), EMPTY).content)
            assert int.from_bytes(extended[6:10]) == 0
        yield said


@pytest.fixture
def strongroom(twin, machine, tmp_path):
    """Run a command as the customer, with this TPM and the twin's KMS."""
    user = twin.create_user(CUSTOMER, f"user-{machine['instance_id']}", policies=[FULL_ACCESS])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment |= {
        "TPM_DEVICE": machine["device"],
        "AWS_ENDPOINT_URL": twin.endpoint_url,
        "AWS_ACCESS_KEY_ID": user.access_key_id,
        "AWS_SECRET_ACCESS_KEY": user.secret_access_key,
    }

    def run(*arguments):
        command = [sys.executable, "-m", "strongroom", *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)

    return run


@pytest.fixture
def decrypt(twin, strongroom, tmp_path):
    """A secret under a key that opens for the PCR 4 of the TPM, and the command that opens it."""
    pcr4 = json.loads(strongroom("tpm", "pcrs", "--json").stdout)["pcrs"]["4"]
    vendor = client(twin, "kms", twin.create_user(VENDOR, f"seals-{tmp_path.name}", policies=[FULL_ACCESS]))
    own = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{VENDOR}:root"}, "Action": "kms:*", "Resource": "*"}
    attested = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{CUSTOMER}:root"},
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": {"StringEqualsIgnoreCase": {"kms:RecipientAttestation:NitroTPMPCR4": pcr4}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [own, attested]})
    key = vendor.create_key(Policy=policy)["KeyMetadata"]["Arn"]
    blob = vendor.encrypt(KeyId=key, Plaintext=SECRET, EncryptionContext=CONTEXT)["CiphertextBlob"]
    (tmp_path / "ct.bin").write_bytes(blob)
    given = ("--key-id", key, "--ciphertext-blob", "fileb://ct.bin", "--encryption-context", SHORTHAND)
    return lambda *more: strongroom("kms", "decrypt", *given, *more)


def test_a_tpm_that_kms_knows_the_root_of_opens_the_secret(twin, machine, decrypt, monkeypatch, tmp_path):
    monkeypatch.setattr(twin.kms, "_roots", NitroRoots.from_pem((tmp_path / "state/root.pem").read_bytes()))
    opened = decrypt()
    assert (opened.returncode, opened.stdout, opened.stderr) == (0, SECRET, b"")
    assert twin.kms.decisions[-1].module_id.startswith(machine["instance_id"])


@pytest.mark.attack("K15")
def test_a_tpm_under_a_root_of_its_own_opens_nothing(decrypt):
    refused = decrypt()
    assert (refused.returncode, refused.stdout) == (6, b"")
    assert b"[kms.invalid-request]" in refused.stderr
