# SPDX-License-Identifier: Apache-2.0
"""`strongroom image audit`: what it prints, and with which exit code."""

import json

import pytest
from tests.audited_images import FILES, audited_disk
from tests.sarif_schema import faults

from strongroom.cli.main import run

BROKEN = audited_disk(initrd=b"no archive at all")
DEBUG = audited_disk(FILES | {"etc/os-release": b"VARIANT_ID=debug\n"})


@pytest.fixture
def audit(tmp_path, monkeypatch, capsys):
    """Run the command on an image in a file `disk.raw` of the working folder."""
    monkeypatch.chdir(tmp_path)

    def call(image, *options):
        (tmp_path / "disk.raw").write_bytes(image)
        code = run(["image", "audit", "disk.raw", *options])
        return code, capsys.readouterr()

    return call


def test_a_finding_says_why_and_what_to_do_once_for_each_rule(audit):
    code, printed = audit(DEBUG)
    assert code == 1
    assert printed.out.startswith("disk.raw, as production: ")
    assert (
        "  error audit.debug-variant: expected VARIANT_ID to be production or rehearsal, found debug\n" in printed.out
    )
    assert "      at: /etc/os-release\n" in printed.out
    assert printed.out.count("      fix: Build the image without --debug.") == 1
    assert "(B13, B14)" in printed.out


def test_what_was_not_looked_at_is_said(tmp_path, capsys):
    (tmp_path / "tree/etc").mkdir(parents=True)
    run(["image", "audit", str(tmp_path / "tree")])
    said = capsys.readouterr().out
    assert "  looked at: root file system\n" in said
    assert "on the kernel command line, which it does not have\n" in said


def test_json_has_every_finding_with_its_rule(audit):
    code, printed = audit(DEBUG, "--json")
    said = json.loads(printed.out)
    assert (code, said["ok"], said["passed"], said["profile"], said["image"]) == (
        1,
        True,
        False,
        "production",
        "disk.raw",
    )
    (found,) = [each for each in said["findings"] if each["rule"] == "audit.debug-variant"]
    assert found["path"] == "/etc/os-release"
    assert found["part"] == "root file system"
    assert found["waiver"] is None
    assert found["why"]
    assert said["errors"] >= 1
    assert len(said["parts"]) == 6


def test_waivers_come_from_options_and_files(audit, tmp_path):
    _, printed = audit(BROKEN, "--json")
    errors = {each["rule"] for each in json.loads(printed.out)["findings"] if each["severity"] == "error"}
    waivers = [f'[[waivers]]\nrule = "{rule}"\nreason = "a lab"\n' for rule in errors - {"audit.not-read"}]
    waivers += ['[[waivers]]\nrule = "audit.other-root"\nreason = "none"\n']
    waivers += ['[[waivers]]\nrule = "audit.no-trust"\nreason = "old"\nexpires = 2020-01-01\n']
    (tmp_path / "waivers.toml").write_text("version = 1\n" + "".join(waivers))
    code, printed = audit(BROKEN, "--waive", "audit.not-read= an experiment", "--waivers", "waivers.toml")
    assert code == 0
    assert "      waived: an experiment\n" in printed.out
    assert "note: a waiver of audit.other-root covers nothing" in printed.out
    assert "note: a waiver of audit.no-trust expired on 2020-01-01" in printed.out


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--waive", "audit.not-read"], 2, "audit.waiver"),
        (["--waive", "audit.not-read= "], 2, "audit.waiver"),
        (["--waive", "audit.nosuch=why"], 2, "audit.unknown-rule"),
        (["--waive", "audit.debug-variant=why"], 2, "audit.not-waivable"),
        (["--json", "--sarif"], 2, "audit.output"),
        (["--waivers", "none.toml"], 9, "file.missing"),
        (["--waivers", "disk.raw"], 3, "waivers."),
    ],
)
def test_usage_is_told(audit, options, code, said):
    exit_code, printed = audit(BROKEN, *options)
    assert exit_code == code
    assert said in printed.err + printed.out


def test_a_file_that_is_no_image_is_malformed(audit):
    code, printed = audit(b"plain text")
    assert code == 3
    assert "disk.raw: expected a raw disk image" in printed.err


def test_sarif_is_sarif_and_a_waived_finding_is_suppressed(audit):
    code, printed = audit(BROKEN, "--sarif", "--waive", "audit.not-read=why")
    log = json.loads(printed.out)
    assert faults(log) == []
    (result,) = [each for each in log["runs"][0]["results"] if each["ruleId"] == "audit.not-read"]
    assert result["suppressions"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "disk.raw"
    assert log["runs"][0]["properties"]["exitCode"] == code
    code, printed = audit(b"plain text", "--sarif")
    assert code == 3
    assert faults(json.loads(printed.out)) == []
    assert json.loads(printed.out)["runs"][0]["results"][0]["ruleId"] == "audit.not-an-image"
