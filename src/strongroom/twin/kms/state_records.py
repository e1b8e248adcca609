# SPDX-License-Identifier: Apache-2.0
"""Keys, aliases and grants as the JSON bodies of the state file, and back (docs/formats/twin-state.md).

A body has exactly the members it should have: one too many or too few is damage.
"""

from __future__ import annotations

import base64
from datetime import datetime

from strongroom.formats import strict_json
from strongroom.formats.tree import Node
from strongroom.ids import AccountId, KeyArn
from strongroom.keypolicy.grants import Grant, GrantConstraints
from strongroom.keypolicy.model import parse_key_policy, pin_principals
from strongroom.keypolicy.principals import Principal, PrincipalKind
from strongroom.twin.kms.key_specs import KEY_SPECS, KeyUsage
from strongroom.twin.kms.keys import Alias, KeptGrant, Key, KeyState, Material, Rotation, RotationType
from strongroom.twin.state_values import read_time

SPEC = "docs/formats/twin-state.md"
MAX_BODY_BYTES = 1 << 20
"""A key with a policy of 32 KB, 50 tags and 25 rotations has some 60 KB."""
_KEY = (
    "key_id",
    "account",
    "region",
    "created",
    "description",
    "spec",
    "usage",
    "policy",
    "pins",
    "materials",
    "tags",
    "state",
    "deletion",
    "rotation",
)
_GRANT = (
    "grant_id",
    "key_arn",
    "issuing_account",
    "grantee",
    "retiring",
    "operations",
    "equals",
    "subset",
    "source_arn",
    "name",
    "created",
    "secret",
)
_MAX_SECRET_BYTES = 8192
_MAX_TEXT = 131_072
_MAX_DAYS = 2560


def parse_body(body: str) -> Node:
    """Parse a body. Raises FormatError."""
    return strict_json.parse(body.encode(), maximum_bytes=MAX_BODY_BYTES, spec=SPEC)


def key_body(key: Key) -> str:
    """Return a key's body."""
    return _encode(
        {
            "key_id": key.key_id,
            "account": key.account_id,
            "region": key.region,
            "created": key.created.isoformat(),
            "description": key.description,
            "spec": key.spec.name,
            "usage": key.usage,
            "policy": key.policy_text,
            "pins": dict(key.pins),
            "materials": [_material(each) for each in key.materials],
            "tags": dict(key.tags),
            "state": key.state,
            "deletion": _time(key.deletion),
            "rotation": key.rotation and {"period_days": key.rotation.period_days, "due": _time(key.rotation.due)},
        }
    )


def read_key(node: Node) -> Key:
    """Read a key. Raises FormatError."""
    it = node.record(_KEY)
    text, pins = it["policy"].string(maximum=_MAX_TEXT), _table(it["pins"])
    spec, usage = it["spec"].pick(KEY_SPECS), it["usage"].member(KeyUsage)
    if usage not in spec.algorithms:
        raise it["usage"].refused("twin.state-usage", f"expected a usage of {spec.name}, found {usage}")
    return Key(
        key_id=it["key_id"].text(),
        account_id=it["account"].account(),
        region=it["region"].region(),
        created=read_time(it["created"]),
        description=it["description"].string(maximum=_MAX_TEXT),
        spec=spec,
        usage=usage,
        policy_text=text,
        policy=pin_principals(parse_key_policy(text), pins),
        pins=pins,
        materials=tuple(_read_material(each) for each in it["materials"].items(minimum=1)),
        tags=_table(it["tags"]),
        state=it["state"].member(KeyState),
        deletion=None if it["deletion"].value is None else read_time(it["deletion"]),
        rotation=None if it["rotation"].value is None else _read_rotation(it["rotation"]),
    )


def alias_body(alias: Alias) -> str:
    """Return an alias's body."""
    times = {"created": alias.created.isoformat(), "updated": alias.updated.isoformat()}
    return _encode({"arn": alias.arn, "target": alias.target, **times})


def read_alias(node: Node) -> Alias:
    """Read an alias. Raises FormatError."""
    it = node.record(("arn", "target", "created", "updated"))
    created, updated = read_time(it["created"]), read_time(it["updated"])
    return Alias(it["arn"].text(), KeyArn(it["target"].text()), created, updated)


def grant_body(kept: KeptGrant) -> str:
    """Return a grant's body."""
    grant, constraints = kept.grant, kept.grant.constraints
    return _encode(
        {
            "grant_id": grant.grant_id,
            "key_arn": grant.key_arn,
            "issuing_account": grant.issuing_account,
            "grantee": _principal(grant.grantee),
            "retiring": grant.retiring and _principal(grant.retiring),
            "operations": sorted(grant.operations),
            "equals": _pairs(constraints.encryption_context_equals),
            "subset": _pairs(constraints.encryption_context_subset),
            "source_arn": constraints.source_arn,
            "name": grant.name,
            "created": kept.created.isoformat(),
            "secret": base64.b64encode(kept.secret).decode(),
        }
    )


def read_grant(node: Node) -> KeptGrant:
    """Read a grant. Raises FormatError."""
    it = node.record(_GRANT)
    grant = Grant(
        grant_id=it["grant_id"].text(),
        key_arn=KeyArn(it["key_arn"].text()),
        issuing_account=AccountId(it["issuing_account"].account()),
        grantee=_read_principal(it["grantee"]),
        operations=frozenset(each.text() for each in it["operations"].items()),
        retiring=None if it["retiring"].value is None else _read_principal(it["retiring"]),
        constraints=GrantConstraints.of(
            equals=None if it["equals"].value is None else _table(it["equals"]),
            subset=None if it["subset"].value is None else _table(it["subset"]),
            source_arn=it["source_arn"].string(),
        ),
        name=it["name"].string(),
    )
    return KeptGrant(grant, read_time(it["created"]), it["secret"].base64(maximum_bytes=_MAX_SECRET_BYTES))


def _encode(value: object) -> str:
    return strict_json.encode(value).decode()


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _material(each: Material) -> dict[str, object]:
    return {"secret": base64.b64encode(each.secret).decode(), "created": each.created.isoformat(), "how": each.how}


def _read_material(node: Node) -> Material:
    it = node.record(("secret", "created", "how"))
    how = None if it["how"].value is None else it["how"].member(RotationType)
    return Material(it["secret"].base64(maximum_bytes=_MAX_SECRET_BYTES), read_time(it["created"]), how)


def _read_rotation(node: Node) -> Rotation:
    it = node.record(("period_days", "due"))
    return Rotation(it["period_days"].integer(1, _MAX_DAYS), read_time(it["due"]))


def _principal(principal: Principal) -> dict[str, str]:
    return {"kind": principal.kind, "value": principal.value, "pinned_id": principal.pinned_id}


def _read_principal(node: Node) -> Principal:
    it = node.record(("kind", "value", "pinned_id"))
    return Principal(it["kind"].member(PrincipalKind), it["value"].text(), it["pinned_id"].string())


def _pairs(pairs: tuple[tuple[str, str], ...] | None) -> dict[str, str] | None:
    return None if pairs is None else dict(pairs)


def _table(node: Node) -> dict[str, str]:
    return {name: each.string(maximum=_MAX_TEXT) for name, each in node.table()}
