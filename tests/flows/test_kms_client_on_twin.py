# SPDX-License-Identifier: Apache-2.0
"""The client that attests, on an instance of the twin: its NitroTPM, its metadata service, its KMS."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, SSLError
from cryptography.hazmat.primitives.serialization import Encoding
from tests.kms_scene import SECRET, kms_scene, on_instance, open_policy
from tests.kms_scene import impostor as running_impostor

from strongroom import attested_kms_client
from strongroom.errors import NotAuthentic, TpmFault
from strongroom.tpm.device import open_tpm
from strongroom.tpm.nitro import NitroTpm, NitroTpmDevice


@pytest.fixture(scope="module")
def scene():
    with kms_scene() as running:
        yield running


@pytest.fixture
def device(scene, tmp_path, monkeypatch):
    with on_instance(scene.twin, scene.instance, tmp_path, monkeypatch) as path:
        yield path


@pytest.fixture
def impostor():
    with running_impostor() as running:
        yield running


def session(scene, instance=None):
    """The role of an instance, as boto3 finds it in the metadata service."""
    found = boto3.Session(region_name=(instance or scene.instance).region)
    found._session.set_config_variable("ec2_metadata_service_endpoint", (instance or scene.instance).imds_endpoint)
    return found


def attested(scene, source, **settings):
    return attested_kms_client(source, session=session(scene), endpoint_url=scene.twin.endpoint_url, **settings)


def test_the_secret_comes_by_the_documents_of_the_emulated_nitrotpm(scene, device):
    with open_tpm(device) as tpm:
        assert attested(scene, NitroTpm(tpm)).decrypt(**scene.decrypt)["Plaintext"] == SECRET
    record = scene.twin.kms.decisions[-1]
    assert (record.outcome, record.module_id) == ("allowed", scene.instance.module_id)


def test_it_comes_by_whatever_attests(scene, device):
    for source in (NitroTpmDevice(device), scene.instance):
        assert attested(scene, source).decrypt(**scene.decrypt)["Plaintext"] == SECRET


def test_data_keys_and_random_bytes_come_to_the_instance_only(scene, device):
    key = scene.create_key(open_policy("kms:GenerateDataKey", "kms:Decrypt"))
    kms = attested(scene, NitroTpmDevice(device))
    made = kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert (len(made["Plaintext"]), set(made)) == (32, {"Plaintext", "CiphertextBlob", "KeyId", "ResponseMetadata"})
    assert kms.decrypt(CiphertextBlob=made["CiphertextBlob"], KeyId=key)["Plaintext"] == made["Plaintext"]
    assert len(kms.generate_random(NumberOfBytes=1024)["Plaintext"]) == 1024
    assert all(record.pcrs == scene.instance.pcrs for record in scene.twin.kms.decisions[-3:])


@pytest.mark.attack("K1")
def test_a_policy_that_would_give_plaintext_is_asked_with_a_document_all_the_same(scene, device):
    key = scene.create_key(open_policy("kms:Encrypt", "kms:Decrypt"))
    plain: Any = session(scene).client("kms", endpoint_url=scene.twin.endpoint_url)
    blob = plain.encrypt(KeyId=key, Plaintext=SECRET)["CiphertextBlob"]
    assert plain.decrypt(CiphertextBlob=blob)["Plaintext"] == SECRET
    assert scene.twin.kms.decisions[-1].module_id == ""
    assert attested(scene, NitroTpmDevice(device)).decrypt(CiphertextBlob=blob)["Plaintext"] == SECRET
    assert scene.twin.kms.decisions[-1].module_id == scene.instance.module_id


def test_a_dry_run_ends_as_a_dry_run(scene):
    with pytest.raises(ClientError) as caught:
        attested(scene, scene.instance).decrypt(**scene.decrypt, DryRun=True)
    assert caught.value.response["Error"]["Code"] == "DryRunOperationException"


def test_a_document_that_lay_too_long_is_made_anew(scene):
    ages = [timedelta(minutes=6), timedelta(0)]

    class Slow:
        """Its first document takes six minutes to arrive."""

        def attest(self, **fields):
            scene.instance.document_age = ages.pop(0)
            return scene.instance.attest(**fields)

    assert attested(scene, Slow()).decrypt(**scene.decrypt)["Plaintext"] == SECRET
    assert [record.error_code for record in scene.twin.kms.decisions[-2:]] == ["ValidationException", ""]


@pytest.mark.slow
def test_threads_share_a_client_and_a_tpm(scene, device):
    with open_tpm(device) as tpm, ThreadPoolExecutor(4) as pool:
        kms = attested(scene, NitroTpm(tpm))
        found = list(pool.map(lambda _: kms.decrypt(**scene.decrypt)["Plaintext"], range(12)))
    assert found == [SECRET] * 12


# Who answers for KMS


@pytest.mark.attack("K14")
def test_an_endpoint_that_answers_in_plaintext_is_believed_by_boto3_and_not_by_us(scene, impostor, tmp_path):
    url, root = impostor
    (tmp_path / "root.pem").write_bytes(root)
    settings: Any = {"endpoint_url": url, "verify": str(tmp_path / "root.pem")}
    plain: Any = session(scene).client("kms", **settings)
    recipient = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"document"}
    assert plain.decrypt(**scene.decrypt, Recipient=recipient)["Plaintext"] == b"not yours"
    with pytest.raises(NotAuthentic) as caught:
        attested_kms_client(scene.instance, session=session(scene), **settings).decrypt(**scene.decrypt)
    assert caught.value.code == "kms.plaintext-in-reply"


@pytest.mark.attack("K11")
@pytest.mark.attack("K12")
def test_pinned_roots_keep_an_impostor_out(scene, impostor, tmp_path):
    (tmp_path / "root.pem").write_bytes(scene.twin._authorities.tls.certificate.public_bytes(Encoding.PEM))
    settings = {"session": session(scene), "verify": str(tmp_path / "root.pem")}
    genuine = attested_kms_client(scene.instance, endpoint_url=scene.twin.tls_endpoint, **settings)
    assert genuine.decrypt(**scene.decrypt)["Plaintext"] == SECRET
    with pytest.raises(SSLError):
        attested_kms_client(scene.instance, endpoint_url=impostor[0], **settings).decrypt(**scene.decrypt)


@pytest.mark.attack("K14")
def test_without_a_tpm_there_is_an_error_and_no_call(scene, tmp_path):
    before = scene.twin.kms.decisions
    with pytest.raises(TpmFault):
        attested(scene, NitroTpmDevice(tmp_path / "none")).decrypt(**scene.decrypt)
    assert scene.twin.kms.decisions == before
