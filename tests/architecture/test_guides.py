# SPDX-License-Identifier: Apache-2.0
"""The guides run as they stand: the files in them are written, their commands run, in a folder with what they name."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.architecture.test_docs import BLOCK, ROOT, run_line
from tests.small_image import make_disk, vendors_files

from strongroom.formats.measurements import encode_measurements
from strongroom.measure.disk import boot_image
from strongroom.measure.predict import measure_image

NAMED = re.compile(r"# (\S+\.(?:py|toml))\n")
SHOWN_ONLY = {"text"}
"""Commands that take an account of AWS's, or root."""


def two_disks(image: Path, changed: Path) -> None:
    """An image, and one with another line in its app."""
    work = image.parent / "work"
    for place, files in (
        (image, vendors_files()),
        (changed, {**vendors_files(), "/usr/lib/app/serve": "#!/bin/sh\nexit 1\n"}),
    ):
        place.parent.mkdir(parents=True, exist_ok=True)
        work.mkdir()
        place.write_bytes(make_disk(work, files))
        shutil.rmtree(work)


def vendors_folder(folder: Path) -> None:
    """What kiwi would have left, which takes root: a small image in place of the one that the description makes."""
    two_disks(folder / "image/acme-app.raw", folder / "changed/acme-app.raw")


def customers_folder(folder: Path) -> None:
    """What a customer gets: the image, and what the vendor says that it measures."""
    two_disks(folder / "disk.raw", folder / "other.raw")
    boots = boot_image(memoryview((folder / "disk.raw").read_bytes()))
    (folder / "vendor.json").write_bytes(encode_measurements(measure_image(boots.image, secure_boot=None)))


GUIDES: dict[str, Callable[[Path], None]] = {"vendor-image.md": vendors_folder, "customer-image.md": customers_folder}
"""What each guide begins with."""


def steps(guide: str) -> list[tuple[str, str]]:
    """The blocks of a guide in order: language and text."""
    return BLOCK.findall((ROOT / "docs/guides" / guide).read_text())


@pytest.mark.slow
@pytest.mark.parametrize("guide", GUIDES)
def test_a_guide_runs_as_it_stands(guide, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # where the signer's key goes
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    folder = tmp_path / "guide"
    folder.mkdir()
    GUIDES[guide](folder)
    ran = 0
    for language, text in steps(guide):
        if language in {"python", "toml"}:
            found = NAMED.match(text)
            assert found, f"the first line of a file names it: {text[:40]}"
            (folder / found.group(1)).write_text(text)
        for line in re.findall(r"^\$ (.+)$", text, re.MULTILINE) if language == "console" else ():
            run_line(line, folder)
            ran += 1
    assert ran > 5


def test_every_guide_is_one_of_these():
    assert sorted(GUIDES) == sorted(path.name for path in (ROOT / "docs/guides").glob("*.md"))


@pytest.mark.parametrize("guide", GUIDES)
def test_every_block_of_a_guide_is_of_a_kind_that_runs(guide):
    assert {language for language, _ in steps(guide)} <= {"python", "toml", "console", *SHOWN_ONLY}
