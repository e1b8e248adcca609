# SPDX-License-Identifier: Apache-2.0
"""A booted machine's NitroTPM behind a server, and what programs sent to it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.tpm_commands import Command, Response, u32
from tests.twin_world import small_uki

from strongroom.appraisal.endorsements import NitroRoots
from strongroom.appraisal.evidence import VerifiedEvidence, verify_evidence
from strongroom.ids import AccountId, EvidenceBytes, ImageId, InstanceId, Region
from strongroom.twin.clock import SystemClock
from strongroom.twin.firmware import Firmware, boot
from strongroom.twin.machine import Instance
from strongroom.twin.nitrotpm.board import Board
from strongroom.twin.nitrotpm.faults import Executes
from strongroom.twin.nitrotpm.tpm import NitroTpm
from strongroom.twin.nitrotpm.transports.server import TpmServer
from strongroom.twin.pki import NitroPki, create_root

INSTANCE = "i-0123456789abcdef0"
_CODE = slice(6, 10)
_HANDLES = 1
"""TPM_CAP_HANDLES; its answer has whether there are more, the capability, and a count in front of the list."""
_LIST = 9
_FIRST_HANDLES = (0x80000000, 0x81000000, 0x01000000, 0x02000000, 0x03000000)


class RecordingBoard(Board):
    """Keeps each command beside the code of its response."""

    def __init__(self, tpm) -> None:
        super().__init__(tpm)
        self.sent: list[tuple[bytes, int]] = []

    def execute(self, command: bytes) -> bytes:
        response = super().execute(command)
        self.sent.append((command, int.from_bytes(response[_CODE])))
        return response

    @property
    def commands(self) -> list[bytes]:
        return [command for command, _ in self.sent]

    def handles(self) -> list[bytes]:
        """Every handle that is in use: transient and persistent objects, NV indices, sessions."""
        return [handles for first in _FIRST_HANDLES if (handles := self._handles_from(first))]

    def _handles_from(self, first: int) -> bytes:
        command = Command("GetCapability", (), u32(_HANDLES) + u32(first) + u32(64))
        return Response(super().execute(command.content)).parameters()[_LIST:]


@dataclass
class AttestingTpm:
    """Where to reach it, and who vouches for its documents."""

    instance: Instance
    board: RecordingBoard
    port: int
    device: Path

    @property
    def tctis(self) -> dict[str, str]:
        """Where tpm2-tss finds it, by the kind of way there."""
        return {"swtpm": f"swtpm:host=127.0.0.1,port={self.port}", "device": f"device:{self.device}"}

    def verified(self, document: bytes) -> VerifiedEvidence:
        """What a document says, once it is authentic under this machine's root."""
        roots = NitroRoots.from_fingerprints(hashlib.sha256(self.instance.pki.root).digest())
        return verify_evidence(EvidenceBytes(document), roots=roots, at=self.instance.clock.now())


@contextlib.contextmanager
def attesting_tpm(folder: Path, *, fault: Callable[[NitroTpm], Executes] = lambda tpm: tpm) -> Iterator[AttestingTpm]:
    """A machine that has booted a small image; its TPM listens on TCP as swtpm does, and at `folder`/tpm0.

    `fault` may put something before the TPM.
    """
    clock = SystemClock()
    instance = Instance(
        InstanceId(INSTANCE),
        AccountId("111111111111"),
        Region("eu-west-1"),
        ImageId("ami-0123456789abcdef0"),
        "role",
        boot(small_uki(), firmware=Firmware(), instance_id=INSTANCE),
        NitroPki(create_root(clock.now())),
        clock,
    )
    board = RecordingBoard(fault(instance.tpm()))
    with TpmServer(board) as server:
        server.listen_device(folder / "tpm0")
        yield AttestingTpm(instance, board, server.listen_tcp(), folder / "tpm0")
