# SPDX-License-Identifier: Apache-2.0
"""Commands about NV indices, and the attributes of an index (TPMA_NV, Part 2, table 204)."""

from tests.tpm_commands import EMPTY, OWNER, SHA256, Command, sized, u16, u32

PP_WRITE, OWNER_WRITE, AUTH_WRITE, POLICY_WRITE = 1, 2, 4, 8
COUNTER, BITS, EXTEND, PIN_FAIL, PIN_PASS = (kind << 4 for kind in (1, 2, 4, 8, 9))
POLICY_DELETE, WRITE_LOCKED, WRITE_ALL, WRITE_DEFINE, WRITE_STCLEAR, GLOBAL_LOCK = (1 << bit for bit in range(10, 16))
PP_READ, OWNER_READ, AUTH_READ, POLICY_READ = (1 << bit for bit in range(16, 20))
NO_DA, ORDERLY, CLEAR_STCLEAR, READ_LOCKED, WRITTEN, PLATFORM_CREATE, READ_STCLEAR = (1 << bit for bit in range(25, 32))
PLAIN = OWNER_WRITE | AUTH_WRITE | OWNER_READ | AUTH_READ | NO_DA
INDEX = 0x01500001


def public(attributes: int, size: int, *, index: int = INDEX, name: int = SHA256, policy: bytes = b"") -> bytes:
    """A TPM2B_NV_PUBLIC."""
    return sized(u32(index) + u16(name) + u32(attributes) + sized(policy) + u16(size))


def define(attributes: int, size: int, *, auth: bytes = b"", by: int = OWNER, index: int = INDEX) -> Command:
    return Command("NV_DefineSpace", (by,), sized(auth) + public(attributes, size, index=index), EMPTY)


def undefine(by: int = OWNER, index: int = INDEX) -> Command:
    return Command("NV_UndefineSpace", (by, index), b"", EMPTY)


def write(data: bytes, offset: int = 0, *, by: int = OWNER, index: int = INDEX, areas=EMPTY) -> Command:
    return Command("NV_Write", (by, index), sized(data) + u16(offset), areas)


def read(size: int, offset: int = 0, *, by: int = OWNER, index: int = INDEX, areas=EMPTY) -> Command:
    return Command("NV_Read", (by, index), u16(size) + u16(offset), areas)


def public_of(index: int = INDEX) -> Command:
    return Command("NV_ReadPublic", (index,))
