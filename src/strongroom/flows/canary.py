# SPDX-License-Identifier: Apache-2.0
"""Prove new gates before they go live: KMS itself says whether they open for a running instance of the release.

1. Create a canary key with the gates of the policy that is to be put (`keypolicy.canary`), and let KMS spread it.
2. Encrypt something worthless under it, for each new release.
3. Ask for it without a document: KMS must refuse, or the gates shut nobody out.
4. Ask for it with the document of an instance of the release, as a dry run: KMS must say that it would answer.
5. Schedule the deletion of the canary key, whatever happened.

What it proves: that this instance measures what the release says, in the words of the real firmware, and that KMS reads
the policy as it was meant. What it does not: the tenant's IAM policies and account, and the network of his instances.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from strongroom.appraisal.evidence import VerifiedEvidence
from strongroom.errors import KeyRefused, NotTrusted, StrongroomError, UsageError
from strongroom.flows.change_policy import SETTLING, Pause
from strongroom.formats.bundle_header import Purpose, Subject
from strongroom.formats.pcrs import GATES
from strongroom.ids import EvidenceBytes, KeyArn, WrappedKey
from strongroom.keypolicy.canary import canary_key_policy
from strongroom.keypolicy.model import encode_key_policy
from strongroom.keypolicy.spec import AdmittedRelease, TenantKeySpec
from strongroom.ports import KeyAdmin, TrialKms

_WORTHLESS_BYTES = 32
_DESCRIPTION = "canary of a key policy; guards nothing"


@dataclass(frozen=True, slots=True)
class CanaryDocument:
    """A document of a running instance: its bytes, and what they say once they were verified."""

    name: str
    evidence: EvidenceBytes
    verified: VerifiedEvidence


def prove_gates(
    admin: KeyAdmin,
    kms: TrialKms,
    *,
    spec: TenantKeySpec,
    new: Sequence[AdmittedRelease],
    documents: Sequence[CanaryDocument],
    entropy: Callable[[int], bytes],
    pause: Pause,
) -> None:
    """Prove the gates of the `new` releases of a train that is to be put on a key.

    Raises UsageError for a release without a document of it, NotTrusted when the gates would let in somebody without a
    document, KeyRefused when KMS refuses the document, and what the ports raise.
    """
    pairs = [(release, document_of(release, documents)) for release in new]
    # 1. A key with these gates.
    with _canary_key(admin, kms, spec) as key_arn:
        pause(SETTLING)
        for release, document in pairs:
            context = _context(spec, release)
            # 2. Something worthless.
            wrapped = kms.encrypt(entropy(_WORTHLESS_BYTES), key_arn=key_arn, context=context)
            # 3. Without a document.
            _expect_shut(kms, key_arn, wrapped, context)
            # 4. With the document.
            with _named(release, document):
                kms.would_decrypt(wrapped, key_arn=key_arn, context=context, recipient=document.evidence)


def document_of(release: AdmittedRelease, documents: Sequence[CanaryDocument]) -> CanaryDocument:
    """Return the document of an instance of this release. Raises UsageError when there is none, and says what moved."""
    for document in documents:
        if not _moved(release, document):
            return document
    refusal = UsageError(
        "canary.no-document",
        f"expected the document of an instance of {release.version}, found none among {len(documents)}",
        remedy="Run `strongroom tpm attest --public-key FILE` on an instance of this release, with an RSA key.",
    )
    for document in documents:
        for line in _moved(release, document):
            refusal.add_note(f"{document.name}: {line}")
    raise refusal


def _moved(release: AdmittedRelease, document: CanaryDocument) -> list[str]:
    found = document.verified.pcrs
    gates = {index: release.gate(index) for index in GATES}
    return [
        f"PCR{index} is {found[index].hex()}, the release has {gate}"
        for index, gate in gates.items()
        if gate is not None and found[index].hex() != gate
    ]


@contextmanager
def _canary_key(admin: KeyAdmin, kms: TrialKms, spec: TenantKeySpec) -> Iterator[KeyArn]:
    policy = encode_key_policy(canary_key_policy(spec))
    tags = {"strongroom:canary": spec.vendor.product}
    key_arn = admin.create_key(policy=policy, description=_DESCRIPTION, tags=tags).arn
    try:
        yield key_arn
    finally:
        # 5. Whatever happened.
        try:
            kms.schedule_deletion(key_arn)
        except StrongroomError as error:
            error.add_note(f"The canary key {key_arn} is still there: schedule its deletion.")
            raise


def _context(spec: TenantKeySpec, release: AdmittedRelease) -> dict[str, str]:
    name = spec.names[0] if spec.names else "canary"
    purpose = Purpose(spec.vendor.purposes[0])
    return Subject(spec.vendor.product, spec.tenant, purpose, name, release.epoch).context()


def _expect_shut(kms: TrialKms, key_arn: KeyArn, wrapped: WrappedKey, context: Mapping[str, str]) -> None:
    """Raise NotTrusted unless KMS refuses to decrypt without a document, and what else it answers."""
    try:
        kms.would_decrypt(wrapped, key_arn=key_arn, context=context, recipient=None)
    except KeyRefused as refusal:
        if refusal.code != "kms.access-denied":
            raise
        return
    raise NotTrusted(
        "canary.open",
        "expected KMS to refuse a call without a document under the new policy, found that it would answer",
        remedy="The policy was not put. Report it: Strongroom or KMS is at fault.",
    )


@contextmanager
def _named(release: AdmittedRelease, document: CanaryDocument) -> Iterator[None]:
    """Let a refusal say whose it is."""
    try:
        yield
    except KeyRefused as refusal:
        refusal.add_note(f"It was the canary of {release.version}, with {document.name}. The policy was not put.")
        raise
