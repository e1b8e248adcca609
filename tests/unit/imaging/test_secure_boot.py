# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
import sys
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import lief
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tests.code_signer import LyingSigner, image_signer, self_signed
from tests.images import make_pe, make_uki, with_certificates
from tests.processes import program

from strongroom.errors import FormatError, NotAuthentic, NotTrusted, UsageError
from strongroom.formats.ber import encode_definite
from strongroom.formats.efi import content_of_signed_update, is_signed_update, signature_list_of_certificate
from strongroom.formats.pe import parse_pe
from strongroom.formats.uefi_data import read_uefi_data
from strongroom.imaging.secure_boot import (
    MAX_UEFI_DATA_CHARACTERS,
    encode_key_files,
    expect_bootable,
    expect_keys_apart,
    key_variables,
    sign_image,
    sign_update,
)
from strongroom.measure.authenticode import authenticode_digest
from strongroom.measure.secure_boot import SecureBootKeys
from strongroom.measure.uefi_variables import keys_of_predicted_boot

OWNER = uuid.UUID("11111111-2222-3333-4444-555555555555")
EPOCH = 1_700_000_000
IMAGE = make_uki()


def lists(*names: str) -> bytes:
    return b"".join(signature_list_of_certificate(self_signed(name), OWNER) for name in names)


KEYS = SecureBootKeys(pk=lists("owner"), kek=lists("owner"), db=lists("db"))


def in_pem(certificate: bytes) -> bytes:
    return x509.load_der_x509_certificate(certificate).public_bytes(Encoding.PEM)


