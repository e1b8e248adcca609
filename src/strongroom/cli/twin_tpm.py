# SPDX-License-Identifier: Apache-2.0
"""`strongroom twin tpm`: the emulated NitroTPM by itself, for QEMU, tpm2-tools and programs that open a TPM device."""

from __future__ import annotations

import contextlib
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console

from strongroom.cli.output import emit, error_console, json_option
from strongroom.cli.paths import PATH
from strongroom.cli.region_option import parse_region
from strongroom.errors import LocalFault, UsageError
from strongroom.formats.tpm.algorithms import HASH_NAMES, Alg
from strongroom.ids import Region
from strongroom.twin.clock import SystemClock
from strongroom.twin.machine import DEFAULT_REGION
from strongroom.twin.nitrotpm.board import Board
from strongroom.twin.nitrotpm.commands.startup import STARTUP_CLEAR
from strongroom.twin.nitrotpm.profile import Profile
from strongroom.twin.nitrotpm.transports.server import TpmServer
from strongroom.twin.tpm_folder import TpmFolder, open_folder, run_tpm

_BANKS = {name: algorithm for algorithm, name in HASH_NAMES.items()}
_HOW = {
    "ctrl": "QEMU:        -chardev socket,id=c,path={} -tpmdev emulator,id=t,chardev=c -device tpm-crb,tpmdev=t",
    "swtpm": "tpm2-tools:  export TPM2TOOLS_TCTI=swtpm:host=127.0.0.1,port={}",
    "device": "programs:    export TPM_DEVICE={}",
}


@click.command("tpm")
@click.option(
    "--swtpm", "port", type=click.IntRange(0, 65534), help="TCP port for tcti-swtpm; control is one above. 0: any."
)
@click.option("--ctrl", "control", type=PATH, help="Make a unix socket for QEMU's emulator backend.")
@click.option("--device", type=PATH, help="Make a terminal that programs open like /dev/tpm0.")
@click.option("--state", "folder", type=PATH, help="Folder that the TPM lives in. Default: a new TPM, gone at the end.")
@click.option("--banks", default=",".join(_BANKS), show_default=True, help="Active PCR banks, separated by commas.")
@click.option("--region", help=f"Region of a new instance; kept in --state. Default: {DEFAULT_REGION}.")
@click.option(
    "--start", is_flag=True, help="Send Startup at once, as firmware would: for tpm2-tools without a machine."
)
@json_option
def command(
    *,
    port: int | None,
    control: Path | None,
    device: Path | None,
    folder: Path | None,
    banks: str,
    region: str | None,
    start: bool,
    as_json: bool,
) -> None:
    """Run the emulated NitroTPM until it is interrupted.

    It is a TPM 2.0 with AWS's vendor command. Its attestation documents are signed under a root of its own, which
    production commands refuse unless --root names it. At least one of --swtpm, --ctrl and --device says how it is
    reached; all stay on this machine.

    \b
    Example:  strongroom twin tpm --ctrl tpm.sock --state tpm/
              strongroom twin tpm --device ./tpm0 --start
              strongroom twin tpm --swtpm 2321 --start
    """
    if port is None and control is None and device is None:
        raise UsageError(
            "twin.tpm-unreachable",
            "expected at least one way to reach the TPM, found none",
            remedy="Add --ctrl SOCKET for QEMU, --swtpm PORT for tpm2-tools, or --device PATH.",
        )
    ended = _on_termination()
    profile, where = Profile(banks=_parse_banks(banks)), parse_region(region) if region is not None else None
    with _home(folder, where) as home, run_tpm(home, profile=profile, clock=SystemClock(), on_unkept=_warn) as tpm:
        board = Board(tpm)
        if start:
            board.execute(STARTUP_CLEAR)
        with TpmServer(board) as server:
            listening = _listen(server, port=port, control=control, device=device)
            result = {
                "instance_id": home.instance_id,
                "region": home.region,
                "root": str(home.root_path.absolute()),
                **listening,
            }
            emit(result, as_json=as_json, human=lambda out: _print(out, home, listening))
            sys.stdout.flush()
            ended.wait()


def _listen(server: TpmServer, *, port: int | None, control: Path | None, device: Path | None) -> dict[str, object]:
    listening: dict[str, object] = {}
    if port is not None:
        listening["swtpm"] = server.listen_tcp(port)
    if control is not None:
        server.listen_control(control)
        listening["ctrl"] = str(control.absolute())
    if device is not None:
        server.listen_device(device)
        listening["device"] = str(device.absolute())
    return listening


@contextlib.contextmanager
def _home(folder: Path | None, region: Region | None) -> Iterator[TpmFolder]:
    with contextlib.ExitStack() as stack:
        made = folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="strongroom-tpm-")))
        home = open_folder(made, region=region or DEFAULT_REGION, clock=SystemClock())
        if region not in (None, home.region):
            raise UsageError(
                "twin.tpm-region",
                f"expected the region {home.region}, where the instance in {made} is, found --region {region}",
                remedy="Leave --region out, or name another folder for a TPM in another region.",
            )
        yield home


def _parse_banks(text: str) -> tuple[Alg, ...]:
    names = [name.strip() for name in text.lower().split(",")]
    if not set(names) <= set(_BANKS) or len(set(names)) != len(names):
        raise UsageError(
            "twin.tpm-banks",
            f"expected some of {', '.join(_BANKS)}, each once, found {text!r}",
            remedy="Separate them by commas, without spaces: --banks sha256,sha384.",
        )
    return tuple(_BANKS[name] for name in names)


def _print(out: Console, home: TpmFolder, listening: dict[str, object]) -> None:
    lines = [
        f"NitroTPM of {home.instance_id} in {home.region}",
        f"verify:      strongroom verify DOCUMENT --root {home.root_path.absolute()} ...",
    ]
    for way, text in _HOW.items():
        if way in listening:
            lines.append(text.format(listening[way]))
    out.print("\n".join([*lines, "Ctrl-C ends it."]), markup=False)


def _warn(fault: LocalFault) -> None:
    """Say where nobody else would why commands fail: to their senders it is TPM_RC_NV_UNAVAILABLE."""
    error_console().print(f"WARNING {fault.code}: {fault}. The TPM refuses commands until it can be.", markup=False)


def _on_termination() -> threading.Event:
    """Return what SIGTERM sets: it ends the TPM well, where Ctrl-C interrupts it as any command."""
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    return ended
