# SPDX-License-Identifier: Apache-2.0
"""An instance that really booted: its PCRs are what firmware, stub and kernel extended into its NitroTPM."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from strongroom.formats.nsm import AttestationRequest
from strongroom.formats.pcrs import PcrDigests
from strongroom.ids import AccountId, EvidenceBytes, ImageId, InstanceId, Region, SpkiDer
from strongroom.ports import Clock
from strongroom.twin.attestation import Attester, attestation_document
from strongroom.twin.nitrotpm.nsm import NitroSecurityModule
from strongroom.twin.nitrotpm.tpm import NitroTpm
from strongroom.twin.pki import NitroPki
from strongroom.twin.qemu.console import Console
from strongroom.twin.qemu.machine import Cause, Ending, Machine


@dataclass
class BootedInstance:
    """One instance and its machine. `role` is empty for an instance without a profile.

    `document_age` is a fault to inject, as of a `machine.Instance`.
    """

    instance_id: InstanceId
    account_id: AccountId
    region: Region
    image_id: ImageId
    instance_type: str
    role: str
    launched: datetime
    pki: NitroPki = field(repr=False)
    clock: Clock = field(repr=False)
    document_age: timedelta = timedelta(0)
    tpm: NitroTpm = field(init=False, repr=False)
    machine: Machine = field(init=False, repr=False)
    """Set where it is started; everything about the machine itself is there: its monitor, NMIs, forwarded ports."""

    def __post_init__(self) -> None:
        self.tpm = NitroTpm(security_module=NitroSecurityModule(self._attester.module_id, self._document))

    @property
    def module_id(self) -> str:
        """The module id in its documents."""
        return self._attester.module_id

    @property
    def pcrs(self) -> PcrDigests:
        """PCR 0 to 23 of the SHA-384 bank, as they are now; after its end, as they were then."""
        return self.tpm.pcrs()

    @property
    def console(self) -> Console:
        """What it writes to its serial line."""
        return self.machine.console

    @property
    def ending(self) -> Ending | None:
        """How it ended, None while it runs."""
        return self.machine.ending

    def wait(self, seconds: float) -> Ending:
        """Return how it ended; one that has not by then is ended, as timed out."""
        return self.machine.wait(seconds) or self.machine.stop(Cause.TIMED_OUT)

    def attest(
        self, *, public_key: SpkiDer | None = None, nonce: bytes | None = None, user_data: bytes | None = None
    ) -> EvidenceBytes:
        """Return a fresh attestation document, as its NitroTPM makes it now."""
        return self._document(AttestationRequest(user_data, nonce, public_key), self.pcrs)

    @property
    def _attester(self) -> Attester:
        return Attester(self.instance_id, self.region)

    def _document(self, request: AttestationRequest, pcrs: PcrDigests) -> EvidenceBytes:
        at = self.clock.now() - self.document_age
        return attestation_document(self.pki, self._attester, request, pcrs=pcrs, at=at)
