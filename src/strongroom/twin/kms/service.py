# SPDX-License-Identifier: Apache-2.0
"""KMS's JSON 1.1 endpoint: one authentic call in, one reply out, one record of the decision.

X-Amz-Target names the operation, `TrentService.Decrypt`. What the twin does not know it names, with what it does know.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from werkzeug.wrappers import Response

from strongroom.appraisal.endorsements import NitroRoots
from strongroom.errors import LocalFault
from strongroom.ids import AccountId, KeyArn, Region
from strongroom.keypolicy.grants import Grant
from strongroom.ports import Clock
from strongroom.twin.accounts import Directory
from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.administration import Administration
from strongroom.twin.kms.aliases import Aliases
from strongroom.twin.kms.data_keys import DataKeys
from strongroom.twin.kms.decisions import DecisionLog, DecisionRecord, nearest_misses
from strongroom.twin.kms.events import CallFacts
from strongroom.twin.kms.grant_tokens import MAX_TOKEN, MAX_TOKENS, find_grants
from strongroom.twin.kms.grants import Grants
from strongroom.twin.kms.key_use import KeyUse
from strongroom.twin.kms.keys import Alias, KeptGrant, Place
from strongroom.twin.kms.on_behalf import Use, expect_use
from strongroom.twin.kms.parameters import Parameters
from strongroom.twin.kms.policies import Policies
from strongroom.twin.kms.recipient import read_recipient
from strongroom.twin.kms.request import Operation, Reply, Request
from strongroom.twin.kms.rotation import Rotations
from strongroom.twin.kms.signing import Signing
from strongroom.twin.kms.store import Keeper, KeyStore
from strongroom.twin.kms.tags import Tags
from strongroom.twin.kms.unavailable import Unavailable
from strongroom.twin.refusals import JSON_MIMETYPE
from strongroom.twin.sigv4 import AuthenticCall
from strongroom.twin.tls import LOOPBACK

TARGET = "TrentService."
_NO_DELAY = timedelta(0)


class Kms:
    """The service. `decisions` is the record of every call, `events` the same as CloudTrail shows it to an account.

    `heard` is told each decision in the thread of its call. `grant_delay` is how long a new grant counts only for calls
    that bring its token, as on AWS, where it takes up to five minutes until a grant is known everywhere (KMS Developer
    Guide, "Grants", eventual consistency).
    """

    def __init__(
        self,
        directory: Directory,
        *,
        roots: NitroRoots,
        clock: Clock,
        keeper: Keeper | None = None,
        heard: Callable[[DecisionRecord], None] | None = None,
    ) -> None:
        self.grant_delay = _NO_DELAY
        self._roots = roots
        self._clock = clock
        self._store = KeyStore(keeper)
        self._log = DecisionLog(heard=heard)
        policies = Policies(self._store, directory)
        families = (
            Administration(self._store, policies),
            Aliases(self._store),
            DataKeys(self._store),
            Grants(self._store, directory),
            KeyUse(self._store),
            policies,
            Rotations(self._store),
            Signing(self._store),
            Tags(self._store),
            Unavailable(self._store),
        )
        self._operations = dict(sorted(row for family in families for row in family.operations().items()))

    @property
    def decisions(self) -> tuple[DecisionRecord, ...]:
        """Every call so far, oldest first."""
        return self._log.records()

    @property
    def key_count(self) -> int:
        """How many keys there are, in all accounts and regions."""
        return self._store.key_count

    def events(self, account: AccountId) -> tuple[dict[str, object], ...]:
        """Return what CloudTrail shows to an account, oldest first: its callers' calls, and those about its keys."""
        records = (record for record in self.decisions if account in record.facts.accounts)
        return tuple(record.cloudtrail(account) for record in records)

    def expect_use(self, use: Use) -> None:
        """Require that a service may use a key for its caller. Raises AwsFault, by KMS's own names."""
        expect_use(self._store, use, self._clock.now())

    def key_arn(self, place: Place, identifier: str) -> KeyArn:
        """Return the ARN of the key that an account means by an id, an ARN or an alias. Raises AwsFault."""
        return self._store.resolve(place, identifier).arn

    def answer(self, call: AuthenticCall) -> Response:
        """Carry out one call. Raises AwsFault."""
        name = call.call.headers.get("x-amz-target", "").removeprefix(TARGET)
        operation = self._operations.get(name)
        if operation is None:
            known = ", ".join(self._operations)
            raise AwsFault(
                "UnknownOperationException", f"The twin's KMS does not know {name[:64]!r}. It knows {known}."
            )
        place = Place(Region(call.scope.region), call.caller.principal.account_id)
        request = Request(name, call, place, self._clock, _Surroundings(self._store), operation.defaults)
        try:
            reply = self._run(operation, request)
        except AwsFault as fault:
            self._log.append(_record(request, operation, {}, fault))
            raise
        self._log.append(_record(request, operation, reply or {}, None))
        body = "" if reply is None else json.dumps(reply)
        return Response(body, mimetype=JSON_MIMETYPE, headers={"x-amzn-RequestId": request.request_id})

    def _run(self, operation: Operation, request: Request) -> Reply | None:
        parameters = request.parameters = Parameters.parse(request.authentic.call.body)
        now = self._clock.now()
        try:
            self._store.settle(now)
            request.surroundings = _Surroundings(self._store, self._grants_in_effect(request, parameters))
            if operation.takes_context:
                request.context = parameters.context()
            if operation.takes_recipient:
                request.recipient = read_recipient(parameters, roots=self._roots, now=now)
            return operation.run(request, parameters)
        except LocalFault as fault:  # the state could not be kept, so nothing has happened
            raise AwsFault("KMSInternalException", str(fault), status=500) from fault

    def _grants_in_effect(self, request: Request, parameters: Parameters) -> Callable[[KeptGrant], bool]:
        """Return which grants count for this call. Raises AwsFault (InvalidGrantTokenException)."""
        takes_tokens = self._operations[request.operation].takes_tokens
        tokens = parameters.texts("GrantTokens", maximum=MAX_TOKENS, longest=MAX_TOKEN) if takes_tokens else ()
        brought = find_grants(tokens, self._store.grants_in(request.place.region)) if tokens else frozenset()
        latest = self._clock.now() - self.grant_delay
        return lambda kept: kept.created <= latest or kept.grant.grant_id in brought


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """Aliases and grants as the store has them; `counts` says which grants count for a call."""

    store: KeyStore
    counts: Callable[[KeptGrant], bool] = bool

    def grants_on(self, arn: KeyArn) -> Sequence[Grant]:
        return [kept.grant for kept in self.store.grants_on(arn) if self.counts(kept)]

    def aliases_of(self, arn: KeyArn) -> Sequence[Alias]:
        return self.store.aliases_of(arn)


