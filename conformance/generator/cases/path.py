# SPDX-License-Identifier: Apache-2.0
"""The path from the leaf to the root: who issued whom, and who may (ATTACKS A5, A6)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives import hashes

from .. import cbor
from ..certificates import (
    MODULE,
    REGION,
    SHAPES,
    Chain,
    Extra,
    Issuer,
    chain,
    good_chain,
    issue,
    key,
    leaf_named,
    rsa_public_key,
)
from ..recipe import Case, Edit, Recipe, both, certificate_list, fields, raw_signature, setting, sig_structure

_STRANGER = key("stranger")
_GOOD = good_chain()
_UNKNOWN = (Extra("1.3.6.1.4.1.32473.3", b"\x05\x00", critical=True),)
_SEARCHED = "a reader that searches the bundle for the one good path loses nothing; AWS writes this order only"
_NOT_SAID = "every genuine certificate has P-384 and SHA-384; AWS does not write that others are wrong"
_ROOT_INSIDE = "the anchor is what was given; AWS writes it into the bundle too, and a path can be built without"


def _shaped(**changes: dict[str, Any]) -> Edit:
    return setting(chain=chain(**changes))


def _bundle(*positions: str) -> Edit:
    """Order the bundle as given."""
    return fields(cabundle=certificate_list(_GOOD.ders[position] for position in positions))


def _issuer(position: str) -> Issuer:
    return Issuer(key(position), SHAPES[position].subject)


_LOOKALIKE = chain(keys={"root": key("another root")})
_SIGNED_LEAF = "i-0fedcba9876543210-tpm0000000000000000"


def _leaf_below_leaf(recipe: Recipe) -> None:
    """Let the good leaf sign another one: whoever has a document's key would be an issuer."""
    shape = replace(SHAPES["leaf"], **leaf_named(f"{_SIGNED_LEAF}.{REGION}.aws"))
    below = issue(shape, key("second leaf").public_key(), _issuer("leaf"))
    keys = _GOOD.keys | {"leaf": key("second leaf")}
    recipe.chain = Chain(_GOOD.ders | {"leaf": below}, keys)
    recipe.fields |= {
        "module_id": cbor.text(_SIGNED_LEAF),
        "cabundle": certificate_list([*_GOOD.bundle, _GOOD.ders["leaf"]]),
    }


def _self_signed(recipe: Recipe) -> None:
    alone = issue(SHAPES["leaf"], key("leaf").public_key(), _issuer("leaf"))
    recipe.chain = Chain(_GOOD.ders | {"leaf": alone}, _GOOD.keys)
    recipe.fields["cabundle"] = certificate_list([alone])


def _circle(recipe: Recipe) -> None:
    """Let regional and zonal certify each other: every signature fits, and no path reaches the root."""
    shapes = (replace(SHAPES[position], path_length=None) for position in ("regional", "zonal"))
    issuers = (_issuer("zonal"), _issuer("regional"))
    keys = (key("regional").public_key(), key("zonal").public_key())
    regional, zonal = map(issue, shapes, keys, issuers)
    recipe.fields["cabundle"] = certificate_list([_GOOD.root, regional, zonal, _GOOD.ders["instance"]])


def _p256_leaf(recipe: Recipe) -> None:
    """Sign with P-256 and fill r and s up to 48 bytes."""
    small = key("leaf", "P256")
    recipe.chain = chain(leaf={"public_key": small.public_key()})
    recipe.sign = lambda recipe, payload: raw_signature(small, sig_structure(recipe.protected, payload))


def _signed_by_stranger(position: str) -> Case:
    return Case(
        f"signature-{position}",
        "path-2",
        f"the {position} certificate is signed by a stranger",
        _shaped(**{position: {"signer": _STRANGER}}),
    )


