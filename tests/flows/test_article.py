# SPDX-License-Identifier: Apache-2.0
"""An article's central act, command by command: from `kms encrypt` to `openssl cms -decrypt`.

The article, "EC2 Instance Attestation", shares a secret with an instance in another account under a key policy on PCR 4
and 12. Its commands run here as it prints them, against the twin; what is replaced stands in two tables. Its policy is
its own, with its holes: the vendor's account opens without a document, and so may any account that runs the image.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.kms_scene import on_instance
from tests.twin_world import CUSTOMER, VENDOR, client, small_uki

from strongroom.formats.pcrs import PcrIndex
from strongroom.twin.accounts import FULL_ACCESS
from strongroom.twin.firmware import Firmware
from strongroom.twin.server import Twin

pytestmark = pytest.mark.slow
AWS = Path(sys.executable).with_name("aws")
REGION = "eu-north-1"
ALIAS = "alias/sample-kms-key"

ENCRYPT = r"""
SECRET="Hello World"
B64=$(echo "$SECRET" | base64)
BLOB=$(aws kms encrypt --key-id arn:aws:kms:eu-north-1:111111111111:alias/sample-kms-key \
  --plaintext ${B64} --query CiphertextBlob --output text)
"""
DECRYPT_AT_THE_VENDOR = r"""
aws kms decrypt --key-id arn:aws:kms:eu-north-1:111111111111:alias/sample-kms-key \
  --ciphertext-blob "${BLOB}" --query Plaintext --output text | base64 -d
"""
CIPHERTEXT = r"""
CIPHERTEXT_B64="YOUR_ENCRYPTED_BLOB"
echo "$CIPHERTEXT_B64" | base64 -d > /tmp/ct.bin
KMS_KEY_ID="arn:aws:kms:eu-north-1:111111111111:alias/sample-kms-key"
"""
KEY_PAIR = r"""
openssl genrsa -out /tmp/priv.pem 2048
openssl rsa -in /tmp/priv.pem -pubout -outform DER -out /tmp/pub.der
"""
DOCUMENT = r"""
ATT=$(/usr/bin/nitro-tpm-attest --public-key /tmp/pub.der | base64 -w0)
"""
DECRYPT_ATTESTED = r"""
aws kms decrypt --key-id "$KMS_KEY_ID" \
  --ciphertext-blob fileb:///tmp/ct.bin \
  --recipient "KeyEncryptionAlgorithm=RSAES_OAEP_SHA_256,AttestationDocument=${ATT}" \
  --query CiphertextForRecipient \
  --output text | base64 -d > /tmp/wrapped.bin
"""
UNWRAP = r"""
openssl cms -decrypt -inform DER -in /tmp/wrapped.bin -inkey /tmp/priv.pem
"""
ONE_COMMAND = r"""
strongroom kms decrypt --key-id "$KMS_KEY_ID" --ciphertext-blob fileb:///tmp/ct.bin
"""
BLOB_IN_HAND = "BLOB=YOUR_ENCRYPTED_BLOB"

CLI_1 = {
    "--plaintext ${B64}": '--plaintext "fileb://"<(base64 -d <<< "${B64}")',
    '--ciphertext-blob "${BLOB}"': '--ciphertext-blob "fileb://"<(base64 -d <<< "${BLOB}")',
    "AttestationDocument=${ATT}": 'AttestationDocument@=fileb://"<(base64 -d <<< "${ATT}")"',
}
"""The article has version 2 of the AWS CLI, which takes base64 on the command line. The version that Python's package
index has takes the bytes themselves, and lets them come from files."""
HERE = {"/usr/bin/nitro-tpm-attest": "strongroom tpm attest"}
"""AWS's program, whose options and output ours has."""


PROGRAMS = f"""
aws() {{ "{sys.executable}" "{AWS}" "$@"; }}
strongroom() {{ "{sys.executable}" -m strongroom "$@"; }}
"""


class Place:
    """A shell of somebody's, with a folder for /tmp."""

    def __init__(self, folder, blob=""):
        self._folder = folder
        self._blob = blob

    def run(self, *steps):
        """Run commands one after the other in one shell, and return what it was: `returncode`, `stdout`, `stderr`."""
        script = "\n".join(steps).replace("/tmp/", f"{self._folder}/").replace("YOUR_ENCRYPTED_BLOB", self._blob)
        for table in (CLI_1, HERE):
            for theirs, ours in table.items():
                script = script.replace(theirs, ours)
        programs = (
            f'aws() {{ "{sys.executable}" "{AWS}" "$@"; }}\nstrongroom() {{ "{sys.executable}" -m strongroom "$@"; }}\n'
        )
        command = ["bash", "-c", f"set -eu -o pipefail\n{programs}{script}"]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)


