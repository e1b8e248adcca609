# SPDX-License-Identifier: Apache-2.0
"""An image in which the audit finds nothing, and ways to spoil it in one place.

Its files are written out here as far as rules look at them; their texts follow Debian 12's. Contents are a text or
bytes, `LINK + target`, or an `Entry`; a name with None takes a file away.
"""

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from tests.images import make_uki

from strongroom.appraisal.endorsements import amazon_tls_roots, aws_nitro_root_pem
from strongroom.appraisal.identity_certificates import aws_identity_certificates
from strongroom.crypto.certificates import parse_pem_certificates
from strongroom.formats.partition import Partition, Profile
from strongroom.formats.trust import Tls, Trust, Vendor
from strongroom.formats.uki import parse_uki
from strongroom.imaging.audit.subject import Subject
from strongroom.imaging.tree.node import Node
from strongroom.imaging.tree.tree import Tree, memory_tree

LINK = "-> "
MASK = f"{LINK}/dev/null"
UNITS = "/usr/lib/systemd/system"
ENABLED = "/etc/systemd/system/multi-user.target.wants"
LINE = (
    "console=ttyS0 ro roothash=" + "ab" * 32 + " systemd.verity_root_options=panic-on-corruption panic=-1 "
    "lockdown=integrity nohibernate systemd.gpt_auto=0 rd.shell=0 rd.emergency=halt systemd.import_credentials=no "
    "systemd.getty_auto=no efi=noruntime efi_pstore.pstore_disable=1"
)
KERNEL = {
    "CONFIG_DM_VERITY": "m",
    "CONFIG_SECURITY_LOCKDOWN_LSM": "y",
    "CONFIG_LSM": '"landlock,lockdown,yama,integrity,apparmor,selinux,bpf"',
    "CONFIG_KEXEC": "y",
    "CONFIG_KEXEC_FILE": "y",
    "CONFIG_HIBERNATION": "y",
    "CONFIG_MAGIC_SYSRQ": "y",
    "CONFIG_MAGIC_SYSRQ_SERIAL": "y",
    "CONFIG_MAGIC_SYSRQ_DEFAULT_ENABLE": "0x01b6",
    "CONFIG_DEVMEM": "y",
    "CONFIG_STRICT_DEVMEM": "y",
    "CONFIG_MODULES": "y",
    "CONFIG_MODULE_SIG": "y",
    "CONFIG_EFIVAR_FS": "m",
    "CONFIG_EFI_VARS_PSTORE": "m",
}


@dataclass(frozen=True)
class Entry:
    """A node that is no plain file of root's."""

    contents: str | bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    kind: int = stat.S_IFREG
    capabilities: bytes = b""


Contents: TypeAlias = "str | bytes | Entry | None"
Files: TypeAlias = Mapping[str, Contents]


def program(text="\x7fELF") -> Entry:
    return Entry(text, mode=0o755)


def unit(**sections: str) -> str:
    """A unit file. Lines of a section are separated by bars: `Unit="Wants=a.service|After=b.service"`."""
    return "".join(f"[{name}]\n" + lines.replace("|", "\n") + "\n" for name, lines in sections.items())


