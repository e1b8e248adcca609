# SPDX-License-Identifier: Apache-2.0
"""Who signs the bundles of a run: a signer of the project whose private key is at hand, or one made for the run."""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.cli.project_file import ProjectFile
from strongroom.crypto.signers import Ed25519Signer
from strongroom.errors import StrongroomError
from strongroom.flows.signer_file import read_signer_file
from strongroom.formats.bundle_trust import PinnedSigner, SignatureAlgorithm, SignerRole
from strongroom.formats.project_model import SignerState


@dataclass(frozen=True, slots=True)
class ChosenSigner:
    """A signer. `name` is empty for one made for this run; `why_not` says, then, why none of the project signs."""

    name: str
    key: Ed25519Signer
    why_not: tuple[str, ...] = ()

    def pinned(self) -> PinnedSigner:
        """Return it as a trust file names it."""
        roles = frozenset({SignerRole.BUNDLE})
        return PinnedSigner(self.key.key_id, SignatureAlgorithm.EDDSA, self.key.public_key, roles)


def choose_signer(file: ProjectFile) -> ChosenSigner:
    """Return the first active signer of bundles whose private key can be used, else a new one."""
    reasons = []
    for signer in file.project.signers.values():
        if signer.state is SignerState.ACTIVE and SignerRole.BUNDLE in signer.roles:
            path = file.locate(signer.private_key)
            try:
                found = read_signer_file(path)
            except StrongroomError as error:
                reasons.append(f"{signer.name}: {error.message}")
                continue
            if found.key_id == signer.key_id:
                return ChosenSigner(signer.name, found)
            reasons.append(f"{signer.name}: the private key at {path} is that of another signer")
    why_not = tuple(reasons) or (f"{file.path} has no active signer of bundles",)
    return ChosenSigner("", Ed25519Signer.generate(), why_not)
