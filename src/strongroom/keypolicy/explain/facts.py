# SPDX-License-Identifier: Apache-2.0
"""What a condition asked for and what it met: a code, words and a remedy, the same for an Allow and for a Deny."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from dataclasses import dataclass

from strongroom.keypolicy.condition_key import Source
from strongroom.keypolicy.condition_keys import find_condition_key
from strongroom.keypolicy.conditions import Condition
from strongroom.keypolicy.explain.reason import one_of, seen_as
from strongroom.keypolicy.kms_keys import ENCLAVE_IMAGE, ENCLAVE_PCR, ENCRYPTION_CONTEXT, NITROTPM_PCR
from strongroom.keypolicy.operations import OPERATIONS
from strongroom.keypolicy.request import KmsRequest

CALLER_KEYS = frozenset(
    {"kms:calleraccount"}
    | {f"aws:{name}" for name in ("principalarn", "principalaccount", "principaltype", "userid", "username")}
)
"""Keys that say who the caller is: they change with him, and never by themselves."""
_EPOCH = f"{ENCRYPTION_CONTEXT}strongroom:epoch".lower()
_TPM, _ENCLAVE = NITROTPM_PCR.lower(), (ENCLAVE_PCR.lower(), ENCLAVE_IMAGE.lower())
_COMPARES_TEXT = re.compile("String|Arn")
_COMPARE = (
    "Run `strongroom explain --measurements REFERENCE --document DOCUMENT`: it says which component of the boot moved. "
    "If this image should open the key, its measurements must be added to the policy."
)


class Topic(enum.Enum):
    """What of a request can be changed by itself. Its caller is another matter: he is more than a condition key."""

    DOCUMENT = "document"
    CONTEXT = "encryption context"
    TIME = "time"
    FACT = "another condition key"


TOPICS = tuple(Topic)
_TOPICS = {Source.DOCUMENT: Topic.DOCUMENT, Source.CONTEXT: Topic.CONTEXT, Source.CLOCK: Topic.TIME}


@dataclass(frozen=True, slots=True)
class Fact:
    """What is to be said of one condition. `words` is a clause: what the request has, and what the condition names."""

    code: str
    words: str
    remedy: str = ""


def source_of(condition: Condition) -> Source | None:
    """Return where the values of a condition's key come from; None for a key that nobody knows."""
    row = find_condition_key(condition.key)
    return None if row is None else row.source


def topic_of(condition: Condition) -> Topic | None:
    """Return which topic a condition is about; None for the caller's identity, and for a key that nobody knows."""
    source = source_of(condition)
    if source is None or (source is Source.CALLER and condition.lookup in CALLER_KEYS):
        return None
    return _TOPICS.get(source, Topic.FACT)


def shown_key(key: str) -> str:
    """Return the name of a condition key as sentences have it."""
    return key.removeprefix("kms:RecipientAttestation:")


def is_of_document(key: str) -> bool:
    """Tell whether a lower-case condition key is filled from an attestation document."""
    return key.startswith((_TPM, *_ENCLAVE))


def fact_of(condition: Condition, request: KmsRequest) -> Fact:
    """Return what a condition met in a request."""
    if condition.unread:
        return Fact(
            "decision.unread",
            f"{condition.operator} {condition.key} is not known here ({condition.unread})",
            "KMS may know it. Here it keeps an Allow from applying and lets a Deny apply.",
        )
    found = _BY_SOURCE.get(source_of(condition), _of_other)(condition, request)
    return found or _compared(condition, request)


def _of_document(condition: Condition, request: KmsRequest) -> Fact | None:
    key, seen = shown_key(condition.key), request.context.get(condition.lookup, ())
    if not OPERATIONS[request.action].attested:
        return Fact(
            "decision.takes-no-document",
            f"{request.action} takes no attestation document, so {key} is always missing",
            "Such a condition does nothing here but deny; write it for Decrypt and the other attested operations only.",
        )
    if seen:
        return None
    tpm = any(name.startswith(_TPM) for name in request.context)
    enclave = any(name.startswith(_ENCLAVE) for name in request.context)
    if not tpm and not enclave:
        return Fact(
            "decision.no-document",
            f"no attestation document was sent, so {key} is missing",
            "Ask with a document: `strongroom kms decrypt` on the instance does, or Recipient in AWS's own clients.",
        )
    if condition.lookup.startswith(_TPM) != tpm:
        sent, wanted = ("a NitroTPM", "an enclave's") if tpm else ("an enclave's", "a NitroTPM")
        return Fact(
            "decision.other-document",
            f"{sent} document was sent, and {key} comes from {wanted} document only",
            "The keys NitroTPMPCRn and PCRn never stand for each other; the policy must name those of this document.",
        )
    return Fact("decision.pcr-absent", f"the document has no {key.removeprefix('NitroTPM')}, so {key} is missing")