_ANCHOR = (
    Case(
        "root-lookalike",
        "path-1",
        "a whole chain under a self-made root of the same names",
        setting(chain=_LOOKALIKE, root=_GOOD.root),
    ),
    Case(
        "root-other",
        "path-1",
        "a good document, and a verifier that trusts another root of the same names",
        setting(root=_LOOKALIKE.root),
    ),
    Case(
        "root-self-signed-leaf",
        "path-1",
        "a self-signed leaf is its own bundle",
        both(setting(root=_GOOD.root), _self_signed),
    ),
    Case(
        "root-in-front",
        "path-2",
        "the right root in front of another root's chain",
        both(
            setting(chain=_LOOKALIKE, root=_GOOD.root),
            fields(cabundle=certificate_list([_GOOD.root, *_LOOKALIKE.bundle[1:]])),
        ),
    ),
    Case(
        "root-reissued",
        "path-1",
        "the root's key and names in a certificate of other bytes",
        setting(chain=chain(root={"serial": 7}), root=_GOOD.root),
        reason=_ROOT_INSIDE,
    ),
    Case(
        "root-left-out",
        "path-1",
        "the bundle begins with the regional certificate",
        _bundle("regional", "zonal", "instance"),
        reason=_ROOT_INSIDE,
    ),
)
_ORDER = (
    *(_signed_by_stranger(position) for position in ("regional", "zonal", "instance", "leaf")),
    Case("no-regional", "path-2", "the regional certificate is missing", _bundle("root", "zonal", "instance")),
    Case("no-instance", "path-2", "the instance's certificate is missing", _bundle("root", "regional", "zonal")),
    Case("root-alone", "path-2", "the bundle holds the root alone", _bundle("root")),
    Case("circle", "path-2", "two issuers that certify each other and not the root's", _circle),
    Case(
        "reversed",
        "path-2",
        "the bundle in reverse",
        _bundle("instance", "zonal", "regional", "root"),
        reason=_SEARCHED,
    ),
    Case(
        "swapped",
        "path-2",
        "two certificates exchanged",
        _bundle("root", "zonal", "regional", "instance"),
        reason=_SEARCHED,
    ),
    Case(
        "twice",
        "path-2",
        "the zonal certificate twice",
        _bundle("root", "regional", "zonal", "zonal", "instance"),
        reason=_SEARCHED,
    ),
    Case(
        "extra",
        "path-2",
        "a certificate that belongs to no path here",
        fields(cabundle=certificate_list([*_GOOD.bundle, _LOOKALIKE.ders["instance"]])),
        reason=_SEARCHED,
    ),
    Case(
        "leaf-inside",
        "path-2",
        "the leaf at the end of the bundle too",
        _bundle("root", "regional", "zonal", "instance", "leaf"),
        reason=_SEARCHED,
    ),
    Case(
        "issuer-regional",
        "path-3",
        "the regional certificate names another issuer",
        _shaped(regional={"issuer": "C=US,O=Amazon,OU=AWS,CN=aws-cn.nitro-enclaves"}),
    ),
    Case(
        "issuer-leaf",
        "path-3",
        "the leaf names another issuer",
        _shaped(leaf={"issuer": f"C=US,O=Amazon,OU=AWS,CN=i-0fedcba9876543210.{REGION}.aws.nitro-enclaves"}),
    ),
)
_AUTHORITY = (
    Case("leaf-signs-leaf", "path-4", "a leaf signs another leaf", _leaf_below_leaf),
    Case(
        "not-ca-regional",
        "path-4",
        "the regional certificate says that it is no CA",
        _shaped(regional={"ca": False, "path_length": None}),
    ),
    Case(
        "not-ca-instance",
        "path-4",
        "the instance's certificate says that it is no CA",
        _shaped(instance={"ca": False, "path_length": None}),
    ),
    Case(
        "no-constraints-zonal", "path-4", "the zonal certificate has no basicConstraints", _shaped(zonal={"ca": None})
    ),
    Case(
        "no-constraints-instance",
        "path-4",
        "the instance's certificate has no basicConstraints",
        _shaped(instance={"ca": None}),
    ),
    Case(
        "constraints-not-critical",
        "path-4",
        "the instance's basicConstraints are not critical",
        _shaped(instance={"constraints_critical": False}),
        reason="RFC 5280 section 4.2.1.9 binds issuers; a reader need not look",
    ),
    Case(
        "leaf-is-ca",
        "path-4",
        "the leaf is a CA without a path length",
        _shaped(leaf={"ca": True}),
        reason="AWS says of the leaf only that it has no path length",
    ),
    Case(
        "length-root",
        "path-5",
        "the root allows two certificates between, and there are three",
        _shaped(root={"path_length": 2}),
    ),
    Case(
        "length-regional",
        "path-5",
        "the regional certificate allows one below it, and there are two",
        _shaped(regional={"path_length": 1}),
    ),
    Case(
        "length-zonal",
        "path-5",
        "the zonal certificate allows none below it, and there is one",
        _shaped(zonal={"path_length": 0}),
    ),
    Case("length-leaf", "path-5", "the leaf is a CA with a path length", _shaped(leaf={"ca": True, "path_length": 0})),
    Case(
        "usage-root",
        "path-6",
        "the root may not sign certificates",
        _shaped(root={"usage": ("digital_signature", "crl_sign")}),
    ),
    Case(
        "usage-regional",
        "path-6",
        "the regional certificate may not sign certificates",
        _shaped(regional={"usage": ("digital_signature", "crl_sign")}),
    ),
    Case(
        "usage-instance",
        "path-6",
        "the instance's certificate may not sign certificates",
        _shaped(instance={"usage": ("digital_signature",)}),
    ),
    Case("no-usage-zonal", "path-6", "the zonal certificate has no key usage", _shaped(zonal={"usage": None})),
    Case("usage-leaf", "path-6", "the leaf may agree on keys, not sign", _shaped(leaf={"usage": ("key_agreement",)})),
    Case("no-usage-leaf", "path-6", "the leaf has no key usage", _shaped(leaf={"usage": None})),
    Case(
        "critical-regional",
        "path-7",
        "an unknown critical extension in the regional certificate",
        _shaped(regional={"extra": _UNKNOWN}),
    ),
    Case(
        "critical-instance",
        "path-7",
        "an unknown critical extension in the instance's certificate",
        _shaped(instance={"extra": _UNKNOWN}),
    ),
    Case("critical-leaf", "path-7", "an unknown critical extension in the leaf", _shaped(leaf={"extra": _UNKNOWN})),
)
_KEYS = (
    Case("leaf-p256", "path-8", "a leaf on P-256, r and s filled up to 48 bytes", _p256_leaf),
    Case("leaf-rsa", "path-8", "a leaf with an RSA key", _shaped(leaf={"public_key": rsa_public_key("leaf")})),
    Case(
        "instance-p256",
        "path-8",
        "the instance's key is on P-256",
        setting(chain=chain(keys={"instance": key("instance", "P256")})),
        reason=_NOT_SAID,
    ),
    Case(
        "leaf-sha256",
        "path-8",
        "the leaf is signed with SHA-256",
        _shaped(leaf={"algorithm": hashes.SHA256()}),
        reason=_NOT_SAID,
    ),
    Case(
        "regional-sha512",
        "path-8",
        "the regional certificate is signed with SHA-512",
        _shaped(regional={"algorithm": hashes.SHA512()}),
        reason=_NOT_SAID,
    ),
)
_NAMES = tuple(
    Case(
        name,
        "name-1",
        comment,
        _shaped(leaf=leaf_named(common_name)),
        reason="AWS does not write down the leaf's name; the signature already vouches for module_id",
    )
    for name, common_name, comment in (
        ("other-instance", f"i-0fedcba9876543210-tpm0000000000000000.{REGION}.aws", "the leaf names another instance"),
        ("no-region", f"{MODULE}.aws", "the leaf names no region"),
        ("longer", f"{MODULE}.{REGION}.aws.example", "the leaf's name goes on"),
    )
)
CASES = (*_ANCHOR, *_ORDER, *_AUTHORITY, *_KEYS, *_NAMES)
