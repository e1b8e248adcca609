# SPDX-License-Identifier: Apache-2.0
"""Linux's TPM character devices. The one file that opens them.

/dev/tpm0 has one user at a time; others get EBUSY, and so we wait. /dev/tpmrm0 shares the TPM through the kernel's
resource manager, which refuses AWS's vendor command on many kernels (those before the patch "tpm: add vendor flag to
command code validation"): it is the second choice, when /dev/tpm0 stays taken.

A response is read whole before the next command is written. The kernel waits for the TPM; we set no time limit of our
own, because a command that was given up in the middle would leave its answer to the next one.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from strongroom.errors import LocalFault, TpmFault
from strongroom.formats.tpm.frame import HEADER_BYTES, MAX_FRAME_BYTES, SIZE_AT

DEVICE = Path("/dev/tpm0")
RESOURCE_MANAGER = Path("/dev/tpmrm0")
BUSY_SECONDS = 10.0
"""How long others may keep /dev/tpm0: an attestation takes well below a second."""
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.5
_UNREAD_SECONDS = 1.0
_NEXT_PIECE_SECONDS = 0.1


class TpmDevice:
    """An open TPM device: a `TpmTransport`."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor = descriptor
        self._path = path
        self._unread = False
        """Whether a command may have been written whose response was not read."""

    def transmit(self, command: bytes) -> bytes:
        """Return the response to a command. Raises TpmFault where the device fails or its answer ends too early.

        A signal may end the last call between writing and reading (Ctrl-C). The response that still waits is dropped
        first: the driver refuses commands until then, and it would be taken for the answer to this one.
        """
        try:
            if self._unread:
                self._drop_unread()
            self._unread = True
            response = self._exchanged(command)
        except OSError as error:
            raise self._failed(f"failed: {error.strerror}") from error
        self._unread = False
        return response

    def _drop_unread(self) -> None:
        """Read what waits, if anything does: the signal may have come after it was read, and the answer is lost."""
        wait_seconds = _UNREAD_SECONDS
        while select.select([self._descriptor], [], [], wait_seconds)[0]:
            if not os.read(self._descriptor, MAX_FRAME_BYTES):
                break
            wait_seconds = _NEXT_PIECE_SECONDS

    def _exchanged(self, command: bytes) -> bytes:
        written = os.write(self._descriptor, command)
        if written != len(command):
            raise self._failed(f"took {written} of {len(command)} bytes of a command")
        return self._response()

    def _response(self) -> bytes:
        """Read one response. The driver gives it at once; what comes in pieces is put together."""
        response = b""
        while len(response) < HEADER_BYTES or len(response) < int.from_bytes(response[SIZE_AT]):
            piece = os.read(self._descriptor, MAX_FRAME_BYTES)
            response += piece
            if not piece or len(response) > MAX_FRAME_BYTES:
                raise self._failed(f"answered with {len(response)} bytes, which is no whole response")
        return response

    def _failed(self, what: str) -> TpmFault:
        return TpmFault("tpm.device", f"{self._path} {what}", remedy="Is it a TPM? The kernel's log says more (dmesg).")


@contextmanager
def open_tpm(
    path: Path | None = None,
    *,
    busy_seconds: float = BUSY_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[TpmDevice]:
    """Open a TPM for the block: the device at `path`, or /dev/tpm0 and, where that stays busy, /dev/tpmrm0.

    Raises TpmFault where there is none or it stays busy, LocalFault where this process may not use it.
    """
    waits = _Patience(busy_seconds, sleep)
    try:
        descriptor, used = _opened(path or DEVICE, waits), path or DEVICE
    except TpmFault as fault:
        if path is not None or fault.code != "tpm.busy" or not RESOURCE_MANAGER.exists():
            raise
        descriptor, used = _opened(RESOURCE_MANAGER, waits), RESOURCE_MANAGER
    try:
        _expect_character_device(os.fstat(descriptor).st_mode, used)  # the path may lead elsewhere by now
        yield TpmDevice(descriptor, used)
    finally:
        os.close(descriptor)


class _Patience:
    """Waits a little longer each time, until it has waited enough."""

    def __init__(self, seconds: float, sleep: Callable[[float], None]) -> None:
        self._left = seconds
        self._pause = _FIRST_PAUSE_SECONDS
        self._sleep = sleep

    def wait(self) -> bool:
        """Wait, and say so; False, at once, when it has waited enough."""
        if self._left <= 0:
            return False
        self._sleep(min(self._pause, self._left))
        self._left -= self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE_SECONDS)
        return True


def _opened(path: Path, patience: _Patience) -> int:
    """Return a descriptor of a character device. Raises TpmFault or LocalFault."""
    _expect_device(path)
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError as error:
            if error.errno != errno.EBUSY or not patience.wait():
                raise _unopened(path, error) from error
        else:
            return descriptor


def _expect_device(path: Path) -> None:
    """Look before opening, which does something to some files."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise _unopened(path, error) from error
    _expect_character_device(mode, path)


def _expect_character_device(mode: int, path: Path) -> None:
    """Refuse a named pipe, which would wait for ever, and a file, which would be written to."""
    if not stat.S_ISCHR(mode):
        raise LocalFault(
            "tpm.not-a-device",
            f"expected a character device at {path}, found something else",
            remedy="Name the TPM's device, such as /dev/tpm0.",
        )


def _unopened(path: Path, error: OSError) -> TpmFault | LocalFault:
    if error.errno == errno.EBUSY:
        return TpmFault(
            "tpm.busy",
            f"{path} is in use by another program",
            remedy=f"It has one user at a time. `fuser {path}` says who it is; a TPM daemon (tpm2-abrmd) keeps it.",
        )
    if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ENXIO, errno.ENODEV}:
        return TpmFault(
            "tpm.absent",
            f"expected a TPM at {path}, found none",
            remedy="Is NitroTPM enabled for this image (`aws ec2 describe-images`: TpmSupport v2.0, BootMode uefi)? "
            "Does the instance type have it? Is the kernel's driver loaded (tpm_crb or tpm_tis)?",
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return LocalFault("tpm.permission", f"may not use {path}", remedy="Run as root.")
    return LocalFault("tpm.unopenable", f"cannot open {path}: {error.strerror}")
