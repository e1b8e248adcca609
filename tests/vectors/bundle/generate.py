# SPDX-License-Identifier: Apache-2.0
"""Writes the bundle vectors beside this file, always the same bytes: python tests/vectors/bundle/generate.py

It is a second writer of the format, made from docs/formats/bundle.md on primitives, so that it can also write what the
library refuses to write. Each vector has at most one fault.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.formats import cbor

HERE = Path(__file__).parent
NOW = 1_800_000_000
DATA_KEY = hashlib.sha256(b"vector data key").digest()
OTHER_KEY = hashlib.sha256(b"another data key").digest()
CONTENT_ID = hashlib.sha256(b"vector content id").digest()
ED25519 = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"vector signer").digest())
P384 = ec.derive_private_key(int.from_bytes(hashlib.sha384(b"vector signer").digest()) >> 1, ec.SECP384R1())
ARN = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ARN_2 = "arn:aws:kms:us-east-1:111122223333:key/mrk-1234abcd12ab34cd56ef1234567890ab"


def spki(key):
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def sign(key, message):
    if key is ED25519:
        return key.sign(message)
    r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(SHA384(), deterministic_signing=True)))
    return r.to_bytes(48) + s.to_bytes(48)


def entry(name: str, content: bytes, media_type: str = "text/plain", mode: int = 0o600) -> tuple[dict[str, Any], bytes]:
    return {"name": name, "media-type": media_type, "mode": mode, "size": len(content)}, content


ONE = (entry("password", b"correct horse battery staple"),)


class Recipe:
    """Everything that makes a bundle; a vector changes one thing of it."""

    def __init__(self) -> None:
        self.entries = list(ONE)
        self.key = ED25519
        self.alg = -8
        self.kid: bytes | None = None
        self.content_type = "application/vnd.strongroom.bundle-header.v1+cbor"
        self.aad = b"strongroom/bundle-header/v1"
        self.protected_extra: dict[Any, Any] = {}
        self.unprotected: dict[Any, Any] = {}
        self.magic = b"\x89SRB\r\n\x1a\n"
        self.layout = b"\0\1\0\0"
        self.chunk_log2 = 12
        self.with_root = True
        self.data_key = DATA_KEY
        self.table: bytes | None = None
        self.fields: dict[Any, Any] = {
            "version": 1,
            "suite": 1,
            "product": "example",
            "name": "database",
            "bundle-version": 3,
            "epoch": 2,
            "created": NOW - 1000,
            "not-after": NOW + 1000,
            "tenant": "acme",
            "accounts": ["444455556666"],
            "purpose": "secret",
            "wraps": [{"key-arn": ARN, "data-key": b"\1\2 wrapped by nobody"}],
        }
        self.content: dict[Any, Any] = {}
        self.change_payload: Callable[[bytes], bytes] = bytes
        self.change_signature: Callable[[bytes], bytes] = bytes
        self.change_body: Callable[[bytes], bytes] = bytes
        self.change_body_after_signing: Callable[[bytes], bytes] = bytes
        self.change_hash_table: Callable[[bytes], bytes] = bytes
        self.change_file: Callable[[bytes], bytes] = bytes
        self.change_length = 0
        # what the reader knows
        self.reader = {
            "product": "example",
            "name": "database",
            "floor": "3",
            "key-accounts": "111122223333",
            "partition": "aws",
            "account": "444455556666",
            "region": "eu-central-1",
            "now": str(NOW),
        }
        self.roles = "bundle"
        self.pinned: Any = None
        self.pinned_alg: int | None = None
        self.reader_data_key: bytes | None = None


def expand(prk: bytes, kind: bytes, chunk_log2: int, index: int) -> bytes:
    info = b"strongroom/bundle/v1/" + kind + b"\0" + b"\0\1" + bytes([chunk_log2]) + index.to_bytes(4)
    return hmac.digest(prk, info + b"\1", "sha384")[:32]


def nonce(number: int, last: int) -> bytes:
    return number.to_bytes(11) + bytes([last])


def encrypt_chunks(key: bytes, content: bytes, size: int) -> list[bytes]:
    pieces = [content[i : i + size] for i in range(0, len(content), size)] or [b""]
    cipher = AESGCM(key)
    return [cipher.encrypt(nonce(i, int(i == len(pieces) - 1)), piece, None) for i, piece in enumerate(pieces)]


def tree(body: bytes, chunk_log2: int) -> tuple[bytes, bytes]:
    block = (1 << chunk_log2) + 16
    level = [hashlib.sha256(b"\0" + body[i : i + block]).digest() for i in range(0, len(body), block)]
    table = b""
    while len(level) > 1:
        table += b"".join(level)
        groups = [b"".join(level[i : i + 128]) for i in range(0, len(level), 128)]
        level = [hashlib.sha256(b"\1" + group).digest() for group in groups]
    return level[0], table


def build_body(recipe: Recipe, prk: bytes) -> bytes:
    size = 1 << recipe.chunk_log2
    chunks = []
    for index, (_, content) in enumerate(recipe.entries, start=1):
        chunks += encrypt_chunks(expand(prk, b"entry", recipe.chunk_log2, index), content, size)
    return b"".join(chunks)


def envelope(recipe: Recipe, payload: bytes) -> bytes:
    kid = hashlib.sha256(spki(recipe.key)).digest() if recipe.kid is None else recipe.kid
    protected = cbor.encode({1: recipe.alg, 3: recipe.content_type, 4: kid, **recipe.protected_extra})
    signature = sign(recipe.key, cbor.encode(["Signature1", protected, recipe.aad, payload]))
    return cbor.encode([protected, recipe.unprotected, payload, recipe.change_signature(signature)])


def preamble(recipe: Recipe, header: bytes) -> bytes:
    return recipe.magic + recipe.layout + (len(header) + recipe.change_length).to_bytes(4)


def build(recipe: Recipe) -> bytes:
    prk = hmac.digest(CONTENT_ID, recipe.data_key, "sha384")
    body = recipe.change_body(build_body(recipe, prk))
    root, hash_table = tree(body, recipe.chunk_log2)
    table = cbor.encode(list[Any](info for info, _ in recipe.entries)) if recipe.table is None else recipe.table
    content = {
        "id": CONTENT_ID,
        "commitment": expand(prk, b"commitment", recipe.chunk_log2, 0),
        "chunk-log2": recipe.chunk_log2,
        "table": AESGCM(expand(prk, b"entry", recipe.chunk_log2, 0)).encrypt(nonce(0, 1), table, None),
        "body": {"length": len(body), "placement": "inline"},
        "root": root if recipe.with_root else None,
        **recipe.content,
    }
    payload = recipe.change_payload(cbor.encode({**recipe.fields, "content": content}))
    header = envelope(recipe, payload)
    body = recipe.change_body_after_signing(body)
    hash_table = recipe.change_hash_table(hash_table) if recipe.with_root else b""
    return recipe.change_file(preamble(recipe, header) + header + body + hash_table)


def build_escrow(recipe: Recipe) -> bytes:
    fields: dict[int | str, Any] = {
        name: recipe.fields[name] for name in ("version", "product", "tenant", "purpose", "name", "epoch")
    }
    payload = cbor.encode({**fields, "content-id": CONTENT_ID, "wrap": recipe.fields["wraps"][0], **recipe.content})
    header = envelope(recipe, payload)
    return recipe.change_file(preamble(recipe, header) + header)


def head(recipe: Recipe, expect: str, spec: str, comment: str, *, kind: str) -> str:
    key = recipe.key if recipe.pinned is None else recipe.pinned
    alg = recipe.alg if recipe.pinned_alg is None else recipe.pinned_alg
    data_key = DATA_KEY if recipe.reader_data_key is None else recipe.reader_data_key
    lines = [
        f"expect: {expect}",
        f"spec: docs/formats/bundle.md section {spec}",
        f"comment: {comment}",
        f"kind: {kind}",
        *(f"{name}: {value}" for name, value in recipe.reader.items()),
        f"signer: {alg} {recipe.roles} {spki(key).hex()}",
        f"data-key: {data_key.hex()}",
    ]
    if expect == "success":
        f = recipe.fields
        lines.append(
            f"context: product={f['product']} tenant={f['tenant']} purpose={f['purpose']} "
            f"name={f['name']} epoch={f['epoch']}"
        )
        if kind == "bundle":
            lines += [
                f"entry: {i['name']} {i['media-type']} {i['mode']:o} {hashlib.sha256(c).hexdigest()}"
                for i, c in recipe.entries
            ]
    return "\n".join(lines) + "\n\n"


def write(name: str, expect: str, spec: str, comment: str, change=None, kind="bundle") -> None:
    recipe = Recipe()
    if kind == "escrow":
        recipe.magic = b"\x89SRE\r\n\x1a\n"
        recipe.content_type = "application/vnd.strongroom.bundle-escrow.v1+cbor"
        recipe.aad = b"strongroom/bundle-escrow/v1"
    if change is not None:
        change(recipe)
    data = build(recipe) if kind == "bundle" else build_escrow(recipe)
    text = head(recipe, expect, spec, comment, kind=kind)
    (HERE / f"{name}.vector").write_bytes(text.encode() + data)


def setting(**attributes) -> Callable[[Recipe], None]:
    """Return a change that sets attributes of the recipe; dictionaries are merged into what is there."""

    def change(recipe: Recipe) -> None:
        for name, value in attributes.items():
            old = getattr(recipe, name)
            setattr(recipe, name, {**copy.deepcopy(old), **value} if isinstance(value, dict) else value)

    return change


def fields(**values) -> Callable[[Recipe], None]:
    return setting(fields={name.replace("_", "-"): value for name, value in values.items()})


def content(**values) -> Callable[[Recipe], None]:
    return setting(content={name.replace("_", "-"): value for name, value in values.items()})


def swap(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        assert old in data
        return data.replace(old, new, 1)

    return change


def flip(offset: int) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[offset] ^= 1
        return bytes(changed)

    return change


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    import cases  # type: ignore[import-not-found]  # a program beside this one

    for old in HERE.glob("*.vector"):
        old.unlink()
    cases.write_all()
    sys.stdout.write(f"{len(list(HERE.glob('*.vector')))} vectors\n")
