# SPDX-License-Identifier: Apache-2.0
"""Hears everything that has a say in a request, in the order in which AWS asks: which policies concern it at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from strongroom.keypolicy.decision import DecidedBy, StatementTrace
from strongroom.keypolicy.grants import Grant
from strongroom.keypolicy.guardrails import NO_GUARDRAILS, Guardrails
from strongroom.keypolicy.model import IdentityPolicy, KeyPolicy, ResourcePolicy
from strongroom.keypolicy.operations import RETIRE_GRANT
from strongroom.keypolicy.request import KmsRequest
from strongroom.keypolicy.tracing import traced, traced_grant, traced_retirement


@dataclass(frozen=True, slots=True)
class Layer:
    """Policies around a request of which one has to allow it. `level` counts from the organization's root down."""

    kind: DecidedBy
    level: int
    policies: Sequence[IdentityPolicy | ResourcePolicy]


def layers(request: KmsRequest, guardrails: Guardrails) -> list[Layer]:
    """Return what stands around this request.

    Resource control policies are about keys, not about RetireGrant (KMS Developer Guide, "Resource control policies");
    service control policies are about users and roles, the root user too; both leave service-linked roles alone
    (Organizations User Guide).
    """
    if guardrails is NO_GUARDRAILS:
        return []
    caller, found = request.caller, []
    if request.key_arn is not None and request.action != RETIRE_GRANT and not caller.is_service_linked:
        found += [Layer(DecidedBy.RESOURCE_CONTROL, *each) for each in enumerate(guardrails.resource_control)]
    if not caller.is_service and not caller.is_service_linked:
        found += [Layer(DecidedBy.SERVICE_CONTROL, *each) for each in enumerate(guardrails.service_control)]
    if guardrails.endpoint is not None:
        found.append(Layer(DecidedBy.ENDPOINT, 0, (guardrails.endpoint,)))
    return found


def hear_around(request: KmsRequest, around: Sequence[Layer]) -> Iterator[StatementTrace]:
    """Follow the policies of the organization and of the VPC endpoint."""
    for layer in around:
        for policy in layer.policies:
            yield from traced(layer.kind, policy.statements, request, level=layer.level)


def hear_on_key(request: KmsRequest, key_policy: KeyPolicy | None, grants: Sequence[Grant]) -> Iterator[StatementTrace]:
    """Follow the key policy and the grants.

    RetireGrant asks the one grant only: "The kms:RetireGrant permission is not effective in a key policy" (KMS
    Developer Guide, "Retiring and revoking grants").
    """
    if request.action == RETIRE_GRANT:
        if request.grant is not None:
            yield traced_retirement(request.grant, request)
        return
    if key_policy is not None:
        yield from traced(DecidedBy.KEY_POLICY, key_policy.statements, request)
    for grant in grants:
        yield traced_grant(grant, request)


def hear_of_caller(
    request: KmsRequest, identity_policies: Sequence[IdentityPolicy], guardrails: Guardrails
) -> Iterator[StatementTrace]:
    """Follow the caller's own policies, his boundary, and the policies of his session. A service has none of them."""
    if request.caller.is_service:
        return
    for policy in identity_policies:
        yield from traced(DecidedBy.IDENTITY_POLICY, policy.statements, request)
    if guardrails.boundary is not None:
        yield from traced(DecidedBy.BOUNDARY, guardrails.boundary.statements, request)
    for policy in guardrails.session_policies:
        yield from traced(DecidedBy.SESSION_POLICY, policy.statements, request)
