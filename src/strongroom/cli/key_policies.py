# SPDX-License-Identifier: Apache-2.0
"""The policies beside the key's own that `key simulate` and `key explain` are given, as files."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from strongroom.cli.key_source import KeySource, read_grants_file
from strongroom.cli.paths import PATH, named
from strongroom.errors import Finding, Severity, UsageError
from strongroom.flows.files import read_file
from strongroom.keypolicy.explain.inquiry import Policies
from strongroom.keypolicy.grammar import MAX_POLICY_BYTES
from strongroom.keypolicy.grants import Grant
from strongroom.keypolicy.guardrails import Guardrails
from strongroom.keypolicy.model import (
    parse_identity_policy,
    parse_identity_policy_leniently,
    parse_resource_policy,
)

_Policy = TypeVar("_Policy")
_LEVEL = re.compile(r"(?:(\d{1,2}):)?(.+)", re.DOTALL)
_FULL_RIGHTS = parse_identity_policy(
    '{"Version":"2012-10-17","Statement":{"Sid":"AssumedFullRights","Effect":"Allow","Action":"*","Resource":"*"}}'
)
_NO_GRANTS = Finding(
    "key.grants-unknown",
    "no grants were looked at: --grants FILE takes what `aws kms list-grants` prints. A grant opens without a document",
    severity=Severity.NOTE,
)


@dataclass(frozen=True, slots=True)
class PolicyFiles:
    """Files, by the kind of policy in them. SCPs and RCPs may begin with the level that they hang on: `0:FILE`."""

    identity_policy: tuple[Path, ...]
    no_identity_policy: bool
    boundary: Path | None
    session_policy: tuple[Path, ...]
    scp: tuple[str, ...]
    rcp: tuple[str, ...]
    endpoint_policy: Path | None
    grants: Path | None

    @property
    def assumes_rights(self) -> bool:
        """Tell whether the caller's IAM policies are not known, and are taken to allow everything."""
        return not self.identity_policy and not self.no_identity_policy

    def read(self, source: KeySource) -> Policies:
        """Read all of them, with the key's own. Raises UsageError, FormatError, LocalFault."""
        if self.identity_policy and self.no_identity_policy:
            raise UsageError("key.identity-policy", "expected --identity-policy or --no-identity-policy, found both")
        own = tuple(_read(path, parse_identity_policy_leniently) for path in self.identity_policy)
        around = Guardrails(
            boundary=None if self.boundary is None else _read(self.boundary, parse_identity_policy),
            session_policies=tuple(_read(path, parse_identity_policy) for path in self.session_policy),
            service_control=_levels(self.scp, parse_identity_policy),
            resource_control=_levels(self.rcp, parse_resource_policy),
            endpoint=None if self.endpoint_policy is None else _read(self.endpoint_policy, parse_resource_policy),
        )
        return Policies(source.policy, (_FULL_RIGHTS,) if self.assumes_rights else own, self._grants(source), around)

    def _grants(self, source: KeySource) -> tuple[Grant, ...]:
        return (source.grants or ()) if self.grants is None else read_grants_file(self.grants)

    def notices(self, source: KeySource) -> tuple[Finding, ...]:
        """Return what the reader of the answer has to know about what was not given."""
        return (_NO_GRANTS,) if self.grants is None and source.grants is None else ()


def _levels(given: Sequence[str], parse: Callable[[str], _Policy]) -> tuple[tuple[_Policy, ...], ...]:
    levels: dict[int, list[_Policy]] = {}
    for text in given:
        found = _LEVEL.fullmatch(text)
        if found is None:
            raise UsageError("key.level", f"expected FILE or LEVEL:FILE, found {text!r}")
        levels.setdefault(int(found[1] or 0), []).append(_read(Path(found[2]), parse))
    return tuple(tuple(levels[number]) for number in sorted(levels))


def _read(path: Path, parse: Callable[[str], _Policy]) -> _Policy:
    with named(path):
        return parse(read_file(path, maximum_bytes=MAX_POLICY_BYTES).decode("utf-8", "replace"))


POLICY_OPTIONS = (
    click.option(
        "--identity-policy", multiple=True, type=PATH, help="An IAM policy of the caller; may be repeated. See below."
    ),
    click.option("--no-identity-policy", is_flag=True, help="The caller has no IAM policy that allows anything."),
    click.option("--boundary", type=PATH, help="The caller's permissions boundary."),
    click.option("--session-policy", multiple=True, type=PATH, help="A policy of the caller's session."),
    click.option("--scp", multiple=True, metavar="[LEVEL:]FILE", help="A service control policy; levels from 0, root."),
    click.option(
        "--rcp", multiple=True, metavar="[LEVEL:]FILE", help="A resource control policy of the key's account."
    ),
    click.option("--endpoint-policy", type=PATH, help="The policy of the VPC endpoint the request goes through."),
    click.option("--grants", type=PATH, help="What `aws kms list-grants` prints. Default with --key: KMS is asked."),
)
"""In the order of `--help`."""
