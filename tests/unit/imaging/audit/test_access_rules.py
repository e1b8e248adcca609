# SPDX-License-Identifier: Apache-2.0
"""Rules on who gets in: servers, agents, prompts, shells, accounts. Each finds what is planted."""

import pytest
from tests.audit_images import ENABLED, LINE, LINK, MASK, UNITS, program, service, subject, unit, without
from tests.unit.imaging.audit.plants import assert_found, faults, plant

SHADOW, PASSWD = "/etc/shadow", "/etc/passwd"
STATUS = "/var/lib/dpkg/status"
GETTY = {"/etc/systemd/system/getty.target.wants/getty@tty1.service": f"{LINK}{UNITS}/getty@.service"}
ROOT_HASH = "root:$y$j9T$abc$def:19675::::::\n"
INSTALLED = (
    "Package: openssh-server\nStatus: install ok installed\nVersion: 1\n\nPackage: x\nStatus: install ok installed\n"
)
EIC = {"/etc/ssh/sshd_config": "# a\nAuthorizedKeysCommand /opt/aws/bin/eic_run_authorized_keys %u %f\n"}


def failing(text):
    return {f"{UNITS}/emergency.service": unit(Service=text)}


@pytest.mark.attack("A24")
@pytest.mark.attack("B13")
@pytest.mark.attack("B14")
@pytest.mark.attack("B15")
@pytest.mark.attack("B18")
@pytest.mark.parametrize(
    "planted",
    [
        plant("audit.remote-shell", "ssh", service("ssh.service"), path=f"{UNITS}/ssh.service"),
        plant(
            "audit.remote-shell",
            "its socket",
            {
                f"{UNITS}/sshd.socket": unit(Socket="Accept=yes"),
                f"{UNITS}/sshd@.service": unit(Service="ExecStart=-/x"),
                f"{UNITS}/sockets.target.wants/sshd.socket": f"{LINK}../sshd.socket",
            },
            path=f"{UNITS}/sshd.socket",
        ),
        plant("audit.remote-shell", "dropbear", service("dropbear.service"), path=f"{UNITS}/dropbear.service"),
        plant(
            "audit.remote-shell",
            "a start script",
            {"/etc/rc2.d/S01ssh": f"{LINK}../init.d/ssh"},
            path="/etc/rc2.d/S01ssh",
        ),
        plant(
            "audit.ssm-agent", "enabled", service("amazon-ssm-agent.service"), path=f"{UNITS}/amazon-ssm-agent.service"
        ),
        plant(
            "audit.instance-connect",
            "enabled",
            service("ec2-instance-connect.service"),
            path=f"{UNITS}/ec2-instance-connect.service",
        ),
        plant(
            "audit.instance-connect", "through sshd", {**service("sshd.service"), **EIC}, path="/etc/ssh/sshd_config"
        ),
        plant("audit.cloud-init", "enabled", service("cloud-init.service"), path=f"{UNITS}/cloud-init.service"),
        plant(
            "audit.cloud-init",
            "by its generator",
            {
                "/usr/lib/systemd/system-generators/cloud-init-generator": program(),
                f"{UNITS}/cloud-init.target": unit(Unit="Description=x"),
            },
            path=f"{UNITS}/cloud-init.target",
        ),
        plant("audit.outside-orders", "a cluster", service("kubelet.service"), path=f"{UNITS}/kubelet.service"),
        plant(
            "audit.outside-orders",
            "the hypervisor",
            service("qemu-guest-agent.service"),
            path=f"{UNITS}/qemu-guest-agent.service",
        ),
        plant("audit.access-program", "a package", {STATUS: INSTALLED}, path=STATUS),
        plant("audit.access-program", "a file", {"/usr/sbin/sshd": program()}, path="/usr/sbin/sshd"),
        plant(
            "audit.access-program",
            "masked",
            {
                **service("ssh.service"),
                "/etc/systemd/system/ssh.service": MASK,
                "/usr/sbin/sshd": program(),
            },
            path="/usr/sbin/sshd",
        ),
        plant(
            "audit.access-program",
            "rpm",
            {
                "/usr/lib/sysimage/rpm/rpmdb.sqlite": b"SQLite\0x amazon-ssm-agent-3.3.1-1.amzn2023.src.rpm\0",
            },
            path="/usr/lib/sysimage/rpm/rpmdb.sqlite",
        ),
        plant(
            "audit.updates-itself",
            "apt",
            {
                f"{UNITS}/apt-daily.timer": unit(Timer="OnCalendar=daily"),
                "/etc/systemd/system/timers.target.wants/apt-daily.timer": f"{LINK}{UNITS}/apt-daily.timer",
            },
            path=f"{UNITS}/apt-daily.timer",
        ),
        plant(
            "audit.log-leaves",
            "gateway",
            {
                f"{UNITS}/systemd-journal-gatewayd.socket": unit(Socket="ListenStream=19531"),
                f"{UNITS}/sockets.target.wants/systemd-journal-gatewayd.socket": f"{LINK}../x.socket",
            },
            path=f"{UNITS}/systemd-journal-gatewayd.socket",
        ),
    ],
)
def test_programs_that_let_somebody_in_are_found(planted):
    assert_found(planted)


