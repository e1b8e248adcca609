# SPDX-License-Identifier: Apache-2.0
"""`strongroom inspect` for unified kernel images, disks and measurements files."""

from __future__ import annotations

import hashlib
import json

import pytest
from tests.disks import VAR, Part, gpt_disk, mbr_disk, partition
from tests.fat_volumes import make_fat
from tests.images import AARCH64, make_pe, make_uki, with_certificates

from strongroom.cli.main import run
from strongroom.formats.measurements import encode_aws_measurements, encode_measurements
from strongroom.measure.predict import measure_image

UKI = make_uki(osrel=b'ID=debian\nPRETTY_NAME="Debian"\n', cmdline=b"quiet roothash=" + b"Ab" * 32 + b"\n\0")
MEASUREMENTS = measure_image(UKI, secure_boot=None)


def esp(**beside: object) -> bytes:
    return make_fat({"EFI": {"BOOT": {"BOOTX64.EFI": UKI}}, **beside}).data  # type: ignore[dict-item]


@pytest.fixture
def shown(tmp_path, capsys):
    def call(data: bytes) -> str:
        (tmp_path / "file").write_bytes(data)
        assert run(["inspect", str(tmp_path / "file")]) == 0
        return str(capsys.readouterr().out)

    return call


@pytest.fixture
def facts(tmp_path, capsys):
    def call(data: bytes) -> dict:
        (tmp_path / "file").write_bytes(data)
        assert run(["inspect", "--json", str(tmp_path / "file")]) == 0
        answer = json.loads(capsys.readouterr().out)
        assert (answer["ok"], answer["verified"]) == (True, False)
        return dict(answer)

    return call


@pytest.fixture
def refused(tmp_path, capsys):
    def call(data: bytes) -> str:
        (tmp_path / "file").write_bytes(data)
        assert run(["inspect", str(tmp_path / "file")]) == 3
        return str(capsys.readouterr().err)

    return call


def test_a_unified_kernel_image_is_shown_in_plain_words(shown):
    out = shown(UKI)
    assert out.startswith(
        "This is a unified kernel image. Unverified: anybody can write such a file. `strongroom measure`"
    )
    for words in (
        "Architecture: x86_64",
        "Signatures:   none",
        "Stub:         systemd-stub 252.39-1~deb12u2",
        f"Command line: quiet roothash={'Ab' * 32}\n",
        f"Root hash:    {'ab' * 32}",
        '  PRETTY_NAME="Debian"',
    ):
        assert words in out
    assert "authentic" not in out.split("\n", 1)[1].replace("Authenticode", "")


def test_every_section_is_listed_with_its_size_and_digest(facts):
    answer = facts(UKI)
    assert answer["kind"] == "uki"
    kernel = next(section for section in answer["sections"] if section["name"] == ".linux")
    assert kernel == {"name": ".linux", "bytes": 1536, "sha384": hashlib.sha384(make_pe()).hexdigest()}
    assert [section["name"] for section in answer["sections"]][:3] == [".text", ".osrel", ".cmdline"]
    assert answer["authenticode_sha384"] == MEASUREMENTS.strongroom.uki_digest
    assert answer["root_hash"] == "ab" * 32
    assert answer["os_release"] == 'ID=debian\nPRETTY_NAME="Debian"'


def test_signatures_are_counted_and_not_verified(facts, shown):
    signed = with_certificates(UKI, b"one", b"two")
    assert facts(signed)["signatures"] == 2
    assert "Signatures:   2" in shown(signed)
    assert facts(signed)["authenticode_sha384"] == facts(UKI)["authenticode_sha384"]


@pytest.mark.attack("B1")
def test_a_stub_that_is_not_known_is_said_to_be_not_attestable(facts, shown):
    unknown = make_uki(version=None)
    assert "Stub:         not attestable: expected a stub that names itself" in shown(unknown)
    answer = facts(unknown)
    assert (answer["stub"], answer["stub_version"]) == ("", "")
    assert answer["stub_problem"]


def test_an_image_without_root_hash_or_command_line_is_said_to_have_none(shown):
    out = shown(make_uki(drop=[".cmdline", ".osrel"]))
    assert "Command line: none" in out
    assert "only what is in the image is bound" in out
    assert "not said" in out


def test_another_efi_program_is_no_unified_kernel_image(facts, shown):
    assert "This is an EFI program, and no unified kernel image." in shown(make_pe())
    assert facts(make_pe(machine=AARCH64))["architecture"] == "arm64"
    assert facts(make_pe(machine=0x14C))["architecture"] == "0x014c"
    assert facts(make_pe())["kind"] == "efi-program"


def test_a_malformed_image_is_malformed(refused):
    assert "[pe.truncated]" in refused(UKI[:70])
    assert "[uki.duplicate-section]" in refused(make_pe([(".linux", b"a"), (".linux", b"b")]))


@pytest.mark.attack("A16")
def test_an_image_cannot_speak_to_the_terminal(shown):
    out = shown(make_uki(cmdline=b"\x1b[2Jok\x07", osrel=b"ID=\x9b0m\n"))
    assert all(character.isprintable() for line in out.split("\n") for character in line)
    assert r"\x1b[2Jok\x07" in out


