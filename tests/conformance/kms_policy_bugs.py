# SPDX-License-Identifier: Apache-2.0
"""Bugs that an evaluator of policies can have, each planted into ours: some case of the table has to notice."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from strongroom.keypolicy import conditions, evaluate, hearing, operators, tracing, variables
from strongroom.keypolicy.decision import DecidedBy, StatementTrace
from strongroom.keypolicy.grants import Grant
from strongroom.keypolicy.model import Effect
from strongroom.keypolicy.operations import OPERATIONS, Operation
from strongroom.keypolicy.operators import NULL, OPERATORS, Quantifier
from strongroom.keypolicy.patterns import Exact, plain_text, wildcard
from strongroom.keypolicy.principals import Caller, Principal, PrincipalKind, Principals, Reach, Sense
from strongroom.keypolicy.selection import Actions, Resources

BUGS: dict[str, Callable[..., None]] = {}


def bug(name):
    """Register a planter: it gets pytest's monkeypatch."""

    def registered(plant):
        BUGS[name] = plant
        return plant

    return registered


def changed_operator(patch, name, **changes):
    patch.setitem(OPERATORS, name, replace(OPERATORS[name], **changes))


def like(values):
    compiled = [wildcard(*value).fullmatch for value in values]
    return lambda text: any(match(text) for match in compiled)


# --- operators and missing keys ---------------------------------------------------------------------------------------


def missing_is(patch, answer):
    """Answer for a missing key with `answer(use)`, and None for what is right."""
    right = conditions._with_missing

    def wrong(use, test):
        other, known = answer(use), right(use, test)
        return known if other is None else lambda seen: test(seen) if seen else other

    patch.setattr(conditions, "_with_missing", wrong)


@bug("IfExists is ignored")
def _(patch):
    missing_is(patch, lambda use: use.operator.negated if use.if_exists and use.quantifier is None else None)


@bug("a negated operator is false for a missing key")
def _(patch):
    missing_is(patch, lambda use: False if use.operator.negated and not use.if_exists else None)


@bug("a positive operator is true for a missing key")
def _(patch):
    missing_is(patch, lambda use: True if use.quantifier is None else None)


@bug("ForAllValues is false for a missing key")
def _(patch):
    missing_is(patch, lambda use: False if use.quantifier is Quantifier.ALL else None)


@bug("ForAnyValue is true for a missing key")
def _(patch):
    missing_is(patch, lambda use: True if use.quantifier is Quantifier.ANY else None)


@bug("ForAnyValue is taken for ForAllValues")
def _(patch):
    right = conditions._quantified
    patch.setattr(conditions, "_quantified", lambda use, test: right(replace(use, quantifier=Quantifier.ALL), test))


@bug("ForAllValues is taken for ForAnyValue")
def _(patch):
    right = conditions._quantified
    patch.setattr(conditions, "_quantified", lambda use, test: right(replace(use, quantifier=Quantifier.ANY), test))


@bug("a negated operator holds when one value differs")
def _(patch):
    right = conditions._values_test

    def wrong(use, values):
        if not use.operator.negated:
            return right(use, values)
        each = [right(use, (value,)) for value in values]
        return lambda seen: any(test(seen) for test in each) if each else right(use, values)(seen)

    patch.setattr(conditions, "_values_test", wrong)


@bug("Null is the wrong way round")
def _(patch):
    right = NULL.compile
    changed_operator(patch, "Null", compile=lambda values: lambda seen: not right(values)(seen))
    patch.setattr(conditions, "NULL", OPERATORS["Null"])


@bug("StringEquals ignores case")
def _(patch):
    changed_operator(patch, "StringEquals", compile=operators._equals_ignore_case)


@bug("StringEquals takes wildcards")
def _(patch):
    changed_operator(patch, "StringEquals", compile=like)


@bug("StringEqualsIgnoreCase takes case into account")
def _(patch):
    changed_operator(patch, "StringEqualsIgnoreCase", compile=operators._equals)


@bug("StringLike takes no wildcards")
def _(patch):
    changed_operator(patch, "StringLike", compile=operators._equals)


