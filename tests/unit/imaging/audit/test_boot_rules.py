# SPDX-License-Identifier: Apache-2.0
"""Rules on the command line, the kernel, the stub and what lies beside the image: each finds what is planted."""

import pytest
from tests.audit_images import LINE, MASK, UNITS, program, subject, unit, without
from tests.disks import LINUX, VAR, Part, gpt_disk, partition
from tests.fat_volumes import make_fat
from tests.images import make_uki
from tests.unit.imaging.audit.plants import assert_found, faults, plant

from strongroom.formats.uki import parse_uki
from strongroom.imaging.audit.subject import Part as ImagePart
from strongroom.measure.disk import boot_image
from strongroom.measure.disk_layout import parse_disk

GPT_AUTO = "/usr/lib/systemd/system-generators/systemd-gpt-auto-generator"
DEBUGFS = {
    f"{UNITS}/sys-kernel-debug.mount": unit(Mount="What=debugfs|Where=/sys/kernel/debug|Type=debugfs"),
    f"{UNITS}/sysinit.target.wants/sys-kernel-debug.mount": "-> ../sys-kernel-debug.mount",
}
EFIVARFS = {"/usr/lib/modules/6.1/kernel/fs/efivarfs/efivarfs.ko": b"module"}


def disk(*others, **beside):
    raw = memoryview(
        gpt_disk(partition(make_fat({"EFI": {"BOOT": {"BOOTX64.EFI": make_uki()}}, **beside}).data), *others)
    )
    return {"disk": parse_disk(raw), "boot": boot_image(raw)}


def disk_of_large_sectors():
    esp = partition(make_fat({"EFI": {"BOOT": {"BOOTX64.EFI": make_uki()}}}).data, sector=4096)
    raw = memoryview(gpt_disk(esp, sector=4096))
    return {"disk": parse_disk(raw), "boot": boot_image(raw)}


@pytest.mark.attack("B1")
@pytest.mark.attack("B10")
@pytest.mark.parametrize(
    "planted",
    [
        plant("audit.no-verity", "no hash", line=without("roothash=") + " root=/dev/nvme0n1p2"),
        plant("audit.no-verity", "half a hash", line=without("roothash=") + " roothash=abcd"),
        plant("audit.verity-off", "for all", line=f"{LINE} systemd.verity=0"),
        plant("audit.verity-off", "in the initrd", line=f"{LINE} rd.systemd.verity=no"),
        plant("audit.verity-goes-on", "no option", line=without("systemd.verity_root")),
        plant(
            "audit.verity-goes-on",
            "the option of another volume",
            line=without("roothash=") + " usrhash=" + "ab" * 32,
        ),
        plant(
            "audit.verity-goes-on",
            "corruption is ignored",
            line=without("systemd.verity_root") + " systemd.verity_root_options=ignore-corruption,panic-on-corruption",
        ),
        plant("audit.verity-goes-on", "kiwi", line="root=overlay:UUID=a rd.kiwi.verity_options=restart-on-corruption"),
        plant("audit.kernel-without-verity", "off", kernel={"CONFIG_DM_VERITY": "n"}),
    ],
)
def test_a_root_that_nothing_checks_is_found(planted):
    assert_found(planted)


@pytest.mark.parametrize(
    "initrd",
    [
        {"/init": program("#!/bin/sh\nveritysetup open --panic-on-corruption $R root $V $H\n")},
        {"/etc/veritytab": "root /dev/a /dev/b - panic-on-corruption\n"},
    ],
)
def test_the_initrd_may_ask_for_the_panic_itself(initrd):
    assert not faults("audit.verity-goes-on", subject(line=without("systemd.verity_root"), initrd=initrd))


def test_a_comment_in_the_initrd_asks_for_nothing():
    initrd = {"/init": program("#!/bin/sh\n# veritysetup open --panic-on-corruption\n")}
    assert faults("audit.verity-goes-on", subject(line=without("systemd.verity_root"), initrd=initrd))


def test_the_option_of_another_volume_is_named():
    moved = subject(line=without("roothash=") + " usrhash=" + "ab" * 32)
    assert "only in systemd.verity_root_options" in faults("audit.verity-goes-on", moved)[0].message


@pytest.mark.parametrize(
    "word", ["usrhash=" + "ab" * 32, "storehash=" + "ab" * 32, "rd.kiwi.verity_options=panic-on-corruption"]
)
def test_other_ways_to_dm_verity_are_known(word):
    assert not faults("audit.no-verity", subject(line=f"root=/dev/x {word}"))


