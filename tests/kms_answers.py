# SPDX-License-Identifier: Apache-2.0
"""Scripted answers of KMS to a boto3 client, on the far side of botocore's serialising, signing and retrying."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable
from typing import Any

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

from strongroom.crypto.key_transport import encrypt_to_recipient
from strongroom.ids import EvidenceBytes, SpkiDer

KEY_ARN = "arn:aws:kms:eu-central-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab"
TOO_OLD = (400, {"__type": "ValidationException", "message": "The document exceeded the five-minute age limit."})
BUSY = (400, {"__type": "ThrottlingException", "message": "Rate exceeded"})
DENIED = (400, {"__type": "AccessDeniedException", "message": "no"})
SECRET = b"a secret of KMS"

Answer = tuple[int, dict[str, Any]]


class FakeSource:
    """An evidence source whose documents are the public keys they carry, and which takes one question at a time."""

    def __init__(self):
        self.documents: list[bytes] = []
        self._asked = threading.Lock()

    def attest(self, *, public_key=None, nonce=None, user_data=None):
        assert self._asked.acquire(blocking=False), "two conversations with one TPM"
        try:
            self.documents.append(public_key)
            return EvidenceBytes(public_key)
        finally:
            self._asked.release()


class FakeKms:
    """Answers one call after the other; the last answer again and again. `requests` are the bodies that came."""

    def __init__(self, client: Any, *answers: Answer | Callable[[dict[str, Any]], Answer]) -> None:
        self.requests: list[dict[str, Any]] = []
        self._answers = list(answers)
        client.meta.events.register("before-send.kms", self._answer)

    @property
    def documents(self) -> list[bytes]:
        """The document of each request."""
        return [base64.b64decode(request["Recipient"]["AttestationDocument"]) for request in self.requests]

    def _answer(self, request: AWSPreparedRequest, **_: object) -> AWSResponse:
        body: Any = request.body
        self.requests.append(json.loads(body))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        status, members = answer(self.requests[-1]) if callable(answer) else answer
        return AWSResponse(request.url, status, {}, _Raw(json.dumps(members).encode()))


class _Raw(io.BytesIO):
    def stream(self):
        yield self.read()


def sealed(secret: bytes = SECRET, **members: object) -> Callable[[dict[str, Any]], Answer]:
    """Answer as KMS does, for the key in a document of `FakeSource`."""

    def answer(request: dict[str, Any]) -> Answer:
        recipient = SpkiDer(base64.b64decode(request["Recipient"]["AttestationDocument"]))
        envelope = encrypt_to_recipient(recipient, secret)
        return 200, {"KeyId": KEY_ARN, "CiphertextForRecipient": text(envelope), **members}

    return answer


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


SESSION = boto3.Session("AKIANOBODY", "none", region_name="eu-central-1")


def settings(mode: str = "standard", attempts: int = 3) -> Config:
    return Config(retries={"mode": mode, "total_max_attempts": attempts})  # type: ignore[typeddict-item]