def policy(instance):
    """The article's key policy: all for the own account, and for everybody who attests these two PCRs."""
    pcrs = {f"kms:RecipientAttestation:NitroTPMPCR{i}": instance.pcrs[PcrIndex(i)].hex() for i in (4, 12)}
    own = {
        "Sid": "AllowOwnAccount",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{VENDOR}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    attested = {
        "Sid": "AllowAttestedDecryptAnyAccount",
        "Effect": "Allow",
        "Principal": "*",
        "Action": ["kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateRandom"],
        "Resource": "*",
        "Condition": {"StringEqualsIgnoreCase": pcrs},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [own, attested]})


@pytest.fixture(scope="module")
def twin():
    with Twin(region=REGION) as running:
        running.create_role(running.create_account(CUSTOMER, name="customer"), "app", policies=[FULL_ACCESS])
        running.create_account(VENDOR, name="vendor")
        yield running


@pytest.fixture(scope="module")
def instance(twin):
    return twin.launch(small_uki(), account=CUSTOMER, role="app")


@pytest.fixture(scope="module")
def builder(twin, instance):
    """The vendor's administrator, who has made the key and its alias."""
    key = twin.create_user(VENDOR, "builder", policies=[FULL_ACCESS])
    kms = client(twin, "kms", key, region=REGION)
    arn = kms.create_key(Policy=policy(instance))["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName=ALIAS, TargetKeyId=arn)
    return key


@pytest.fixture
def at_the_builders(twin, builder, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", twin.endpoint_url)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", builder.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", builder.secret_access_key)
    return Place(tmp_path)


@pytest.fixture
def blob(at_the_builders):
    made = at_the_builders.run(ENCRYPT, 'echo "$BLOB"')
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


@pytest.fixture
def at(twin, blob, tmp_path, monkeypatch):
    """Log in to an instance: its TPM, and the credentials that its metadata service gives."""
    opened = []

    def login(instance):
        opened.append(on_instance(twin, instance, tmp_path, monkeypatch))
        opened[-1].__enter__()
        monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
        return Place(tmp_path, blob)

    yield login
    for each in opened:
        each.__exit__(None, None, None)


def test_the_tables_replace_what_the_article_says():
    article = ENCRYPT + DECRYPT_AT_THE_VENDOR + DOCUMENT + DECRYPT_ATTESTED
    assert [article.count(theirs) for table in (CLI_1, HERE) for theirs in table] == [1, 1, 1, 1]


def test_the_vendor_decrypts_where_he_has_encrypted(at_the_builders, blob):
    shown = at_the_builders.run(ENCRYPT, DECRYPT_AT_THE_VENDOR)
    assert (shown.returncode, shown.stdout) == (0, "Hello World\n"), shown.stderr


@pytest.mark.attack("K1")
def test_the_same_in_the_tenants_account_is_denied(at, instance):
    shown = at(instance).run(BLOB_IN_HAND, DECRYPT_AT_THE_VENDOR)
    assert (shown.returncode != 0, shown.stdout) == (True, "")
    assert "(AccessDeniedException)" in shown.stderr


def test_the_instance_decrypts_with_its_document(at, instance, twin):
    shown = at(instance).run(CIPHERTEXT, KEY_PAIR, DOCUMENT, DECRYPT_ATTESTED, UNWRAP)
    assert (shown.returncode, shown.stdout) == (0, "Hello World\n"), shown.stderr
    record = twin.kms.decisions[-1]
    assert (record.outcome, record.statement) == ("allowed", "AllowAttestedDecryptAnyAccount")
    assert record.caller_arn == f"arn:aws:sts::{CUSTOMER}:assumed-role/app/{instance.instance_id}"


def test_one_command_takes_the_place_of_the_last_four(at, instance, tmp_path):
    shown = at(instance).run(CIPHERTEXT, ONE_COMMAND)
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, "Hello World\n", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ct.bin", "tpm0"]


@pytest.mark.attack("B1")
@pytest.mark.parametrize("steps", [(KEY_PAIR, DOCUMENT, DECRYPT_ATTESTED, UNWRAP), (ONE_COMMAND,)])
def test_an_instance_that_booted_otherwise_gets_nothing(at, twin, steps):
    rooted = twin.launch(small_uki(), account=CUSTOMER, role="app", firmware=Firmware(load_options="init=/bin/sh"))
    shown = at(rooted).run(CIPHERTEXT, *steps)
    assert (shown.returncode != 0, shown.stdout) == (True, "")
    assert "AccessDeniedException" in shown.stderr
