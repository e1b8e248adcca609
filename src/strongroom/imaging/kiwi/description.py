# SPDX-License-Identifier: Apache-2.0
"""A description as a folder: `appliance.xml`, two scripts, the overlay in `root/`, and how to build from it."""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from strongroom.errors import LocalFault, UsageError
from strongroom.imaging.kiwi.appliance import EDIT_SCRIPT, appliance
from strongroom.imaging.kiwi.overlay import OverlayFile
from strongroom.imaging.kiwi.plan import KiwiPlan
from strongroom.imaging.kiwi.scripts import config_script, edit_script

HOW = """How to build this image

On Amazon Linux 2023, as root: kiwi partitions a loop device and mounts it.

    dnf install kiwi-cli python3-kiwi kiwi-systemdeps-core veritysetup erofs-utils aws-nitro-tpm-tools
    kiwi-ng system build --description . --target-dir ../image

`strongroom` has to be on root's path, or named by the variable STRONGROOM: edit_boot_install.sh measures the image
with it, and with AWS's nitro-tpm-pcr-compute where that is there, and the build fails where the two do not agree. The
values are in ../image/pcr_measurements.json. Then look at the disk as a whole, whoever built it:

    strongroom measure ../image/*.raw
    strongroom image audit ../image/*.raw
"""
SCRIPT_MODE, FILE_MODE, FOLDER_MODE = 0o755, 0o644, 0o755


def write_description(folder: Path, plan: KiwiPlan, files: tuple[OverlayFile, ...]) -> tuple[str, ...]:
    """Write a description to a folder that is not there yet, whole or not at all; return the names of its files.

    Raises UsageError where something is there already, LocalFault where it cannot be written.
    """
    if folder.exists() or folder.is_symlink():
        raise UsageError(
            "kiwi.output-exists", f"expected no folder {folder}, found one", remedy="Name another, or remove that."
        )
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
    try:
        names = _write(part, plan, files)
        part.rename(folder)
    except OSError as error:
        raise LocalFault("kiwi.unwritable", f"cannot write {folder}: {error.strerror}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return names


def _write(part: Path, plan: KiwiPlan, files: tuple[OverlayFile, ...]) -> tuple[str, ...]:
    own = {
        "appliance.xml": (FILE_MODE, appliance(plan)),
        "config.sh": (SCRIPT_MODE, config_script(plan)),
        EDIT_SCRIPT: (SCRIPT_MODE, edit_script()),
        "BUILD.txt": (FILE_MODE, HOW.encode()),
    }
    overlaid = {f"root{file.path}": (file.mode, file.contents) for file in files}
    part.mkdir(mode=FOLDER_MODE)
    for name, (mode, contents) in {**own, **overlaid}.items():
        _put(part / name, mode, contents)
    return (*own, *overlaid)


def _put(path: Path, mode: int, contents: bytes) -> None:
    """Write a file with this very mode. Folders of the overlay get theirs too: rsync copies them into the image."""
    for folder in reversed(path.parents):
        if not folder.exists():
            folder.mkdir()
            folder.chmod(FOLDER_MODE)
    path.write_bytes(contents)
    path.chmod(mode)
