# SPDX-License-Identifier: Apache-2.0
"""Commands that read several files say which of them is not what it should be, and what it looks like."""

from pathlib import Path

import pytest
from tests.images import make_uki
from tests.nitro_pki import document
from tests.verify_world import AT, CHALLENGED, GATES, make_world, measured

from strongroom.cli.main import run

ZIP = b"PK\x03\x04 and so on"
VERIFY = ("verify", "document", "--authentic-only", *AT)


IDENTITY = b'{"accountId": "1", "instanceId": "i", "pendingTime": "t"}'


@pytest.fixture
def world(tmp_path, capsys, monkeypatch):
    world = make_world(tmp_path, capsys)
    world.write("measurements", measured())
    world.write("rules", {"version": 1, "pcrs": GATES})
    world.write("wrong", ZIP)
    monkeypatch.chdir(tmp_path)
    return world


@pytest.mark.parametrize(
    "arguments",
    [
        (*VERIFY, "--deny", "wrong"),
        (*VERIFY, "--root", "wrong"),
        ("verify", "document", "--policy", "wrong", *CHALLENGED),
        ("verify", "document", "--measurements", "measurements", "--measurements", "wrong", *CHALLENGED),
        ("explain", "--measurements", "wrong", "--document", "document", "--root", "root"),
        ("explain", "--measurements", "measurements", "--document", "document", "--root", "wrong"),
        ("explain", "--measurements", "measurements", "--document", "wrong"),
        ("explain", "--measurements", "measurements", "--event-log", "wrong"),
        ("verify", "wrong", "--measurements", "measurements", "--no-nonce"),
        ("explain", "--measurements", "measurements", "--image", "wrong"),
        ("explain", "--image", "wrong", "--document", "document", "--uefi-data", "wrong"),
        ("identity", "verify", "wrong", "--rsa2048", "root"),
    ],
)
def test_the_wrong_one_of_several_files_is_named(world, arguments):
    assert run(arguments) == 3
    said = world.capsys.readouterr()
    assert said.out == ""
    first, *_ = said.err.splitlines()
    assert "wrong" in first
    assert "a ZIP archive" in first


@pytest.mark.parametrize("kept", [document()[:3000], make_uki()[:70], ZIP], ids=["document", "image", "another-kind"])
def test_what_cannot_be_inspected_is_named(world, kept):
    (world.folder / "folder").mkdir()
    world.write("folder/kept", kept)
    assert run(["inspect", "folder/kept"]) == 3
    said = world.capsys.readouterr()
    assert (said.out, said.err.startswith("strongroom: folder/kept: ")) == ("", True)


@pytest.mark.parametrize(
    ("contents", "reader"),
    [
        (IDENTITY, "an instance identity document, which `strongroom identity verify` reads"),
        (make_uki(), "a PE image (an EFI program or a unified kernel image), which `strongroom measure` reads"),
        (b"\x89SRB\r\n\x1a\n\0\1", "a Strongroom bundle, which the agent of an instance opens"),
        (b'{"Measurements": {}}', "a measurements file, which `strongroom verify` takes with --measurements"),
    ],
)
def test_what_is_no_document_is_named_with_what_reads_it(world, contents, reader):
    world.write("wrong", contents)
    assert run(["verify", "wrong", "--authentic-only"]) == 3
    said = world.capsys.readouterr().err
    assert said.startswith("strongroom: wrong: expected an attestation document (a COSE_Sign1 message), found what")
    assert f"looks like {reader}, beginning at byte 0 [document.not-a-document]" in said


@pytest.mark.parametrize(
    "arguments", [("measure", "measurements"), ("explain", "--document", "document", "--image", "measurements")]
)
def test_what_is_no_image_is_named_with_what_reads_it(world, arguments):
    assert run([*arguments, *(("--root", "root") if "explain" in arguments else ())]) == 3
    assert (
        "in measurements, found a measurements file, which `strongroom verify` takes" in world.capsys.readouterr().err
    )


def test_what_is_no_root_is_named_in_our_own_words(world):
    world.write("wrong", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    for root, words in (
        ("document", "an attestation document"),
        ("wrong", "a PEM certificate, whose contents"),
    ):
        assert run([*VERIFY, "--root", root]) == 3
        said = world.capsys.readouterr().err
        assert words in said
        assert "http" not in said


def test_uefi_data_that_is_none_is_named(world):
    world.write("image", make_uki())
    for option in ("--uefi-data", "--pk"):
        assert run(["measure", "image", option, "measurements"]) == 3
        assert world.capsys.readouterr().err.startswith("strongroom: measurements: ")


def test_a_measurements_file_that_a_policy_lacks_is_said_to_be_the_policys(world):
    world.write("policy", {"version": 1, "measurements": "nosuch.json"})
    assert run(["verify", "document", "--policy", "policy", *CHALLENGED]) == 9
    said = world.capsys.readouterr().err
    assert "expected a file at nosuch.json, found nothing: the policy policy names it as 'nosuch.json'" in said
    assert "count from its own folder. `strongroom measure IMAGE -o FILE` writes one." in said


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (("--measurements", "nosuch", "--document", "document", "--root", "root"), "`strongroom measure IMAGE"),
        (("--measurements", "measurements", "--event-log", "nosuch"), "binary_bios_measurements"),
    ],
)
def test_what_is_missing_comes_with_what_makes_it_where_that_is_known(world, arguments, remedy):
    assert run(["explain", *arguments]) == 9
    assert remedy in world.capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("verify", "-", "--authentic-only"),
        ("inspect", "-"),
        ("tpm", "seal", "measurements", "-o", "-"),
        ("tpm", "unseal", "-", "-o", "secret"),
    ],
    ids=" ".join,
)
def test_a_dash_is_no_file_and_makes_none(world, arguments):
    assert run(arguments) == 2
    assert "/dev/stdin is standard input" in world.capsys.readouterr().err
    assert not Path("-").exists()


def test_a_file_that_is_called_a_dash_has_a_path(world):
    world.write("-", measured())
    assert run(["inspect", "./-"]) == 0


def test_a_file_in_the_place_of_a_nonce_comes_with_how_to_write_its_bytes(world):
    assert run(["verify", "document", "--measurements", "measurements", "--nonce", "nonce.bin"]) == 2
    assert "xxd -p" in world.capsys.readouterr().err
