# SPDX-License-Identifier: Apache-2.0
"""The AWS CLI, unchanged, against the twin."""

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.twin_world import CONTEXT, CUSTOMER, RECIPIENT, RSA_OAEP, SECRET

from strongroom.ids import CmsBytes

pytestmark = pytest.mark.slow
AWS = Path(sys.executable).with_name("aws")


def aws(world, *arguments, who=None):
    """Run one command as a caller; return its output as JSON, or the error's text."""
    who = who or world.customer
    environment = {
        "PATH": "/usr/bin:/bin",
        "AWS_ENDPOINT_URL": world.twin.endpoint_url,
        "AWS_REGION": world.twin.region,
        "AWS_DEFAULT_REGION": world.twin.region,
        "AWS_ACCESS_KEY_ID": who.access_key_id,
        "AWS_SECRET_ACCESS_KEY": who.secret_access_key,
    }
    command = [sys.executable, str(AWS), "--output", "json", *arguments]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return json.loads(run.stdout or "{}") if run.returncode == 0 else run.stderr


@pytest.fixture(autouse=True)
def _the_cli_is_there():
    assert AWS.exists(), "the AWS CLI is a development dependency (awscli): run make setup"


def test_the_cli_knows_who_it_is(world):
    assert aws(world, "sts", "get-caller-identity")["Arn"] == f"arn:aws:iam::{CUSTOMER}:user/admin"


def test_the_cli_decrypts_for_a_recipient(world, tmp_path):
    (tmp_path / "blob").write_bytes(world.blob)
    (tmp_path / "document").write_bytes(world.instance.attest(public_key=RECIPIENT.public_key))
    command = ["kms", "decrypt", "--key-id", world.key_arn, "--ciphertext-blob", f"fileb://{tmp_path}/blob"]
    command += ["--encryption-context", json.dumps(CONTEXT)]
    recipient = f"KeyEncryptionAlgorithm={RSA_OAEP},AttestationDocument@=fileb://{tmp_path}/document"
    found = aws(world, *command, "--recipient", recipient)
    assert RECIPIENT.unwrap(CmsBytes(base64.b64decode(found["CiphertextForRecipient"]))) == SECRET
    assert not found["Plaintext"]
    assert "(AccessDeniedException)" in aws(world, *command)


def test_the_cli_administers_keys(world, tmp_path):
    arn = aws(world, "kms", "create-key", "--description", "by the CLI")["KeyMetadata"]["Arn"]
    assert aws(world, "kms", "describe-key", "--key-id", arn)["KeyMetadata"]["Description"] == "by the CLI"
    policy = aws(world, "kms", "get-key-policy", "--key-id", arn)["Policy"]
    (tmp_path / "policy").write_text(policy.replace("Enable IAM User Permissions", "Root"))
    put = ["kms", "put-key-policy", "--key-id", arn, "--policy", f"file://{tmp_path}/policy"]
    assert aws(world, *put) == {}
    assert "Root" in aws(world, "kms", "get-key-policy", "--key-id", arn)["Policy"]
    assert aws(world, "kms", "create-alias", "--alias-name", "alias/cli", "--target-key-id", arn) == {}
    made = aws(world, "kms", "generate-data-key", "--key-id", "alias/cli", "--key-spec", "AES_256")
    assert len(base64.b64decode(made["Plaintext"])) == 32
    assert "(AlreadyExistsException)" in aws(
        world, "kms", "create-alias", "--alias-name", "alias/cli", "--target-key-id", arn
    )


def test_the_cli_is_told_about_operations_that_are_missing(world):
    assert "It knows CancelKeyDeletion" in aws(world, "kms", "describe-custom-key-stores")


