# SPDX-License-Identifier: Apache-2.0
"""Whom a twin's users have to trust: the roots of its documents and of its TLS, and its signers of identity documents.

`FreshAuthorities` are new with each twin. `KeptAuthorities` live in a folder, so that images and `trust.json` that were
made for a twin stay valid after its restart::

    private/nitro.pem             key and certificate, mode 0600; so are the others in there
    private/tls.pem
    private/identity-REGION.pem
    nitro-root.pem                the certificates alone: what `[targets.twin.trust]` names
    tls-root.pem
    identity-REGION.pem
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1

from strongroom.errors import FormatError
from strongroom.ids import Region
from strongroom.ports import Clock
from strongroom.twin.identity import IdentitySigner, create_identity_signer
from strongroom.twin.kept_pair import kept_on_curve, kept_rsa, publish_certificate
from strongroom.twin.pki import Authority, create_root
from strongroom.twin.private_folder import open_private_folder
from strongroom.twin.tls import TlsAuthority, create_tls_authority

NITRO_ROOT = "nitro-root.pem"
TLS_ROOT = "tls-root.pem"
_PRIVATE = "private"
_SPEC = "docs/twin.md, the folder of a twin"


class Authorities(Protocol):
    """What a twin signs with."""

    @property
    def nitro(self) -> Authority:
        """The root of attestation documents."""

    @property
    def tls(self) -> TlsAuthority:
        """The root of the TLS endpoint."""

    def identity(self, region: Region) -> IdentitySigner:
        """Return the signer of a region's identity documents."""


class _Identities:
    """The regions' signers, each made when it is first asked for: an RSA key takes as long as all the rest."""

    def __init__(self, make: Callable[[Region], IdentitySigner]) -> None:
        self._make = make
        self._lock = threading.Lock()  # metadata services ask from their own threads
        self._made: dict[Region, IdentitySigner] = {}

    def get(self, region: Region) -> IdentitySigner:
        with self._lock:
            if region not in self._made:
                self._made[region] = self._make(region)
            return self._made[region]


class FreshAuthorities:
    """New roots and signers, in memory."""

    def __init__(self, clock: Clock) -> None:
        self.nitro = create_root(clock.now())
        self.tls = create_tls_authority(clock.now())
        self.identity = _Identities(lambda _: create_identity_signer(clock.now())).get


class KeptAuthorities:
    """The roots and signers in a folder; what is not there yet is made.

    Raises LocalFault where a file cannot be had, FormatError where one is not what it should be: nothing is made anew
    over it.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        open_private_folder(folder / _PRIVATE)
        self.nitro = self._nitro()
        self.tls = self._tls()
        self.identity = _Identities(self._identity).get

    def _nitro(self) -> Authority:
        path = self._folder / _PRIVATE / "nitro.pem"
        made = kept_on_curve(path, lambda: create_root(self._clock.now()), SECP384R1, damaged=_damaged(path))
        authority = Authority(*made)
        publish_certificate(self._folder / NITRO_ROOT, authority.certificate)
        return authority

    def _tls(self) -> TlsAuthority:
        path = self._folder / _PRIVATE / "tls.pem"
        made = kept_on_curve(path, lambda: create_tls_authority(self._clock.now()), SECP256R1, damaged=_damaged(path))
        authority = TlsAuthority(*made)
        publish_certificate(self._folder / TLS_ROOT, authority.certificate)
        return authority

    def _identity(self, region: Region) -> IdentitySigner:
        name = identity_name(region)
        path = self._folder / _PRIVATE / name
        made = kept_rsa(path, lambda: create_identity_signer(self._clock.now()), damaged=_damaged(path))
        signer = IdentitySigner(*made)
        publish_certificate(self._folder / name, signer.certificate)
        return signer


def identity_name(region: Region) -> str:
    """Return the name of the file with a region's certificate."""
    return f"identity-{region}.pem"


def _damaged(path: Path) -> FormatError:
    return FormatError(
        "twin.authority",
        f"expected a private key of the twin and its certificate in {path}, found something else",
        spec=_SPEC,
        remedy="The file was left as it is. Put a copy in its place, or move the whole folder away to begin anew.",
    )
