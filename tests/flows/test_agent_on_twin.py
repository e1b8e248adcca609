# SPDX-License-Identifier: Apache-2.0
"""The agent against a running twin: its own clients, real TLS, real SigV4, a gated key, no mock between them."""

import json
import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from tests.twin_world import CUSTOMER, GATES, VENDOR, client, small_uki

from strongroom.agent import connect as connect_module
from strongroom.agent.connect import connect, kms_url
from strongroom.agent.fetch import fetch
from strongroom.agent.trusted import AgentTrust, verify_trust
from strongroom.aws.sdk.kms import SdkSealingKms
from strongroom.crypto.signers import Ed25519Signer
from strongroom.errors import KeyRefused, NotAuthentic, NotTrusted
from strongroom.flows.seal import SealedEntry, SealHeader, seal
from strongroom.formats.bundle_header import Purpose, Subject
from strongroom.formats.bundle_trust import PinnedSigner, SignatureAlgorithm, SignerRole
from strongroom.formats.partition import Partition, Profile
from strongroom.formats.pcrs import PcrIndex
from strongroom.formats.trust import Tls, Trust, Vendor, encode_trust, parse_trust
from strongroom.ids import AccountId, KeyArn, Region, TenantId
from strongroom.twin.accounts import FULL_ACCESS
from strongroom.twin.firmware import Firmware
from strongroom.twin.machine import DEFAULT_REGION, Instance
from strongroom.twin.server import Twin
from strongroom.twin.tls import create_tls_authority

SECRET = b"canary-90ab12-from-seal-to-app"
SUBJECT = Subject("acme", TenantId("globex"), Purpose.SECRET, "db-password", 1)


class Shelf:
    """Where one bundle lies, whatever name is asked for."""

    def __init__(self, bundle: bytes):
        self.bundle = bundle

    def fetch(self, name: str) -> bytes:
        return self.bundle


@dataclass
class Scene:
    twin: Twin
    instance: Instance
    image: bytes
    bundle: bytes
    trust_file: Trust

    def trust(self, **changes) -> AgentTrust:
        """Go through bytes, as an image does."""
        file = replace(self.trust_file, tls=replace(self.trust_file.tls, **changes))
        return verify_trust(parse_trust(encode_trust(file)))

    def fetch(self, trust: AgentTrust | None = None, instance: Instance | None = None):
        ports = connect(
            trust or self.trust(),
            evidence_source=instance or self.instance,
            bundles=Shelf(self.bundle),
            clock=self.twin.clock,
            entropy=os.urandom,
        )
        return fetch(("db-password",), trust=trust or self.trust(), ports=ports).files()


def policy(instance: Instance) -> str:
    """Admit one boot state, under the derived context."""
    pcrs = {f"kms:RecipientAttestation:NitroTPMPCR{i}": instance.pcrs[PcrIndex(i)].hex() for i in GATES}
    context = {f"kms:EncryptionContext:{key}": value for key, value in SUBJECT.context().items()}
    opening = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{CUSTOMER}:root"},
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": {"StringEqualsIgnoreCase": pcrs, "StringEquals": context},
    }
    vendor = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{VENDOR}:root"},
        "NotAction": "kms:Decrypt",
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [vendor, opening]})


@pytest.fixture(scope="module")
def scene():
    with Twin() as twin:
        vendor_account = twin.create_account(VENDOR, name="vendor")
        customer_account = twin.create_account(CUSTOMER, name="customer")
        vendor = twin.create_user(vendor_account, "sealer", policies=[FULL_ACCESS])
        twin.create_role(customer_account, "app", policies=[FULL_ACCESS])
        image = small_uki()
        instance = twin.launch(image, account=AccountId(CUSTOMER), role="app")
        kms = client(twin, "kms", vendor)
        arn = kms.create_key(Policy=policy(instance))["KeyMetadata"]["Arn"]
        signer = Ed25519Signer.generate()
        sealed = seal(
            [SealedEntry("password", SECRET)],
            header=SealHeader(subject=SUBJECT, bundle_version=1, accounts=(AccountId(CUSTOMER),)),
            signer=signer,
            kms=SdkSealingKms(kms),
            key_arn=KeyArn(arn),
            now=datetime.now(UTC).replace(microsecond=0),
            entropy=os.urandom,
        )
        pinned = PinnedSigner(
            signer.key_id, SignatureAlgorithm.EDDSA, signer.public_key, frozenset({SignerRole.BUNDLE})
        )
        trust = Trust(
            profile=Profile.REHEARSAL,
            product="acme",
            signers=(pinned,),
            floors={},
            vendor=Vendor(Partition.AWS, (AccountId(VENDOR),)),
            nitro_roots=(twin.nitro_root,),
            tls=Tls((twin.tls_root,), {DEFAULT_REGION: twin.tls_endpoint}, instance.imds_endpoint),
            identity_certificates={DEFAULT_REGION: twin.identity_certificate()},
        )
        yield Scene(twin, instance, image, sealed.bundle, trust)