@bug("StringLike ignores case")
def _(patch):
    changed_operator(
        patch,
        "StringLike",
        compile=lambda values: lambda text: like(tuple((plain_text(v).lower(),) for v in values))(text.lower()),
    )


@bug("a star in an ARN reaches over colons")
def _(patch):
    for name in ("ArnLike", "ArnEquals"):
        changed_operator(patch, name, compile=like)


@bug("ArnEquals takes no wildcards")
def _(patch):
    changed_operator(patch, "ArnEquals", compile=operators._equals)


@bug("ArnNotEquals is not negated")
def _(patch):
    changed_operator(patch, "ArnNotEquals", negated=False)


@bug("DateLessThan includes its bound")
def _(patch):
    changed_operator(patch, "DateLessThan", compile=OPERATORS["DateLessThanEquals"].compile)


@bug("NumericGreaterThan includes its bound")
def _(patch):
    changed_operator(patch, "NumericGreaterThan", compile=OPERATORS["NumericGreaterThanEquals"].compile)


@bug("numbers are compared as texts")
def _(patch):
    changed_operator(patch, "NumericEquals", compile=operators._equals)


@bug("NotIpAddress is not negated")
def _(patch):
    changed_operator(patch, "NotIpAddress", negated=False)


@bug("Bool is always true")
def _(patch):
    changed_operator(patch, "Bool", compile=lambda _: lambda __: True)


@bug("the conditions of a block are an OR")
def _(patch):
    right = tracing._missed_conditions

    def wrong(statement, context):
        missed = right(statement, context)
        return missed if len(missed) == len(statement.conditions) else ()

    patch.setattr(tracing, "_missed_conditions", wrong)


@bug("names of condition keys are case-sensitive")
def _(patch):
    right = conditions._parse_condition

    def wrong(name, key, node):
        found = right(name, key, node)
        prefix = key[: len(found.key)]
        return found if prefix == found.key else replace(found, holds=lambda _: False)

    patch.setattr(conditions, "_parse_condition", wrong)


@bug("what only identity policies know counts in key policies")
def _(patch):
    patch.setattr(conditions, "_identity_only", lambda _: False)


# --- variables --------------------------------------------------------------------------------------------------------


@bug("a variable without a value is an empty text")
def _(patch):
    right = variables._part

    def wrong(match):
        part = right(match)
        return replace(part, default=part.default or "") if isinstance(part, variables.Variable) else part

    patch.setattr(variables, "_part", wrong)


@bug("a default is used although there is a value")
def _(patch):
    right = variables.Template.filled

    def wrong(self, context):
        defaulted = {part.lookup for part in self.parts if getattr(part, "default", None) is not None}
        return right(self, {name: values for name, values in context.items() if name not in defaulted})

    patch.setattr(variables.Template, "filled", wrong)


@bug("defaults are ignored")
def _(patch):
    right = variables._part

    def wrong(match):
        part = right(match)
        return replace(part, default=None) if isinstance(part, variables.Variable) else part

    patch.setattr(variables, "_part", wrong)


@bug("wildcards in a variable's value are alive")
def _(patch):
    right = variables.Template.filled

    def wrong(self, context):
        filled = right(self, context)
        return filled and tuple(piece.text if isinstance(piece, Exact) else piece for piece in filled)

    patch.setattr(variables.Template, "filled", wrong)


@bug("${*} is a wildcard")
def _(patch):
    right = variables._part
    patch.setattr(variables, "_part", lambda match: match["special"] or right(match))


@bug("variables are plain text")
def _(patch):
    patch.setattr(variables, "_VARIABLE", re.compile("(?!)"))
    patch.setattr(variables, "_literal", lambda text: text)


# --- elements and principals ------------------------------------------------------------------------------------------


@bug("NotAction is taken for Action")
def _(patch):
    patch.setattr(Actions, "covers", lambda self, action: self.matches(action))


@bug("NotResource is taken for Resource")
def _(patch):
    patch.setattr(Resources, "covers", lambda self, resource, context: self.matches(resource, context))


@bug("resources are ignored")
def _(patch):
    patch.setattr(Resources, "covers", lambda *_: True)


