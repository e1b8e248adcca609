# SPDX-License-Identifier: Apache-2.0
"""`strongroom key` without any account: policies generated, changed in files, and what a project must say for that."""

import contextlib
import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from strongroom.cli import main
from strongroom.cli.project_file import ProjectFile, read_project
from strongroom.errors import UsageError
from strongroom.formats.measurements import Measurements, encode_measurements
from strongroom.formats.pcrs import SECURE_BOOT_OFF_PCR7_SHA384, SEPARATOR_ONLY_SHA384, ZERO_SHA384, PcrDigests
from strongroom.formats.project import parse_project

VENDOR = "111111111111"
PROJECT = f"""\
version = 1
[product]
id = "acme"
regions = ["eu-central-1"]

[targets.twin]
profile = "rehearsal"
vendor-account = "{VENDOR}"
sealer-role = "arn:aws:iam::{VENDOR}:role/sealer"  # who seals
escrow-role = "arn:aws:iam::{VENDOR}:role/teams/escrow"
change-role = "arn:aws:iam::{VENDOR}:role/release"

[tenants.globex]
accounts = ["222222222222"]

[secrets.db]
files = ["db"]
[secrets.model]
files = ["model"]
purpose = "code"
"""
TWIN = "[targets.twin]\n"


def digest(text):
    return hashlib.sha384(text.encode()).digest()


@dataclass
class Folder:
    path: Path

    def write(self, text=PROJECT):
        (self.path / "strongroom.toml").write_text(text)

    def measure(self, name, **others):
        values = {2: SEPARATOR_ONLY_SHA384, 4: digest(name), 7: SECURE_BOOT_OFF_PCR7_SHA384, 12: ZERO_SHA384}
        values |= {13: ZERO_SHA384, **{int(each[3:]): value for each, value in others.items()}}
        (self.path / f"{name}.json").write_bytes(encode_measurements(Measurements(PcrDigests.of(values))))

    def call(self, *words):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.chdir(self.path), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main.run(["key", *words])
        return code, out.getvalue(), err.getvalue()

    def ok(self, *words):
        code, out, err = self.call(*words, "--json")
        assert code == 0, (out + err)[-2000:]
        return json.loads(out)

    def wrong(self, exit_code, *words):
        code, out, err = self.call(*words, "--json")
        assert code == exit_code, (out + err)[-2000:]
        return json.loads(out)["error"]


@pytest.fixture
def folder(tmp_path):
    found = Folder(tmp_path)
    found.write()
    found.measure("v1")
    found.measure("v2", pcr7=digest("our keys"))
    return found


def statements(policy):
    return {each["Sid"]: each for each in policy["Statement"]}


def test_a_policy_comes_from_the_project_and_measurements(folder):
    said = folder.ok("policy", "--tenant", "globex", "--measurements", "v1.json", "--measurements", "v2.json")
    found = statements(said["policy"])
    purposes = "kms:EncryptionContext:strongroom:purpose"
    assert found["Seal"]["Condition"]["StringEquals"][purposes] == ["code", "secret"]
    assert found["Open1General"]["Principal"] == {"AWS": "arn:aws:iam::222222222222:root"}
    assert found["DenyOtherChangers"]["Condition"]["ArnNotEquals"]["aws:PrincipalArn"].endswith("role/release")
    assert [(each["secure_boot"], "PCR7" in each["pcrs"]) for each in said["versions"]] == [
        (False, False),
        (True, True),
    ]
    assert (said["limit_bytes"], said["state"]) == (32768, "attested-only")
    assert said["bytes"] + 190 * said["more_alike"] < 32768
    assert said["findings"] == []


