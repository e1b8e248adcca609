# SPDX-License-Identifier: Apache-2.0
"""Dictionary attack protection: what counts, what is refused, what restarts do to it."""

from tests.conformance.tpm_differential import POWER_CYCLE, Step, Steps
from tests.conformance.tpm_faults import Spoilt, faults
from tests.conformance.tpm_stories.nv_commands import INDEX, NO_DA, PLAIN, define, write
from tests.conformance.tpm_stories.steps import STARTUP, started
from tests.tpm_commands import EMPTY, LOCKOUT, PLATFORM, Command, password, sized, u16, u32

NEVER = 0xFFFFFFFF
RESET = Command("DictionaryAttackLockReset", (LOCKOUT,), b"", EMPTY)
RESET_GUESSED = RESET.but(areas=(password(b"wrong"),))


def _parameters(tries: int, recovery: int, lockout_recovery: int) -> Command:
    return Command("DictionaryAttackParameters", (LOCKOUT,), u32(tries) + u32(recovery) + u32(lockout_recovery), EMPTY)


def _try(value: bytes, index: int = INDEX) -> Command:
    return write(b"x", by=index, index=index, areas=(password(value),))


RIGHT, WRONG = _try(b"auth"), _try(b"wrong")


def _shown(label: str) -> Steps:
    for number in (0x200, 0x201, *range(0x20E, 0x212)):
        yield Step(f"{label}: property {number:#x}", Command("GetCapability", (), u32(6) + u32(number) + u32(1)))


def _protected() -> Steps:
    """An index that counts wrong guesses, and the next one, which does not."""
    yield from started()
    yield Step("protected", define(PLAIN & ~NO_DA, 8, auth=b"auth"))
    yield Step("not protected", define(PLAIN, 8, auth=b"auth", index=INDEX + 1))


def counting() -> Steps:
    yield from _protected()
    for number in range(5):
        yield Step(f"guess {number}", WRONG)
        yield from _shown(f"guess {number}")
    yield Step("right, too late", RIGHT)
    yield Step("another entity, guessed", _try(b"wrong", INDEX + 1))
    yield Step("another entity", _try(b"auth", INDEX + 1))
    yield Step("by its owner", write(b"x"))
    yield Step("reset", RESET)
    yield from _shown("reset")
    yield Step("right", RIGHT)


def parameters() -> Steps:
    yield from _protected()
    yield from faults(_parameters(3, NEVER, NEVER), Spoilt(guess=False, without=("*is owner",)))
    for tries, recovery in ((0, 1000), (0, 0), (1, 1000), (2, 0), (NEVER, NEVER)):
        title = f"{tries} tries, {recovery} s"
        yield Step(title, _parameters(tries, recovery, 0))
        yield from _shown(title)
        for number in range(3):
            yield Step(f"{title}: guess {number}", WRONG)
        yield from _shown(f"{title}: guessed")
        yield Step(f"{title}: right", RIGHT)
        yield Step(f"{title}: fewer tries", _parameters(1, recovery or 1000, 0))
        yield Step(f"{title}: right after all", RIGHT)
        yield Step(f"{title}: reset", RESET)


def the_authority_itself() -> Steps:
    """A wrong guess of the lockout authority locks it, until time has passed or until the next start."""
    yield from _protected()
    yield from faults(RESET, Spoilt(guess=False))
    for recovery in (0, NEVER):
        title = f"{recovery} s"
        yield Step(f"{title}: parameters", _parameters(5, 1000, recovery))
        yield Step(f"{title}: guessed", RESET_GUESSED)
        yield Step(f"{title}: right", RESET)
        yield from _shown(title)
        yield Step(f"{title}: others are not locked", RIGHT)
        yield Step(f"{title}: power", POWER_CYCLE)
        yield STARTUP.but(f"{title}: startup")
        yield Step(f"{title}: right after a restart", RESET)
        yield from _shown(f"{title}: restarted")
    yield Step("cleared by the platform", Command("Clear", (PLATFORM,), b"", EMPTY))
    yield Step("right once cleared", RESET)


def over_restarts() -> Steps:
    """Power that is lost without a shutdown, after a guess: who knows whether that was one more?"""
    yield from _protected()
    yield Step("patience", _parameters(20, NEVER, NEVER))
    for used, command in (
        ("not used", None),
        ("guessed", WRONG),
        ("used", RIGHT),
        ("not protected", _try(b"no", INDEX + 1)),
    ):
        for name, shutdown, startup in (("resume", 1, 1), ("restart", 1, 0), ("reset", 0, 0), ("sudden", None, 0)):
            title = f"{used}, {name}"
            if command:
                yield Step(f"{title}: guess", command)
            if shutdown is not None:
                yield Step(f"{title}: shutdown", Command("Shutdown", (), u16(shutdown)))
            yield Step(f"{title}: power", POWER_CYCLE)
            yield Step(f"{title}: startup", Command("Startup", (), u16(startup)))
            yield from _shown(title)
    yield Step("two tries", _parameters(2, NEVER, NEVER))
    yield Step("reset", RESET)
    for number in range(4):
        yield Step(f"sudden {number}: right", RIGHT)
        yield Step(f"sudden {number}: power", POWER_CYCLE)
        yield STARTUP.but(f"sudden {number}: startup")
        yield from _shown(f"sudden {number}")


def other_authorities() -> Steps:
    """Hierarchies do not count."""
    yield from _protected()
    for handle in (0x40000001, 0x4000000B, 0x4000000C):
        for number in range(4):
            areas = (password(b"wrong"),)
            yield Step(f"{handle:#x}, {number}", Command("HierarchyChangeAuth", (handle,), sized(), areas))
    yield from _shown("after")
