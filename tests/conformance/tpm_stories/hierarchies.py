# SPDX-License-Identifier: Apache-2.0
"""Hierarchies: their passwords and policies, clearing, switching off, and the defence against guessing."""

from tests.conformance.tpm_differential import POWER_CYCLE, Pause, Step, Steps
from tests.conformance.tpm_faults import Spoilt, faults
from tests.conformance.tpm_stories.nv_commands import INDEX, NO_DA, PLAIN, define, read, write
from tests.conformance.tpm_stories.steps import STARTUP, patient, primary, started
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
    SHA384,
    Command,
    password,
    sized,
    u8,
    u16,
    u32,
)
from tests.tpm_templates import SEALED_GUARDED, SRK_ECC

HIERARCHIES = {"owner": OWNER, "endorsement": ENDORSEMENT, "platform": PLATFORM, "lockout": LOCKOUT}
PERMANENT, STARTUP_CLEAR = 0x200, 0x201


def _property(label: str, number: int, count: int = 1) -> Steps:
    return (yield Step(label, Command("GetCapability", (), u32(6) + u32(number) + u32(count))))


def passwords() -> Steps:
    yield from patient()
    for name, handle in HIERARCHIES.items():
        change = Command("HierarchyChangeAuth", (handle,), sized(), EMPTY)
        how = Spoilt(name, guess=name != "lockout", handles=name == "owner")
        yield from faults(change, how)
        for size in (1, 32, 33, 64, 65):
            yield Step(f"{name}: {size} bytes", change.but(parameters=sized(b"a" * size)))
            yield Step(f"{name}: back from {size}", change.but(areas=(password(b"a" * size),)))
        yield Step(f"{name}: a new password", change.but(parameters=sized(b"new\0\0")))
        yield from _property(f"{name}: is set", PERMANENT)
        yield Step(f"{name}: by the new one", change.but(areas=(password(b"new"),), parameters=sized(b"new")))
    for kind, shutdown, startup in (("resume", 1, 1), ("restart", 1, 0), ("reset", 0, 0)):
        yield Step(f"{kind}: shutdown", Command("Shutdown", (), u16(shutdown)))
        yield Step(f"{kind}: power", POWER_CYCLE)
        yield Step(f"{kind}: startup", Command("Startup", (), u16(startup)))
        for name, handle in HIERARCHIES.items():
            change = Command("HierarchyChangeAuth", (handle,), sized(b"new"), (password(b"new"),))
            yield Step(f"{kind}: {name}", change)
        yield from _property(f"{kind}: are set", PERMANENT)


def policies() -> Steps:
    yield from patient()
    good = Command("SetPrimaryPolicy", (OWNER,), sized(bytes(32)) + u16(SHA256), EMPTY)
    without = ("*is platform", "*is lockout", "*is endorsement")
    yield from faults(good, Spoilt(without=without))
    for name, handle in HIERARCHIES.items():
        for hash_alg, size in ((SHA1, 20), (SHA256, 32), (SHA384, 48), (SHA256, 31), (NONE, 0), (NONE, 1), (0x99, 0)):
            parameters = sized(bytes(size)) + u16(hash_alg)
            yield Step(f"{name}: {size} bytes of {hash_alg:#x}", good.but(handles=(handle,), parameters=parameters))
        yield Step(f"{name}: shown", Command("GetCapability", (), u32(9) + u32(handle) + u32(1)))


def clearing() -> Steps:
    yield from patient()
    for handle, name in ((PLATFORM, "platform"), (LOCKOUT, "lockout")):
        change = Command("HierarchyChangeAuth", (OWNER,), sized(b"owner"), EMPTY)
        yield Step(f"{name}: owner's password", change)
        how = Spoilt(f"Clear {name}", guess=False, handles=name == "platform", without=("*is lockout",))
        yield from faults(Command("Clear", (handle,), b"", EMPTY), how)
        yield from _property(f"{name}: nothing is set", PERMANENT)
        yield Step(f"{name}: the owner's is empty again", change.but(parameters=sized()))
        yield from _property(f"{name}: lockout parameters", 0x20E, 4)
    yield Step("the clock", Command("GetCapability", (), u32(6) + u32(0x200) + u32(3)))


