# SPDX-License-Identifier: Apache-2.0
"""A boto3 KMS client whose attested operations carry a document each, and return what it opened.

For Decrypt, DeriveSharedSecret, GenerateDataKey, GenerateDataKeyPair and GenerateRandom (KMS Developer Guide,
"Cryptographic attestation support"):

1. Before the parameters are serialised: a new RSA key in memory, a new document that carries its public half, and
   both as `Recipient`.
2. Where KMS finds the document too old: once more, with a new key and document. Everything else that is sent again is
   sent again by botocore's own rules, with the same document, for KMS to find too old or not.
3. After the reply: it is believed only if it is what an attested call gives. What CiphertextForRecipient holds is put
   where an unattested caller finds it, and CiphertextForRecipient is taken out: the key that opens it is gone.

There is no way from here to an unattested call (ATTACKS K14).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import boto3
from botocore.model import OperationModel
from botocore.serialize import create_serializer

from strongroom.aws import kms_errors
from strongroom.aws.sdk.kms import expect_key
from strongroom.crypto.key_transport import RecipientKey
from strongroom.errors import NotAuthentic
from strongroom.ids import CmsBytes, KeyArn
from strongroom.ports import EvidenceSource

if TYPE_CHECKING:
    from botocore.awsrequest import AWSResponse
    from botocore.config import Config
    from mypy_boto3_kms import KMSClient

ALGORITHM = "RSAES_OAEP_SHA_256"
_PLAINTEXT_OF = {
    "Decrypt": "Plaintext",
    "DeriveSharedSecret": "SharedSecret",
    "GenerateDataKey": "Plaintext",
    "GenerateDataKeyPair": "PrivateKeyPlaintext",
    "GenerateRandom": "Plaintext",
}
"""The operations that take a Recipient, each with the member of its reply that holds the secret (KMS API model)."""
_SAYS_KEY_ARN = frozenset({"Decrypt", "GenerateDataKey", "GenerateDataKeyPair"})
"""Those whose reply names the key by its ARN; of DeriveSharedSecret the model says only "identifies"."""
_EXCHANGE = "strongroom_exchange"
_FIRST_ERROR_STATUS = 300
"""As botocore counts: it raises for this status and above."""


def attested_kms_client(
    evidence_source: EvidenceSource,
    *,
    session: boto3.Session | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    verify: bool | str | None = None,
    config: Config | None = None,
) -> KMSClient:
    """Return a boto3 KMS client that asks for secrets with a fresh attestation document each time.

    Decrypt, DeriveSharedSecret, GenerateDataKey, GenerateDataKeyPair and GenerateRandom return their Plaintext,
    SharedSecret or PrivateKeyPlaintext as if there was no attestation; CiphertextForRecipient and KeyMaterialId are not
    in the reply. All other operations are boto3's. `verify` is boto3's, too: the file of the TLS roots to believe.
    Several threads may share the client; its documents are asked for one at a time.

    What it does not prove: that KMS made the secret. Anybody can encrypt to a public key (ATTACKS K11), so what comes
    back is worth as much as the TLS connection: pin its roots with `verify`, or compare the secret with what the vendor
    has signed, as `open_bundle` does. A data key or random bytes cannot be compared: they rest on TLS alone. For
    Decrypt, name the key by its full ARN, or somebody else's ciphertext under somebody else's key opens as well (K7).

    A call raises what boto3 raises, ClientError for what KMS refuses; NotAuthentic for a reply that KMS does not give
    (plaintext, no CiphertextForRecipient, another key, an envelope that does not open); what the evidence source
    raises, such as TpmFault; TypeError for a `Recipient` of the caller's own. A secret is never asked for without one.
    """
    client: KMSClient = (session or boto3.Session()).client(
        "kms", region_name=region, endpoint_url=endpoint_url, verify=verify, config=config
    )
    attest_calls(client, evidence_source)
    return client


def attest_calls(client: KMSClient, evidence_source: EvidenceSource) -> None:
    """Make a KMS client what `attested_kms_client` returns. After a second time its attested calls raise TypeError."""
    attestation = _Attestation(evidence_source)
    events = client.meta.events
    for operation in _PLAINTEXT_OF:
        # Not at provide-client-params, which comes earlier: its handlers may put other parameters in the place of ours.
        events.register(f"before-parameter-build.kms.{operation}", attestation.add_recipient)
        # What handlers of needs-retry return matters; the type stubs know nothing of it.
        events.register(f"needs-retry.kms.{operation}", attestation.refresh)  # type: ignore[arg-type]
        # First, so that ordinary handlers see no reply that was not looked at.
        events.register_first(f"after-call.kms.{operation}", attestation.open_reply)


@dataclass(slots=True)
class _Exchange:
    """One call: the key its answer comes to, and the parameters it is serialised from. botocore hands it along."""

    recipient: RecipientKey
    parameters: MutableMapping[str, Any]
    refreshed: bool = False


class _Attestation:
    """The handlers. Nothing of a call is kept here: botocore's context of the call has it."""

    def __init__(self, evidence_source: EvidenceSource) -> None:
        self._source = evidence_source
        self._one_at_a_time = threading.Lock()
        """A TPM takes one conversation at a time."""

    def add_recipient(self, *, params: MutableMapping[str, Any], context: dict[str, Any], **_: object) -> None:
        """Step 1. Raises TypeError for a Recipient that is there already, and for a URL to be signed in advance."""
        if "Recipient" in params:
            raise TypeError("an attested KMS client makes the Recipient of each call itself; leave it out")
        if context.get("is_presign_request"):
            raise TypeError("an attested KMS call cannot be a presigned URL: its answer comes to a key of this process")
        recipient = RecipientKey.generate()
        params["Recipient"] = self._recipient_member(recipient)
        context[_EXCHANGE] = _Exchange(recipient, params)

    def refresh(
        self,
        *,
        response: tuple[AWSResponse, Mapping[str, Any]] | None,
        operation: OperationModel,
        request_dict: dict[str, Any],
        **_: object,
    ) -> int | None:
        """Step 2: return 0, the seconds to wait before the call is sent again, or None to leave it to others."""
        exchange: _Exchange = request_dict["context"][_EXCHANGE]
        if exchange.refreshed or response is None or not _is_too_old(*response):
            return None
        exchange.refreshed = True
        exchange.recipient = RecipientKey.generate()
        exchange.parameters["Recipient"] = self._recipient_member(exchange.recipient)
        serializer = create_serializer(operation.service_model.resolved_protocol)
        request_dict["body"] = serializer.serialize_to_request(exchange.parameters, operation)["body"]
        return 0

    def open_reply(
        self,
        *,
        http_response: AWSResponse,
        parsed: dict[str, Any],
        model: OperationModel,
        context: dict[str, Any],
        **_: object,
    ) -> None:
        """Step 3. Errors of KMS are left to botocore. Raises NotAuthentic."""
        exchange: _Exchange = context.pop(_EXCHANGE)
        if http_response.status_code >= _FIRST_ERROR_STATUS:
            return
        member = _PLAINTEXT_OF[model.name]
        envelope = _attested_answer(parsed, member)
        asked = exchange.parameters.get("KeyId", "")
        if model.name in _SAYS_KEY_ARN and asked.startswith("arn:") and ":key/" in asked:
            expect_key(parsed.get("KeyId", ""), KeyArn(asked))
        parsed[member] = _opened(exchange.recipient, envelope)

    def _recipient_member(self, recipient: RecipientKey) -> dict[str, object]:
        with self._one_at_a_time:
            document = self._source.attest(public_key=recipient.public_key)
        return {"KeyEncryptionAlgorithm": ALGORITHM, "AttestationDocument": document}


