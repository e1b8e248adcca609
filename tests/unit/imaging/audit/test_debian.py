# SPDX-License-Identifier: Apache-2.0
"""Debian's minimal system: what the rules say of it is true, and they say nothing once it is put right."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from tests.audit_images import KERNEL, LINE, LINK, UNITS, service, subject, tree, unit

from strongroom.imaging.audit.engine import apply_rules
from strongroom.imaging.audit.systemd.reach import reach_of
from strongroom.imaging.audit.systemd.units import Units
from strongroom.imaging.host_report.fact import Topic
from strongroom.imaging.host_report.report import host_report
from strongroom.imaging.tree.archives import tar_tree
from strongroom.imaging.tree.tree import Tree

pytestmark = pytest.mark.slow
PACKAGES = "python3-minimal,libpython3.11-stdlib,systemd-sysv,udev,dbus,iproute2"
SOURCES = (Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list"))
SECONDS = 540
TRUE_OF_DEBIAN = {
    "audit.no-trust": "it is no image of ours",
    "audit.updates-itself": "apt-daily.timer is enabled",
    "audit.prompt": "getty@tty1.service is enabled, and every account is locked",
    "audit.sysrq": "the kernel's default leaves SysRq to do what dumps nothing",
}
"""What is found in the tree as it is, under a command line in which all is well, and why that is so."""
PUT_RIGHT = {
    "/etc/systemd/system/getty.target": f"{LINK}/dev/null",
    "/etc/systemd/system/apt-daily.timer": f"{LINK}/dev/null",
    "/etc/systemd/system/apt-daily-upgrade.timer": f"{LINK}/dev/null",
    "/etc/sysctl.d/50-strongroom.conf": "kernel.sysrq = 0\n",
}
SPOILT = {
    "audit.remote-shell": service("ssh.service"),
    "audit.log-in": {
        "/etc/shadow": "root:$y$j9T$a$b:1::::::\n",
        "/etc/systemd/system/getty.target": unit(Unit="Description=x"),
    },
    "audit.debug-shell": {
        "/etc/systemd/system/sysinit.target.wants/debug-shell.service": f"{LINK}{UNITS}/debug-shell.service"
    },
    "audit.pam": {"/etc/pam.d/common-auth": "auth sufficient pam_permit.so\n"},
    "audit.start-up-code": {"/etc/python3.11/sitecustomize.py": "import os\n"},
}


MASKED = {
    "/etc/systemd/system/dbus.socket": f"{LINK}/dev/null",
    "/etc/systemd/system/rc-local.service": "",
    "/etc/systemd/system/getty@tty2.service": f"{LINK}/dev/null",
    "/etc/systemd/system/own.service": f"{LINK}/usr/lib/systemd/system/fstrim.service",
    "/etc/systemd/system/own@.service": f"{LINK}/usr/lib/systemd/system/getty@.service",
}

BOOTED = {
    "service": "dbus getty@tty1 serial-getty@ttyS0 systemd-journal-flush systemd-journald systemd-logind "
    "systemd-modules-load systemd-random-seed systemd-remount-fs systemd-sysctl systemd-tmpfiles-setup-dev "
    "systemd-tmpfiles-setup systemd-udev-trigger systemd-udevd systemd-update-utmp systemd-user-sessions",
    "socket": "dbus systemd-initctl systemd-journald-audit systemd-journald-dev-log systemd-journald "
    "systemd-udevd-control systemd-udevd-kernel",
    "target": "basic cryptsetup getty graphical integritysetup local-fs multi-user paths remote-fs slices sockets swap "
    "sysinit timers veritysetup",
    "timer": "apt-daily-upgrade apt-daily dpkg-db-backup e2scrub_all fstrim systemd-tmpfiles-clean",
    "path": "systemd-ask-password-console systemd-ask-password-wall",
    "mount": "dev-hugepages dev-mqueue sys-kernel-debug sys-kernel-tracing",
}
"""What was active in such a system eight seconds after it had booted under QEMU, with console=ttyS0 and a root hash."""


@pytest.fixture(scope="module")
def debian(tmp_path_factory) -> Tree:
    sources = next((str(path) for path in SOURCES if path.is_file()), None)
    assert sources, "the sources of this machine's packages"
    archive = tmp_path_factory.mktemp("debian") / "root.tar"
    program = shutil.which("mmdebstrap")
    assert program, "mmdebstrap: `make setup` installs it"
    command = [program, "--mode=fakechroot", "--variant=minbase", f"--include={PACKAGES}", "bookworm", archive, sources]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 0, done.stderr[-2000:]
    return tar_tree(memoryview(archive.read_bytes()))


def over(below: Tree, files) -> Tree:
    """A tree with these files over it."""
    added = tree(files)
    nodes = {**below.nodes, **{path: node for path, node in added.nodes.items() if path in files}}
    return Tree(nodes.values(), lambda node: (added if node.path in files else below).view(node.path))


def found(audited: Tree):
    findings = apply_rules(replace(subject(line=LINE, kernel=KERNEL), tree=audited, trust=None)).found
    return {each.rule.code: f"{each.fault.path}: {each.fault.message}" for each in findings}


def test_what_is_found_in_debian_is_true_of_it(debian):
    assert set(found(debian)) == set(TRUE_OF_DEBIAN), found(debian)


def test_nothing_else_is_found_once_that_is_put_right(debian):
    assert set(found(over(debian, PUT_RIGHT))) == {"audit.no-trust"}


@pytest.mark.parametrize("code", SPOILT)
def test_what_is_planted_in_debian_is_found(debian, code):
    assert code in found(over(debian, {**PUT_RIGHT, **SPOILT[code]}))


def test_everything_that_a_boot_started_was_foreseen(debian):
    foreseen = {each.name for each in reach_of(debian, (("console", "ttyS0"), ("roothash", "ab"))).all_running()}
    assert {f"{name}.{kind}" for kind, names in BOOTED.items() for name in names.split()} <= foreseen
    assert "debug-shell.service" not in foreseen


def test_systemctl_finds_the_same_masks_and_aliases(debian, tmp_path):
    audited = over(debian, MASKED)
    for node in audited.nodes.values():
        if "/systemd/" in node.path and (node.is_file or node.is_link):
            path = tmp_path / node.path.removeprefix("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(node.target) if node.is_link else path.write_bytes(audited.view(node.path))
    (tmp_path / "lib").symlink_to("usr/lib")
    states = states_of(tmp_path)
    assert len(states) > 150
    units = Units(audited)
    assert {name for name in states if units.load(name).masked} == {n for n, s in states.items() if s == "masked"}
    aliases = {name for name in states if units.load(name).name != name and not units.load(name).masked}
    assert aliases == {name for name, state in states.items() if state == "alias"}


def states_of(root: Path) -> dict[str, str]:
    """What systemctl says of each unit file below a folder."""
    program = shutil.which("systemctl")
    assert program, "systemctl: `make setup` installs it"
    command = [program, f"--root={root}", "list-unit-files", "--no-legend", "--no-pager", "--plain"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS)
    return dict(line.split()[:2] for line in done.stdout.splitlines())


def test_the_host_report_of_debian_says_what_is_true_of_it(debian):
    report = host_report(replace(subject(line=LINE, kernel=KERNEL), tree=debian, trust=None))
    said = {topic: [fact.text for fact in report.about(topic)] for topic in Topic}
    assert any(text.startswith("apt-daily.service runs /usr/lib/apt/apt.") for text in said[Topic.PROGRAMS])
    assert any("apt fetches packages from http" in text and "timer" in text for text in said[Topic.ENDPOINTS])
    assert not any("listens" in text for text in said[Topic.LISTENERS]), "it has no server"
    assert any(text.startswith("root (uid 0) has the shell") for text in said[Topic.USERS])
    assert sum("runs as user 0" in text for text in said[Topic.USERS]) > 3
    assert not said[Topic.METADATA]
    assert any("the power button shuts it down" in text for text in said[Topic.STOPPING])
