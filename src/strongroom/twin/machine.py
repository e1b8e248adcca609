# SPDX-License-Identifier: Apache-2.0
"""An instance: what booted, who it is, and the NitroTPM that signs for it.

`Instance` is an `EvidenceSource` (its documents carry the PCRs of its boot, signed by the twin's PKI); its metadata
service listens at `imds_endpoint` and is read like any other.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from strongroom.formats.attestation_document import PROTECTED_ES384, encode_nitrotpm_payload
from strongroom.formats.cose import encode_cose_sign1, sig_structure
from strongroom.formats.pcrs import PcrDigests
from strongroom.ids import AccountId, EvidenceBytes, ImageId, InstanceId, Region, SpkiDer
from strongroom.ports import Clock
from strongroom.twin.firmware import Boot
from strongroom.twin.pki import NitroPki
from strongroom.twin.tcg_event import Event

TPM_SUFFIX = "-tpm0000000000000000"
_COORDINATE_BYTES = 48


def new_instance_id() -> InstanceId:
    """Return a random instance id of today's length."""
    return InstanceId(f"i-{secrets.token_hex(9)[:17]}")


@dataclass
class Instance:
    """A running instance. `document_age` is a fault to inject: documents come out that much older than they are."""

    instance_id: InstanceId
    account_id: AccountId
    region: Region
    image_id: ImageId
    role: str
    boot: Boot
    pki: NitroPki = field(repr=False)
    clock: Clock = field(repr=False)
    document_age: timedelta = timedelta(0)
    imds_endpoint: str = ""
    """The metadata service of this instance, `http://127.0.0.1:PORT`."""

    @property
    def module_id(self) -> str:
        """The module id in its documents."""
        return f"{self.instance_id}{TPM_SUFFIX}"

    @property
    def pcrs(self) -> PcrDigests:
        """PCR 0 to 23 after boot."""
        return self.boot.pcrs

    @property
    def events(self) -> tuple[Event, ...]:
        """What was measured, in order."""
        return self.boot.events

    def attest(
        self, *, public_key: SpkiDer | None = None, nonce: bytes | None = None, user_data: bytes | None = None
    ) -> EvidenceBytes:
        """Return a fresh attestation document, as NitroTPM makes it."""
        at = self.clock.now() - self.document_age
        signer = self.pki.signer(self.module_id, instance_id=self.instance_id, region=self.region, at=at)
        payload = encode_nitrotpm_payload(
            module_id=self.module_id,
            timestamp=at,
            pcrs=self.pcrs,
            certificate=signer.certificate,
            cabundle=signer.cabundle,
            public_key=public_key,
            user_data=user_data,
            nonce=nonce,
        )
        r, s = decode_dss_signature(signer.key.sign(sig_structure(PROTECTED_ES384, payload), ECDSA(SHA384())))
        signature = r.to_bytes(_COORDINATE_BYTES) + s.to_bytes(_COORDINATE_BYTES)
        return EvidenceBytes(encode_cose_sign1(PROTECTED_ES384, payload, signature))


def identity_document(instance: Instance, launched: datetime) -> bytes:
    """Return the instance identity document, with the keys and the layout of a genuine one."""
    facts: dict[str, str | None] = {
        "accountId": instance.account_id,
        "architecture": "x86_64",
        "availabilityZone": f"{instance.region}a",
        "billingProducts": None,
        "devpayProductCodes": None,
        "marketplaceProductCodes": None,
        "imageId": instance.image_id,
        "instanceId": instance.instance_id,
        "instanceType": "m7i.large",
        "kernelId": None,
        "pendingTime": f"{launched:%Y-%m-%dT%H:%M:%SZ}",
        "privateIp": "10.0.2.15",
        "ramdiskId": None,
        "region": instance.region,
        "version": "2017-09-30",
    }
    return json.dumps(facts, indent=2, separators=(",", " : ")).encode()
