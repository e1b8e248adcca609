# SPDX-License-Identifier: Apache-2.0
"""Attestation documents, as the Nitro system makes them. An instance and its NitroTPM get theirs from here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from strongroom.formats.attestation_document import PROTECTED_ES384, encode_nitrotpm_payload
from strongroom.formats.cose import encode_cose_sign1, sig_structure
from strongroom.formats.nsm import AttestationRequest
from strongroom.formats.pcrs import PcrDigests
from strongroom.ids import EvidenceBytes, InstanceId, Region
from strongroom.twin.pki import NitroPki

TPM_SUFFIX = "-tpm0000000000000000"
_COORDINATE_BYTES = 48


@dataclass(frozen=True, slots=True)
class Attester:
    """Whose documents they are: an instance in a region."""

    instance_id: InstanceId
    region: Region

    @property
    def module_id(self) -> str:
        """The module id of the instance's NitroTPM."""
        return f"{self.instance_id}{TPM_SUFFIX}"


def attestation_document(
    pki: NitroPki, attester: Attester, request: AttestationRequest, *, pcrs: PcrDigests, at: datetime
) -> EvidenceBytes:
    """Return a fresh document, dated `at`, under a leaf of its own. What is asked for is in it as it is."""
    signer = pki.signer(attester.module_id, instance_id=attester.instance_id, region=attester.region, at=at)
    payload = encode_nitrotpm_payload(
        module_id=attester.module_id,
        timestamp=at,
        pcrs=pcrs,
        certificate=signer.certificate,
        cabundle=signer.cabundle,
        public_key=request.public_key,
        user_data=request.user_data,
        nonce=request.nonce,
    )
    r, s = decode_dss_signature(signer.key.sign(sig_structure(PROTECTED_ES384, payload), ECDSA(SHA384())))
    signature = r.to_bytes(_COORDINATE_BYTES) + s.to_bytes(_COORDINATE_BYTES)
    return EvidenceBytes(encode_cose_sign1(PROTECTED_ES384, payload, signature))
