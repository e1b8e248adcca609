# SPDX-License-Identifier: Apache-2.0
"""Several keys in one command: each is reported by itself, and one that fails does not keep the others waiting."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from strongroom.cli.error_text import describe, error_lines
from strongroom.cli.findings import finding_members, flag_lines
from strongroom.cli.output import console, error_console, print_line
from strongroom.errors import Finding, StrongroomError
from strongroom.formats.project_model import Target, Tenant
from strongroom.ids import Region


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Which key: of a tenant in a region, or, without a tenant, the escrow key."""

    tenant: Tenant | None
    region: Region

    def __str__(self) -> str:
        return f"{self.tenant.id if self.tenant else 'escrow'} {self.region}"


@dataclass(frozen=True, slots=True)
class KeyReport:
    """What became of one key."""

    members: Mapping[str, object]
    lines: Sequence[str]
    flags: Sequence[Finding] = field(default=())


def run_batch(target: Target, places: Sequence[KeyPlace], do: Callable[[KeyPlace], KeyReport], *, as_json: bool) -> int:
    """Do it for each place, print all results, and return the exit code: that of the first key that failed, or 0.

    Only errors of `strongroom.errors` are results; an interruption ends the command.
    """
    outcomes: list[tuple[KeyPlace, KeyReport | StrongroomError]] = []
    for place in places:
        outcome = _outcome(place, do)
        outcomes.append((place, outcome))
        if not as_json:
            _show(place, outcome)
    failed = [outcome for _, outcome in outcomes if isinstance(outcome, StrongroomError)]
    if as_json:
        keys = [_members(place, outcome) for place, outcome in outcomes]
        about = {"ok": not failed, "target": target.name, "account": target.vendor_account, "keys": keys}
        sys.stdout.write(json.dumps(about) + "\n")
    elif failed and len(places) > 1:
        error_console().print(f"{len(failed)} of {len(places)} keys failed.", markup=False)
    return failed[0].exit_code if failed else 0


def _outcome(place: KeyPlace, do: Callable[[KeyPlace], KeyReport]) -> KeyReport | StrongroomError:
    try:
        return do(place)
    except StrongroomError as error:
        return error


def _members(place: KeyPlace, outcome: KeyReport | StrongroomError) -> dict[str, object]:
    named: dict[str, object] = {"tenant": place.tenant.id if place.tenant else None, "region": place.region}
    if isinstance(outcome, StrongroomError):
        return named | describe(outcome)
    return named | {"ok": True, "findings": [finding_members(flag) for flag in outcome.flags], **outcome.members}


def _show(place: KeyPlace, outcome: KeyReport | StrongroomError) -> None:
    if isinstance(outcome, StrongroomError):
        for line in error_lines(str(place), outcome):
            error_console().print(line, markup=False)
        return
    out = console()
    for line in (str(place), *outcome.lines, *flag_lines(outcome.flags)):
        print_line(out, line)
