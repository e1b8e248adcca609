# SPDX-License-Identifier: Apache-2.0
"""The rules that bind a request's parts: each leaves exactly the combinations of cases that a request can have."""

from itertools import product

import pytest

from strongroom.keypolicy.model import parse_key_policy
from strongroom.keypolicy.symbolic.demands import GRANT_OPERATIONS_KEY
from strongroom.keypolicy.symbolic.question import Question
from strongroom.keypolicy.symbolic.relations import domains, habits, relations
from strongroom.keypolicy.symbolic.space import DOCUMENT, ENCLAVE, NITROTPM, space_of
from strongroom.keypolicy.symbolic.variables import merged

ATTESTATION, CONTEXT = "kms:recipientattestation:", "kms:encryptioncontext:"
TYPE, NAMES = "kms:grantconstrainttype", "kms:encryptioncontextkeys"
VIA, FOR_RESOURCE, BY_SERVICE = "kms:viaservice", "kms:grantisforawsresource", "aws:viaawsservice"
CHAIN = ("aws:calledvia", "aws:calledviafirst", "aws:calledvialast")
TRUE = ("true",)


def only_with(document, *keys):
    return lambda facts: facts[DOCUMENT] == (document,) or not any(key in facts for key in keys)


def together(*keys):
    return lambda facts: len({key in facts for key in keys}) == 1


def names_the_context(facts):
    return (f"{CONTEXT}a" in facts) == ("a" in {name.lower() for name in facts.get(NAMES, ())})


def no_service(key):
    return lambda facts: key not in facts or facts["aws:principalisawsservice"] != TRUE


def by_service(*causes):
    """Say that a service is in between exactly when one of these keys is there."""
    return lambda facts: facts.get(BY_SERVICE) == (str(any(key in facts for key in causes)).lower(),)


def called(facts):
    return facts.get(BY_SERVICE) in (TRUE, ("false",)) and not (CHAIN[0] in facts and facts[BY_SERVICE] != TRUE)


def for_resource(facts):
    return facts.get(FOR_RESOURCE) == ("true" if VIA in facts else "false",)


def one_grantee(facts):
    return ("kms:granteeprincipal" in facts) != ("kms:granteeserviceprincipal" in facts)


def one_to_retire(facts):
    return not ("kms:retiringprincipal" in facts and "kms:retiringserviceprincipal" in facts)


RULES = [
    ("Decrypt", [f"{ATTESTATION}nitrotpmpcr4"], only_with(NITROTPM, f"{ATTESTATION}nitrotpmpcr4")),
    ("Decrypt", [f"{ATTESTATION}pcr1"], only_with(ENCLAVE, f"{ATTESTATION}pcr1")),
    ("Decrypt", [f"{ATTESTATION}imagesha384"], only_with(ENCLAVE, f"{ATTESTATION}imagesha384")),
    ("Decrypt", [f"{CONTEXT}a", NAMES], names_the_context),
    ("CreateGrant", [f"{CONTEXT}a", TYPE], lambda facts: f"{CONTEXT}a" not in facts or TYPE in facts),
    ("Decrypt", ["aws:multifactorauthpresent"], no_service("aws:multifactorauthpresent")),
    ("Decrypt", ["aws:principaltag/team"], no_service("aws:principaltag/team")),
    ("CreateGrant", [FOR_RESOURCE, VIA], for_resource),
    ("Decrypt", [BY_SERVICE, VIA, CHAIN[0]], by_service(VIA, CHAIN[0])),
    ("Decrypt", [BY_SERVICE, CHAIN[0]], called),
    ("Decrypt", CHAIN, together(*CHAIN)),
    ("Decrypt", CHAIN[1:], together(*CHAIN[1:])),
    ("Decrypt", ["aws:sourceip", "aws:sourcevpce"], lambda facts: not {"aws:sourceip", "aws:sourcevpce"} <= set(facts)),
    (
        "Decrypt",
        ["kms:multiregionkeytype", "kms:multiregion"],
        lambda facts: ("kms:multiregionkeytype" in facts) == (facts.get("kms:multiregion") == TRUE),
    ),
    ("GenerateDataKey", ["kms:encryptionalgorithm"], lambda facts: "kms:encryptionalgorithm" in facts),
    ("CreateGrant", [], lambda facts: GRANT_OPERATIONS_KEY in facts),
    ("CreateGrant", ["kms:granteeprincipal", "kms:granteeserviceprincipal"], one_grantee),
    ("CreateGrant", ["kms:retiringprincipal", "kms:retiringserviceprincipal"], one_to_retire),
]
"""An action, the condition keys that a policy asks about, and what the rule leaves of their cases."""


def space_about(world, action, keys):
    """Return the space of a policy that asks whether keys are there, and for one name of the encryption context."""
    asked = {"Null": dict.fromkeys(keys, "true")} if keys else {}
    if NAMES in keys:
        asked["ForAnyValue:StringEquals"] = {NAMES: "a"}
    policy = parse_key_policy(world.document(world.statement(Condition=asked)))
    return space_of(Question.of(policy, key_account=world.vendor_account), [action])


def every_case(space, action):
    """Yield each combination of cases, as numbers, that the action's parameters leave."""
    left = domains(space, action)
    for chosen in product(*(range(len(each.cases)) for each in space.variables)):
        if all(1 << at & cases for at, cases in zip(chosen, left, strict=True)):
            yield chosen


def satisfies(chosen, clause):
    return any(all(1 << chosen[literal.variable] & literal.cases for literal in term) for term in clause.terms)


@pytest.mark.parametrize("row", RULES, ids=lambda row: f"{row[0]} {' '.join(row[1])}")
def test_a_rule_leaves_what_a_request_can_have_and_nothing_else(world, row):
    action, keys, rule = f"kms:{row[0]}", row[1], row[2]
    space = space_about(world, action, keys)
    clauses = [*relations(space, action), *habits(space)]
    answers = set()
    for chosen in every_case(space, action):
        facts = merged(each.cases[at] for each, at in zip(space.variables, chosen, strict=True))
        expected = rule(facts) and (action != "kms:CreateGrant" or GRANT_OPERATIONS_KEY in facts)
        assert all(satisfies(chosen, clause) for clause in clauses) is expected, facts
        answers.add(expected)
    assert answers == {True, False}