def test_a_disk_is_shown_with_its_partitions_and_what_boots(shown, facts):
    disk = gpt_disk(partition(esp(startup=b"", **{"startup.nsh": b""}), name="esp"), Part(500, 2547, "data", VAR))
    out = shown(disk)
    assert out.startswith("This is a raw disk image. Unverified: anybody can write such a file. `strongroom measure`")
    assert "a GUID partition table; sectors of 512 bytes" in out
    assert '  1  "esp", EFI system partition, at 0.0 MiB, 0.0 MiB (00000000-0000-0000-0000-000000000001)' in out
    assert '  2  "data", /var, at 0.2 MiB, 1.0 MiB' in out
    assert 'boots \\EFI\\BOOT\\BOOTX64.EFI on partition 1 ("esp"): 6,144 bytes' in out
    assert "disk.mounted-by-type" in out
    answer = facts(disk)
    assert (answer["kind"], answer["scheme"], answer["sector_bytes"]) == ("disk", "gpt", 512)
    assert answer["boots"] == {"path": "\\EFI\\BOOT\\BOOTX64.EFI", "partition": 1, "size_bytes": len(UKI)}
    assert answer["boot_problem"] is None
    assert [finding["code"] for finding in answer["findings"]] == ["disk.mounted-by-type", "disk.shell-script"]
    assert answer["partitions"][1] == {
        "number": 2,
        "name": "data",
        "type": str(VAR),
        "meaning": "/var",
        "guid": "00000000-0000-0000-0000-000000000002",
        "offset_bytes": 500 * 512,
        "size_bytes": 1 << 20,
    }


@pytest.mark.attack("A16")
def test_the_name_of_a_partition_cannot_end_its_quotes(shown):
    out = shown(gpt_disk(partition(esp(), name='a", boots nothing: "b')))
    assert r'  1  "a\x22, boots nothing: \x22b", EFI system partition' in out
    assert '", boots nothing' not in out


def test_a_disk_of_which_it_cannot_be_told_what_boots_is_shown_all_the_same(shown, facts):
    disk = gpt_disk(partition(esp(), name="a"), partition(esp(), first=200, name="b"))
    assert "What firmware boots from it cannot be told: expected one file" in shown(disk)
    answer = facts(disk)
    assert len(answer["partitions"]) == 2
    assert (answer["boots"], answer["boot_problem"]["code"]) == (None, "disk.ambiguous")


@pytest.mark.parametrize(
    ("disk", "scheme", "words"),
    [(esp(), "whole-disk", "no partition table"), (mbr_disk((0xEF, esp())), "mbr", "a master boot record")],
)
def test_other_layouts_are_named(disk, scheme, words, shown, facts):
    assert words in shown(disk)
    assert facts(disk)["scheme"] == scheme
    assert len(facts(disk)["partitions"]) == (scheme == "mbr")


def test_a_disk_whose_partitions_are_not_clear_is_malformed(refused):
    disk = gpt_disk(partition(esp()))
    assert "[gpt.no-backup]" in refused(disk[:-512] + bytes(512))


def test_measurements_are_shown_with_a_sentence_for_each_pcr(shown, facts):
    out = shown(encode_measurements(MEASUREMENTS))
    assert out.startswith("This is a measurements file. Unverified: anybody can write such a file. Compare")
    for index, digest in MEASUREMENTS.pcrs.items():
        value, sentence = out.split(f"PCR{index:<3} ", 1)[1].splitlines()[:2]
        assert value == digest.hex()
        assert ": " in sentence
    assert "EFI drivers that ran before" in out
    assert "assumed" not in out
    assert "Stub: systemd-stub 252.39-1~deb12u2" in out
    assert "To gate on: PCR 2, 4, 12, 13." in out
    answer = facts(encode_measurements(MEASUREMENTS))
    assert (answer["kind"], answer["assumed"], answer["gates"]) == ("measurements", [], [2, 4, 12, 13])
    assert answer["measurements"]["PCR4"] == MEASUREMENTS.pcrs[4].hex()
    assert answer["strongroom"]["architecture"] == "x86_64"


def test_what_aws_leaves_out_is_marked_as_assumed(shown, facts):
    out = shown(encode_aws_measurements(MEASUREMENTS))
    assumed = [line.split()[0] for line in out.splitlines() if "assumed: the file does not name it" in line]
    assert assumed == ["PCR2", "PCR13"]
    answer = facts(encode_aws_measurements(MEASUREMENTS))
    assert (answer["assumed"], answer["strongroom"]) == ([2, 13], None)


def test_a_malformed_measurements_file_is_malformed(refused):
    assert "[measurements.not-hex]" in refused(encode_measurements(MEASUREMENTS).replace(b'"PCR4": "', b'"PCR4": "zz'))


def test_json_of_another_kind_is_not_taken_for_measurements(refused):
    assert "found what looks like JSON text" in refused(b'{"Version": "2012-10-17"}')
