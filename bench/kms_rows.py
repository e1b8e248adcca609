# SPDX-License-Identifier: Apache-2.0
"""How many attested Decrypt calls the twin answers in a second of one core, over HTTP, from a raw client.

Each call brings a document of its own, under a leaf of its own, and its own signature (SigV4); its policy has eight
statements. Client and twin share the process, so the client's work counts too. Making documents and signing calls is
done before, because an instance does it, not the twin.
"""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as SigningCredentials
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA384

from bench.race import Turn, cpu_time, race
from bench.row import Goal, Row, Unit
from strongroom.crypto.key_transport import RecipientKey, encrypt_to_recipient
from strongroom.formats.pcrs import PcrIndex
from strongroom.ids import AccountId
from strongroom.twin.accounts import FULL_ACCESS, Credentials
from strongroom.twin.machine import Instance
from strongroom.twin.server import Twin

PACE = 300
"""Calls a second that the twin has to answer."""
_VENDOR, _CUSTOMER = "111111111111", "222222222222"
_CONTEXT = {"strongroom:tenant": "acme", "strongroom:epoch": "1"}
_GATES = (2, 4, 12, 13)
_OPENING = ["kms:Decrypt", "kms:DeriveSharedSecret", "kms:GenerateDataKey", "kms:GenerateDataKeyPair"]
_HEAD_END = b"\r\n\r\n"


def kms_row(image: bytes, calls: int, rounds: int) -> Row:
    """Return the row about attested Decrypt of instances that booted `image`, `calls` of them a round."""
    with _attested_stage(image) as stage, _connected(stage.twin) as connection:
        seconds = race({"ours": stage.answer(connection, calls), "limit": _bare_cryptography(calls)}, rounds)
    return Row(
        what="answer an attested Decrypt over HTTP, 8 statements",
        unit=Unit.DOCUMENTS_PER_SECOND,
        goal=Goal("pace", 1.0),
        names={
            "pace": f"{PACE} calls a second",
            "limit": "two P-384 verifications and one RSA-2048 encryption, nothing else",
        },
        seconds={**seconds, "pace": [1 / PACE] * rounds},
    )


