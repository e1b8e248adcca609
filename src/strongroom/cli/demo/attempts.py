# SPDX-License-Identifier: Apache-2.0
"""Who tries what: each function plays one line of the final table and returns how it ended."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from strongroom.agent.delivery import Owner, deliver
from strongroom.agent.fetch import Fetched, InstancePorts, fetch
from strongroom.agent.medium import UnsafeDiskDelivery
from strongroom.appraisal.identity import verify_identity_document
from strongroom.aws.sdk.kms import SdkEscrowKms
from strongroom.aws.sdk.session import AccessKey, AwsSession
from strongroom.cli.demo.ledger import Verdict
from strongroom.cli.demo.stage import PROMPT, WEIGHTS, Stage, Tenant
from strongroom.cli.demo.witness import STEP_KMS, Witness, kms_of, metadata_of, refuser
from strongroom.cli.twin_parties import APP_ROLE, Shelf, session
from strongroom.crypto.header_signature import sign_payload
from strongroom.crypto.key_transport import RecipientKey
from strongroom.crypto.signers import Ed25519Signer
from strongroom.errors import KeyRefused, LocalFault, StrongroomError
from strongroom.flows.open import open_with_escrow
from strongroom.formats.bundle import parse_bundle
from strongroom.formats.bundle_header import HeaderFields
from strongroom.formats.pcrs import GATES, PcrIndex
from strongroom.formats.signed import BUNDLE_HEADER
from strongroom.twin.accounts import Credentials
from strongroom.twin.firmware import Firmware
from strongroom.twin.machine import Instance

SIX_MINUTES = timedelta(minutes=6)
APPENDED_COMMAND_LINE = "init=/bin/sh"
_MEMORY = Path("/dev/shm")  # noqa: S108 -- tmpfs on Linux; a private folder is made in it
_APP = "import hashlib,sys; [print(hashlib.sha256(open(f,'rb').read()).hexdigest()) for f in sys.argv[1:]]"


def shelf_of(tenant: Tenant) -> Shelf:
    """Return the shelf as the vendor ships it."""
    return Shelf({name: sealed.bundle for name, sealed in tenant.bundles.items()})


def launch(stage: Stage, tenant: Tenant, image: bytes | None = None, firmware: Firmware | None = None) -> Instance:
    """Start an instance in the tenant's account: the vendor's image, honestly, unless something else is given."""
    chosen = stage.images.vendor if image is None else image
    return stage.twin.launch(chosen, account=tenant.account, role=APP_ROLE, firmware=firmware)


def watch(stage: Stage, instance: Instance) -> Witness:
    """Return the instance's ports with a witness on them."""
    return Witness(instance, kms_of(stage.twin, instance, stage.trust))


def run_agent(stage: Stage, witness: Witness, shelf: Shelf, *names: str) -> Fetched:
    """Run the agent's core on an instance."""
    ports = InstancePorts(
        evidence_source=witness,
        identity_source=metadata_of(witness.instance),
        bundles=shelf,
        kms_in=lambda _region: witness,
        clock=stage.twin.clock,
        entropy=os.urandom,
    )
    return fetch(names, trust=stage.trust, ports=ports)


def moved_gates(stage: Stage, instance: Instance) -> tuple[int, ...]:
    """Return the gated PCRs whose measured value is not the predicted one."""
    expected = stage.images.measurements.pcrs
    return tuple(index for index in map(PcrIndex, GATES) if instance.pcrs[index] != expected[index])


def plain_decrypt(stage: Stage, who: Credentials) -> Verdict:
    """Somebody with every right that IAM can give calls Decrypt on Acme's data key, without a document."""
    fields = _fields(stage.acme)
    kms = SdkEscrowKms(session(stage.twin, who).kms())
    try:
        kms.decrypt_unattested(fields.wraps[0].data_key, key_arn=stage.acme.key_arn, context=fields.subject.context())
    except KeyRefused as refusal:
        return Verdict(refusal.code, refuser(stage.twin.kms.decisions[-1]))
    return Verdict("", "nobody: KMS gave the data key away")


def escrow(stage: Stage) -> Verdict:
    """Let the vendor's escrow holder open the escrow wrap."""
    sealed = stage.acme.bundles[PROMPT]
    kms = SdkEscrowKms(session(stage.twin, stage.staff.escrow_holder).kms())
    try:
        opened = open_with_escrow(sealed.bundle, sealed.escrow or b"", trust=stage.trust.bundles, kms=kms)
    except StrongroomError as error:
        return Verdict(error.code, "the escrow wrap does not open")
    same = opened.entries[0].content == stage.secrets[PROMPT]
    return Verdict("", "opened by the escrow holder" if same else "opened, with other content")


def attested(stage: Stage) -> tuple[Verdict, Mapping[str, str]]:
    """Let the honest instance open both secrets, and the app read them; return their SHA-256 by name, too."""
    instance = launch(stage, stage.acme)
    witness = watch(stage, instance)
    try:
        fetched = run_agent(stage, witness, shelf_of(stage.acme), PROMPT, WEIGHTS)
        digests = read_as_the_app(fetched.files())
    except StrongroomError as error:
        return _refused(stage, witness, error), {}
    wanted = [hashlib.sha256(stage.secrets[name]).hexdigest() for name in (PROMPT, WEIGHTS)]
    by = "opened, and the app read both" if digests == wanted else "opened, but the app read something else"
    return Verdict("", by, moved=moved_gates(stage, instance)), dict(zip((PROMPT, WEIGHTS), digests, strict=False))


def has_memory() -> bool:
    """Tell whether this machine has the tmpfs that secrets are delivered to."""
    return _MEMORY.is_dir()


