# SPDX-License-Identifier: Apache-2.0
"""systemd in an image: which units start, and which must never (systemd.unit(5), section [Install])."""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.errors import FormatError
from strongroom.imaging.audit.systemd.unit_file import settings

FOLDER = "/etc/systemd/system"
PACKAGED = "/usr/lib/systemd/system"
MASK = "/dev/null"
MASKED = (
    *("getty@.service", "serial-getty@.service", "container-getty@.service", "console-getty.service"),
    *("getty.target", "autovt@.service", "debug-shell.service", "ctrl-alt-del.target"),
    *("emergency.service", "emergency.target", "rescue.service", "rescue.target"),
    *("systemd-firstboot.service", "systemd-sysext.service", "systemd-confext.service", "systemd-pstore.service"),
    *("systemd-hibernate.service", "systemd-hybrid-sleep.service", "systemd-suspend.service", "hibernate.target"),
    *("apt-daily.timer", "apt-daily-upgrade.timer", "apt-daily.service", "apt-daily-upgrade.service"),
    *("dpkg-db-backup.timer", "fstrim.timer", "e2scrub_all.timer", "systemd-homed.service"),
    *("systemd-veritysetup@root.service", "proc-sys-fs-binfmt_misc.automount", "systemd-binfmt.service"),
    *("sys-kernel-debug.mount", "sys-kernel-tracing.mount", "dev-hugepages.mount", "dev-mqueue.mount"),
    *(
        "systemd-hwdb-update.service",
        "systemd-update-done.service",
        "ldconfig.service",
        "systemd-ask-password-wall.path",
    ),
    *("systemd-ask-password-console.path", "systemd-boot-update.service", "systemd-machine-id-commit.service"),
)
"""Log-in prompts, shells for emergencies, what takes over files from outside, what writes to disk, and what a root that
cannot change has no use for. The root is opened before systemd starts, so systemd must not try to."""
ENABLED = (
    ("multi-user.target.wants", "systemd-networkd.service"),
    ("sockets.target.wants", "systemd-networkd.socket"),
    ("network-online.target.wants", "systemd-networkd-wait-online.service"),
)
DEFAULT = f"{PACKAGED}/multi-user.target"


_SERIAL = "serial-getty@.service"
AUTOLOGIN = (
    f"{FOLDER}/serial-getty@ttyS0.service.d/autologin.conf",
    b"[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root --keep-baud 115200 - $TERM\n",
)
"""A debug image's way in: whoever reaches its serial console is root, without a password."""


def system_links(*, debug: bool) -> Iterator[tuple[str, str]]:
    """Yield path and target of each link that every image has; a debug image has a prompt on its serial console."""
    for unit in MASKED:
        if not (debug and unit in {_SERIAL, "getty.target"}):
            yield f"{FOLDER}/{unit}", MASK
    if debug:
        yield f"{FOLDER}/getty.target.wants/serial-getty@ttyS0.service", f"{PACKAGED}/{_SERIAL}"
    for folder, unit in ENABLED:
        yield f"{FOLDER}/{folder}/{unit}", f"{PACKAGED}/{unit}"
    yield f"{FOLDER}/default.target", DEFAULT


def enabling_links(name: str, path: str, text: str) -> Iterator[tuple[str, str]]:
    """Yield path and target of the links that `systemctl enable` would make for a unit, whose file is at `path`.

    Raises FormatError for a unit that says nowhere what wants it.
    """
    links = []
    for each in settings(path, enumerate(text.splitlines(), 1)):
        if each.section == "Install" and each.key in _LINKS:
            links += [_LINKS[each.key].format(word, name) for word in each.value.split()]
    if not links:
        raise FormatError(
            "image.unit-install",
            f"expected WantedBy=, RequiredBy= or Alias= in the section [Install] of {name}, found none",
            remedy="Say what starts it, or enable = false for a unit that another one starts.",
        )
    for link in links:
        yield f"{FOLDER}/{link}", path


_LINKS = {"WantedBy": "{}.wants/{}", "RequiredBy": "{}.requires/{}", "Alias": "{}"}
