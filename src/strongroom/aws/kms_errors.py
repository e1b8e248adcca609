# SPDX-License-Identifier: Apache-2.0
"""What KMS's error names mean for us, in one table for both clients.

Names: KMS API Reference, "Errors" of each operation, and "Common Errors". AWS has no error of its own for
attestation; that a document is too old is told from the sentence, which other clients match in the same way.
"""

from __future__ import annotations

from strongroom.errors import KeyRefused, ServiceFault, StrongroomError, UsageError

DOCUMENT_EXPIRED = "kms.document-expired"
"""The code of our error for a document that is older than KMS accepts."""
_SERVER_ERROR = 500
_TOO_OLD = "exceeded the five-minute age limit"
_REFUSED = {
    "AccessDeniedException": "kms.access-denied",
    "ValidationException": "kms.invalid-request",
    "IncorrectKeyException": "kms.incorrect-key",
    "InvalidCiphertextException": "kms.invalid-ciphertext",
    "NotFoundException": "kms.key-unusable",
    "DisabledException": "kms.key-unusable",
    "KMSInvalidStateException": "kms.key-unusable",
    "KeyUnavailableException": "kms.key-unusable",
    "InvalidKeyUsageException": "kms.key-unusable",
    "MalformedPolicyDocumentException": "kms.malformed-policy",
    "AlreadyExistsException": "kms.already-exists",
    "LimitExceededException": "kms.limit-exceeded",
    "UnsupportedOperationException": "kms.unsupported",
    "UnknownOperationException": "kms.unsupported",
}
_REMEDIES = {
    "kms.access-denied": "KMS does not say which statement or PCR was wrong. `strongroom key explain` does, of the key "
    "policy and the document, whose PCRs `strongroom inspect` shows. The encryption context and the caller's IAM "
    "policies count, too.",
    DOCUMENT_EXPIRED: "Make a new attestation document and ask again.",
    "kms.incorrect-key": "The ciphertext was made with another key than the one that was named.",
    "kms.key-unusable": "Look at the key's ARN, its Region and its state (`aws kms describe-key`).",
    "kms.malformed-policy": "KMS refuses a policy that names a user or a role that does not exist: make it, or correct "
    "the ARN (`aws iam get-role`). One that was made just now may be unknown to KMS for some seconds.",
    "kms.invalid-ciphertext": "The ciphertext was changed, or it was made with another encryption context.",
}
_CREDENTIAL_ERRORS = frozenset(
    {
        "MissingAuthenticationTokenException",
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "ExpiredTokenException",
        "ExpiredToken",
    }
)
_THROTTLING = frozenset({"ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException"})


def translate(name: str, message: str, *, status: int) -> StrongroomError:
    """Return our error for an error reply of KMS or STS."""
    if name in _THROTTLING or status >= _SERVER_ERROR or name == "DependencyTimeoutException":
        return ServiceFault("kms.unavailable", f"KMS could not answer: {name}: {message}", retryable=True)
    if name in _CREDENTIAL_ERRORS:
        return UsageError(
            "aws.credentials",
            f"AWS refused the credentials or the time: {name}: {message}",
            remedy="Check the profile, the session's end and this machine's clock.",
        )
    code = DOCUMENT_EXPIRED if _TOO_OLD in message else _REFUSED.get(name)
    if code is None:
        return ServiceFault(
            "kms.unexpected", f"expected an error that KMS documents, found {name}: {message}", retryable=False
        )
    return KeyRefused(code, f"KMS refused: {name}: {message}", remedy=_REMEDIES.get(code, ""))
