# SPDX-License-Identifier: Apache-2.0
"""A folder that an emulated NitroTPM lives in: the same TPM, instance and root each time it is opened.

::

    tpm.json        what the TPM keeps for good (docs/formats/twin-tpm-state.md)
    instance.json   which instance it says it is part of
    pki.pem         the twin's root: private key and certificate, mode 0600
    root.pem        the certificate alone: what a verifier has to be told
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1

from strongroom.errors import FormatError, LocalFault
from strongroom.flows.files import PUBLIC_MODE, read_file, write_file
from strongroom.formats.nsm import AttestationRequest
from strongroom.formats.pcrs import PcrDigests
from strongroom.formats.strict_json import parse
from strongroom.ids import InstanceId, Region
from strongroom.ports import Clock
from strongroom.twin.attestation import Attester, attestation_document
from strongroom.twin.kept_pair import kept_on_curve, publish_certificate
from strongroom.twin.machine import new_instance_id
from strongroom.twin.nitrotpm.nsm import NitroSecurityModule
from strongroom.twin.nitrotpm.profile import Profile
from strongroom.twin.nitrotpm.state.chip import Permanent
from strongroom.twin.nitrotpm.state.file import StateFile
from strongroom.twin.nitrotpm.tpm import NitroTpm
from strongroom.twin.pki import Authority, NitroPki, create_root

STATE_NAME = "tpm.json"
ROOT_NAME = "root.pem"
_IDENTITY_NAME = "instance.json"
_PKI_NAME = "pki.pem"
_FOLDER_MODE = 0o700
_MAX_BYTES = 16 * 1024
_SPEC = "docs/twin.md, the folder of a TPM"


@dataclass(frozen=True, slots=True)
class TpmFolder:
    """Who the TPM in a folder belongs to. The files are there and whole."""

    path: Path
    instance_id: InstanceId
    region: Region
    root: Authority

    @property
    def state_path(self) -> Path:
        """Where the TPM's own state lies, or will."""
        return self.path / STATE_NAME

    @property
    def root_path(self) -> Path:
        """The root certificate, for `strongroom verify --root`."""
        return self.path / ROOT_NAME


def open_folder(path: Path, *, region: Region, clock: Clock) -> TpmFolder:
    """Return what is in a folder; a new folder gets a root, and an instance in `region`.

    Raises LocalFault, and FormatError for files that are not what they should be: nothing is made anew over them.
    """
    try:
        path.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise LocalFault(
            "twin.tpm-folder",
            f"expected a folder, or a place for one, at {path}, found: {error.strerror}",
            remedy="Name a folder of yours.",
        ) from error
    pki = path / _PKI_NAME
    root = Authority(*kept_on_curve(pki, lambda: create_root(clock.now()), SECP384R1, damaged=_no_root(pki)))
    publish_certificate(path / ROOT_NAME, root.certificate)
    instance_id, lives_in = _identity(path / _IDENTITY_NAME, region)
    return TpmFolder(path, instance_id, lives_in, root)


def _unheard(_: LocalFault) -> None:
    """Say nothing: whoever uses the TPM gets TPM_RC_NV_UNAVAILABLE all the same."""


@contextmanager
def run_tpm(
    folder: TpmFolder, *, profile: Profile, clock: Clock, on_unkept: Callable[[LocalFault], None] = _unheard
) -> Iterator[NitroTpm]:
    """Run the folder's TPM for the block; its documents are signed under the folder's root, dated by `clock`.

    `on_unkept` hears why the state could not be kept, each time a command meets that. Raises LocalFault where another
    process has it, FormatError where its state is damaged.
    """
    pki, attester = NitroPki(folder.root), Attester(folder.instance_id, folder.region)

    def sign(request: AttestationRequest, pcrs: PcrDigests) -> bytes:
        return attestation_document(pki, attester, request, pcrs=pcrs, at=clock.now())

    module = NitroSecurityModule(attester.module_id, sign)
    with StateFile(folder.state_path) as state:
        yield NitroTpm(_Audible(state, on_unkept), profile=profile, security_module=module)


@dataclass(frozen=True, slots=True)
class _Audible:
    """A state file whose faults are heard."""

    state: StateFile
    on_unkept: Callable[[LocalFault], None]

    def load(self) -> Permanent | None:
        return self.state.load()

    def save(self, permanent: Permanent) -> None:
        try:
            self.state.save(permanent)
        except LocalFault as fault:
            self.on_unkept(fault)
            raise


def _identity(path: Path, region: Region) -> tuple[InstanceId, Region]:
    if not os.path.lexists(path):
        made = {"instance_id": new_instance_id(), "region": region}
        write_file(path, json.dumps(made, indent=2).encode() + b"\n", mode=PUBLIC_MODE)
    try:
        members = parse(read_file(path, maximum_bytes=_MAX_BYTES), maximum_bytes=_MAX_BYTES, spec=_SPEC)
        fields = members.record(("instance_id", "region"))
        return fields["instance_id"].instance_id(), fields["region"].region()
    except FormatError as error:
        raise FormatError(
            "twin.tpm-instance",
            f"expected the id and region of an instance in {path}, found: {error.message}",
            spec=_SPEC,
            remedy="The file was left as it is. Move it away, and the TPM becomes part of a new instance.",
        ) from error


def _no_root(path: Path) -> FormatError:
    return FormatError(
        "twin.tpm-root",
        f"expected a P-384 private key and its certificate in {path}, found something else",
        remedy="Name another folder: documents of a new root are not those of this one.",
    )
