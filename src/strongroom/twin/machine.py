# SPDX-License-Identifier: Apache-2.0
"""An instance: what booted, who it is, and the NitroTPM that signs for it.

`Instance` is an `EvidenceSource` (its documents carry the PCRs of its boot, signed by the twin's PKI); its metadata
service listens at `imds_endpoint` and is read like any other. `tpm` is the NitroTPM itself, for those who speak TPM.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from strongroom.formats.nsm import AttestationRequest
from strongroom.formats.pcrs import PcrDigests
from strongroom.ids import AccountId, EvidenceBytes, ImageId, InstanceId, Region, SpkiDer
from strongroom.ports import Clock
from strongroom.twin.attestation import Attester, attestation_document
from strongroom.twin.firmware import Boot
from strongroom.twin.measured_tpm import measured_tpm
from strongroom.twin.nitrotpm.nsm import NitroSecurityModule
from strongroom.twin.nitrotpm.tpm import NitroTpm
from strongroom.twin.pki import NitroPki
from strongroom.twin.tcg_event import Event

DEFAULT_REGION = Region("eu-central-1")
DEFAULT_TYPE = "m7i.large"


class Described(Protocol):
    """What an identity document says of an instance."""

    @property
    def instance_id(self) -> InstanceId:
        """Its id."""

    @property
    def account_id(self) -> AccountId:
        """Whose it is."""

    @property
    def region(self) -> Region:
        """Where it is."""

    @property
    def image_id(self) -> ImageId:
        """What it was launched from."""

    @property
    def instance_type(self) -> str:
        """How large it says it is."""


def new_instance_id() -> InstanceId:
    """Return a random instance id of today's length."""
    return InstanceId(f"i-{secrets.token_hex(9)[:17]}")


@dataclass
class Instance:
    """A running instance. `document_age` is a fault to inject: documents come out that much older than they are."""

    instance_id: InstanceId
    account_id: AccountId
    region: Region
    image_id: ImageId
    role: str
    boot: Boot
    pki: NitroPki = field(repr=False)
    clock: Clock = field(repr=False)
    document_age: timedelta = timedelta(0)
    instance_type: str = DEFAULT_TYPE
    imds_endpoint: str = ""
    """The metadata service of this instance, `http://127.0.0.1:PORT`."""
    _tpm: NitroTpm | None = field(default=None, init=False, repr=False)

    @property
    def module_id(self) -> str:
        """The module id in its documents."""
        return self._attester.module_id

    @property
    def pcrs(self) -> PcrDigests:
        """PCR 0 to 23 after boot."""
        return self.boot.pcrs

    @property
    def events(self) -> tuple[Event, ...]:
        """What was measured, in order."""
        return self.boot.events

    def attest(
        self, *, public_key: SpkiDer | None = None, nonce: bytes | None = None, user_data: bytes | None = None
    ) -> EvidenceBytes:
        """Return a fresh attestation document, as NitroTPM makes it."""
        return self._document(AttestationRequest(user_data, nonce, public_key), self.pcrs)

    def tpm(self) -> NitroTpm:
        """Return the NitroTPM, measured into by the boot: the same one each time, with what was done to it since.

        Its documents carry its PCRs as they are then, where those of `attest` carry the boot's.
        """
        if self._tpm is None:
            self._tpm = measured_tpm(self.boot, self.security_module)
        return self._tpm

    @property
    def security_module(self) -> NitroSecurityModule:
        """The Nitro Security Module that makes the documents of the NitroTPM."""
        return NitroSecurityModule(self.module_id, self._document)

    @property
    def _attester(self) -> Attester:
        return Attester(self.instance_id, self.region)

    def _document(self, request: AttestationRequest, pcrs: PcrDigests) -> EvidenceBytes:
        at = self.clock.now() - self.document_age
        return attestation_document(self.pki, self._attester, request, pcrs=pcrs, at=at)


def identity_document(instance: Described, launched: datetime) -> bytes:
    """Return the instance identity document, with the keys and the layout of a genuine one."""
    facts: dict[str, str | None] = {
        "accountId": instance.account_id,
        "architecture": "x86_64",
        "availabilityZone": f"{instance.region}a",
        "billingProducts": None,
        "devpayProductCodes": None,
        "marketplaceProductCodes": None,
        "imageId": instance.image_id,
        "instanceId": instance.instance_id,
        "instanceType": instance.instance_type,
        "kernelId": None,
        "pendingTime": f"{launched:%Y-%m-%dT%H:%M:%SZ}",
        "privateIp": "10.0.2.15",
        "ramdiskId": None,
        "region": instance.region,
        "version": "2017-09-30",
    }
    return json.dumps(facts, indent=2, separators=(",", " : ")).encode()