def _record(request: Request, operation: Operation, reply: Reply, fault: AwsFault | None) -> DecisionRecord:
    decision, evidence = request.decision, request.recipient.evidence if request.recipient else None
    refused = fault is not None and fault.name != "AccessDeniedException"
    return DecisionRecord(
        time=request.clock.now(),
        region=request.place.region,
        caller_arn=request.caller_arn,
        operation=request.operation,
        key_arn=request.key_arn,
        outcome="error" if refused or decision is None else decision.outcome.value,
        facts=_facts(request, operation, reply),
        statement=decision.statement if decision else "",
        decided_by=decision.decided_by.value if decision else "",
        reason=decision.reason if decision else "",
        failed_pcrs=request.failed_pcrs,
        missed=nearest_misses(decision) if decision else (),
        error_code=fault.name if fault else "",
        error_message=fault.message if fault else "",
        module_id=evidence.module_id if evidence else "",
        pcrs=evidence.pcrs if evidence else None,
        encryption_context=dict(request.context),
    )


def _facts(request: Request, operation: Operation, reply: Reply) -> CallFacts:
    members = request.parameters.members
    shown = {name: members[name] for name in operation.shown if members.get(name) is not None}
    if operation.takes_context and request.context:
        shown["EncryptionContext"] = dict(request.context)
    shown |= request.shown
    told = {} if operation.read_only else {each: reply[each] for each in reply if each not in operation.hidden_reply}
    return CallFacts(
        caller=request.authentic.caller,
        request_id=request.request_id,
        source_ip=LOOPBACK,
        user_agent=request.authentic.call.headers.get("user-agent", ""),
        read_only=operation.read_only,
        parameters={**operation.defaults, **shown},
        reply={**told, **request.told} if reply else {},
        resources=tuple(dict.fromkeys(request.resources)),
        additional=dict(request.additional),
    )
