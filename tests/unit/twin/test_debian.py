# SPDX-License-Identifier: Apache-2.0
"""The fetcher against stand-ins for apt, so that every way to fail can be played; tests/boot uses the real one."""

from __future__ import annotations

import lzma
import subprocess
from pathlib import Path

import pytest

from strongroom.errors import LocalFault, ServiceFault, StrongroomError
from strongroom.formats.uki import Architecture
from strongroom.twin.debian import fetch_debian_uki_parts

APT_GET = """#!/bin/sh
echo "$@" >> "$CALLS"; cat "$APT_CONFIG" >> "$CALLS"
if [ "$1" = download ]; then
  for package; do case "$package" in linux*|systemd*|busy*) echo "$package" > "$package.deb";; esac; done
fi
"""
APT_CACHE = """#!/bin/sh
echo linux-image-cloud-amd64
echo "  Depends: linux-image-6.1.0-56-cloud-amd64"
"""
DPKG_DEB = """#!/bin/sh
if [ "$1" = --show ]; then echo "$(cat "$3") 1.0"; exit; fi
mkdir -p "$3/boot" "$3/bin" "$3/usr/lib/systemd/boot/efi"
case "$(cat "$2")" in
linux*) echo kernel > "$3/boot/vmlinuz-6.1" ;;
systemd*) echo stub > "$3/usr/lib/systemd/boot/efi/linuxx64.efi.stub" ;;
busy*) echo busybox > "$3/bin/busybox" ;;
esac
"""


@pytest.fixture
def programs(tmp_path, monkeypatch):
    folder = tmp_path / "programs"
    folder.mkdir()
    for name, text in (("apt-get", APT_GET), ("apt-cache", APT_CACHE), ("dpkg-deb", DPKG_DEB)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return folder


def fetch(tmp_path, architecture=Architecture.X86_64):
    return fetch_debian_uki_parts(tmp_path / "cache", progress=lambda _: None, architecture=architecture)


def refused(tmp_path) -> StrongroomError:
    with pytest.raises((LocalFault, ServiceFault)) as caught:
        fetch(tmp_path)
    cache = tmp_path / "cache"
    assert not cache.exists() or not list(cache.iterdir()), "nothing is left behind"
    return caught.value


def fail(programs, name: str, message: str) -> None:
    (programs / name).write_text(f"#!/bin/sh\necho '{message}' >&2\nexit 100\n")


def test_parts_are_fetched_with_lists_of_their_own(programs, tmp_path):
    parts = fetch(tmp_path)
    assert [path.read_text().strip() for path in (parts.kernel, parts.stub, parts.busybox)] == [
        *("kernel", "stub", "busybox"),
    ]
    assert parts.versions == {
        "linux-image-6.1.0-56-cloud-amd64": "1.0",
        "systemd-boot-efi": "1.0",
        "busybox-static": "1.0",
    }
    calls = (tmp_path / "calls").read_text()
    for option in ("Dir::State", "Dir::State::lists", "Dir::State::status", "Dir::Cache"):
        assert f'{option} "{tmp_path}/cache/' in calls
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["debian-x86_64"]


def test_the_second_run_needs_no_program_at_all(programs, tmp_path, monkeypatch):
    first = fetch(tmp_path)
    monkeypatch.setenv("PATH", "")
    assert fetch(tmp_path) == first


@pytest.mark.parametrize("part", ["kernel", "stub", "busybox", "parts.json"])
def test_a_damaged_part_is_fetched_again(programs, tmp_path, part):
    folder = fetch(tmp_path).kernel.parent
    (folder / part).write_text("damaged")
    assert fetch(tmp_path).kernel.read_text() == "kernel\n"
    (folder / part).unlink()
    assert fetch(tmp_path).stub.read_text() == "stub\n"


def test_without_apt_the_way_out_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    error = refused(tmp_path)
    assert (error.code, bool(error.remedy)) == ("debian.no-apt", True)


@pytest.mark.parametrize(
    ("command", "message", "expected"),
    [
        ("apt-get", "E: Failed to fetch", ("debian.unreachable", ServiceFault)),
        ("apt-get", "", ("debian.unreachable", ServiceFault)),
        ("apt-cache", "E: No packages found", ("debian.no-package", LocalFault)),
        ("apt-get", "E: Unable to locate package busybox-static", ("debian.no-package", LocalFault)),
        ("dpkg-deb", "dpkg-deb: error: no space left", ("debian.unpack", LocalFault)),
    ],
)
@pytest.mark.usefixtures("programs")
def test_each_failure_has_its_name(tmp_path, command, message, expected):
    fail(tmp_path / "programs", command, message)
    error = refused(tmp_path)
    assert (error.code, type(error)) == expected


def test_a_metapackage_without_a_kernel_is_refused(programs, tmp_path):
    (programs / "apt-cache").write_text("#!/bin/sh\necho linux-image-cloud-amd64\n")
    assert refused(tmp_path).code == "debian.no-package"


def test_packages_without_the_parts_are_refused(programs, tmp_path):
    (programs / "dpkg-deb").write_text('#!/bin/sh\n[ "$1" = --show ] && echo "name 1.0" || mkdir -p "$3"\n')
    assert refused(tmp_path).code == "debian.contents"


def test_a_program_that_hangs_is_given_up(programs, tmp_path, monkeypatch):
    def hang(*_, **__):
        raise subprocess.TimeoutExpired("apt-get", 1)

    monkeypatch.setattr(subprocess, "run", hang)
    assert refused(tmp_path).code == "debian.timeout"


def test_a_place_that_cannot_be_written_is_this_machines_fault(programs, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(LocalFault) as caught:
        fetch(tmp_path)
    assert caught.value.code == "debian.cache"


def test_a_run_that_loses_the_race_takes_what_the_other_wrote(programs, tmp_path, monkeypatch):
    other = fetch_debian_uki_parts(tmp_path / "other", progress=lambda _: None).kernel.parent
    rename = Path.rename

    def lose(self, target):
        if self.name == "ready":
            other.replace(target)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", lose)
    assert fetch(tmp_path).kernel.read_text() == "kernel\n"


def test_modules_of_a_guests_network_card_come_unpacked_and_in_their_order(programs, tmp_path, monkeypatch):
    packed = tmp_path / "packed.xz"
    packed.write_bytes(lzma.compress(b"virtio_net"))
    drivers = "lib/modules/6.1/kernel/drivers"
    script = DPKG_DEB.replace(
        "linux*) ",
        f'linux*) mkdir -p "$3/{drivers}/net"; cp {packed} "$3/{drivers}/net/virtio_net.ko.xz"; '
        f'echo failover > "$3/{drivers}/net/failover.ko"; ',
    )
    (programs / "dpkg-deb").write_text(script)
    parts = fetch(tmp_path)
    assert [path.name for path in parts.network_modules] == ["failover.ko", "virtio_net.ko"]
    assert parts.network_modules[1].read_bytes() == b"virtio_net"
    assert fetch(tmp_path) == parts
    parts.network_modules[0].write_text("damaged")
    assert fetch(tmp_path).network_modules[0].read_text() == "failover\n"