@pytest.mark.parametrize(
    "files",
    [
        {f"{UNITS}/ssh.service": unit(Install="WantedBy=multi-user.target")},
        {**service("ssh.service"), "/etc/systemd/system/ssh.service": MASK},
        {**service("ssh.service"), "/etc/systemd/system/ssh.service": ""},
        {**service("ssh.service"), f"{ENABLED}/ssh.service": MASK},
        {**service("ssh.service"), f"{UNITS}/ssh.service": unit(Unit="ConditionPathExists=!/etc/os-release")},
        {"/etc/rc2.d/S01ssh": f"{LINK}../init.d/ssh", "/etc/systemd/system/ssh.service": MASK},
        {
            f"{UNITS}/rescue.target.wants/ssh.service": f"{LINK}../ssh.service",
            f"{UNITS}/ssh.service": unit(Service="ExecStart=/x"),
        },
    ],
)
def test_what_is_there_and_does_not_start_is_no_way_in(files):
    assert not faults("audit.remote-shell", subject(files))


def test_a_removed_package_is_not_there():
    assert not faults(
        "audit.access-program",
        subject({STATUS: INSTALLED.replace("install ok installed", "deinstall ok config-files", 1)}),
    )


def test_a_package_whose_name_begins_alike_is_another():
    database = {"/var/lib/rpm/rpmdb.sqlite": b"\0openssh-server-tests-9.0-1.src.rpm\0 my-ecs-init-1.0-1.src.rpm\0"}
    assert not faults("audit.access-program", subject(database))


def test_what_starts_says_what_leads_to_it():
    (found,) = faults("audit.remote-shell", subject(service("ssh.service")))
    assert found.message == "expected OpenSSH's server not to start, found multi-user.target, ssh.service"


