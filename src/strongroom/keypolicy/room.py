# SPDX-License-Identifier: Apache-2.0
"""How many versions more a key admits: KMS takes a policy of 32,768 bytes (docs/formats/key-policy.md).

Nothing is estimated: the policies are generated, with versions more, and counted.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from strongroom.formats.pcrs import SHA384_BYTES, PcrDigests
from strongroom.keypolicy.generate import tenant_policy_bytes
from strongroom.keypolicy.grammar import MAX_POLICY_BYTES
from strongroom.keypolicy.spec import PCR4, AdmittedRelease, TenantKeySpec

_FAR = datetime(9000, 1, 1, tzinfo=UTC)
"""Long after any expiry that is meant, so that a version more shares no statement by chance."""


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes taken, and the versions that fit besides: alike the last one, or each with an expiry of its own."""

    used_bytes: int
    more_alike: int
    more_apart: int
    limit_bytes: int = MAX_POLICY_BYTES


def room_in(spec: TenantKeySpec) -> Room:
    """Return what is left for a tenant's key. Both counts are exact, and 0 for a policy that is too large itself."""
    return Room(tenant_policy_bytes(spec), max(0, _most(spec, _alike)), max(0, _most(spec, _apart)))


def _most(spec: TenantKeySpec, another: Callable[[AdmittedRelease, int], AdmittedRelease]) -> int:
    """Return the largest number of versions more that fit. Each costs at least its PCR4, twice, which is the bound."""
    last = spec.releases[-1]
    more = [another(last, number) for number in range(MAX_POLICY_BYTES // (4 * SHA384_BYTES))]
    fits = range(len(more) + 1)
    return (
        bisect_right(
            fits,
            MAX_POLICY_BYTES,
            key=lambda n: tenant_policy_bytes(replace(spec, releases=(*spec.releases, *more[:n]))),
        )
        - 1
    )


def _alike(last: AdmittedRelease, number: int) -> AdmittedRelease:
    digest = hashlib.sha384(f"a version more, {number}".encode()).digest()
    return replace(last, pcrs=PcrDigests.of({**last.pcrs, PCR4: digest}))


def _apart(last: AdmittedRelease, number: int) -> AdmittedRelease:
    return replace(_alike(last, number), expires=_FAR + timedelta(seconds=number))
