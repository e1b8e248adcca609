# SPDX-License-Identifier: Apache-2.0
"""Policies: each assertion's digest, what satisfies it, and what does not any more."""

import hashlib

from tests.conformance.tpm_differential import Step, Steps, length
from tests.conformance.tpm_faults import Spoilt, faults
from tests.conformance.tpm_stories.steps import flush, patient, primary, session
from tests.damage import with_another_end
from tests.tpm_commands import (
    EMPTY,
    ENDORSEMENT,
    LOCKOUT,
    NULL,
    OWNER,
    SHA1,
    SHA256,
    SHA384,
    SHA512,
    Command,
    Response,
    selection,
    sized,
    u8,
    u16,
    u32,
)
from tests.tpm_templates import SIGNING_ECC

POLICY, TRIAL = 1, 3
ZEROS = bytes(32)
UNSEAL = 0x15E


def digest_of(made: Response | int, label: str) -> Steps:
    handle = made if isinstance(made, int) else made.handle
    return (yield Step(label, Command("PolicyGetDigest", (handle,))))


def assertions(handle: int) -> dict[str, Command]:
    """Assertions whose digests are the same on every TPM."""
    ours = (handle,)
    return {
        "PolicyPCR": Command("PolicyPCR", ours, sized() + selection((SHA256, [0, 16]))),
        "PolicyAuthValue": Command("PolicyAuthValue", ours),
        "PolicyPassword": Command("PolicyPassword", ours),
        "PolicyCommandCode": Command("PolicyCommandCode", ours, u32(UNSEAL)),
        "PolicyLocality": Command("PolicyLocality", ours, u8(0x03)),
        "PolicyNvWritten": Command("PolicyNvWritten", ours, u8(1)),
        "PolicySecret": Command(
            "PolicySecret", (ENDORSEMENT, handle), sized() + sized() + sized(b"ref") + u32(0), EMPTY
        ),
        "PolicyCpHash": Command("PolicyCpHash", ours, sized(ZEROS)),
        "PolicyNameHash": Command("PolicyNameHash", ours, sized(ZEROS)),
    }


def each_assertion() -> Steps:
    yield from patient()
    for kind in (POLICY, TRIAL):
        for name in assertions(0):
            made = yield from session(f"{kind}: start for {name}", kind)
            good = assertions(made.handle)[name]
            without = ("handle 1 is platform", "handle 1 is owner", "handle 1 is lockout", "handle 1 is null")
            restart = Command("PolicyRestart", (made.handle,))
            how = Spoilt(f"{kind}: {name}", without=without, every_byte=kind == TRIAL, undo=restart)
            yield from faults(good, how)
            yield from digest_of(made, f"{kind}: digest of {name}")
            yield Step(f"{kind}: {name} again", good)
            yield from digest_of(made, f"{kind}: digest of {name} twice")
            yield from faults(restart, Spoilt(f"{kind}: PolicyRestart after {name}"))
            yield from faults(
                Command("PolicyGetDigest", (made.handle,)), Spoilt(f"{kind}: PolicyGetDigest after {name}")
            )
            yield from digest_of(made, f"{kind}: digest after {name}")
            yield from flush(f"{kind}: flush that of {name}", made)


def digests_of_each_hash() -> Steps:
    yield from patient()
    for hash_alg in (SHA1, SHA256, SHA384, SHA512):
        made = yield from session(f"start {hash_alg:#x}", TRIAL, hash_alg=hash_alg)
        for name, command in assertions(made.handle).items():
            if name not in {"PolicyCpHash", "PolicyNameHash"}:
                yield Step(f"{name} {hash_alg:#x}", command)
                yield from digest_of(made, f"digest after {name} {hash_alg:#x}")
        yield from flush(f"flush {hash_alg:#x}", made)


def several_assertions() -> Steps:
    """Each assertion after each other one: some exclude each other, some replace each other."""
    yield from patient()
    for before in assertions(0):
        for after in assertions(0):
            title = f"{after} after {before}"
            made = yield from session(f"{title}: start", POLICY)
            known = assertions(made.handle)
            yield Step(f"{title}: first", known[before])
            yield Step(f"{title}: second", known[after])
            yield from digest_of(made, f"{title}: digest")
            yield from flush(f"{title}: flush", made)


def alternatives() -> Steps:
    """PolicyOR: two to eight digests, one of them the present one."""
    yield from patient()
    made = yield from session("start", POLICY)
    good = Command("PolicyOR", (made.handle,), u32(2) + sized(ZEROS) + sized(b"\1" * 32))
    yield Step("of a policy that is empty", good)
    yield Step("locality", Command("PolicyLocality", (made.handle,), u8(1)))
    now = yield from digest_of(made, "digest")
    present = now.sized()
    yield from faults(good.but(parameters=u32(2) + sized(ZEROS) + sized(present)), Spoilt(every_byte=False))
    trial = yield from session("trial", TRIAL)
    for count in (0, 1, 2, 7, 8, 9):
        several = u32(count) + sized(present) * count
        yield Step(f"{count} digests", good.but(handles=(trial.handle,), parameters=several))
    yield from digest_of(trial, "digest of them")
    for size in (0, 20, 31, 33, 64, 65):
        several = u32(2) + sized(ZEROS) + sized(bytes(size))
        yield Step(f"one of {size} bytes", good.but(handles=(trial.handle,), parameters=several))
    yield from digest_of(trial, "digest of odd ones")