def test_an_image_that_is_its_initrd_needs_no_hash():
    assert not faults("audit.no-verity", subject(line="console=ttyS0", tree=None))


@pytest.mark.attack("B9")
@pytest.mark.attack("B11")
@pytest.mark.parametrize(
    "planted",
    [
        plant("audit.lockdown-value", "1", line=without("lockdown=") + " lockdown=1"),
        plant("audit.lockdown-value", "none", line=f"{LINE} lockdown=none"),
        plant("audit.lockdown-value", "no value", line=f"{LINE} lockdown"),
        plant("audit.no-lockdown", "nothing", line=without("lockdown=")),
        plant("audit.no-lockdown", "not in the kernel", kernel={"CONFIG_SECURITY_LOCKDOWN_LSM": "n"}),
        plant("audit.no-lockdown", "not among the modules", kernel={"CONFIG_LSM": '"yama,apparmor"'}),
        plant("audit.no-lockdown", "taken out", line=f"{LINE} lsm=yama"),
        plant("audit.kexec", "no lockdown", line=without("lockdown=")),
        plant("audit.kexec", "wrong value", line=without("lockdown=") + " lockdown=1"),
        plant("audit.kexec", "unknown kernel", line=without("lockdown="), kernel_config=None),
        plant(
            "audit.hibernation", "neither guard", line=without("lockdown=").replace("nohibernate ", "resume=/dev/x ")
        ),
        plant("audit.hibernation-one-guard", "lockdown alone", line=without("nohibernate")),
    ],
)
def test_what_lockdown_keeps_shut_is_found_open(planted):
    assert_found(planted)


@pytest.mark.parametrize(
    "kernel",
    [
        {"CONFIG_LOCK_DOWN_KERNEL_FORCE_INTEGRITY": "y"},
        {"CONFIG_LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY": "y", "CONFIG_SECURITY_LOCKDOWN_LSM_EARLY": "y"},
    ],
)
def test_a_kernel_may_be_locked_down_by_itself(kernel):
    for code in ("audit.no-lockdown", "audit.kexec"):
        assert not faults(code, subject(line=without("lockdown="), kernel=kernel))


def test_kexec_is_shut_by_the_kernel_or_by_a_setting():
    line = without("lockdown=")
    assert not faults("audit.kexec", subject(line=line, kernel={"CONFIG_KEXEC": "n", "CONFIG_KEXEC_FILE": "n"}))
    assert not faults("audit.kexec", subject({"/etc/sysctl.d/k.conf": "kernel/kexec_load_disabled=1\n"}, line=line))
    assert faults("audit.kexec", subject({"/etc/sysctl.d/k.conf": "kernel.kexec_load_disabled=0\n"}, line=line))


def test_a_kernel_without_hibernation_needs_no_word():
    assert not faults("audit.hibernation", subject(line="root=x", kernel={"CONFIG_HIBERNATION": "n"}))


@pytest.mark.attack("B9")
@pytest.mark.attack("B12")
@pytest.mark.attack("B13")
@pytest.mark.parametrize(
    "planted",
    [
        plant("audit.kernel-debugger", "on the serial line", line=f"{LINE} kgdboc=ttyS0,115200"),
        plant("audit.raw-memory", "all of it", line="root=x", kernel={"CONFIG_STRICT_DEVMEM": "n"}),
        plant("audit.raw-memory", "of the kernel", line="root=x", kernel={"CONFIG_DEVKMEM": "y"}),
        plant("audit.unsigned-modules", "never signed", kernel={"CONFIG_MODULE_SIG": "n"}),
        plant("audit.unsigned-modules", "not demanded", line=without("lockdown=")),
        plant("audit.debugfs", "mounted", DEBUGFS, line=without("lockdown="), path=f"{UNITS}/sys-kernel-debug.mount"),
        plant("audit.log-in-variables", "by default", line=without("efi_pstore").replace("efi=noruntime", "")),
    ],
)
def test_doors_of_the_kernel_are_found(planted):
    assert_found(planted)


@pytest.mark.parametrize("option", [{"CONFIG_EFI_VARS_PSTORE": "n"}, {"CONFIG_EFI_VARS_PSTORE_DEFAULT_DISABLE": "y"}])
def test_a_kernel_may_leave_its_log_alone(option):
    assert not faults("audit.log-in-variables", subject(line="quiet", kernel=option))


def test_a_clean_disk_has_nothing_beside_the_image():
    assert not faults("audit.beside-image", subject(**disk()))
    assert not faults("audit.may-not-boot", subject(**disk()))


