# SPDX-License-Identifier: Apache-2.0
"""Asks the policies and the grants about one call, and says no in KMS's words.

The sentences were recorded from AWS by others (aws-nitro-enclaves-sdk-c issues 127 and 157); docs/twin.md grades them.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping

from strongroom.errors import FormatError
from strongroom.ids import AccountId, KeyArn
from strongroom.keypolicy.context import Call, NitroTpmPcrs, Sender, kms_request
from strongroom.keypolicy.decision import DecidedBy, Decision, Outcome
from strongroom.keypolicy.evaluate import evaluate
from strongroom.keypolicy.model import KeyPolicy, parse_key_policy
from strongroom.twin.accounts import PARTITION
from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.decisions import failed_pcrs
from strongroom.twin.kms.keys import Key, KeyState
from strongroom.twin.kms.request import Request
from strongroom.twin.tls import LOOPBACK


def authorize(
    request: Request,
    key: Key,
    *,
    action: str = "",
    context: Mapping[str, str] | None = None,
    named_by_ciphertext: bool = False,
) -> None:
    """Require that the policies or a grant allow the call on this key. Raises AwsFault (AccessDeniedException).

    `action` is the operation's own name where it is empty; `context` is the request's where it is None.
    """
    action = action or request.operation
    request.resources.append(key.arn)
    decision = decide(request, key.arn, key.policy, action=action, context=context)
    if decision.outcome is Outcome.ALLOWED:
        return
    if named_by_ciphertext and key.account_id != request.place.account_id:
        raise hidden(request, action)
    raise denied(request, decision, key.arn, action)


def authorize_without_key(request: Request) -> None:
    """Require that the caller's identity policies allow an operation that uses no key. Raises AwsFault."""
    decision = decide(request, None, None, action=request.operation)
    if decision.outcome is not Outcome.ALLOWED:
        raise denied(request, decision, "*", request.operation)


def authorize_alias(request: Request, arn: str) -> None:
    """Require that the caller's identity policies allow the call on an alias, which has no policy. Raises AwsFault.

    KMS Developer Guide, "Controlling access to aliases".
    """
    decision = decide_by_identity(request, KeyArn(arn))
    if decision.outcome is not Outcome.ALLOWED:
        raise denied(request, decision, arn, request.operation)


def decide_by_identity(request: Request, arn: KeyArn) -> Decision:
    """Return what the caller's identity policies alone say about a resource, and note it in the request."""
    return decide(request, arn, _delegation(request.place.account_id), action=request.operation)


def decide(
    request: Request,
    arn: KeyArn | None,
    policy: KeyPolicy | None,
    *,
    action: str,
    context: Mapping[str, str] | None = None,
) -> Decision:
    """Return the decision, and note it in the request."""
    caller = request.authentic.caller
    call = Call(
        action=f"kms:{action}",
        caller=caller.caller,
        key_arn=arn,
        now=request.clock.now(),
        sender=Sender(region=request.place.region, source_ip=LOOPBACK),
        attestation=NitroTpmPcrs(request.recipient.evidence.pcrs) if request.recipient else None,
        encryption_context=request.context if context is None else context,
    )
    try:
        decision = evaluate(kms_request(call), key_policy=policy, identity_policies=caller.principal.policies)
    except FormatError as error:
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
    kinds = {DecidedBy.IDENTITY_POLICY: "identity-based"}
    said = f"User: {request.caller_arn} is not authorized to perform: kms:{action} on resource: {resource}"
    if decision.outcome is Outcome.EXPLICITLY_DENIED:
        kind = kinds.get(decision.decided_by, "resource-based")
        return f"{said} with an explicit deny in {'an' if kind.startswith('i') else 'a'} {kind} policy"
    kind = kinds.get(decision.lacking or DecidedBy.KEY_POLICY, "resource-based")
    return f"{said} because no {kind} policy allows the kms:{action} action"
