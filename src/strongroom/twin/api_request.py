# SPDX-License-Identifier: Apache-2.0
"""One authentic call whose parameters were read by the API model of its service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from strongroom.ids import AccountId, Region, SnapshotId
from strongroom.twin.sigv4 import AuthenticCall

Reply = dict[str, object]
"""A reply's members by their names in the API model."""


@dataclass(frozen=True, slots=True)
class View:
    """Who looks, where, and when: what a caller finds depends on it. `now` is aware."""

    account_id: AccountId
    region: Region
    now: datetime


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """The call and its parameters, which have the types of the API model. `now` is aware."""

    operation: str
    authentic: AuthenticCall
    parameters: Mapping[str, object]
    now: datetime

    @property
    def account_id(self) -> AccountId:
        """The caller's account."""
        return self.authentic.caller.principal.account_id

    @property
    def region(self) -> Region:
        """The Region that the signature is for."""
        return Region(self.authentic.scope.region)

    @property
    def view(self) -> View:
        """What the caller sees: of his account, in the Region of the call, now."""
        return self.view_of(self.region)

    def view_of(self, region: Region) -> View:
        """Return what the caller sees in a Region."""
        return View(self.account_id, region, self.now)

    @property
    def snapshot_id(self) -> SnapshotId | None:
        """The snapshot that the call is about; none for one that starts one."""
        return self.snapshot("SnapshotId") or self.snapshot("SecondSnapshotId")

    def snapshot(self, name: str) -> SnapshotId | None:
        """Return a parameter that is the id of a snapshot."""
        found = self.text(name)
        return SnapshotId(found) if found else None

    def text(self, name: str) -> str:
        """Return a text; an empty one for none."""
        found = self.parameters.get(name)
        return found if isinstance(found, str) else ""

    def number(self, name: str, default: int = 0) -> int:
        """Return a whole number; `default` for none."""
        found = self.parameters.get(name)
        return found if isinstance(found, int) else default

    def flag(self, name: str) -> bool | None:
        """Return a boolean; None for none."""
        found = self.parameters.get(name)
        return found if isinstance(found, bool) else None

    def data(self, name: str) -> bytes:
        """Return bytes; none are empty ones."""
        found = self.parameters.get(name)
        return found if isinstance(found, bytes) else b""

    def inside(self, name: str) -> ApiRequest:
        """Return the same call with the parameters inside a structure; none are no parameters."""
        found = self.parameters.get(name)
        return self._with(found if isinstance(found, dict) else {})

    def each(self, name: str) -> tuple[ApiRequest, ...]:
        """Return the same call once for each structure in a list."""
        return tuple(self._with(each) for each in self._list(name) if isinstance(each, dict))

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts."""
        return tuple(each for each in self._list(name) if isinstance(each, str))

    def tags(self, name: str = "Tags") -> dict[str, str]:
        """Return tags by their keys."""
        return {each.text("Key"): each.text("Value") for each in self.each(name)}

    def _list(self, name: str) -> list[object]:
        found = self.parameters.get(name)
        return found if isinstance(found, list) else []

    def _with(self, parameters: Mapping[str, object]) -> ApiRequest:
        return ApiRequest(self.operation, self.authentic, parameters, self.now)