def secrets() -> Steps:
    """PolicySecret: whose secret, for how long, for which command."""
    yield from patient()
    made = yield from session("start", POLICY)
    trial = yield from session("trial", TRIAL)
    for kind, policy in (("policy", made), ("trial", trial)):
        for name, entity in (("owner", OWNER), ("endorsement", ENDORSEMENT), ("null", NULL), ("lockout", LOCKOUT)):
            good = Command("PolicySecret", (entity, policy.handle), sized() * 3 + u32(0), EMPTY)
            yield Step(f"{kind}: {name}", good)
            yield Step(f"{kind}: {name} with a wrong nonce", good.but(parameters=sized(ZEROS) + sized() * 2 + u32(0)))
            nonce = policy.content[16:]
            yield Step(f"{kind}: {name} with its nonce", good.but(parameters=sized(nonce) + sized() * 2 + u32(0)))
            for seconds in (1000, 100_000, 0xFFFFFF9C, 0x80000000, 0x7FFFFFFF):
                parameters = sized(nonce) + sized() * 2 + u32(seconds)
                yield Step(f"{kind}: {name} for {seconds:#x}", good.but(parameters=parameters), length)
            for size in (20, 31, 32, 33):
                parameters = sized() + sized(bytes(size)) + sized() + u32(0)
                yield Step(f"{kind}: {name}, {size} bytes of cpHash", good.but(parameters=parameters))
            yield Step(f"{kind}: {name} begun anew", Command("PolicyRestart", (policy.handle,)))
        good = Command("PolicySecret", (OWNER, policy.handle), b"", EMPTY)
        for size in (1, 32, 64, 66, 67):
            parameters = sized() * 2 + sized(bytes(size)) + u32(0)
            yield Step(f"{kind}: {size} bytes of policyRef", good.but(parameters=parameters))
            yield from digest_of(policy, f"{kind}: digest with {size} bytes of policyRef")


def signed() -> Steps:
    """PolicySigned by a key of the TPM itself, and PolicyAuthorize with the ticket of what it signed."""
    yield from patient()
    key = yield from primary("key", SIGNING_ECC)
    made = yield from session("start", POLICY)
    nonce = made.content[16:]
    hashed = hashlib.sha256(nonce + u32(0)).digest()
    signature = yield from _signature(key, "sign", hashed)
    parameters = sized(nonce) + sized() * 2 + u32(0) + signature
    good = Command("PolicySigned", (key.handle, made.handle), parameters)
    yield from faults(good, Spoilt(every_byte=False))
    yield Step("of another nonce", good.but(parameters=sized() + sized() * 2 + u32(0) + signature))
    yield Step("with another time", good.but(parameters=sized(nonce) + sized() * 2 + u32(1) + signature))
    trial = yield from session("trial", TRIAL)
    yield Step("in a trial", good.but(handles=(key.handle, trial.handle)))
    yield from _authorized(key)


def _signature(key: Response, label: str, digest: bytes) -> Steps:
    ticket = u16(0x8024) + u32(NULL) + sized()
    made = yield Step(label, Command("Sign", (key.handle,), sized(digest) + u16(0x10) + ticket, EMPTY))
    return made.parameters()


def _authorized(key: Response) -> Steps:
    name = (yield Step("public", Command("ReadPublic", (key.handle,)))).sized(1)
    made = yield from session("approved session", POLICY)
    yield Step("approved: locality", Command("PolicyLocality", (made.handle,), u8(1)))
    approved = (yield from digest_of(made, "approved digest")).sized()
    to_sign = hashlib.sha256(approved + b"ref").digest()
    signature = yield from _signature(key, "approve", to_sign)
    verified = yield Step("verify", Command("VerifySignature", (key.handle,), sized(to_sign) + signature))
    ticket = verified.parameters()
    parameters = sized(approved) + sized(b"ref") + sized(name) + ticket
    good = Command("PolicyAuthorize", (made.handle,), parameters)
    yield Step("of another reference", good.but(parameters=sized(approved) + sized(b"rff") + sized(name) + ticket))
    yield Step("of another policy", good.but(parameters=sized(ZEROS) + sized(b"ref") + sized(name) + ticket))
    yield Step(
        "by another key", good.but(parameters=sized(approved) + sized(b"ref") + sized(with_another_end(name)) + ticket)
    )
    no_ticket = u16(0x8022) + u32(NULL) + sized()
    yield Step("without a ticket", good.but(parameters=sized(approved) + sized(b"ref") + sized(name) + no_ticket))
    yield from faults(good, Spoilt(every_byte=False))
    trial = yield from session("approved trial", TRIAL)
    in_trial = sized() + sized(b"ref") + sized(name) + no_ticket
    yield Step("in a trial, without a ticket", good.but(handles=(trial.handle,), parameters=in_trial))


def authorized_by_anybody() -> Steps:
    """In a trial session any name and no ticket do: the digest is the same everywhere."""
    yield from patient()
    trial = yield from session("trial", TRIAL)
    no_ticket = u16(0x8022) + u32(NULL) + sized()
    for size in (0, 2, 34, 50, 66, 68, 69):
        parameters = sized() + sized() + sized(bytes(size)) + no_ticket
        yield Step(f"a name of {size} bytes", Command("PolicyAuthorize", (trial.handle,), parameters))
        yield from digest_of(trial, f"digest with {size} bytes")


def localities() -> Steps:
    """PolicyLocality narrows, and extended localities stand alone."""
    yield from patient()
    for first in (0x00, 0x01, 0x02, 0x03, 0x10, 0x1F, 0x20, 0x21, 0xFF):
        for second in (0x00, 0x01, 0x02, 0x06, 0x1F, 0x20, 0x21):
            title = f"{second:#x} after {first:#x}"
            made = yield from session(f"{title}: start", POLICY)
            yield Step(f"{title}: first", Command("PolicyLocality", (made.handle,), u8(first)))
            yield Step(f"{title}: second", Command("PolicyLocality", (made.handle,), u8(second)))
            yield from digest_of(made, f"{title}: digest")
            yield from flush(f"{title}: flush", made)
