# SPDX-License-Identifier: Apache-2.0
"""Bugs that a decision procedure can have, each planted into ours: the property has to find a request that breaks it.

A bug says which kind of question shows it, and which condition keys the policies should speak of: the same property,
on policies that dwell on one subject.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tests import policy_grammar as grammar

from strongroom.keypolicy.operators import ValueKind, read_date
from strongroom.keypolicy.principals import Sense
from strongroom.keypolicy.symbolic import (
    callers,
    candidates,
    decide,
    encoding,
    question,
    reading,
    relations,
    solver,
    space,
)
from strongroom.keypolicy.symbolic.patterns import ANY, Token, exactly
from strongroom.keypolicy.symbolic.solver import Clause, Search, TooLong

PCR4, PCR7, ENCLAVE0 = (f"kms:RecipientAttestation:{name}" for name in ("NitroTPMPCR4", "NitroTPMPCR7", "PCR0"))
TENANT = grammar.CONTEXT + "Tenant"


@dataclass(frozen=True)
class Bug:
    plant: Callable[..., None]
    kind: str = "narrow"
    values: dict[str, tuple[str, ...]] | None = None


BUGS: dict[str, Bug] = {}


def bug(name, *keys, kind="narrow", values=None):
    """Register a planter: it gets pytest's monkeypatch."""
    chosen = values or {key: grammar.VALUES[key] for key in keys}

    def registered(plant):
        BUGS[name] = Bug(plant, kind, chosen)
        return plant

    return registered


def wrapped(patch, owner, name, change):
    """Replace a function by what `change` makes of its result."""
    right = getattr(owner, name)
    patch.setattr(owner, name, lambda *args, **facts: change(right(*args, **facts)))


# --- what values a condition key has ----------------------------------------------------------------------------------


@bug("a key is never missing", TENANT)
def _(patch):
    never_missing(patch)


@bug("a key is always missing", TENANT)
def _(patch):
    wrapped(patch, space, "cases_of", lambda cases: ({},) if {} in cases else cases)


def never_missing(patch):
    wrapped(patch, space, "cases_of", lambda cases: tuple(filter(None, cases)) or cases)


@bug("a text is one that some policy names", TENANT)
def _(patch):
    never_missing(patch)
    wrapped(patch, candidates, "texts", lambda found: [text for text in found if text in grammar.PATTERNS])


@bug("a digest is one that some policy names", ENCLAVE0)
def _(patch):
    known = {grammar.GOOD.hex(), grammar.EVIL.hex()}
    wrapped(patch, candidates, "digests", lambda found: [text for text in found if text in known])


@bug("case always matters", values={TENANT: ("A", "b")})
def _(patch):
    patch.setattr(reading, "any_case", exactly)


@bug("a star is at least one character", values={TENANT: ("a*", "a?*", "?")})
def _(patch):
    def like(pieces, wild=ANY):
        tokens = [(char, token) for piece in pieces for char in piece for token in [right((char,), wild)[0]]]
        return tuple(t for char, token in tokens for t in ((Token(wild), token) if char == "*" else (token,)))

    right = reading.like
    patch.setattr(reading, "like", like)


@bug("numbers are only those that are named", "aws:MultiFactorAuthAge")
def _(patch):
    named = lambda readings: [text for each in readings for text in each.texts]  # noqa: E731
    patch.setitem(candidates._LISTED, ValueKind.NUMERIC, named)


@bug("moments are only those that are named", "aws:CurrentTime")
def _(patch):
    def moments(readings, ordinary):
        return [read_date(text) for each in readings for text in each.texts] or [ordinary]

    patch.setattr(candidates, "moments", moments)


@bug("addresses are only those that are named", "aws:SourceIp")
def _(patch):
    named = lambda readings: [text.partition("/")[0] for each in readings for text in each.texts]  # noqa: E731
    patch.setitem(candidates._LISTED, ValueKind.IP, named)


@bug("a set has one member", "kms:EncryptionContextKeys", "aws:CalledVia", "aws:PrincipalOrgPaths")
def _(patch):
    def alone(sets):
        return sets and [each for each in sets if all(len(members) == 1 for members in each.values())]

    wrapped(patch, candidates, "sets_of", alone)


@bug("true is the only answer", "aws:SecureTransport", "aws:MultiFactorAuthPresent")
def _(patch):
    patch.setitem(candidates._LISTED, ValueKind.BOOL, lambda _: ("true",))


@bug("what cannot be read always holds", TENANT, "aws:username")
def _(patch):
    patch.setattr(grammar, "VARIABLE_IN", 2)
    right = relations.domains

    def domains(spaces, action):
        found = right(spaces, action)
        return [found[at] & 1 if each.assumption else found[at] for at, each in enumerate(spaces.variables)]

    patch.setattr(decide, "domains", domains)


# --- who calls --------------------------------------------------------------------------------------------------------


def only_callers(patch, test):
    wrapped(patch, space, "representative_callers", lambda found: [each for each in found if test(each)])