def test_debugfs_is_shut_by_lockdown_a_word_or_a_mask():
    assert not faults("audit.debugfs", subject(DEBUGFS))
    assert not faults("audit.debugfs", subject(DEBUGFS, line=f"{without('lockdown=')} debugfs=off"))
    masked = {**DEBUGFS, "/etc/systemd/system/sys-kernel-debug.mount": MASK}
    assert not faults("audit.debugfs", subject(masked, line=without("lockdown=")))


def test_modules_need_no_lockdown_where_signatures_are_demanded():
    for parts in ({"line": "module.sig_enforce=1"}, {"line": "x", "kernel": {"CONFIG_MODULE_SIG_FORCE": "y"}}):
        assert not faults("audit.unsigned-modules", subject(**parts))


@pytest.mark.attack("B1")
@pytest.mark.attack("B2")
@pytest.mark.attack("B3")
@pytest.mark.attack("B4")
@pytest.mark.attack("B6")
@pytest.mark.parametrize(
    "planted",
    [
        plant("audit.unknown-stub", "too new", uki=parse_uki(make_uki(version=b"301"))),
        plant("audit.unknown-stub", "no name", uki=parse_uki(make_uki(version=None))),
        plant("audit.no-embedded-command-line", "none", uki=parse_uki(make_uki(drop=[".cmdline"]))),
        plant("audit.no-embedded-command-line", "blank", uki=parse_uki(make_uki(cmdline=b" \0"))),
        plant("audit.beside-image", "a credential", **disk(loader={"credentials": {"a.cred": b"x"}})),
        plant("audit.beside-image", "an extension", **disk(loader={"extensions": {"a.raw": b"x"}})),
        plant("audit.beside-image", "a loader", **disk(EFI={"BOOT": {"BOOTX64.EFI": make_uki(), "OTHER.EFI": b"x"}})),
        plant("audit.beside-image", "a script", **disk(**{"startup.nsh": b"x"})),
        plant("audit.systemd-options", "a module", EFIVARFS, line=without("efi=")),
        plant("audit.systemd-options", "built in", line=without("efi="), kernel={"CONFIG_EFIVAR_FS": "y"}),
        plant("audit.systemd-options", "unknown kernel", line=without("efi="), kernel_config=None),
        plant("audit.credentials", "nothing against them", line=without("systemd.import_credentials")),
        plant("audit.credentials", "the last word counts", line=f"{LINE} systemd.import_credentials=yes"),
        plant(
            "audit.extensions",
            "in the system",
            {f"{UNITS}/sysinit.target.wants/systemd-sysext.service": "-> ../systemd-sysext.service"},
            path=f"{UNITS}/systemd-sysext.service",
        ),
        plant(
            "audit.extensions",
            "in the initrd",
            initrd={
                f"{UNITS}/initrd.target": unit(Unit="Wants=systemd-confext-initrd.service"),
                f"{UNITS}/systemd-confext-initrd.service": unit(Service="ExecStart=systemd-confext refresh"),
            },
            path=f"{UNITS}/systemd-confext-initrd.service",
        ),
    ],
)
def test_what_comes_in_beside_the_image_is_found(planted):
    assert_found(planted)


@pytest.mark.parametrize(
    ("files", "line", "kernel"),
    [
        ({}, without("efi="), {"CONFIG_EFIVAR_FS": "n"}),
        ({}, without("efi="), {}),
        (EFIVARFS, f"{without('efi=')} module_blacklist=efivarfs", {}),
        (EFIVARFS, f"{without('efi=')} modprobe.blacklist=a,efivarfs", {}),
        ({**EFIVARFS, "/etc/modprobe.d/a.conf": "install efivarfs /bin/false\n"}, without("efi="), {}),
        ({**EFIVARFS, "/etc/modprobe.d/a.conf": "blacklist efivarfs\n"}, without("efi="), {}),
        ({"/usr/lib/systemd/systemd": None}, without("efi="), {"CONFIG_EFIVAR_FS": "y"}),
        (EFIVARFS, LINE, {"CONFIG_EFIVAR_FS": "y"}),
    ],
)
def test_variables_that_systemd_cannot_read_are_no_second_command_line(files, line, kernel):
    assert not faults("audit.systemd-options", subject(files, line=line, kernel=kernel))


def test_a_comment_keeps_no_module_out():
    files = {**EFIVARFS, "/etc/modprobe.d/a.conf": "# blacklist efivarfs\n"}
    assert faults("audit.systemd-options", subject(files, line=without("efi=")))


