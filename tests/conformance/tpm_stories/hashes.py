# SPDX-License-Identifier: Apache-2.0
"""Hashes at once and in pieces, and HMACs under keys whose value the caller knows."""

from tests.conformance.tpm_differential import Step, Steps, first, length
from tests.conformance.tpm_faults import Spoilt, faults
from tests.conformance.tpm_stories.steps import flush, patient, primary
from tests.tpm_commands import (
    EMPTY,
    ENDORSEMENT,
    HMAC,
    NONE,
    NULL,
    OWNER,
    PLATFORM,
    SHA1,
    SHA256,
    SHA384,
    SHA512,
    Command,
    area,
    password,
    sized,
    u16,
    u32,
)
from tests.tpm_templates import FIXED, HMAC_KEY, NO_DA, SIGN, USER_WITH_AUTH, keyed_hash

_TO_TICKET = 20
"""Header, authorisation-free: a digest of at least SHA-1's size stands before the ticket."""


def at_once() -> Steps:
    yield from patient()
    yield from faults(Command("Hash", (), sized(b"abc") + u16(SHA256) + u32(NULL)), Spoilt(shown=first(_TO_TICKET)))
    for hash_alg in (SHA1, SHA256, SHA384, SHA512, 0x12, NONE, 0x99):
        for hierarchy in (OWNER, ENDORSEMENT, PLATFORM, NULL):
            command = Command("Hash", (), sized(b"abc") + u16(hash_alg) + u32(hierarchy))
            yield Step(f"{hash_alg:#x} in {hierarchy:#x}", command, first(_TO_TICKET))
    for size in (0, 1, 1023, 1024, 1025):
        yield Step(f"{size} bytes", Command("Hash", (), sized(bytes(size)) + u16(SHA256) + u32(NULL)))
    yield Step("what looks like the TPM's own", Command("Hash", (), sized(b"\xffTCG...") + u16(SHA256) + u32(OWNER)))


def in_pieces() -> Steps:
    yield from patient()
    start = Command("HashSequenceStart", (), sized(b"auth") + u16(SHA256))
    sequence = yield from faults(start)
    mine = (password(b"auth"),)
    update = Command("SequenceUpdate", (sequence.handle,), sized(b"abc"), mine)
    yield from faults(update)
    complete = Command("SequenceComplete", (sequence.handle,), sized(b"def") + u32(NULL), mine)
    yield from faults(complete, Spoilt(every_byte=False))
    yield Step("it is over", update)
    for hash_alg in (SHA1, SHA384, SHA512, NONE, 0x99):
        made = yield Step(f"start {hash_alg:#x}", Command("HashSequenceStart", (), sized() + u16(hash_alg)))
        for size in (0, 1, 1024, 1025):
            update = Command("SequenceUpdate", (made.handle,), sized(bytes(size)), EMPTY)
            yield Step(f"update {hash_alg:#x} with {size}", update)
        end = Command("SequenceComplete", (made.handle,), sized() + u32(OWNER), EMPTY)
        yield Step(f"complete {hash_alg:#x}", end, first(_TO_TICKET))


def into_pcrs() -> Steps:
    """An event sequence hashes with every bank and extends a PCR."""
    yield from patient()
    begin = Command("HashSequenceStart", (), sized(b"auth") + u16(NONE))
    sequence = yield Step("start", begin)
    mine = (password(b"auth"),)
    yield Step("update", Command("SequenceUpdate", (sequence.handle,), sized(b"abc"), mine))
    plain = Command("SequenceComplete", (sequence.handle,), sized() + u32(NULL), mine)
    yield Step("complete as another kind", plain)
    complete = Command("EventSequenceComplete", (16, sequence.handle), sized(b"def"), (*EMPTY, *mine))
    without = ("handle 1 is PCR*", "handle 1 is null", "a password of zeros")
    yield from faults(complete, Spoilt(every_byte=False, without=without))
    for bank in (SHA1, SHA256, SHA384, SHA512):
        read = Command("PCR_Read", (), u32(1) + u16(bank) + b"\x03\0\0\x01")
        yield Step(f"PCR 16 of bank {bank:#x}", read)
    for pcr in (17, NULL):
        again = yield Step(f"start for {pcr:#x}", begin)
        yield Step(f"into {pcr:#x}", complete.but(handles=(pcr, again.handle)))
        yield from flush(f"flush of {pcr:#x}", again)
    hashing = yield Step("start a hash", Command("HashSequenceStart", (), sized() + u16(SHA256)))
    yield Step("a hash into a PCR", complete.but(handles=(16, hashing.handle), areas=EMPTY * 2))


def with_keys() -> Steps:
    """An HMAC under a key that the caller gave is the same everywhere."""
    yield from patient()
    template = keyed_hash(FIXED | USER_WITH_AUTH | NO_DA | SIGN, scheme=u16(HMAC) + u16(SHA256))
    key = yield from primary("key", template, data=b"a key that everybody knows")
    hmac = Command("HMAC", (key.handle,), sized(b"abc") + u16(SHA256), EMPTY)
    yield from faults(hmac)
    for hash_alg in (SHA1, SHA384, NONE, 0x99):
        yield Step(f"with {hash_alg:#x}", hmac.but(parameters=sized(b"abc") + u16(hash_alg)))
    own = yield from primary("a key of the TPM", HMAC_KEY)
    yield Step("under it", hmac.but(handles=(own.handle,)), length)
    signed = Command("Sign", (key.handle,), sized(bytes(32)) + u16(NONE) + u16(0x8024) + u32(NULL) + sized(), EMPTY)
    signature = yield Step("a signature", signed, lambda response: response)
    verify = Command("VerifySignature", (key.handle,), sized(bytes(32)) + signature.parameters())
    yield Step("verified", verify)
    yield Step("a session that is none", hmac.but(areas=(area(0x02000005),)))
