# SPDX-License-Identifier: Apache-2.0
"""The record of every KMS call: who asked for what, who decided, by which statement, and which PCR was wrong.

CloudTrail shows a part of it (`cloudtrail`); KMS itself never says which PCR failed.
"""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from strongroom.formats.pcrs import PcrDigests
from strongroom.ids import AccountId, KeyArn, Region
from strongroom.keypolicy.decision import DecidedBy, Decision, Miss, Outcome, StatementTrace
from strongroom.keypolicy.model import Effect, KeyPolicy
from strongroom.twin.kms.events import SOURCE, VERSION, CallFacts, call_members, shown_code, timestamp

MAX_RECORDS = 10_000
_PCR = re.compile(r"kms:RecipientAttestation:NitroTPMPCR(\d+)", re.IGNORECASE)
_SHOWN_PCRS = (4, 7, 8, 9, 16, 23)
"""The PCRs in AWS's sample events (KMS Developer Guide, "Monitoring attested requests")."""


@dataclass(frozen=True, slots=True)
class Missed:
    """One thing that a statement asked for and the call had not."""

    policy: str
    statement: str
    miss: Miss


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """One call. `failed_pcrs` are those whose conditions kept an Allow from applying, or made a Deny apply."""

    time: datetime
    region: Region
    caller_arn: str
    operation: str
    key_arn: KeyArn | None
    outcome: str
    """`allowed`, `explicitly denied`, `not allowed`, or `error` when it ended before or after the policies."""
    facts: CallFacts
    statement: str = ""
    decided_by: str = ""
    reason: str = ""
    failed_pcrs: tuple[int, ...] = ()
    missed: tuple[Missed, ...] = ()
    """What kept the Allow that came nearest from applying; empty unless nothing allowed the call."""
    error_code: str = ""
    error_message: str = ""
    module_id: str = ""
    pcrs: PcrDigests | None = None
    encryption_context: dict[str, str] = field(default_factory=dict)
    event_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def cloudtrail(self, account: AccountId | None = None) -> dict[str, object]:
        """Return the event in CloudTrail's shape, as the caller's account gets it, or another one that owns a key."""
        recipient = account or self.facts.accounts[0]
        event: dict[str, object] = {
            "eventVersion": VERSION,
            "eventSource": SOURCE,
            "eventName": self.operation,
            "eventTime": timestamp(self.time),
            "eventID": self.event_id,
            "eventType": "AwsApiCall",
            "eventCategory": "Management",
            "managementEvent": True,
            "awsRegion": self.region,
            **call_members(self.facts, recipient=recipient),
        }
        if len(self.facts.accounts) > 1:  # each account has an event of its own, and this is what they share
            event |= {"sharedEventID": self.event_id, "eventID": str(uuid.uuid5(uuid.UUID(self.event_id), recipient))}
        if self.error_code:  # denied calls carry no recipient block
            event["errorCode"] = shown_code(self.error_code)
            return event | {"errorMessage": self.error_message} if self.error_message else event
        additional = dict(self.facts.additional)
        if self.pcrs is not None:
            shown = {f"attestationDocumentNitroTPMPCR{i}": d.hex() for i, d in self.pcrs.items() if i in _SHOWN_PCRS}
            additional["recipient"] = {"attestationDocumentModuleId": self.module_id, **shown}
        return event | {"additionalEventData": additional} if additional else event


class DecisionLog:
    """The latest records, oldest first; `heard` is told each. Safe to use from several threads."""

    def __init__(self, *, heard: Callable[[DecisionRecord], None] | None = None) -> None:
        self._lock = threading.Lock()
        self._records: list[DecisionRecord] = []
        self._heard = heard

    def append(self, record: DecisionRecord) -> None:
        """Add one; beyond MAX_RECORDS the oldest goes."""
        with self._lock:
            self._records.append(record)
            del self._records[:-MAX_RECORDS]
        if self._heard is not None:
            self._heard(record)

    def records(self) -> tuple[DecisionRecord, ...]:
        """Return all records that are kept."""
        with self._lock:
            return tuple(self._records)


def failed_pcrs(decision: Decision, key_policy: KeyPolicy | None) -> tuple[int, ...]:
    """Return the PCRs that a refusal hangs on, ascending; empty for an allowed call."""
    if decision.outcome is Outcome.ALLOWED:
        return ()
    if decision.outcome is Outcome.EXPLICITLY_DENIED:
        found = _of_denying_statement(decision, key_policy)
    else:
        misses = (miss for trace in decision.trace if trace.effect is Effect.ALLOW for miss in trace.missed)
        found = (number for miss in misses for number in _of_miss(miss))
    return tuple(sorted(set(found)))


def nearest_misses(decision: Decision) -> tuple[Missed, ...]:
    """Return why the Allow that came nearest did not apply; empty unless nothing allowed the call.

    One that is about this caller, action and key, and missed conditions only, is nearer than any other.
    """
    if decision.outcome is not Outcome.NOT_ALLOWED:
        return ()
    allows = [trace for trace in decision.trace if trace.effect is Effect.ALLOW and trace.missed]
    nearest = min(allows, key=lambda trace: (not _missed_conditions_only(trace), len(trace.missed)), default=None)
    if nearest is None:
        return ()
    return tuple(Missed(nearest.policy.value, nearest.statement, miss) for miss in nearest.missed)


def _missed_conditions_only(trace: StatementTrace) -> bool:
    return all(" " in miss.element for miss in trace.missed)  # an operator and a key, where others are one word


def _of_miss(miss: Miss) -> Iterator[int]:
    yield from (int(number) for number in _PCR.findall(miss.element))


def _of_denying_statement(decision: Decision, key_policy: KeyPolicy | None) -> Iterator[int]:
    statements = key_policy.statements if key_policy and decision.decided_by is DecidedBy.KEY_POLICY else ()
    for statement in statements:
        if statement.label == decision.statement:
            for condition in statement.conditions:
                yield from (int(number) for number in _PCR.findall(condition.key))
