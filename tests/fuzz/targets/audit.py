# SPDX-License-Identifier: Apache-2.0
"""The rules of the audit, on files that hold anything.

An input is the command line, then the contents of the files below in their order, with zero bytes between them. What
begins with `-> ` is a link.
"""

import stat

from tests.audit_images import ENABLED, LINK, SYSTEM, UNITS, Contents, Entry, tree, unit
from tests.fuzz.target import Target

from strongroom.formats.partition import Profile
from strongroom.imaging.audit.engine import apply_rules
from strongroom.imaging.audit.subject import Subject

PATHS = (
    *(f"{UNITS}/app.service", f"{ENABLED}/app.service", f"{UNITS}/app.service.d/a.conf", f"{UNITS}/default.target"),
    *("/etc/udev/rules.d/a.rules", "/etc/pam.d/login", "/etc/passwd", "/etc/shadow", "/etc/fstab", "/etc/crypttab"),
    *("/etc/sysctl.d/a.conf", "/etc/environment", "/srv/.env", "/opt/a.txt", "/usr/lib/python3/a.pth", "/init"),
    *("/etc/modprobe.d/a.conf", "/etc/sudoers", "/etc/inittab", "/var/lib/dpkg/status", "/root/.aws/credentials"),
    *("/usr/lib/systemd/system-preset/a.preset", "/etc/machine-id", "/etc/ld.so.preload", "/etc/ssl/certs/a.pem"),
)
GOOD: dict[str, str] = {
    f"{UNITS}/app.service": unit(
        Unit="Wants=a@b.service", Service="ExecStart=/tmp/x|Environment=PATH=:/x A_TOKEN=abcde"
    ),
    f"{ENABLED}/app.service": f"{LINK}{UNITS}/app.service",
    f"{UNITS}/app.service.d/a.conf": unit(Service="StandardOutput=tty|EnvironmentFile=-/srv/.env"),
    f"{UNITS}/default.target": f"{LINK}multi-user.target",
    "/etc/udev/rules.d/a.rules": 'A=="b", \\\n RUN+="/bin/sh -c \'mount $env{ID_FS_LABEL}\'"\n'
    'A=="c", ENV{SYSTEMD_WANTS}="a.service"\n',
    "/etc/pam.d/login": "auth [success=1 default=ignore] pam_unix.so\n@include login\nauth sufficient pam_permit.so\n",
    "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "/etc/shadow": "root::1:2:3\n",
    "/etc/fstab": "UUID=1 /var ext4 rw 0 0\n/dev/sdb none swap sw\n",
    "/etc/crypttab": "a /dev/sdb /etc/machine-id luks\n",
    "/etc/sysctl.d/a.conf": "kernel.sysrq = 1\nkernel/core_pattern=core\n",
    "/etc/environment": "LD_PRELOAD=/tmp/x\n",
    "/srv/.env": "export API_KEY='abcdef'\n",
    "/opt/a.txt": "169.254.169.254/latest/user-data\n-----BEGIN EC PRIVATE KEY-----\nA: b\n\n" + "MIIB" * 9 + "\n",
    "/usr/lib/python3/a.pth": "import os\n/tmp/x\n",
    "/init": "#!/bin/sh\nveritysetup --panic-on-corruption || exec sh\n",
    "/etc/modprobe.d/a.conf": "install efivarfs /bin/false\n",
    "/etc/sudoers": "a ALL=(ALL) NOPASSWD: ALL\n",
    "/etc/inittab": "ttyS0::respawn:-/bin/sh\n",
    "/var/lib/dpkg/status": "Package: openssh-server\nStatus: install ok installed\n\n",
    "/root/.aws/credentials": "aws_secret_access_key=a\n",
    "/usr/lib/systemd/system-preset/a.preset": "enable a*\n",
    "/etc/machine-id": "uninitialized\n",
    "/etc/ld.so.preload": "/usr/x.so\n",
    "/etc/ssl/certs/a.pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
}
LINE = (
    "console=ttyS0 systemd.volatile=overlay roothash="
    + "ab" * 32
    + " rd.break lockdown=1 systemd.mount-extra=/a:/b:c:d"
)

_KEPT = ("default.target", "multi-user.target", "emergency.service", "getty@.service", "systemd/systemd", "-generator")
SMALL = {path: held for path, held in SYSTEM.items() if path.endswith(_KEPT)}
"""Enough of a system for units to start; the more of it, the fewer inputs are tried in a second."""


def read(data: bytes) -> None:
    line, *contents = data.split(b"\0")
    given: dict[str, Contents] = {
        path: held.decode() if held.startswith(LINK.encode()) and held.isascii() else Entry(held, mode=0o755)
        for path, held in zip(PATHS, contents, strict=False)
    }
    audited = tree({**SMALL, **given})
    config = {"CONFIG_MAGIC_SYSRQ": "y", "CONFIG_MAGIC_SYSRQ_DEFAULT_ENABLE": line[:9].decode("utf-8", "replace")}
    found = apply_rules(
        Subject(
            Profile.PRODUCTION,
            tree=audited,
            initrd=tree(given),
            command_line=line.decode("utf-8", "replace"),
            kernel_config=config,
        )
    )
    assert all(each.fault.message.startswith("expected ") for each in found.found)
    assert stat.S_ISREG(audited.nodes["/usr/lib/systemd/systemd"].mode)


def written(line: str, files: dict[str, str]) -> bytes:
    return b"\0".join([line.encode(), *(files.get(path, "").encode() for path in PATHS)])


def seeds() -> list[bytes]:
    return [written(LINE, GOOD), written("quiet", {}), written(LINE, dict.fromkeys(PATHS, f"{LINK}/etc/passwd"))]


def worst() -> list[bytes]:
    """Long words, many short lines, and names that lead to themselves."""
    long, many = "A" * 60_000, "a=b\n" * 15_000
    keys = "-----BEGIN PRIVATE KEY-----\nA: b\n" * 1_900
    chained = unit(Unit="Wants=" + " ".join(f"app@{number}.service" for number in range(4_000)))
    return [
        *(written("x", {path: text}) for path in ("/srv/.env", "/opt/a.txt", "/init") for text in (long, many, keys)),
        written("x", {f"{UNITS}/app.service": chained, f"{ENABLED}/app.service": f"{LINK}{UNITS}/app.service"}),
        written(" ".join(f"systemd.wants=a{number}.service" for number in range(2_000)), {}),
        written("x", {"/etc/pam.d/login": "@include login\n" * 4_000}),
        written("x", {"/etc/pam.d/login": "@include login\n" * 2}),
    ]


TARGETS = (Target("audit.rules", read, seeds, max_bytes=8_192, worst=worst),)
