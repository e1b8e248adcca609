# SPDX-License-Identifier: Apache-2.0
"""A secret that a TPM has sealed for a boot state, as a file (docs/formats/sealed.md).

Nothing in it is secret: the secret is inside the TPM's own encryption. Nothing in it is authentic either, so whoever
reads it compares its parts with each other (`tpm.sealing`), and the TPM has the last word.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace

from strongroom.errors import FormatError
from strongroom.formats import strict_json
from strongroom.formats.measurements import read_digest
from strongroom.formats.pcrs import PcrDigests
from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.attributes import ObjectAttributes as A
from strongroom.formats.tpm.handles import PCR_NAMES
from strongroom.formats.tpm.public_area import MAX_SYM_DATA_BYTES, KeyedHashParameters, PublicArea, parse_public_area
from strongroom.formats.tpm.schemes import NO_SCHEME
from strongroom.formats.tree import Node

VERSION = 1
MAX_SECRET_BYTES = MAX_SYM_DATA_BYTES
MAX_SEALED_FILE_BYTES = 16_384
SEALED_ATTRIBUTES = A.FIXED_TPM | A.FIXED_PARENT | A.ADMIN_WITH_POLICY | A.NO_DA
"""Opens by its policy alone: not by a password (no USER_WITH_AUTH), and not in another TPM. A wrong try does not count
towards the lockout."""

_NAME_ALG = Alg.SHA256
_NAME_BYTES = 2 + HASH_BYTES[_NAME_ALG]
_MAX_PART_BYTES = 1_024
_SPEC = "docs/formats/sealed.md"


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A sealed secret. `pcrs` are those of the SHA-384 bank that open it."""

    pcrs: PcrDigests
    parent: bytes
    """The name of the storage root key that it is sealed under: which TPM it is for."""
    public: PublicArea
    private: bytes


def sealed_template(policy: bytes) -> PublicArea:
    """Return the public area of a sealed secret, but for what makes it unique."""
    return PublicArea(Alg.KEYEDHASH, _NAME_ALG, SEALED_ATTRIBUTES, policy, KeyedHashParameters(NO_SCHEME), b"")


def encode_sealed(sealed: SealedSecret) -> bytes:
    """Return the file. Equal secrets give equal bytes."""
    return strict_json.encode(
        {
            "version": VERSION,
            "bank": "SHA384",
            "pcrs": {f"PCR{index}": digest.hex() for index, digest in sealed.pcrs.items()},
            "parent": sealed.parent.hex(),
            "public": base64.b64encode(sealed.public.encode()).decode(),
            "private": base64.b64encode(sealed.private).decode(),
        }
    )


def parse_sealed(data: bytes) -> SealedSecret:
    """Read the file. Raises FormatError, also for a public area that would open without its policy."""
    root = strict_json.parse(data, maximum_bytes=MAX_SEALED_FILE_BYTES, spec=_SPEC)
    members = root.record(("version", "bank", "pcrs", "parent", "public", "private"))
    members["version"].integer(VERSION, VERSION)
    members["bank"].pick({"SHA384": Alg.SHA384})
    return SealedSecret(
        pcrs=_pcrs(members["pcrs"]),
        parent=_parent(members["parent"]),
        public=_public(members["public"]),
        private=members["private"].base64(maximum_bytes=_MAX_PART_BYTES),
    )


def _pcrs(node: Node) -> PcrDigests:
    return PcrDigests.of({each.key().pick(PCR_NAMES): read_digest(each) for _, each in node.table(minimum=1)})


def _parent(node: Node) -> bytes:
    text = node.string(maximum=2 * _NAME_BYTES)
    if len(text) != 2 * _NAME_BYTES or set(text) - set("0123456789abcdef"):
        raise node.refused("sealed.parent", f"expected {2 * _NAME_BYTES} lower-case hex digits")
    return bytes.fromhex(text)


def _public(node: Node) -> PublicArea:
    try:
        public = parse_public_area(node.base64(maximum_bytes=_MAX_PART_BYTES))
    except FormatError as error:
        raise node.refused("sealed.public", f"expected the public area of a TPM's object: {error}") from error
    if replace(public, unique=b"") != sealed_template(public.policy):
        raise node.refused("sealed.public", "expected an object that opens by its policy alone, found another kind")
    return public