def test_the_cli_uses_aliases_grants_and_tags(world):
    arn = aws(world, "kms", "create-key", "--tags", "TagKey=Stage,TagValue=test")["KeyMetadata"]["Arn"]
    assert aws(world, "kms", "list-resource-tags", "--key-id", arn)["Tags"] == [{"TagKey": "Stage", "TagValue": "test"}]
    user = f"arn:aws:iam::{CUSTOMER}:user/admin"
    constraints = "EncryptionContextSubset={Department=IT}"
    grant = ["create-grant", "--key-id", arn, "--grantee-principal", user, "--operations", "Decrypt", "RetireGrant"]
    made = aws(world, "kms", *grant, "--constraints", constraints)
    listed = aws(world, "kms", "list-grants", "--key-id", arn)["Grants"]
    assert [(each["GrantId"], each["GranteePrincipal"]) for each in listed] == [(made["GrantId"], user)]
    assert aws(world, "kms", "retire-grant", "--grant-token", made["GrantToken"]) == {}
    assert aws(world, "kms", "list-grants", "--key-id", arn)["Grants"] == []
    for _ in range(2):
        aws(world, "kms", "create-key")
    first = aws(world, "kms", "list-keys", "--max-items", "1", "--page-size", "1")
    assert len(first["Keys"]) == 1
    assert "NextToken" in first
    assert len(aws(world, "kms", "list-keys", "--page-size", "1")["Keys"]) >= 3


def test_the_cli_signs_and_openssl_verifies(world, tmp_path):
    kind = ["--key-spec", "ECC_NIST_P384", "--key-usage", "SIGN_VERIFY"]
    arn = aws(world, "kms", "create-key", *kind)["KeyMetadata"]["Arn"]
    (tmp_path / "message").write_bytes(b"what was said")
    call = ["--key-id", arn, "--signing-algorithm", "ECDSA_SHA_384", "--message", f"fileb://{tmp_path}/message"]
    signed = aws(world, "kms", "sign", *call)["Signature"]
    (tmp_path / "signature").write_bytes(base64.b64decode(signed))
    (tmp_path / "key.der").write_bytes(
        base64.b64decode(aws(world, "kms", "get-public-key", "--key-id", arn)["PublicKey"])
    )
    verify = [
        "openssl",
        "dgst",
        "-sha384",
        "-keyform",
        "DER",
        "-verify",
        "key.der",
        "-signature",
        "signature",
        "message",
    ]
    run = subprocess.run(verify, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.stdout == "Verified OK\n", run.stderr
    assert aws(world, "kms", "verify", *call, "--signature", f"fileb://{tmp_path}/signature")["SignatureValid"]
    (tmp_path / "message").write_bytes(b"something else")
    refused = aws(world, "kms", "verify", *call, "--signature", f"fileb://{tmp_path}/signature")
    assert "(KMSInvalidSignatureException)" in refused


def test_the_cli_rotates_deletes_and_re_encrypts(world, tmp_path):
    arn = aws(world, "kms", "create-key")["KeyMetadata"]["Arn"]
    (tmp_path / "plaintext").write_bytes(b"x")
    encrypted = aws(world, "kms", "encrypt", "--key-id", arn, "--plaintext", f"fileb://{tmp_path}/plaintext")
    (tmp_path / "blob").write_bytes(base64.b64decode(encrypted["CiphertextBlob"]))
    assert aws(world, "kms", "rotate-key-on-demand", "--key-id", arn) == {"KeyId": arn}
    blob = ["--ciphertext-blob", f"fileb://{tmp_path}/blob"]
    moved = aws(world, "kms", "re-encrypt", *blob, "--destination-key-id", arn)
    assert moved["SourceKeyMaterialId"] != moved["DestinationKeyMaterialId"]
    assert aws(world, "kms", "decrypt", *blob)["Plaintext"] == base64.b64encode(b"x").decode()
    assert aws(world, "kms", "schedule-key-deletion", "--key-id", arn)["KeyState"] == "PendingDeletion"
    assert "(KMSInvalidStateException)" in aws(world, "kms", "decrypt", *blob)
    assert aws(world, "kms", "cancel-key-deletion", "--key-id", arn) == {"KeyId": arn}
    assert "(DisabledException)" in aws(world, "kms", "decrypt", *blob)
