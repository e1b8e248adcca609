# SPDX-License-Identifier: Apache-2.0
"""Starting, self tests, random numbers, time, what the TPM says about itself."""

from tests.conformance.tpm_differential import POWER_CYCLE, Step, Steps, last, length
from tests.conformance.tpm_faults import Spoilt, faults
from tests.conformance.tpm_stories.steps import STARTUP, started
from tests.tpm_commands import (
    AES,
    CFB,
    ECC,
    EMPTY,
    KEYEDHASH,
    NONE,
    OWNER,
    P256,
    PLATFORM,
    RSA,
    SYMCIPHER,
    Command,
    sized,
    u8,
    u16,
    u32,
    u64,
)

ANYTHING = b"\x80\x01\x00\x00\x00\x0c\x00\x00\x01\x7b\x00\x08"
CLOCK_INFO = 9
"""The end of TPMS_TIME_INFO, which is no time: resetCount, restartCount and safe."""


def frames() -> Steps:
    """What is no command at all, before and after TPM2_Startup."""
    for when in ("before", "after"):
        for size in range(1, len(ANYTHING)):
            yield Step(f"{when}: {size} bytes", ANYTHING[:size])
        for tag in (0, 1, 0xC1, 0xC2, 0xC3, 0xC4, 0x8000, 0x8003, 0x8004, 0xFFFF):
            yield Step(f"{when}: tag {tag:#06x}", Command("GetTestResult", tag=tag))
        for code in (0, 0x11E, 0x123, 0x12F, 0x141, 0x15A, 0x15F, 0x166, 0x179, 0x18000000, 0x40000165, 0xFFFFFFFF):
            yield Step(f"{when}: command {code:#x}", Command("GetTestResult", code=code))
        yield Step(f"{when}: TPM 1.2 asks for ticks", bytes.fromhex("00c10000000a000000f1"))
        yield Step(f"{when}: 4096 bytes", Command("GetRandom", (), u16(8) + bytes(4084)))
        yield Step(f"{when}: 4097 bytes", Command("GetRandom", (), u16(8) + bytes(4085)))
        if when == "before":
            yield STARTUP


def startup() -> Steps:
    for name in ("GetTestResult", "ReadClock", "PCR_Read"):
        yield Step(f"{name} before", Command(name))
    for locality in (1, 2, 4):
        yield Step(f"at locality {locality}", Command("Startup", (), u16(0), locality=locality))
    yield Step("state that nobody saved", Command("Startup", (), u16(1)))
    yield from faults(Command("Startup", (), u16(0)), Spoilt(every_byte=False))
    yield Step("a second time", Command("Startup", (), u16(0)))
    yield Step("a second time, wrong", Command("Startup", (), u16(7)))


def startup_at_locality_3() -> Steps:
    """H-CRTM and locality 3: PCR 0 tells where Startup came from (Part 1, section 34.3)."""
    yield Step("startup", Command("Startup", (), u16(0), locality=3))
    yield Step("PCR 0", Command("PCR_Read", (), u32(1) + u16(0x0B) + u8(3) + b"\x01\0\0"))


def self_tests() -> Steps:
    yield from started()
    for name in ("SelfTest", "GetTestResult"):
        parameters = {"SelfTest": u8(1), "GetTestResult": b""}[name]
        yield from faults(Command(name, (), parameters))
    yield from faults(Command("SelfTest", (), u8(0)), Spoilt("SelfTest of what is due"))


def random() -> Steps:
    yield from started()
    yield from faults(Command("GetRandom", (), u16(16)))
    for count in (0, 1, 31, 32, 48, 63, 64, 65, 0xFFFF):
        yield Step(f"{count} bytes", Command("GetRandom", (), u16(count)))
    yield from faults(Command("StirRandom", (), sized(b"salt")))
    for count in (0, 127, 128, 129):
        yield Step(f"stirred with {count} bytes", Command("StirRandom", (), sized(bytes(count))))


def clock() -> Steps:
    yield from started()
    yield from faults(Command("ReadClock"), Spoilt(shown=last(CLOCK_INFO)))
    yield from faults(
        Command("ClockSet", (OWNER,), u64(1 << 32), EMPTY),
        Spoilt(every_byte=False, without=("a password of zeros", "*is platform")),
    )
    yield Step("by the platform", Command("ClockSet", (PLATFORM,), u64(1 << 33), EMPTY))
    yield Step("the clock runs forward", Command("ClockSet", (OWNER,), u64(1 << 31), EMPTY))
    yield Step("a clock too far", Command("ClockSet", (OWNER,), u64(0xFFFF000000000000), EMPTY))
    yield Step("a clock that far", Command("ClockSet", (OWNER,), u64(0xFFFEFFFFFFFFFFFF), EMPTY))
    yield Step("read again", Command("ReadClock"), last(CLOCK_INFO))


def clock_over_restarts() -> Steps:
    """How often it was reset and restarted, and whether the clock may be trusted."""
    for name, shutdown, startup_type in (
        ("first", None, 0),
        ("reset after a shutdown", 0, 0),
        ("restart", 1, 0),
        ("resume", 1, 1),
        ("reset without a shutdown", None, 0),
    ):
        if shutdown is not None:
            yield Step(f"{name}: shutdown", Command("Shutdown", (), u16(shutdown)))
        yield Step(f"{name}: power", POWER_CYCLE)
        yield Step(f"{name}: startup", Command("Startup", (), u16(startup_type)))
        yield Step(f"{name}: clock", Command("ReadClock"), last(CLOCK_INFO))
        yield Step(f"{name}: orderly?", Command("GetCapability", (), u32(6) + u32(0x201) + u32(1)))


