# SPDX-License-Identifier: Apache-2.0
"""Every request that a question is about, as variables: the caller, the key, the document, and each condition key.

Only what some policy or grant asks about becomes a variable: the rest of a request changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from strongroom.keypolicy.caller_facts import identity_facts
from strongroom.keypolicy.conditions import Condition
from strongroom.keypolicy.kms_keys import ENCRYPTION_CONTEXT
from strongroom.keypolicy.model import Statement
from strongroom.keypolicy.principals import Caller, Principals, Reach
from strongroom.keypolicy.symbolic.callers import CALLER_KEYS, Asked, representative_callers
from strongroom.keypolicy.symbolic.candidates import GROUPS, Sketch, cases_of
from strongroom.keypolicy.symbolic.demands import CONTEXT_KEYS, Demand, demands, has_context_key
from strongroom.keypolicy.symbolic.patterns import Unreadable
from strongroom.keypolicy.symbolic.question import Question
from strongroom.keypolicy.symbolic.reading import Reading, read_condition
from strongroom.keypolicy.symbolic.resource import RESOURCE, depends_on_request, key_cases
from strongroom.keypolicy.symbolic.variables import CaseTest, Literal, Variable
from strongroom.keypolicy.variables import Context

CALLER, DOCUMENT = "(caller)", "(document)"
"""Names of variables that are no condition keys."""
NONE, ENCLAVE, NITROTPM = "none", "enclave", "NitroTPM"
"""The kinds of document."""
RESOURCE_ACCOUNT = "aws:resourceaccount"
_CONTEXT = ENCRYPTION_CONTEXT.lower()


@dataclass(slots=True)
class Space:
    """The variables of a question, and what is asked of them as literals."""

    question: Question
    callers: list[Caller] = field(default_factory=list)
    variables: list[Variable] = field(default_factory=list)
    origin: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Statement and condition of each assumption."""
    _at: dict[str, int] = field(default_factory=dict)
    _conditions: dict[int, int] = field(default_factory=dict)
    """Where the cases are in which a condition holds, by the identity of the condition."""
    _holding: dict[int, int] = field(default_factory=dict)

    def has(self, key: str) -> bool:
        """Tell whether a condition key is asked about, and has cases that can be told apart."""
        return key in self._at and not self.variables[self._at[key]].assumption

    def asked_keys(self) -> Iterator[tuple[str, int]]:
        """Return the condition keys of which that is true, with their variables."""
        return ((key, at) for key, at in self._at.items() if not key.startswith("(") and self.has(key))

    def where(self, key: str, test: CaseTest) -> Literal:
        """Return the literal that a test is true of a key's case."""
        at = self._at[key]
        return Literal(at, self.variables[at].where(test))

    def present(self, key: str) -> Literal:
        """Return the literal that a condition key is there."""
        return self.where(key, lambda facts: key in facts)

    def absent(self, key: str) -> Literal:
        """Return the literal that a condition key is missing."""
        return self.where(key, lambda facts: key not in facts)

    def called_by(self, test: Callable[[Caller], bool]) -> Literal:
        """Return the literal that a test is true of the caller."""
        return Literal(self._at[CALLER], sum(1 << at for at, each in enumerate(self.callers) if test(each)))

    def document(self, *kinds: str) -> Literal:
        """Return the literal that the document is of one of these kinds."""
        return self.where(DOCUMENT, lambda facts: facts[DOCUMENT][0] in kinds)

    def reached(self, principals: Principals | None, *reaches: Reach) -> Literal:
        """Return the literal that a statement's principals cover the caller in one of these ways."""
        if principals is None:
            return self.called_by(lambda _: Reach.DIRECT in reaches)
        return self.called_by(lambda caller: principals.reach(caller) in reaches)

    def covered(self, statement: Statement, *, holds: bool = True) -> Literal:
        """Return the literal that a statement's Resource covers the key, or that it does not."""
        resources = statement.resources
        if id(resources) in self._conditions:
            return Literal(self._conditions[id(resources)], 1 if holds else 2)
        return self.where(RESOURCE, lambda facts: resources.covers(facts[RESOURCE][0], {}) is holds)

    def condition(self, condition: Condition, *, holds: bool = True) -> Literal:
        """Return the literal that a condition holds, or that it does not."""
        at = self._conditions[id(condition)]
        cases = self._holding[id(condition)]
        return Literal(at, cases if holds else self.variables[at].every & ~cases)

    def demand(self, demand: Demand, *, met: bool = True) -> Literal:
        """Return the literal that a demand is met, or that it is not. What cannot be expressed may be both."""
        at = self._at[demand.key]
        if self.variables[at].assumption:
            return Literal(at, self.variables[at].every)
        return self.where(demand.key, lambda facts: demand.holds(facts) is met)

    def add(self, name: str, cases: tuple[Context, ...], assumption: str = "") -> int:
        """Add a variable and return its number."""
        self.variables.append(Variable(name, cases, assumption))
        return self._at.setdefault(name, len(self.variables) - 1)

    def assume(self, statement: Statement, condition: str, thing: object, why: str) -> None:
        """Add an assumption: a condition, or a Resource element, of which nothing is known."""
        self.variables.append(Variable(condition, ({}, {}), why))
        at = len(self.variables) - 1
        self.origin[at] = (f"statement {statement.label}", condition)
        self._conditions[id(thing)], self._holding[id(thing)] = at, 1

    def place(self, readings: Iterable[Reading], at: int) -> None:
        """Say that these conditions are about this variable."""
        for each in readings:
            self._conditions[id(each.condition)] = at
            self._holding[id(each.condition)] = self.variables[at].where(each.condition.holds)

    def alias(self, keys: Iterable[str], at: int) -> None:
        """Say that these condition keys are of this variable."""
        self._at.update(dict.fromkeys(keys, at))