SYSTEM: Files = {
    f"{UNITS}/default.target": f"{LINK}multi-user.target",
    f"{UNITS}/multi-user.target": unit(Unit="Requires=basic.target"),
    f"{UNITS}/basic.target": unit(Unit="Requires=sysinit.target|Wants=sockets.target timers.target paths.target"),
    f"{UNITS}/sysinit.target": unit(Unit="Wants=local-fs.target swap.target"),
    f"{UNITS}/local-fs.target": unit(Unit="OnFailure=emergency.target|OnFailureJobMode=replace-irreversibly"),
    f"{UNITS}/emergency.target": unit(Unit="Requires=emergency.service"),
    f"{UNITS}/emergency.service": unit(
        Service="Environment=HOME=/root|ExecStart=-/lib/systemd/systemd-sulogin-shell emergency|StandardInput=tty-force"
    ),
    f"{UNITS}/rescue.target": unit(Unit="Requires=sysinit.target rescue.service"),
    f"{UNITS}/rescue.service": unit(
        Service="ExecStart=-/lib/systemd/systemd-sulogin-shell rescue|StandardInput=tty-force"
    ),
    **{f"{UNITS}/{name}.target": unit(Unit="Description=x") for name in ("sockets", "timers", "paths", "swap")},
    f"{UNITS}/getty.target": unit(Unit="Description=Login Prompts"),
    f"{UNITS}/multi-user.target.wants/getty.target": f"{LINK}../getty.target",
    f"{UNITS}/getty@.service": unit(Service="ExecStart=-/sbin/agetty -o '-p -- \\\\u' --noclear - $TERM"),
    f"{UNITS}/serial-getty@.service": unit(Service="ExecStart=-/sbin/agetty --keep-baud 115200 - $TERM"),
    f"{UNITS}/debug-shell.service": unit(Service="ExecStart=/bin/bash|StandardInput=tty"),
    f"{UNITS}/systemd-sysext.service": unit(Service="ExecStart=systemd-sysext merge"),
    f"{UNITS}/systemd-firstboot.service": unit(
        Unit="ConditionFirstBoot=yes", Service="ExecStart=systemd-firstboot --prompt-root-password"
    ),
    f"{UNITS}/sysinit.target.wants/systemd-firstboot.service": f"{LINK}../systemd-firstboot.service",
    f"{UNITS}/strongroom.service": unit(Service="ExecStart=/usr/bin/strongroom-agent run"),
    f"{ENABLED}/strongroom.service": f"{LINK}{UNITS}/strongroom.service",
    "/usr/lib/systemd/systemd": program(),
    "/sbin/init": f"{LINK}/usr/lib/systemd/systemd",
    **{
        f"/usr/lib/systemd/system-generators/systemd-{name}-generator": program()
        for name in ("getty", "gpt-auto", "debug", "run", "sysv", "rc-local", "fstab", "cryptsetup")
    },
}
FILES: Files = {
    **SYSTEM,
    "/lib": f"{LINK}usr/lib",
    "/etc/os-release": "ID=debian\nVARIANT_ID=production\n",
    "/etc/machine-id": "",
    "/etc/passwd": "root:x:0:0:root:/root:/bin/bash\nsync:x:4:65534:sync:/bin:/bin/sync\napp:x:900:900::/:/bin/sh\n",
    "/etc/shadow": "root:*:19675:0:99999:7:::\nsync:*:19675::::::\napp:!*:19675::::::\n",
    "/etc/fstab": "# nothing\n",
    "/etc/sysctl.d/50-strongroom.conf": "# shut\nkernel.sysrq = 0\n",
    "/usr/lib/sysctl.d/50-pid-max.conf": "kernel.pid_max = 4194304\n",
    "/etc/pam.d/common-auth": "auth\t[success=1 default=ignore]\tpam_unix.so nullok\nauth\trequisite\tpam_deny.so\n"
    "auth\trequired\tpam_permit.so\n",
    "/etc/pam.d/login": "auth optional pam_faildelay.so delay=3000000\nauth requisite pam_nologin.so\n"
    "@include common-auth\nauth optional pam_group.so\n",
    "/etc/pam.d/su": "auth sufficient pam_rootok.so\nsession required pam_env.so readenv=1\n@include common-auth\n",
    "/etc/pam.d/other": "@include common-auth\n",
    "/etc/profile": 'PATH="/usr/local/bin:/usr/bin:/bin"\nexport PATH\n',
    "/etc/ld.so.conf": "include /etc/ld.so.conf.d/*.conf\n",
    "/etc/ld.so.conf.d/libc.conf": "# libc default configuration\n/usr/local/lib\n",
    "/usr/lib/python3.11/sitecustomize.py": f"{LINK}/etc/python3.11/sitecustomize.py",
    "/etc/python3.11/sitecustomize.py": "# install the apport exception handler if available\ntry:\n"
    "    import apport_python_hook\nexcept ImportError:\n    pass\nelse:\n    apport_python_hook.install()\n",
    "/usr/lib/python3/dist-packages/distutils-precedence.pth": "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled ="
    " os.environ.get(var, 'local') == 'local'; enabled and __import__('_distutils_hack').add_shim(); \n",
    "/usr/lib/python3/dist-packages/app.pth": "/usr/lib/app\n",
    "/usr/lib/udev/rules.d/85-hwclock.rules": 'KERNEL=="rtc0", RUN+="/usr/lib/udev/hwclock-set $root/$name"\n',
    "/usr/lib/udev/rules.d/99-systemd.rules": 'SUBSYSTEM=="sound", ENV{SYSTEMD_WANTS}+="sound.target"\n',
    "/usr/bin/su": Entry("\x7fELF", mode=0o4755),
    "/usr/bin/chage": Entry("\x7fELF", mode=0o2755, gid=42),
    "/usr/bin/ping": Entry(
        "\x7fELF", mode=0o755, capabilities=bytes.fromhex("0100000200200000000000000000000000000000")
    ),
    "/usr/bin/strongroom-agent": program("#!/usr/bin/python3 -I\n"),
    "/usr/lib/strongroom/imds.py": 'ADDRESS = "169.254.169.254"  # also for user-data\n',
    "/usr/lib/libcrypto.so": b"\x7fELF\0-----BEGIN PRIVATE KEY-----\0-----END PRIVATE KEY-----\0AKIA",
    "/usr/share/app/readme.txt": "AKIAIOSFODNN7EXAMPLE is how an access key looks\n",
    "/usr/share/app/.env.example": "API_TOKEN=abcdefgh\n",
    "/tmp": Entry(kind=stat.S_IFDIR, mode=0o1777),
    "/var/tmp": Entry(kind=stat.S_IFDIR, mode=0o1777),
    "/dev/null": Entry(kind=stat.S_IFCHR, mode=0o666),
}
INITRD: Files = {
    "/init": program(
        "#!/bin/sh\nset -e\nveritysetup open $R root $V $H || reboot -f\nexec switch_root /root /sbin/init\n"
    ),
    "/bin/sh": program(),
}


