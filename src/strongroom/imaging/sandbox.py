# SPDX-License-Identifier: Apache-2.0
"""Run a program on hostile bytes where it can do no harm (ATTACKS B19).

bubblewrap gives it namespaces of its own: no network, no other processes, nothing of this machine's files but /usr,
read-only, one input, read-only, and one scratch folder. Time, memory, the size of a file and what the scratch folder
takes of the disk are bounded. What it leaves in the scratch folder is as hostile as what it read.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from strongroom.errors import FormatError, LocalFault

PACKAGES: Mapping[str, str] = MappingProxyType(
    {
        "bwrap": "bubblewrap",
        "fakeroot": "fakeroot",
        "fsck.erofs": "erofs-utils",
        "lz4": "lz4",
        "prlimit": "util-linux",
        "qemu-system-x86_64": "qemu-system-x86",
        "unsquashfs": "squashfs-tools",
        "zstd": "zstd",
    }
)
"""By program, the Debian package that has it."""
INPUT, SCRATCH = "/input", "/scratch"
"""Where a program finds its input and its scratch folder."""
_ENVIRONMENT = {
    "PATH": "/usr/bin:/usr/sbin",
    "LC_ALL": "C.UTF-8",
    "TMPDIR": SCRATCH,
    "FAKEROOTDONTTRYCHOWN": "1",  # an owner that the namespace does not have is EINVAL, which fakeroot passes on
}
_LOG_BYTES = 4_096
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a program may take."""

    seconds: float = 120.0
    memory_bytes: int = 2 << 30
    """Of address space, for each process."""
    disk_bytes: int = 32 << 30
    """Of the file system with the scratch folder, in total; half of it for a single file. Never more than half of what
    is free there."""


def run_in_sandbox(
    command: Sequence[str], *, source: Path, scratch: Path, limits: Limits | None = None, as_root: bool = False
) -> None:
    """Run a command with `source` at INPUT and `scratch` at SCRATCH, which is also where it starts.

    `as_root` lets it seem to be root (fakeroot), as programs that restore owners and devices want. Raises FormatError
    when the command fails or exceeds its limits, which is what broken and hostile inputs make it do; LocalFault where a
    program is missing.
    """
    allowed = limits or Limits()
    free = shutil.disk_usage(scratch).free
    log = scratch.with_name(f"{scratch.name}.log")
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 -- programs of this machine, arguments of ours
            [*_limited(allowed), *_walls(source, scratch), *_fake_root(as_root=as_root), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=_ENVIRONMENT,
        )
        try:
            excess = _watch(process, scratch, allowed, free)
        finally:
            process.kill()  # bubblewrap's death ends everything in it (--die-with-parent)
            process.wait()
    _expect_done(command[0], process.returncode, excess, log)


def find_program(name: str) -> str:
    """Return where a program is. Raises LocalFault with its Debian package where it is not installed."""
    found = shutil.which(name, path="/usr/bin:/usr/sbin:/bin:/sbin")
    if found is None:
        raise LocalFault(
            "sandbox.no-program",
            f"expected the program {name}, found none",
            remedy=f"Install it: apt-get install {PACKAGES[name]}",
        )
    return found


def python_in_sandbox() -> tuple[str, ...]:
    """Return the command of this Python as the sandbox has it, without packages and without a user's settings."""
    return (str(Path(sys.executable).resolve()), "-I", "-S", "-B")


def _limited(limits: Limits) -> list[str]:
    return [
        find_program("prlimit"),
        f"--as={limits.memory_bytes}",
        f"--fsize={limits.disk_bytes // 2}",
        "--core=0",
        f"--cpu={int(limits.seconds) + 1}",
        "--",
    ]


def _walls(source: Path, scratch: Path) -> list[str]:
    prefix = Path(sys.base_prefix)
    interpreter = [] if prefix.is_relative_to("/usr") else ["--ro-bind", str(prefix), str(prefix)]
    return [
        find_program("bwrap"),
        *("--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"),
        *("--ro-bind", "/usr", "/usr"),
        *("--symlink", "usr/bin", "/bin", "--symlink", "usr/sbin", "/sbin"),
        *("--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64"),
        *interpreter,
        *("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"),  # noqa: S108 -- its own
        *("--ro-bind", str(source), INPUT),
        *("--bind", str(scratch), SCRATCH),
        *("--chdir", SCRATCH, "--"),
    ]


def _fake_root(*, as_root: bool) -> list[str]:
    """Return fakeroot by the name behind Debian's alternatives, whose links lie in /etc."""
    return [str(Path(find_program("fakeroot")).resolve()), "--"] if as_root else []


def _watch(process: subprocess.Popen[bytes], scratch: Path, limits: Limits, free: int) -> str:
    """Wait for the end. Return which limit was exceeded before, or nothing."""
    deadline = time.monotonic() + limits.seconds
    while process.poll() is None:
        if time.monotonic() > deadline:
            return f"did not end within {limits.seconds:g} seconds"
        if free - shutil.disk_usage(scratch).free > min(limits.disk_bytes, free // 2):
            return f"took more than {min(limits.disk_bytes, free // 2)} bytes of disk"
        time.sleep(_POLL_SECONDS)
    return ""


def _expect_done(program: str, code: int, excess: str, log: Path) -> None:
    if excess:
        raise FormatError("sandbox.limit", f"expected {program} to stay within its limits: it {excess}")
    if code:
        said = log.read_bytes()[-_LOG_BYTES:].decode("utf-8", "replace").strip()
        if said.startswith("bwrap:"):
            raise LocalFault(
                "sandbox.no-walls",
                f"expected bubblewrap to set up namespaces, found: {said}",
                remedy="It needs user namespaces: `sysctl kernel.unprivileged_userns_clone=1`, or another machine.",
            )
        raise FormatError("sandbox.failed", f"expected {program} to read it, found exit {code}: {said or 'no message'}")