@dataclass(frozen=True, slots=True)
class _Stage:
    """A running twin with a gated key, an instance that it opens on, a ciphertext and somebody who may ask."""

    twin: Twin
    instance: Instance
    caller: Credentials
    key_arn: str
    blob: bytes
    recipient: RecipientKey

    def answer(self, connection: socket.socket, calls: int) -> Turn:
        """Return a turn that sends calls over one connection and waits for each answer."""

        def ask(request: bytes) -> None:
            connection.sendall(request)
            if b"CiphertextForRecipient" not in _body(connection):
                raise RuntimeError("expected a secret for the recipient, found none")

        def turn() -> float:
            fresh = [self.call() for _ in range(calls)]  # a document is good for five minutes, and so is a signature
            return cpu_time(ask, fresh)()

        return turn

    def call(self) -> bytes:
        """Return one signed call, as it goes over the wire."""
        document = self.instance.attest(public_key=self.recipient.public_key)
        body = {
            "CiphertextBlob": _text(self.blob),
            "KeyId": self.key_arn,
            "EncryptionContext": _CONTEXT,
            "Recipient": {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": _text(document)},
        }
        return _signed(self.twin, self.caller, "Decrypt", body)


@contextmanager
def _attested_stage(image: bytes) -> Iterator[_Stage]:
    with Twin() as twin:
        vendor, customer = (twin.create_account(each, name=each) for each in (_VENDOR, _CUSTOMER))
        release = twin.create_user(vendor, "release", policies=[FULL_ACCESS])
        twin.create_role(customer, "app", policies=[FULL_ACCESS])
        caller = twin.create_user(AccountId(customer), "app", policies=[FULL_ACCESS])
        instance = twin.launch(image, account=customer, role="app")
        arn = _answer(twin, release, "CreateKey", {"Policy": _policy(instance)}, "KeyMetadata", "Arn")
        sealing = {"KeyId": arn, "Plaintext": _text(bytes(32)), "EncryptionContext": _CONTEXT}
        blob = base64.b64decode(_answer(twin, release, "Encrypt", sealing, "CiphertextBlob"))
        yield _Stage(twin, instance, caller, arn, blob, RecipientKey.generate())


def _policy(instance: Instance) -> str:
    """Return a policy of eight statements: admin, sealing, opening on this boot, four gates, side doors."""
    pcrs = {f"kms:RecipientAttestation:NitroTPMPCR{i}": instance.pcrs[PcrIndex(i)].hex() for i in _GATES}
    vendor, customer = ({"AWS": f"arn:aws:iam::{each}:root"} for each in (_VENDOR, _CUSTOMER))
    context = {f"kms:EncryptionContext:{name}": value for name, value in _CONTEXT.items()}
    opening = {"StringEqualsIgnoreCase": pcrs, "StringEquals": context}
    statements = [
        _statement("Allow", vendor, ["kms:DescribeKey", "kms:GetKeyPolicy", "kms:PutKeyPolicy"]),
        _statement("Allow", vendor, ["kms:Encrypt"], {"StringEquals": context}),
        _statement("Allow", customer, ["kms:Decrypt"], opening),
        *(_statement("Deny", "*", _OPENING, {"StringNotEqualsIgnoreCase": {name: pcrs[name]}}) for name in pcrs),
        _statement("Deny", "*", ["kms:CreateGrant", "kms:ReEncryptFrom", "kms:ReEncryptTo"]),
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _statement(effect: str, who: object, actions: list[str], condition: object = None) -> dict[str, object]:
    statement = {"Effect": effect, "Principal": who, "Action": actions, "Resource": "*"}
    return {**statement, "Condition": condition} if condition else statement


def _signed(twin: Twin, caller: Credentials, operation: str, members: object) -> bytes:
    body = json.dumps(members).encode()
    headers = {"X-Amz-Target": f"TrentService.{operation}", "Content-Type": "application/x-amz-json-1.1"}
    request = AWSRequest("POST", f"{twin.endpoint_url}/", headers, body)
    keys = SigningCredentials(caller.access_key_id, caller.secret_access_key)
    SigV4Auth(keys, "kms", twin.region).add_auth(request)
    sent = {**dict(request.headers.items()), "Host": twin.endpoint_url.removeprefix("http://")}
    head = "".join(f"{name}: {value}\r\n" for name, value in {**sent, "Content-Length": len(body)}.items())
    return b"POST / HTTP/1.1\r\n" + head.encode() + b"\r\n" + body


@contextmanager
def _connected(twin: Twin) -> Iterator[socket.socket]:
    host, _, port = twin.endpoint_url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def _answer(twin: Twin, caller: Credentials, operation: str, members: object, *path: str) -> str:
    """Call once, and return the text at a place in the reply."""
    with _connected(twin) as connection:
        connection.sendall(_signed(twin, caller, operation, members))
        found = json.loads(_body(connection))
    for name in path:
        found = found[name]
    return str(found)


def _body(connection: socket.socket) -> bytes:
    received = b""
    while _HEAD_END not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(_HEAD_END)
    if not head.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"expected an answer, found {received!r}")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(body) < int(length.partition(b":")[2]):
        body += connection.recv(65536)
    return body


def _bare_cryptography(calls: int) -> Turn:
    private, message, recipient = ec.generate_private_key(ec.SECP384R1()), bytes(4096), RecipientKey.generate()
    signature, public = private.sign(message, ec.ECDSA(SHA384())), private.public_key()

    def work(_: int) -> None:
        public.verify(signature, message, ec.ECDSA(SHA384()))
        public.verify(signature, message, ec.ECDSA(SHA384()))
        encrypt_to_recipient(recipient.public_key, bytes(32))

    every: Sequence[int] = range(calls)
    return cpu_time(work, every)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
