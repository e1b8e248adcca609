# SPDX-License-Identifier: Apache-2.0
"""What is to be booted, as it goes from one process to the twin's: JSON between processes of one user."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from strongroom.formats import strict_json
from strongroom.formats.efi_variables import MAX_STORE_BYTES, EfiVariables, encode_aws_variables, parse_aws_variables
from strongroom.formats.tree import Node
from strongroom.ids import AccountId
from strongroom.twin.qemu.hardware import (
    LEAST_MEMORY_MIB,
    MEMORY_MIB,
    MOST_MEMORY_MIB,
    NO_VARIABLES,
    Forward,
    Hardware,
)

MAX_USER_DATA_BYTES = 16 * 1024
"""EC2 User Guide, "Run commands when you launch an EC2 instance with user data input"."""
MAX_ORDER_BYTES = 4 << 20
_MAX_PORT = 65_535
_SPEC = "docs/twin.md, a boot in a running twin"
_MEMBERS = ("disk", "account", "role", "user_data", "variables", "memory_mib", "forwards")


@dataclass(frozen=True, slots=True)
class BootOrder:
    """A disk of this machine, and whose instance it becomes. Empty user data are none."""

    disk: Path
    account: AccountId
    role: str
    user_data: bytes | None = None
    variables: EfiVariables = NO_VARIABLES
    memory_mib: int = MEMORY_MIB
    forwards: tuple[Forward, ...] = ()

    @property
    def hardware(self) -> Hardware:
        """The machine that it takes."""
        return Hardware(self.disk, self.variables, memory_mib=self.memory_mib, forwards=self.forwards)


def encode_order(order: BootOrder) -> bytes:
    """Return an order as JSON."""
    members = {
        "disk": str(order.disk.absolute()),
        "account": order.account,
        "role": order.role,
        "user_data": base64.b64encode(order.user_data).decode() if order.user_data else None,
        "variables": base64.b64encode(encode_aws_variables(order.variables)).decode(),
        "memory_mib": order.memory_mib,
        "forwards": [[each.host, each.guest] for each in order.forwards],
    }
    return json.dumps(members).encode()


def parse_order(data: bytes) -> BootOrder:
    """Return an order. Raises FormatError."""
    members = strict_json.parse(data, maximum_bytes=MAX_ORDER_BYTES, spec=_SPEC).record(_MEMBERS)
    user_data = members["user_data"]
    return BootOrder(
        disk=Path(members["disk"].string(minimum=1)),
        account=members["account"].account(),
        role=members["role"].string(minimum=1),
        user_data=None if user_data.value is None else user_data.base64(maximum_bytes=MAX_USER_DATA_BYTES),
        variables=parse_aws_variables(members["variables"].base64(maximum_bytes=MAX_STORE_BYTES)),
        memory_mib=members["memory_mib"].integer(LEAST_MEMORY_MIB, MOST_MEMORY_MIB),
        forwards=tuple(map(_forward, members["forwards"].items())),
    )


def _forward(node: Node) -> Forward:
    host, guest = node.items(minimum=2, maximum=2)
    return Forward(host.integer(0, _MAX_PORT), guest.integer(1, _MAX_PORT))
