# SPDX-License-Identifier: Apache-2.0
"""Hierarchies: their authorization and policy, switching them off, clearing the TPM, other seeds."""

from tests.conformance.tpm_differential import POWER_CYCLE, Step, Steps
from tests.conformance.tpm_faults import Spoilt, faults
from tests.conformance.tpm_stories.nv_commands import (
    AUTH_READ,
    INDEX,
    NO_DA,
    OWNER_WRITE,
    PLAIN,
    PLATFORM_CREATE,
    PP_READ,
    PP_WRITE,
    define,
    public_of,
    read,
    write,
)
from tests.conformance.tpm_stories.steps import STARTUP, patient, session
from tests.tpm_commands import (
    EMPTY,
    ENDORSEMENT,
    LOCKOUT,
    NONE,
    NULL,
    OWNER,
    PLATFORM,
    SHA1,
    SHA256,
    SHA512,
    Command,
    password,
    sized,
    u8,
    u16,
    u32,
)

PLATFORM_NV = 0x4000000D
NAMES = {"owner": OWNER, "endorsement": ENDORSEMENT, "platform": PLATFORM, "lockout": LOCKOUT}
OTHERS = tuple(f"*is {name}" for name in NAMES)


def _change(who: int, old: bytes, new: bytes) -> Command:
    return Command("HierarchyChangeAuth", (who,), sized(new), (password(old),))


def _properties(label: str) -> Steps:
    for number in (0x200, 0x201, 0x202, 0x20A, *range(0x20E, 0x212)):
        yield Step(f"{label}: property {number:#x}", Command("GetCapability", (), u32(6) + u32(number) + u32(1)))


def authorization_values() -> Steps:
    yield from patient()
    good = _change(OWNER, b"", b"new")
    undo = Spoilt(undo=lambda _: _change(OWNER, b"new", b""), every_byte=False, without=OTHERS)
    yield from faults(good, undo)
    yield from _properties("owner has a password")
    yield Step("the old one", good)
    yield Step("back", _change(OWNER, b"new", b""))
    for name, who in NAMES.items():
        for value in (b"a", b"a\0\0", b"\0", b"a" * 64, b"a" * 65, b"a" * 64 + b"\0"):
            yield Step(f"{name}: {len(value)} bytes to {value[-1:]!r}", _change(who, b"", value))
            yield Step(f"{name}: {len(value)} bytes to {value[-1:]!r}, back", _change(who, value.rstrip(b"\0"), b""))
    yield Step("platform: set", _change(PLATFORM, b"", b"secret"))
    for name, shutdown, startup in (("resume", 1, 1), ("restart", 1, 0)):
        yield Step(f"{name}: shutdown", Command("Shutdown", (), u16(shutdown)))
        yield Step(f"{name}: power", POWER_CYCLE)
        yield Step(f"{name}: startup", Command("Startup", (), u16(startup)))
        yield Step(f"{name}: with the platform's password", _change(PLATFORM, b"secret", b"secret"))
        yield Step(f"{name}: without", _change(PLATFORM, b"", b""))


def policies() -> Steps:
    yield from patient()
    good = Command("SetPrimaryPolicy", (OWNER,), sized(bytes(32)) + u16(SHA256), EMPTY)
    yield from faults(good)
    for name, who in NAMES.items():
        for size, hash_alg in ((0, NONE), (32, SHA256), (0, SHA256), (20, SHA256), (20, SHA1), (64, SHA512), (1, NONE)):
            policy = sized(bytes(size)) + u16(hash_alg)
            yield Step(f"{name}: {size} bytes of {hash_alg:#x}", Command("SetPrimaryPolicy", (who,), policy, EMPTY))
            yield Step(f"{name}: {size} bytes of {hash_alg:#x}, shown", _shown_policies(0x40000000))
    for first in (OWNER, OWNER + 1, LOCKOUT, PLATFORM, PLATFORM_NV, 0x40FFFFFF, 0, 0x81000000):
        yield Step(f"policies from {first:#x}", _shown_policies(first))
    yield Step("a policy, one at a time", _shown_policies(OWNER, 1))


def _shown_policies(first: int, count: int = 100) -> Command:
    return Command("GetCapability", (), u32(9) + u32(first) + u32(count))


def switches() -> Steps:
    """Who may switch what off and on; a platform that is off stays off until the next start."""
    yield from patient()
    yield from faults(Command("HierarchyControl", (PLATFORM,), u32(OWNER) + u8(1), EMPTY), Spoilt(every_byte=False))
    what = {**NAMES, "platform NV": PLATFORM_NV, "null": NULL}
    for by_name, by in NAMES.items():
        for what_name, switched in what.items():
            for number, state in enumerate((1, 0, 2, 1)):
                if (by, switched, state) != (PLATFORM, PLATFORM, 0):
                    command = Command("HierarchyControl", (by,), u32(switched) + u8(state), EMPTY)
                    yield Step(f"{by_name} switches {what_name} to {state}, {number}", command)
        for name, who in NAMES.items():
            yield Step(f"{by_name}: {name} answers", _change(who, b"", b""))
        yield Step(f"{by_name}: power", POWER_CYCLE)
        yield STARTUP.but(f"{by_name}: startup")
    yield Step("platform off", Command("HierarchyControl", (PLATFORM,), u32(PLATFORM) + u8(0), EMPTY))
    yield Step("platform on", Command("HierarchyControl", (PLATFORM,), u32(PLATFORM) + u8(1), EMPTY))
    yield Step("clear by the platform", Command("Clear", (PLATFORM,), b"", EMPTY))
    yield from _properties("platform off")
    yield Step("resume: shutdown", Command("Shutdown", (), u16(1)))
    yield Step("resume: power", POWER_CYCLE)
    yield Step("resume: startup", Command("Startup", (), u16(1)))
    yield from _properties("platform off, resumed")
    yield Step("reset: power", POWER_CYCLE)
    yield STARTUP.but("reset: startup")
    yield from _properties("platform on")