@bug("nobody is a role", "aws:PrincipalType")
def _(patch):
    only_callers(patch, lambda caller: not caller.role_arn)


@bug("nobody is a user", "aws:PrincipalType")
def _(patch):
    only_callers(patch, lambda caller: ":user/" not in caller.arn)


@bug("nobody is a root user", "aws:PrincipalType")
def _(patch):
    only_callers(patch, lambda caller: not caller.is_root_user)


@bug("nobody is federated", "aws:PrincipalType")
def _(patch):
    only_callers(patch, lambda caller: not caller.is_federated_user)


@bug("no service acts for itself", "aws:PrincipalIsAWSService", "aws:PrincipalServiceName")
def _(patch):
    only_callers(patch, lambda caller: not caller.is_service)


@bug("everybody is of the key's account", "kms:CallerAccount", "aws:PrincipalAccount")
def _(patch):
    only_callers(patch, lambda caller: caller.account in {"", grammar.HOME})


@bug("no session has a name that a policy names", "aws:PrincipalType", kind="named")
def _(patch):
    only_callers(patch, lambda caller: not caller.arn.endswith("/app/s"))


@bug("nobody has the unique id that a policy names", "aws:userid")
def _(patch):
    only_callers(patch, lambda caller: caller.unique_id != grammar.UNIQUE_ID)


@bug("what policies ask of user ids is not looked at", "aws:userid")
def _(patch):
    hide_from_callers(patch, "aws:userid")


@bug("what policies ask of user names is not looked at", "aws:username")
def _(patch):
    hide_from_callers(patch, "aws:username")


@bug("what policies ask of ARNs is not looked at", "aws:PrincipalArn")
def _(patch):
    hide_from_callers(patch, "aws:principalarn")


def hide_from_callers(patch, hidden):
    right = callers.Asked.of
    patch.setattr(callers.Asked, "of", lambda self, *keys: [] if hidden in keys else right(self, *keys))


@bug("a federated user has no session policy, although nobody knows", "aws:PrincipalType", kind="plain")
def _(patch):
    patch.setattr(question, "replace", lambda guardrails, **_: guardrails)


# --- documents --------------------------------------------------------------------------------------------------------


@bug("an enclave's document is none", ENCLAVE0, "kms:RecipientAttestation:ImageSha384")
def _(patch):
    right = space.Space.document
    patch.setattr(space.Space, "document", lambda self, *kinds: right(self, *(k for k in kinds if k != space.ENCLAVE)))


@bug("a document has to differ in every PCR of a tuple", PCR4, PCR7, kind="gated")
def _(patch):
    def joined(clauses):
        for clause in clauses:
            first, *differing = clause.terms
            yield Clause((first, tuple(literal for term in differing for literal in term)))

    wrapped(patch, decide, "_without_allowed_document", joined)


@bug("without an allowed document means without a document", PCR4, PCR7, kind="gated")
def _(patch):
    def none(spaces):
        yield Clause(((spaces.document(space.NONE, space.ENCLAVE),),))

    patch.setattr(decide, "_without_allowed_document", none)


@bug("a document always has every PCR", PCR4, PCR7, kind="gated")
def _(patch):
    right = relations.domains

    def domains(spaces, action):
        found = right(spaces, action)
        for key, at in spaces.asked_keys():
            present = spaces.present(key).cases if key.startswith("kms:recipient") else -1
            found[at] = found[at] & present or found[at]
        return found

    patch.setattr(decide, "domains", domains)


# --- how a decision is made -------------------------------------------------------------------------------------------


def deny_clauses(patch, change):
    right = encoding.Encoding._not_denied

    def wrong(self, statements, excused):
        for clause in right(self, statements, excused):
            yield Clause(tuple(change(self, clause, excused)), of=clause.of)

    patch.setattr(encoding.Encoding, "_not_denied", wrong)


@bug("a Deny fails only when all its conditions fail", TENANT, "aws:SourceVpce")
def _(patch):
    def joined(_, clause, excused):
        elsewhere = len(excused) + 2
        conditions = tuple(literal for term in clause.terms[elsewhere:] for literal in term)
        return (*clause.terms[:elsewhere], *([conditions] if conditions else []))

    deny_clauses(patch, joined)


@bug("a Deny is about every key", "aws:SecureTransport", kind="plain")
def _(patch):
    def everywhere(_, clause, excused):
        return (*clause.terms[: len(excused) + 1], *clause.terms[len(excused) + 2 :])

    deny_clauses(patch, everywhere)


@bug("a Deny of somebody's own policies is about services, too", "aws:PrincipalIsAWSService", kind="owned")
def _(patch):
    deny_clauses(patch, lambda _, clause, excused: clause.terms[len(excused) :])


@bug("a Deny with NotPrincipal is about everybody", "aws:SecureTransport", kind="plain")
def _(patch):
    right = encoding.Encoding._unreached

    def unreached(self, statement):
        excepts = statement.principals is not None and statement.principals.sense is Sense.EXCEPT
        return self._called_by(lambda _: False) if excepts else right(self, statement)

    patch.setattr(encoding.Encoding, "_unreached", unreached)