@bug("the account principal names everybody in the account directly")
def _(patch):
    right = Principal._account_reach
    patch.setattr(
        Principal,
        "_account_reach",
        lambda self, who: Reach.DIRECT if right(self, who) is Reach.ACCOUNT else right(self, who),
    )


@bug("the account principal is the root user only")
def _(patch):
    patch.setattr(
        Principal,
        "_account_reach",
        lambda self, who: Reach.DIRECT if who.is_root_user and who.account in self.value else Reach.NONE,
    )


@bug("a session that is named covers every session of its role")
def _(patch):
    right = Principal.reach

    def wrong(self, who):
        if self.kind is PrincipalKind.SESSION and self.value.rpartition("/")[0] == who.arn.rpartition("/")[0]:
            return Reach.DIRECT
        return right(self, who)

    patch.setattr(Principal, "reach", wrong)


@bug("unique ids are ignored")
def _(patch):
    right = Principal.reach
    patch.setattr(
        Principal, "reach", lambda self, who: Reach.NONE if self.kind is PrincipalKind.UNIQUE_ID else right(self, who)
    )


@bug("a service principal covers users whom the service acts for")
def _(patch):
    right = Principal.reach
    patch.setattr(
        Principal, "reach", lambda self, who: Reach.DIRECT if self.kind is PrincipalKind.SERVICE else right(self, who)
    )


@bug("a federated principal covers role sessions")
def _(patch):
    right = Principal.reach
    patch.setattr(
        Principal, "reach", lambda self, who: Reach.DIRECT if self.kind is PrincipalKind.FEDERATED else right(self, who)
    )


@bug("NotPrincipal is taken for Principal")
def _(patch):
    right = Principals.reach
    patch.setattr(Principals, "reach", lambda self, who: right(replace(self, sense=Sense.LISTED), who))


@bug("NotPrincipal spares who is listed without his account")
def _(patch):
    right = Principals.reach

    def wrong(self, who):
        listed = any(member.reach(who) is not Reach.NONE for member in self.members)
        return Reach.NONE if self.sense is Sense.EXCEPT and listed else right(self, who)

    patch.setattr(Principals, "reach", wrong)


# --- the decision -----------------------------------------------------------------------------------------------------


@bug("the first statement that applies decides")
def _(patch):
    def wrong(case):
        first = next((each for each in case.trace if not each.missed), None)
        return None if first is None or first.effect is Effect.ALLOW else right(case)

    right = evaluate._explicitly_denied
    patch.setattr(evaluate, "_explicitly_denied", wrong)


@bug("only the key policy denies")
def _(patch):
    right = evaluate._explicitly_denied

    def wrong(case):
        return right(replace(case, trace=tuple(each for each in case.trace if each.policy is DecidedBy.KEY_POLICY)))

    patch.setattr(evaluate, "_explicitly_denied", wrong)


@bug("an IAM policy is enough in the account of the key")
def _(patch):
    right = evaluate._opened
    patch.setattr(evaluate, "_opened", lambda case: right(case) or (case.own if case.at_home else None))


@bug("the key policy is enough in another account")
def _(patch):
    patch.setattr(evaluate, "_sufficient", lambda _: evaluate._ON_KEY)


@bug("an IAM policy is enough in another account")
def _(patch):
    right = evaluate._opened
    patch.setattr(evaluate, "_opened", lambda case: right(case) or case.own)


@bug("every operation works across accounts")
def _(patch):
    patch.setattr(evaluate, "_not_across_accounts", lambda _: None)


@bug("no operation works across accounts")
def _(patch):
    for name, row in OPERATIONS.items():
        patch.setitem(OPERATIONS, name, Operation(row.name, row.on_key, takes_context=row.takes_context))


@bug("the root user needs identity policies")
def _(patch):
    patch.setattr(Caller, "is_root_user", False)


@bug("a grant beats a Deny")
def _(patch):
    right = evaluate._explicitly_denied

    def wrong(case):
        granted = any(each.policy is DecidedBy.GRANT and not each.missed for each in case.trace)
        return None if granted else right(case)

    patch.setattr(evaluate, "_explicitly_denied", wrong)