def read_as_the_app(files: Mapping[str, bytes]) -> list[str]:
    """Deliver the files to memory with mode 0400, and let another process read and hash them."""
    unsafe = None if has_memory() else UnsafeDiskDelivery("a rehearsal on a machine without tmpfs")
    with tempfile.TemporaryDirectory(prefix="strongroom-", dir=_MEMORY if unsafe is None else None) as folder:
        owner = Owner(os.getuid(), os.getgid())
        paths = deliver(files, Path(folder).resolve(), owner=owner, unsafe_disk=unsafe)
        app = subprocess.run(  # noqa: S603 -- our own interpreter and program
            [sys.executable, "-I", "-c", _APP, *map(str, paths)], capture_output=True, text=True, check=False
        )
    if app.returncode != 0:
        raise LocalFault("demo.app", f"expected the app to read its secrets, it failed: {app.stderr[-300:]}")
    return app.stdout.split()


def tampered(stage: Stage, *, image: bytes | None = None, firmware: Firmware | None = None) -> Verdict:
    """Acme's administrator boots something else under the same account and role, and its agent asks for the secret."""
    instance = launch(stage, stage.acme, image, firmware)
    witness = watch(stage, instance)
    moved = moved_gates(stage, instance)
    identity = identity_holds(stage, instance)
    try:
        run_agent(stage, witness, shelf_of(stage.acme), PROMPT)
    except StrongroomError as error:
        return _refused(stage, witness, error, moved=moved, identity=identity)
    return Verdict("", "nobody: the tampered instance has the secret", moved=moved, identity=identity)


def identity_holds(stage: Stage, instance: Instance) -> str:
    """Say whether the identity document verifies and the role's credentials work: they say who, and not what runs."""
    metadata = metadata_of(instance)
    identity = verify_identity_document(metadata.identity_document(), certificates=stage.trust.identity_certificates)
    found = metadata.role_credentials()
    key = AccessKey(found.access_key_id, found.secret_access_key, found.session_token)
    caller = AwsSession(region=instance.region, endpoint_url=stage.twin.endpoint_url, access_key=key).identity()
    holds = identity.instance_id == instance.instance_id and caller.account_id == instance.account_id
    return "identity and role still work" if holds else "identity or role failed"


def other_account(stage: Stage) -> Verdict:
    """Globex runs the very same image and serves it Acme's bundle."""
    witness = watch(stage, launch(stage, stage.globex))
    return _try(stage, witness, shelf_of(stage.acme))


def other_account_direct(stage: Stage) -> Verdict:
    """Globex's instance asks KMS itself for Acme's data key, with an authentic document of the very same image."""
    instance = launch(stage, stage.globex)
    fields = _fields(stage.acme)
    document = instance.attest(public_key=RecipientKey.generate().public_key)
    kms = kms_of(stage.twin, instance, stage.trust)
    wrapped, context = fields.wraps[0].data_key, fields.subject.context()
    try:
        kms.decrypt(wrapped, key_arn=stage.acme.key_arn, context=context, recipient=document)
    except KeyRefused as refusal:
        by = refuser(stage.twin.kms.decisions[-1])
        return Verdict(refusal.code, by, STEP_KMS, moved_gates(stage, instance))
    return Verdict("", "nobody: KMS gave the data key to another account", STEP_KMS)


def late_document(stage: Stage) -> Verdict:
    """Bring the document to KMS six minutes late; the agent has to notice, make a new one, and ask again."""
    witness = watch(stage, launch(stage, stage.acme))
    witness.late_documents, witness.lateness = 1, SIX_MINUTES
    try:
        run_agent(stage, witness, shelf_of(stage.acme), PROMPT)
    except StrongroomError as error:
        return _refused(stage, witness, error)
    if not witness.refusals:
        return Verdict("", "nobody: KMS took a document six minutes old")
    return Verdict(witness.refusals[0], "KMS, once; a fresh document opened it", STEP_KMS)


def stranger(stage: Stage) -> Verdict:
    """Somebody signs Acme's bundle again with a key of their own."""
    sealed = stage.acme.bundles[PROMPT].bundle
    signed = parse_bundle(sealed).header.signed
    forged = sign_payload(BUNDLE_HEADER, signed.payload, signer=Ed25519Signer.generate()) + sealed[signed.end :]
    return _try(stage, watch(stage, launch(stage, stage.acme)), Shelf({PROMPT: forged}))


def swapped(stage: Stage) -> Verdict:
    """Acme's administrator serves the bundle that was sealed for Globex."""
    return _try(stage, watch(stage, launch(stage, stage.acme)), shelf_of(stage.globex))


def _try(stage: Stage, witness: Witness, shelf: Shelf) -> Verdict:
    try:
        run_agent(stage, witness, shelf, PROMPT)
    except StrongroomError as error:
        return _refused(stage, witness, error)
    return Verdict("", "nobody: the agent opened it")


def _refused(
    stage: Stage, witness: Witness, error: StrongroomError, *, moved: tuple[int, ...] = (), identity: str = ""
) -> Verdict:
    by = refuser(stage.twin.kms.decisions[-1]) if isinstance(error, KeyRefused) else "the agent, before any key"
    if witness.keys_asked_for and not isinstance(error, KeyRefused):
        by = "the agent, after KMS answered"
    return Verdict(error.code, by, witness.step_of(error), moved, identity)


def _fields(tenant: Tenant) -> HeaderFields:
    """Return what a bundle's header says: public to whoever has the file."""
    return parse_bundle(tenant.bundles[PROMPT].bundle).header.claimed
