# SPDX-License-Identifier: Apache-2.0
"""A request and everything that has a say in it, in one piece, so that the same can be asked with one thing changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain

from strongroom.keypolicy.decision import DecidedBy, Decision, StatementTrace
from strongroom.keypolicy.evaluate import evaluate
from strongroom.keypolicy.grants import Grant
from strongroom.keypolicy.guardrails import NO_GUARDRAILS, Guardrails
from strongroom.keypolicy.model import IdentityPolicy, KeyPolicy, Statement
from strongroom.keypolicy.operations import RETIRE_GRANT
from strongroom.keypolicy.request import KmsRequest


@dataclass(frozen=True, slots=True)
class Policies:
    """What speaks about a request. `key_policy` is None exactly for an operation without a key."""

    key_policy: KeyPolicy | None
    identity: tuple[IdentityPolicy, ...] = ()
    grants: tuple[Grant, ...] = ()
    guardrails: Guardrails = NO_GUARDRAILS


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of one statement or of one grant, and the statement or the grant itself."""

    trace: StatementTrace
    source: Statement | Grant

    @property
    def place(self) -> str:
        """Return what messages call it."""
        if self.trace.policy is DecidedBy.GRANT:
            return f"grant {self.trace.statement}"
        return f"statement {self.trace.statement} of the {self.trace.policy}"

    @property
    def concerns(self) -> bool:
        """Tell whether it is about this caller, action and resource, so that only conditions were in the way."""
        elements = {miss.element.removeprefix("Not") for miss in self.trace.missed}
        return not elements & {"Principal", "Action", "Resource", "KeyId", "GranteePrincipal", "Operations"}


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A request and its policies."""

    request: KmsRequest
    policies: Policies

    def decide(self) -> Decision:
        """Ask `evaluate`. Raises what it raises."""
        said = self.policies
        return evaluate(
            self.request,
            key_policy=said.key_policy,
            identity_policies=said.identity,
            grants=said.grants,
            guardrails=said.guardrails,
        )

    def with_context(self, context: Mapping[str, tuple[str, ...]]) -> Inquiry:
        """Return the same request with another condition context. Raises what KmsRequest raises."""
        return replace(self, request=replace(self.request, context=context))

    def heard(self, decision: Decision) -> tuple[Heard, ...]:
        """Return each trace of a decision about this inquiry with its source, in the same order."""
        pools = self._pools()
        found = tuple(Heard(each, next(pools[each.policy])) for each in decision.trace)
        if any(each.trace.statement != _label(each.source) for each in found):
            raise RuntimeError("expected a decision about this inquiry, found another one's")
        return found

    def _pools(self) -> dict[DecidedBy, Iterator[Statement | Grant]]:
        said, around, request = self.policies, self.policies.guardrails, self.request
        retired = (request.grant,) if request.action == RETIRE_GRANT and request.grant is not None else None
        endpoint = () if around.endpoint is None else around.endpoint.statements
        boundary = () if around.boundary is None else around.boundary.statements
        return {
            DecidedBy.RESOURCE_CONTROL: (s for level in around.resource_control for p in level for s in p.statements),
            DecidedBy.SERVICE_CONTROL: (s for level in around.service_control for p in level for s in p.statements),
            DecidedBy.ENDPOINT: iter(endpoint),
            DecidedBy.KEY_POLICY: iter(() if said.key_policy is None else said.key_policy.statements),
            DecidedBy.GRANT: iter(said.grants if retired is None else retired),
            DecidedBy.IDENTITY_POLICY: chain.from_iterable(policy.statements for policy in said.identity),
            DecidedBy.BOUNDARY: iter(boundary),
            DecidedBy.SESSION_POLICY: chain.from_iterable(policy.statements for policy in around.session_policies),
        }


def _label(source: Statement | Grant) -> str:
    return source.grant_id if isinstance(source, Grant) else source.label
