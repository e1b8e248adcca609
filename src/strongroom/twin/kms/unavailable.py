# SPDX-License-Identifier: Apache-2.0
"""Operations for kinds of keys that the twin has not: multi-Region keys and imported key material.

They ask for permission as KMS does and then refuse with what it says of a single-Region key, or of one whose origin is
AWS_KMS (KMS API Reference; Developer Guide, "Key states", notes 7 and 9).
"""

from __future__ import annotations

from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.authorization import expect_usable
from strongroom.twin.kms.keys import ORIGIN
from strongroom.twin.kms.parameters import Parameters
from strongroom.twin.kms.replies import managed_key
from strongroom.twin.kms.request import Operation, Reply, Request
from strongroom.twin.kms.store import KeyStore


class Unavailable:
    """The operations; each takes the request and its parameters, and raises AwsFault."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store

    def operations(self) -> dict[str, Operation]:
        """Return the rows of this family."""
        wrapping = ("KeyId", "WrappingAlgorithm", "WrappingKeySpec")
        return {
            "DeleteImportedKeyMaterial": Operation(self.refuse_import, read_only=False),
            "GetParametersForImport": Operation(self.refuse_import, shown=wrapping),
            "ImportKeyMaterial": Operation(
                self.refuse_import, read_only=False, shown=("KeyId", "ValidTo", "ExpirationModel")
            ),
            "ReplicateKey": Operation(
                self.refuse_regions, read_only=False, shown=("KeyId", "ReplicaRegion", "Description")
            ),
            "UpdatePrimaryRegion": Operation(self.refuse_regions, read_only=False, shown=("KeyId", "PrimaryRegion")),
        }

    def refuse_import(self, request: Request, parameters: Parameters) -> Reply:
        """Refuse to import, or to delete what was imported: the twin's keys have KMS's own material."""
        key = managed_key(request, parameters, self._store)
        raise AwsFault(
            "UnsupportedOperationException", f"{key.arn} origin is {ORIGIN} which is not valid for this operation."
        )

    def refuse_regions(self, request: Request, parameters: Parameters) -> Reply:
        """Refuse to replicate: the twin's keys live in one Region."""
        key = managed_key(request, parameters, self._store)
        expect_usable(key)
        raise AwsFault("UnsupportedOperationException", f"{key.arn} is not a multi-Region primary key.")
