# SPDX-License-Identifier: Apache-2.0
"""What every image has to keep others out, whoever assembles it: files, masked units and kernel arguments."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

NETWORK = b"""# Every interface by DHCP, and nothing else: no name servers or routes but the VPC's.
[Match]
Type=ether

[Network]
DHCP=yes
LLMNR=no
MulticastDNS=no
"""
SYSCTL = b"""# The account's owner may send keys and interrupts; nothing answers them (docs/threat-model.md, B9, B12).
kernel.sysrq = 0
kernel.kexec_load_disabled = 1
kernel.core_pattern = |/bin/false
fs.suid_dumpable = 0
"""
MODULES = b"""# Crash dumps do not go to UEFI variables, which the account's owner reads.
install efi_pstore /bin/false
"""
FILES: Mapping[str, bytes] = MappingProxyType(
    {
        "/etc/systemd/network/80-dhcp.network": NETWORK,
        "/etc/sysctl.d/80-attestable.conf": SYSCTL,
        "/etc/modprobe.d/80-attestable.conf": MODULES,
    }
)
"""By path; each of root's, mode 0644."""