def test_stdout_is_the_policy_alone_and_what_is_to_be_said_goes_to_stderr(folder):
    code, out, err = folder.call("policy", "--tenant", "globex", "--measurements", "v1.json")
    assert (code, "Open1General" in statements(json.loads(out))) == (0, True)
    assert "It opens for 1 version:" in err
    assert "versions more fit" in err
    code, out, err = folder.call("policy", "--escrow", "-o", "escrow.json")
    assert (code, err) == (0, "")
    assert out.startswith("Wrote escrow.json\n  It opens for the escrow role alone")
    assert "EscrowOpen" in statements(json.loads((folder.path / "escrow.json").read_text()))


def test_releases_come_and_go_in_files(folder):
    folder.ok("policy", "--bootstrap", "-o", "a.json")
    folder.ok("allow", "--tenant", "globex", "--measurements", "v1.json", "--policy", "a.json", "-o", "b.json")
    words = ("allow", "--tenant", "globex", "--measurements", "v2.json", "--expires", "2099-01-01T00:00:00Z")
    both = folder.ok(*words, "--policy", "b.json", "-o", "c.json")
    assert [each["expires"] for each in both["added"]] == ["2099-01-01T00:00:00Z"]
    code, out, err = folder.call("revoke", "--policy", "c.json", "--measurements", "v2.json")
    assert (code, out) == (0, (folder.path / "b.json").read_text())
    assert f"  - PCR4 {digest('v2').hex()[:12]}…" in err
    assert folder.wrong(2, "revoke", "--policy", "b.json", "--epoch", "1")["code"] == "key.unconfirmed"
    folder.ok("revoke", "--policy", "b.json", "--epoch", "1", "--yes", "-o", "d.json")
    assert (folder.path / "d.json").read_text() == (folder.path / "a.json").read_text()


def test_a_person_is_told_what_a_program_is_when_a_policy_in_a_file_is_changed(folder):
    folder.ok("policy", "--tenant", "globex", "--measurements", "v1.json", "-o", "a.json")
    said = folder.ok("revoke", "--policy", "a.json", "--measurements", "v2.json", "-o", "b.json")
    assert [each["code"] for each in said["findings"]] == ["key.not-admitted"]
    code, out, err = folder.call("revoke", "--policy", "a.json", "--measurements", "v2.json")
    assert (code, "nothing was withdrawn" in err, "nothing was withdrawn" in out) == (0, True, False)


def test_what_kms_prints_is_read_as_well(folder):
    folder.ok("policy", "--tenant", "globex", "--measurements", "v1.json", "-o", "a.json")
    reply = {"Policy": json.dumps(json.loads((folder.path / "a.json").read_text()), indent=2), "PolicyName": "default"}
    (folder.path / "reply.json").write_text(json.dumps(reply))
    said = folder.ok("allow", "--tenant", "globex", "--measurements", "v1.json", "--policy", "reply.json")
    assert (said["added"], said["removed"], said["rescheduled"]) == ([], [], [])
    assert said["policy"] == json.loads((folder.path / "a.json").read_text())


@pytest.mark.parametrize("index", [2, 12, 13])
def test_a_gate_that_somebody_has_moved_is_shown(folder, index):
    """An administrator lets another command line in: PCR4, by which versions are called, stays what it was."""
    folder.ok("policy", "--tenant", "globex", "--measurements", "v1.json", "-o", "a.json")
    constant = (SEPARATOR_ONLY_SHA384 if index == 2 else ZERO_SHA384).hex()
    moved, policy = digest("init=/bin/sh").hex(), json.loads((folder.path / "a.json").read_text())
    pcr = f"kms:RecipientAttestation:NitroTPMPCR{index}"
    for each in policy["Statement"]:
        for block in each.get("Condition", {}).values():
            block.update({pcr: moved} if block.get(pcr) == constant else {})
    (folder.path / "b.json").write_text(json.dumps(policy))
    words = ("allow", "--tenant", "globex", "--measurements", "v2.json", "--policy", "b.json")
    code, _, err = folder.call(*words)
    (old,) = (line for line in err.splitlines() if f"  PCR4 {digest('v1').hex()[:12]}…" in line)
    (new,) = (line for line in err.splitlines() if f"    PCR4 {digest('v2').hex()[:12]}…" in line)
    assert (code, f"PCR{index} {moved[:12]}…" in old, "PCR2 " in new) == (0, True, False)
    (finding,) = folder.ok(*words)["findings"]
    assert (finding["code"], moved in finding["message"]) == ("key.other-constant", True)