@bug("a Deny of other actions counts", "aws:SecureTransport", kind="plain")
def _(patch):
    right = encoding.Encoding._not_denied

    def wrong(self, statements, excused):
        yield from right(self, statements, excused)
        for each in statements:
            if each.effect == "Deny" and not each.actions.covers(self.action.lower()):
                yield Clause(tuple((self.space.condition(one, holds=False),) for one in each.conditions), of="other")

    patch.setattr(encoding.Encoding, "_not_denied", wrong)


def without_way(patch, number):
    right = encoding.Encoding.ways
    patch.setattr(
        encoding.Encoding, "ways", lambda self: (way for at, way in enumerate(right(self)) if at % 4 != number)
    )


@bug("nobody is let in through his account", "aws:PrincipalType", kind="named")
def _(patch):
    without_way(patch, 0)


@bug("nobody is let in by the role that is named", "aws:PrincipalType", kind="named")
def _(patch):
    without_way(patch, 1)


@bug("nobody is let in by name", "aws:PrincipalType", kind="owned")
def _(patch):
    without_way(patch, 2)


@bug("no root user is let in through his account", "aws:PrincipalType", kind="named")
def _(patch):
    without_way(patch, 3)


@bug("in another account nobody is let in", "kms:CallerAccount", kind="plain")
def _(patch):
    right = encoding.Encoding.common

    def common(self):
        yield from right(self)
        yield Clause(((self._called_by(self._at_home),),))

    patch.setattr(encoding.Encoding, "common", common)


@bug("grants are not looked at", "aws:SecureTransport", kind="granted")
def _(patch):
    patch.setattr(encoding.Encoding, "_grants", lambda _: iter(()))


@bug("what a grant asks for is not there", "aws:SecureTransport", kind="granted")
def _(patch):
    right = encoding.of_constraints

    def nothing(constraints, **facts):
        for each in right(constraints, **facts):
            yield replace(each, holds=lambda _: False)

    patch.setattr(encoding, "of_constraints", nothing)


@bug("boundary and session policies limit whom the key policy names", "aws:SecureTransport", kind="guarded")
def _(patch):
    right = encoding.Encoding.common

    def common(self):
        yield from right(self)
        yield from self._not_limited()

    patch.setattr(encoding.Encoding, "common", common)


@bug("an organization's policies are about services, too", "aws:PrincipalIsAWSService", kind="organized")
def _(patch):
    right = encoding.Encoding._level
    patch.setattr(encoding.Encoding, "_level", lambda self, policies, _: right(self, policies, ()))


# --- relations --------------------------------------------------------------------------------------------------------


def relation(patch, name, wrong):
    right = getattr(relations, name)

    def both(spaces, action):
        yield from right(spaces, action)
        yield from wrong(spaces)

    patch.setattr(relations, name, both)


@bug("an encryption context has no names", "kms:EncryptionContextKeys")
def _(patch):
    key = "kms:encryptioncontextkeys"
    relation(patch, "_of_context", lambda spaces: [[spaces.absent(key)]] if spaces.has(key) else [])


@bug("every request has an address", "aws:SourceIp")
def _(patch):
    key = "aws:sourceip"
    relation(patch, "_of_network", lambda spaces: [[spaces.present(key)]] if spaces.has(key) else [])


@bug("no service is ever in between", "aws:ViaAWSService", "kms:ViaService")
def _(patch):
    key = "aws:viaawsservice"
    false = lambda spaces: [[relations._true(spaces, key, are=False)]] if spaces.has(key) else []  # noqa: E731
    relation(patch, "_of_services", false)


@bug("only a service has tags", "aws:PrincipalTag/team")
def _(patch):
    key = "aws:principaltag/team"
    services = lambda spaces: [[spaces.absent(key), spaces.called_by(lambda c: c.is_service)]]  # noqa: E731
    relation(patch, "_of_services", lambda spaces: services(spaces) if spaces.has(key) else [])


# --- the search -------------------------------------------------------------------------------------------------------


@bug("only the first term of a clause is tried", "aws:SecureTransport", "aws:ViaAWSService", kind="tangled")
def _(patch):
    right = Search.solve

    def solve(self, domains, clauses):
        found = list(domains)
        left = solver._propagated(found, [clause.terms for clause in clauses])
        if left:
            solver._take(found, left[0][0])
            return right(self, found, [Clause(terms[:1]) for terms in left])
        return None if left is None else found

    patch.setattr(Search, "solve", solve)


@bug("a search that was given up found nothing", TENANT, "aws:SourceVpce", "aws:username")
def _(patch):
    right = Search.solve

    def solve(self, domains, clauses):
        self._left = min(self._left, 1)
        try:
            return right(self, domains, clauses)
        except TooLong:
            return None

    patch.setattr(Search, "solve", solve)


@bug("texts are searched for a few steps only", "aws:PrincipalArn")
def _(patch):
    wrapped(patch, callers, "words", lambda found: found[:3])
