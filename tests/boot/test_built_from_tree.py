# SPDX-License-Identifier: Apache-2.0
"""An image of a root that somebody else made: as a tar file, with kernel and stub in it."""

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest
from tests.boot.built_images import boot, build, image, measured, serve_bundle, write_project

from strongroom.cli.cache_folder import cache_folder
from strongroom.formats.image_spec_model import DebianBase
from strongroom.imaging.build.bootstrap import SYSTEM_PACKAGES, Bootstrapped, bootstrap
from strongroom.imaging.build.workshop import Workshop
from strongroom.twin.attack.canary import Canary
from strongroom.twin.attack.vendor import TwinVendor
from strongroom.twin.server import Twin

pytestmark = pytest.mark.slow

MERGED = ("bin", "lib", "sbin")


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Debian with its kernel, as one tar file."""
    folder = tmp_path_factory.mktemp("debian")
    made = bootstrap(
        DebianBase("bookworm", ()),
        (*SYSTEM_PACKAGES, "python3-minimal", "libpython3.11-stdlib"),
        (),
        (),
        workshop=Workshop(folder, folder / "log"),
        cache=cache_folder() / "bootstrap",
    )
    path: Path = folder / "root.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        _copy(made.root.read_bytes(), archive)
        for package in _packages(made):
            _copy(package, archive)
    return path


def _packages(made: Bootstrapped) -> list[bytes]:
    unpack = ["dpkg-deb", "--fsys-tarfile"]
    return [subprocess.run([*unpack, each], check=True, capture_output=True).stdout for each in made.debs]


def _copy(data: bytes, archive: tarfile.TarFile) -> None:
    with tarfile.open(fileobj=io.BytesIO(data)) as source:
        for entry in source:
            name = entry.name.removeprefix("./")
            if entry.isdir() and name.partition("/")[0] in MERGED:
                continue
            entry.name = f"usr/{name}" if name.partition("/")[0] in MERGED and "/" in name else name
            archive.addfile(entry, source.extractfile(entry) if entry.isreg() else None)


def test_it_boots_and_delivers_and_its_record_names_the_tree(tmp_path, root):
    canary = Canary.make()
    with Twin() as twin:
        vendor = TwinVendor(twin, canary)
        spec = write_project(tmp_path, twin, vendor, base=f'kind = "tree"\npath = "{root}"\n')
        output = build(spec, tmp_path / "out")
        serve_bundle(twin, vendor, vendor.make_safe([measured(output).pcrs]))
        console = boot(twin, output).console.text
    assert hashlib.sha256(canary.text.encode()).hexdigest() in console
    record = json.loads((output / "build.json").read_text())
    assert record["base"]["kind"] == "tree"
    assert record["base"]["name"].startswith("sha256:")


def test_a_tree_that_cannot_boot_is_refused_by_all_that_it_lacks(tmp_path):
    (tmp_path / "tree" / "etc").mkdir(parents=True)
    (tmp_path / "image.toml").write_text('version = 1\n[image]\nname = "x"\n[base]\nkind = "tree"\npath = "tree"\n')
    done = image("build", tmp_path / "image.toml", "-o", tmp_path / "out")
    assert done.returncode == 3
    assert "base.missing" in done.stderr
    assert "the kernel" in done.stderr
    assert not (tmp_path / "out").exists()
