# SPDX-License-Identifier: Apache-2.0
"""The attested operations whose secret is no Plaintext: GenerateDataKeyPair and DeriveSharedSecret, on an instance."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDH, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)
from tests.kms_scene import kms_scene, on_instance
from tests.twin_world import CUSTOMER, VENDOR, client

from strongroom import attested_kms_client
from strongroom.tpm.nitro import NitroTpmDevice
from strongroom.twin.accounts import FULL_ACCESS

OPENING = ["kms:Decrypt", "kms:GenerateDataKeyPair", "kms:DeriveSharedSecret"]


@pytest.fixture(scope="module")
def scene():
    with kms_scene() as running:
        yield running


@pytest.fixture
def policy(scene):
    """Only this boot state opens, and nobody without a document: not the vendor either."""
    pcrs = {"kms:RecipientAttestation:NitroTPMPCR4": scene.instance.pcrs[4].hex()}
    statement = {"Effect": "Allow", "Resource": "*"}
    vendor = statement | {"Principal": {"AWS": f"arn:aws:iam::{VENDOR}:root"}, "NotAction": OPENING}
    opening = statement | {"Principal": {"AWS": f"arn:aws:iam::{CUSTOMER}:root"}, "Action": OPENING}
    opening["Condition"] = {"StringEqualsIgnoreCase": pcrs}
    return json.dumps({"Version": "2012-10-17", "Statement": [vendor, opening]})


@pytest.fixture
def create_key(scene, policy):
    kms = client(scene.twin, "kms", scene.vendor)
    return lambda **settings: kms.create_key(Policy=policy, **settings)["KeyMetadata"]["Arn"]


@pytest.fixture(scope="module")
def plain(scene):
    """The customer without a document."""
    return client(scene.twin, "kms", scene.twin.create_user(CUSTOMER, "admin", policies=[FULL_ACCESS]))


@pytest.fixture
def attested(scene, tmp_path, monkeypatch):
    with on_instance(scene.twin, scene.instance, tmp_path, monkeypatch) as device:
        monkeypatch.setenv("AWS_DEFAULT_REGION", scene.twin.region)
        yield attested_kms_client(NitroTpmDevice(device))


def refused_without_a_document(plain, call):
    with pytest.raises(plain.exceptions.ClientError) as caught:
        call()
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"


@pytest.mark.attack("K1")
def test_a_key_pair_comes_with_its_private_half_for_the_instance_only(scene, create_key, attested, plain):
    key = create_key()
    made = attested.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P384")
    private = load_der_private_key(made["PrivateKeyPlaintext"], password=None)
    assert private.public_key() == load_der_public_key(made["PublicKey"])
    assert "CiphertextForRecipient" not in made
    again = attested.decrypt(KeyId=key, CiphertextBlob=made["PrivateKeyCiphertextBlob"])
    assert again["Plaintext"] == made["PrivateKeyPlaintext"]
    assert {record.module_id for record in scene.twin.kms.decisions[-2:]} == {scene.instance.module_id}
    refused_without_a_document(plain, lambda: plain.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P384"))


@pytest.mark.attack("K1")
def test_a_shared_secret_is_what_the_other_side_derives(scene, create_key, attested, plain):
    key = create_key(KeySpec="ECC_NIST_P384", KeyUsage="KEY_AGREEMENT")
    ours = load_der_public_key(client(scene.twin, "kms", scene.vendor).get_public_key(KeyId=key)["PublicKey"])
    peer = generate_private_key(SECP384R1())
    spki = peer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    asked = {"KeyId": key, "KeyAgreementAlgorithm": "ECDH", "PublicKey": spki}
    reply = attested.derive_shared_secret(**asked)
    assert reply["SharedSecret"] == peer.exchange(ECDH(), ours)
    assert "CiphertextForRecipient" not in reply
    assert scene.twin.kms.decisions[-1].module_id == scene.instance.module_id
    refused_without_a_document(plain, lambda: plain.derive_shared_secret(**asked))
