# SPDX-License-Identifier: Apache-2.0
"""From bytes to authentic evidence: who signed this document, and when.

`verify_evidence` (NitroTPM) and `verify_enclave_evidence` (Nitro Enclaves) take these steps; the code repeats their
numbers:

 1. parse the document strictly, as the one kind that was asked for                    formats/attestation_document
 2. choose the time at which certificates must be valid
 3. verify the path from a pinned root to the leaf certificate                         crypto/chain
 4. verify the ES384 signature over protected header and payload with the leaf's key   crypto/signatures
 5. compare the module id with the name that AWS put into the leaf: instance, module and region are AWS's word now
 6. look for every certificate of the path, the module and the instance in the deny list  appraisal/deny_list
 7. only then hand out what the document says

Authentic is not trusted: nothing here looks at a PCR. `appraise` does.
Sources: EC2 User Guide, nitrotpm-attestation-document-validate; aws-nitro-enclaves-nsm-api, attestation_process.md.
"""

from __future__ import annotations

import enum
import hashlib
import re
from dataclasses import InitVar, dataclass
from datetime import datetime
from typing import Final, TypeVar

from strongroom.appraisal.deny_list import NOTHING_DENIED, expect_not_denied
from strongroom.appraisal.endorsements import NitroRoots
from strongroom.crypto.chain import VerifiedChain, verify_chain
from strongroom.crypto.signatures import verify_es384
from strongroom.errors import NotAuthentic
from strongroom.formats.attestation_document import (
    AttestationDocument,
    EnclaveDocument,
    UnverifiedClaims,
    parse_enclave_document,
    parse_nitrotpm_document,
    unverified_claims,
)
from strongroom.formats.deny_list import DenyList
from strongroom.formats.names import MODULE_ID, REGION
from strongroom.formats.pcrs import PcrDigests
from strongroom.ids import EvidenceBytes, InstanceId, Region

_LEAF_NAME = re.compile(rf"(?P<module>{MODULE_ID.pattern})\.(?P<region>{REGION.pattern})\.aws")
_VOUCHER: Final = object()


class AtDocumentTime(enum.Enum):
    """Asks for certificates that were valid at the document's own timestamp: an archive's question, not a gate's.

    Such a verification says that the document was authentic once. Whoever holds it may have copied it (ATTACKS A4).
    """

    AT_DOCUMENT_TIME = "document"


AT_DOCUMENT_TIME: Final = AtDocumentTime.AT_DOCUMENT_TIME


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evidence:
    """What both kinds hold. Only this module can make one: the constructor asks for a private object."""

    module_id: str
    instance_id: InstanceId
    region: Region
    timestamp: datetime
    """The document's own, milliseconds cut to what it carries."""
    pcrs: PcrDigests
    public_key: bytes | None
    user_data: bytes | None
    nonce: bytes | None
    certificate_expires: datetime
    """When the first certificate of the path ends."""
    root_sha256: bytes
    """Of the pinned root that vouched for the path."""
    digest: bytes
    """SHA-256 of the signed payload: the document's identity, the same for every form of its signature (ATTACKS A8)."""
    voucher: InitVar[object]

    def __post_init__(self, voucher: object) -> None:
        if voucher is not _VOUCHER:
            raise RuntimeError("verified evidence is made by verify_evidence and verify_enclave_evidence only")


class VerifiedEvidence(_Evidence):
    """An authentic NitroTPM document. Authentic, not trusted: `appraise` it."""

    __slots__ = ()


class VerifiedEnclaveEvidence(_Evidence):
    """An authentic Nitro Enclaves document. Its PCRs mean other things than a NitroTPM's."""

    __slots__ = ()


_Kind = TypeVar("_Kind", bound=_Evidence)


def verify_evidence(
    evidence: EvidenceBytes, *, roots: NitroRoots, at: datetime | AtDocumentTime, deny_list: DenyList = NOTHING_DENIED
) -> VerifiedEvidence:
    """Return what a NitroTPM document says, once its signature, its path and its time hold and nothing of it is denied.

    `at` is the time (with a zone) at which every certificate must be valid. Raises FormatError, NotAuthentic.
    """
    document = parse_nitrotpm_document(evidence)  # step 1
    return _verify(document, VerifiedEvidence, roots=roots, at=at, deny_list=deny_list)


def verify_enclave_evidence(
    evidence: EvidenceBytes, *, roots: NitroRoots, at: datetime | AtDocumentTime, deny_list: DenyList = NOTHING_DENIED
) -> VerifiedEnclaveEvidence:
    """Return what a Nitro Enclaves document says. Otherwise as `verify_evidence`."""
    document = parse_enclave_document(evidence)  # step 1
    return _verify(document, VerifiedEnclaveEvidence, roots=roots, at=at, deny_list=deny_list)


def _verify(
    document: AttestationDocument | EnclaveDocument,
    kind: type[_Kind],
    *,
    roots: NitroRoots,
    at: datetime | AtDocumentTime,
    deny_list: DenyList,
) -> _Kind:
    # Step 2. The claimed timestamp is not authentic yet. It becomes so in step 4, which fails if anybody changed it.
    time = document.claimed_timestamp if isinstance(at, AtDocumentTime) else at
    # Step 3.
    chain = verify_chain(document.certificate, document.cabundle, root_sha256s=roots.sha256s, at=time)
    # Step 4.
    envelope = document.envelope
    verify_es384(envelope.signature, envelope.signed_bytes(), key=chain.leaf_key)
    # Step 5.
    claims = unverified_claims(document)
    region = _region_of(chain, claims)
    instance = InstanceId(claims.module_id.rpartition("-")[0])
    # Step 6.
    path = (document.certificate, *reversed(document.cabundle))
    expect_not_denied(deny_list, path=path, module_id=claims.module_id, instance=instance)
    # Step 7.
    return kind(
        module_id=claims.module_id,
        instance_id=instance,
        region=region,
        timestamp=claims.timestamp,
        pcrs=claims.pcrs,
        public_key=claims.public_key,
        user_data=claims.user_data,
        nonce=claims.nonce,
        certificate_expires=chain.expires,
        root_sha256=chain.root_sha256,
        digest=hashlib.sha256(envelope.payload).digest(),
        voucher=_VOUCHER,
    )


def _region_of(chain: VerifiedChain, claims: UnverifiedClaims) -> Region:
    """Return the region from the leaf's name, `<module id>.<region>.aws` (seen in every genuine document)."""
    name = _LEAF_NAME.fullmatch(chain.leaf_common_name)
    if name is None or name["module"] != claims.module_id:
        raise NotAuthentic(
            "evidence.wrong-leaf",
            f"expected a leaf for {claims.module_id}.<region>.aws, found one for {chain.leaf_common_name!r}",
        )
    return Region(name["region"])
