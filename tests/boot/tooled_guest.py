# SPDX-License-Identifier: Apache-2.0
"""A guest that runs tpm2-tools through its kernel's resource manager, reboots, and looks at what is left.

The programs are this machine's, with the libraries that they load.
"""

import contextlib
import gzip
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.attesting_tpm import RecordingBoard
from tests.boot.guest_python import libraries
from tests.processes import program
from tests.tpm_commands import CODES

from strongroom.twin.initrd import (
    build_initrd,
    character_device_entry,
    folder_entry,
    link_entry,
    program_entry,
)
from strongroom.twin.nitrotpm.tpm import NitroTpm
from strongroom.twin.nitrotpm.transports.server import TpmServer

APPLETS = ("sh", "mount", "cat", "echo", "poweroff", "reboot", "cmp")
STEPS = f"""
tpm2_getcap properties-fixed
tpm2_getrandom -o random 32
tpm2_hash -C o -g sha384 -o digest -t ticket secret
tpm2_pcrextend 16:sha384={"16" * 48}
tpm2_createprimary -C o -G ecc -c primary.ctx
tpm2_createpolicy --policy-pcr -l sha384:4,7,16 -L policy
tpm2_create -C primary.ctx -i secret -L policy -u sealed.pub -r sealed.priv
tpm2_load -C primary.ctx -u sealed.pub -r sealed.priv -c sealed.ctx
tpm2_startauthsession --policy-session -S session
tpm2_policypcr -S session -l sha384:4,7,16
tpm2_unseal -c sealed.ctx -p session:session -o unsealed
cmp secret unsealed
tpm2_flushcontext session
tpm2_createek -c ek.ctx -G rsa -u ek.pub
tpm2_createak -C ek.ctx -c ak.ctx -G ecc -g sha256 -s ecdsa -u ak.pem -f pem -n ak.name
tpm2_quote -c ak.ctx -l sha384:0,4,7,16 -q abcd -m message -s signature -o pcrs -g sha256
tpm2_checkquote -u ak.pem -m message -s signature -f pcrs -g sha256 -q abcd
tpm2_readpublic -c ak.ctx
tpm2_certify -c primary.ctx -C ak.ctx -g sha256 -o attest -s certificate
tpm2_create -C primary.ctx -G ecc -u key.pub -r key.priv -c key.ctx
tpm2_sign -c key.ctx -g sha256 -o signed secret
tpm2_verifysignature -c key.ctx -g sha256 -m secret -s signed
tpm2_evictcontrol -C o -c primary.ctx 0x81000001
tpm2_load -C 0x81000001 -u sealed.pub -r sealed.priv -c again.ctx
tpm2_nvdefine 0x1500016 -C o -s 11
tpm2_nvwrite 0x1500016 -C o -i secret
tpm2_nvread 0x1500016 -C o -o kept
tpm2_pcrread sha384:4
""".strip().splitlines()
PRINTED = (0, 4, 7, 16)
SECRET = "for a guest"
INIT = f"""#!/bin/sh
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /tmp
echo 1 > /proc/sys/kernel/printk  # no message of the kernel may cut a line in two
export TPM2TOOLS_TCTI=device:/dev/tpmrm0
cd /tmp
values() {{
  for pcr in {" ".join(map(str, PRINTED))}; do echo "$1 $pcr $(cat /sys/class/tpm/tpm0/pcr-sha384/$pcr)"; done
}}
step() {{
  "$@" > said 2>&1
  code=$?
  echo "STEP $code $*"
  [ $code = 0 ] || cat said
}}
values BOOTED
if tpm2_nvread 0x1500016 -C o -o kept > said 2>&1; then
  echo "KEPT $(cat kept)"
  step tpm2_readpublic -c 0x81000001
  poweroff -f
fi
echo -n "{SECRET}" > secret
STEPS
values LEFT
reboot -f
""".replace("STEPS", "\n".join(f"step {line}" for line in STEPS)).encode()


def tooled_initrd(busybox: bytes) -> bytes:
    """Return an initrd with the tools, compressed: Linux unpacks it faster than firmware reads what was saved."""
    tpm2 = Path(program("tpm2"))
    names = {line.split()[0] for line in STEPS if line.startswith("tpm2_")}
    entries = [
        program_entry("bin/busybox", busybox),
        *(link_entry(f"bin/{name}", "busybox") for name in APPLETS),
        program_entry("bin/tpm2", tpm2.read_bytes()),
        *(link_entry(f"bin/{name}", "tpm2") for name in sorted(names)),
        *(program_entry(str(path).lstrip("/"), path.read_bytes()) for path in sorted(_loaded_by(tpm2))),
        program_entry("init", INIT),
        *map(folder_entry, ("dev", "proc", "sys", "tmp")),
        character_device_entry("dev/console", major=5, minor=1),
    ]
    return gzip.compress(build_initrd(entries), compresslevel=6, mtime=0)


def _loaded_by(tpm2: Path) -> set[Path]:
    """Return the libraries that it is linked with, and the one that it loads to reach a device."""
    linked = set(libraries(tpm2))
    (loader,) = (path for path in linked if path.name.startswith("libtss2-tctildr"))
    device = loader.with_name("libtss2-tcti-device.so.0")
    return linked | {device} | set(libraries(device))


class RecordedNitroTpm:
    """An emulated NitroTPM that keeps what was sent to it, for one machine."""

    banks = ("sha1", "sha256", "sha384", "sha512")

    def __init__(self) -> None:
        self._board = RecordingBoard(NitroTpm())

    @contextlib.contextmanager
    def run(self, folder: Path) -> Iterator[Path]:
        with TpmServer(self._board) as server:
            server.listen_control(folder / "tpm.sock")
            yield folder / "tpm.sock"

    def succeeded(self) -> Counter[str]:
        """How often each command was sent and carried out, by its name."""
        names = {code: name for name, code in CODES.items()}
        sent = (int.from_bytes(command[6:10]) for command, code in self._board.sent if code == 0)
        return Counter(names[code] for code in sent if code in names)


def printed_pcrs(serial: str, when: str) -> list[dict[int, str]]:
    """Return the PCRs that a guest printed, once for each time that it did."""
    found = re.findall(rf"^{when} (\d+) ([0-9A-F]{{96}})\r?$", serial, re.MULTILINE)
    size = len(PRINTED)
    return [{int(index): value for index, value in found[at : at + size]} for at in range(0, len(found), size)]


def steps_run(serial: str) -> dict[str, int]:
    """Return the exit code of each step."""
    return {line: int(code) for code, line in re.findall(r"^STEP (\d+) (.+?)\r?$", serial, re.MULTILINE)}
