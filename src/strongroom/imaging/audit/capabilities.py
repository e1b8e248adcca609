# SPDX-License-Identifier: Apache-2.0
"""The extended attribute security.capability (capabilities(7), "File capabilities"; linux/capability.h)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

_REVISION = 0xFF00_0000
_WORDS = {0x0100_0000: 1, 0x0200_0000: 2, 0x0300_0000: 2}
"""By revision, how many words of 32 bits there are of each set. Revision 3 has the id of a namespace's root behind."""
_NAMES = (
    *("chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap"),
    *("linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner"),
    *("sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice"),
    *("sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap"),
    *("mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf"),
    "checkpoint_restore",
)
"""In the order of their bits."""
DANGEROUS = frozenset(
    f"cap_{name}"
    for name in (
        *("chown", "dac_override", "dac_read_search", "fowner", "setgid", "setuid", "setpcap", "sys_module"),
        *("sys_rawio", "sys_ptrace", "sys_admin", "sys_boot", "mknod", "setfcap", "mac_override", "mac_admin"),
        *("bpf", "perfmon", "checkpoint_restore", "syslog"),
    )
)
"""Those with which a program gets the rest, or reads what others hold."""
_UNREADABLE = "cap_sys_admin"


def granted(attribute: bytes) -> Iterator[str]:
    """Yield the capabilities that a program may have, such as `cap_net_raw`; none for an empty attribute.

    One that cannot be read is taken for the most that there is.
    """
    if not attribute:
        return
    words = _WORDS.get(int.from_bytes(attribute[:4], "little") & _REVISION)
    if words is None or len(attribute) < 4 + 8 * words:
        yield _UNREADABLE
        return
    pairs = [struct.unpack_from("<II", attribute, 4 + 8 * word) for word in range(words)]
    for word, (permitted, inheritable) in enumerate(pairs):
        for bit in range(32):
            if (permitted | inheritable) >> bit & 1:
                number = 32 * word + bit
                yield f"cap_{_NAMES[number]}" if number < len(_NAMES) else f"cap_{number}"
