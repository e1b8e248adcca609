# SPDX-License-Identifier: Apache-2.0
"""An instance in miniature: a NitroTPM, a metadata service and a KMS that share a PKI, each of them easy to turn."""

import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from strongroom.agent.fetch import InstancePorts
from strongroom.agent.trusted import AgentTrust, verify_trust
from strongroom.appraisal.endorsements import NitroRoots
from strongroom.appraisal.evidence import verify_evidence
from strongroom.crypto.key_transport import encrypt_to_recipient
from strongroom.crypto.signers import Ed25519Signer
from strongroom.errors import KeyRefused, ServiceFault
from strongroom.flows.seal import SealedEntry, SealHeader, seal
from strongroom.formats.bundle_header import Purpose, Subject
from strongroom.formats.bundle_trust import PinnedSigner, SignatureAlgorithm, SignerRole
from strongroom.formats.partition import Partition, Profile
from strongroom.formats.pcrs import ZERO_SHA384, PcrDigests
from strongroom.formats.trust import Tls, Trust, Vendor
from strongroom.ids import AccountId, ImageId, InstanceId, KeyArn, Region, SpkiDer, TenantId, WrappedKey
from strongroom.ports import IdentityDocumentBytes
from strongroom.twin.firmware import Boot
from strongroom.twin.identity import IdentitySigner, create_identity_signer
from strongroom.twin.machine import Instance, identity_document
from strongroom.twin.pki import NitroPki, create_root

VENDOR = AccountId("111111111111")
CUSTOMER = AccountId("222222222222")
REGION = Region("eu-central-1")
KEY = KeyArn(f"arn:aws:kms:{REGION}:{VENDOR}:key/0000-1111")
SECRET = b"canary-7f3a9c41d2-the-secret-itself"


class HandClock:
    """The machine's clock, which its owner may set."""

    def __init__(self) -> None:
        self.offset: timedelta = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset


class HandKms:
    """Wraps in memory and answers attested calls as KMS does, for one Nitro root."""

    def __init__(self, root):
        self.root = root
        self.kept: dict[bytes, tuple[bytes, KeyArn, dict[str, str]]] = {}
        self.asked = 0

    def encrypt(self, data_key, *, key_arn, context):
        blob = os.urandom(64)
        self.kept[blob] = (data_key, key_arn, dict(context))
        return WrappedKey(blob)

    def decrypt(self, wrapped_key, *, key_arn, context, recipient):
        self.asked += 1
        data_key, arn, sealed_context = self.kept[wrapped_key]
        if (arn, sealed_context) != (key_arn, dict(context)):
            raise KeyRefused("kms.invalid-ciphertext", "another key or context")
        roots = NitroRoots.from_pem(pem(self.root))
        evidence = verify_evidence(recipient, roots=roots, at=datetime.now(UTC))
        return encrypt_to_recipient(SpkiDer(evidence.public_key or b""), data_key)


def pem(der: bytes) -> bytes:
    import base64

    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


class HandImds:
    """Answers for whichever instance it is told to."""

    def __init__(self, instance: Instance, signer: IdentitySigner):
        self.instance = instance
        self.signer = signer

    def identity_document(self) -> IdentityDocumentBytes:
        document = identity_document(self.instance, datetime.now(UTC))
        return IdentityDocumentBytes(document=document, rsa2048=self.signer.sign(document))


class Folder:
    """Bundles by name. Hostile: it may hold anything."""

    def __init__(self):
        self.bundles: dict[str, bytes] = {}

    def fetch(self, name: str) -> bytes:
        if name not in self.bundles:
            raise ServiceFault("source.missing", f"no bundle {name}", retryable=False)
        return self.bundles[name]


@dataclass
class World:
    """A vendor, a customer's instance, and what lies between them."""

    pki: NitroPki
    identity_signer: IdentitySigner
    instance: Instance
    imds: HandImds
    kms: HandKms
    clock: HandClock
    signer: Ed25519Signer
    folder: Folder = field(default_factory=Folder)

    def trust_file(self, **changes) -> Trust:
        pinned = PinnedSigner(
            self.signer.key_id, SignatureAlgorithm.EDDSA, self.signer.public_key, frozenset({SignerRole.BUNDLE})
        )
        plain = Trust(
            profile=Profile.REHEARSAL,
            product="acme",
            signers=(pinned,),
            floors={"db-password": 2},
            vendor=Vendor(Partition.AWS, (VENDOR,)),
            nitro_roots=(self.pki.root,),
            tls=Tls(roots=(self.pki.root,), kms={}),
            identity_certificates={REGION: self.identity_signer.der},
        )
        return replace(plain, **changes)

    def trust(self, **changes) -> AgentTrust:
        return verify_trust(self.trust_file(**changes))

    def ports(self) -> InstancePorts:
        return InstancePorts(self.instance, self.imds, self.folder, lambda _: self.kms, self.clock, os.urandom)

    def other_instance(self, **changes) -> Instance:
        return replace(self.instance, **{"instance_id": InstanceId("i-0fedcba9876543210")} | changes)

    def seal(self, **changes) -> None:
        """Put a bundle into the folder. `changes` are those of the vendor or of the attacker."""
        chosen = {
            "name": "db-password",
            "version": 2,
            "accounts": (CUSTOMER,),
            "key_arn": KEY,
            "signer": self.signer,
            "entries": {"password": SECRET},
            "stored_as": changes.get("name", "db-password"),
        } | changes
        sealed = seal(
            [SealedEntry(name, content) for name, content in chosen["entries"].items()],
            header=SealHeader(
                subject=Subject("acme", TenantId("globex"), Purpose.SECRET, chosen["name"], 1),
                bundle_version=chosen["version"],
                accounts=chosen["accounts"],
                not_after=chosen.get("not_after"),
            ),
            signer=chosen["signer"],
            kms=self.kms,
            key_arn=chosen["key_arn"],
            now=datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1),
            entropy=os.urandom,
        )
        self.folder.bundles[chosen["stored_as"]] = sealed.bundle


@pytest.fixture(scope="session")
def identity_signer() -> IdentitySigner:
    return create_identity_signer(datetime.now(UTC))


@pytest.fixture(scope="session")
def pki() -> NitroPki:
    return NitroPki(create_root(datetime.now(UTC)))


@pytest.fixture
def world(pki, identity_signer) -> World:
    clock = HandClock()
    instance = Instance(
        instance_id=InstanceId("i-0123456789abcdef0"),
        account_id=CUSTOMER,
        region=REGION,
        image_id=ImageId("ami-0123456789abcdef0"),
        role="app",
        boot=Boot(events=(), pcrs=PcrDigests.of(dict.fromkeys(range(24), ZERO_SHA384))),
        pki=pki,
        clock=HandClock(),
    )
    return World(
        pki,
        identity_signer,
        instance,
        HandImds(instance, identity_signer),
        HandKms(pki.root),
        clock,
        Ed25519Signer.generate(),
    )
