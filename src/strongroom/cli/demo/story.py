# SPDX-License-Identifier: Apache-2.0
"""The order of events: set the stage, try everything, compare each ending with what it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from strongroom.cli.demo import attempts
from strongroom.cli.demo.ledger import Row, Verdict
from strongroom.cli.demo.stage import (
    ACME,
    GLOBEX,
    PROMPT,
    Stage,
    Tenant,
    add_tenant,
    hire,
    make_images,
    make_secrets,
    open_vault,
    read_trust,
    write_trust,
)
from strongroom.cli.demo.witness import STEP_HEADER, STEP_KMS
from strongroom.cli.stand_in import Parts
from strongroom.crypto.signers import Ed25519Signer
from strongroom.ids import TenantId
from strongroom.twin.firmware import Firmware
from strongroom.twin.server import Twin

WEIGHTS_BYTES = 64 << 20
STAGE_STEPS, ATTEMPTS = 4, 12
_DENIED = "kms.access-denied"
_WHO = "identity and role still work"
_NO_DOCUMENT = Verdict(_DENIED, "KMS: statement DenyUnlessPcr2")

Say = Callable[[str], None]
"""Told what happens next, in a few words."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One line of the table before it is played."""

    tried: str
    expected: Verdict
    play: Callable[[Stage], Verdict]


@dataclass(slots=True)
class Outcome:
    """What the demo has to show for itself."""

    stage: Stage
    rows: list[Row] = field(default_factory=list)
    digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether every row ended as it should."""
        return all(row.holds for row in self.rows)


def set_stage(twin: Twin, parts: Parts, *, weights_bytes: int, say: Say) -> Stage:
    """Do the vendor's work: signer, trust file, image, measurements, keys, bundles."""
    staff, signer = hire(twin), Ed25519Signer.generate()
    trust_json = write_trust(twin, signer)
    say("assembling the image and measuring it, without running it")
    images = make_images(parts, trust_json)
    say("creating the escrow key and one key for each tenant")
    vault = open_vault(twin, staff, signer, images.measurements)
    secrets = make_secrets(weights_bytes)
    say(f"sealing the prompt and {weights_bytes >> 20} MiB of weights for Acme")
    acme = add_tenant(vault, TenantId("acme"), ACME, secrets)
    say("sealing a prompt for Globex")
    globex = add_tenant(vault, TenantId("globex"), GLOBEX, {PROMPT: b"Globex's own prompt.\n"})
    return Stage(twin, staff, read_trust(trust_json), trust_json, images, vault, acme, globex, secrets)


def play(stage: Stage, *, say: Say) -> Outcome:
    """Play every attempt in order."""
    outcome = Outcome(stage)
    for attempt in _attempts(stage, outcome):
        say(attempt.tried)
        outcome.rows.append(Row(attempt.tried, attempt.expected, attempt.play(stage)))
    return outcome


def _attempts(stage: Stage, outcome: Outcome) -> Iterator[Attempt]:
    yield from _without_a_document(stage.acme)
    yield Attempt(
        "The attested instance asks for both secrets", Verdict("", "opened, and the app read both"), _honest(outcome)
    )
    yield from _tampered_boots(stage)
    yield from _wrong_tenant()
    yield Attempt(
        "A document reaches KMS six minutes old",
        Verdict("kms.document-expired", "KMS, once; a fresh document opened it", STEP_KMS),
        attempts.late_document,
    )
    yield Attempt(
        "A stranger signs Acme's bundle again",
        Verdict("bundle.signer", "the agent, before any key", STEP_HEADER),
        attempts.stranger,
    )


def _honest(outcome: Outcome) -> Callable[[Stage], Verdict]:
    def run(stage: Stage) -> Verdict:
        verdict, outcome.digests = attempts.attested(stage)
        return verdict

    return run


def _without_a_document(acme: Tenant) -> Iterator[Attempt]:
    yield Attempt(
        "The vendor itself decrypts Acme's data key",
        _NO_DOCUMENT,
        lambda stage: attempts.plain_decrypt(stage, stage.staff.escrow_holder),
    )
    yield Attempt("The vendor opens its escrow wrap", Verdict("", "opened by the escrow holder"), attempts.escrow)
    yield Attempt(
        "Acme's administrator decrypts the data key",
        _NO_DOCUMENT,
        lambda stage: attempts.plain_decrypt(stage, acme.admin),
    )


def _tampered_boots(stage: Stage) -> Iterator[Attempt]:
    yield Attempt(
        "The embedded command line is changed",
        Verdict(_DENIED, "KMS: statement DenyUnlessPcr4", STEP_KMS, (4,), _WHO),
        lambda stage: attempts.tampered(stage, image=stage.images.changed),
    )
    appended = Firmware(load_options=attempts.APPENDED_COMMAND_LINE)
    yield Attempt(
        "A command line is appended from outside",
        Verdict(_DENIED, "KMS: statement DenyUnlessPcr12", STEP_KMS, (12,), _WHO),
        lambda stage: attempts.tampered(stage, firmware=appended),
    )
    driver = Firmware(drivers=(stage.images.driver,))
    yield Attempt(
        "A driver is slipped in before the image",
        Verdict(_DENIED, "KMS: statement DenyUnlessPcr2", STEP_KMS, (2,), _WHO),
        lambda stage: attempts.tampered(stage, firmware=driver),
    )


def _wrong_tenant() -> Iterator[Attempt]:
    other_account = Verdict("bundle.account", "the agent, before any key", STEP_HEADER)
    yield Attempt("Another account runs the same image", other_account, attempts.other_account)
    yield Attempt(
        "That account asks KMS directly, attested",
        Verdict(_DENIED, "KMS: no statement of the key policy allows kms:Decrypt", STEP_KMS),
        attempts.other_account_direct,
    )
    yield Attempt("Acme is served the bundle of Globex", other_account, attempts.swapped)
