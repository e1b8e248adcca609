# SPDX-License-Identifier: Apache-2.0
"""`strongroom image boot`: boots an image on the twin, under QEMU, and compares what it measured."""

from __future__ import annotations

import contextlib
import functools
import math
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import click

from strongroom.cli.boot_output import emit_boot, explain_boot, print_start
from strongroom.cli.boot_subject import read_subject
from strongroom.cli.console_stream import ConsoleStream
from strongroom.cli.output import json_option
from strongroom.cli.paths import PATH
from strongroom.cli.twin_folder import folder_option, project_regions, twin_folder
from strongroom.cli.twin_parties import APP_ROLE
from strongroom.cli.twin_serve import served
from strongroom.errors import LocalFault, UsageError
from strongroom.flows.files import PRIVATE_MODE, read_file
from strongroom.ids import AccountId, Region
from strongroom.twin.addresses import Addresses
from strongroom.twin.clock import SystemClock
from strongroom.twin.home import open_home
from strongroom.twin.instances.boot_client import Look, RemoteBoot
from strongroom.twin.instances.boot_order import MAX_USER_DATA_BYTES, BootOrder
from strongroom.twin.machine import DEFAULT_REGION
from strongroom.twin.qemu.hardware import LEAST_MEMORY_MIB, MEMORY_MIB, MOST_MEMORY_MIB, Forward
from strongroom.twin.qemu.machine import Cause, Ending
from strongroom.twin.qemu.programs import expect_qemu
from strongroom.twin.running import Running, find_running

DIFFERS = 1
_ACCOUNT = "customer"
_MOST_PORT = 65_535


@dataclass(frozen=True, slots=True)
class _Machine:
    """What the machine is to be, as it stood on the command line."""

    forwards: tuple[Forward, ...]
    memory_mib: int
    uefi_data: Path | None
    user_data: bytes | None
    role: str


def _machine_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options, and its parameter `machine` what they say."""

    @click.option("--port", "ports", multiple=True, metavar="H:G", help="Forward port H of 127.0.0.1 to the guest's G.")
    @click.option("--user-data", type=PATH, help="File with the instance's user data.")
    @click.option(
        "--role", default=APP_ROLE, show_default=True, help=f"Role of the account {_ACCOUNT} that it runs under."
    )
    @click.option("--uefi-data", type=PATH, help="Its UEFI variables: UefiData of an AMI, or QEMU's OVMF_VARS.fd.")
    @click.option(
        "--memory",
        type=click.IntRange(LEAST_MEMORY_MIB, MOST_MEMORY_MIB),
        default=MEMORY_MIB,
        show_default=True,
        help="MiB.",
    )
    @functools.wraps(command)
    def with_machine(
        *,
        ports: tuple[str, ...],
        user_data: Path | None,
        role: str,
        uefi_data: Path | None,
        memory: int,
        **others: Any,  # noqa: ANN401 -- whatever else the command takes
    ) -> None:
        given = None if user_data is None else read_file(user_data, maximum_bytes=MAX_USER_DATA_BYTES)
        command(machine=_Machine(tuple(map(_forward, ports)), memory, uefi_data, given, role), **others)

    return with_machine


@click.command("boot")
@click.argument("image", type=PATH)
@_machine_options
@click.option("--timeout", type=click.FloatRange(min=1), help="Seconds after which it is switched off.")
@click.option("--console", "console_file", type=PATH, help="Write what it says to this file, too, byte for byte.")
@folder_option
@json_option
def command(
    *,
    image: Path,
    machine: _Machine,
    timeout: float | None,
    console_file: Path | None,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Boot IMAGE as an instance of the twin: a raw disk, the folder of a build, or a UKI.

    The machine has UEFI, a NitroTPM and the network of an instance: its metadata service, the twin under AWS's names,
    and nothing else. The twin is the one that runs in the folder, or one for as long as the boot takes. What the
    machine writes to its console is printed until it is off, or Ctrl-C. Then the PCRs that were measured are compared
    with those predicted: by pcr_measurements.json beside the image, or else computed. IMAGE is never written to.

    Exits with 1 where a PCR of the gate set is another than predicted.

    \b
    Example:  strongroom image boot out/ --user-data user-data.toml
              strongroom image boot disk.raw --port 8443:443 --timeout 60
    """
    expect_qemu()
    with tempfile.TemporaryDirectory(prefix="strongroom-boot-") as scratch, contextlib.ExitStack() as stack:
        subject = read_subject(image, machine.uefi_data, Path(scratch))
        hear = stack.enter_context(_heard(console_file, as_json=as_json))
        running = stack.enter_context(_twin(twin_folder(folder).absolute(), project_regions(folder)))
        order = BootOrder(
            disk=subject.disk,
            account=_account(running),
            role=machine.role,
            user_data=machine.user_data,
            variables=subject.variables,
            memory_mib=machine.memory_mib,
            forwards=machine.forwards,
        )
        boot = RemoteBoot(running.endpoint, running.token, order)
        print_start(boot, subject, machine.forwards, as_json=as_json)
        last = _listen(boot, hear, timeout)
    account = explain_boot(subject, last.pcrs)
    emit_boot(boot, subject, account, last.ending, as_json=as_json)
    click.get_current_context().exit(DIFFERS if account.differing else 0)


