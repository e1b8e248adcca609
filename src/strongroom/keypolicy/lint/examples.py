# SPDX-License-Identifier: Apache-2.0
"""For each rule a policy on which it fires, and the same with what is wrong put right, on which it is silent.

They are for people (docs/reference/lint.md) and for the tests. Each shows one rule; others may fire on it as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from strongroom.formats.pcrs import SECURE_BOOT_OFF_PCR7_SHA384, SEPARATOR_ONLY_SHA384, ZERO_SHA384
from strongroom.keypolicy.lint.rule import PolicyKind
from strongroom.keypolicy.model import VERSION
from strongroom.keypolicy.statements import ATTESTED, MANAGEMENT, SIDE_DOORS

_Json: TypeAlias = "dict[str, object]"
_Statements: TypeAlias = tuple[_Json, ...]

_PCR = "kms:RecipientAttestation:NitroTPMPCR"
_CONTEXT = "kms:EncryptionContext:"
_PCR4, _PCR7 = "4a" * 48, "7b" * 48
_VENDOR, _TENANT = "arn:aws:iam::444455556666:root", "arn:aws:iam::111122223333:root"
_ROLE = "arn:aws:iam::444455556666:role/change"
_KEY = "arn:aws:kms:eu-central-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"
_GATES = {
    f"{_PCR}2": SEPARATOR_ONLY_SHA384.hex(),
    f"{_PCR}4": _PCR4,
    f"{_PCR}12": ZERO_SHA384.hex(),
    f"{_PCR}13": ZERO_SHA384.hex(),
}
_FIELDS = {f"{_CONTEXT}tenant": "globex", f"{_CONTEXT}epoch": "1"}
_IGNORE, _NOT_IGNORE = "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"


@dataclass(frozen=True, slots=True)
class Example:
    """`fires` and `silent` are policies as text. `grants` is the list of grants in `fires`, as ListGrants has it.

    `measured` says that the rule needs to know the only measurements that are allowed (`MEASURED`).
    """

    fires: str
    silent: str
    kind: PolicyKind = PolicyKind.KEY
    grants: str = ""
    measured: bool = False


MEASURED: Mapping[int, str] = MappingProxyType(
    {2: _GATES[f"{_PCR}2"], 4: _PCR4, 12: ZERO_SHA384.hex(), 13: ZERO_SHA384.hex()}
)
"""The allowed measurements of examples that need some."""


def _example(fires: _Statements | _Json, silent: _Statements | _Json, **others: object) -> Example:
    return Example(_policy(fires), _policy(silent), **others)  # type: ignore[arg-type]  # the fields of Example


def _policy(statements: _Statements | _Json) -> str:
    listed = [statements] if isinstance(statements, dict) else list(statements)
    body = ",\n".join(_written(each) for each in listed)
    return f'{{"Version": "{VERSION}", "Statement": [\n{body}\n]}}'


def _written(statement: _Json) -> str:
    """Write a statement with a line for each of its elements."""
    return "  {" + ",\n   ".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in statement.items()) + "}"


def _allow(sid: str, principal: object, action: object, condition: object = None, **others: object) -> _Json:
    body: _Json = {"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*"}
    return body | ({} if condition is None else {"Condition": condition}) | others


def _open(condition: Mapping[str, object], principal: object = None, action: object = "kms:Decrypt") -> _Json:
    return _allow("Open", principal or {"AWS": _TENANT}, action, dict(condition))


def _deny(sid: str, action: object, condition: object = None, principal: object = "*") -> _Json:
    return _allow(sid, principal, action, condition) | {"Effect": "Deny"}


def _gates(**changes: object) -> dict[str, object]:
    """Return the gate set as a block; `PCR4=...` changes one, None leaves it out."""
    changed = {f"{_PCR}{name[3:]}": value for name, value in changes.items()}
    return {key: value for key, value in {**_GATES, **changed}.items() if value is not None}


def _gated(**changes: object) -> dict[str, object]:
    """Return the condition of a good Open: the whole gate set, and a context with an epoch."""
    return {"StringEquals": _FIELDS, _IGNORE: _gates(**changes)}


def _identity(statement: _Json) -> _Json:
    return {name: value for name, value in statement.items() if name != "Principal"}


_SHUT = _deny("DenySideDoors", list(SIDE_DOORS))
_CLOSED = _deny("DenyOpening", list(ATTESTED))
_ADMIN = _allow("Admin", {"AWS": _VENDOR}, list(MANAGEMENT))
_GOOD = _open(_gated())


def _whole() -> Iterator[tuple[str, Example]]:
    everything = _allow("EnableIam", {"AWS": _VENDOR}, "kms:*")
    yield "lint.opens", _example((_GOOD, everything), (_GOOD, _ADMIN))
    mistyped = {"StringEquals": _FIELDS, "StringEqualIgnoreCase": _gates()}
    yield "lint.undecided", _example(_open(mistyped), _GOOD)
    grant = {
        "KeyId": _KEY,
        "GrantId": "0c237476b39f8bc44e45212e08498fbe3151305030726c0590dd8d3e9f3d6a60",
        "GranteePrincipal": "arn:aws:iam::444455556666:role/forgotten",
        "IssuingAccount": _VENDOR,
        "Operations": ["Decrypt"],
    }
    yield "lint.planted-grant", _example(_GOOD, _GOOD, grants=json.dumps({"Grants": [grant]}))


def _gating() -> Iterator[tuple[str, Example]]:
    yield "lint.unattested", _example(_open({"StringEquals": _FIELDS}), _GOOD)
    escrow = _allow("EscrowOpen", {"AWS": _ROLE}, "kms:Decrypt", {"StringEquals": _FIELDS})
    others = _deny("DenyOthers", list(ATTESTED), {"ArnNotEquals": {"aws:PrincipalArn": _ROLE}})
    yield "lint.opens-by-role", _example((_ADMIN, escrow, others), (_ADMIN, escrow, others, _CLOSED))
    for code, index in (
        ("lint.pcr2-not-gated", 2),
        ("lint.pcr4-not-gated", 4),
        ("lint.pcr12-not-gated", 12),
        ("lint.pcr13-not-gated", 13),
    ):
        yield code, _example(_open(_gated(**{f"PCR{index}": None}, PCR7=_PCR7)), _GOOD)
    constant = {f"{_PCR}0": "0c" * 48, f"{_PCR}1": "1c" * 48}
    yield "lint.constants-only", _example(_open({_IGNORE: constant}), _open({_IGNORE: {**constant, f"{_PCR}4": _PCR4}}))
    missing = {"StringEquals": _FIELDS, "StringEqualsIgnoreCaseIfExists": _gates()}
    yield "lint.passes-when-missing", _example(_open(missing), _GOOD)
    named = _deny("DenyOld", "kms:Decrypt", {_IGNORE: {f"{_PCR}4": "0d" * 48}})
    yield (
        "lint.deny-needs-document",
        _example(named, _deny("DenyUnlessPcr4", "kms:Decrypt", {_NOT_IGNORE: {f"{_PCR}4": _PCR4}})),
    )
    one, two = {f"{_PCR}4": _PCR4}, {f"{_PCR}12": ZERO_SHA384.hex()}
    yield (
        "lint.negated-together",
        _example(
            _deny("DenyOther", list(ATTESTED), {_NOT_IGNORE: one | two}),
            tuple(_deny(f"DenyOther{n}", list(ATTESTED), {_NOT_IGNORE: each}) for n, each in enumerate((one, two))),
        ),
    )
    lists = _gated(PCR4=[_PCR4, "4c" * 48], PCR7=[_PCR7, "7c" * 48])
    yield "lint.cross-product", _example(_open(lists), _open(_gated(PCR4=[_PCR4, "4c" * 48], PCR7=_PCR7)))
    yield "lint.resettable-pcr", _example(_open(_gated(PCR16="16" * 48)), _GOOD)
    yield "lint.system-pcr", _example(_open(_gated(PCR11="11" * 48)), _GOOD)
    yield "lint.firmware-pcr", _example(_open(_gated(PCR0="0c" * 48)), _GOOD)


def _digests() -> Iterator[tuple[str, Example]]:
    enclave = {"StringEquals": _FIELDS, _IGNORE: _gates(PCR4=None) | {"kms:RecipientAttestation:PCR4": _PCR4}}
    yield "lint.enclave-key", _example(_open(enclave), _GOOD)
    cased = {"StringEquals": _FIELDS | _gates(PCR4=_PCR4.upper())}
    yield "lint.digest-case", _example(_open(cased), _open({"StringEquals": _FIELDS | _gates()}))
    yield "lint.digest-sha256", _example(_open(_gated(PCR4="4a" * 32)), _GOOD)
    yield "lint.digest-length", _example(_open(_gated(PCR4="4a" * 47)), _GOOD)
    yield "lint.digest-not-hex", _example(_open(_gated(PCR4=f"0x{_PCR4[2:]}")), _GOOD)
    yield "lint.digest-pattern", _example(_open(_gated(PCR4="4a*")), _GOOD)
    yield "lint.zero-pcr", _example(_open(_gated(PCR4=ZERO_SHA384.hex())), _GOOD)
    yield (
        "lint.secure-boot-off",
        _example(_open(_gated(PCR7=SECURE_BOOT_OFF_PCR7_SHA384.hex())), _open(_gated(PCR7=_PCR7))),
    )
    yield "lint.recorded-constant", _example(_open(_gated(PCR12="12" * 48)), _GOOD)
    yield "lint.not-allowed", _example(_open(_gated(PCR4=[_PCR4, "4c" * 48])), _GOOD, measured=True)


def _doors() -> Iterator[tuple[str, Example]]:
    for code, action in (
        ("lint.re-encrypt", "kms:ReEncrypt*"),
        ("lint.create-grant", "kms:CreateGrant"),
        ("lint.replicate", "kms:ReplicateKey"),
        ("lint.import-material", "kms:ImportKeyMaterial"),
        ("lint.decapsulate", "kms:Decapsulate"),
    ):
        door = _allow("Use", {"AWS": _VENDOR}, action)
        shut = _deny("DenySideDoors", [*SIDE_DOORS, "kms:Decapsulate"])
        yield code, _example(door, (door, shut))
    change = _allow("Change", {"AWS": _ROLE}, "kms:PutKeyPolicy")
    yield "lint.anyone-changes", _example(change | {"Principal": "*"}, change)
    yield "lint.outsider-changes", _example(change | {"Principal": {"Service": "ec2.amazonaws.com"}}, change)
    only = _deny("DenyOtherChangers", "kms:PutKeyPolicy", {"ArnNotEquals": {"aws:PrincipalArn": _ROLE}})
    yield "lint.account-changes", _example(_ADMIN, (_ADMIN, only))
    yield "lint.every-action", _example(_allow("Admin", {"AWS": _VENDOR}, "kms:*"), _ADMIN)
    yield "lint.not-action", _example(_but("kms:Decrypt"), _ADMIN)
    fence = {_NOT_IGNORE: {f"{_PCR}4": _PCR4}}
    yield "lint.bricks-key", _example(_deny("DenyAll", "kms:*", fence), _deny("DenyOpening", list(ATTESTED), fence))
    early = _allow("Seal", {"AWS": _ROLE}, "kms:Encrypt", {"StringEquals": _FIELDS})
    yield "lint.bootstrap-window", _example((_ADMIN, early), (_ADMIN, _CLOSED, _SHUT))


def _but(action: str) -> _Json:
    return {"Sid": "Admin", "Effect": "Allow", "Principal": {"AWS": _VENDOR}, "NotAction": action, "Resource": "*"}


def _calling() -> Iterator[tuple[str, Example]]:
    narrowed = _gated() | {"StringEquals": _FIELDS | {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}
    yield "lint.anyone", _example(_open(_gated(), "*"), _open(narrowed, "*"))
    by_name = _gated() | {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/app"}}
    foreign = _open(_gated(), {"AWS": "arn:aws:iam::111122223333:role/app"})
    yield "lint.foreign-role", _example((_ADMIN, foreign), (_ADMIN, _open(by_name)))
    yield "lint.unique-id", _example(_open(_gated(), {"AWS": "AROAABCDEFGHIJKLMNOPQ"}), _open(by_name))
    spared = _deny("DenyChange", "kms:PutKeyPolicy") | {"NotPrincipal": {"AWS": [_VENDOR, _ROLE]}}
    del spared["Principal"]
    only = _deny("DenyChange", "kms:PutKeyPolicy", {"ArnNotEquals": {"aws:PrincipalArn": _ROLE}})
    yield "lint.not-principal", _example(spared, only)


def _contexts() -> Iterator[tuple[str, Example]]:
    yield "lint.no-context", _example(_open({_IGNORE: _gates()}), _GOOD)
    seal = _allow("Seal", {"AWS": _ROLE}, "kms:Encrypt")
    yield "lint.seals-any-context", _example(seal, seal | {"Condition": {"StringEquals": _FIELDS}})
    pattern = _gated() | {"StringLike": {f"{_CONTEXT}name": "*"}}
    yield "lint.context-pattern", _example(_open(pattern), _open(_gated() | {"StringLike": {f"{_CONTEXT}name": "db"}}))
    ageless = _gated() | {"StringEquals": {f"{_CONTEXT}tenant": "globex"}}
    yield "lint.no-epoch", _example(_open(ageless), _GOOD)
    weak, strong = ({**_FIELDS, "kms:EncryptionAlgorithm": f"RSAES_OAEP_SHA_{n}"} for n in (1, 256))
    yield (
        "lint.weak-algorithm",
        _example(_open(_gated() | {"StringEquals": weak}), _open(_gated() | {"StringEquals": strong})),
    )


def _forms() -> Iterator[tuple[str, Example]]:
    mistyped = {"StringEquals": _FIELDS, _IGNORE: _gates(PCR4=None) | {"kms:RecipientAttestation:NitroTPM4": _PCR4}}
    yield "lint.unknown-key", _example(_open(mistyped), _GOOD)
    yield "lint.unknown-operator", _example(_open({"StringEquals": _FIELDS, "StringEqualIgnoreCase": _gates()}), _GOOD)
    misfit = _gated() | {"DateLessThan": {"aws:CurrentTime": "next week"}}
    fit = _gated() | {"DateLessThan": {"aws:CurrentTime": "2999-01-01T00:00:00Z"}}
    yield "lint.unreadable-condition", _example(_open(misfit), _open(fit))
    yield "lint.unknown-action", _example(_deny("DenyOpening", "kms:Decript"), _deny("DenyOpening", "kms:Decrypt"))
    yield "lint.key-never-there", _example(_open(_gated(), action=["kms:Decrypt", "kms:Sign"]), _GOOD)
    tagged = _gated() | {"StringEquals": {**_FIELDS, "aws:ResourceTag/stage": "prod"}}
    yield "lint.identity-only-key", _example(_open(tagged), _GOOD)
    yield "lint.generate-random", _example(_open(_gated(), action=["kms:Decrypt", "kms:GenerateRandom"]), _GOOD)
    alias = {"Resource": "arn:aws:kms:eu-central-1:444455556666:alias/app"}
    mine = _identity(_GOOD | {"Resource": _KEY})
    yield "lint.alias-resource", _example(_identity(_GOOD | alias), mine, kind=PolicyKind.IDENTITY)
    called = _gated() | {"StringEquals": {**_FIELDS, "kms:RequestAlias": "alias/app"}}
    yield "lint.alias-gate", _example(_open(called), _GOOD)
    yield "lint.other-resource", _example(_GOOD | {"Resource": "arn:aws:kms:*:111122223333:key/*"}, _GOOD)
    over = _gated() | {"DateLessThan": {"aws:CurrentTime": "2020-01-01T00:00:00Z"}}
    yield "lint.expired", _example(_open(over), _open(fit))
    yield "lint.nearly-full", _example(_open(_gated(PCR4=[f"{n:096x}" for n in range(1, 280)])), _GOOD)


EXAMPLES: Mapping[str, Example] = MappingProxyType(
    dict(each for group in (_whole, _gating, _digests, _doors, _calling, _contexts, _forms) for each in group())
)
"""By the code of the rule."""
