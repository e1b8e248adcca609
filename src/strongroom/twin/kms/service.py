# SPDX-License-Identifier: Apache-2.0
"""KMS's JSON 1.1 endpoint: one authentic call in, one reply out, one record of the decision.

X-Amz-Target names the operation, `TrentService.Decrypt`. What the twin does not know it names, with what it does know.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from werkzeug.wrappers import Response

from strongroom.appraisal.endorsements import NitroRoots
from strongroom.ids import Region
from strongroom.ports import Clock
from strongroom.twin.accounts import Directory
from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.administration import Administration
from strongroom.twin.kms.authorization import Request
from strongroom.twin.kms.decisions import DecisionLog, DecisionRecord
from strongroom.twin.kms.key_use import KeyUse
from strongroom.twin.kms.keys import KeyStore, Place
from strongroom.twin.kms.parameters import Parameters
from strongroom.twin.kms.recipient import read_recipient
from strongroom.twin.sigv4 import AuthenticCall

MIMETYPE = "application/x-amz-json-1.1"
TARGET = "TrentService."

Reply = dict[str, object]


@dataclass(frozen=True, slots=True)
class _Row:
    """One operation: who carries it out, and which of the two common members it takes."""

    run: Callable[[Request, Parameters], Reply]
    takes_context: bool = False
    takes_recipient: bool = False


class Kms:
    """The service. `decisions` is the record of every call."""

    def __init__(self, directory: Directory, *, roots: NitroRoots, clock: Clock) -> None:
        self._roots = roots
        self._clock = clock
        self._store = KeyStore()
        self._log = DecisionLog()
        keys, uses = Administration(self._store, directory), KeyUse(self._store)
        self._operations = {
            "CreateAlias": _Row(keys.create_alias),
            "CreateKey": _Row(keys.create_key),
            "Decrypt": _Row(uses.decrypt, takes_context=True, takes_recipient=True),
            "DescribeKey": _Row(keys.describe_key),
            "DisableKey": _Row(keys.disable_key),
            "EnableKey": _Row(keys.enable_key),
            "Encrypt": _Row(uses.encrypt, takes_context=True),
            "GenerateDataKey": _Row(uses.generate_data_key, takes_context=True, takes_recipient=True),
            "GenerateRandom": _Row(uses.generate_random, takes_recipient=True),
            "GetKeyPolicy": _Row(keys.get_key_policy),
            "PutKeyPolicy": _Row(keys.put_key_policy),
            "ScheduleKeyDeletion": _Row(keys.schedule_key_deletion),
        }

    @property
    def decisions(self) -> tuple[DecisionRecord, ...]:
        """Every call so far, oldest first."""
        return self._log.records()

    def answer(self, call: AuthenticCall) -> Response:
        """Carry out one call. Raises AwsFault."""
        name = call.call.headers.get("x-amz-target", "").removeprefix(TARGET)
        row = self._operations.get(name)
        if row is None:
            known = ", ".join(self._operations)
            raise AwsFault(
                "UnknownOperationException", f"The twin's KMS does not know {name[:64]!r}. It knows {known}."
            )
        place = Place(Region(call.scope.region), call.caller.principal.account_id)
        request = Request(name, call, place, self._clock)
        try:
            reply = self._run(row, request)
        except AwsFault as fault:
            self._log.append(_record(request, fault))
            raise
        self._log.append(_record(request, None))
        return Response(json.dumps(reply), mimetype=MIMETYPE, headers={"x-amzn-RequestId": str(uuid.uuid4())})

    def _run(self, row: _Row, request: Request) -> Reply:
        parameters = Parameters.parse(request.authentic.call.body)
        if parameters.texts("GrantTokens"):
            raise AwsFault("InvalidGrantTokenException", "The twin has no grants.")
        if row.takes_context:
            request.context = parameters.context()
        if row.takes_recipient:
            request.recipient = read_recipient(parameters, roots=self._roots, now=self._clock.now())
        return row.run(request, parameters)


def refuse(fault: AwsFault) -> Response:
    """Turn a fault into a JSON 1.1 error reply."""
    body = json.dumps({"__type": fault.name, "message": fault.message})
    headers = {"x-amzn-RequestId": str(uuid.uuid4()), "x-amzn-ErrorType": fault.name}
    return Response(body, status=fault.status, mimetype=MIMETYPE, headers=headers)


def _record(request: Request, fault: AwsFault | None) -> DecisionRecord:
    decision, evidence = request.decision, request.recipient.evidence if request.recipient else None
    refused = fault is not None and fault.name != "AccessDeniedException"
    return DecisionRecord(
        time=request.clock.now(),
        region=request.place.region,
        caller_arn=request.caller_arn,
        operation=request.operation,
        key_arn=request.key_arn,
        outcome="error" if refused or decision is None else decision.outcome.value,
        statement=decision.statement if decision else "",
        decided_by=decision.decided_by.value if decision else "",
        reason=decision.reason if decision else "",
        failed_pcrs=request.failed_pcrs,
        error_code=fault.name if fault else "",
        error_message=fault.message if fault else "",
        module_id=evidence.module_id if evidence else "",
        pcrs=evidence.pcrs if evidence else None,
        encryption_context=dict(request.context),
    )