def clear_forbidden() -> Steps:
    yield from patient()
    good = Command("ClearControl", (LOCKOUT,), u8(1), EMPTY)
    yield from faults(good, Spoilt(guess=False, without=("*is platform",)))
    yield from _property("disabled", PERMANENT)
    for handle, name in ((LOCKOUT, "lockout"), (PLATFORM, "platform")):
        yield Step(f"clear by {name}", Command("Clear", (handle,), b"", EMPTY))
    yield Step("allowed by lockout", good.but(parameters=u8(0)))
    yield Step("allowed by platform", good.but(handles=(PLATFORM,), parameters=u8(0)))
    yield Step("clear", Command("Clear", (LOCKOUT,), b"", EMPTY))
    for value in (2, 0xFF):
        yield Step(f"of {value}", good.but(parameters=u8(value)))


def switched_off() -> Steps:
    """HierarchyControl: what is off refuses, until the next reset."""
    yield from patient()
    good = Command("HierarchyControl", (PLATFORM,), u32(OWNER) + u8(1), EMPTY)
    yield from faults(good, Spoilt(without=("parameter byte *", "a password of zeros")))
    key = yield from primary("a key", SRK_ECC)
    for target, name in ((OWNER, "owner"), (ENDORSEMENT, "endorsement"), (0x4000000D, "platform NV")):
        for number, value in enumerate((0, 1, 0)):
            yield Step(f"{name} {value}, time {number}", good.but(parameters=u32(target) + u8(value)))
        yield from _property(f"{name} is off", STARTUP_CLEAR)
    yield Step("the key is gone", Command("ReadPublic", (key.handle,)))
    for name, handle in HIERARCHIES.items():
        yield Step(f"{name} may", Command("HierarchyChangeAuth", (handle,), sized(), EMPTY))
        control = Command("HierarchyControl", (handle,), u32(handle) + u8(0), EMPTY)
        if name != "platform":
            yield Step(f"{name} switches itself off", control)
    yield Step("handles", Command("GetCapability", (), u32(1) + u32(0x40000000) + u32(20)))
    yield Step("the platform", good.but(parameters=u32(PLATFORM) + u8(0)))
    yield from _property("all is off", STARTUP_CLEAR)
    yield Step("the platform may no more", Command("HierarchyChangeAuth", (PLATFORM,), sized(), EMPTY))
    yield Step("shutdown", Command("Shutdown", (), u16(0)))
    yield Step("power", POWER_CYCLE)
    yield STARTUP.but("second startup")
    yield from _property("all is on", STARTUP_CLEAR)


def lockout_parameters() -> Steps:
    yield from started()
    good = Command("DictionaryAttackParameters", (LOCKOUT,), u32(5) + u32(600) + u32(700), EMPTY)
    yield from faults(good, Spoilt(guess=False))
    yield from _property("shown", 0x20E, 4)
    reset = Command("DictionaryAttackLockReset", (LOCKOUT,), b"", EMPTY)
    yield from faults(reset, Spoilt(guess=False))
    for tries, recovery, lockout in ((0, 0, 0), (1, 0, 0), (1, 1, 0), (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF)):
        parameters = u32(tries) + u32(recovery) + u32(lockout)
        yield Step(f"{tries}, {recovery}, {lockout}", good.but(parameters=parameters))
        yield from _property(f"{tries}, {recovery}, {lockout}: shown", 0x20E, 4)


def locked_out() -> Steps:
    """Three wrong passwords of what is guarded, and nothing that is guarded answers; what is not does."""
    yield from started()
    guarded = yield from primary("guarded", SEALED_GUARDED, auth=b"right", data=b"secret")
    yield Step("a guarded index", define(PLAIN & ~NO_DA, 4, auth=b"right"))
    unseal = Command("Unseal", (guarded.handle,), b"", (password(b"right"),))
    wrong = unseal.but(areas=(password(b"wrong"),))
    yield Step("right at first", unseal)
    yield Step("written", write(b"data", by=INDEX, areas=(password(b"right"),)))
    for number in range(5):
        yield Step(f"wrong {number}", wrong)
        yield from _property(f"after {number}", 0x20E, 4)
        yield from _property(f"after {number}, permanent", PERMANENT)
    yield Step("right, too late", unseal)
    yield Step("the index too", read(4, by=INDEX, areas=(password(b"right"),)))
    yield Step("but for the owner", read(4))
    yield Step("the owner", Command("HierarchyChangeAuth", (OWNER,), sized(), EMPTY))
    yield Step("the power", POWER_CYCLE)
    yield STARTUP.but("second startup")
    yield from _property("still after a reset", 0x20E, 4)
    yield Step("the index after a reset", read(4, by=INDEX, areas=(password(b"right"),)))
    yield Step("released", Command("DictionaryAttackLockReset", (LOCKOUT,), b"", EMPTY))
    yield from _property("released: counter", 0x20E, 4)
    yield Step("the index again", read(4, by=INDEX, areas=(password(b"right"),)))


