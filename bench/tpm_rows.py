# SPDX-License-Identifier: Apache-2.0
"""How long the emulated NitroTPM takes: against Debian's swtpm, and against the arithmetic of an attestation.

Whatever goes through a socket is timed by the clock on the wall, for two processes have a part in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from bench.race import PeerAbsentError, Turn, cpu_time, one_core, race, wall_time
from bench.row import Deadline, Goal, Row, Unit
from bench.tpm_arithmetic import NAME, Arithmetic
from bench.tpm_boot import BOOT, EXTEND
from bench.tpm_programs import PEER, Start, Tpm, ours_tcp, ours_unix, running, swtpm_tcp, swtpm_unix
from strongroom.formats.nsm import AttestationRequest
from strongroom.formats.pcrs import PcrDigests
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.frame import encode_command
from strongroom.ids import InstanceId, Region
from strongroom.tpm.nitro import NitroTpm as Client
from strongroom.twin.attestation import Attester, attestation_document
from strongroom.twin.nitrotpm.nsm import NitroSecurityModule
from strongroom.twin.nitrotpm.tpm import NitroTpm
from strongroom.twin.pki import NitroPki, create_root

_STARTUP = encode_command(Cc.STARTUP, (), (), bytes(2))
_RESPONSE_CODE = slice(6, 10)
_NONCE = bytes(32)
_AS_FAST = Goal("peer", 2.0)
_BOOT_ENDS = Deadline("peer", 1.0)
_ATTESTED = Deadline("limit", 0.030)
_SOCKETS = "time that goes by; all processes on one core"

Turns = Callable[[Tpm], Turn]
"""Makes the turn of a TPM that waits for Startup."""


def peer_rows(rounds: int, commands: int) -> list[Row]:
    """Return the rows that swtpm has a part in: so many commands a round, and a boot. They say where there is none."""
    extend = _many(EXTEND, commands)
    boot = f"all {len(BOOT)} TPM commands of a boot, unix socket"
    return [
        _row("PCR_Extend in 4 banks, unix socket", _AS_FAST, *_against_swtpm(ours_unix, swtpm_unix, extend, rounds)),
        _row("PCR_Extend in 4 banks, TCP", _AS_FAST, *_against_swtpm(ours_tcp, swtpm_tcp, extend, rounds)),
        _row(boot, _BOOT_ENDS, *_against_swtpm(ours_unix, swtpm_unix, _boot, rounds)),
    ]


def _row(what: str, goal: Goal | Deadline, seconds: Mapping[str, Sequence[float]], remark: str) -> Row:
    unit = Unit.MICROSECONDS if goal is _AS_FAST else Unit.MILLISECONDS
    return Row(
        what=what, unit=unit, goal=goal, names={goal.against: _NAMES[goal.against]}, seconds=seconds, remark=remark
    )


_NAMES = {"peer": PEER, "limit": NAME}


def _against_swtpm(ours: Start, theirs: Start, turns: Turns, rounds: int) -> tuple[Mapping[str, Sequence[float]], str]:
    """Return the seconds and a remark; no seconds where there is no swtpm."""
    try:
        with one_core(), running(theirs, ours) as (peer, own):
            return race({"ours": turns(own), "peer": turns(peer)}, rounds), _SOCKETS
    except PeerAbsentError as absent:
        return {}, str(absent)


def _many(command: bytes, times: int) -> Turns:
    """Return what makes a turn of a started TPM: the command so many times. Raises RuntimeError where it is refused."""

    def turn(tpm: Tpm) -> Turn:
        for each in (_STARTUP, command):
            _expect_success(tpm.execute(each))
        return wall_time(lambda: tpm.execute(command), times)

    return turn


def _boot(tpm: Tpm) -> Turn:
    def turn() -> float:
        tpm.power_cycle()
        return wall_time(lambda: [tpm.execute(command) for command in BOOT])()

    return turn


def _expect_success(response: bytes) -> None:
    if any(response[_RESPONSE_CODE]):
        raise RuntimeError(f"a TPM answered {response.hex()}")


def attestation_rows(rounds: int, attestations: int) -> list[Row]:
    """Return the rows about an attestation by a client on the same machine, so many a round, none of them the first."""
    arithmetic = Arithmetic()
    inside, every = Client(_InProcess()), range(attestations)
    with one_core(), running(ours_unix) as (tpm,):
        _expect_success(tpm.execute(_STARTUP))
        outside = Client(tpm)
        seconds = race(
            {
                "inside": cpu_time(lambda _: inside.attest(nonce=_NONCE), every),
                "limit, core": cpu_time(lambda _: arithmetic.once(), every),
                "outside": wall_time(lambda: outside.attest(nonce=_NONCE), attestations),
                "limit, wall": wall_time(arithmetic.once, attestations),
            },
            rounds,
        )
    in_memory = {"ours": seconds["inside"], "limit": seconds["limit, core"]}
    on_disk = {"ours": seconds["outside"], "limit": seconds["limit, wall"]}
    return [
        _row("attest, client and TPM in one process", _ATTESTED, in_memory, "the TPM's state is in memory"),
        _row("attest, unix socket", _ATTESTED, on_disk, f"{_SOCKETS}; the TPM's state is flushed to disk four times"),
    ]


class _InProcess:
    """An emulated NitroTPM that is started, as a `TpmTransport`."""

    def __init__(self) -> None:
        pki = NitroPki(create_root(datetime.now(UTC)))
        attester = Attester(InstanceId("i-0123456789abcdef0"), Region("eu-west-1"))

        def sign(request: AttestationRequest, pcrs: PcrDigests) -> bytes:
            return attestation_document(pki, attester, request, pcrs=pcrs, at=datetime.now(UTC))

        self._tpm = NitroTpm(security_module=NitroSecurityModule(attester.module_id, sign))
        self._tpm.execute(_STARTUP)

    def transmit(self, command: bytes) -> bytes:
        """Return the response to a command."""
        return self._tpm.execute(command)
