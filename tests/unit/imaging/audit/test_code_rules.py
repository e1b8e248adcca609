# SPDX-License-Identifier: Apache-2.0
"""Rules on code that runs unasked, and on modes and owners: each finds what is planted."""

import stat

import pytest
from tests.audit_images import LINE, LINK, MASK, UNITS, Entry, program, service, subject, unit
from tests.unit.imaging.audit.plants import assert_found, faults, plant

from strongroom.imaging.audit.capabilities import granted

SITE = "/usr/lib/python3/dist-packages"
RULES_D = "/etc/udev/rules.d/9.rules"
ON_DISK = "UUID=1 /data ext4 rw 0 0\n"
ADMIN = bytes.fromhex("0100000200002000000000000000000000000000")


def app(text):
    return service("app.service", unit(Service=text))


@pytest.mark.attack("B5")
@pytest.mark.attack("B17")
@pytest.mark.parametrize(
    "planted",
    [
        plant(
            "audit.start-up-code",
            "site",
            {"/etc/python3.11/sitecustomize.py": "import os\n"},
            path="/etc/python3.11/sitecustomize.py",
        ),
        plant("audit.start-up-code", "user", {f"{SITE}/usercustomize.py": ""}, path=f"{SITE}/usercustomize.py"),
        plant(
            "audit.start-up-code",
            "pth",
            {f"{SITE}/a.pth": "/usr/lib/a\nimport os; os.system('x')\n"},
            path=f"{SITE}/a.pth",
        ),
        plant("audit.preload", "a library", {"/etc/ld.so.preload": "# a\n/usr/lib/x.so\n"}, path="/etc/ld.so.preload"),
        plant(
            "audit.environment-hook",
            "all",
            {"/etc/environment": 'LD_PRELOAD="/usr/lib/x.so"\n'},
            path="/etc/environment",
        ),
        plant(
            "audit.environment-hook",
            "systemd",
            {"/etc/systemd/system.conf": unit(Manager="DefaultEnvironment=PYTHONPATH=/usr/x")},
            path="/etc/systemd/system.conf",
        ),
        plant(
            "audit.environment-hook",
            "shells",
            {"/etc/profile.d/a.sh": "export BASH_ENV=/usr/x\n"},
            path="/etc/profile.d/a.sh",
        ),
        plant("audit.environment-hook", "the kernel's words", line=f"{LINE} PYTHONSTARTUP=/usr/x.py"),
        plant("audit.environment-hook", "systemd.setenv", line=f"{LINE} systemd.setenv=SSLKEYLOGFILE=/run/keys"),
        plant(
            "audit.hook-elsewhere", "PATH", {"/etc/environment": "PATH=/usr/bin:/tmp/bin\n"}, path="/etc/environment"
        ),
        plant(
            "audit.hook-elsewhere", "an empty part", {"/etc/profile": 'PATH="/usr/bin:$PATH:"\n'}, path="/etc/profile"
        ),
        plant(
            "audit.hook-elsewhere",
            "a service",
            app("ExecStart=/usr/bin/app|Environment=LD_LIBRARY_PATH=/var/tmp/lib"),
            path=f"{UNITS}/app.service",
        ),
        plant(
            "audit.hook-elsewhere",
            "its file",
            {**app("ExecStart=/x|EnvironmentFile=-/etc/default/app"), "/etc/default/app": "PYTHONPATH=/mnt/a\n"},
            path="/etc/default/app",
        ),
        plant(
            "audit.hook-elsewhere",
            "on a disk",
            {**app("ExecStart=/x|Environment=PYTHONPATH=/data/lib"), "/etc/fstab": ON_DISK},
            path=f"{UNITS}/app.service",
        ),
        plant(
            "audit.hook-elsewhere",
            "the linker",
            {"/etc/ld.so.conf.d/a.conf": "/tmp/lib\n"},
            path="/etc/ld.so.conf.d/a.conf",
        ),
        plant("audit.hook-elsewhere", "modules", {f"{SITE}/a.pth": "/var/tmp/lib\n"}, path=f"{SITE}/a.pth"),
        plant(
            "audit.hook-elsewhere",
            "for everybody",
            {
                "/etc/environment": "PATH=/usr/bin:/usr/open\n",
                "/usr/open": Entry(mode=0o777, kind=stat.S_IFDIR),
            },
            path="/etc/environment",
        ),
        plant("audit.runs-elsewhere", "a folder for all", app("ExecStart=-/tmp/app --x"), path=f"{UNITS}/app.service"),
        plant(
            "audit.runs-elsewhere",
            "on a disk",
            {**app("ExecStartPre=/data/app|ExecStart=/usr/bin/app"), "/etc/fstab": ON_DISK},
            path=f"{UNITS}/app.service",
        ),
    ],
)
def test_code_that_runs_unasked_is_found(planted):
    assert_found(planted)


@pytest.mark.parametrize(
    "files",
    [
        app("ExecStart=/usr/bin/app|Environment=ENV=production PYTHONPATH=. LD_PRELOAD=libjemalloc.so.2"),
        app("ExecStart=/usr/bin/app|Environment=PATH=/usr/bin:%h/bin"),
        app("ExecStart=app|EnvironmentFile=-/run/app/env"),
        {"/etc/environment": "PATH=/usr/local/sbin:/usr/bin:/snap/bin\nENV=production\n"},
        {**app("ExecStart=/tmp/app"), "/etc/systemd/system/app.service": MASK},
        {"/etc/profile.d/a.sh": "PATH=\nPATH=$PATH:/usr/games\n"},
    ],
)
def test_what_stays_inside_the_image_is_no_hook(files):
    assert not faults("audit.hook-elsewhere", subject(files))
    assert not faults("audit.runs-elsewhere", subject(files))