def space_of(question: Question, actions: Sequence[str]) -> Space:
    """Build the space of a question about these actions. Raises Unreadable where there are too many cases of callers.

    Statements about other actions say nothing of it.
    """
    space = Space(question)
    readings: dict[tuple[str, ...], list[Reading]] = {}
    owners: dict[int, Statement] = {}
    statements = [each for each in question.statements if any(each.actions.covers(name.lower()) for name in actions)]
    for statement in statements:
        if depends_on_request(statement.resources):
            space.assume(statement, "Resource", statement.resources, "a policy variable stands in it")
        for condition in statement.conditions:
            owners[id(condition)] = statement
            try:
                reading = read_condition(condition)
                reading.patterns()
            except Unreadable as error:
                space.assume(statement, f"{condition.operator} {condition.key}", condition, str(error))
            else:
                readings.setdefault(_group(condition.lookup), []).append(reading)
    _add_callers(space, statements, readings.pop((CALLER,), []))
    space.add(RESOURCE, key_cases(question, [each.resources for each in statements]))
    space.add(DOCUMENT, tuple({DOCUMENT: (kind,)} for kind in (NONE, ENCLAVE, NITROTPM)))
    asked = demands(question)
    if (CONTEXT_KEYS,) in readings or any(each.key == CONTEXT_KEYS for each in asked):
        contexts = {key for group in readings for key in group} | {each.key for each in asked}
        names = sorted(key.removeprefix(_CONTEXT) for key in contexts if key.startswith(_CONTEXT))
        asked += map(has_context_key, names)
    for keys in dict.fromkeys([*readings, *(_group(each.key) for each in asked)]):
        sketch = Sketch(keys, readings.get(keys, []), [each for each in asked if each.key in keys])
        _add_keys(space, sketch, owners)
    return space


def _group(key: str) -> tuple[str, ...]:
    return (CALLER,) if key in CALLER_KEYS else GROUPS.get(key, (key,))


def _add_keys(space: Space, sketch: Sketch, owners: dict[int, Statement]) -> None:
    try:
        cases = _account_case(space) if sketch.keys == (RESOURCE_ACCOUNT,) else cases_of(sketch)
    except Unreadable as error:
        for each in sketch.readings:
            condition = each.condition
            space.assume(owners[id(condition)], f"{condition.operator} {condition.key}", condition, str(error))
        if sketch.demands:
            space.alias(sketch.keys, space.add(sketch.keys[0], ({},), str(error)))
        return
    at = space.add(sketch.keys[0], cases)
    space.alias(sketch.keys, at)
    space.place(sketch.readings, at)


def _account_case(space: Space) -> tuple[Context, ...]:
    return ({RESOURCE_ACCOUNT: (str(space.question.key_account),)},)


def _add_callers(space: Space, statements: list[Statement], readings: list[Reading]) -> None:
    question = space.question
    elements = [each.principals for each in statements if each.principals is not None]
    single = [grant.grantee for grant in question.grants]
    named = frozenset({*single, *(member for each in elements for member in each.members)})
    accounts = frozenset({question.key_account, *(grant.issuing_account for grant in question.grants)})
    told: dict[tuple[object, ...], Caller] = {}
    for caller in representative_callers(Asked(readings, named, accounts)):
        facts = identity_facts(caller)
        traits = (caller.is_service, caller.is_root_user, caller.is_federated_user, caller.is_service_linked)
        told.setdefault(
            (
                *traits,
                *(caller.account == account for account in accounts),
                *(each.condition.holds(facts) for each in readings),
                *(each.reach(caller) for each in elements),
                *(each.reach(caller) for each in single),
            ),
            caller,
        )
    space.callers = list(told.values())
    at = space.add(CALLER, tuple(identity_facts(caller) for caller in space.callers))
    space.place(readings, at)
