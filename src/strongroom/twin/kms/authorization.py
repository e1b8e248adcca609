# SPDX-License-Identifier: Apache-2.0
"""Asks the policies about one call, and says no in KMS's words.

The sentences were recorded from AWS by others (aws-nitro-enclaves-sdk-c issues 127 and 157); docs/twin.md grades them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from strongroom.errors import FormatError
from strongroom.ids import KeyArn
from strongroom.keypolicy.context import Call, NitroTpmPcrs, Sender, kms_request
from strongroom.keypolicy.decision import DecidedBy, Decision, Outcome
from strongroom.keypolicy.evaluate import evaluate
from strongroom.keypolicy.model import KeyPolicy
from strongroom.ports import Clock
from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.decisions import failed_pcrs
from strongroom.twin.kms.keys import Key, KeyState, Place
from strongroom.twin.kms.recipient import Recipient
from strongroom.twin.sigv4 import AuthenticCall
from strongroom.twin.tls import LOOPBACK


@dataclass
class Request:
    """One KMS call on its way: what is known so far, for the decision and for the record of it."""

    operation: str
    authentic: AuthenticCall
    place: Place
    clock: Clock
    key_arn: KeyArn | None = None
    context: Mapping[str, str] = field(default_factory=dict)
    recipient: Recipient | None = None
    decision: Decision | None = None
    failed_pcrs: tuple[int, ...] = ()

    @property
    def caller_arn(self) -> str:
        """Who asks."""
        return self.authentic.caller.caller_arn


def authorize(request: Request, key: Key, *, named_by_ciphertext: bool = False) -> None:
    """Require that the policies allow the call on this key. Raises AwsFault (AccessDeniedException)."""
    request.key_arn = key.arn
    decision = decide(request, key.arn, key.policy)
    if decision.outcome is Outcome.ALLOWED:
        return
    if named_by_ciphertext and key.account_id != request.place.account_id:
        raise hidden(request)
    raise AwsFault("AccessDeniedException", _refusal(request, decision, key.arn))


def authorize_without_key(request: Request) -> None:
    """Require that the caller's identity policies allow an operation that uses no key. Raises AwsFault."""
    decision = decide(request, None, None)
    if decision.outcome is not Outcome.ALLOWED:
        raise AwsFault("AccessDeniedException", _refusal(request, decision, "*"))


def decide(request: Request, arn: KeyArn | None, policy: KeyPolicy | None) -> Decision:
    """Return the policies' decision, and note it in the request."""
    caller = request.authentic.caller
    call = Call(
        action=f"kms:{request.operation}",
        caller=caller.caller,
        key_arn=arn,
        now=request.clock.now(),
        sender=Sender(region=request.place.region, source_ip=LOOPBACK),
        attestation=NitroTpmPcrs(request.recipient.evidence.pcrs) if request.recipient else None,
        encryption_context=request.context,
    )
    try:
        decision = evaluate(kms_request(call), key_policy=policy, identity_policies=caller.principal.policies)
    except FormatError as error:
        raise AwsFault("ValidationException", str(error)) from error
    request.decision = decision
    request.failed_pcrs = failed_pcrs(decision, policy)
    return decision


def expect_usable(key: Key) -> None:
    """Require that a key can be used. Raises AwsFault (DisabledException, KMSInvalidStateException)."""
    if key.state is KeyState.DISABLED:
        raise AwsFault("DisabledException", f"{key.arn} is disabled.")
    if key.state is KeyState.PENDING_DELETION:
        raise AwsFault("KMSInvalidStateException", f"{key.arn} is pending deletion.")


def hidden(request: Request) -> AwsFault:
    """Make the refusal that does not say whether the key behind a ciphertext exists."""
    return AwsFault(
        "AccessDeniedException",
        f"User: {request.caller_arn} is not authorized to perform: kms:{request.operation} on the resource associated "
        "with this ciphertext because the resource does not exist in this Region, no resource-based policies allow "
        "access, or a resource-based policy explicitly denies access",
    )


def _refusal(request: Request, decision: Decision, resource: str) -> str:
    kinds = {DecidedBy.IDENTITY_POLICY: "identity-based"}
    said = f"User: {request.caller_arn} is not authorized to perform: kms:{request.operation} on resource: {resource}"
    if decision.outcome is Outcome.EXPLICITLY_DENIED:
        kind = kinds.get(decision.decided_by, "resource-based")
        return f"{said} with an explicit deny in {'an' if kind.startswith('i') else 'a'} {kind} policy"
    kind = kinds.get(decision.lacking or DecidedBy.KEY_POLICY, "resource-based")
    return f"{said} because no {kind} policy allows the kms:{request.operation} action"