def test_a_masked_extension_service_merges_nothing():
    enabled = {f"{UNITS}/sysinit.target.wants/systemd-sysext.service": "-> ../systemd-sysext.service"}
    masked = {"/etc/systemd/system/systemd-sysext.service": MASK}
    assert not faults("audit.extensions", subject({**enabled, **masked}))


@pytest.mark.attack("B5")
@pytest.mark.attack("B6")
@pytest.mark.attack("L3")
@pytest.mark.attack("L7")
@pytest.mark.parametrize(
    "planted",
    [
        plant("audit.gpt-auto", "nothing against it", line=without("systemd.gpt_auto"), path=GPT_AUTO),
        plant(
            "audit.gpt-auto",
            "in the initrd",
            line=f"{LINE} rd.systemd.gpt_auto=1",
            initrd={GPT_AUTO: program()},
            path=GPT_AUTO,
        ),
        plant("audit.system-on-plain-disk", "fstab", {"/etc/fstab": "UUID=1 /var ext4 rw 0 0\n"}, path="/etc/fstab"),
        plant("audit.system-on-plain-disk", "below", {"/etc/fstab": "# a\n/dev/sdb /etc/app xfs\n"}, path="/etc/fstab"),
        plant(
            "audit.system-on-plain-disk", "root", {"/etc/fstab": "/dev/sda / ext4 rw\n"}, line="x", path="/etc/fstab"
        ),
        plant(
            "audit.system-on-plain-disk", "on the command line", line=f"{LINE} systemd.mount-extra=/dev/sdb:/opt:ext4"
        ),
        plant(
            "audit.system-on-plain-disk",
            "a unit",
            {
                f"{UNITS}/var.mount": unit(Mount="What=/dev/disk/by-label/var|Where=/var"),
                f"{UNITS}/local-fs.target.wants/var.mount": "-> ../var.mount",
            },
            path=f"{UNITS}/var.mount",
        ),
        plant("audit.overlay-on-disk", "kiwi", line=f"{LINE} rd.root.overlay.write=/dev/nvme0n1p5"),
        plant("audit.overlay-on-disk", "dracut", line=f"{LINE} rd.live.overlay=UUID=1"),
        plant("audit.overlay-on-disk", "Debian", line=f"{LINE} overlayroot=device:dev=/dev/sdb"),
        plant("audit.plain-disk", "data", {"/etc/fstab": "PARTLABEL=d /data ext4 nofail 0 2\n"}, path="/etc/fstab"),
        plant(
            "audit.plain-disk",
            "on access",
            {"/etc/fstab": "LABEL=d /data ext4 noauto,x-systemd.automount 0 2\n"},
            path="/etc/fstab",
        ),
        plant("audit.may-not-boot", "sectors", **disk_of_large_sectors()),
    ],
)
def test_disks_of_the_owner_are_found(planted):
    assert_found(planted)


@pytest.mark.parametrize(
    "entry",
    [
        "/dev/mapper/state /var ext4 rw 0 0",
        "tmpfs /var tmpfs size=1G 0 0",
        "UUID=1 /boot/efi vfat ro 0 0",
        "UUID=1 /data ext4 noauto 0 0",
        "/dev/mapper/root / erofs ro 0 0",
        "/dev/sda2 / erofs ro 0 0",
        "/dev/zram1 /var/tmp ext4",
        "# UUID=1 /var ext4 rw 0 0",
    ],
)
def test_other_mounts_are_no_disks_of_the_owner(entry):
    audited = subject({"/etc/fstab": f"{entry}\n"})
    assert not faults("audit.system-on-plain-disk", audited)
    assert not faults("audit.plain-disk", audited)


def test_an_overlay_in_memory_is_none_on_a_disk():
    line = f"{LINE} overlayroot=tmpfs rd.live.overlay=none rd.root.overlay.readonly"
    assert not faults("audit.overlay-on-disk", subject(line=line))


@pytest.mark.parametrize("where", ["/etc/systemd/system-generators", "/usr/local/lib/systemd/system-generators"])
def test_a_masked_generator_mounts_nothing(where):
    files = {f"{where}/systemd-gpt-auto-generator": MASK}
    assert not faults("audit.gpt-auto", subject(files, line=without("systemd.gpt_auto")))


def test_partitions_that_it_would_mount_are_named():
    audited = subject(
        line=without("systemd.gpt_auto"), **disk(Part(4000, 4010, "v", VAR), Part(4020, 4030, "r", LINUX))
    )
    (found,) = faults("audit.gpt-auto", audited)
    assert found.message.endswith('on this disk that is partition 2 ("v")')
    assert found.part is ImagePart.TREE
