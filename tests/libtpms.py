# SPDX-License-Identifier: Apache-2.0
"""libtpms as a TPM 2.0: a process of its own for each, spoken to over its standard input and output.

libtpms keeps one TPM for the whole process, in C. Away from ours there may be several at a time, and one that crashes
takes nobody along. A request is an operation (one byte), a length (four) and that many bytes; its reply is a length and
that many bytes. What the TPM keeps is kept in the memory of its process: no file is written.
"""

from __future__ import annotations

import ctypes
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO

LIBRARY = "libtpms.so.0"
EXECUTE, POWER_CYCLE = b"E", b"P"
_HEADER = struct.Struct(">cI")
_LENGTH = struct.Struct(">I")
_RETRY, _FAIL = 0x800, 9
"""TPM_RETRY and TPM_FAIL of libtpms/tpm_error.h: nothing stored under that name; anything else."""
_TPM_2 = 1


class Libtpms:
    """One TPM, manufactured when it is first powered, which is now."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def execute(self, command: bytes, locality: int = 0) -> bytes:
        """Return the response to a command."""
        return self._ask(EXECUTE, bytes([locality]) + command)

    def power_cycle(self) -> None:
        """Cut the power and give it again: what is not in NV memory is gone, and TPM2_Startup is due."""
        self._ask(POWER_CYCLE, b"")

    def _ask(self, operation: bytes, content: bytes) -> bytes:
        asked, replies = self._process.stdin, self._process.stdout
        assert asked is not None
        assert replies is not None
        asked.write(_HEADER.pack(operation, len(content)) + content)
        asked.flush()
        (length,) = _LENGTH.unpack(_read(replies, _LENGTH.size))
        return _read(replies, length)


@contextmanager
def libtpms() -> Iterator[Libtpms]:
    """Run a TPM of its own until the end of the block."""
    command = [sys.executable, __file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield Libtpms(process)
        finally:
            process.kill()
            _forget_what_was_not_sent(process)


def _forget_what_was_not_sent(process: subprocess.Popen[bytes]) -> None:
    """Close the way to a process that is gone: a request it did not live to read would fail the closing, once more."""
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.close()


def _read(stream: IO[bytes], size: int) -> bytes:
    content = stream.read(size)
    if len(content) != size:
        raise ConnectionError("the process of libtpms has ended: see its last words above")
    return content


# What follows runs in the process of its own.

_Bytes = ctypes.POINTER(ctypes.c_ubyte)
_Number = ctypes.POINTER(ctypes.c_uint32)
_PLAIN = ctypes.CFUNCTYPE(ctypes.c_uint32)
_LOAD = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.POINTER(_Bytes), _Number, ctypes.c_uint32, ctypes.c_char_p)
_STORE = ctypes.CFUNCTYPE(ctypes.c_uint32, _Bytes, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_char_p)
_DELETE = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_uint32, ctypes.c_char_p, ctypes.c_ubyte)
_LOCALITY = ctypes.CFUNCTYPE(ctypes.c_uint32, _Number, ctypes.c_uint32)
_PRESENCE = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.POINTER(ctypes.c_ubyte), ctypes.c_uint32)


class _Callbacks(ctypes.Structure):
    """struct libtpms_callbacks of libtpms/tpm_library.h."""

    _fields_ = (
        ("size", ctypes.c_int),
        ("nvram_init", _PLAIN),
        ("nvram_loaddata", _LOAD),
        ("nvram_storedata", _STORE),
        ("nvram_deletename", _DELETE),
        ("io_init", _PLAIN),
        ("io_getlocality", _LOCALITY),
        ("io_getphysicalpresence", _PRESENCE),
    )


class _Engine:
    """The library, with its NV memory in a dictionary."""

    def __init__(self) -> None:
        self.library = ctypes.CDLL(LIBRARY)
        self.library.TPM_Malloc.argtypes = [ctypes.POINTER(_Bytes), ctypes.c_uint32]
        self.stored: dict[bytes, bytes] = {}
        self.locality = 0
        self.callbacks = _Callbacks(
            ctypes.sizeof(_Callbacks),
            _PLAIN(lambda: 0),
            _LOAD(self.load),
            _STORE(self.store),
            _DELETE(self.delete),
            _PLAIN(lambda: 0),
            _LOCALITY(self.say_locality),
            _PRESENCE(self.say_presence),
        )
        _done(self.library.TPMLIB_ChooseTPMVersion(_TPM_2))
        _done(self.library.TPMLIB_RegisterCallbacks(ctypes.byref(self.callbacks)))
        self.response, self.size, self.room = _Bytes(), ctypes.c_uint32(), ctypes.c_uint32()
        _done(self.library.TPMLIB_MainInit())

    def load(self, data, length, _number, name) -> int:
        """Hand out a copy that the library frees."""
        if name not in self.stored:
            return _RETRY
        content = self.stored[name]
        if self.library.TPM_Malloc(data, len(content)) != 0:
            return _FAIL
        ctypes.memmove(data[0], content, len(content))
        length[0] = len(content)
        return 0

    def store(self, data, length, _number, name) -> int:
        self.stored[name] = ctypes.string_at(data, length)
        return 0

    def delete(self, _number, name, must_exist) -> int:
        missing = self.stored.pop(name, None) is None
        return _FAIL if missing and must_exist else 0

    def say_locality(self, locality, _number) -> int:
        locality[0] = self.locality
        return 0

    @staticmethod
    def say_presence(present, _number) -> int:
        present[0] = 0
        return 0

    def execute(self, content: bytes) -> bytes:
        self.locality, command = content[0], content[1:]
        outputs = (ctypes.byref(self.response), ctypes.byref(self.size), ctypes.byref(self.room))
        _done(self.library.TPMLIB_Process(*outputs, command, len(command)))
        return ctypes.string_at(self.response, self.size.value)

    def power_cycle(self, _content: bytes) -> bytes:
        self.library.TPMLIB_Terminate()
        _done(self.library.TPMLIB_MainInit())
        return b""


def _done(result: int) -> None:
    if result != 0:
        raise RuntimeError(f"libtpms answers {result:#x}")


def _serve(requests: IO[bytes], replies: IO[bytes]) -> None:
    engine = _Engine()
    operations: dict[bytes, Callable[[bytes], bytes]] = {EXECUTE: engine.execute, POWER_CYCLE: engine.power_cycle}
    while header := requests.read(_HEADER.size):
        operation, length = _HEADER.unpack(header)
        reply = operations[operation](requests.read(length))
        replies.write(_LENGTH.pack(len(reply)) + reply)
        replies.flush()


if __name__ == "__main__":
    _serve(sys.stdin.buffer, sys.stdout.buffer)
