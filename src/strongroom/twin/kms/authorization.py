# SPDX-License-Identifier: Apache-2.0
"""Asks the policies and the grants about one call, and says no in KMS's words.

The sentences were recorded from AWS by others (aws-nitro-enclaves-sdk-c issues 127 and 157); docs/twin.md grades them.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence

from strongroom.errors import FormatError, UsageError
from strongroom.ids import AccountId, KeyArn
from strongroom.keypolicy.context import Call, NitroTpmPcrs, Sender, kms_request
from strongroom.keypolicy.decision import DecidedBy, Decision, Outcome
from strongroom.keypolicy.evaluate import evaluate
from strongroom.keypolicy.grants import Grant
from strongroom.keypolicy.key_facts import KeyFacts
from strongroom.keypolicy.model import KeyPolicy, parse_key_policy
from strongroom.twin.accounts import PARTITION
from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.condition_facts import credential_facts, key_facts, parameter_facts
from strongroom.twin.kms.decisions import failed_pcrs
from strongroom.twin.kms.keys import Key, KeyState
from strongroom.twin.kms.request import Question, Request
from strongroom.twin.tls import LOOPBACK

_AS_ASKED = Question()


def authorize(request: Request, key: Key, question: Question = _AS_ASKED, *, named_by_ciphertext: bool = False) -> None:
    """Require that the policies or a grant allow the call on this key. Raises AwsFault (AccessDeniedException)."""
    request.resources.append(key.arn)
    decision = decide_on_key(request, key, question)
    if decision.outcome is Outcome.ALLOWED:
        return
    action = question.action or request.operation
    if named_by_ciphertext and key.account_id != request.place.account_id:
        raise hidden(request, action)
    raise denied(request, decision, key.arn, action)


def authorize_without_key(request: Request, question: Question = _AS_ASKED, made: KeyFacts | None = None) -> None:
    """Require that the caller's identity policies allow an operation that uses no key. Raises AwsFault.

    `made` is what CreateKey is to make.
    """
    decision = _decide(request, _call(request, question, arn=None, key=made), None)
    if decision.outcome is not Outcome.ALLOWED:
        raise denied(request, decision, "*")


def authorize_alias(request: Request, arn: str) -> None:
    """Require that the caller's identity policies allow the call on an alias, which has no policy. Raises AwsFault.

    KMS Developer Guide, "Controlling access to aliases".
    """
    call = _call(request, _AS_ASKED, arn=KeyArn(arn), key=None)
    decision = _decide(request, call, _delegation(request.place.account_id))
    if decision.outcome is not Outcome.ALLOWED:
        raise denied(request, decision, arn)


def decide_on_key(request: Request, key: Key, question: Question) -> Decision:
    """Return what the key's policy, its grants and the caller's policies say, and note it in the request."""
    facts = key_facts(key, request.surroundings.aliases_of(key.arn))
    call = _call(request, question, arn=key.arn, key=facts)
    return _decide(request, call, key.policy, request.surroundings.grants_on(key.arn))


def _call(request: Request, question: Question, *, arn: KeyArn | None, key: KeyFacts | None) -> Call:
    caller, parameters = request.authentic.caller, question.parameters
    return Call(
        action=f"kms:{question.action or request.operation}",
        caller=caller.caller,
        key_arn=arn,
        now=request.clock.now(),
        sender=Sender(
            region=request.place.region,
            source_ip=LOOPBACK,
            user_agent=request.authentic.call.headers.get("user-agent", ""),
        ),
        attestation=NitroTpmPcrs(request.recipient.evidence.pcrs) if request.recipient else None,
        encryption_context=request.context if question.context is None else question.context,
        credentials=credential_facts(caller),
        key=key,
        parameters=parameter_facts(request.parameters, request.defaults) if parameters is None else parameters,
        tags=question.tags,
        grant=question.grant,
    )


def _decide(request: Request, call: Call, policy: KeyPolicy | None, grants: Sequence[Grant] = ()) -> Decision:
    identity_policies = request.authentic.caller.principal.policies
    try:
        decision = evaluate(kms_request(call), key_policy=policy, identity_policies=identity_policies, grants=grants)
    except (FormatError, UsageError) as error:
        raise AwsFault("ValidationException", str(error)) from error
    request.decision = decision
    request.failed_pcrs = failed_pcrs(decision, policy)
    return decision


def expect_usable(key: Key) -> None:
    """Require that a key can be used (Developer Guide, "Key states", notes 1 and 3). Raises AwsFault."""
    if key.state is KeyState.DISABLED:
        raise AwsFault("DisabledException", f"{key.arn} is disabled.")
    expect_kept(key)


def expect_kept(key: Key) -> None:
    """Require that a key is not to be deleted. Raises AwsFault (KMSInvalidStateException)."""
    if key.state is KeyState.PENDING_DELETION:
        raise AwsFault("KMSInvalidStateException", f"{key.arn} is pending deletion.")


def hidden(request: Request, action: str = "") -> AwsFault:
    """Make the refusal that does not say whether the key behind a ciphertext exists."""
    return AwsFault(
        "AccessDeniedException",
        f"User: {request.caller_arn} is not authorized to perform: kms:{action or request.operation} on the resource "
        "associated with this ciphertext because the resource does not exist in this Region, no resource-based "
        "policies allow access, or a resource-based policy explicitly denies access",
    )


@functools.lru_cache(maxsize=64)
def _delegation(account: AccountId) -> KeyPolicy:
    """Return a policy that leaves everything to the account: what then decides are its identity policies."""
    root = f"arn:{PARTITION}:iam::{account}:root"
    statement = {"Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:*", "Resource": "*"}
    return parse_key_policy(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def denied(request: Request, decision: Decision, resource: str, action: str = "") -> AwsFault:
    """Make the refusal that a decision asks for."""
    return AwsFault("AccessDeniedException", _refusal(request, decision, resource, action or request.operation))


def _refusal(request: Request, decision: Decision, resource: str, action: str) -> str:
    said = f"User: {request.caller_arn} is not authorized to perform: kms:{action} on resource: {resource}"
    if decision.outcome is Outcome.EXPLICITLY_DENIED:
        kind = decision.decided_by.aws_name
        return f"{said} with an explicit deny in {'an' if kind.startswith('i') else 'a'} {kind}"
    return f"{said} because no {(decision.lacking or DecidedBy.KEY_POLICY).aws_name} allows the kms:{action} action"
