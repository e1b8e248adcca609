# SPDX-License-Identifier: Apache-2.0
"""A question about one action as clauses: what has to be true for `evaluate` to allow a request.

The steps are those of `evaluate`, by their numbers there. A *way* is one Allow, or one grant, that could let a request
through, with what it needs beside it; the request is allowed exactly when some way and all common clauses hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from strongroom.keypolicy.grants import Grant
from strongroom.keypolicy.model import Effect, IdentityPolicy, ResourcePolicy, Statement
from strongroom.keypolicy.operations import CREATE_GRANT, OPERATIONS, PREFIX
from strongroom.keypolicy.principals import Caller, PrincipalKind, Reach
from strongroom.keypolicy.symbolic.demands import makes_only, of_constraints
from strongroom.keypolicy.symbolic.resource import RESOURCE
from strongroom.keypolicy.symbolic.solver import Clause, Term
from strongroom.keypolicy.symbolic.space import Space
from strongroom.keypolicy.symbolic.variables import Literal

_CallerTest: TypeAlias = Callable[[Caller], bool]
_ReachOf: TypeAlias = Callable[[Caller], Reach]
_ANY = (Reach.DIRECT, Reach.BEHIND, Reach.ACCOUNT)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to be allowed: by which statement or grant, and the clauses beside those that are common to all."""

    allow: str
    clauses: tuple[Clause, ...]


@dataclass(frozen=True, slots=True)
class _Opener:
    """What opens the key: a statement of its policy or a grant. `term` is everything but whom it reaches."""

    name: str
    term: Term
    direct: Literal
    behind: Literal
    opened: Literal


