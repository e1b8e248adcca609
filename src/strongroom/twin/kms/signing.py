# SPDX-License-Identifier: Apache-2.0
"""What keys do that do not encrypt: signatures, MACs, public keys, shared secrets (KMS API Reference)."""

from __future__ import annotations

import hmac

from strongroom.twin.fault import AwsFault
from strongroom.twin.kms import asymmetric
from strongroom.twin.kms.authorization import authorize, expect_usable
from strongroom.twin.kms.key_specs import ALGORITHMS, KeyUsage
from strongroom.twin.kms.keys import ORIGIN, Key
from strongroom.twin.kms.metadata import algorithm_members, spec_members
from strongroom.twin.kms.parameters import Parameters
from strongroom.twin.kms.replies import delivered, end_dry_run, expect_algorithm, text, used_key
from strongroom.twin.kms.request import Operation, Reply, Request
from strongroom.twin.kms.store import KeyStore

MAX_MESSAGE_BYTES = 4096
MAX_SIGNATURE_BYTES = 6144
MAX_PUBLIC_KEY_BYTES = 8192
RAW, DIGEST = "RAW", "DIGEST"
_SIGNATURES = {name for name in ALGORITHMS if name.startswith(("RSASSA", "ECDSA"))} | {
    "ED25519_PH_SHA_512",
    "ED25519_SHA_512",
    "ML_DSA_SHAKE_256",
    "SM2DSA",
}
"""All of KMS's: those that no key of the twin has are incompatible with each of them."""
_MACS = {name for name in ALGORITHMS if name.startswith("HMAC")}


class Signing:
    """The operations; each takes the request and its parameters, and raises AwsFault."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store

    def operations(self) -> dict[str, Operation]:
        """Return the rows of this family."""
        signing, default = ("KeyId", "MessageType", "SigningAlgorithm"), {"MessageType": RAW}
        return {
            "DeriveSharedSecret": Operation(
                self.derive_shared_secret,
                takes_tokens=True,
                takes_recipient=True,
                shown=("KeyId", "KeyAgreementAlgorithm"),
            ),
            "GenerateMac": Operation(self.generate_mac, takes_tokens=True, shown=("KeyId", "MacAlgorithm")),
            "GetPublicKey": Operation(self.get_public_key, takes_tokens=True),
            "Sign": Operation(self.sign, takes_tokens=True, shown=signing, defaults=default),
            "Verify": Operation(self.verify, takes_tokens=True, shown=signing, defaults=default),
            "VerifyMac": Operation(self.verify_mac, takes_tokens=True, shown=("KeyId", "MacAlgorithm")),
        }

    def sign(self, request: Request, parameters: Parameters) -> Reply:
        """Sign a message or a digest."""
        key, message, is_digest = self._signing(request, parameters)
        end_dry_run(parameters)
        algorithm = parameters.text("SigningAlgorithm")
        signature = asymmetric.sign(key, algorithm, message, is_digest=is_digest)
        return {"KeyId": key.arn, "Signature": text(signature), "SigningAlgorithm": algorithm}

    def verify(self, request: Request, parameters: Parameters) -> Reply:
        """Verify. A signature that does not hold is an error, never a false SignatureValid."""
        signature = parameters.blob("Signature", maximum_bytes=MAX_SIGNATURE_BYTES)
        key, message, is_digest = self._signing(request, parameters)
        algorithm = parameters.text("SigningAlgorithm")
        if not asymmetric.verify(key, algorithm, message, signature, is_digest=is_digest):
            raise AwsFault("KMSInvalidSignatureException", "")
        end_dry_run(parameters)
        return {"KeyId": key.arn, "SignatureValid": True, "SigningAlgorithm": algorithm}

    def get_public_key(self, request: Request, parameters: Parameters) -> Reply:
        """GetPublicKey: SubjectPublicKeyInfo in DER."""
        key = self._store.resolve(request.place, parameters.text("KeyId"))
        authorize(request, key)
        expect_usable(key)
        if not key.spec.is_asymmetric:
            raise AwsFault(
                "UnsupportedOperationException",
                f"{key.arn} key spec is {key.spec.name} which is not valid for GetPublicKey.",
            )
        public = {"KeyId": key.arn, "PublicKey": text(asymmetric.public_key(key)), "KeyUsage": key.usage.value}
        return public | spec_members(key) | algorithm_members(key)

    def generate_mac(self, request: Request, parameters: Parameters) -> Reply:
        """GenerateMac."""
        key, message = self._mac(request, parameters)
        end_dry_run(parameters)
        return {"KeyId": key.arn, "Mac": text(asymmetric.mac(key, message)), "MacAlgorithm": key.algorithms[0]}

    def verify_mac(self, request: Request, parameters: Parameters) -> Reply:
        """VerifyMac. A MAC that does not hold is an error, never a false MacValid."""
        given = parameters.blob("Mac", maximum_bytes=MAX_SIGNATURE_BYTES)
        key, message = self._mac(request, parameters)
        if not hmac.compare_digest(asymmetric.mac(key, message), given):
            raise AwsFault("KMSInvalidMacException", "")
        end_dry_run(parameters)
        return {"KeyId": key.arn, "MacValid": True, "MacAlgorithm": key.algorithms[0]}

    def derive_shared_secret(self, request: Request, parameters: Parameters) -> Reply:
        """DeriveSharedSecret, with or without a Recipient: the raw secret of ECDH with the caller's public key."""
        algorithm = parameters.choice("KeyAgreementAlgorithm", ("ECDH",))
        peer = parameters.blob("PublicKey", maximum_bytes=MAX_PUBLIC_KEY_BYTES)
        key = used_key(request, parameters, self._store, KeyUsage.KEY_AGREEMENT)
        secret = asymmetric.shared_secret(key, peer)
        if secret is None:
            raise AwsFault("ValidationException", f"PublicKey: expected a public key on the curve of {key.spec.name}.")
        end_dry_run(parameters)
        answer = {"KeyId": key.arn, "KeyAgreementAlgorithm": algorithm, "KeyOrigin": ORIGIN}
        return delivered(request, secret, member="SharedSecret") | answer

    def _signing(self, request: Request, parameters: Parameters) -> tuple[Key, bytes, bool]:
        message = parameters.blob("Message", maximum_bytes=MAX_MESSAGE_BYTES)
        is_digest = parameters.choice("MessageType", (RAW, DIGEST, "EXTERNAL_MU"), default=RAW) == DIGEST
        algorithm = parameters.choice("SigningAlgorithm", _SIGNATURES)
        key = used_key(request, parameters, self._store, KeyUsage.SIGN_VERIFY)
        expect_algorithm(key, algorithm)
        if parameters.text("MessageType", default=RAW) == "EXTERNAL_MU":
            raise AwsFault("ValidationException", f"MessageType EXTERNAL_MU is not valid for {algorithm}.")
        if is_digest and len(message) != asymmetric.digest_bytes(algorithm):
            raise AwsFault("ValidationException", f"Digest is invalid length for algorithm {algorithm}.")
        return key, message, is_digest

    def _mac(self, request: Request, parameters: Parameters) -> tuple[Key, bytes]:
        message = parameters.blob("Message", maximum_bytes=MAX_MESSAGE_BYTES)
        algorithm = parameters.choice("MacAlgorithm", _MACS)
        key = used_key(request, parameters, self._store, KeyUsage.GENERATE_VERIFY_MAC)
        expect_algorithm(key, algorithm)
        return key, message
