# SPDX-License-Identifier: Apache-2.0
"""Rules on what carries memory and messages out of the machine: each finds what is planted."""

import pytest
from tests.audit_images import LINE, MASK, UNITS, service, subject, unit
from tests.unit.imaging.audit.plants import assert_found, faults, plant

JOURNALD = "/etc/systemd/journald.conf.d/a.conf"
LOUD = unit(Service="ExecStart=/usr/bin/app|StandardOutput=journal+console")
SYSRQ = "/etc/sysctl.d/50-strongroom.conf"
DUMPS = "/usr/lib/sysctl.d/50-coredump.conf"
TO_SYSTEMD = {DUMPS: "kernel.core_pattern=|/lib/systemd/systemd-coredump %P %u %g %s %t %c %h\n"}


@pytest.mark.attack("B11")
@pytest.mark.attack("B12")
@pytest.mark.attack("B13")
@pytest.mark.attack("K17")
@pytest.mark.attack("L8")
@pytest.mark.parametrize(
    "planted",
    [
        plant("audit.crash-kernel", "memory kept", line=f"{LINE} crashkernel=256M"),
        plant("audit.kdump", "enabled", service("kdump-tools.service"), path=f"{UNITS}/kdump-tools.service"),
        plant("audit.sysrq-dumps", "everything", {SYSRQ: "kernel.sysrq = 1\n"}, path=SYSRQ),
        plant("audit.sysrq-dumps", "dumps among others", {SYSRQ: "kernel.sysrq=0x1f8\n"}, path=SYSRQ),
        plant("audit.sysrq-dumps", "always", line=f"{LINE} sysrq_always_enabled"),
        plant(
            "audit.sysrq-dumps",
            "a later file",
            {"/usr/lib/sysctl.d/90-x.conf": "kernel/sysrq=8\n"},
            path="/usr/lib/sysctl.d/90-x.conf",
        ),
        plant("audit.sysrq-dumps", "the old file", {"/etc/sysctl.conf": "kernel.sysrq=9\n"}, path="/etc/sysctl.conf"),
        plant(
            "audit.sysrq-dumps", "the kernel's own", {SYSRQ: None}, kernel={"CONFIG_MAGIC_SYSRQ_DEFAULT_ENABLE": "0x1"}
        ),
        plant("audit.sysrq", "Debian's default", {SYSRQ: None}),
        plant("audit.sysrq", "on the command line", {SYSRQ: None}, line=f"{LINE} sysctl.kernel.sysrq=176"),
        plant("audit.core-dumps", "to systemd", TO_SYSTEMD, path=DUMPS),
        plant("audit.core-dumps", "to a file", {DUMPS: "kernel.core_pattern=/var/core.%p\n"}, path=DUMPS),
        plant("audit.swap", "fstab", {"/etc/fstab": "/dev/sdb1 none swap sw 0 0\n"}, path="/etc/fstab"),
        plant("audit.swap", "a file", {"/etc/fstab": "/swapfile swap swap defaults 0 0\n"}, path="/etc/fstab"),
        plant("audit.swap", "on the command line", line=f"{LINE} systemd.swap-extra=/dev/sdb"),
        plant(
            "audit.swap",
            "a unit",
            {
                f"{UNITS}/dev-sdb.swap": unit(Swap="What=/dev/sdb"),
                f"{UNITS}/swap.target.wants/dev-sdb.swap": "-> ../dev-sdb.swap",
            },
            path=f"{UNITS}/dev-sdb.swap",
        ),
        plant(
            "audit.swap",
            "a key that stays",
            {
                "/etc/fstab": "/dev/mapper/s none swap\n",
                "/etc/crypttab": "s /dev/sdb /etc/swap.key swap\n",
            },
            path="/etc/fstab",
        ),
        plant("audit.log-on-console", "the journal", {JOURNALD: unit(Journal="ForwardToConsole=yes")}, path=JOURNALD),
        plant("audit.log-on-console", "asked for", line=f"{LINE} systemd.journald.forward_to_console=1"),
        plant("audit.log-on-console", "of systemd", line=f"{LINE} systemd.log_target=console"),
        plant("audit.output-on-console", "a service", service("app.service", LOUD), path=f"{UNITS}/app.service"),
    ],
)
def test_memory_and_messages_that_leave_the_machine_are_found(planted):
    assert_found(planted)


def test_output_to_the_journal_stays_inside():
    quiet = unit(Service="ExecStart=/usr/bin/app|StandardOutput=journal|StandardError=null")
    files = {**service("app.service", quiet), JOURNALD: unit(Journal="ForwardToConsole=no|Storage=volatile")}
    audited = subject(files, line=f"{LINE} systemd.log_target=journal")
    assert not faults("audit.output-on-console", audited)
    assert not faults("audit.log-on-console", audited)


def test_the_agent_writes_its_receipt_on_the_console():
    assert not faults("audit.output-on-console", subject(service("strongroom-receipt.service", LOUD)))


def test_swap_may_be_in_memory_or_under_a_key_of_its_boot():
    private = "/dev/zram0 none swap\n/dev/mapper/s none swap\n"
    keyed = {"/etc/fstab": private, "/etc/crypttab": "# swap\ns /dev/sdb /dev/urandom swap\n"}
    assert not faults("audit.swap", subject(keyed))


def test_a_masked_kdump_saves_nothing():
    masked = {**service("kdump.service"), "/etc/systemd/system/kdump.service": MASK}
    assert not faults("audit.kdump", subject(masked))


@pytest.mark.parametrize(
    "files",
    [
        {DUMPS: "kernel.core_pattern=|/bin/false\n"},
        {**TO_SYSTEMD, "/etc/systemd/coredump.conf": "[Coredump]\nStorage=none\n"},
        {**TO_SYSTEMD, "/etc/sysctl.d/50-coredump.conf": MASK},
    ],
)
def test_core_dumps_that_go_nowhere_are_no_leak(files):
    assert not faults("audit.core-dumps", subject(files))


@pytest.mark.parametrize("off", ["CONFIG_MAGIC_SYSRQ", "CONFIG_MAGIC_SYSRQ_SERIAL"])
def test_a_kernel_without_sysrq_on_the_serial_line_needs_no_setting(off):
    audited = subject({SYSRQ: "kernel.sysrq = 1\n"}, kernel={off: "n"})
    assert not faults("audit.sysrq-dumps", audited)


def test_what_is_no_number_leaves_sysrq_as_it_was():
    assert faults("audit.sysrq-dumps", subject({SYSRQ: "kernel.sysrq = off\n"}))


def test_an_unknown_kernel_is_not_guessed_about():
    audited = subject({SYSRQ: None}, kernel_config=None)
    assert not faults("audit.sysrq", audited)
    assert not faults("audit.sysrq-dumps", audited)
