# SPDX-License-Identifier: Apache-2.0
"""How `strongroom key` hands out a policy that it made: to a file or stdout, with what a person should know of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import click
from rich.console import Console

from strongroom.cli.findings import finding_members, flag_lines
from strongroom.cli.output import console, emit, error_console, print_line
from strongroom.errors import Finding
from strongroom.flows.files import PUBLIC_MODE, write_file
from strongroom.keypolicy.model import KeyPolicy, encode_key_policy


def emit_policy(
    policy: KeyPolicy,
    output: Path | None,
    *,
    lines: Iterable[str],
    flags: Sequence[Finding],
    members: Mapping[str, object],
    as_json: bool,
) -> None:
    """Write a policy, and `lines` and `flags` for a person, or everything as one JSON object. Raises LocalFault."""
    text = encode_key_policy(policy)
    if output is not None:
        write_file(output, f"{text}\n".encode(), mode=PUBLIC_MODE)
    elif not as_json:
        click.echo(text)

    def say(_: Console) -> None:
        out = console() if output else error_console()  # stdout carries the policy itself
        wrote = [f"Wrote {output}"] if output else []
        for line in (*wrote, *lines, *flag_lines(flags)):
            print_line(out, line)

    findings = [finding_members(flag) for flag in flags]
    emit({"policy": json.loads(text), "findings": findings, **members}, as_json=as_json, human=say)
