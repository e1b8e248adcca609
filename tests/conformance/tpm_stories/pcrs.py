# SPDX-License-Identifier: Apache-2.0
"""Platform configuration registers: read, extended, reset, at every locality, and over restarts."""

import hashlib

from tests.conformance.tpm_differential import POWER_CYCLE, Step, Steps
from tests.conformance.tpm_faults import Spoilt, faults
from tests.conformance.tpm_stories.steps import STARTUP, started
from tests.tpm_commands import (
    DIGEST_SIZES,
    EMPTY,
    NULL,
    PLATFORM,
    SHA1,
    SHA256,
    SHA384,
    SHA512,
    SM3,
    Command,
    digests,
    selection,
    sized,
    u8,
    u16,
    u32,
)

BANKS = (SHA1, SHA256, SHA384, SHA512)
ALL = range(24)


def _value(bank: int, text: bytes) -> bytes:
    return hashlib.shake_128(text).digest(DIGEST_SIZES[bank])


def _in_every_bank(text: bytes) -> bytes:
    return digests(*((bank, _value(bank, text)) for bank in BANKS))


def _read(label: str, *banks: int, pcrs=ALL) -> Steps:
    """Read PCRs eight at a time, which is what fits into one answer."""
    for bank in banks or BANKS:
        for start in range(0, 24, 8):
            some = [pcr for pcr in pcrs if start <= pcr < start + 8]
            if some:
                yield Step(f"{label}: bank {bank:#x} from {start}", Command("PCR_Read", (), selection((bank, some))))


def reading() -> Steps:
    yield from started()
    yield from faults(Command("PCR_Read", (), selection((SHA256, range(3)), (SHA1, [23]))))
    yield from _read("all")
    yield Step("nothing", Command("PCR_Read", (), selection()))
    yield Step("none of a bank", Command("PCR_Read", (), selection((SHA256, []))))
    yield Step("all of every bank", Command("PCR_Read", (), selection(*((bank, ALL) for bank in BANKS))))
    yield Step("a bank twice", Command("PCR_Read", (), selection((SHA256, [1]), (SHA256, [2]))))
    yield Step("a bank that is off", Command("PCR_Read", (), selection((SM3, [1]), (SHA256, [2]))))
    for size in range(6):
        parameters = u32(1) + u16(SHA256) + u8(size) + b"\x01" * size
        yield Step(f"a selection of {size} bytes", Command("PCR_Read", (), parameters))
    for count in (5, 16, 17, 0xFFFFFFFF):
        parameters = u32(count) + (u16(SHA256) + u8(3) + b"\x01\0\0") * 17
        yield Step(f"{count} banks, room for 17", Command("PCR_Read", (), parameters))
    for count in (5, 16, 17):
        yield Step(f"{count} banks", Command("PCR_Read", (), selection(*((SHA256, [pcr]) for pcr in range(count)))))


def extending() -> Steps:
    yield from started()
    yield from faults(Command("PCR_Extend", (16,), digests((SHA256, _value(SHA256, b"one"))), EMPTY))
    yield from _read("extended", pcrs=[16])
    for pcr in ALL:
        yield Step(f"PCR {pcr}", Command("PCR_Extend", (pcr,), _in_every_bank(b"each"), EMPTY))
    yield from _read("each extended")
    two = (SHA256, _value(SHA256, b"one")), (SHA256, _value(SHA256, b"two"))
    yield Step("twice in a bank", Command("PCR_Extend", (16,), digests(*two), EMPTY))
    yield Step("with nothing", Command("PCR_Extend", (16,), digests(), EMPTY))
    yield Step("no PCR at all", Command("PCR_Extend", (NULL,), _in_every_bank(b"none"), EMPTY))
    yield Step("a hash that is off", Command("PCR_Extend", (16,), digests((SM3, bytes(32))), EMPTY))
    yield Step("five digests", Command("PCR_Extend", (16,), digests(*two, *two, two[0]), EMPTY))
    yield from _read("in the end", pcrs=[16])


def events() -> Steps:
    yield from started()
    yield from faults(Command("PCR_Event", (16,), sized(b"an event"), EMPTY))
    for size in (0, 1, 1023, 1024, 1025):
        yield Step(f"{size} bytes", Command("PCR_Event", (16,), sized(bytes(size)), EMPTY))
    yield Step("no PCR at all", Command("PCR_Event", (NULL,), sized(b"nothing"), EMPTY))
    yield from _read("in the end", pcrs=[16])


def resetting() -> Steps:
    yield from started()
    yield Step("extend", Command("PCR_Extend", (16,), _in_every_bank(b"one"), EMPTY))
    yield from faults(Command("PCR_Reset", (16,), b"", EMPTY), Spoilt(without=("*is PCR 23",)))
    yield from _read("after", pcrs=[16])