def parameters() -> Steps:
    """TestParms: which algorithms there are."""
    yield from started()
    symmetric = u16(AES) + u16(128) + u16(CFB)
    good = {
        "RSA": u16(RSA) + u16(NONE) * 2 + u16(2048) + u32(0),
        "RSA storage": u16(RSA) + symmetric + u16(NONE) + u16(2048) + u32(0),
        "ECC": u16(ECC) + u16(NONE) * 2 + u16(P256) + u16(NONE),
        "keyed hash": u16(KEYEDHASH) + u16(NONE),
        "cipher": u16(SYMCIPHER) + symmetric,
    }
    for name, content in good.items():
        yield from faults(Command("TestParms", (), content), Spoilt(f"TestParms {name}"))
    for bits in (0, 512, 1024, 2047, 3072, 4096, 65535):
        yield Step(f"RSA of {bits} bits", Command("TestParms", (), good["RSA"][:6] + u16(bits) + u32(0)))
    for exponent in (1, 2, 3, 17, 65537, 65539, 0xFFFFFFFF):
        yield Step(f"exponent {exponent}", Command("TestParms", (), good["RSA"][:8] + u32(exponent)))
    for curve in range(0x25):
        yield Step(f"curve {curve}", Command("TestParms", (), good["ECC"][:6] + u16(curve) + u16(NONE)))
    for bits in (0, 56, 64, 127, 128, 192, 256):
        yield Step(f"AES of {bits} bits", Command("TestParms", (), good["cipher"][:4] + u16(bits) + u16(CFB)))
    for mode in range(0x3F, 0x46):
        yield Step(f"AES in mode {mode:#x}", Command("TestParms", (), good["cipher"][:6] + u16(mode)))
    for number in range(0x50):
        kind = u16(number)
        yield Step(f"of the kind {number:#x}", Command("TestParms", (), kind + u16(NONE) * 2 + u16(2048) + u32(0)))
        scheme = u16(RSA) + u16(NONE) + kind + u16(0x0B) + u16(2048) + u32(0)
        yield Step(f"RSA with scheme {number:#x}", Command("TestParms", (), scheme))
        scheme = u16(ECC) + u16(NONE) + kind + u16(0x0B) + u16(P256) + u16(NONE)
        yield Step(f"ECC with scheme {number:#x}", Command("TestParms", (), scheme))
        scheme = u16(KEYEDHASH) + kind + u16(0x0B)
        yield Step(f"keyed hash with scheme {number:#x}", Command("TestParms", (), scheme))


def capabilities() -> Steps:
    """All properties: each capability from its start, one at a time, and from the middle."""
    yield from started()
    yield from faults(Command("GetCapability", (), u32(6) + u32(0x100) + u32(1)))
    for capability in range(12):
        for count in (0, 1, 3, 1000, 0xFFFFFFFF):
            yield Step(
                f"capability {capability}, {count} from its start",
                Command("GetCapability", (), u32(capability) + u32(0) + u32(count)),
            )
    for capability in (0x20, 0x100, 0x101, 0xFFFFFFFF):
        request = u32(capability) + u32(0) + u32(1)
        yield Step(f"capability {capability:#x}", Command("GetCapability", (), request))


def properties_one_by_one() -> Steps:
    yield from started()
    for group in (0x100, 0x200, 0x300):
        for number in range(0x40):
            yield Step(f"property {group + number:#x}", Command("GetCapability", (), _property(group + number)))
    for kind in (*range(10), 0x40, 0x80, 0x81, 0x90, 0xFF):
        for low in (0, 5, 0xFFFFFF):
            request = u32(1) + u32(kind << 24 | low) + u32(1000)
            yield Step(f"handles from {kind << 24 | low:#010x}", Command("GetCapability", (), request))


def lists_one_by_one() -> Steps:
    """Commands, algorithms, curves and PCR properties, from each number."""
    yield from started()
    for code in (*range(0x11E, 0x19A), 0x20000000, 0x20000001, 0xFFFFFFFF):
        yield Step(f"commands from {code:#x}", Command("GetCapability", (), u32(2) + u32(code) + u32(1)))
    for number in range(0x50):
        yield Step(f"algorithms from {number:#x}", Command("GetCapability", (), u32(0) + u32(number) + u32(1)))
        yield Step(f"curves from {number:#x}", Command("GetCapability", (), u32(8) + u32(number) + u32(1)))
    for number in range(0x18):
        yield Step(f"PCR properties from {number:#x}", Command("GetCapability", (), u32(7) + u32(number) + u32(1)))


def _property(number: int) -> bytes:
    return u32(6) + u32(number) + u32(1)


def counting_handles() -> Steps:
    """What is made shows in lists of handles and in properties that vary."""
    yield from started()
    session = yield Step(
        "a session", Command("StartAuthSession", (0x40000007, 0x40000007), _session_parameters()), length
    )
    public = sized(u32(0x01000001) + u16(0x0B) + u32(0x00040004) + sized() + u16(8))
    yield Step("an index", Command("NV_DefineSpace", (OWNER,), sized() + public, EMPTY))
    for group in (0x01000000, 0x02000000, 0x03000000, 0x80000000, 0x81000000):
        yield Step(f"handles of {group:#x}", Command("GetCapability", (), u32(1) + u32(group) + u32(10)))
    yield Step("variable properties", Command("GetCapability", (), u32(6) + u32(0x200) + u32(100)))
    yield Step("flushed", Command("FlushContext", (), u32(session.handle)))
    yield Step("variable properties again", Command("GetCapability", (), u32(6) + u32(0x200) + u32(100)))


def _session_parameters() -> bytes:
    return sized(bytes(16)) + sized() + u8(0) + u16(NONE) + u16(0x0B)
