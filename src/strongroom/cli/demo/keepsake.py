# SPDX-License-Identifier: Apache-2.0
"""What `strongroom demo --keep DIR` leaves: files to look at with the other commands. No private key is among them."""

from __future__ import annotations

import base64
import json
import os
from dataclasses import dataclass
from pathlib import Path

from strongroom.cli.demo.attempts import APPENDED_COMMAND_LINE, launch
from strongroom.cli.demo.ledger import rows_as_json
from strongroom.cli.demo.stage import PROMPT
from strongroom.cli.demo.story import Outcome
from strongroom.cli.demo.witness import metadata_of
from strongroom.errors import LocalFault
from strongroom.flows.files import PUBLIC_MODE, write_file
from strongroom.formats.measurements import encode_measurements
from strongroom.ids import CertificateDer
from strongroom.twin.firmware import Firmware
from strongroom.twin.machine import Instance


@dataclass(frozen=True, slots=True)
class Keepsakes:
    """What was left, and where; nothing and nowhere without `--keep`."""

    folder: Path | None = None
    names: tuple[str, ...] = ()


def make_folder(folder: Path) -> None:
    """Make the folder, before anything is played for it. Raises LocalFault where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LocalFault("demo.keep", f"cannot make the folder {folder}: {error.strerror}") from error


def leave(outcome: Outcome, folder: Path) -> Keepsakes:
    """Write the keepsakes into a folder that exists. Raises LocalFault where one cannot be written."""
    files = _files(outcome)
    for name, content in files.items():
        write_file(folder / name, content, mode=PUBLIC_MODE)
    return Keepsakes(folder, tuple(files))


def _files(outcome: Outcome) -> dict[str, bytes]:
    stage = outcome.stage
    nonce = os.urandom(32)
    honest = launch(stage, stage.acme)
    appended = launch(stage, stage.acme, firmware=Firmware(load_options=APPENDED_COMMAND_LINE))
    sealed = stage.acme.bundles[PROMPT]
    policy = stage.vault.admin.key_policy(stage.acme.key_arn)
    events = [record.cloudtrail() for record in stage.twin.kms.decisions]
    return {
        "image.efi": stage.images.vendor,
        "measurements.json": encode_measurements(stage.images.measurements),
        "trust.json": stage.trust_json,
        "twin-root.pem": _pem(stage.twin.nitro_root),
        "document.cbor": honest.attest(nonce=nonce),
        "tampered.cbor": appended.attest(nonce=nonce),
        **_identity("identity", honest),
        **_identity("tampered-identity", appended),
        "identity-certificate.pem": _pem(stage.twin.identity_certificate(honest.region)),
        "nonce.hex": nonce.hex().encode() + b"\n",
        "prompt.bundle": sealed.bundle,
        "prompt.escrow": sealed.escrow or b"",
        "key-policy.json": json.dumps(json.loads(policy), indent=2).encode() + b"\n",
        "cloudtrail.json": json.dumps(events, indent=2).encode() + b"\n",
        "rows.json": json.dumps(rows_as_json(outcome.rows), indent=2).encode() + b"\n",
    }


def _identity(name: str, instance: Instance) -> dict[str, bytes]:
    """Return who the metadata service says an instance is, as curl would save it."""
    served = metadata_of(instance).identity_document()
    return {f"{name}.json": served.document, f"{name}.rsa2048": base64.encodebytes(served.rsa2048)}


def _pem(certificate: CertificateDer) -> bytes:
    text = base64.encodebytes(certificate).decode()
    return f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n".encode()
