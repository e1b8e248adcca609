# SPDX-License-Identifier: Apache-2.0
"""A whole disk of a few megabytes in which the audit finds nothing: ESP, EROFS, dm-verity, made by Debian's tools.

It is laid out as the images that are built here; its kernel is none, so it is measured and read, and never booted.
"""

from __future__ import annotations

import re
import stat
import subprocess
import uuid
from dataclasses import replace
from pathlib import Path

from tests.audit_images import FILES, INITRD, KERNEL, LINE, LINK, Entry, Files
from tests.disks import ESP, gpt_disk, partition
from tests.fat_volumes import make_fat
from tests.images import make_uki
from tests.processes import program
from tests.small_trees import cpio, newc
from tests.unit.formats.test_trust import trust

from strongroom.appraisal.endorsements import amazon_tls_roots, aws_nitro_root_pem
from strongroom.appraisal.identity_certificates import aws_identity_certificates
from strongroom.crypto.certificates import parse_pem_certificates
from strongroom.formats.trust import Tls, encode_trust

ROOT = uuid.UUID("4f68bce3-e8cd-4db1-96e7-fbcaf984b709")
HASHES = uuid.UUID("2c7357ed-ebd2-46d9-aec1-23d437ec2bf5")
RELEASE = "6.1.0-strongroom"
AGENT = """version = 1
bundles-from = "user-data"

[bundles.database]
owner = "app"
"""
LEFT_OUT = ("/usr/bin/chage", "/usr/bin/ping", "/dev/null")
"""What takes rights to write: a group of its own, capabilities, a device."""
APP = "[Service]\nExecStart=/usr/lib/app/serve --port 8443\nUser=app\n"


def vendors_files() -> Files:
    """The audit's clean image, with settings of the agent, a production trust file, and an app that listens."""
    production = replace(
        trust(),
        nitro_roots=parse_pem_certificates(aws_nitro_root_pem()),
        tls=Tls(roots=amazon_tls_roots(), kms={}),
        identity_certificates=dict(list(aws_identity_certificates().items())[:2]),
    )
    return {
        **{path: contents for path, contents in FILES.items() if path not in LEFT_OUT},
        "/usr/lib/strongroom/trust.json": encode_trust(production),
        "/usr/lib/strongroom/agent.toml": AGENT,
        "/usr/lib/app/serve": Entry("#!/bin/sh\n", mode=0o755),
        "/usr/lib/systemd/system/app.service": APP,
        "/etc/systemd/system/multi-user.target.wants/app.service": f"{LINK}/usr/lib/systemd/system/app.service",
        f"/usr/lib/modules/{RELEASE}/config": "".join(f"{name}={value}\n" for name, value in KERNEL.items()),
    }


def make_disk(folder: Path, files: Files) -> bytes:
    """A raw disk whose root holds these files. `folder` is for what is made on the way."""
    root, hashes = folder / "root.erofs", folder / "verity"
    write_tree(folder / "tree", files)
    fixed = ("-T1700000000", "-U11111111-2222-3333-4444-555555555555", "--all-root")
    subprocess.run([program("mkfs.erofs"), *fixed, root, folder / "tree"], check=True, capture_output=True)
    options = ("--salt=" + "ab" * 32, "--uuid=22222222-3333-4444-5555-666666666666")
    made = subprocess.run(
        [program("veritysetup"), "format", *options, root, hashes], check=True, capture_output=True, text=True
    )
    found = re.search(r"Root hash:\s+([0-9a-f]{64})", made.stdout)
    assert found, made.stdout
    return _disk(root.read_bytes(), hashes.read_bytes(), found.group(1))


def _disk(root: bytes, hashes: bytes, root_hash: str) -> bytes:
    entries = [
        newc(path.lstrip("/").encode(), _bytes(entry), mode=stat.S_IFREG | 0o755) for path, entry in INITRD.items()
    ]
    image = make_uki(
        osrel=b"ID=debian\nVARIANT_ID=production\n",
        cmdline=LINE.replace("ab" * 32, root_hash).encode(),
        initrd=cpio(*entries),
    )
    loader = make_fat({"EFI": {"BOOT": {"BOOTX64.EFI": image}}}, kind=16).data
    parts, at = [], 64
    for name, content, kind, unique in (
        ("esp", loader, ESP, None),
        ("root", root, ROOT, uuid.UUID(root_hash[:32])),
        ("verity", hashes, HASHES, uuid.UUID(root_hash[32:])),
    ):
        parts.append(partition(content, first=at, kind=kind, name=name, unique=unique))
        at = parts[-1].last + 1
    return gpt_disk(*parts)


def write_tree(folder: Path, files: Files) -> None:
    """Write files to a folder, with their modes; everything belongs to whoever runs this."""
    for path, contents in files.items():
        place = folder / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(contents, str) and contents.startswith(LINK):
            place.symlink_to(contents.removeprefix(LINK))
        elif isinstance(contents, Entry) and contents.kind == stat.S_IFDIR:
            place.mkdir(exist_ok=True)
            place.chmod(contents.mode)
        else:
            place.write_bytes(_bytes(contents))
            place.chmod(contents.mode if isinstance(contents, Entry) else 0o644)


def _bytes(contents: object) -> bytes:
    inner = contents.contents if isinstance(contents, Entry) else contents
    return inner.encode() if isinstance(inner, str) else bytes(inner or b"")  # type: ignore[call-overload]
