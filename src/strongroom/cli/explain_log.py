# SPDX-License-Identifier: Apache-2.0
"""`strongroom explain` for a document and an event log alone: whether the log is of the document's boot."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from rich.console import Console

from strongroom.appraisal.endorsements import NitroRoots
from strongroom.cli.boot_accounts import Sources, read_document, read_log
from strongroom.cli.explain_output import explanation_facts, listed
from strongroom.cli.output import emit, print_line
from strongroom.measure.explain.difference import Component, Difference, Explanation, Grounds
from strongroom.measure.explain.log_of_boot import LogOfBoot, log_of_boot

_OF_ANOTHER_BOOT = 1


def asks_for_the_log(sources: Sources) -> bool:
    """Tell whether one document and one log were given, and nothing else."""
    given = {kind: len(paths) for kind, paths in sources.items() if isinstance(paths, tuple) and paths}
    return given == {"document": 1, "event_log": 1}


def explain_log(sources: Sources, *, roots: NitroRoots, as_json: bool) -> int:
    """Say whether the log is of the document's boot. Returns the exit code."""
    document, log = read_document(sources["document"][0], roots), read_log(sources["event_log"][0])
    found = log_of_boot(log.log, document.pcrs)
    contradictions = tuple(_contradictions(found, log.account.name))
    explanation = Explanation(
        reference=document.name,
        seen=log.account.name,
        differences=(*contradictions, *_growth(found)),
        same=found.leads_to,
        unknown=found.silent,
        notes=document.notes,
    )
    facts = explanation_facts(explanation, moved=contradictions)
    emit(facts, as_json=as_json, human=lambda console: _print(console, explanation, contradictions))
    return _OF_ANOTHER_BOOT if contradictions else 0


def _contradictions(found: LogOfBoot, log: str) -> Iterator[Difference]:
    if found.contradicted:
        sentence = f"{log} is not of this boot: it leads to other values in PCR {listed(found.contradicted)}"
        yield Difference(
            "explain.log-of-another-boot", Component.EVENT_LOG, sentence, found.contradicted, Grounds.PROVEN
        )


def _growth(found: LogOfBoot) -> Iterator[Difference]:
    if found.grown:
        sentence = (
            f"not to PCR {listed(found.grown)}: what was measured after the log's last event is not in it, and what "
            "the log says of these is vouched for by nobody"
        )
        yield Difference("explain.log-ends", Component.RUNNING_SYSTEM, sentence, found.grown, Grounds.INFERRED)


def _print(console: Console, found: Explanation, contradictions: tuple[Difference, ...]) -> None:
    line = partial(print_line, console)

    if not contradictions:
        line(f"{found.seen} is of the boot that {found.reference} shows.")
    for each in contradictions:
        line(f"{each.sentence}.")
    line(f"It leads to PCR {listed(found.same) or 'none'} of {found.reference}.")
    for each in found.differences[len(contradictions) :]:
        line(f"{each.sentence[0].upper()}{each.sentence[1:]}.")
    if found.unknown:
        line(f"It has no event for PCR {listed(found.unknown)}, which hold something; none of them gates.")
    for note in found.notes:
        line(f"note: {note}")