@pytest.mark.attack("B1")
@pytest.mark.attack("B2")
@pytest.mark.attack("B13")
@pytest.mark.parametrize(
    "planted",
    [
        plant("audit.log-in", "a password", {**GETTY, SHADOW: ROOT_HASH}, path=f"{UNITS}/getty@.service"),
        plant("audit.log-in", "none needed", {**GETTY, SHADOW: "root::1::::::\n"}, path=f"{UNITS}/getty@.service"),
        plant(
            "audit.log-in",
            "by itself",
            {
                **GETTY,
                "/etc/systemd/system/getty@tty1.service.d/a.conf": unit(
                    Service="ExecStart=|ExecStart=-/sbin/agetty --autologin root - $TERM"
                ),
            },
            path=f"{UNITS}/getty@.service",
        ),
        plant(
            "audit.log-in",
            "on the serial line",
            {SHADOW: ROOT_HASH},
            line=without("systemd.getty_auto"),
            path=f"{UNITS}/serial-getty@.service",
        ),
        plant(
            "audit.log-in",
            "inittab",
            {
                "/sbin/init": f"{LINK}/bin/busybox",
                "/bin/busybox": program(),
                "/etc/inittab": "# a\nttyS0::respawn:-/bin/sh\n",
            },
            path="/etc/inittab",
        ),
        plant("audit.prompt", "on the screen", GETTY, path=f"{UNITS}/getty@.service"),
        plant(
            "audit.prompt",
            "on the serial line",
            line=without("systemd.getty_auto"),
            path=f"{UNITS}/serial-getty@.service",
        ),
        plant(
            "audit.prompt",
            "under another name",
            service("shell-on-line.service", unit(Service="ExecStart=/sbin/getty ttyS0")),
            path=f"{UNITS}/shell-on-line.service",
        ),
        plant(
            "audit.debug-shell",
            "enabled",
            {f"{UNITS}/sysinit.target.wants/debug-shell.service": f"{LINK}../debug-shell.service"},
            path=f"{UNITS}/debug-shell.service",
        ),
        plant(
            "audit.debug-shell",
            "asked for",
            line=f"{LINE} systemd.debug_shell=ttyS0",
            path=f"{UNITS}/debug-shell.service",
        ),
        plant(
            "audit.debug-shell",
            "another name",
            service("x.service", unit(Service="ExecStart=/bin/sh|StandardInput=tty-force|TTYPath=/dev/ttyS0")),
            path=f"{UNITS}/x.service",
        ),
        plant("audit.shell-on-request", "debug", line=f"{LINE} systemd.debug_shell"),
        plant("audit.shell-on-request", "dracut", line=f"{LINE} rd.break=pre-mount"),
        plant("audit.shell-on-request", "rescue", line=f"{LINE} systemd.unit=rescue.target"),
        plant("audit.shell-on-request", "as init", line=f"{LINE} init=/bin/sh"),
        plant("audit.shell-on-request", "an old word", line=f"{LINE} single"),
        plant(
            "audit.crash-shell",
            "a drop-in",
            {"/etc/systemd/system.conf.d/a.conf": unit(Manager="CrashShell=yes")},
            path="/etc/systemd/system.conf.d/a.conf",
        ),
        plant(
            "audit.emergency-shell",
            "forced",
            {
                "/etc/systemd/system/emergency.service.d/a.conf": unit(Service="Environment=SYSTEMD_SULOGIN_FORCE=1"),
            },
            path=f"{UNITS}/emergency.service",
        ),
        plant(
            "audit.emergency-shell",
            "forced from outside",
            line=f"{LINE} systemd.setenv=SYSTEMD_SULOGIN_FORCE=1",
            path=f"{UNITS}/emergency.service",
        ),
        plant(
            "audit.emergency-shell",
            "forced by the kernel's words",
            line=f"{LINE} SYSTEMD_SULOGIN_FORCE=1",
            path=f"{UNITS}/emergency.service",
        ),
        plant("audit.emergency-shell", "a shell", failing("ExecStart=/bin/sh"), path=f"{UNITS}/emergency.service"),
        plant("audit.emergency-shell", "no password", {SHADOW: "root::1::::::\n"}, path=f"{UNITS}/emergency.service"),
        plant("audit.emergency-shell", "a password", {SHADOW: ROOT_HASH}, path=f"{UNITS}/emergency.service"),
        plant(
            "audit.first-boot",
            "no id",
            {"/etc/machine-id": None},
            line=f"{LINE} systemd.volatile=overlay",
            path=f"{UNITS}/systemd-firstboot.service",
        ),
        plant(
            "audit.first-boot",
            "uninitialized",
            {"/etc/machine-id": "uninitialized\n"},
            line=f"{LINE} systemd.volatile=overlay",
            path=f"{UNITS}/systemd-firstboot.service",
        ),
    ],
)
def test_prompts_and_shells_are_found(planted):
    assert_found(planted)