def _of_encryption_context(condition: Condition, request: KmsRequest) -> Fact | None:
    seen = request.context.get(condition.lookup, ())
    if not OPERATIONS[request.action].takes_context and request.grant is None:
        return Fact(
            "decision.takes-no-context",
            f"{request.action} takes no encryption context, so {condition.key} is always missing",
        )
    if not seen:
        return Fact(
            "decision.context-missing",
            f"the encryption context has no {condition.key.removeprefix(ENCRYPTION_CONTEXT)}, "
            f"where {_wanted(condition)} is named",
            "Give the encryption context that the ciphertext was made with, whole and with its case.",
        )
    if condition.lookup == _EPOCH and not differs_in_case_only(condition, seen):
        return Fact(
            "decision.epoch-withdrawn",
            f"the encryption context has epoch {seen_as(seen)}, and the policy names {_wanted(condition)}",
            "What was sealed under a withdrawn epoch stays shut: fetch the current bundle, or seal again.",
        )
    return None


def _of_clock(condition: Condition, request: KmsRequest) -> Fact | None:
    seen = seen_as(request.context.get(condition.lookup, ()))
    less, greater = "LessThan" in condition.operator, "GreaterThan" in condition.operator
    if not less and not greater:
        return None
    if less is not condition.holds(request.context):  # an Allow until then, or a Deny from then on
        return Fact(
            "decision.expired",
            f"it is {seen}, and the end is {_wanted(condition)}",
            "It has ended. Renew the statement in the policy if the release should still open.",
        )
    return Fact("decision.not-yet", f"it is {seen}, and the beginning is {_wanted(condition)}")


def _of_other(condition: Condition, request: KmsRequest) -> Fact | None:
    if condition.lookup in request.context:
        return None
    row = find_condition_key(condition.key)
    where = f" ({row.source})" if row is not None else ""
    return Fact(
        "decision.key-missing", f"the request has no {condition.key}{where}, where {_wanted(condition)} is named"
    )


_BY_SOURCE: dict[Source | None, Callable[[Condition, KmsRequest], Fact | None]] = {
    Source.DOCUMENT: _of_document,
    Source.CONTEXT: _of_encryption_context,
    Source.CLOCK: _of_clock,
}


def _compared(condition: Condition, request: KmsRequest) -> Fact:
    """Say how a value that is there differs from those that the condition names, or that it is one of them."""
    seen = request.context.get(condition.lookup, ())
    key = shown_key(condition.key)
    if differs_in_case_only(condition, seen):
        of_document = source_of(condition) is Source.DOCUMENT
        return Fact(
            "decision.case",
            f"{key} is {seen_as(seen)}, which {condition.operator} names in other case, and it compares case",
            "KMS presents PCRs in lower-case hex. Write the policy's values so, or use StringEqualsIgnoreCase."
            if of_document
            else "Write it as the policy does.",
        )
    if "Not" in condition.operator and condition.holds(request.context):
        words = f"{key} is {seen_as(seen)} and not {_wanted(condition)} ({condition.operator})"
    else:
        words = f"{key} is {seen_as(seen)}, and {condition.operator} names {_wanted(condition)}"
    if source_of(condition) is Source.DOCUMENT:
        return Fact("decision.pcr", words, _COMPARE)
    if source_of(condition) is Source.CONTEXT:
        return Fact(
            "decision.context", words, "The encryption context must be the one that the ciphertext was made with."
        )
    return Fact("decision.value", words)


def differs_in_case_only(condition: Condition, seen: tuple[str, ...]) -> bool:
    """Tell whether a value of the request is one that the condition names, written otherwise."""
    if "IgnoreCase" in condition.operator or not _COMPARES_TEXT.search(condition.operator):
        return False
    folded = {value.lower() for value in condition.values}
    return any(value not in condition.values and value.lower() in folded for value in seen)


def _wanted(condition: Condition) -> str:
    return one_of(condition.values)
