# SPDX-License-Identifier: Apache-2.0
import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import FormatError
from strongroom.formats.bundle_header import Purpose
from strongroom.formats.partition import Partition, Profile
from strongroom.formats.project import MAX_BYTES, parse_project
from strongroom.formats.project_model import SignerState
from strongroom.formats.toml_lines import line_of
from strongroom.ids import TenantId

PAGE = Path(__file__).parents[3] / "docs/formats/project.md"
ARN = "arn:aws:kms:eu-central-1:111111111111:key/1234-abcd"
SMALL = """\
version = 1
[product]
id = "acme"
regions = ["eu-central-1"]
[targets.twin]
profile = "rehearsal"
vendor-account = "111111111111"
[tenants.globex]
accounts = ["222222222222"]
"""
SIGNER = f"""
[signers.main]
key-id = "{"00" * 32}"
algorithm = "EdDSA"
public-key = "c3BraQ=="
roles = ["bundle"]
"""


def refused(text: str) -> FormatError:
    with pytest.raises(FormatError) as caught:
        parse_project(text)
    return caught.value


def test_the_example_of_the_documentation_parses():
    (example,) = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    project = parse_project(example)
    assert project.product.default_target == "twin"
    assert project.targets["twin"].trust is not None
    assert project.targets["aws"].profile is Profile.PRODUCTION
    assert project.secrets["db-password"].tenants == ("globex",)


@pytest.mark.parametrize(
    ("number", "code"), [("9" * 5000, "project.toml"), ("0x" + "f" * 5000, "field.range"), ("2", "field.range")]
)
def test_a_number_of_any_length_is_refused_and_nothing_else(number, code):
    assert refused(SMALL.replace("version = 1", f"version = {number}")).code == code


def test_what_is_absent_gets_its_default():
    project = parse_project(SMALL + SIGNER + '[secrets.s]\nfiles = ["a/b"]\n')
    assert project.product.rings == ("general",)
    assert project.product.default_target is None
    target = project.targets["twin"]
    assert (target.partition, target.endpoint, target.aws_profile, target.escrow_key) == (
        Partition.AWS,
        None,
        None,
        None,
    )
    assert (dict(target.keys), target.trust) == ({}, None)
    signer = project.signers["main"]
    assert (signer.private_key, signer.state) == ("~/.config/strongroom/acme/main.pem", SignerState.ACTIVE)
    tenant = project.tenants[TenantId("globex")]
    assert (tenant.regions, tenant.ring) == (("eu-central-1",), "general")
    secret = project.secrets["s"]
    assert (secret.purpose, secret.tenants, secret.epoch, secret.floor) == (Purpose.SECRET, ("globex",), 1, 1)


def test_a_secret_for_a_ring_goes_to_its_tenants():
    rings = SMALL.replace('regions = ["eu-central-1"]', 'regions = ["eu-central-1"]\nrings = ["canary", "general"]')
    text = rings + 'ring = "canary"\n[tenants.initech]\naccounts = ["333333333333"]\n[secrets.s]\nfiles = ["a"]\n'
    assert parse_project(text + 'rings = ["canary"]').secrets["s"].tenants == ("globex",)
    assert parse_project(text + 'rings = ["general"]').secrets["s"].tenants == ("initech",)
    assert parse_project(text).secrets["s"].tenants == ("globex", "initech")
    assert parse_project(text + 'tenants = ["initech"]').secrets["s"].tenants == ("initech",)


def test_keys_of_tenants_stand_under_the_target_that_has_them():
    text = f'{SMALL}[targets.twin.keys.globex]\neu-central-1 = "{ARN}"\n'
    assert parse_project(text).targets["twin"].keys == {"globex": {"eu-central-1": ARN}}


def test_an_image_names_its_specification_and_its_secrets():
    text = SMALL + '[secrets.s]\nfiles = ["a"]\n[images.app]\nspec = "app.toml"\nsecrets = ["s"]\n[releases]\n'
    assert parse_project(text).images["app"].secrets == ("s",)


