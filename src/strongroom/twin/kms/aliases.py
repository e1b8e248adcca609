# SPDX-License-Identifier: Apache-2.0
"""CreateAlias, UpdateAlias, DeleteAlias, ListAliases (KMS API Reference).

Each asks for permission twice: the alias's owner by the caller's identity policies, because an alias has no policy, and
the key by everything (KMS Developer Guide, "Controlling access to aliases").
"""

from __future__ import annotations

import re
from dataclasses import replace

from strongroom.ids import KeyArn
from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.authorization import authorize, authorize_alias, authorize_without_key, expect_kept
from strongroom.twin.kms.key_names import alias_arn, completed, is_alias
from strongroom.twin.kms.keys import Alias, Key
from strongroom.twin.kms.paging import page
from strongroom.twin.kms.parameters import Parameters
from strongroom.twin.kms.replies import seconds
from strongroom.twin.kms.request import Operation, Reply, Request
from strongroom.twin.kms.store import KeyStore

MAX_ALIASES = 50
"""Of one key (KMS Developer Guide, "Resource quotas")."""
_MAX_NAME = 256
_NAME = re.compile(r"[a-zA-Z0-9:/_-]+")


class Aliases:
    """The operations; each takes the request and its parameters, and raises AwsFault."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store

    def operations(self) -> dict[str, Operation]:
        """Return the rows of this family."""
        both = ("AliasName", "TargetKeyId")
        return {
            "CreateAlias": Operation(self.create_alias, read_only=False, shown=both),
            "DeleteAlias": Operation(self.delete_alias, read_only=False, shown=("AliasName",)),
            "ListAliases": Operation(self.list_aliases, shown=("KeyId", "Limit", "Marker")),
            "UpdateAlias": Operation(self.update_alias, read_only=False, shown=both),
        }

    def create_alias(self, request: Request, parameters: Parameters) -> None:
        """CreateAlias."""
        arn = alias_arn(request.place, _name(parameters))
        key = self._target(request, parameters)
        _authorize_alias(request, arn)
        expect_kept(key)
        now = request.clock.now()
        self._store.add_alias(Alias(arn, key.arn, now, now), maximum=MAX_ALIASES)

    def update_alias(self, request: Request, parameters: Parameters) -> None:
        """UpdateAlias: from one key to another of the same type and usage."""
        alias = self._existing(request, parameters)
        target = self._target(request, parameters)
        authorize(request, self._store.key(alias.target))
        _authorize_alias(request, alias.arn)
        expect_kept(target)
        _expect_alike(self._store.key(alias.target), target)
        self._store.point_alias(replace(alias, target=target.arn, updated=request.clock.now()), maximum=MAX_ALIASES)

    def delete_alias(self, request: Request, parameters: Parameters) -> None:
        """DeleteAlias: the key stays as it is."""
        alias = self._existing(request, parameters)
        authorize(request, self._store.key(alias.target))
        _authorize_alias(request, alias.arn)
        self._store.remove_alias(alias.arn)

    def list_aliases(self, request: Request, parameters: Parameters) -> Reply:
        """ListAliases: of the caller's account and region, all of them or those of one key."""
        authorize_without_key(request)
        found = self._store.aliases_in(request.place)
        identifier = parameters.optional_text("KeyId")
        if identifier is not None:
            target = self._store.resolve_key(request.place, identifier).arn
            found = tuple(alias for alias in found if alias.target == target)
        shown, more = page(parameters, found, name=lambda alias: alias.arn, default=50, maximum=100)
        return {"Aliases": [_entry(alias) for alias in shown], **more}

    def _existing(self, request: Request, parameters: Parameters) -> Alias:
        return self._store.alias(completed(request.place, _name(parameters)))

    def _target(self, request: Request, parameters: Parameters) -> Key:
        identifier = parameters.text("TargetKeyId")
        if is_alias(completed(request.place, identifier)):
            raise AwsFault("ValidationException", "Aliases must refer to keys. Not aliases")
        key = self._store.resolve_key(request.place, identifier)
        authorize(request, key)
        return key


def _name(parameters: Parameters) -> str:
    parameters.matching("AliasName", _NAME, maximum=_MAX_NAME)
    name = parameters.text("AliasName", maximum=_MAX_NAME)
    if ":" in name:
        raise AwsFault("ValidationException", f"{name} contains invalid characters for an alias")
    return name


def _authorize_alias(request: Request, arn: str) -> None:
    request.resources.append(arn)
    authorize_alias(request, arn)


def _expect_alike(old: Key, new: Key) -> None:
    kinds = [(key.spec.is_asymmetric, key.usage) for key in (old, new)]
    if kinds[0] != kinds[1]:
        raise AwsFault(
            "ValidationException",
            "Alias cannot be changed to a key of another type or usage: "
            f"{old.arn} is {old.spec.name} for {old.usage}, {new.arn} is {new.spec.name} for {new.usage}.",
        )


def _entry(alias: Alias) -> Reply:
    return {
        "AliasName": alias.name,
        "AliasArn": alias.arn,
        "TargetKeyId": _key_id(alias.target),
        "CreationDate": seconds(alias.created),
        "LastUpdatedDate": seconds(alias.updated),
    }


def _key_id(arn: KeyArn) -> str:
    return arn.rpartition("/")[2]
