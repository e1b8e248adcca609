# SPDX-License-Identifier: Apache-2.0
"""What a description is written from: a specification in the terms of Amazon Linux and of kiwi."""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.formats.uki import Architecture

COLLECTIONS = ("core", "ami-minimal")
BASE_PACKAGES = (
    *("system-release", "kernel", "systemd-boot", "systemd-networkd", "systemd-resolved", "binutils", "dracut"),
    *("dracut-kiwi-overlay", "dracut-kiwi-verity", "cryptsetup", "veritysetup"),
)
"""What an image consists of that boots as a unified kernel image with dm-verity (EC2 User Guide, "Attestable AMIs")."""
WITHOUT = (
    *("openssh-server", "amazon-ssm-agent", "ec2-instance-connect", "ec2-instance-connect-selinux"),
    *("cloud-init", "cloud-init-cfg-ec2", "ec2-hibinit-agent", "amazon-cloudwatch-agent"),
    *("amazon-ec2-net-utils", "ec2-utils", "update-motd", "amazon-chrony-config", "acpid", "firewalld"),
    *("grub2-common", "grub2-efi-x64", "grub2-efi-aa64", "grub2-tools", "grub2-tools-minimal", "grubby"),
    *("amazon-linux-repo-s3", "amazon-linux-repo-cdn", "kexec-tools"),
)
"""What the collections would bring, and an attestable image must not have: ways in and programs that do what user data
says (ATTACKS B14), other boot loaders (B6), kexec and kdump (B9, B12), hibernation (B11), sources of packages (B18)."""
MASKED_UNITS = (
    *("getty@.service", "serial-getty@.service", "console-getty.service", "container-getty@.service"),
    *("autovt@.service", "debug-shell.service", "emergency.service", "rescue.service"),
    *("systemd-ask-password-console.path", "systemd-ask-password-wall.path"),
    *("kdump.service", "hibernate.target", "hybrid-sleep.target", "suspend.target", "suspend-then-hibernate.target"),
    *("systemd-repart.service", "systemd-firstboot.service", "dnf-makecache.timer"),
)
"""Units that would let somebody in or write memory to a disk (B11 to B13), whether a package brings them or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KiwiPlan:
    """Everything that differs from one description to the next."""

    name: str
    architecture: Architecture
    packages: tuple[str, ...]
    """Of Amazon Linux, beside the base."""
    kernel_arguments: tuple[str, ...]
    repository: str
    """The URL of a list of mirrors."""
    variant: str
    """What os-release(5) says as VARIANT_ID: which profile it is for."""
    enabled_units: tuple[str, ...] = ()
    owners: tuple[tuple[str, str], ...] = ()
    """Paths of the overlay that belong to others than root, with `user:group`."""
    compile_agent: tuple[str, ...] = ()
    """The command that compiles the agent's modules; nothing for an image without the agent."""
    root_mebibytes: int = 2_048
    esp_mebibytes: int = 200
    disk_gibibytes: int = 4
