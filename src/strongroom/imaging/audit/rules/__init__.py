# SPDX-License-Identifier: Apache-2.0
"""Every rule, in the order in which findings are shown. To add one, add it to its module's `RULES`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from strongroom.imaging.audit.rule import Rule
from strongroom.imaging.audit.rules import (
    disks,
    efi,
    hooks,
    initrd,
    kernel,
    lockdown,
    log_ins,
    logs,
    memory,
    permissions,
    prompts,
    remote,
    secrets,
    start_up,
    trusted,
    variant,
    verity,
    whole,
)

MODULES = (
    *(whole, variant, trusted, verity, lockdown, kernel, efi, initrd, disks, memory),
    *(remote, prompts, log_ins, logs, start_up, hooks, permissions, secrets),
)
"""Each with its `RULES`."""

RULES: Mapping[str, Rule] = MappingProxyType({rule.code: rule for module in MODULES for rule in module.RULES})
"""By code."""