def localities() -> Steps:
    """Which PCR may be extended and reset at which locality (PC Client Platform TPM Profile, section 4.7)."""
    yield from started()
    for locality in (1, 2, 3, 4, 0):
        at = f"at locality {locality}"
        for pcr in ALL:
            extend = Command("PCR_Extend", (pcr,), _in_every_bank(at.encode()), EMPTY, locality)
            yield Step(f"{at}: extend {pcr}", extend)
            yield Step(f"{at}: event for {pcr}", Command("PCR_Event", (pcr,), sized(b"event"), EMPTY, locality))
        yield from _read(f"{at}: extended")
        for pcr in ALL:
            yield Step(f"{at}: reset {pcr}", Command("PCR_Reset", (pcr,), b"", EMPTY, locality))
        yield from _read(f"{at}: reset")


def update_counter() -> Steps:
    """The counter in answers of PCR_Read: what counts and what does not (TPM_PT_PCR_NO_INCREMENT)."""
    yield from started()
    for number, pcr in enumerate((0, 16, 10, 23)):
        for command in (
            Command("PCR_Extend", (pcr,), _in_every_bank(b"x"), EMPTY),
            Command("PCR_Extend", (pcr,), digests((SHA256, bytes(32))), EMPTY),
            Command("PCR_Event", (pcr,), sized(b"x"), EMPTY),
            Command("PCR_Reset", (pcr,), b"", EMPTY),
        ):
            name = f"{number}: {command.name} {len(command.parameters)} of {pcr}"
            yield Step(name, command)
            yield Step(f"{name}, counted", Command("PCR_Read", (), selection((SHA256, [pcr]))))


def over_restarts() -> Steps:
    """Which PCRs come back with TPM2_Startup(STATE) and which with none."""
    yield from started()
    for name, shutdown, startup in (
        ("resume", 1, 1),
        ("restart", 1, 0),
        ("reset", 0, 0),
        ("a sudden reset", None, 0),
        ("state after clear", 0, 1),
        ("state after nothing", None, 1),
    ):
        for pcr in (0, 7, 15, 16, 23):
            yield Step(f"{name}: extend {pcr}", Command("PCR_Extend", (pcr,), _in_every_bank(b"x"), EMPTY))
        if shutdown is not None:
            yield Step(f"{name}: shutdown", Command("Shutdown", (), u16(shutdown)))
        yield Step(f"{name}: power", POWER_CYCLE)
        yield Step(f"{name}: startup", Command("Startup", (), u16(startup)))
        yield Step(f"{name}: in any case", STARTUP.command)
        yield from _read(name)


def changed_after_shutdown() -> Steps:
    """A command between Shutdown(STATE) and the loss of power undoes the shutdown."""
    yield from started()
    yield from faults(Command("Shutdown", (), u16(1)))
    yield Step("extend", Command("PCR_Extend", (0,), _in_every_bank(b"x"), EMPTY))
    yield Step("power", POWER_CYCLE)
    yield Step("resume", Command("Startup", (), u16(1)))
    yield Step("in any case", STARTUP.command)
    yield from _read("after", SHA256)
    for kind in (0, 1, 2, 0xFFFF):
        yield Step(f"shutdown {kind}", Command("Shutdown", (), u16(kind)))


def allocation() -> Steps:
    """Banks change with the next TPM2_Startup(CLEAR) after a loss of power."""
    yield from started()
    only = selection((SHA1, []), (SHA256, []), (SHA384, ALL), (SHA512, []))
    yield from faults(Command("PCR_Allocate", (PLATFORM,), only, EMPTY), Spoilt(every_byte=False))
    yield from _banks("before")
    yield Step("power", POWER_CYCLE)
    yield STARTUP.but("startup with the new banks")
    yield from _banks("after")
    yield Step("extend in two banks", Command("PCR_Extend", (0,), _in_every_bank(b"x"), EMPTY))
    yield Step("event", Command("PCR_Event", (0,), sized(b"x"), EMPTY))
    yield from _read("after", SHA256, SHA384, pcrs=[0])
    for name, wanted in (
        ("none", selection(*((bank, []) for bank in BANKS))),
        ("half a bank", selection((SHA256, range(12)))),
        ("without the D-RTM", selection((SHA384, range(17)), (SHA256, range(17)))),
        ("one named", selection((SHA256, ALL))),
        ("a bank that is not there", selection((SM3, ALL))),
    ):
        yield Step(f"allocate {name}", Command("PCR_Allocate", (PLATFORM,), wanted, EMPTY))
    yield Step("resume: shutdown", Command("Shutdown", (), u16(1)))
    yield Step("resume: power", POWER_CYCLE)
    yield STARTUP.but("resume: startup")
    yield from _banks("in the end")


def _banks(when: str) -> Steps:
    yield Step(f"banks {when}", Command("GetCapability", (), u32(5) + u32(0) + u32(1)))
