# SPDX-License-Identifier: Apache-2.0
"""The twin's own vendor and customer: keys that open for one image, with every gate or with one of them left out.

A guard of KMS is taken out for real: another key, whose policy lacks that PCR in its Open statement and has no Deny for
it. Whoever asks is the customer's administrator, with all rights that IAM can give, on a machine whose NitroTPM he can
reach; he opens the bundle as the agent would, and what he then holds is the canary.
"""

from __future__ import annotations

import enum
import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from strongroom.aws.lean.https import HttpsEndpoint
from strongroom.aws.lean.kms import LeanKms
from strongroom.aws.lean.sigv4 import Credentials
from strongroom.aws.sdk.kms import SdkKeyAdmin, SdkSealingKms
from strongroom.aws.sdk.session import AccessKey, AwsSession
from strongroom.crypto.key_transport import encrypt_to_recipient
from strongroom.crypto.signers import Ed25519Signer
from strongroom.errors import KeyRefused
from strongroom.flows.create_key import create_key
from strongroom.flows.open import InstanceFacts, open_bundle
from strongroom.flows.seal import SealedEntry, SealHeader, seal
from strongroom.formats.bundle_header import Purpose, Subject
from strongroom.formats.bundle_trust import BundleTrust, PinnedSigner, SignatureAlgorithm, SignerRole
from strongroom.formats.partition import Partition, Profile
from strongroom.formats.pcrs import PcrDigests, PcrIndex
from strongroom.formats.trust import Tls, Trust, Vendor
from strongroom.ids import AccountId, CmsBytes, EvidenceBytes, KeyArn, SpkiDer, TenantId, WrappedKey
from strongroom.keypolicy.generate import tenant_key_policy
from strongroom.keypolicy.kms_keys import NITROTPM_PCR
from strongroom.keypolicy.model import KeyPolicy, encode_key_policy, parse_key_policy
from strongroom.keypolicy.spec import AdmittedRelease, SecureBoot, TenantKeySpec, VendorSpec
from strongroom.ports import AttestedKms, EvidenceSource
from strongroom.twin.accounts import FULL_ACCESS
from strongroom.twin.accounts import Credentials as TwinCredentials
from strongroom.twin.attack.canary import Canary
from strongroom.twin.kms.decisions import DecisionRecord
from strongroom.twin.machine import Instance
from strongroom.twin.server import Twin

PRODUCT, TENANT, SECRET = "attacked", TenantId("target"), "canary"
SECRET_FILE = "canary.txt"  # noqa: S105 -- the name of a file
VENDOR, CUSTOMER = AccountId("111111111111"), AccountId("222222222222")
ROLE = "app"
"""The role that the machines run under."""
_EPOCH = 1


@dataclass(frozen=True, slots=True)
class Safe:
    """A bundle with the canary in it, and the key that it is sealed under."""

    bundle: bytes
    key_arn: KeyArn


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking KMS: the canary, or who refused and why."""

    secret: str
    """The canary's text; empty where it was refused."""
    refused_by: str = ""
    """`KMS: DenyUnlessPcr12`, or KMS's own word where no statement decided."""
    failed_pcrs: tuple[int, ...] = ()


class Trusted(enum.StrEnum):
    """Whose bundles an image takes."""

    VENDOR = "vendor"
    ANYBODY = "vendor and attacker"