@pytest.mark.parametrize(
    ("found", "replacement", "code", "line"),
    [
        ("version = 1", "version = 2", "field.range", 1),
        ("version = 1", "vresion = 1", "field.unknown", 1),
        ('id = "acme"', 'id = "Acme"', "field.pattern", 3),
        ('regions = ["eu-central-1"]', "regions = []", "field.length", 4),
        ('regions = ["eu-central-1"]', 'regions = ["moon"]', "field.pattern", 4),
        ('regions = ["eu-central-1"]', 'regions = ["eu-central-1", "eu-central-1"]', "field.duplicate", 4),
        ('id = "acme"', 'id = "acme"\nrings = ["a", "a"]', "field.duplicate", 4),
        ('id = "acme"', 'id = "acme"\ndefault-target = "moon"', "project.unknown-name", 4),
        ("[targets.twin]", "[targets.Twin]", "field.pattern", 5),
        ('profile = "rehearsal"', 'profile = "rehersal"', "field.choice", 6),
        ('profile = "rehearsal"', 'profile = "production"\nendpoint = "http://x"', "project.production-target", 7),
        ('profile = "rehearsal"', 'profile = "production"\ntrust = {}', "project.production-target", 7),
        ('profile = "rehearsal"', 'profile = "rehearsal"\nendpoint = "ftp://x"', "field.pattern", 7),
        ('profile = "rehearsal"', 'profile = "rehearsal"\ntrust = {}', "field.missing", 7),
        ('profile = "rehearsal"', 'profile = "rehearsal"\nescrow-key = "alias/x"', "project.key-arn", 7),
        ('"111111111111"', '"111111111112"\nescrow-key = "' + ARN + '"', "project.key-account", 8),
        (
            '"111111111111"',
            '"111111111111"\npartition = "aws-cn"\nescrow-key = "' + ARN + '"',
            "project.key-account",
            9,
        ),
        ('"111111111111"', '"111111111111"\nsealer-role = "sealer"', "project.role", 8),
        ('"111111111111"', '"111111111111"\nchange-role = "arn:aws:iam::222222222222:role/r"', "project.role", 8),
        ('"111111111111"', '"111111111111"\nescrow-role = "arn:aws:iam::111111111111:user/u"', "project.role", 8),
        ('"111111111111"', '"111111111111"\nsealer-role = "arn:aws:iam::111111111111:role/*"', "project.role", 8),
        ('"111111111111"', '"111111111111"\nkeys.globex.us-east-1 = "' + ARN + '"', "project.key-region", 8),
        ('"111111111111"', '"111111111111"\nkeys.initech.eu-central-1 = "' + ARN + '"', "project.unknown-name", 8),
        ('vendor-account = "111111111111"', "vendor-account = 111111111111", "field.wrong-type", 7),
        ('["222222222222"]', "[]", "field.length", 9),
        ('["222222222222"]', '["2"]', "field.pattern", 9),
        ('["222222222222"]', '["222222222222"]\nring = "canary"', "project.unknown-name", 10),
        ('["222222222222"]', '["222222222222"]\ncolour = 1', "field.unknown", 10),
    ],
)
def test_a_project_with_one_fault_is_refused_with_its_line(found, replacement, code, line):
    assert found in SMALL
    error = refused(SMALL.replace(found, replacement, 1))
    assert (error.code, f"strongroom.toml:{line}:" in str(error)) == (code, True), str(error)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "field.missing"),
        ("= 1", "project.toml"),
        (SMALL + "version = 1\nversion = 1", "project.toml"),
        (SMALL + "#" * MAX_BYTES, "project.too-large"),
        (SMALL + "x = " + "[" * 5000, "project.toml"),
        (SMALL + ".".join(["a"] * 30_000) + " = 1", "project.long-key"),
        (SMALL + "[" + " . ".join(["'a'", '"b"', "c"] * 11) + "]", "project.long-key"),
        (SMALL + ".".join(["a"] * 32) + " = 1", "field.unknown"),
        (SMALL + 'x = """\n[x = ' + "{a = " * 5000 + '1]\n"""', "field.unknown"),
        (SMALL + 'x = """\n[x = ' + "9" * 5000 + ']\n"""', "field.unknown"),
        (SMALL + '[tenants.initech]\naccounts = ["222222222222"]', "project.shared-account"),
        (SMALL + SIGNER + SIGNER.replace("main", "next"), "project.same-key"),
        (SMALL + SIGNER.replace("EdDSA", "RSA"), "field.choice"),
        (SMALL + SIGNER.replace("c3BraQ==", "c3BraQ"), "field.base64"),
        (SMALL + SIGNER.replace("00" * 32, "00"), "field.pattern"),
        (SMALL + SIGNER.replace('["bundle"]', '["bundle", "bundle"]'), "field.duplicate"),
        (SMALL + SIGNER + 'state = "gone"', "field.choice"),
        (SMALL + "[secrets.s]\nfiles = []", "field.length"),
        (SMALL + '[secrets.s]\nfiles = ["a/x", "b/x"]', "field.duplicate"),
        (SMALL + '[secrets.s]\nfiles = ["a"]\npurpose = "state"', "field.choice"),
        (SMALL + '[secrets.s]\nfiles = ["a"]\nepoch = 0', "field.range"),
        (SMALL + '[secrets.s]\nfiles = ["a"]\nfloor = 0', "field.range"),
        (SMALL + '[secrets.s]\nfiles = ["a"]\ntenants = ["initech"]', "project.unknown-name"),
        (SMALL + '[secrets.s]\nfiles = ["a"]\nrings = ["canary"]', "project.unknown-name"),
        (SMALL + '[secrets.s]\nfiles = ["a"]\nrings = ["general"]\ntenants = ["globex"]', "project.recipients"),
        (SMALL + '[images.app]\nspec = "x"\nsecrets = ["s"]', "project.unknown-name"),
        (SMALL + '[images.app.spec]\nbase = "debian"', "project.inline-spec"),
        (SMALL + "[releases]\nexpiry = 3", "field.unknown"),
        ("version = 1\ntargets = {}\n[product]\nid = 'a'\nregions = ['eu-central-1']", "field.length"),
    ],
)
def test_a_project_that_contradicts_itself_is_refused(text, code):
    assert refused(text).code == code


