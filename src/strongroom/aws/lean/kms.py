# SPDX-License-Identifier: Apache-2.0
"""KMS for the agent: Decrypt with an attestation document, and no other way to ask (KMS API Reference, Decrypt).

A reply is believed only if it is what an attested call gives: no plaintext (ATTACKS K14, A15), and the key that was
asked for (K7). There is no fallback to an unattested call.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import NoReturn

from strongroom.aws.kms_errors import translate
from strongroom.aws.lean.https import HttpReply, HttpsEndpoint
from strongroom.aws.lean.sigv4 import Credentials, Scope, sign_post
from strongroom.errors import FormatError, NotAuthentic
from strongroom.ids import CmsBytes, EvidenceBytes, KeyArn, Region, WrappedKey
from strongroom.ports import Clock

_OK = 200
_MIMETYPE = "application/x-amz-json-1.1"
_MAX_CMS_BYTES = 6144
"""CiphertextForRecipient in the API model."""


class LeanKms:
    """An `AttestedKms` over one endpoint. `credentials` is asked for each call: temporary ones end."""

    def __init__(
        self, endpoint: HttpsEndpoint, *, region: Region, credentials: Callable[[], Credentials], clock: Clock
    ) -> None:
        self._endpoint = endpoint
        self._scope = Scope(region, "kms")
        self._credentials = credentials
        self._clock = clock

    def decrypt(
        self, wrapped_key: WrappedKey, *, key_arn: KeyArn, context: Mapping[str, str], recipient: EvidenceBytes
    ) -> CmsBytes:
        """Return the data key, encrypted to the public key inside the `recipient` document.

        Raises KeyRefused, NotAuthentic for a reply that KMS does not give, FormatError, ServiceFault.
        """
        call = {
            "CiphertextBlob": _text(wrapped_key),
            "KeyId": key_arn,
            "EncryptionContext": dict(context),
            "Recipient": {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": _text(recipient)},
        }
        reply = self._post("Decrypt", json.dumps(call).encode())
        members = _members(reply)
        if reply.status != _OK:
            raise translate(
                _name_of_error(members), str(members.get("message", members.get("Message", ""))), status=reply.status
            )
        _expect_attested(members, key_arn)
        return _ciphertext(members)

    def _post(self, operation: str, body: bytes) -> HttpReply:
        headers = sign_post(
            {
                "Host": self._endpoint.host_header,
                "Content-Type": _MIMETYPE,
                "X-Amz-Target": f"TrentService.{operation}",
            },
            body,
            credentials=self._credentials(),
            scope=self._scope,
            now=self._clock.now(),
        )
        return self._endpoint.post(body, headers=headers)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _members(reply: HttpReply) -> Mapping[str, object]:
    try:
        members = json.loads(reply.body)
    except (ValueError, RecursionError) as error:
        if reply.status != _OK:
            raise translate("a reply that is no JSON", "", status=reply.status) from error
        raise _malformed("a JSON object") from error
    if not isinstance(members, dict):
        raise _malformed("a JSON object")
    return members


def _malformed(expected: str) -> FormatError:
    return FormatError("kms.reply", f"expected {expected} from KMS, found something else", spec="KMS API, Decrypt")


def _name_of_error(members: Mapping[str, object]) -> str:
    """Return the error's name; some services put their namespace before it."""
    return str(members.get("__type", "an error without a name")).rpartition("#")[2]


def _expect_attested(members: Mapping[str, object], key_arn: KeyArn) -> None:
    if members.get("Plaintext"):
        _refuse("kms.plaintext-in-reply", "no plaintext", "one: whoever answered ignores attestation")
    if members.get("KeyId") != key_arn:
        _refuse("kms.other-key", f"the key {key_arn}", f"{str(members.get('KeyId'))[:200]!r}")


def _refuse(code: str, expected: str, found: str) -> NoReturn:
    raise NotAuthentic(
        code,
        f"expected {expected} in the answer to an attested Decrypt, found {found}",
        remedy="This is not how AWS KMS answers. Check the endpoint and its TLS roots.",
    )


def _ciphertext(members: Mapping[str, object]) -> CmsBytes:
    value = members.get("CiphertextForRecipient")
    if not isinstance(value, str):
        _refuse("kms.no-ciphertext", "CiphertextForRecipient", "none")
    try:
        ciphertext = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed("CiphertextForRecipient in base64") from error
    if not 1 <= len(ciphertext) <= _MAX_CMS_BYTES:
        raise _malformed(f"CiphertextForRecipient of 1 to {_MAX_CMS_BYTES} bytes")
    return CmsBytes(ciphertext)