def indices_of_hierarchies_that_are_off() -> Steps:
    yield from patient()
    platform = OWNER_WRITE | PP_WRITE | PP_READ | AUTH_READ | NO_DA | PLATFORM_CREATE
    yield Step("the platform's", define(platform, 8, by=PLATFORM))
    yield Step("the owner's", define(PLAIN | PP_READ | PP_WRITE, 8, index=INDEX + 1))
    for name, switched in (("platform NV", PLATFORM_NV), ("owner", OWNER), ("platform", PLATFORM)):
        yield Step(f"{name}: off", Command("HierarchyControl", (PLATFORM,), u32(switched) + u8(0), EMPTY))
        for index in (INDEX, INDEX + 1):
            yield Step(f"{name}: public of {index:#x}", public_of(index))
            for by_name, by in (("owner", OWNER), ("platform", PLATFORM), ("itself", index)):
                yield Step(f"{name}: written by {by_name}, {index:#x}", write(b"x", by=by, index=index))
                yield Step(f"{name}: read by {by_name}, {index:#x}", read(1, by=by, index=index))
        yield Step(f"{name}: define by platform", define(platform, 8, by=PLATFORM, index=INDEX + 2))
        yield Step(f"{name}: define by owner", define(PLAIN, 8, index=INDEX + 2))
        yield Step(f"{name}: handles", Command("GetCapability", (), u32(1) + u32(0x01000000) + u32(10)))
        yield Step(f"{name}: on", Command("HierarchyControl", (PLATFORM,), u32(switched) + u8(1), EMPTY))


def clearing() -> Steps:
    """What Clear takes away and what it leaves."""
    yield from patient()
    for by_name, by in (("lockout", LOCKOUT), ("platform", PLATFORM)):
        yield Step(f"{by_name}: an index", define(PLAIN, 8))
        yield Step(f"{by_name}: written", write(b"x"))
        platform = PP_WRITE | PP_READ | PLATFORM_CREATE | NO_DA
        yield Step(f"{by_name}: the platform's", define(platform, 8, by=PLATFORM, index=INDEX + 1))
        yield Step(f"{by_name}: auth of the owner", _change(OWNER, b"", b"x"))
        yield Step(f"{by_name}: auth of endorsement", _change(ENDORSEMENT, b"", b"x"))
        policy = Command("SetPrimaryPolicy", (LOCKOUT,), sized(bytes(32)) + u16(SHA256), EMPTY)
        yield Step(f"{by_name}: policy of lockout", policy)
        yield Step(f"{by_name}: owner off", Command("HierarchyControl", (PLATFORM,), u32(OWNER) + u8(0), EMPTY))
        yield from session(f"{by_name}: a session", 0)
        yield from _properties(f"{by_name}: before")
        good = Command("Clear", (by,), b"", EMPTY)
        yield from faults(good, Spoilt(f"{by_name}: Clear", without=("*is platform", "*is lockout", "*of zeros")))
        yield from _properties(f"{by_name}: after")
        yield Step(f"{by_name}: policies", _shown_policies(0x40000000))
        yield Step(f"{by_name}: indices", Command("GetCapability", (), u32(1) + u32(0x01000000) + u32(10)))
        yield Step(f"{by_name}: sessions", Command("GetCapability", (), u32(1) + u32(0x02000000) + u32(10)))
        yield Step(f"{by_name}: clock", Command("ReadClock"), lambda response: response[26:])
        yield Step(f"{by_name}: flushed", Command("FlushContext", (), u32(0x02000000)))


def clear_control() -> Steps:
    yield from patient()
    good = Command("ClearControl", (PLATFORM,), u8(1), EMPTY)
    yield from faults(good)
    for by_name, by in NAMES.items():
        for state in (0, 1, 2):
            yield Step(f"{by_name} to {state}", Command("ClearControl", (by,), u8(state), EMPTY))
            yield from _properties(f"{by_name} to {state}")
        for clearer_name, clearer in NAMES.items():
            yield Step(f"{by_name}: cleared by {clearer_name}", Command("Clear", (clearer,), b"", EMPTY))


def seeds() -> Steps:
    """Other seeds for endorsement and platform."""
    yield from patient()
    for name in ("ChangeEPS", "ChangePPS"):
        yield Step(f"{name}: auth of endorsement", _change(ENDORSEMENT, b"", b"x"))
        yield Step(f"{name}: auth of the platform", _change(PLATFORM, b"", b"p"))
        for who_name, who in NAMES.items():
            areas = (password({"platform": b"p", "endorsement": b"x"}.get(who_name, b"")),)
            policy = Command("SetPrimaryPolicy", (who,), sized(bytes(32)) + u16(SHA256), areas)
            yield Step(f"{name}: policy of {who_name}", policy)
        for switched in (ENDORSEMENT, OWNER):
            off = Command("HierarchyControl", (PLATFORM,), u32(switched) + u8(0), (password(b"p"),))
            yield Step(f"{name}: {switched:#x} off", off)
        yield from faults(Command(name, (PLATFORM,), b"", (password(b"p"),)), Spoilt(guess=False))
        yield from _properties(name)
        yield Step(f"{name}: policies", _shown_policies(0x40000000))
        yield Step(f"{name}: endorsement, without", _change(ENDORSEMENT, b"", b""))
        yield Step(f"{name}: endorsement, with", _change(ENDORSEMENT, b"x", b""))
        yield Step(f"{name}: power", POWER_CYCLE)
        yield STARTUP.but(f"{name}: startup")
