# SPDX-License-Identifier: Apache-2.0
"""The two scripts of a description: one that kiwi runs inside the root, one that it runs when the disk is complete."""

from __future__ import annotations

import shlex
from importlib import resources

from strongroom.imaging.kiwi.plan import MASKED_UNITS, KiwiPlan

_HEAD = """#!/bin/bash
# Written by `strongroom image kiwi`. kiwi runs it as root inside the image's tree, when packages and files are in it
# (KIWI NG documentation, "User-Defined Scripts"). Whatever fails here fails the build.
set -euo pipefail
"""
_NOBODY_LOGS_IN = ("# nobody logs in", "usermod --lock --shell /usr/sbin/nologin root")
_NOTHING_IS_LEFT = (
    "# no sources of packages, no caches, no logs, no identity of the machine that built it",
    "rm -rf /etc/yum.repos.d /var/cache/dnf /var/lib/dnf /var/log /root/.bash_history",
    "install --directory --mode=0755 /var/log",
    ": > /etc/machine-id",
)


def config_script(plan: KiwiPlan) -> bytes:
    """Return `config.sh`. Equal plans give equal bytes."""
    blocks = (_users(plan), _units(plan), _identity(plan), _agent(plan), _NOBODY_LOGS_IN, _NOTHING_IS_LEFT)
    return (_HEAD + "".join("\n" + "\n".join(block) + "\n" for block in blocks if block)).encode()


def _users(plan: KiwiPlan) -> tuple[str, ...]:
    owners = (shlex.join(("chown", "--no-dereference", owner, path)) for path, owner in plan.owners)
    return ("# users of the specification, and what belongs to them", "systemd-sysusers", *owners)


def _units(plan: KiwiPlan) -> tuple[str, ...]:
    enabled = (shlex.join(("systemctl", "enable", *plan.enabled_units)),) if plan.enabled_units else ()
    masked = shlex.join(("systemctl", "mask", *MASKED_UNITS))
    return ("# what starts, and what never does", *enabled, masked, "systemctl set-default multi-user.target")


def _identity(plan: KiwiPlan) -> tuple[str, ...]:
    words = (f"VARIANT_ID={plan.variant}", f"IMAGE_ID={plan.name}")
    appended = (f"echo {shlex.quote(word)} >> /usr/lib/os-release" for word in words)
    return ("# which image it is, and of what kind; the unified kernel image carries a copy", *appended)


def _agent(plan: KiwiPlan) -> tuple[str, ...]:
    if not plan.compile_agent:
        return ()
    return ("# byte code of the agent: same sources, same bytes", shlex.join(plan.compile_agent))


def edit_script() -> bytes:
    """Return the script that leaves the unified kernel image alone on the ESP, and measures it."""
    return resources.files("strongroom").joinpath("data", "kiwi", "edit_boot_install.sh").read_bytes()
