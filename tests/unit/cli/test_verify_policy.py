# SPDX-License-Identifier: Apache-2.0
"""`strongroom verify --policy`: the file decides, the options beside it too, and whoever is refused learns why."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from tests.nitro_pki import ENCLAVE_MODULE, INSTANCE, NOW, PCR4, PCRS, REGION, Pki, document, enclave_document
from tests.verify_world import AT, CHALLENGED, GATES, OTHER, make_world, measured

PAGE = Path(__file__).parents[3] / "docs/formats/appraisal-policy.md"


@pytest.fixture
def world(tmp_path, capsys):
    return make_world(tmp_path, capsys)


def test_a_document_that_fits_is_trusted(world):
    world.write("images/1.json", measured())
    policy = world.policy(
        name="acme",
        max_age="2m",
        regions=[REGION],
        any_of=[{"name": "2", "pcrs": GATES | {"4": [OTHER]}}, {"name": "1", "measurements": "images/1.json"}],
    )
    code, out, err = world.verify("--policy", policy, *CHALLENGED, *AT)
    assert (code, err) == (0, "")
    assert out.startswith("TRUSTED AS OF THEN: ")
    assert out.count("taken as its constant") == 2
    assert "\n  fits: 1\n" in out
    assert json.loads(world.verify("--policy", policy, *CHALLENGED, *AT, "--json")[1])["matched"] == ["1"]


def test_of_two_measurements_the_one_that_fits_is_named(world):
    files = [world.write(f"{n}.json", measured(**pcrs)) for n, pcrs in ((1, {"PCR4": OTHER}), (2, {}))]
    code, out, _ = world.verify("--measurements", files[0], "--measurements", files[1], *CHALLENGED, *AT)
    assert (code, f"\n  fits: {files[1]}\n" in out) == (0, True)


def test_the_example_of_the_documentation_works(world):
    (example,) = re.findall(r"^```json\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    policy = world.write("policy.json", example.encode())
    world.write("images/1.4.json", measured())
    code, out, err = world.verify("--policy", policy, *CHALLENGED, *AT)
    assert (code, err, "WARNING" in out) == (0, "", False)
    world.write("images/1.4.json", measured(PCR4=OTHER[:-1] + "2"))
    code, _, err = world.verify("--policy", policy, *CHALLENGED, *AT)
    assert (code, "from: acme, production > 1.4 (nearest of 3)" in err) == (5, True)


def test_a_measurements_file_is_looked_for_beside_the_policy(world, monkeypatch, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    world.write("images/1.json", measured())
    assert world.verify("--policy", world.policy(measurements="images/1.json"), *CHALLENGED, *AT)[0] == 0
    absolute = str(tmp_path / "images/1.json")
    assert world.verify("--policy", world.policy(measurements=absolute), *CHALLENGED, *AT)[0] == 0
    code, _, err = world.verify("--policy", world.policy(measurements="1.json"), *CHALLENGED, *AT)
    assert (code, "[file.missing]" in err) == (9, True)


def test_a_refusal_names_the_part_of_the_policy_and_the_pcr_in_words(world):
    policy = world.policy(
        name="acme", any_of=[{"name": "1.4", "pcrs": GATES | {"4": [OTHER]}}, {"pcrs": {n: [OTHER] for n in GATES}}]
    )
    code, out, err = world.verify("--policy", policy, *CHALLENGED, *AT)
    assert (code, out) == (5, "")
    lines = err.splitlines()
    assert lines[0] == "strongroom: the document is authentic and not trusted: 1 reason [pcr.mismatch]"
    assert lines[1] == f"  pcr.mismatch: expected PCR4 = {OTHER}, found {PCR4.hex()}"
    assert lines[2] == "      from: acme > 1.4 (nearest of 2)"
    assert lines[3].startswith("      PCR4 is every EFI program that was started: ")
    assert "`strongroom explain`" in lines[4]


@pytest.mark.parametrize(
    ("members", "codes"),
    [
        ({"regions": ["us-east-1"]}, ["region.mismatch"]),
        ({"instances": ["i-00000000000000001"]}, ["instance.mismatch"]),
        ({"regions": [REGION], "instances": [INSTANCE]}, []),
        ({"all_of": [{"regions": ["us-east-1"]}, {"pcrs": {"12": [OTHER]}}]}, ["region.mismatch", "pcr.mismatch"]),
        ({"any_of": [{"regions": ["us-east-1"]}, {"regions": [REGION]}]}, []),
    ],
)
def test_each_rule_of_the_file_is_compared(world, members, codes):
    code, out, _ = world.verify("--policy", world.policy(pcrs=GATES, **members), *CHALLENGED, *AT, "--json")
    said = json.loads(out)
    found = said["error"]["findings"] if code else said["findings"]
    assert (code, [finding["code"] for finding in found]) == (5 if codes else 0, codes)


@pytest.mark.attack("A3")
@pytest.mark.parametrize(
    ("policy_age", "option", "minutes"),
    [(None, None, 5), ("2m", None, 2), ("10m", None, 10), ("10m", "3m", 3), ("2m", "10m", 2), (None, "7m", 7)],
)
def test_of_two_ages_the_stricter_wins(world, policy_age, option, minutes):
    policy = world.policy(pcrs=GATES, **({"max_age": policy_age} if policy_age else {}))
    ages = ["--max-age", option] if option else []

    def code(age):
        return world.verify("--policy", policy, *CHALLENGED, *ages, "--at", (NOW + age).isoformat())[0]

    limit = timedelta(minutes=minutes)
    assert (code(limit), code(limit + timedelta(seconds=1))) == (0, 5)


@pytest.mark.attack("A2")
@pytest.mark.attack("A14")
def test_a_policy_leaves_the_conversation_to_the_options(world):
    policy = world.policy(pcrs=GATES)
    assert world.verify("--policy", policy, *AT)[0] == 2
    assert "nonce.mismatch" in world.verify("--policy", policy, "--nonce", "00", *AT)[2]
    world.write("key", b"public key")
    assert world.verify("--policy", policy, *CHALLENGED, *AT, "--public-key", world.folder / "key")[0] == 0
    world.write("key", b"another")
    assert world.verify("--policy", policy, *CHALLENGED, *AT, "--public-key", world.folder / "key")[0] == 5
    assert "user-data.absent" in world.verify(
        "--policy", policy, *CHALLENGED, *AT, "--user-data", world.folder / "key"
    )[2]  # fmt: skip
    assert world.verify("--policy", policy, *CHALLENGED, "--at", "document")[0] == 0


@pytest.mark.attack("K22")
@pytest.mark.attack("B7")
@pytest.mark.attack("A17")
@pytest.mark.parametrize(
    ("rule", "codes"),
    [
        ({"pcrs": {"0": [PCRS[0].hex()], "1": [PCRS[1].hex()]}}, ["policy.partial", "policy.constants-only"]),
        ({"pcrs": {"7": [PCRS[7].hex()]}}, ["policy.partial", "policy.secure-boot-off"]),
        ({"any_of": [{"pcrs": GATES}, {"pcrs": {"7": [OTHER]}}]}, ["policy.partial", "policy.pcr7-without-pcr4"]),
        ({"pcrs": GATES | {"16": [PCRS[16].hex()]}}, ["policy.resettable"]),
        ({"regions": [REGION]}, ["policy.partial"]),
    ],
)
def test_a_weak_policy_is_refused_and_flagged_where_it_was_allowed(world, rule, codes):
    policy = world.policy(**rule)
    code, out, err = world.verify("--policy", policy, *CHALLENGED, *AT)
    assert (code, out, f"[{codes[0]}]" in err) == (2, "", True)
    code, out, _ = world.verify("--policy", policy, *CHALLENGED, *AT, "--allow-partial")
    assert code == 0
    assert [line.split(":")[0] for line in out.splitlines() if "WARNING policy" in line] == [
        f"  WARNING {each}" for each in codes
    ]
    code, out, _ = world.verify("--policy", policy, *CHALLENGED, *AT, "--allow-partial", "--json")
    flags = [flag for flag in json.loads(out)["flags"] if flag["code"].startswith("policy.")]
    assert [(flag["code"], flag["severity"]) for flag in flags] == [(each, "warning") for each in codes]


def test_a_refused_document_carries_the_flags_of_its_policy_too(world):
    policy = world.policy(pcrs={"4": [OTHER]})
    code, out, err = world.verify("--policy", policy, *CHALLENGED, *AT, "--allow-partial")
    assert (code, out) == (5, "")
    assert "1 reason [pcr.mismatch]" in err
    assert "\n  warning policy.partial: " in err


@pytest.mark.attack("A12")
def test_zeros_are_refused_in_policies_and_documents_whatever_was_allowed(world):
    code, _, err = world.verify("--policy", world.policy(pcrs={"4": ["00" * 48]}), *CHALLENGED, *AT, "--allow-partial")
    assert (code, "[policy-file.zero-pcr]" in err) == (3, True)
    code, _, err = world.verify("--pcr", f"7={'00' * 48}", *CHALLENGED, *AT, "--allow-partial")
    assert (code, "[policy.zero-reference]" in err) == (2, True)
    world.write("document", bytes(document(pcrs={**PCRS, 7: bytes(48)})))
    code, _, err = world.verify("--policy", world.policy(regions=[REGION]), *CHALLENGED, *AT, "--allow-partial")
    assert (code, "pcr.unmeasured" in err) == (5, True)


@pytest.mark.attack("A11")
def test_a_policy_file_never_meets_a_document_of_an_enclave(world):
    pki = Pki(leaf={"name": f"{ENCLAVE_MODULE}.{REGION}.aws"})
    world = make_world(world.folder, world.capsys, pki)
    world.write("document", bytes(enclave_document(pki)))
    policy = world.policy(pcrs={str(index): [bytes([index + 1]).hex() * 48] for index in (2, 4, 12, 13)})
    code, _, err = world.verify("--policy", policy, "--no-nonce", *AT)
    assert (code, "[document.wrong-kind]" in err) == (3, True)
    code, _, err = world.verify("--policy", policy, "--no-nonce", *AT, "--enclave")
    assert (code, "[verify.enclave-measurements]" in err) == (2, True)


@pytest.mark.parametrize(
    "others", [["--measurements", "m.json"], ["--pcr", f"4={OTHER}"], ["--measurements", "m", "--pcr", f"4={OTHER}"]]
)
def test_a_policy_stands_alone(world, others):
    code, _, err = world.verify("--policy", world.policy(pcrs=GATES), *others, *CHALLENGED, *AT)
    assert (code, "[verify.two-policies]" in err, "--policy" in err) == (2, True, True)
    code, _, err = world.verify("--policy", world.policy(pcrs=GATES), "--authentic-only")
    assert (code, "[verify.contradiction]" in err) == (2, True)


def test_an_error_names_the_file_it_is_in(world):
    policy = world.policy(measurements="images/1.json", any_of=[{}])
    code, _, err = world.verify("--policy", policy, *CHALLENGED, *AT)
    assert (code, f"{policy}: $.any_of[0]: expected" in err) == (3, True)
    policy = world.policy(measurements="images/1.json")
    image = world.write("images/1.json", {"Measurements": {}})
    code, _, err = world.verify("--policy", policy, *CHALLENGED, *AT)
    assert (code, f"{image}: $.Measurements: expected" in err) == (3, True)
    code, _, err = world.verify("--measurements", image, *CHALLENGED, *AT)
    assert (code, f"{image}: $.Measurements: expected" in err) == (3, True)
    policy.write_bytes(b"")
    code, _, err = world.verify("--policy", policy, *CHALLENGED, *AT)
    assert (code, err.count(str(policy)), "[file.empty]" in err) == (3, 1, True)
    policy.write_bytes(b'{"version": 1')
    assert "at byte 13 [json.syntax]" in world.verify("--policy", policy, *CHALLENGED, *AT)[2]


def test_json_keeps_its_keys_and_gains_findings_flags_and_matches(world):
    world.write("m.json", measured())
    code, out, _ = world.verify("--measurements", world.folder / "m.json", "--no-nonce", *AT, "--json")
    said = json.loads(out)
    assert code == 0
    assert said.keys() == {
        *("ok", "verdict", "module_id", "instance_id", "region", "timestamp", "certificate_expires", "digest"),
        *("pcrs", "public_key", "user_data", "nonce", "root_sha256", "root_name", "notices", "findings", "flags"),
        "matched",
    }
    assert said["findings"] == []
    assert [flag["code"] for flag in said["flags"]] == [
        *("verify.boot-state", "verify.given-time", "verify.unchallenged"),
        *["measurements.assumed"] * 2,
    ]
    assert said["notices"] == [flag["message"] for flag in said["flags"]]


def test_findings_in_json_have_the_same_keys_always(world):
    code, out, _ = world.verify("--policy", world.policy(pcrs=GATES | {"4": [OTHER]}), "--no-nonce", *AT, "--json")
    (finding,) = json.loads(out)["error"]["findings"]
    assert code == 5
    assert finding == {
        "code": "pcr.mismatch",
        "message": f"expected PCR4 = {OTHER}, found {PCR4.hex()}",
        "severity": "error",
        "pcr": 4,
        "part": "",
        "expected": [OTHER],
        "found": PCR4.hex(),
        "meaning": finding["meaning"],
    }
    assert finding["meaning"].startswith("every EFI program")


@pytest.mark.attack("A16")
def test_a_name_in_a_policy_cannot_write_to_the_terminal(world):
    name = "x\N{RIGHT-TO-LEFT OVERRIDE}y"
    _, _, err = world.verify("--policy", world.policy(name=name, pcrs=GATES | {"4": [OTHER]}), *CHALLENGED, *AT)
    assert r"from: x\u202ey" in err


@pytest.mark.attack("A24")
def test_the_verdict_speaks_of_the_boot(world):
    assert "this speaks of the boot state" in world.verify("--policy", world.policy(pcrs=GATES), *CHALLENGED, *AT)[1]


def test_the_same_note_of_many_images_is_said_once(world):
    images = [{"measurements": measured(PCR4=f"{n:02x}" * 48)} for n in range(1, 9)] + [{"measurements": measured()}]
    _, out, _ = world.verify("--policy", world.policy(any_of=images), *CHALLENGED, *AT)
    assert out.count("taken as its constant") == 2
    _, out, _ = world.verify("--policy", world.policy(any_of=images), *CHALLENGED, *AT, "--json")
    assert sum(flag["code"] == "measurements.assumed" for flag in json.loads(out)["flags"]) == 18