@pytest.mark.parametrize(
    ("code", "files", "line"),
    [
        ("audit.prompt", {**GETTY, "/etc/systemd/system/getty@.service": MASK}, LINE),
        ("audit.prompt", {**GETTY, "/etc/systemd/system/getty@tty1.service": MASK}, LINE),
        ("audit.prompt", {**GETTY, "/etc/systemd/system/getty.target": MASK}, LINE),
        ("audit.prompt", GETTY, f"{LINE} systemd.mask=getty.target"),
        (
            "audit.prompt",
            {"/etc/systemd/system-generators/systemd-getty-generator": MASK},
            without("systemd.getty_auto"),
        ),
        ("audit.prompt", {"/etc/inittab": "ttyS0::respawn:/bin/sh\n"}, LINE),
        ("audit.log-in", {SHADOW: ROOT_HASH}, LINE),
        ("audit.log-in", GETTY, LINE),
        ("audit.emergency-shell", {SHADOW: ROOT_HASH, "/etc/systemd/system/emergency.service": MASK}, LINE),
        ("audit.first-boot", {"/etc/machine-id": None}, LINE),
        ("audit.first-boot", {"/etc/machine-id": None}, f"{LINE} systemd.volatile=overlay systemd.firstboot=no"),
        ("audit.shell-on-request", {}, f"{LINE} rd.shell=0 systemd.debug_shell=0 debug init=/lib/systemd/systemd"),
    ],
)
def test_shut_prompts_and_shells_are_none(code, files, line):
    assert not faults(code, subject(files, line=line))


@pytest.mark.attack("B13")
@pytest.mark.attack("B14")
@pytest.mark.parametrize(
    "planted",
    [
        plant("audit.empty-password", "in shadow", {SHADOW: "root:*:1::::::\napp::1::::::\n"}, path=SHADOW),
        plant("audit.empty-password", "in passwd", {PASSWD: "root::0:0:root:/root:/bin/bash\n"}, path=PASSWD),
        plant("audit.password", "in shadow", {SHADOW: ROOT_HASH}, path=SHADOW),
        plant(
            "audit.second-root",
            "another name",
            {PASSWD: "root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\n"},
            path=PASSWD,
        ),
        plant(
            "audit.login-key",
            "root's",
            {"/root/.ssh/authorized_keys": "ssh-ed25519 AAAA\n"},
            path="/root/.ssh/authorized_keys",
        ),
        plant(
            "audit.sudo",
            "nobody asked",
            {"/etc/sudoers.d/app": "app ALL=(ALL) NOPASSWD: ALL\n"},
            path="/etc/sudoers.d/app",
        ),
        plant(
            "audit.pam",
            "sufficient",
            {"/etc/pam.d/sshd": "auth sufficient pam_permit.so\n@include common-auth\n"},
            path="/etc/pam.d/sshd",
        ),
        plant("audit.pam", "alone", {"/etc/pam.d/x": "auth required pam_permit.so\n"}, path="/etc/pam.d/x"),
        plant(
            "audit.pam",
            "the refusal taken out",
            {
                "/etc/pam.d/common-auth": "auth [success=1 default=ignore] pam_unix.so\nauth required pam_permit.so\n",
            },
            path="/etc/pam.d/common-auth",
            count=3,
        ),
        plant(
            "audit.pam",
            "optional and alone",
            {"/etc/pam.d/x": "auth optional pam_unix.so\nauth optional pam_permit.so\n"},
            path="/etc/pam.d/x",
        ),
        plant(
            "audit.pam",
            "jumped over",
            {"/etc/pam.d/x": "auth [default=1] pam_unix.so\nauth requisite pam_deny.so\nauth required pam_permit.so\n"},
            path="/etc/pam.d/x",
        ),
    ],
)
def test_accounts_that_let_somebody_in_are_found(planted):
    assert_found(planted)


def test_lines_that_are_no_accounts_are_passed_over():
    assert not faults(
        "audit.empty-password",
        subject({PASSWD: "root\n+::\n\nroot:x:0:0:root:/root:/bin/sh\n", SHADOW: "root\nroot:*\n"}),
    )


def test_a_prompt_that_somebody_passes_is_told_once():
    audited = subject({**GETTY, SHADOW: ROOT_HASH})
    assert faults("audit.log-in", audited)
    assert not faults("audit.prompt", audited)