def test_an_unknown_key_comes_with_the_one_that_was_meant():
    assert refused(SMALL.replace("accounts", "acounts")).remedy == "Did you mean 'accounts'?"


def test_a_syntax_error_names_its_line():
    assert "line 3" in str(refused(SMALL.replace('id = "acme"', "id = acme")))


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a", "b"), 3),
        (("a", "b", 0), 3),
        (("t", "x"), 4),
        (("t", "x", "k"), 5),
        (("t", "y"), 7),
        (("t", "y", "k"), 7),
        (("z",), 1),
    ],
)
def test_a_path_leads_to_the_line_of_its_key(path, line):
    text = "# comment\n[a]\nb = [1]\n[t.x]\n'k' = 1\n[t]\ny.k = 1\n[broken\n"
    assert line_of(text, path) == line


@given(st.text(alphabet='[]=."\n ab1-#', max_size=80))
def test_no_text_raises_anything_but_format_errors(text):
    with contextlib.suppress(FormatError):
        parse_project(text)
    with contextlib.suppress(FormatError):
        parse_project(SMALL + text)


def test_a_key_with_control_characters_is_shown_without_them():
    assert "\x1b" not in str(refused('"\\u001b[2J" = 1\n' + SMALL))


def test_a_text_that_no_utf8_file_can_hold_is_refused():
    with pytest.raises(FormatError) as caught:
        parse_project("version = 1\n# \udcff\n")
    assert caught.value.code == "project.not-utf8"