@bug("grants are ignored")
def _(patch):
    right = hearing.hear_on_key
    patch.setattr(evaluate, "hear_on_key", lambda request, policy, _: right(request, policy, ()))


@bug("constraints of grants are ignored")
def _(patch):
    patch.setattr(tracing, "_missed_constraints", lambda *_: ())


@bug("EncryptionContextEquals is taken for EncryptionContextSubset")
def _(patch):
    right = tracing._missed_constraints

    def wrong(constraints, request):
        equals = constraints.encryption_context_equals
        loose = (
            replace(constraints, encryption_context_equals=None, encryption_context_subset=equals)
            if equals
            else constraints
        )
        return right(loose, request)

    patch.setattr(tracing, "_missed_constraints", wrong)


@bug("constraints of grants apply to DescribeKey")
def _(patch):
    right = OPERATIONS["kms:DescribeKey"]
    patch.setitem(OPERATIONS, "kms:DescribeKey", replace(right, takes_context=True))


@bug("the retiring principal may use the key")
def _(patch):
    right = tracing.traced_grant

    def wrong(grant, request):
        if grant.retiring and grant.retiring.reach(request.caller) is not Reach.NONE:
            return StatementTrace(DecidedBy.GRANT, grant.grant_id, Effect.ALLOW, Reach.DIRECT, ())
        return right(grant, request)

    patch.setattr(hearing, "traced_grant", wrong)


@bug("a grant's CreateGrant makes any grant")
def _(patch):
    patch.setattr(Grant, "covers", lambda *_: True)


@bug("a grant of the key's account is enough in another")
def _(patch):
    right = tracing.traced_grant
    patch.setattr(
        hearing,
        "traced_grant",
        lambda grant, request: replace(right(grant, request), reach=grant.grantee.reach(request.caller)),
    )


@bug("anybody retires a grant whom a key policy lets")
def _(patch):
    patch.setattr(hearing, "RETIRE_GRANT", "")


@bug("boundaries are ignored")
def _(patch):
    right = evaluate._limit
    patch.setattr(
        evaluate, "_limit", lambda request, trace, rails: right(request, trace, replace(rails, boundary=None))
    )


@bug("session policies are ignored")
def _(patch):
    right = evaluate._limit
    patch.setattr(
        evaluate, "_limit", lambda request, trace, rails: right(request, trace, replace(rails, session_policies=()))
    )


@bug("a boundary limits whom the key policy names directly")
def _(patch):
    right = evaluate._allowed_by_name
    patch.setattr(evaluate, "_allowed_by_name", lambda case: None if case.limit else right(case))


@bug("a boundary does not limit a role whom the key policy names")
def _(patch):
    right = evaluate._allowed_by_name
    patch.setattr(evaluate, "_allowed_by_name", lambda case: right(replace(case, limit=None)))


@bug("a boundary gives permissions")
def _(patch):
    right = evaluate._own_allow

    def wrong(request, trace, limit):
        return right(request, trace, limit) or evaluate._first_allow(trace, (DecidedBy.BOUNDARY,), Reach.DIRECT)

    patch.setattr(evaluate, "_own_allow", wrong)


@bug("a federated user needs no session policy")
def _(patch):
    patch.setattr(Caller, "is_federated_user", False)


@bug("an Allow at one level of the organization is enough")
def _(patch):
    def wrong(case, around):
        kinds = {each.policy for each in case.trace if each.effect is Effect.ALLOW and not each.missed}
        silent = next((layer.kind for layer in around if layer.kind not in kinds), None)
        return None if silent is None else evaluate._not_allowed(case, silent)

    patch.setattr(evaluate, "_not_allowed_around", wrong)


@bug("policies around the request need not allow")
def _(patch):
    patch.setattr(evaluate, "_not_allowed_around", lambda *_: None)


@bug("organizations bind service-linked roles")
def _(patch):
    patch.setattr(Caller, "is_service_linked", False)


@bug("services are of an account like everybody")
def _(patch):
    patch.setattr(
        evaluate._Case, "at_home", property(lambda case: case.request.key_account == case.request.caller.account)
    )


@bug("the policies of the organization are ignored")
def _(patch):
    patch.setattr(evaluate, "layers", lambda *_: [])