def test_a_gate_that_somebody_has_moved_is_shown_by_a_revocation_too(folder):
    both = ("--measurements", "v1.json", "--measurements", "v2.json")
    folder.ok("policy", "--tenant", "globex", *both, "-o", "a.json")
    text, moved = (folder.path / "a.json").read_text(), digest("init=/bin/sh").hex()
    pcr = '"kms:RecipientAttestation:NitroTPMPCR12":'
    (folder.path / "b.json").write_text(text.replace(f'{pcr}"{ZERO_SHA384.hex()}"', f'{pcr}"{moved}"'))
    said = folder.ok("revoke", "--pcr4", digest("v2").hex()[:12], "--policy", "b.json")
    (finding,) = said["findings"]
    assert (len(said["removed"]), finding["code"], moved in finding["message"]) == (1, "key.other-constant", True)


def test_only_what_is_named_is_revoked(folder):
    both = ("--measurements", "v1.json", "--measurements", "v2.json", "--epoch", "1", "--epoch", "2")
    folder.ok("policy", "--tenant", "globex", *both, "-o", "a.json")
    revoked = {
        ("--measurements", "v1.json"): 2,
        ("--pcr4", digest("v2").hex()[:8].upper()): 2,
        ("--epoch", "1"): 2,
        ("--measurements", "v1.json", "--epoch", "2"): 1,
        ("--expired",): 0,
        ("--epoch", "9"): 0,
    }
    for words, count in revoked.items():
        said = folder.ok("revoke", "--policy", "a.json", *words)
        assert (len(said["removed"]), len(said["versions"])) == (count, 4 - count), words
        assert ([each["code"] for each in said["findings"]] == ["key.not-admitted"]) == (not count)
    folder.measure("v1", pcr12=digest("another command line"))
    assert folder.ok("revoke", "--policy", "a.json", "--measurements", "v1.json")["removed"] == []


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("policy",), "key.which-kind"),
        (("policy", "--escrow", "--bootstrap"), "key.which-kind"),
        (("policy", "--escrow", "--measurements", "v1.json"), "key.no-gates"),
        (("policy", "--tenant", "globex"), "key.nothing-asked"),
        (("policy", "--tenant", "nobody", "--measurements", "v1.json"), "tenant.unknown"),
        (("policy", "--bootstrap", "--state", "break-glass"), "key.state-unfit"),
        (
            ("policy", "--tenant", "globex", "--measurements", "v1.json", "--expires", "1999-01-01T00:00:00Z"),
            "key.expired",
        ),
        (("policy", "--tenant", "globex", "--measurements", "v1.json", "--expires", "2099-01-01"), "key.expiry"),
        (("policy", "--tenant", "globex", "--measurements", "v1.json", "--expires", "soon"), "key.expiry"),
        (("policy", "--tenant", "globex", "--measurements", "v1.json", "--accept", "4=00"), "key.accept"),
        (("policy", "--tenant", "globex", "--measurements", "v1.json", "--accept", f"4={'00' * 48}"), "key.accept"),
        (("allow", "--tenant", "globex"), "key.nothing-asked"),
        (("allow", "--tenant", "globex", "--measurements", "v1.json", "-o", "x"), "key.output"),
        (("allow", "--measurements", "v1.json"), "key.which-tenants"),
        (("allow", "--tenant", "globex", "--ring", "general", "--measurements", "v1.json"), "key.which-tenants"),
        (("allow", "--ring", "nowhere", "--measurements", "v1.json"), "key.no-tenant"),
        (("allow", "--tenant", "globex", "--measurements", "v1.json"), "key.no-key"),
        (("allow", "--policy", "a.json", "--measurements", "v1.json"), "key.one-tenant"),
        (
            (
                "allow",
                "--policy",
                "a.json",
                "--tenant",
                "globex",
                "--measurements",
                "v1.json",
                "--canary-document",
                "d",
            ),
            "key.canary-offline",
        ),
        (("revoke", "--tenant", "globex"), "key.what-to-revoke"),
        (("revoke", "--tenant", "globex", "--shut", "--epoch", "1"), "key.what-to-revoke"),
        (("revoke", "--policy", "a.json", "--shut"), "key.shut-file"),
        (("revoke", "--policy", "a.json", "--tenant", "globex", "--epoch", "1"), "key.no-tenant-here"),
        (("revoke", "--policy", "a.json", "--pcr4", "ab"), "key.pcr4"),
        (("revoke", "--policy", "a.json", "--pcr4", "abcdabcd"), "key.no-such-version"),
        (("create", "--escrow", "--tenant", "globex"), "key.escrow-alone"),
        (("create", "--escrow", "--region", "eu-west-1", "--region", "eu-west-2"), "key.one-escrow"),
        (("revoke", "--tenant", "globex", "--pcr4", "not-hex-at-all"), "key.pcr4"),
        (("create", "--tenant", "globex", "--region", "frankfurt"), "usage.region"),
        (("create", "--tenant", "globex", "--region", "us-east-1"), "key.region-of-tenant"),
    ],
)
def test_what_makes_no_sense_is_refused(folder, words, code):
    folder.ok("policy", "--tenant", "globex", "--measurements", "v1.json", "-o", "a.json")
    assert folder.wrong(2, *words)["code"] == code


