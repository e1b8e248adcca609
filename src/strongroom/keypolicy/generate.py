# SPDX-License-Identifier: Apache-2.0
"""Generate key policies: for a tenant's key, for the vendor's escrow key, and for a key that is not in use yet.

docs/formats/key-policy.md is the contract, statement by statement. The same spec always gives the same policy, whatever
the order of its releases.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from strongroom.errors import UsageError
from strongroom.formats.times import aws_time
from strongroom.keypolicy import statements
from strongroom.keypolicy.grammar import MAX_POLICY_BYTES
from strongroom.keypolicy.model import VERSION, KeyPolicy, parse_key_policy
from strongroom.keypolicy.open_sid import open_sid
from strongroom.keypolicy.spec import (
    PCR2,
    PCR4,
    PCR7,
    PCR12,
    PCR13,
    AdmittedRelease,
    EscrowKeySpec,
    TenantKeySpec,
    VendorSpec,
)


@dataclass(frozen=True, slots=True, order=True)
class _Tuple:
    """What the releases of one Open statement share. PCR4 is not in it: that is the statement's only list."""

    ring: str
    epoch: int
    until: str
    pcr2: str
    pcr7: str
    pcr12: str
    pcr13: str


def tenant_key_policy(spec: TenantKeySpec) -> KeyPolicy:
    """Return the policy of a tenant's key.

    Raises UsageError with code `keypolicy.budget` when it does not fit into 32,768 bytes; the message says how many of
    the releases, in the order given, do.
    """
    text = _tenant_text(spec)
    if len(text) > MAX_POLICY_BYTES:
        fit = _releases_that_fit(spec)
        raise UsageError(
            "keypolicy.budget",
            f"expected at most {MAX_POLICY_BYTES} bytes, found {len(text)}: {fit} of {len(spec.releases)} versions fit",
            remedy="withdraw old versions, or give versions the same epoch and expiry so that they share a statement",
        )
    return parse_key_policy(text)


def tenant_policy_bytes(spec: TenantKeySpec) -> int:
    """Return how many bytes the policy of a tenant's key takes, also where that is more than KMS accepts."""
    return len(_tenant_text(spec))


def escrow_key_policy(spec: EscrowKeySpec) -> KeyPolicy:
    """Return the policy of the escrow key: the escrow role opens, the sealer seals, nobody else does either."""
    return parse_key_policy(
        _text(
            [
                statements.admin(spec.vendor),
                *statements.change_role(spec.vendor),
                statements.seal(spec.vendor, tenant=None),
                *statements.escrow_open(spec),
                statements.deny_side_doors(),
            ]
        )
    )


def bootstrap_key_policy(vendor: VendorSpec) -> KeyPolicy:
    """Return the policy a key is created with: it can be managed, and opens for nobody (ATTACKS K20)."""
    return parse_key_policy(
        _text(
            [
                statements.admin(vendor),
                *statements.change_role(vendor),
                statements.deny_opening(),
                statements.deny_side_doors(),
            ]
        )
    )


def _tenant_text(spec: TenantKeySpec) -> str:
    return _text(
        [
            statements.admin(spec.vendor),
            *statements.change_role(spec.vendor),
            statements.seal(spec.vendor, tenant=spec.tenant),
            *_opens(spec),
            *_gates(spec.releases),
            statements.deny_other_epochs(release.epoch for release in spec.releases),
            statements.deny_side_doors(),
        ]
    )


def _opens(spec: TenantKeySpec) -> list[statements.JsonStatement]:
    groups: dict[_Tuple, set[str]] = {}
    for release in spec.releases:
        groups.setdefault(_tuple(release), set()).add(release.pcrs[PCR4].hex())
    return [_open(spec, number, shared, sorted(groups[shared])) for number, shared in enumerate(sorted(groups), 1)]


def _open(spec: TenantKeySpec, number: int, shared: _Tuple, pcr4: Sequence[str]) -> statements.JsonStatement:
    gates = {PCR2: shared.pcr2, PCR7: shared.pcr7, PCR12: shared.pcr12, PCR13: shared.pcr13}
    return statements.open_attested(
        spec,
        open_sid(number, shared.ring),
        gates={index: value for index, value in gates.items() if value},
        pcr4=pcr4,
        epoch=shared.epoch,
        until=shared.until or None,
    )


def _tuple(release: AdmittedRelease) -> _Tuple:
    return _Tuple(
        ring=release.ring,
        epoch=release.epoch,
        until=aws_time(release.expires) if release.expires else "",
        pcr2=release.pcrs[PCR2].hex(),
        pcr7=release.gate(PCR7) or "",
        pcr12=release.pcrs[PCR12].hex(),
        pcr13=release.pcrs[PCR13].hex(),
    )


def _gates(releases: Sequence[AdmittedRelease]) -> list[statements.JsonStatement]:
    """Return one Deny for each PCR that every release gates: one release without Secure Boot leaves PCR7 to Open."""
    found = []
    for index in (PCR2, PCR4, PCR7, PCR12, PCR13):
        values = {release.gate(index) for release in releases}
        if None not in values:
            found.append(statements.deny_unless_pcr(index, sorted(value for value in values if value)))
    return found


def _text(body: Sequence[statements.JsonStatement]) -> str:
    return json.dumps({"Version": VERSION, "Statement": body}, separators=(",", ":"))


def _releases_that_fit(spec: TenantKeySpec) -> int:
    fit, too_many = 0, len(spec.releases)
    while too_many - fit > 1:
        middle = (fit + too_many) // 2
        if len(_tenant_text(replace(spec, releases=spec.releases[:middle]))) > MAX_POLICY_BYTES:
            too_many = middle
        else:
            fit = middle
    return fit