def tree(files: Files) -> Tree:
    return memory_tree(_node(path, contents) for path, contents in files.items() if contents is not None)


def _node(path: str, contents: Contents) -> tuple[Node, bytes]:
    if isinstance(contents, str) and contents.startswith(LINK):
        return Node(path=path, mode=stat.S_IFLNK | 0o777, target=contents.removeprefix(LINK)), b""
    entry = contents if isinstance(contents, Entry) else Entry(contents or b"")
    data = entry.contents.encode() if isinstance(entry.contents, str) else entry.contents
    node = Node(
        path=path,
        mode=entry.kind | entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        size=len(data),
        capabilities=entry.capabilities,
    )
    return node, data


def trust(**changes) -> Trust:
    fields = {
        "profile": Profile.PRODUCTION,
        "product": "acme-app",
        "signers": (),
        "floors": {},
        "vendor": Vendor(Partition.AWS, ()),
        "nitro_roots": parse_pem_certificates(aws_nitro_root_pem()),
        "tls": Tls(roots=amazon_tls_roots(), kms={}),
        "identity_certificates": dict(list(aws_identity_certificates().items())[:2]),
    }
    return Trust(**fields | changes)


def subject(
    files: Files | None = None,
    *,
    line: str = LINE,
    kernel: Mapping[str, str] | None = None,
    initrd: Files | None = None,
    **parts,
) -> Subject:
    """The clean image with other files, options of the kernel and files of the initrd over its own."""
    fields = {
        "tree": tree({**FILES, **(files or {})}),
        "initrd": tree({**INITRD, **(initrd or {})}),
        "uki": parse_uki(make_uki(cmdline=line.encode())),
        "command_line": line,
        "kernel_config": {**KERNEL, **(kernel or {})},
        "trust": trust(),
    }
    return Subject(Profile.PRODUCTION, **fields | parts)


def service(name: str, text: str | None = None) -> Files:
    """A service that is enabled."""
    return {
        f"{UNITS}/{name}": unit(Service=f"ExecStart=/usr/sbin/{name}") if text is None else text,
        f"{ENABLED}/{name}": f"{LINK}{UNITS}/{name}",
    }


def without(word: str) -> str:
    """The clean command line without the words that begin so."""
    words = LINE.split()
    left = [each for each in words if not each.startswith(word)]
    assert left != words, f"no {word} on the clean command line"
    return " ".join(left)