def test_another_pcr2_is_taken_only_if_somebody_says_it_is_meant(folder):
    folder.measure("v3", pcr2=digest("option ROM"))
    words = ("policy", "--tenant", "globex", "--measurements", "v3.json")
    assert folder.wrong(2, *words)["code"] == "keypolicy.gate-constant"
    said = folder.ok(*words, "--accept", f"2={digest('option ROM').hex()}", "-o", "a.json")
    assert said["versions"][0]["pcrs"]["PCR2"] == digest("option ROM").hex()
    assert folder.ok("revoke", "--policy", "a.json", "--measurements", "v3.json", "--yes")["versions"] == []


def test_what_was_assumed_of_measurements_is_said(folder):
    body = json.loads((folder.path / "v1.json").read_text())
    for name in ("PCR2", "PCR13"):
        del body["Measurements"][name]
    (folder.path / "v1.json").write_text(json.dumps(body))
    said = folder.ok("policy", "--tenant", "globex", "--measurements", "v1.json")
    assert [each["code"] for each in said["findings"]] == ["measurements.assumed"] * 2


def test_a_secret_with_an_epoch_of_its_own_would_keep_its_old_one_open(folder):
    folder.write(PROJECT.replace('files = ["db"]', 'files = ["db"]\nepoch = 2'))
    words = ("policy", "--tenant", "globex", "--measurements", "v1.json")
    assert folder.wrong(2, *words)["code"] == "key.epochs"
    assert [each["epoch"] for each in folder.ok(*words, "--epoch", "2")["versions"]] == [2]
    folder.write(PROJECT.replace('files = ["db"]', 'files = ["db"]\nepoch = 2').replace('"code"', '"code"\nepoch = 2'))
    assert [each["epoch"] for each in folder.ok(*words)["versions"]] == [2]


def test_an_edited_file_is_refused_with_the_difference(folder):
    said = folder.ok("policy", "--tenant", "globex", "--measurements", "v1.json")
    edited = {**said["policy"], "Statement": said["policy"]["Statement"][:-1]}
    (folder.path / "a.json").write_text(json.dumps(edited))
    code, _, err = folder.call("allow", "--tenant", "globex", "--measurements", "v1.json", "--policy", "a.json")
    assert code == 5
    assert "keypolicy.statement-missing: statement DenySideDoors is not there" in err


