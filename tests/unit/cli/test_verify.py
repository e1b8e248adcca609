# SPDX-License-Identifier: Apache-2.0
import json
from datetime import UTC, datetime, timedelta

import pytest
from tests.nitro_pki import (
    INSTANCE,
    NONCE,
    NOW,
    ORDER,
    PCR4,
    PCRS,
    Pki,
    document,
    enclave_document,
    enclave_pki,
    good_pki,
    root_pem,
)
from tests.verify_world import AT, CHALLENGED, RULES

from strongroom.cli.main import run


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "document").write_bytes(document())
    (tmp_path / "root").write_bytes(root_pem(good_pki()))
    measurements = {"HashAlgorithm": "SHA384", "PCR4": PCR4.hex(), "PCR7": PCRS[7].hex(), "PCR12": "00" * 48}
    (tmp_path / "measurements").write_text(json.dumps({"Measurements": measurements}))
    return tmp_path


@pytest.fixture
def verify(folder, capsys):
    def call(*options, root=True):
        roots = ["--root", str(folder / "root")] if root else []
        code = run(["verify", str(folder / "document"), *map(str, options), *roots])
        return code, capsys.readouterr()

    return call


def answer(result):
    return json.loads(result[1].out)


def test_a_good_document_is_trusted_as_of_the_time_that_was_given(verify):
    code, said = verify(*RULES, *CHALLENGED, *AT)
    assert code == 0
    assert said.out.startswith("TRUSTED AS OF THEN: ")
    assert "AUTHENTIC ONLY" not in said.out


def test_json_says_what_the_document_says(verify):
    result = verify(*RULES, *CHALLENGED, *AT, "--json")
    said = answer(result)
    assert said["ok"] is True
    assert (said["verdict"], said["instance_id"], said["nonce"]) == ("trusted-as-of-then", INSTANCE, NONCE.hex())
    assert said["pcrs"]["4"] == PCR4.hex()


def test_a_measurements_file_of_awss_is_a_policy(verify, folder):
    code, said = verify("--measurements", folder / "measurements", *CHALLENGED, *AT)
    assert code == 0
    assert said.out.count("taken as its constant") == 2  # PCR2 and PCR13
    (folder / "measurements").write_text((folder / "measurements").read_text().replace(PCR4.hex(), "11" * 48))
    code, said = verify("--measurements", folder / "measurements", *CHALLENGED, *AT)
    assert (code, "pcr.mismatch" in said.err) == (5, True)


@pytest.mark.attack("A25")
def test_without_a_policy_there_is_no_verdict(verify):
    code, said = verify(*CHALLENGED, *AT)
    assert code == 2
    assert "[verify.no-policy]" in said.err
    assert not said.out


@pytest.mark.attack("A25")
def test_authentic_only_is_said_loudly_and_compares_nothing(verify):
    code, said = verify("--authentic-only", *AT)
    assert code == 0
    assert said.out.startswith("AUTHENTIC ONLY: ")
    assert "NOTHING ELSE WAS LOOKED AT" in said.out
    assert "TRUSTED" not in said.out
    assert answer(verify("--authentic-only", *AT, "--json"))["verdict"] == "authentic-only"


@pytest.mark.attack("A25")
@pytest.mark.parametrize(
    "extra",
    [RULES[:1], CHALLENGED, ["--no-nonce"], ["--max-age", "1h"], ["--allow-partial"], ["--measurements", "x"]],
)
def test_authentic_only_stands_alone(verify, extra):
    code, said = verify("--authentic-only", *extra)
    assert (code, "[verify.contradiction]" in said.err) == (2, True)


@pytest.mark.attack("A2")
def test_the_nonce_is_given_or_left_out_by_name(verify):
    for nonce in ([], ["--nonce", NONCE.hex(), "--no-nonce"]):
        code, said = verify(*RULES, *nonce, *AT)
        assert (code, "[verify.nonce]" in said.err) == (2, True)
    code, said = verify(*RULES, "--no-nonce", *AT)
    assert (code, "no nonce was compared" in said.out) == (0, True)
    assert verify(*RULES, "--nonce", "", *AT)[0] == 2
    assert verify(*RULES, "--nonce", "abc", *AT)[0] == 2
    code, said = verify(*RULES, "--nonce", "00" * 32, *AT, "--json")
    assert code == 5
    assert [f["code"] for f in json.loads(said.out)["error"]["findings"]] == ["nonce.mismatch"]


def test_rules_are_whole_unless_said_otherwise(verify):
    code, said = verify(RULES[1], *CHALLENGED, *AT)
    assert (code, "[policy.partial]" in said.err) == (2, True)
    code, said = verify(RULES[1], "--allow-partial", *CHALLENGED, *AT)
    assert (code, "WARNING policy.partial: expected the gate set" in said.out) == (0, True)


@pytest.mark.parametrize(
    "rule", ["4", "4=", "x=00", "4=0", "4=zz", "-1=00", "4=00", "16=" + "00" * 48, "99=" + "00" * 48]
)
def test_bad_rules_are_usage_errors(verify, rule):
    assert verify(*RULES, f"--pcr={rule}", *CHALLENGED, *AT)[0] == 2


def test_one_kind_of_policy_at_a_time(verify, folder):
    code, said = verify(*RULES, "--measurements", folder / "measurements", *CHALLENGED, *AT)
    assert (code, "[verify.two-policies]" in said.err) == (2, True)
    assert "found --measurements and --pcr" in said.err
    assert "any_of" in said.err
    assert "without a policy" not in said.err


