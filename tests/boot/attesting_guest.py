# SPDX-License-Identifier: Apache-2.0
"""A guest that does one thing: `strongroom tpm attest`. It prints the document that it gets."""

import base64
import gzip
import re

from tests.boot.guest_python import ENVIRONMENT, INTERPRETER, python_entries

from strongroom.twin.initrd import (
    build_initrd,
    character_device_entry,
    file_entry,
    folder_entry,
    link_entry,
    program_entry,
)

DOCUMENT_LINE = re.compile(r"^DOCUMENT ([A-Za-z0-9+/=]{1,76})\r?$", re.MULTILINE)
SIZE_LINE = re.compile(r"^DOCUMENT BYTES (\d+)\r?$", re.MULTILINE)
APPLETS = ("sh", "mount", "cat", "echo", "poweroff", "base64", "wc", "date")
INIT = f"""#!/bin/sh
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /tmp
echo 1 > /proc/sys/kernel/printk  # no message of the kernel may cut a line in two
{ENVIRONMENT} {INTERPRETER} -m strongroom tpm attest --nonce /nonce > /tmp/document && echo ATTESTED
base64 /tmp/document | while read -r line; do echo "DOCUMENT $line"; done
echo "DOCUMENT BYTES $(cat /tmp/document | wc -c)"
poweroff -f
""".encode()


def attesting_initrd(busybox: bytes, nonce: bytes) -> bytes:
    """Return an initrd, compressed: Linux unpacks it faster than firmware reads what was saved."""
    entries = [
        program_entry("bin/busybox", busybox),
        *(link_entry(f"bin/{name}", "busybox") for name in APPLETS),
        program_entry("init", INIT),
        file_entry("nonce", nonce),
        *map(folder_entry, ("dev", "proc", "sys", "tmp")),
        character_device_entry("dev/console", major=5, minor=1),
        *python_entries("strongroom", "tpm", "attest"),
    ]
    return gzip.compress(build_initrd(entries), compresslevel=6, mtime=0)


def document_in(serial: str) -> bytes:
    """Return the document that a guest printed."""
    document = base64.b64decode("".join(DOCUMENT_LINE.findall(serial)), validate=True)
    assert [int(size) for size in SIZE_LINE.findall(serial)] == [len(document)], serial[-3000:]
    assert document, f"the guest has no document:\n{serial[-3000:]}"
    return document