@pytest.mark.parametrize("key", ["sealer-role", "escrow-role"])
def test_a_role_that_is_missing_is_named(folder, key):
    folder.write("\n".join(line for line in PROJECT.splitlines() if not line.startswith(key)))
    error = folder.wrong(2, "policy", "--escrow")
    assert error["code"] == "key.no-role"
    assert key in error["message"]


@pytest.mark.parametrize("role", ["sealer", f"arn:aws:iam::{VENDOR}:user/x", "arn:aws:iam::222222222222:role/x"])
def test_a_role_of_a_target_is_a_role_of_its_account(folder, role):
    folder.write(PROJECT.replace(f"arn:aws:iam::{VENDOR}:role/sealer", role))
    error = folder.wrong(3, "policy", "--escrow")
    assert error["code"] == "project.role"
    assert "strongroom.toml:9" in error["message"]


def test_states_are_asked_for_and_refused(folder):
    attested = folder.ok("policy", "--bootstrap", "--state", "attested-only")
    assert (attested["state"], attested["findings"]) == ("attested-only", [])
    arn = f"arn:aws:kms:eu-central-1:{VENDOR}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    folder.write(PROJECT.replace(TWIN, f'{TWIN}escrow-key = "{arn}"\n'))
    assert folder.ok("policy", "--bootstrap", "--state", "break-glass")["state"] == "break-glass"
    assert folder.wrong(2, "policy", "--bootstrap", "--state", "attested-only")["code"] == "key.state-unfit"
    folder.write("\n".join(line for line in PROJECT.splitlines() if not line.startswith("change-role")))
    assert folder.wrong(2, "policy", "--bootstrap", "--state", "attested-only")["code"] == "key.state-unfit"
    assert [each["code"] for each in folder.ok("policy", "--bootstrap")["findings"]] == ["key.no-change-role"]


ARN = f"arn:aws:kms:eu-central-1:{VENDOR}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
PLACE = ("targets", "twin", "keys", "globex", "eu-central-1")


@pytest.mark.parametrize(
    "more",
    [
        "",
        "\n[targets.twin.keys.globex]\n",
        f'\n[targets.twin.keys]\nglobex = {{ us-east-1 = "{ARN.replace("eu-central-1", "us-east-1")}" }}\n',
    ],
)
def test_an_arn_is_written_where_it_belongs_and_nothing_else_moves(tmp_path, more):
    text = PROJECT + more
    if more.endswith("globex]\n"):
        text += f'us-east-1 = "{ARN.replace("eu-central-1", "us-east-1")}"\n'
    file = ProjectFile(tmp_path / "strongroom.toml", text, parse_project(text))
    edited = file.with_nested(PLACE, ARN)
    assert edited.project.targets["twin"].keys["globex"]["eu-central-1"] == ARN
    assert "# who seals" in edited.text
    kept = [line for line in edited.text.splitlines() if line.strip()]
    assert [line for line in text.splitlines() if line.strip() and "us-east-1" not in line] == [
        line for line in kept if line in text.splitlines() and "us-east-1" not in line
    ]
    edited.write()
    assert read_project(edited.path).project == edited.project


def test_a_project_that_cannot_be_edited_safely_is_left_as_it_is(tmp_path):
    text = PROJECT.replace(TWIN, "").replace('profile = "rehearsal"', "[targets]\ntwin.profile = 'rehearsal'")
    for key in ("vendor-account", "sealer-role", "escrow-role", "change-role"):
        text = text.replace(f"\n{key} =", f"\ntwin.{key} =")
    file = ProjectFile(tmp_path / "strongroom.toml", text, parse_project(text))
    try:
        edited = file.with_nested(PLACE, ARN)
    except UsageError as error:
        assert error.code in {"project.not-editable", "project.refused-edit"}
        return
    assert edited.project.targets["twin"].keys["globex"]["eu-central-1"] == ARN