def run(*command: object) -> str:
    done = subprocess.run([*map(str, command)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def code_of(error, call, *arguments, **named):
    with pytest.raises(error) as caught:
        call(*arguments, **named)
    return caught.value.code


@pytest.mark.parametrize("bits", [2048, 4096])
def test_others_verify_the_signature_of_an_image(bits):
    binary = lief.PE.parse(list(sign_image(IMAGE, image_signer(bits=bits))))
    assert binary.verify_signature() == lief.PE.Signature.VERIFICATION_FLAGS.OK


def test_a_changed_image_is_not_what_was_signed():
    signed = bytearray(sign_image(IMAGE, image_signer()))
    signed[signed.index(b"ID=test")] ^= 1
    assert lief.PE.parse(list(signed)).verify_signature() & lief.PE.Signature.VERIFICATION_FLAGS.BAD_DIGEST


def test_the_same_key_signs_the_same_bytes_and_leaves_the_measured_digest_alone():
    signed = sign_image(IMAGE, image_signer())
    assert signed == sign_image(IMAGE, image_signer())
    assert authenticode_digest(parse_pe(signed)) == authenticode_digest(parse_pe(IMAGE))


@pytest.mark.slow
def test_sbverify_takes_it_for_the_certificate_of_its_key_alone(tmp_path):
    (tmp_path / "signed").write_bytes(sign_image(IMAGE, image_signer()))
    (tmp_path / "certificate").write_bytes(in_pem(self_signed("db")))
    verify = (program("sbverify"), "--cert")
    assert "Signature verification OK" in run(*verify, tmp_path / "certificate", tmp_path / "signed")
    (tmp_path / "other").write_bytes(in_pem(self_signed("owner")))
    with pytest.raises(AssertionError, match="verification failed"):
        run(*verify, tmp_path / "other", tmp_path / "signed")


@pytest.mark.parametrize(
    "image",
    [with_certificates(IMAGE, b"signature"), make_pe(directories=4), make_pe(tail=b"odd")],
    ids=["signed", "no entry", "odd length"],
)
def test_an_image_without_a_place_for_a_signature_is_refused(image):
    assert code_of(FormatError, sign_image, image, image_signer()) == "pe.not-signable"


def test_a_signer_with_another_key_than_its_certificate_is_found_out_before_anything_is_written():
    assert code_of(NotAuthentic, sign_image, IMAGE, LyingSigner(self_signed("db"))) == "secure-boot.other-key"


def test_an_image_that_its_keys_would_not_boot_is_refused():
    signed = sign_image(IMAGE, image_signer())
    expect_bootable(signed, KEYS)
    assert code_of(NotTrusted, expect_bootable, IMAGE, KEYS) == "measure.unsigned"
    assert code_of(NotTrusted, expect_bootable, signed, replace(KEYS, db=lists("owner"))) == "measure.no-authority"
    assert code_of(NotTrusted, expect_bootable, signed, replace(KEYS, dbx=lists("db"))) == "measure.forbidden"


def test_keys_are_written_as_lists_and_as_uefi_data_that_says_the_same():
    files = encode_key_files(KEYS)
    assert {name: files[name] for name in files if name.endswith(".esl")} == {
        "PK.esl": KEYS.pk,
        "KEK.esl": KEYS.kek,
        "db.esl": KEYS.db,
    }
    variables = read_uefi_data(files["uefi-data.b64"])
    assert variables == key_variables(KEYS)
    assert keys_of_predicted_boot(variables) == KEYS


@pytest.mark.slow
def test_aws_own_program_writes_the_same_variables(tmp_path):
    for name, content in (("PK", KEYS.pk), ("KEK", KEYS.kek), ("db", KEYS.db)):
        (tmp_path / name).write_bytes(content)
    options = [word for name in ("PK", "KEK", "db") for word in (f"--{name}", tmp_path / name)]
    run(Path(sys.executable).with_name("uefivars"), "-i", "none", "-o", "aws", "-O", tmp_path / "blob", *options)
    theirs = read_uefi_data((tmp_path / "blob").read_bytes())
    assert {(each.name, each.vendor, each.attributes, each.data) for each in theirs} == {
        (each.name, each.vendor, each.attributes, each.data) for each in key_variables(KEYS)
    }


def test_more_keys_than_an_image_can_be_registered_with_are_refused():
    noise = replace(KEYS, dbx=signature_list_of_certificate(os.urandom(MAX_UEFI_DATA_CHARACTERS), OWNER))
    assert code_of(UsageError, encode_key_files, noise) == "secure-boot.uefi-data"


def test_an_update_says_when_it_was_made_and_carries_its_content():
    update = sign_update("db", KEYS.db, image_signer("owner"), epoch=EPOCH)
    assert update == sign_update("db", KEYS.db, image_signer("owner"), epoch=EPOCH)
    assert is_signed_update(update)
    assert content_of_signed_update(update) == KEYS.db
    moment = datetime.fromtimestamp(EPOCH, UTC)
    assert update[:7] == moment.year.to_bytes(2, "little") + bytes(moment.timetuple()[1:6])
    assert update[7:16] == bytes(9)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["PK", "KEK", "db", "dbx"])
def test_openssl_verifies_an_update_over_what_firmware_puts_together(tmp_path, name):
    guid = "d719b2cb-3d3a-4596-a3bc-dad00e67656f" if name.startswith("db") else "8be4df61-93ca-11d2-aa0d-00e098032b8c"
    update = sign_update(name, KEYS.db, image_signer("owner"), epoch=EPOCH)
    length = int.from_bytes(update[16:20], "little")
    inner = update[40 : 16 + length]
    whole = encode_definite(0x30, bytes.fromhex("06092a864886f70d010702") + encode_definite(0xA0, inner))
    (tmp_path / "signature").write_bytes(whole)
    attributes = (0x27).to_bytes(4, "little")
    message = name.encode("utf-16-le") + uuid.UUID(guid).bytes_le + attributes + update[:16] + KEYS.db
    verify = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", tmp_path / "signature", "-noverify"]
    (tmp_path / "message").write_bytes(message)
    run(*verify, "-content", tmp_path / "message", "-out", "/dev/null")
    (tmp_path / "message").write_bytes(message + b"x")
    with pytest.raises(AssertionError):
        run(*verify, "-content", tmp_path / "message", "-out", "/dev/null")


def test_keys_that_lie_where_the_image_is_copied_from_are_refused(tmp_path):
    (tmp_path / "tree").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "tree")
    expect_keys_apart([tmp_path / "tree.key"], [tmp_path / "tree"])
    for key in (tmp_path / "tree" / "db.key", tmp_path / "link" / "db.key"):
        code = code_of(UsageError, expect_keys_apart, [key], [tmp_path / "tree"])
        assert code == "secure-boot.key-in-image"
    file = tmp_path / "db.key"
    assert code_of(UsageError, expect_keys_apart, [file], [file]) == "secure-boot.key-in-image"