def test_a_sealed_secret_reaches_the_instance_that_booted_the_right_image(scene):
    assert scene.fetch() == {"db-password/password": SECRET}


@pytest.mark.attack("B1")
def test_an_instance_with_another_command_line_gets_nothing(scene):
    rooted = scene.twin.launch(
        scene.image, account=AccountId(CUSTOMER), role="app", firmware=Firmware(load_options="init=/bin/sh")
    )
    with pytest.raises(KeyRefused):
        scene.fetch(scene.trust(imds=rooted.imds_endpoint), rooted)


@pytest.mark.attack("K12")
def test_kms_under_another_certificate_authority_is_not_spoken_to(scene):
    other = create_tls_authority(datetime.now(UTC)).der
    with pytest.raises(NotAuthentic):
        scene.fetch(scene.trust(roots=(other,)))


@pytest.mark.attack("K12")
def test_hostile_variables_neither_redirect_nor_add_trust(scene, monkeypatch, tmp_path):
    (tmp_path / "ca.pem").write_text("")
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KMS", "HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "AWS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(tmp_path / "ca.pem"))
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAHOSTILE")
    assert scene.fetch() == {"db-password/password": SECRET}


@pytest.mark.attack("A14")
def test_the_metadata_service_of_another_instance_is_noticed(scene):
    other = scene.twin.launch(scene.image, account=AccountId(CUSTOMER), role="app")
    with pytest.raises(NotTrusted) as caught:
        scene.fetch(scene.trust(imds=other.imds_endpoint))
    assert caught.value.code == "identity.other-instance"


@pytest.mark.attack("B14")
def test_user_data_has_no_say(scene):
    hostile = json.dumps({"kms": "https://127.0.0.1:9", "key": "arn:aws:kms:eu-central-1:666666666666:key/x"}).encode()
    instance = scene.twin.launch(scene.image, account=AccountId(CUSTOMER), role="app", user_data=hostile)
    assert scene.fetch(scene.trust(imds=instance.imds_endpoint), instance) == {"db-password/password": SECRET}


def test_a_document_that_ages_on_the_way_stops_the_agent_before_kms(scene):
    slow = scene.twin.launch(scene.image, account=AccountId(CUSTOMER), role="app")
    slow.document_age = timedelta(minutes=6)
    with pytest.raises(NotTrusted) as caught:
        scene.fetch(scene.trust(imds=slow.imds_endpoint), slow)
    assert caught.value.code == "instance.clock"


def test_a_rehearsal_without_an_endpoint_does_not_fall_back_to_aws(scene):
    with pytest.raises(NotTrusted) as caught:
        scene.fetch(scene.trust(kms={}))
    assert caught.value.code == "connect.no-endpoint"


@pytest.mark.parametrize(
    ("partition", "region", "url"),
    [
        (Partition.AWS, "eu-central-1", "https://kms.eu-central-1.amazonaws.com"),
        (Partition.CHINA, "cn-north-1", "https://kms.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_production_speaks_to_the_endpoint_of_its_region(scene, partition, region, url):
    trust = scene.trust(kms={})
    production = replace(trust, profile=Profile.PRODUCTION, bundles=replace(trust.bundles, partition=partition.value))
    assert kms_url(production, Region(region)) == url


def test_the_metadata_service_is_where_aws_has_it(scene, monkeypatch):
    asked: list[str] = []
    monkeypatch.setattr(connect_module, "MetadataEndpoint", asked.append)
    for imds in (None, scene.instance.imds_endpoint):
        connect(
            scene.trust(imds=imds),
            evidence_source=scene.instance,
            bundles=Shelf(b""),
            clock=scene.twin.clock,
            entropy=os.urandom,
        )
    assert asked == ["http://169.254.169.254", scene.instance.imds_endpoint]
