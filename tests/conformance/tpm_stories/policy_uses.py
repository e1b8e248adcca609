# SPDX-License-Identifier: Apache-2.0
"""Policies at work: what they guard is used, refused, changed under them, and expires."""

import hashlib

from tests.conformance.tpm_differential import POWER_CYCLE, Pause, Step, Steps
from tests.conformance.tpm_stories.policies import POLICY, TRIAL, ZEROS, assertions, digest_of
from tests.conformance.tpm_stories.steps import STARTUP, flush, patient, primary, session
from tests.tpm_commands import (
    EMPTY,
    NULL,
    OWNER,
    SHA256,
    Command,
    area,
    digests,
    password,
    selection,
    sized,
    u8,
    u16,
    u32,
)
from tests.tpm_templates import FIXED, NO_DA, SIGNING_ECC, USER_WITH_AUTH, keyed_hash, to_create

_SOON = 3
"""Seconds: enough for some commands on a busy machine."""


def sealed_to_boot() -> Steps:
    """What is sealed to a PCR is unsealed until it is extended."""
    yield from _sealed_to(7)


def sealed_to_debug_pcr() -> Steps:
    """PCR 16 does not count (TPM_PT_PCR_NO_INCREMENT): a session that saw its old value is believed."""
    yield from _sealed_to(16)


def _sealed_to(pcr: int) -> Steps:
    yield from patient()
    chosen = selection((SHA256, [pcr]))
    trial = yield from session("trial", TRIAL)
    yield Step("policy", Command("PolicyPCR", (trial.handle,), sized() + chosen))
    policy = (yield from digest_of(trial, "policy digest")).sized()
    yield from flush("flush trial", trial)
    sealed = yield from primary("seal", keyed_hash(FIXED | NO_DA, policy=policy), data=b"secret")
    unseal = Command("Unseal", (sealed.handle,))
    yield Step("by password", unseal.but(areas=EMPTY))
    made = yield from session("session", POLICY)
    by_policy = unseal.but(areas=(area(made.handle),))
    yield Step("no policy yet", by_policy)
    yield Step("PCR", Command("PolicyPCR", (made.handle,), sized() + chosen))
    yield Step("unsealed", by_policy)
    yield Step("begun anew", by_policy)
    yield Step("PCR again", Command("PolicyPCR", (made.handle,), sized() + chosen))
    yield Step("extend", Command("PCR_Extend", (pcr,), digests((SHA256, ZEROS)), EMPTY))
    yield Step("changed since", by_policy)
    yield Step("PCR once more", Command("PolicyPCR", (made.handle,), sized() + chosen))
    yield Step("restart", Command("PolicyRestart", (made.handle,)))
    yield Step("PCR of now", Command("PolicyPCR", (made.handle,), sized() + chosen))
    yield Step("another digest", by_policy)
    yield Step("expected by the caller", Command("PolicyPCR", (made.handle,), sized(ZEROS) + chosen))
    yield Step("reset", Command("PCR_Reset", (pcr,), b"", EMPTY))
    yield Step("restart again", Command("PolicyRestart", (made.handle,)))
    value = hashlib.sha256(ZEROS).digest()
    yield Step("as expected", Command("PolicyPCR", (made.handle,), sized(value) + chosen))
    yield Step("unsealed again", by_policy.but(areas=(area(made.handle, attributes=0),)))
    yield Step("the session is over", by_policy)