@pytest.mark.attack("B14")
@pytest.mark.attack("B17")
@pytest.mark.parametrize(
    "planted",
    [
        plant("audit.setuid-anything", "a shell", {"/usr/bin/bash": Entry(mode=0o4755)}, path="/usr/bin/bash"),
        plant(
            "audit.setuid-anything",
            "an interpreter",
            {"/usr/bin/python3.11": Entry(mode=0o6755)},
            path="/usr/bin/python3.11",
        ),
        plant(
            "audit.setuid-anything", "for everybody to write", {"/usr/bin/su": Entry(mode=0o4777)}, path="/usr/bin/su"
        ),
        plant("audit.setuid", "unknown", {"/opt/app/helper": Entry(mode=0o4755)}, path="/opt/app/helper"),
        plant("audit.setuid", "a known name elsewhere", {"/home/app/su": Entry(mode=0o4755)}, path="/home/app/su"),
        plant(
            "audit.capabilities", "the most", {"/usr/bin/x": Entry(mode=0o755, capabilities=ADMIN)}, path="/usr/bin/x"
        ),
        plant(
            "audit.capabilities", "unreadable", {"/usr/bin/x": Entry(mode=0o755, capabilities=b"?")}, path="/usr/bin/x"
        ),
        plant("audit.world-writable", "a file", {"/etc/app.conf": Entry(mode=0o666)}, path="/etc/app.conf"),
        plant("audit.world-writable", "a folder", {"/srv/up": Entry(mode=0o777, kind=stat.S_IFDIR)}, path="/srv/up"),
        plant("audit.foreign-owner", "a program", {"/usr/bin/app": Entry(mode=0o755, uid=900)}, path="/usr/bin/app"),
        plant(
            "audit.foreign-owner",
            "a unit",
            {"/etc/systemd/system/a.service": Entry(uid=900)},
            path="/etc/systemd/system/a.service",
        ),
    ],
)
def test_modes_and_owners_that_surprise_are_found(planted):
    assert_found(planted)


@pytest.mark.parametrize(
    ("attribute", "names"),
    [
        (b"", []),
        (bytes.fromhex("0100000200200000000000000000000000000000"), ["cap_net_raw"]),
        (bytes.fromhex("0000000201000000800000000100000000000000"), ["cap_chown", "cap_setuid", "cap_mac_override"]),
        (bytes.fromhex("000000030000000000000000000000010000000000000000"), ["cap_56"]),
        (bytes.fromhex("000000010000200000000000"), ["cap_sys_admin"]),
        (bytes.fromhex("0000000200002000"), ["cap_sys_admin"]),
        (bytes.fromhex("000000090000200000000000"), ["cap_sys_admin"]),
    ],
)
def test_capabilities_are_read_from_the_attribute(attribute, names):
    assert list(granted(attribute)) == names


@pytest.mark.attack("B5")
@pytest.mark.attack("B14")
@pytest.mark.attack("B15")
@pytest.mark.attack("B17")
@pytest.mark.parametrize(
    "planted",
    [
        plant(
            "audit.mounts-what-is-attached",
            "mount",
            {RULES_D: 'ACTION=="add", RUN+="/bin/mount /dev/%k /mnt"\n'},
            path=RULES_D,
        ),
        plant(
            "audit.mounts-what-is-attached",
            "in a shell",
            {RULES_D: "RUN+=\"/bin/sh -c 'mount $devnode /mnt'\"\n"},
            path=RULES_D,
        ),
        plant(
            "audit.udev-shell",
            "a label",
            {RULES_D: 'A=="x", \\\n  RUN{program}+="/bin/sh -c \'logger $env{ID_FS_LABEL}\'"\n'},
            path=RULES_D,
        ),
        plant(
            "audit.generator",
            "unknown",
            {"/etc/systemd/system-generators/own": program()},
            path="/etc/systemd/system-generators/own",
        ),
        plant(
            "audit.user-data",
            "a script",
            {"/usr/bin/boot": program("#!/bin/sh\ncurl http://169.254.169.254/latest/user-data | sh\n")},
            path="/usr/bin/boot",
        ),
        plant(
            "audit.metadata",
            "a library",
            {"/usr/lib/app/utils.py": "URL = 'http://169.254.169.254/'\n"},
            path="/usr/lib/app/utils.py",
        ),
    ],
)
def test_what_else_starts_or_asks_is_found(planted):
    assert_found(planted)


@pytest.mark.parametrize(
    ("code", "files"),
    [
        ("audit.mounts-what-is-attached", {RULES_D: '# RUN+="/bin/mount /dev/%k /mnt"\n'}),
        ("audit.mounts-what-is-attached", {"/usr/lib/udev/rules.d/9.rules": 'RUN+="/bin/mount x"\n', RULES_D: MASK}),
        ("audit.udev-shell", {RULES_D: 'PROGRAM=="/bin/sh -c \'echo $$x\'", RUN+="/bin/logger $env{ID_FS_LABEL}"\n'}),
        ("audit.generator", {"/etc/systemd/system-generators/own": Entry("x", mode=0o644)}),
        (
            "audit.generator",
            {
                "/usr/lib/systemd/system-generators/own": program(),
                "/etc/systemd/system-generators/own": f"{LINK}/dev/null",
            },
        ),
        ("audit.metadata", {"/usr/lib/app/service-2.json": '{"documentation": "http://169.254.169.254/"}'}),
        ("audit.metadata", {"/usr/bin/agent": b"\x7fELF\0http://169.254.169.254/"}),
    ],
)
def test_what_does_not_start_is_left_alone(code, files):
    assert not faults(code, subject(files))
