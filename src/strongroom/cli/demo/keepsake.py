# SPDX-License-Identifier: Apache-2.0
"""What `strongroom demo --keep DIR` leaves: files to look at with the other commands. No private key is among them."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from strongroom.cli.demo.attempts import APPENDED_COMMAND_LINE, launch, run_agent, shelf_of, watch
from strongroom.cli.demo.ledger import rows_as_json
from strongroom.cli.demo.stage import PROMPT, Stage
from strongroom.cli.demo.story import Outcome
from strongroom.cli.demo.witness import metadata_of
from strongroom.crypto.public_keys import key_of_nobody
from strongroom.errors import LocalFault, StrongroomError
from strongroom.flows.files import PUBLIC_MODE, write_file
from strongroom.formats.appraisal_policy import PolicyFile, PolicyRule, encode_appraisal_policy
from strongroom.formats.console import encode_failure, encode_receipt
from strongroom.formats.console_model import ConsoleFailure
from strongroom.formats.measurements import encode_measurements
from strongroom.formats.pcrs import GATES, PcrDigests
from strongroom.ids import CertificateDer
from strongroom.twin.firmware import Firmware
from strongroom.twin.machine import Instance

DESCRIPTIONS: Mapping[str, str] = {
    "image.efi": "the vendor's unified kernel image",
    "measurements.json": "what it was measured to leave in the PCRs",
    "trust.json": "the trust file in the image: whom its agent believes",
    "twin-root.pem": "the twin's root, for --root, instead of AWS's",
    "document.cbor": "an attestation document of an honest boot",
    "tampered.cbor": "one of a boot with an appended command line",
    "identity.json": "who EC2 says the honest instance is",
    "identity.rsa2048": "EC2's signature on that",
    "tampered-identity.json": "who EC2 says the tampered instance is",
    "tampered-identity.rsa2048": "EC2's signature on that",
    "identity-certificate.pem": "the certificate for both signatures",
    "nonce.hex": "the nonce that both documents answer",
    "policy.json": "an appraisal policy that fits document.cbor",
    "deny.json": "a deny list that names the tampered instance",
    "console.txt": "a console of the honest instance: failure, receipt",
    "prompt.bundle": "Acme's prompt, sealed",
    "prompt.escrow": "its data key, wrapped for the vendor's escrow",
    "key-policy.json": "the policy of Acme's KMS key",
    "cloudtrail.json": "what KMS decided, as CloudTrail records it",
    "rows.json": "the table above, for programs",
}
"""What `leave` writes: the names of the files, and what each is."""


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
    policy = stage.staff.keys.admin.key_policy(stage.acme.key_arn)
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
        "policy.json": _policy(honest),
        "deny.json": _deny_list(appended),
        "console.txt": _console(stage, honest),
        "prompt.bundle": sealed.bundle,
        "prompt.escrow": sealed.escrow or b"",
        "key-policy.json": json.dumps(json.loads(policy), indent=2).encode() + b"\n",
        "cloudtrail.json": json.dumps(events, indent=2).encode() + b"\n",
        "rows.json": json.dumps(rows_as_json(outcome.rows), indent=2).encode() + b"\n",
    }


def _policy(instance: Instance) -> bytes:
    """Return a policy that accepts the measured image, in the region where the demo plays."""
    images = (PolicyRule("any_of[0]", name="the image of the demo", measurements="measurements.json"),)
    whole = PolicyRule("", name="Acme, in the demo", regions=(instance.region,), any_of=images)
    return encode_appraisal_policy(PolicyFile(whole))


def _deny_list(instance: Instance) -> bytes:
    """Return a deny list that names one instance, and with it every document that its NitroTPM signs."""
    named = {"id": instance.instance_id, "reason": "booted with an appended command line"}
    return json.dumps({"version": 1, "instances": [named]}, indent=2).encode() + b"\n"


def _console(stage: Stage, instance: Instance) -> bytes:
    """Return what an instance prints that was first served another tenant's bundle: a failure, then its receipt."""
    failure = encode_failure(_failure(stage, instance))
    return failure + encode_receipt(instance.attest(public_key=key_of_nobody()))


def _failure(stage: Stage, instance: Instance) -> ConsoleFailure:
    """Return how the agent refuses another tenant's bundle. Raises RuntimeError if it opens it."""
    try:
        run_agent(stage, watch(stage, instance), shelf_of(stage.globex), PROMPT)
    except StrongroomError as error:
        return ConsoleFailure.of(error, PcrDigests.of({index: instance.pcrs[index] for index in GATES}))
    raise RuntimeError("an instance of Acme opened the bundle of Globex")


def _identity(name: str, instance: Instance) -> dict[str, bytes]:
    """Return who the metadata service says an instance is, as curl would save it."""
    served = metadata_of(instance).identity_document()
    return {f"{name}.json": served.document, f"{name}.rsa2048": base64.encodebytes(served.rsa2048)}


def _pem(certificate: CertificateDer) -> bytes:
    text = base64.encodebytes(certificate).decode()
    return f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n".encode()