def conditions() -> Steps:
    """A policy of each assertion, fulfilled and not, by the command that it guards."""
    yield from patient()
    for name, locality in (
        ("PolicyAuthValue", 0),
        ("PolicyPassword", 0),
        ("PolicyCommandCode", 0),
        ("PolicyLocality", 1),
        ("PolicyLocality", 2),
        ("PolicyNvWritten", 0),
        ("PolicyPCR", 0),
    ):
        title = f"{name} at {locality}"
        trial = yield from session(f"{title}: trial", TRIAL)
        yield Step(f"{title}: policy", assertions(trial.handle)[name])
        policy = (yield from digest_of(trial, f"{title}: digest")).sized()
        yield Step(f"{title}: by a trial session", Command("Unseal", (0x80000000,), b"", (area(trial.handle),)))
        yield from flush(f"{title}: flush trial", trial)
        for user in (0, USER_WITH_AUTH):
            how = f"{title}, {'with' if user else 'without'} userWithAuth"
            template = keyed_hash(FIXED | NO_DA | user, policy=policy)
            sealed = yield from primary(f"{how}: seal", template, data=b"secret", auth=b"auth")
            made = yield from session(f"{how}: session", POLICY)
            yield Step(f"{how}: assert", assertions(made.handle)[name])
            command = Command("Unseal", (sealed.handle,), locality=locality)
            yield Step(f"{how}: by password", command.but(areas=(password(b"auth"),)))
            change = Command("ObjectChangeAuth", (sealed.handle, sealed.handle), sized(), (area(made.handle),))
            yield Step(f"{how}: another command", change)
            yield Step(f"{how}: no proof", command.but(areas=(area(made.handle),)))
            yield Step(f"{how}: password", command.but(areas=(area(made.handle, proof=b"auth"),)))
            yield Step(f"{how}: password once more", command.but(areas=(area(made.handle, proof=b"auth"),)))
            yield from flush(f"{how}: flush session", made)
            yield from flush(f"{how}: flush object", sealed)


def expired() -> Steps:
    """What was said to hold for some seconds does not hold after them. Without a nonce they count from the power-on."""
    yield from patient()
    trial = yield from session("trial", TRIAL)
    yield Step("policy", Command("PolicySecret", (OWNER, trial.handle), sized() * 3 + u32(0), EMPTY))
    policy = (yield from digest_of(trial, "digest")).sized()
    sealed = yield from primary("seal", keyed_hash(FIXED | NO_DA, policy=policy), data=b"secret")
    made = yield from session("session", POLICY)

    def secret(seconds: int, nonce: bytes = made.content[16:]) -> Command:
        return Command("PolicySecret", (OWNER, made.handle), sized(nonce) + sized() * 2 + u32(seconds), EMPTY)

    yield Step("without a nonce", secret(1000, b""))
    yield Step("restart", Command("PolicyRestart", (made.handle,)))
    yield Step("for some seconds", secret(_SOON))
    yield Step("for a minute more", secret(60))
    yield Step("restart again", Command("PolicyRestart", (made.handle,)))
    yield Step("for some seconds again", secret(_SOON))
    yield Pause("more than that", _SOON + 1)
    yield Step("too late", Command("Unseal", (sealed.handle,), b"", (area(made.handle),)))
    yield Step("said too late", secret(_SOON))
    yield Step("said too late, without a nonce", secret(_SOON, b""))
    yield Step("for long enough", secret(60))


def over_restarts() -> Steps:
    """A loss of power ends sessions; a policy session's handle means nothing afterwards."""
    yield from patient()
    made = yield from session("start", POLICY)
    yield Step("locality", Command("PolicyLocality", (made.handle,), u8(1)))
    for name, shutdown, startup in (("reset", 0, 0), ("resume", 1, 1), ("restart", 1, 0)):
        yield Step(f"{name}: shutdown", Command("Shutdown", (), u16(shutdown)))
        yield Step(f"{name}: power", POWER_CYCLE)
        yield Step(f"{name}: startup", Command("Startup", (), u16(startup)))
        yield Step(f"{name}: in any case", STARTUP.command)
        yield from digest_of(made, f"{name}: digest")
        yield Step(f"{name}: handles", Command("GetCapability", (), u32(1) + u32(0x03000000) + u32(9)))
    yield Step("a created object", Command("CreatePrimary", (NULL,), to_create(SIGNING_ECC), EMPTY))