def _is_too_old(http_response: AWSResponse, parsed: Mapping[str, Any]) -> bool:
    """Say whether a reply means that the document has passed its life. Only KMS's clock counts."""
    status = http_response.status_code
    if status < _FIRST_ERROR_STATUS:
        return False
    error = parsed.get("Error", {})
    found = kms_errors.translate(error.get("Code", ""), error.get("Message", ""), status=status)
    return found.code == kms_errors.DOCUMENT_EXPIRED


def _attested_answer(parsed: dict[str, Any], member: str) -> CmsBytes:
    """Take CiphertextForRecipient out of a reply that is what an attested call gives. Raises NotAuthentic."""
    if parsed.get(member):
        _refuse("kms.plaintext-in-reply", f"no {member}", "one: whoever answered ignores attestation")
    envelope = parsed.pop("CiphertextForRecipient", b"")
    if not envelope:
        _refuse("kms.no-ciphertext", "CiphertextForRecipient", "none")
    return CmsBytes(envelope)


def _opened(recipient: RecipientKey, envelope: CmsBytes) -> bytes:
    plaintext = recipient.unwrap(envelope)
    if not plaintext:  # KMS API model: one byte at least, whatever the operation
        _refuse("kms.empty-secret", "a secret", "an envelope around nothing")
    return plaintext


def _refuse(code: str, expected: str, found: str) -> NoReturn:
    raise NotAuthentic(
        code,
        f"expected {expected} in the answer to an attested call, found {found}",
        remedy="This is not how AWS KMS answers. Check the endpoint and its TLS roots.",
    )
