# SPDX-License-Identifier: Apache-2.0
"""The request log: one line of JSON for each call, with who asked, who decided and what was missing.

What goes in is chosen member by member: names, ARNs, conditions and the values they compared. Bodies, parameters,
plaintexts, ciphertexts, documents, tokens and secret keys are not looked at. The line is a record for people, not a
part of the state: a log that cannot be written is told once, and calls go on.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs

from strongroom.flows.files import PRIVATE_MODE
from strongroom.ports import Clock
from strongroom.twin.endpoint import Answered
from strongroom.twin.kms.decisions import DecisionRecord, Missed

LOG_NAME = "requests.jsonl"
OLD_NAME = "requests.1.jsonl"
MAX_LOG_BYTES = 8 << 20
"""Of one file, some 20,000 calls; the file before it is kept too."""
_MAX_TEXT = 512
_FORBIDDEN = frozenset({401, 403})
_DENIALS = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
_OK = 400

Entry = dict[str, object]
"""One line. Its members stand in docs/twin.md, "The request log"."""


class RequestLog:
    """Writes and counts calls; without a file it only counts. Safe to use from several threads."""

    def __init__(
        self,
        clock: Clock,
        *,
        path: Path | None = None,
        maximum_bytes: int = MAX_LOG_BYTES,
        heard: Callable[[Entry], None] | None = None,
        unkept: Callable[[OSError], None] | None = None,
    ) -> None:
        self._clock = clock
        self._path = path
        self._maximum_bytes = maximum_bytes
        self._heard = heard
        self._unkept = unkept
        self._lock = threading.Lock()
        self._decision = threading.local()
        self.requests = 0
        self.refused = 0

    def decided(self, record: DecisionRecord) -> None:
        """Take note of KMS's decision about the call that this thread is answering."""
        self._decision.record = record

    def answered(self, answered: Answered) -> None:
        """Write the line of a call."""
        record: DecisionRecord | None = getattr(self._decision, "record", None)
        self._decision.record = None
        with self._lock:
            self.requests += 1
            self.refused += answered.status >= _OK
            entry = _entry(self.requests, self._clock.now(), answered, record)
            self._write(entry)
            if self._heard is not None:
                self._heard(entry)

    def _write(self, entry: Entry) -> None:
        if self._path is None:
            return
        line = json.dumps(entry).encode() + b"\n"
        try:
            self._make_room(len(line))
            descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, PRIVATE_MODE)
            with os.fdopen(descriptor, "wb") as file:
                file.write(line)
        except OSError as error:
            if self._unkept is not None:
                self._unkept(error)
                self._unkept = None  # once: a full disk would fill the terminal as well

    def _make_room(self, needed: int) -> None:
        if self._path is None or not self._path.exists() or self._path.stat().st_size + needed <= self._maximum_bytes:
            return
        self._path.replace(self._path.with_name(OLD_NAME))


def _entry(number: int, now: datetime, answered: Answered, record: DecisionRecord | None) -> Entry:
    caller = answered.caller
    entry: Entry = {
        "number": number,
        "time": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}Z",
        "account": caller.principal.account_id if caller else None,
        "caller": caller.caller_arn if caller else None,
        "service": _short(answered.service) or None,
        "action": _short(_action(answered)) or None,
        "outcome": _outcome(answered),
        "status": answered.status,
    }
    if answered.fault is not None:
        entry |= {"error": answered.fault.name, "message": _short(answered.fault.message)}
    return entry if record is None else entry | _of_decision(record)


def _of_decision(record: DecisionRecord) -> Entry:
    said: Entry = {
        "key": record.key_arn,
        "decision": record.outcome,
        "decided_by": record.decided_by or None,
        "statement": record.statement or None,
        "reason": record.reason or None,
    }
    if record.missed:
        said["missed"] = [_missed(each) for each in record.missed]
    if record.failed_pcrs:
        said["failed_pcrs"] = list(record.failed_pcrs)
    return said


def _missed(missed: Missed) -> Entry:
    return {
        "policy": missed.policy,
        "statement": missed.statement,
        "element": missed.miss.element,
        "expected": [_short(each) for each in missed.miss.expected],
        "seen": [_short(each) for each in missed.miss.seen],
    }


def _outcome(answered: Answered) -> str:
    if answered.status < _OK:
        return "allowed"
    if answered.status in _FORBIDDEN or answered.caller is None:
        return "denied"
    return "denied" if answered.fault is not None and answered.fault.name in _DENIALS else "error"


def _action(answered: Answered) -> str:
    """Return the operation's name where the protocol has it, else the method and the path: no query, no body."""
    call = answered.call
    if call is None:
        return ""
    if target := call.headers.get("x-amz-target", ""):
        return target.rpartition(".")[2]
    if call.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return parse_qs(call.body[:_MAX_TEXT].decode("utf-8", "replace")).get("Action", [""])[0]
    return f"{call.method} {call.path}"


def _short(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}..."
