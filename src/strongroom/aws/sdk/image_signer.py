# SPDX-License-Identifier: Apache-2.0
"""Secure Boot's signing key in KMS: an asymmetric RSA key with the use SIGN_VERIFY, which never leaves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strongroom.aws.sdk.kms import expect_key
from strongroom.aws.sdk.session import translated
from strongroom.ids import CertificateDer, KeyArn

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient


class SdkImageSigner:
    """Signs in KMS (implements `ports.ImageSigner`). Whoever uses it verifies with the certificate what comes back."""

    def __init__(self, client: KMSClient, key_arn: KeyArn, certificate: CertificateDer) -> None:
        self._client = client
        self._key_arn = key_arn
        self._certificate = certificate

    @property
    def certificate(self) -> CertificateDer:
        """The certificate that was issued for the key."""
        return self._certificate

    def sign_digest(self, digest: bytes) -> bytes:
        """Return KMS's signature over a SHA-256 digest. Raises KeyRefused, UsageError, ServiceFault, NotAuthentic."""
        with translated():
            reply = self._client.sign(
                KeyId=self._key_arn,
                Message=digest,
                MessageType="DIGEST",
                SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256",
            )
        expect_key(reply["KeyId"], self._key_arn)
        return reply["Signature"]