def forgiven() -> Steps:
    """With time: one failure each recoveryTime, and lockout's own after lockoutRecovery."""
    yield from started()
    parameters = u32(3) + u32(3) + u32(3)
    yield Step("parameters", Command("DictionaryAttackParameters", (LOCKOUT,), parameters, EMPTY))
    guarded = yield from primary("guarded", SEALED_GUARDED, auth=b"right", data=b"secret")
    unseal = Command("Unseal", (guarded.handle,), b"", (password(b"right"),))
    for number in range(4):
        yield Step(f"wrong {number}", unseal.but(areas=EMPTY))
    yield from _property("locked out", 0x20E)
    yield Pause("one is forgiven", 4.5)
    yield from _property("one forgiven", 0x20E)
    yield Step("right", unseal)
    yield Step("wrong again", unseal.but(areas=EMPTY))
    yield Step("locked out again", unseal)
    yield Step("lockout's password", Command("HierarchyChangeAuth", (LOCKOUT,), sized(b"lockout"), EMPTY))
    reset = Command("DictionaryAttackLockReset", (LOCKOUT,), b"", (password(b"lockout"),))
    yield Step("a guess", reset.but(areas=EMPTY))
    yield Step("too late", reset)
    yield Pause("lockout recovers", 4.5)
    yield Step("in time", reset)


def sudden_power_loss() -> Steps:
    """Losing power without a shutdown counts as a failure once something guarded was used."""
    yield from started()
    yield Step("a guarded index", define(PLAIN & ~NO_DA, 4, auth=b"right"))
    yield Step("written", write(b"data", by=INDEX, areas=(password(b"right"),)))
    for number, shutdown in enumerate((None, 0, None, 1, None)):
        if shutdown is not None:
            yield Step(f"{number}: shutdown", Command("Shutdown", (), u16(shutdown)))
        yield Step(f"{number}: power", POWER_CYCLE)
        yield STARTUP.but(f"{number}: startup")
        yield from _property(f"{number}: counter", 0x20E, 4)
        yield Step(f"{number}: read", read(4, by=INDEX, areas=(password(b"right"),)))
        yield from _property(f"{number}: counter after reading", 0x20E, 4)


def lockout_password() -> Steps:
    """One wrong password of lockout itself closes it."""
    yield from started()
    yield Step("set", Command("HierarchyChangeAuth", (LOCKOUT,), sized(b"lockout"), EMPTY))
    reset = Command("DictionaryAttackLockReset", (LOCKOUT,), b"", (password(b"lockout"),))
    yield Step("right", reset)
    yield Step("wrong", reset.but(areas=EMPTY))
    yield Step("right, too late", reset)
    yield from _property("counter", 0x20E, 4)
    yield from _property("permanent", PERMANENT)
    yield Step("clear by lockout", Command("Clear", (LOCKOUT,), b"", (password(b"lockout"),)))
    yield Step("clear by the platform", Command("Clear", (PLATFORM,), b"", EMPTY))
    yield Step("open again", reset.but(areas=EMPTY))


def wrong_passwords_of_hierarchies() -> Steps:
    """Owner, endorsement, platform and PCRs are not guarded: any number of guesses."""
    yield from started()
    for name, handle in (*HIERARCHIES.items(), ("null", NULL), ("PCR", 16)):
        for number in range(4):
            command = Command("PCR_Reset" if handle == 16 else "HierarchyChangeAuth", (handle,))
            parameters = b"" if handle == 16 else sized()
            if name != "lockout":
                guess = command.but(parameters=parameters, areas=(password(b"guess"),))
                yield Step(f"{name}: guess {number}", guess)
    yield from _property("counter", 0x20E, 4)