@pytest.mark.attack("A3")
def test_age_is_measured_against_the_given_time(verify):
    later = ["--at", (NOW + timedelta(minutes=6)).isoformat()]
    code, said = verify(*RULES, *CHALLENGED, *later)
    assert (code, "age.too-old" in said.err) == (5, True)
    assert verify(*RULES, *CHALLENGED, *later, "--max-age", "6m")[0] == 0
    assert verify(*RULES, *CHALLENGED, *later, "--max-age", "360s")[0] == 0


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_time_beyond_the_calendar_is_refused(verify, time):
    code, said = verify(*RULES, *CHALLENGED, "--at", time)
    assert (code, "[verify.time]" in said.err) == (2, True)


@pytest.mark.parametrize("options", [["--at", "yesterday"], ["--at", "2026-06-01T12:00:00"], ["--max-age", "5"]])
def test_times_are_exact(verify, options):
    code, said = verify(*RULES, *CHALLENGED, *options)
    assert (code, "[verify." in said.err) == (2, True)


@pytest.mark.attack("A4")
def test_the_documents_own_time_is_said_to_be_that(verify):
    code, said = verify(*RULES, *CHALLENGED, "--at", "document")
    assert code == 0
    assert said.out.startswith("TRUSTED AS OF THEN: ")
    assert "says nothing about today" in said.out
    assert answer(verify(*RULES, *CHALLENGED, "--at", "document", "--json"))["verdict"] == "trusted-as-of-then"


@pytest.mark.attack("A4")
def test_a_time_that_was_given_is_said_to_be_that(verify):
    for options in ((*RULES, *CHALLENGED), ("--authentic-only",)):
        assert "as of the time that --at gave" in " ".join(answer(verify(*options, *AT, "--json"))["notices"])


def test_now_is_the_clock(verify, folder):
    assert verify(*RULES, *CHALLENGED)[0] == 4
    assert verify(*RULES, *CHALLENGED, "--at", "now")[0] == 4
    now = datetime.now(UTC)
    current = Pki(**{name: {"begins": now - timedelta(hours=1), "ends": now + timedelta(hours=1)} for name in ORDER})
    (folder / "document").write_bytes(document(current, timestamp=now))
    (folder / "root").write_bytes(root_pem(current))
    assert verify(*RULES, *CHALLENGED)[0] == 0


@pytest.mark.attack("A14")
@pytest.mark.parametrize(("option", "field"), [("--public-key", "public_key"), ("--user-data", "user_data")])
def test_bound_fields_are_compared_with_files(verify, folder, option, field):
    (folder / "document").write_bytes(document(**{field: b"these bytes"}))
    (folder / "field").write_bytes(b"these bytes")
    assert verify(*RULES, *CHALLENGED, *AT, option, folder / "field")[0] == 0
    (folder / "field").write_bytes(b"these bytes\n")
    assert verify(*RULES, *CHALLENGED, *AT, option, folder / "field")[0] == 5


@pytest.mark.attack("K15")
def test_the_twins_root_is_trusted_only_when_named(verify):
    code, said = verify(*RULES, *CHALLENGED, *AT, root=False)
    assert (code, "[chain.unknown-root]" in said.err) == (4, True)


@pytest.mark.attack("A11")
def test_enclave_documents_have_their_own_option(verify, folder):
    pki = enclave_pki()
    (folder / "document").write_bytes(enclave_document(pki, nonce=NONCE))
    (folder / "root").write_bytes(root_pem(pki))
    rule = f"--pcr=0={'01' * 48}"
    assert verify(rule, *CHALLENGED, *AT, "--enclave")[0] == 0
    assert verify("--authentic-only", *AT, "--enclave")[0] == 0
    assert verify("--authentic-only", *AT)[0] == 3
    assert verify(f"--pcr=0={'02' * 48}", *CHALLENGED, *AT, "--enclave")[0] == 5
    assert verify("--measurements", folder / "measurements", *CHALLENGED, *AT, "--enclave")[0] == 2
    (folder / "document").write_bytes(document())
    assert verify("--authentic-only", *AT, "--enclave")[0] == 3


def test_files_that_cannot_be_read_are_one_clear_line(verify, folder):
    for make, code in (
        (lambda path: path.unlink(), 9),
        (lambda path: path.mkdir(), 9),
        (lambda path: (path.rmdir(), path.write_bytes(b"")), 3),
        (lambda path: path.write_bytes(b"hello there, world"), 3),
        (lambda path: path.write_bytes(bytes(20_000)), 3),
    ):
        make(folder / "document")
        found, said = verify("--authentic-only", *AT)
        assert found == code
        assert said.err.startswith("strongroom: ")
        assert not said.out


def test_genuine_documents_through_the_command(genuine_vectors, capsys):
    files = sorted((genuine_vectors / "documents").glob("*.cbor"))
    assert len(files) == 16
    for file in files:
        tpm, bad = file.name.startswith("nitrotpm"), "-BAD" in file.name
        plain = run(["verify", str(file), "--authentic-only", "--at", "document"])
        enclave = run(["verify", str(file), "--authentic-only", "--at", "document", "--enclave"])
        today = run(["verify", str(file), "--authentic-only", *([] if tpm else ["--enclave"])])
        capsys.readouterr()
        assert plain == (0 if tpm else 3)
        if bad:
            assert enclave == today == (3 if "e388022c" in file.name else 4)
        else:
            assert (enclave, today) == (3 if tpm else 0, 4)
