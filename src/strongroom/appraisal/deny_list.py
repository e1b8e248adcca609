# SPDX-License-Identifier: Apache-2.0
"""Whether a deny list names a certificate of the path, the module or the instance of a document (ATTACKS A23).

Nobody revokes Nitro certificates: AWS tells verifiers to keep revocation lists off. What a verifier knows better is in
its own list (docs/formats/deny-list.md), and refuses a document whose signatures all hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from strongroom.crypto.certificates import sha256_fingerprints
from strongroom.errors import NotAuthentic
from strongroom.formats.deny_list import DenyList
from strongroom.ids import CertificateDer, InstanceId

NOTHING_DENIED: Final = DenyList()


def expect_not_denied(
    deny_list: DenyList, *, path: Sequence[CertificateDer], module_id: str, instance: InstanceId
) -> None:
    """Return if nothing of a verified document is denied. `path` goes from the leaf to the root.

    Raises NotAuthentic with the reason that the list gives.
    """
    if deny_list.certificates:  # reading certificates once more costs time: only for those who have something to find
        for index, certificate in enumerate(path):
            _expect_certificate(deny_list.certificates, certificate, _position(index, len(path) - 1))
    if module_id in deny_list.modules:
        raise _denied("module", f"the module {module_id}", deny_list.modules[module_id])
    if instance in deny_list.instances:
        raise _denied("instance", f"the instance {instance}", deny_list.instances[instance])


def _expect_certificate(denied: Mapping[bytes, str], certificate: CertificateDer, position: str) -> None:
    for digest in sha256_fingerprints(certificate) & denied.keys():
        raise _denied("certificate", f"{position} (listed with SHA-256 {digest.hex()})", denied[digest])


def _position(index: int, root: int) -> str:
    """Name a certificate as crypto/chain does: by its place in the document's bundle, which begins with the root."""
    if index == 0:
        return "the leaf certificate"
    return "the root certificate" if index == root else f"certificate {root - index} of {root - 1} in the bundle"


def _denied(kind: str, what: str, reason: str) -> NotAuthentic:
    return NotAuthentic(
        f"evidence.denied-{kind}",
        f"{what} is on the deny list: {reason}",
        remedy="The document's signatures hold; your deny list says that they must not count.",
    )
