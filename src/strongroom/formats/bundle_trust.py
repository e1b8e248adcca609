# SPDX-License-Identifier: Apache-2.0
"""What a reader of bundles trusts (docs/formats/bundle.md section 9): plain data that trust.json is mapped to."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from strongroom.ids import AccountId, KeyId, SpkiDer


class SignatureAlgorithm(enum.IntEnum):
    """Signature algorithms of bundle headers, by their COSE numbers (RFC 9053 section 2.1 and 2.2)."""

    EDDSA = -8
    ES384 = -35


class SignerRole(enum.StrEnum):
    """What a pinned signer may sign (docs/formats/bundle.md section 3)."""

    BUNDLE = "bundle"
    RELEASE = "release"
    BASELINE = "baseline"
    ROOT_SET = "root-set"
    CHECKPOINT = "checkpoint"
    DENY_LIST = "deny-list"


@dataclass(frozen=True, slots=True)
class PinnedSigner:
    """A public key that is trusted for the roles named, under one algorithm. `key_id` is SHA-256 of `public_key`."""

    key_id: KeyId
    algorithm: SignatureAlgorithm
    public_key: SpkiDer
    roles: frozenset[SignerRole]


@dataclass(frozen=True, slots=True)
class BundleTrust:
    """The measured facts that decide whether a bundle is for us.

    `floors` holds the lowest bundle version accepted for a name; a name that is absent has the floor 1.
    `key_accounts` and `partition` say whose KMS keys may hold a data key (ATTACKS B15).
    """

    product: str
    signers: tuple[PinnedSigner, ...]
    floors: Mapping[str, int]
    key_accounts: frozenset[AccountId]
    partition: str
