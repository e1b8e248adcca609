# SPDX-License-Identifier: Apache-2.0
"""Is there a request that is allowed? Searched over all of them, and proved, shown, or left open.

1. Every request becomes a choice of cases (`space`), every policy a set of clauses over them (`encoding`).
2. For each action and each Allow, or grant, the search looks for cases that satisfy all clauses. First without any
   assumption about what could not be read.
3. What it finds is made a real request, and `evaluate` decides that. Only what it allows is a witness.
4. Where nothing is found, the search tries again with every assumption free. If there is nothing even then, this Allow
   is closed; else the question stays undecided.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from strongroom.errors import StrongroomError
from strongroom.ids import KeyArn
from strongroom.keypolicy.context import Call, EnclavePcrs, NitroTpmPcrs, kms_request
from strongroom.keypolicy.decision import Outcome
from strongroom.keypolicy.evaluate import evaluate
from strongroom.keypolicy.operations import CREATE_GRANT, OPERATIONS
from strongroom.keypolicy.symbolic.answer import Answer, Closed, Doubt, Impossible, Undecided, Witness
from strongroom.keypolicy.symbolic.demands import OPENS, pcr_is
from strongroom.keypolicy.symbolic.encoding import Encoding, Way
from strongroom.keypolicy.symbolic.patterns import Unreadable
from strongroom.keypolicy.symbolic.proof import closing
from strongroom.keypolicy.symbolic.question import Question
from strongroom.keypolicy.symbolic.relations import domains, habits, relations
from strongroom.keypolicy.symbolic.resource import RESOURCE
from strongroom.keypolicy.symbolic.solver import MAX_STEPS, Clause, Search, Settled, Term, TooLong, settled
from strongroom.keypolicy.symbolic.space import CALLER, DOCUMENT, ENCLAVE, NITROTPM, NONE, Space, space_of
from strongroom.keypolicy.symbolic.variables import merged
from strongroom.keypolicy.symbolic.witness import Found, call_of

_PROOF_STEPS = 300
"""Branches for making the proofs of one action short. It is apart from the search: a long proof is a proof, too."""


def decide(question: Question, actions: Sequence[str]) -> Answer:
    """Answer whether some request for one of these actions is allowed without an allowed document."""
    try:
        space = space_of(question, actions)
    except Unreadable as error:
        return Undecided((Doubt("every action", "every policy", "", str(error)),))
    unallowed = tuple(_without_allowed_document(space))
    closed: list[Closed] = []
    doubts: list[Doubt] = []
    for action in actions:
        for found in _Action(space, action, unallowed).answers():
            if isinstance(found, Witness):
                return found
            if isinstance(found, Closed):
                closed.append(found)
            else:
                doubts.append(found)
    return Undecided(tuple(dict.fromkeys(doubts))) if doubts else Impossible(tuple(dict.fromkeys(closed)))


def _without_allowed_document(space: Space) -> Iterator[Clause]:
    """Yield that the document is none of NitroTPM, or differs in some PCR from each tuple that is allowed."""
    other = (space.document(NONE, ENCLAVE),)
    allowed = space.question.allowed
    if allowed is None:
        yield Clause((other,))
        return
    differs = {pair: (space.demand(pcr_is(*pair), met=False),) for each in allowed for pair in each.items()}
    for each in allowed:
        yield Clause((other, *(differs[pair] for pair in each.items())))


class _Action:
    """The search for one action."""

    def __init__(self, space: Space, action: str, unallowed: Sequence[Clause]) -> None:
        self._space, self._action = space, action
        self._search, self._proofs = Search(), Search(_PROOF_STEPS)
        self._encoding = Encoding(space, action)
        self._domains = domains(space, action)
        attested = unallowed if OPERATIONS[action].attested else ()
        self._common = [*self._encoding.common(), *relations(space, action), *attested]
        if action == CREATE_GRANT:
            self._common.append(Clause(((space.demand(OPENS),),)))
        # What all ways have in common is settled once.
        self._surely = settled(self._domains, [*map(self._sure, self._common), *habits(space)])
        self._perhaps = settled(self._domains, self._common)

    def answers(self) -> Iterator[Witness | Closed | Doubt]:
        """Yield what becomes of each Allow and each grant: a witness ends the search."""
        closed: dict[str, dict[str, None]] = {}
        for way in self._encoding.ways():
            try:
                found = self._followed(way)
            except TooLong:
                found = Doubt(self._action, way.allow, "", f"the search was given up after {MAX_STEPS} steps")
            if found is None:
                closed.setdefault(way.allow, {}).update(dict.fromkeys(self._closing(way)))
            else:
                yield from [found] if isinstance(found, Witness | Doubt) else found
        yield from (Closed(self._action, allow, tuple(by)) for allow, by in closed.items())

    def _followed(self, way: Way) -> Witness | Doubt | list[Doubt] | None:
        """Return a witness, or what is doubtful; None when nothing can come this way."""
        sure = [self._sure(each) for each in way.clauses]
        solution = self._solved(self._surely, sure) or self._solved(self._perhaps, way.clauses)
        if solution is None:
            return None
        found = self._confirmed(solution, way)
        if isinstance(found, Witness):
            return found
        space = self._space
        assumed = [at for at in space.origin if solution[at] != space.variables[at].every]
        doubts = [Doubt(self._action, *space.origin[at], space.variables[at].assumption) for at in assumed]
        return doubts or Doubt(self._action, way.allow, "", found)

    def _solved(self, start: Settled | None, clauses: Sequence[Clause]) -> list[int] | None:
        if start is None:
            return None
        narrowed, left = start
        return self._search.solve(narrowed, [*left, *clauses])

    def _closing(self, way: Way) -> tuple[str, ...]:
        return closing(self._proofs, self._domains, [*self._common, *way.clauses])

    def _sure(self, clause: Clause) -> Clause:
        return Clause(tuple(filter(self._is_sure, clause.terms)), clause.of)

    def _is_sure(self, term: Term) -> bool:
        """Tell whether a term needs no assumption."""
        variables = self._space.variables
        return not any(variables[at].assumption and cases != variables[at].every for at, cases in term)

    def _confirmed(self, solution: Sequence[int], way: Way) -> Witness | str:
        """Make a solution a request and ask `evaluate`. Returns why it is no witness where it is none."""
        found = self._found(solution, way)
        try:
            call = call_of(found)
            request = kms_request(call)
        except (StrongroomError, ValueError, OverflowError) as error:
            return f"a request that it may allow has facts that do not go together: {error}"
        question = self._space.question
        if _has_allowed_document(call, question):
            return "a request that it may allow has an allowed document when it is made"
        decision = evaluate(
            request,
            key_policy=question.policy,
            identity_policies=question.identity_policies,
            grants=question.grants,
            guardrails=question.guardrails,
        )
        if decision.outcome is not Outcome.ALLOWED:
            return f"it may allow a request that is denied when it is made: {decision.reason}"
        return Witness(call, request, decision)

    def _found(self, solution: Sequence[int], way: Way) -> Found:
        space = self._space
        first = [(cases & -cases).bit_length() - 1 for cases in solution]
        facts = merged(variable.cases[at] for variable, at in zip(space.variables, first, strict=True))
        names = {each.name: at for each, at in zip(space.variables, first, strict=True)}
        kinds = {NONE: None, ENCLAVE: EnclavePcrs, NITROTPM: NitroTpmPcrs}
        parents = (grant for grant in space.question.grants if way.allow == f"grant {grant.grant_id}")
        return Found(
            self._action,
            space.callers[names[CALLER]],
            KeyArn(facts.pop(RESOURCE)[0]),
            kinds[facts.pop(DOCUMENT)[0]],
            facts,
            frozenset(key for key, _ in space.asked_keys()),
            next(parents, None),
        )


def _has_allowed_document(call: Call, question: Question) -> bool:
    if not isinstance(call.attestation, NitroTpmPcrs):
        return False
    pcrs = call.attestation.pcrs
    return question.allowed is None or any(
        all(pcrs.get(index) == value for index, value in each.items()) for each in question.allowed
    )