class TwinVendor:
    """A vendor with one customer, on a twin that runs. Safe to use from several threads."""

    def __init__(self, twin: Twin, canary: Canary) -> None:
        self._twin = twin
        self._canary = canary
        self._signer = Ed25519Signer.generate()
        self._foreign_signer = Ed25519Signer.generate()
        self._one_at_a_time = threading.Lock()
        vendor = twin.create_account(VENDOR, name="vendor")
        customer = twin.create_account(CUSTOMER, name="customer")
        engineer = twin.create_user(vendor, "engineer", policies=[FULL_ACCESS])
        role = twin.create_role(vendor, "sealer", policies=[FULL_ACCESS])
        sealer = twin.directory.open_session(role, session_name="attack", now=twin.clock.now())
        self._admin = SdkKeyAdmin(_session(twin, engineer).kms())
        self._sealing = SdkSealingKms(_session(twin, sealer).kms())
        self.administrator = twin.create_user(customer, "administrator", policies=[FULL_ACCESS])
        twin.create_role(customer, ROLE, policies=[FULL_ACCESS])
        self._spec = VendorSpec(product=PRODUCT, account=VENDOR, sealer_role_arn=role.arn)

    def make_safe(self, admitted: Sequence[PcrDigests], *, without: Sequence[PcrIndex] = ()) -> Safe:
        """Seal the canary under a new key that opens for these measurements, and does not look at `without`."""
        return self._sealed(admitted, without, self._canary.text, self._signer)

    def make_foreign_safe(self, admitted: Sequence[PcrDigests], secret: str) -> Safe:
        """Seal a secret of the attacker's own choice, signed by him, under a key that opens for these measurements."""
        return self._sealed(admitted, (), secret, self._foreign_signer)

    def _sealed(
        self, admitted: Sequence[PcrDigests], without: Sequence[PcrIndex], secret: str, signer: Ed25519Signer
    ) -> Safe:
        releases = tuple(_release(number, pcrs) for number, pcrs in enumerate(admitted, 1))
        spec = TenantKeySpec(vendor=self._spec, tenant=TENANT, accounts=(CUSTOMER,), releases=releases)
        policy = without_gates(tenant_key_policy(spec), without)
        with self._one_at_a_time:
            key_arn = create_key(self._admin, vendor=self._spec, policy=policy, description="attack")
            sealed = seal(
                [SealedEntry(SECRET_FILE, secret.encode())],
                header=SealHeader(Subject(PRODUCT, TENANT, Purpose.SECRET, SECRET, _EPOCH), 1, (CUSTOMER,)),
                signer=signer,
                kms=self._sealing,
                key_arn=key_arn,
                now=self._twin.clock.now(),
                entropy=os.urandom,
            )
        return Safe(sealed.bundle, key_arn)

    def trust_file(self, instance: Instance, trusted: Trusted = Trusted.VENDOR) -> Trust:
        """Return what an image trusts that rehearses with this vendor, as a modelled instance of it finds things."""
        signers = [self._signer] if trusted is Trusted.VENDOR else [self._signer, self._foreign_signer]
        twin = self._twin
        return Trust(
            profile=Profile.REHEARSAL,
            product=PRODUCT,
            signers=tuple(sorted(map(_pinned, signers), key=lambda each: each.key_id)),
            floors={},
            vendor=Vendor(Partition.AWS, (VENDOR,)),
            nitro_roots=(twin.nitro_root,),
            tls=Tls(roots=(twin.tls_root,), kms={twin.region: twin.tls_endpoint}, imds=instance.imds_endpoint),
            identity_certificates={twin.region: twin.identity_certificate()},
        )

    def kms(self) -> LeanKms:
        """Return KMS as the customer's administrator reaches it: over TLS, with his own access key."""
        twin = self._twin
        endpoint = HttpsEndpoint(twin.tls_endpoint, roots=(twin.tls_root,))
        return LeanKms(endpoint, region=twin.region, credentials=self._credentials, clock=twin.clock)

    def ask(self, safe: Safe, machine: EvidenceSource, kms: AttestedKms | None = None) -> Asked:
        """Open a safe with documents of a machine's NitroTPM, as the customer's administrator."""
        twin = self._twin
        try:
            opened = open_bundle(
                safe.bundle,
                name=SECRET,
                trust=self._trust(),
                instance=InstanceFacts(CUSTOMER, twin.region),
                now=twin.clock.now(),
                evidence_source=machine,
                kms=kms or self.kms(),
            )
        except KeyRefused:
            return _refusal([each for each in twin.kms.decisions if each.key_arn == safe.key_arn][-1])
        return Asked(opened.entries[0].content.decode())

    def open_with(self, safe: Safe, data_key: bytes) -> str:
        """Return what a safe holds, for somebody who has its data key: he needs neither KMS nor an instance."""
        known = _KnownKey(data_key)
        return self.ask(safe, known, known).secret

    def _credentials(self) -> Credentials:
        return Credentials(self.administrator.access_key_id, self.administrator.secret_access_key, None)

    def _trust(self) -> BundleTrust:
        return BundleTrust(PRODUCT, (_pinned(self._signer),), {}, frozenset({VENDOR}), Partition.AWS)


@dataclass(frozen=True, slots=True)
class _KnownKey:
    """An `EvidenceSource` and an `AttestedKms` for somebody who has the data key already."""

    data_key: bytes

    def attest(
        self, *, public_key: SpkiDer | None = None, nonce: bytes | None = None, user_data: bytes | None = None
    ) -> EvidenceBytes:
        """Return the public key alone: `decrypt` wants no more."""
        return EvidenceBytes(public_key or nonce or user_data or b"")

    def decrypt(
        self, wrapped_key: WrappedKey, *, key_arn: KeyArn, context: Mapping[str, str], recipient: EvidenceBytes
    ) -> CmsBytes:
        """Return the data key to whoever asks."""
        del wrapped_key, key_arn, context
        return encrypt_to_recipient(SpkiDer(recipient), self.data_key)


def without_gates(policy: KeyPolicy, gates: Sequence[PcrIndex]) -> KeyPolicy:
    """Return a policy that does not look at these PCRs: no Deny asks for them, and no Allow does."""
    document = json.loads(encode_key_policy(policy))
    left_out = {f"{NITROTPM_PCR}{index}" for index in gates}
    denies = {f"DenyUnlessPcr{index}" for index in gates}
    document["Statement"] = [each for each in document["Statement"] if each["Sid"] not in denies]
    for statement in document["Statement"]:
        for operator, keys in list(statement.get("Condition", {}).items()):
            statement["Condition"][operator] = {key: value for key, value in keys.items() if key not in left_out}
    return parse_key_policy(json.dumps(document))


def _pinned(signer: Ed25519Signer) -> PinnedSigner:
    return PinnedSigner(signer.key_id, SignatureAlgorithm.EDDSA, signer.public_key, frozenset({SignerRole.BUNDLE}))


def _release(number: int, pcrs: PcrDigests) -> AdmittedRelease:
    return AdmittedRelease(
        version=f"{number}", ring="general", pcrs=pcrs, epoch=_EPOCH, secure_boot=SecureBoot.NOT_GATED
    )


def _refusal(record: DecisionRecord) -> Asked:
    by = record.statement or record.error_code or record.reason.partition(" to ")[0]
    return Asked("", f"KMS: {by}", record.failed_pcrs)


def _session(twin: Twin, credentials: TwinCredentials) -> AwsSession:
    key = AccessKey(credentials.access_key_id, credentials.secret_access_key, credentials.session_token)
    return AwsSession(region=twin.region, endpoint_url=twin.endpoint_url, access_key=key)