@dataclass(frozen=True, slots=True)
class Encoding:
    """The clauses of one action over one space."""

    space: Space
    action: str

    def common(self) -> Iterator[Clause]:
        """Yield steps 1, 2 and 4: no Deny applies, what stands around allows, the action works from there."""
        yield from self._denied()
        yield from self._around()
        if not OPERATIONS[self.action].cross_account:
            yield _one(self._called_by(self._at_home))

    def ways(self) -> Iterator[Way]:
        """Yield steps 5 and 6: each statement or grant that names the caller, or opens the key to his account."""
        limits = tuple(self._not_limited())
        own = Clause(tuple(self._allowing(self.space.question.identity_policies)), of="the caller's own policies")
        person = self._called_by(lambda caller: not caller.is_root_user and not caller.is_service)
        root = self._called_by(lambda caller: caller.is_root_user)
        for opener in (*self._key_statements(), *self._grants()):
            yield Way(opener.name, (_one(*opener.term, opener.opened, person), own, *limits))
            yield Way(opener.name, (_one(*opener.term, opener.behind), *limits))
            yield Way(opener.name, (_one(*opener.term, opener.direct),))
            yield Way(opener.name, (_one(*opener.term, opener.opened, root),))

    # --- step 1 -------------------------------------------------------------------------------------------------------

    def _denied(self) -> Iterator[Clause]:
        question, service = self.space.question, self._called_by(lambda caller: caller.is_service)
        yield from self._not_denied(question.policy.statements, ())
        guardrails = question.guardrails
        boundary = () if guardrails.boundary is None else (guardrails.boundary,)
        for policy in (*question.identity_policies, *boundary, *guardrails.session_policies):
            yield from self._not_denied(policy.statements, ((service,),))

    def _not_denied(self, statements: Sequence[Statement], excused: tuple[Term, ...]) -> Iterator[Clause]:
        """Yield for each Deny that it does not apply: somebody else calls, another key, or a condition fails."""
        for each in statements:
            if each.effect is Effect.DENY and each.actions.covers(self.action.lower()):
                unreached: Term = (self._unreached(each),)
                elsewhere: Term = (self.space.covered(each, holds=False),)
                failing = [(self.space.condition(condition, holds=False),) for condition in each.conditions]
                yield Clause((*excused, unreached, elsewhere, *failing), of=each.label)

    def _unreached(self, statement: Statement) -> Literal:
        if statement.principals is None:
            return self._called_by(lambda _: False)
        return self.space.reached(statement.principals, Reach.NONE)

    # --- step 2 -------------------------------------------------------------------------------------------------------

    def _around(self) -> Iterator[Clause]:
        """Yield for each level of policies around the request: no Deny of it applies, and one of it allows.

        Whom they leave alone stands in `hearing.layers`.
        """
        guardrails = self.space.question.guardrails
        linked = self._called_by(lambda caller: caller.is_service_linked)
        spared = self._called_by(lambda caller: caller.is_service or caller.is_service_linked)
        for level in guardrails.resource_control:
            yield from self._level(level, ((linked,),))
        for own_level in guardrails.service_control:
            yield from self._level(own_level, ((spared,),))
        if guardrails.endpoint is not None:
            yield from self._level((guardrails.endpoint,), ())

    def _level(
        self, policies: Sequence[IdentityPolicy | ResourcePolicy], excused: tuple[Term, ...]
    ) -> Iterator[Clause]:
        for policy in policies:
            yield from self._not_denied(policy.statements, excused)
        yield Clause((*excused, *self._allowing(policies)), of="what stands around the request")

    # --- steps 5 and 6 ------------------------------------------------------------------------------------------------

    def _key_statements(self) -> Iterator[_Opener]:
        for each in self.space.question.policy.statements:
            if each.effect is Effect.ALLOW and each.principals is not None and each.actions.covers(self.action.lower()):
                name, term = f"statement {each.label}", self._rest(each)
                yield self._opener(name, term, each.principals.reach, self._at_home)
                if any(member.kind is PrincipalKind.FEDERATED for member in each.principals.members):
                    yield self._opener(name, term, _of_some_provider, _everybody)

    def _grants(self) -> Iterator[_Opener]:
        for grant in self.space.question.grants:
            if self.action.removeprefix(PREFIX) in grant.operations:
                # A grant is enough by itself in another account, too.
                yield self._opener(f"grant {grant.grant_id}", self._of_grant(grant), self._reach_of(grant), _everybody)

    def _opener(self, name: str, term: Term, reach: _ReachOf, by_name: _CallerTest) -> _Opener:
        return _Opener(
            name,
            term,
            self._called_by(lambda caller: by_name(caller) and reach(caller) is Reach.DIRECT),
            self._called_by(lambda caller: by_name(caller) and reach(caller) is Reach.BEHIND),
            self._called_by(lambda caller: reach(caller) in ((Reach.ACCOUNT,) if self._at_home(caller) else _ANY)),
        )

    def _reach_of(self, grant: Grant) -> _ReachOf:
        """Return how a grant reaches callers: of a third account, through the account only (tracing.traced_grant)."""
        own = {self.space.question.key_account, grant.issuing_account}

        def reach(caller: Caller) -> Reach:
            found = grant.grantee.reach(caller)
            through = found is not Reach.NONE and not caller.is_service and caller.account not in own
            return Reach.ACCOUNT if through else found

        return reach

    def _of_grant(self, grant: Grant) -> Term:
        literals = [self.space.where(RESOURCE, lambda facts: facts[RESOURCE] == (grant.key_arn,))]
        context = OPERATIONS[self.action].takes_context
        literals += map(self.space.demand, of_constraints(grant.constraints, takes_context=context))
        if self.action == CREATE_GRANT:
            literals.append(self.space.demand(makes_only(grant.operations)))
        return tuple(literals)

    def _rest(self, statement: Statement) -> Term:
        """Return a statement's Resource and conditions: everything but whom it reaches and for which actions."""
        conditions = (self.space.condition(each) for each in statement.conditions)
        return (self.space.covered(statement), *conditions)

    def _allowing(self, policies: Iterable[IdentityPolicy | ResourcePolicy]) -> Iterator[Term]:
        """Yield a term for each Allow of these policies that is about the action."""
        for policy in policies:
            for each in policy.statements:
                if each.effect is Effect.ALLOW and each.actions.covers(self.action.lower()):
                    yield (self.space.reached(each.principals, *_ANY), *self._rest(each))

    def _not_limited(self) -> Iterator[Clause]:
        """Yield that neither boundary nor session policies hold the caller back (`evaluate._limit`)."""
        guardrails = self.space.question.guardrails
        if guardrails.boundary is not None:
            yield Clause(tuple(self._allowing((guardrails.boundary,))), of="the permissions boundary")
        sessions = guardrails.session_policies
        if sessions:
            yield Clause(tuple(self._allowing(sessions)), of="the session policies")
        else:
            yield _one(self._called_by(lambda caller: not caller.is_federated_user))

    def _at_home(self, caller: Caller) -> bool:
        return caller.is_service or caller.account == self.space.question.key_account

    def _called_by(self, test: _CallerTest) -> Literal:
        return self.space.called_by(test)


def _one(*literals: Literal) -> Clause:
    return Clause((literals,))


def _of_some_provider(caller: Caller) -> Reach:
    """Take every role session for one that a federated principal names.

    AWS describes such principals for a role's trust policy alone, so `evaluate` lets nobody in by them. Whether KMS
    does is not said: what hangs on it is no witness, and not impossible.
    """
    return Reach.DIRECT if caller.role_arn else Reach.NONE


def _everybody(_: Caller) -> bool:
    return True
