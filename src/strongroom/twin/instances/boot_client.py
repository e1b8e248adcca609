# SPDX-License-Identifier: Apache-2.0
"""Has a twin boot something, and listens to it: the other side of `boot_page`."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from urllib.parse import urlsplit

from strongroom.errors import FormatError, LocalFault, StrongroomError, UsageError
from strongroom.formats import strict_json
from strongroom.formats.pcrs import SHA384_BYTES, PcrDigests
from strongroom.formats.tree import Node
from strongroom.twin.instances.boot_order import BootOrder, encode_order
from strongroom.twin.instances.boot_page import MAX_PIECE_BYTES, PATH
from strongroom.twin.qemu.machine import Cause, Ending
from strongroom.twin.status_page import HEADER

ANSWER_SECONDS = 120
"""A machine is switched on within a few, unless this one is busy."""
_MAX_BYTES = 2 * MAX_PIECE_BYTES
_SPEC = "docs/twin.md, a boot in a running twin"
_FAMILIES = (UsageError, FormatError, LocalFault)
_OK = 200


@dataclass(frozen=True, slots=True)
class Look:
    """What a machine has written since the last look, the PCRs of its TPM, and how it ended, if it has."""

    console: bytes
    pcrs: PcrDigests
    ending: Ending | None


class RemoteBoot:
    """One machine in a twin, switched on. Raises what the twin refuses with, and LocalFault for one that is silent."""

    def __init__(self, endpoint: str, token: str, order: BootOrder) -> None:
        self._endpoint = urlsplit(endpoint)
        self._token = token
        self._heard_bytes = 0
        started = self._ask("POST", PATH, encode_order(order)).record(("instance_id", "emulated", "forwarded"))
        self.instance_id = started["instance_id"].instance_id()
        self.is_emulated = started["emulated"].boolean()
        self.forwarded = tuple(each.integer(1, 65_535) for each in started["forwarded"].items())

    def look(self) -> Look:
        """Return what is new, after a moment at most. Raises LocalFault."""
        node = self._ask("GET", f"{PATH}/{self.instance_id}?since={self._heard_bytes}")
        members = node.record(("start", "console", "pcrs", "ending"))
        console = members["console"]
        said = b"" if console.value is None else console.base64(maximum_bytes=MAX_PIECE_BYTES)
        self._heard_bytes = members["start"].integer(0, 1 << 53) + len(said)
        pcrs = {int(index): value.hex(size_bytes=SHA384_BYTES) for index, value in members["pcrs"].table()}
        return Look(said, PcrDigests.of(pcrs), _ending(members["ending"]))

    def switch_off(self) -> None:
        """End it; what it wrote until then is there for further looks. Raises LocalFault."""
        self._ask("DELETE", f"{PATH}/{self.instance_id}")

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Node:
        where = self._endpoint
        connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=ANSWER_SECONDS)
        try:
            connection.request(method, path, body, headers={HEADER: self._token})
            reply = connection.getresponse()
            answer = strict_json.parse(reply.read(_MAX_BYTES), maximum_bytes=_MAX_BYTES, spec=_SPEC)
        except (OSError, http.client.HTTPException, FormatError) as error:
            raise LocalFault(
                "twin.silent", f"expected the twin to answer at {where.geturl()}, found: {error}"
            ) from error
        finally:
            connection.close()
        if reply.status != _OK:
            raise _refusal(answer)
        return answer


def _refusal(answer: Node) -> StrongroomError:
    members = answer.record(("code", "message", "remedy", "exit_code"))
    exit_code = members["exit_code"].integer(1, 255)
    family = next((each for each in _FAMILIES if each.exit_code == exit_code), LocalFault)
    return family(members["code"].string(), members["message"].string(), remedy=members["remedy"].string())


def _ending(node: Node) -> Ending | None:
    if node.value is None:
        return None
    members = node.record(("cause", "milliseconds", "message"))
    seconds = members["milliseconds"].integer(0, 1 << 53) / 1000
    return Ending(members["cause"].member(Cause), seconds, members["message"].string())
