# SPDX-License-Identifier: Apache-2.0
"""A call that CloudTrail recorded, asked again: as far as the record says what it was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

from strongroom.cli.key_document import Document
from strongroom.cli.key_request import Asked, RequestOptions, inquiry_about, key_facts, read_context, with_facts
from strongroom.cli.key_source import KeySource
from strongroom.cli.paths import named
from strongroom.errors import Finding, Severity, UsageError
from strongroom.flows.files import read_file
from strongroom.formats.arn import KeyArnParts, parse_key_arn
from strongroom.formats.kms_event import MAX_EVENT_BYTES, KmsEvent, parse_kms_events
from strongroom.ids import Region
from strongroom.keypolicy.callers import read_caller
from strongroom.keypolicy.context import Call, EnclavePcrs, NitroTpmPcrs, Sender, kms_request
from strongroom.keypolicy.explain.changes import Change, ChangeKind
from strongroom.keypolicy.explain.explanation import Explanation, explain
from strongroom.keypolicy.explain.facts import is_of_document
from strongroom.keypolicy.operations import OPERATIONS, PREFIX
from strongroom.keypolicy.principals import Caller

_CLOUDTRAIL = Finding(
    "key.event-unsigned",
    "the event is what its file says; CloudTrail signs log files by digest files, which were not looked at",
    severity=Severity.NOTE,
)
_DIFFERS = Finding(
    "key.event-differs",
    "KMS decided otherwise when it was asked: what decided then is not among what was given here. It may be the "
    "document, IAM policies, a boundary, an SCP, a grant, or a policy that has been changed since",
    severity=Severity.WARNING,
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is asked, its explanation, and the recorded call that it is about, if it is about one."""

    event: KmsEvent | None
    asked: Asked
    explanation: Explanation

    @property
    def agrees(self) -> bool:
        """Tell whether the policies, as they are given, decide the recorded call as KMS did."""
        event = self.event
        decided = event is not None and (event.allowed or event.denied)
        return event is None or not decided or event.allowed is self.explanation.allowed


def read_event(path: Path, event_id: str | None) -> KmsEvent:
    """Return one call to KMS in a file. Raises UsageError where there are several or none, FormatError, LocalFault."""
    with named(path):
        events = parse_kms_events(read_file(path, maximum_bytes=MAX_EVENT_BYTES))
    chosen = [each for each in events if event_id in (None, each.event_id)]
    if len(chosen) != 1:
        raise UsageError(
            "key.which-event",
            f"expected one call to KMS in {path}, found {len(chosen)}",
            remedy="Name one by its eventID with --event-id." if len(events) > 1 else "",
        )
    return chosen[0]


def explain_event(event: KmsEvent, options: RequestOptions, source: KeySource) -> Recorded:
    """Ask the recorded call again and explain. Raises UsageError, FormatError, NotAuthentic, NotTrusted, LocalFault."""
    document = _document(event, options)
    key = _key(event, source)
    action = PREFIX + event.operation
    call = Call(
        action,
        _caller(event, options),
        key.arn if key is not None and OPERATIONS.get(action, _NO_KEY).on_key else None,
        event.time,
        _sender(event),
        attestation=document.attestation,
        encryption_context=_context(event, options),
        key=key_facts(action) if action in OPERATIONS else None,
    )
    request, notices = with_facts(kms_request(call), options.set), tuple(_notices(event, document))
    asked = inquiry_about(request, options, source, notices)
    found = explain(asked.inquiry)
    shown = event.attested and not options.document.given
    unseen = _unseen_pcrs(found) if shown and event.allowed and not found.allowed else None
    if unseen is not None:
        asked = inquiry_about(unseen.inquiry.request, options, source, (*notices, _taken_as_asked(unseen)))
        found = explain(asked.inquiry)
    recorded = Recorded(event, asked, found)
    if recorded.agrees:
        return recorded
    return replace(recorded, asked=replace(asked, notices=(*asked.notices, _DIFFERS)))


_NO_KEY = OPERATIONS["kms:GenerateRandom"]


def _document(event: KmsEvent, options: RequestOptions) -> Document:
    if options.document.given:
        return options.document.read(None)
    if event.tpm_pcrs is not None:
        return Document(NitroTpmPcrs(event.tpm_pcrs))
    return Document(None if event.enclave_pcrs is None else EnclavePcrs(event.enclave_pcrs))


def _context(event: KmsEvent, options: RequestOptions) -> dict[str, str]:
    if event.context and options.context:
        raise UsageError("key.which-event", "expected --event without --context: the event shows the context")
    return event.context or read_context(options.context)


def _key(event: KmsEvent, source: KeySource) -> KeyArnParts | None:
    if not event.key_arn:
        return source.expect_key() if OPERATIONS.get(PREFIX + event.operation, _NO_KEY).on_key else None
    found = parse_key_arn(event.key_arn)
    if source.key is not None and source.key.arn != found.arn:
        raise UsageError(
            "key.event-other-key", f"expected an event about {source.key.arn}, found one about {found.arn}"
        )
    return found


def _caller(event: KmsEvent, options: RequestOptions) -> Caller:
    if options.caller is not None:
        return read_caller(options.caller, role=options.caller_role, unique_id=options.caller_id)
    if not event.caller_arn:
        raise UsageError(
            "key.no-caller",
            f"expected --caller, as the event names account {event.account or 'none'} only",
            remedy="The event in the caller's own account has his ARN.",
        )
    session = ":assumed-role/" in event.caller_arn
    return read_caller(event.caller_arn, role=event.role_arn if session else "", unique_id=event.caller_id)


def _sender(event: KmsEvent) -> Sender:
    """Return how the call came. That kms:ViaService is the service which invoked it, is assumed: no record shows it."""
    service = event.invoked_by.removesuffix(".amazonaws.com")
    return Sender(
        Region(event.region),
        source_ip=event.source_ip if _is_address(event.source_ip) else "",
        source_vpce=event.vpc_endpoint,
        via_service=f"{service}.{event.region}.amazonaws.com" if service != event.invoked_by else "",
        user_agent=event.user_agent,
    )


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _notices(event: KmsEvent, document: Document) -> Iterator[Finding]:
    yield _CLOUDTRAIL
    yield from document.notices
    if not event.allowed and document.attestation is None:
        said = "CloudTrail shows no document of a call that failed: explained as if none was sent. --document gives it"
        yield Finding("key.event-document-unknown", said, severity=Severity.WARNING)
    if not event.allowed and not event.denied:
        said = f"the call ended with {event.error_code}, which is not a policy's word"
        yield Finding("key.event-other-error", said, severity=Severity.WARNING)


def _unseen_pcrs(found: Explanation) -> Change | None:
    """Return the change that only adds PCRs to the document, as CloudTrail shows a few of them."""
    for change in found.changes:
        added = all(is_of_document(fact.key) and not fact.before for fact in change.facts)
        if change.kind is ChangeKind.DOCUMENT and added:
            return change
    return None


def _taken_as_asked(change: Change) -> Finding:
    names = ", ".join(fact.key.rpartition("pcr")[2] for fact in change.facts)
    said = f"CloudTrail does not show PCR {names} of the document: as the call was allowed, taken as the policy asks"
    return Finding("key.event-unseen-pcrs", said, severity=Severity.NOTE)