def _listen(boot: RemoteBoot, hear: Callable[[bytes], None], timeout: float | None) -> Look:
    """Hear the machine until it is off, which the time limit or Ctrl-C make it; return the last look at it."""
    deadline = math.inf if timeout is None else time.monotonic() + timeout
    cause = Cause.TIMED_OUT
    with contextlib.ExitStack() as undo:
        undo.callback(boot.switch_off)  # whatever happens, such as a reader of ours that has gone
        try:
            while time.monotonic() < deadline:
                look = boot.look()
                hear(look.console)
                if look.ending is not None:
                    return look
        except KeyboardInterrupt:
            cause = Cause.STOPPED
    while (look := boot.look()).ending is None:
        hear(look.console)
    hear(look.console)
    was_stopped = look.ending.cause is Cause.STOPPED
    return Look(b"", look.pcrs, Ending(cause, look.ending.seconds)) if was_stopped else look


@contextlib.contextmanager
def _twin(place: Path, regions: tuple[Region, ...]) -> Iterator[Running]:
    """Hand out the twin that runs in a folder; where none does, one for the block."""
    found = find_running(place)
    if found is not None:
        yield found
        return
    with (
        open_home(place, accounts={}, clock=SystemClock()) as home,
        served(home, regions or (DEFAULT_REGION,), Addresses(), heard=None) as running,
    ):
        yield running


@contextlib.contextmanager
def _heard(file: Path | None, *, as_json: bool) -> Iterator[Callable[[bytes], None]]:
    """Hand out what takes the machine's words: the terminal, unless JSON goes there, and the file."""
    with contextlib.ExitStack() as stack:
        copy = None if file is None else stack.enter_context(_opened(file))
        stream = ConsoleStream()
        if not as_json:
            stack.callback(stream.end)

        def hear(piece: bytes) -> None:
            if copy is not None:
                copy.write(piece)
                copy.flush()
            if not as_json:
                stream.heard(piece)

        yield hear


def _opened(path: Path) -> BinaryIO:
    try:
        file = path.open("wb")
        path.chmod(PRIVATE_MODE)
    except OSError as error:
        raise LocalFault("file.unwritable", f"cannot write {path}: {error.strerror}") from error
    return file


def _account(running: Running) -> AccountId:
    if _ACCOUNT not in running.accounts:
        raise UsageError("boot.no-account", f"expected an account {_ACCOUNT} in the twin, found none")
    return AccountId(running.accounts[_ACCOUNT])


def _forward(text: str) -> Forward:
    host, _, guest = text.partition(":")
    if not (host.isascii() and host.isdecimal() and guest.isascii() and guest.isdecimal()):
        raise _no_ports(text)
    found = Forward(int(host), int(guest))
    if not (found.host <= _MOST_PORT and 1 <= found.guest <= _MOST_PORT):
        raise _no_ports(text)
    return found


def _no_ports(text: str) -> UsageError:
    return UsageError(
        "boot.port",
        f"expected --port with two ports, as 8443:443, found {text!r}",
        remedy="The first is this machine's, 0 for any; the second the guest's.",
    )