def test_a_program_that_starts_is_told_once():
    files = {**service("ssh.service"), "/usr/sbin/sshd": program()}
    assert faults("audit.remote-shell", subject(files))
    assert not faults("audit.access-program", subject(files))


@pytest.mark.parametrize(
    "stack",
    [
        "auth required pam_unix.so\nauth required pam_permit.so\n",
        "auth required pam_deny.so\nauth sufficient pam_permit.so\n",
        "account required pam_permit.so\nsession optional pam_permit.so\n",
        "auth sufficient pam_rootok.so\nauth include login\n",
        "# auth sufficient pam_permit.so\n",
        "auth required pam_permit.so \\\nauth\n auth requisite pam_deny.so\n",
        "auth required pam_permit.so\nauth [default=reset] pam_unix.so\n",
        "auth include gone\nauth required pam_unix.so\nauth required pam_permit.so\n",
        "auth unknown pam_unix.so\nauth required pam_permit.so\n",
        "auth [success=done default=die] pam_unix.so\nauth required pam_permit.so\n",
    ],
)
def test_stacks_that_ask_somebody_are_no_way_in(stack):
    assert not faults("audit.pam", subject({"/etc/pam.d/x": stack}))


def test_a_stack_that_includes_itself_ends():
    assert not faults("audit.pam", subject({"/etc/pam.d/x": "auth include x\n"}))


@pytest.mark.attack("B13")
@pytest.mark.attack("B14")
@pytest.mark.parametrize(
    "planted",
    [
        plant("audit.initrd-shell", "dracut", line=without("rd.shell"), initrd={"/usr/lib/dracut-lib.sh": "x"}),
        plant(
            "audit.initrd-shell", "dracut waits", line=without("rd.emergency"), initrd={"/usr/lib/dracut-lib.sh": "x"}
        ),
        plant(
            "audit.initrd-shell",
            "initramfs-tools",
            line=without("panic="),
            initrd={"/scripts/functions": "panic() {\n"},
        ),
        plant(
            "audit.initrd-shell",
            "systemd",
            initrd={
                "/init": f"{LINK}/usr/lib/systemd/systemd",
                "/usr/lib/systemd/systemd": program(),
                f"{UNITS}/initrd.target": unit(Unit="OnFailure=emergency.target"),
                f"{UNITS}/emergency.target": unit(Unit="Requires=emergency.service"),
                f"{UNITS}/emergency.service": unit(Service="ExecStart=/lib/systemd/systemd-sulogin-shell"),
                PASSWD: "root::0:0:root:/root:/bin/sh\n",
            },
            path=f"{UNITS}/emergency.service",
        ),
        plant(
            "audit.initrd-shell",
            "a script",
            initrd={"/init": program("#!/bin/sh\nmount /dev/x /root || exec /bin/sh\n")},
            path="/init",
        ),
        plant(
            "audit.initrd-shell",
            "a terminal of its own",
            initrd={"/init": program("#!/bin/sh\nsetsid cttyhack sh\n")},
            path="/init",
        ),
        plant("audit.initrd-server", "dropbear", initrd={"/usr/sbin/dropbear": program()}, path="/usr/sbin/dropbear"),
        plant("audit.initrd-unknown", "a program", initrd={"/init": program("\x7fELF")}, path="/init"),
    ],
)
def test_shells_and_servers_in_the_initrd_are_found(planted):
    assert_found(planted)


@pytest.mark.parametrize(
    "init",
    [
        "#!/bin/sh\n# exec sh\nfail() { echo no shell; reboot -f; }\n",
        "#!/bin/sh\nexec sh /scripts/next\nsh -c 'mount /x' || reboot -f\n. /lib.sh\n",
        "#!/bin/busybox sh\nexport PATH=/bin\nexec switch_root /sysroot /sbin/init\n",
    ],
)
def test_scripts_without_a_shell_for_somebody_are_none(init):
    assert not faults("audit.initrd-shell", subject(initrd={"/init": program(init)}))


def test_an_initrd_without_any_shell_opens_none():
    assert not faults(
        "audit.initrd-shell", subject(line="x", initrd={"/bin/sh": None, "/scripts/functions": "panic()"})
    )
