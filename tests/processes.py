# SPDX-License-Identifier: Apache-2.0
"""Programs of other people that tests run: where they are, and that none outlives its test."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator

DEBIAN = {
    "qemu-system-aarch64": "qemu-system-arm (and qemu-efi-aarch64)",
    "qemu-system-x86_64": "qemu-system-x86",
    "swtpm": "swtpm",
    "swtpm_setup": "swtpm-tools",
    "tpm2": "tpm2-tools",
    "cryptsetup": "cryptsetup-bin",
    "systemd-creds": "systemd",
    "systemd-cryptenroll": "systemd (since Debian 13: systemd-cryptsetup)",
    "sbsign": "sbsigntool",
    "sbsiglist": "sbsigntool",
}


GRACE_SECONDS = 5


def program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    assert found, f"{name} is missing: install the Debian package {_package(name)} (make setup does)"
    return found


def _package(name: str) -> str:
    return "tpm2-tools" if name.startswith("tpm2_") else DEBIAN.get(name, f"that has {name}")


@contextlib.contextmanager
def ended(process: "subprocess.Popen[bytes]") -> "Iterator[subprocess.Popen[bytes]]":
    """Hand out a process; end it when the block is left, however that happens: asked first, so that it can clean up."""
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until(condition: Callable[[], object], complaint: str, *, seconds: float = 10, pause: float = 0.02) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, complaint
        time.sleep(pause)
