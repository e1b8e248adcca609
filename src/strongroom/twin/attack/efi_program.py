# SPDX-License-Identifier: Apache-2.0
"""The attacker's own EFI programs, for x86_64: a driver and a program that only show that they ran, and a boot loader.

Their machine code is a few dozen bytes with the assembly beside them (UEFI 2.10: calling convention in section 2.3.4,
EFI_BOOT_SERVICES in 4.4). Each says a line on the first serial port, so that the console shows who was there.
"""

from __future__ import annotations

import struct

from strongroom.formats.small_pe import CODE, DATA, EFI_BOOT_SERVICE_DRIVER, MEMORY_STEP_BYTES, small_pe
from strongroom.formats.uki import Architecture

_SERIAL_PORT = b"\x66\xba\xf8\x03"  # mov dx, 0x3f8
_SUCCESS = b"\x31\xc0\xc3"  # xor eax, eax; ret


def driver(says: str) -> bytes:
    """Return a boot services driver that says a line and succeeds, for a `Driver####` option (attack B20)."""
    return small_pe(Architecture.X86_64, [(b".text", _say(says) + _SUCCESS, CODE)], subsystem=EFI_BOOT_SERVICE_DRIVER)


def program(says: str) -> bytes:
    """Return a program that says a line and succeeds, for a `SysPrep####` option (attack B20)."""
    return small_pe(Architecture.X86_64, [(b".text", _say(says) + _SUCCESS, CODE)])


def chain_loader(image: bytes, says: str) -> bytes:
    """Return a boot loader that says a line and starts `image`, which it carries inside (attack B6).

    It hands the image to LoadImage() as a buffer under its own device path, so that firmware measures both into PCR 4.
    """
    hello = _say(says)
    code_bytes = len(hello) + len(_load(0, 0))
    if code_bytes > MEMORY_STEP_BYTES:
        raise ValueError(f"expected a short line, found {len(says)} characters")
    # The distance from behind the instruction that takes the buffer's address, to the section behind the code.
    distance = MEMORY_STEP_BYTES - len(hello) - _BUFFER_ADDRESS_END
    return small_pe(
        Architecture.X86_64,
        [(b".text", hello + _load(distance, len(image)), CODE), (b".image", image, DATA)],
    )


def _say(line: str) -> bytes:
    """Code that writes a line to the serial port byte by byte; firmware has set its speed. Changes al and dx alone."""
    saved, restored = b"\x52", b"\x5a"  # push rdx; pop rdx: it holds the system table
    text = f"\r\n{line}\r\n".encode("ascii")
    return saved + _SERIAL_PORT + b"".join(b"\xb0" + bytes([byte]) + b"\xee" for byte in text) + restored


_LOADED_IMAGE_DEVICE_PATH = bytes.fromhex("7e1562bc333eec4f99202d3b36d750df")
"""EFI_LOADED_IMAGE_DEVICE_PATH_PROTOCOL_GUID (UEFI 2.10 section 9.2), as it lies in memory."""
_BUFFER_ADDRESS_END = 0x38


def _load(distance: int, size: int) -> bytes:
    """Code of an entry point that loads and starts the image `distance` bytes away."""
    return b"".join(
        (
            b"\x53\x56",  # push rbx; push rsi
            b"\x48\x83\xec\x48",  # sub rsp, 0x48
            b"\x48\x89\xce",  # mov rsi, rcx                     the handle of this program
            b"\x48\x8b\x5a\x60",  # mov rbx, [rdx+0x60]          SystemTable->BootServices
            b"\x48\x89\xf1",  # mov rcx, rsi
            b"\x48\x8d\x15\x57\x00\x00\x00",  # lea rdx, [guid]
            b"\x4c\x8d\x44\x24\x38",  # lea r8, [rsp+0x38]       where the device path goes
            b"\xff\x93\x98\x00\x00\x00",  # call [rbx+0x98]      HandleProtocol
            b"\x48\x85\xc0\x75\x40",  # test rax, rax; jnz out
            b"\x31\xc9",  # xor ecx, ecx                         BootPolicy: none
            b"\x48\x89\xf2",  # mov rdx, rsi
            b"\x4c\x8b\x44\x24\x38",  # mov r8, [rsp+0x38]
            b"\x4c\x8d\x0d" + struct.pack("<i", distance),  # lea r9, [image]
            b"\xb8" + struct.pack("<I", size),  # mov eax, size
            b"\x48\x89\x44\x24\x20",  # mov [rsp+0x20], rax
            b"\x48\x8d\x44\x24\x30",  # lea rax, [rsp+0x30]      where the new handle goes
            b"\x48\x89\x44\x24\x28",  # mov [rsp+0x28], rax
            b"\xff\x93\xc8\x00\x00\x00",  # call [rbx+0xc8]      LoadImage
            b"\x48\x85\xc0\x75\x10",  # test rax, rax; jnz out
            b"\x48\x8b\x4c\x24\x30",  # mov rcx, [rsp+0x30]
            b"\x31\xd2\x45\x31\xc0",  # xor edx, edx; xor r8d, r8d
            b"\xff\x93\xd0\x00\x00\x00",  # call [rbx+0xd0]      StartImage
            b"\x48\x83\xc4\x48\x5e\x5b\xc3",  # out: add rsp, 0x48; pop rsi; pop rbx; ret
            _LOADED_IMAGE_DEVICE_PATH,  # guid:
        )
    )
