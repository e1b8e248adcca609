# SPDX-License-Identifier: Apache-2.0
"""`strongroom image boot` as people run it: real processes and boots, with a twin of its own and with one that runs."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.boot.guest_disk import NETWORK, busybox_initrd, disk_of
from tests.processes import ended, wait_until
from tests.twin_up import Place

from strongroom.formats.measurements import encode_measurements
from strongroom.formats.uki import assemble_uki
from strongroom.measure.predict import measure_image

pytestmark = pytest.mark.slow

REQUEST = r"PUT /latest/api/token HTTP/1.1\r\nHost: 169.254.169.254\r\nConnection: close\r\n"
SCRIPT = rf"""{NETWORK}
printf '{REQUEST}X-aws-ec2-metadata-token-ttl-seconds: 60\r\n\r\n' | nc -w 5 169.254.169.254 80 > /token
header="X-aws-ec2-metadata-token: $(cat /token | sed -n '$p')"
echo "USER DATA $(wget -q -O - --header "$header" http://169.254.169.254/latest/user-data)"
case "$(cat /proc/cmdline)" in *stays*) echo STAYING; sleep 600;; esac
"""


def image(parts, *, variant: str, command_line: str = "console=ttyS0 quiet") -> bytes:
    sections = [
        (".osrel", f'ID=test\nVARIANT_ID="{variant}"\n'.encode()),
        (".cmdline", command_line.encode()),
        (".uname", b"6.1.0-test"),
        (".linux", parts.kernel.read_bytes()),
        (".initrd", busybox_initrd(parts, SCRIPT)),
    ]
    return bytes(assemble_uki(parts.stub.read_bytes(), sections))


@pytest.fixture
def place(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "data").write_text("where = bundles")
    found = Place(tmp_path)
    yield found
    found.end_all()


def build(place: Place, efi: bytes, measured: bytes | None = None) -> None:
    """A folder as builds leave it."""
    (place.folder / "out").mkdir()
    (place.folder / "out/disk.raw").write_bytes(disk_of(efi))
    encoded = encode_measurements(measure_image(measured or efi, secure_boot=None))
    (place.folder / "out/pcr_measurements.json").write_bytes(encoded)


def test_a_rehearsal_boots_with_a_twin_of_its_own_and_measures_what_its_build_says(place, parts):
    build(place, image(parts, variant="rehearsal"))
    done = place.run("image", "boot", "out", "--user-data", "data", "--memory", "512", "--console", "log")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "USER DATA where = bundles" in done.stdout.splitlines()
    assert "The machine switched itself off after" in done.stdout
    assert f"As predicted ({place.folder}/out/pcr_measurements.json)." in done.stdout.replace(
        "(out", f"({place.folder}/out"
    )
    assert "production" not in done.stdout
    assert "\x1b" not in done.stdout
    log = (place.folder / "log").read_bytes()
    assert b"\x1b[2J" in log, "the file has every byte"
    assert (place.home / "tls-root.pem").exists(), "the twin's roots stay for the next boot"
    assert not (place.home / "running.json").exists()


def test_a_production_image_is_explained_and_another_boot_than_predicted_exits_with_1(place, parts):
    efi = image(parts, variant="production")
    build(place, efi, measured=image(parts, variant="rehearsal"))
    place.up()
    done = place.run("image", "boot", "out", "--memory", "512")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "This is a production image" in done.stdout
    assert "Another boot than predicted" in done.stdout
    assert "PCR 4." in done.stdout
    assert place.run("twin", "status").returncode == 0, "the twin that ran goes on"


def test_a_uki_that_goes_on_ends_with_ctrl_c_or_its_time_and_nothing_is_left(place, parts):
    efi = image(parts, variant="rehearsal", command_line="console=ttyS0 quiet stays")
    (place.folder / "image.efi").write_bytes(efi)
    found = place.json("image", "boot", "image.efi", "--memory", "512", "--timeout", "1", code=1)
    assert (found["ended"], found["prediction"]) == ("timed-out", "computed")
    assert 4 in found["differing"], "the firmware had not got as far"
    command = [sys.executable, "-m", "strongroom", "image", "boot", "image.efi", "--memory", "512"]
    process = subprocess.Popen(command, cwd=place.folder, env=place.environment, stdout=subprocess.PIPE)
    with ended(process), process.stdout as said:  # type: ignore[union-attr]
        lines = iter(said.readline, b"")
        assert any(line.strip() == b"STAYING" for line in lines)
        process.send_signal(signal.SIGINT)
        rest = said.read().decode()
        assert process.wait() == 0, rest
    assert "The machine was switched off after" in rest
    assert "As predicted (computed)." in rest
    wait_until(lambda: not machines(), "QEMU goes on")


def machines() -> list[int]:
    """Emulators whose parent has gone: nobody would end them."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            line, stat = (each / "cmdline").read_bytes(), (each / "stat").read_text()
        except OSError:
            continue
        if b"qemu-system" in line and stat.rpartition(")")[2].split()[1] == "1":
            found.append(int(each.name))
    return found
