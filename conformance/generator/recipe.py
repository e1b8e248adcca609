# SPDX-License-Identifier: Apache-2.0
"""How a document is made, step by step, and what its verifier is given. A case changes one step of a good recipe."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from . import cbor
from .certificates import MADE_AT, MODULE, Chain, good_chain

ES384 = b"\xa1\x01\x38\x22"
"""The protected header {1: -35}."""
NONCE = bytes.fromhex("6f1d2a40c3b95e7f08a1d4e2967b3c5af0d8e1b24c6a79350fe2d18b47c9a603")
SEPARATOR = bytes.fromhex(
    "518923b0f955d08da077c96aaba522b9decede61c599cea6c41889cfbea4ae4d50529d96fe4d1afdafb65e7f95bf23c4"
)
"""A PCR with one EV_SEPARATOR in it, as PCR 2, 3 and 6 of genuine documents."""
PCR4 = bytes.fromhex("1f0a5c9be2d84733a6c19f50e8b7d2644c3e91fa0572bd8e6a1d4f9c7b30e5829dc46a17f3b058e2419d7c6a5f8e20b3")
PCR7 = bytes.fromhex("98441c7f7625d10058c47683aec486ce311c633235eb555593a7ee791121e3578ae72d04ecef661f272d59058b77af35")
"""PCR 7 of a machine with Secure Boot off and no keys."""
ZERO = bytes(48)
PCRS = {
    **dict.fromkeys(range(24), ZERO),
    **dict.fromkeys((2, 3, 6), SEPARATOR),
    **dict.fromkeys(range(17, 23), b"\xff" * 48),
    4: PCR4,
    7: PCR7,
}
"""The 24 of a NitroTPM."""
GATES = (2, 4, 7, 12, 13)
"""What a verifier compares: drivers, image, Secure Boot, command line, extensions."""
MINUTE = 60

Pairs = list[tuple[bytes, bytes]]


def milliseconds(time: datetime) -> int:
    """Return milliseconds since 1970."""
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def pcr_map(pcrs: dict[int, bytes]) -> bytes:
    """Encode a table of PCRs, in its order."""
    return cbor.map_of((cbor.integer(index), cbor.data(value)) for index, value in pcrs.items())


def certificate_list(ders: Iterable[bytes]) -> bytes:
    """Encode a `cabundle`."""
    return cbor.array(map(cbor.data, ders))


def raw_signature(key: ec.EllipticCurvePrivateKey, message: bytes, algorithm: Any = None) -> bytes:
    """Sign deterministically (RFC 6979) and return r and s of 48 bytes each; longer ones for larger curves."""
    scheme = ec.ECDSA(algorithm or hashes.SHA384(), deterministic_signing=True)
    r, s = decode_dss_signature(key.sign(message, scheme))
    size = max(48, (key.curve.key_size + 7) // 8)
    return r.to_bytes(size) + s.to_bytes(size)


def sig_structure(protected: bytes, payload: bytes, *, context: str = "Signature1", aad: bytes = b"") -> bytes:
    """Encode what a COSE_Sign1 signature covers (RFC 9052 section 4.4)."""
    return cbor.array([cbor.text(context), cbor.data(protected), cbor.data(aad), cbor.data(payload)])


def sign_as_aws(recipe: Recipe, payload: bytes) -> bytes:
    """Sign with the leaf's key."""
    return raw_signature(recipe.chain.leaf_key, sig_structure(recipe.protected, payload))


def keep(value: Any) -> Any:
    """Change nothing."""
    return value


@dataclass
class Recipe:
    """A good document and its verification. The steps run in the order of the attributes."""

    chain: Chain = field(default_factory=good_chain)
    fields: dict[str, bytes] = field(default_factory=dict)
    """The payload's values, encoded, by key. Filled from `chain` where a case has set nothing."""
    missing: tuple[str, ...] = ()
    change_pairs: Callable[[Pairs], Pairs] = keep
    wrap: Callable[[Pairs], bytes] = cbor.open_map_of
    change_payload: Callable[[bytes], bytes] = keep
    protected: bytes = ES384
    sign: Callable[[Recipe, bytes], bytes] = sign_as_aws
    change_signature: Callable[[bytes], bytes] = keep
    tamper: Callable[[bytes], bytes] = keep
    """Changes the payload after it was signed."""
    members: dict[int, bytes] = field(default_factory=dict)
    """Members of the COSE_Sign1 array, encoded, that replace the right ones by position."""
    change_members: Callable[[list[bytes]], list[bytes]] = keep
    change_document: Callable[[bytes], bytes] = keep

    time: datetime = MADE_AT + timedelta(seconds=10)
    root: bytes | None = None
    """What the verifier trusts; None: the chain's own root."""
    nonce: bytes = NONCE
    pcrs: dict[int, bytes] = field(default_factory=lambda: {index: PCRS[index] for index in GATES})
    max_age: int = 5 * MINUTE
    public_key: bytes | None = None
    user_data: bytes | None = None

    def pairs(self) -> Pairs:
        """Return the payload's keys and values, encoded, in AWS's order."""
        values = {
            "module_id": cbor.text(MODULE),
            "digest": cbor.text("SHA384"),
            "timestamp": cbor.integer(milliseconds(MADE_AT)),
            "nitrotpm_pcrs": pcr_map(PCRS),
            "certificate": cbor.data(self.chain.ders["leaf"]),
            "cabundle": certificate_list(self.chain.bundle),
            "public_key": cbor.NULL,
            "user_data": cbor.NULL,
            "nonce": cbor.data(NONCE),
            **self.fields,
        }
        return [(cbor.text(key), value) for key, value in values.items() if key not in self.missing]

    def document(self) -> bytes:
        """Make the document."""
        payload = self.change_payload(self.wrap(self.change_pairs(self.pairs())))
        signature = self.change_signature(self.sign(self, payload))
        whole = [cbor.data(self.protected), b"\xa0", cbor.data(self.tamper(payload)), cbor.data(signature)]
        members = [self.members.get(position, member) for position, member in enumerate(whole)]
        return self.change_document(cbor.array(self.change_members(members)))


Edit = Callable[[Recipe], None]


@dataclass(frozen=True)
class Case:
    """One vector: a recipe's edit, the rule that decides, and whether the document keeps it."""

    name: str
    rule: str
    comment: str
    edit: Edit
    accepted: bool = False
    reason: str = ""
    """Why the vector is optional; empty when it is not."""
    same_as: str = ""


def accepted(name: str, rule: str, comment: str, edit: Edit, *, reason: str = "", same_as: str = "") -> Case:
    """Return a case that keeps the rule."""
    return Case(name, rule, comment, edit, accepted=True, reason=reason, same_as=same_as)


def setting(**attributes: Any) -> Edit:
    """Return an edit that sets attributes of the recipe."""

    def edit(recipe: Recipe) -> None:
        for name, value in attributes.items():
            setattr(recipe, name, value)

    return edit


def fields(**values: bytes) -> Edit:
    """Return an edit that sets encoded values of the payload."""

    def edit(recipe: Recipe) -> None:
        recipe.fields |= values

    return edit


def both(*edits: Edit) -> Edit:
    """Return an edit that makes several: one fault often needs a second change to be the only one."""

    def edit(recipe: Recipe) -> None:
        for each in edits:
            each(recipe)

    return edit


def swap(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    """Return a change that replaces bytes that stand exactly once."""

    def change(data: bytes) -> bytes:
        assert data.count(old) == 1, f"{old.hex()} stands {data.count(old)} times"
        return data.replace(old, new)

    return change


def flip(offset: int) -> Callable[[bytes], bytes]:
    """Return a change that flips the lowest bit of one byte."""

    def change(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[offset] ^= 1
        return bytes(changed)

    return change
