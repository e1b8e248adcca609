# SPDX-License-Identifier: Apache-2.0
"""init, signer and tenant as people run them: the real command, once right and several times wrong."""

import contextlib
import io
import json
import os
import re
import shlex
import stat
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from strongroom.cli import main
from strongroom.cli.project_file import read_project
from strongroom.cli.trust_file import as_a_guest_sees_it
from strongroom.cli.twin_up import PLAIN_PORT, TLS_PORT
from strongroom.crypto.certificates import describe_certificate
from strongroom.errors import LocalFault, UsageError
from strongroom.flows.signer_file import read_signer_file
from strongroom.formats.partition import Partition, Profile
from strongroom.formats.trust import Tls, Trust, Vendor, parse_trust
from strongroom.twin.accounts_book import DEFAULT_ACCOUNTS
from strongroom.twin.identity import create_identity_signer
from strongroom.twin.pki import create_root

AMAZON_ROOTS = {
    "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
    "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
    "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
    "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
}
"""Amazon Root CA 1 to 4, as Amazon Trust Services publishes them."""


@dataclass
class Shell:
    """A vendor's folder and home."""

    folder: Path
    home: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "strongroom", *words],
            cwd=self.folder,
            env=os.environ | {"HOME": str(self.home), "COLUMNS": "100"},
            capture_output=True,
            text=True,
            check=False,
        )

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The same without a process of its own, which is twenty times faster."""
        out, err = io.StringIO(), io.StringIO()
        with (
            contextlib.chdir(self.folder),
            mock.patch.dict(os.environ, {"HOME": str(self.home)}),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = main.run(words)
        return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())

    def ok(self, *words: str) -> dict[str, Any]:
        done = self.call(*words, "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        answer: dict[str, Any] = json.loads(done.stdout)
        assert answer.pop("ok") is True
        return answer

    def wrong(self, exit_code: int, *words: str) -> str:
        before = self.project if self.file.exists() else ""
        done = self.call(*words, "--json")
        assert done.returncode == exit_code, done.stderr + done.stdout
        assert (self.project if self.file.exists() else "") == before, "a failed command changes nothing"
        answer = json.loads(done.stdout)
        assert answer["ok"] is False
        code: str = answer["error"]["code"]
        return code

    @property
    def file(self) -> Path:
        return self.folder / "strongroom.toml"

    @property
    def project(self) -> str:
        return self.file.read_text()

    def append(self, text: str) -> None:
        self.file.write_text(self.project + text)


@pytest.fixture
def shell(tmp_path) -> Shell:
    made = Shell(tmp_path / "product", tmp_path / "home")
    made.folder.mkdir()
    made.home.mkdir()
    return made


@pytest.fixture
def vendor(shell: Shell) -> Shell:
    shell.ok("init", "--product", "acme", "--target", "aws", "--account", "123456789012")
    return shell


def remove_twin_trust(shell: Shell) -> None:
    """Take out what init wrote of a twin's roots."""
    without, found = re.subn(r"\[targets\.twin\.trust\].*?\n\n", "\n", shell.project, count=1, flags=re.DOTALL)
    assert found == 1
    shell.file.write_text(without)


def add_twin_trust(shell: Shell) -> None:
    """Give the twin target the roots of a twin, as files."""
    now = datetime.now(UTC)
    from cryptography.hazmat.primitives.serialization import Encoding

    root = create_root(now).certificate.public_bytes(Encoding.PEM)
    for name in ("nitro", "tls"):
        (shell.folder / f"{name}.pem").write_bytes(root)
    identity = create_identity_signer(now).certificate.public_bytes(Encoding.PEM)
    (shell.folder / "identity.pem").write_bytes(identity)
    if "[targets.twin.trust]" in shell.project:
        remove_twin_trust(shell)
    shell.append(
        '\n[targets.twin.trust]\nnitro-root = "nitro.pem"\ntls-root = "tls.pem"\n'
        'kms-endpoint = "https://127.0.0.1:4601"\nidentity-certificates = { eu-central-1 = "identity.pem" }\n'
    )


def test_init_writes_a_project_that_says_what_comes_next(shell):
    done = shell.run("init", "--product", "acme")
    assert done.returncode == 0, done.stderr
    assert "signer new main" in done.stdout
    values = tomllib.loads(shell.project)
    assert values["product"]["id"] == "acme"
    assert list(values["targets"]) == ["twin"]
    assert values["targets"]["twin"]["endpoint"] == f"http://127.0.0.1:{PLAIN_PORT}"
    assert values["targets"]["twin"]["aws-profile"] in DEFAULT_ACCOUNTS
    assert values["targets"]["twin"]["vendor-account"] == DEFAULT_ACCOUNTS["vendor"]
    assert values["targets"]["twin"]["trust"] == {
        "nitro-root": ".strongroom/twin/nitro-root.pem",
        "tls-root": ".strongroom/twin/tls-root.pem",
        "kms-endpoint": f"https://127.0.0.1:{TLS_PORT}",
        "identity-certificates": {"eu-central-1": ".strongroom/twin/identity-eu-central-1.pem"},
    }
    assert shell.project.count("#") > 8, "a project starts with comments"


@pytest.mark.parametrize(
    ("words", "exit_code", "code"),
    [
        (["tenant", "add", "globex", "--account", "222222222222"], 0, None),
        (["tenant", "add", "globex", "--account", "2"], 2, "project.refused-edit"),
        (["tenant", "remove", "globex"], 2, "tenant.unknown"),
        (["signer", "trust"], 2, "trust.no-signer"),
        (["signer", "show", "main"], 2, "signer.unknown"),
        (["tenant", "list", "--project", "absent.toml"], 9, "project.missing"),
        (["init"], 9, "project.exists"),
    ],
)
def test_the_program_answers_with_its_exit_code_and_one_object(vendor, words, exit_code, code):
    done = vendor.run(*words, "--json")
    assert done.returncode == exit_code, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["ok"], answer.get("error", {}).get("code")) == (code is None, code)


def test_init_takes_the_folders_name_when_none_is_given(shell):
    assert shell.ok("init")["product"] == "product"


def test_init_never_overwrites(shell):
    shell.ok("init")
    assert shell.wrong(9, "init") == "project.exists"
    link = shell.folder / "other.toml"
    link.symlink_to("nowhere")
    assert shell.wrong(9, "init", "--project", "other.toml") == "project.exists"


def test_init_for_aws_needs_an_account(shell):
    assert shell.wrong(2, "init", "--target", "aws") == "init.no-account"
    assert shell.wrong(2, "init", "--target", "aws", "--account", "1234") == "init.values"
    assert shell.wrong(2, "init", "--product", "My Product") == "init.values"
    assert shell.wrong(2, "init", "--product", "\udcff") == "init.values"
    assert not shell.file.exists()


@pytest.mark.parametrize("place", ["no/such/folder.toml", "file/below.toml", "x" * 300])
def test_a_project_that_cannot_be_written_is_one_clear_line(shell, place):
    (shell.folder / "file").write_text("in the way")
    assert shell.wrong(9, "init", "--product", "acme", "--project", place) == "file.unwritable"


def test_without_a_project_the_remedy_is_init(shell):
    done = shell.run("tenant", "list")
    assert done.returncode == 9
    assert "strongroom init" in done.stderr


def test_the_project_is_found_from_a_folder_below(vendor):
    """As `twin up` finds it. What is nearer counts; `init` writes where it is called."""
    below = vendor.folder / "a" / "b c"
    below.mkdir(parents=True)
    inside = Shell(below, vendor.home)
    assert inside.ok("tenant", "add", "globex", "--account", "222222222222")
    assert "globex" in vendor.project
    assert inside.ok("signer", "new", "main", "--private-key", "main.pem")
    assert (vendor.folder / "main.pem").exists()  # relative to the project file, as always
    assert inside.ok("init", "--product", "other")["product"] == "other"
    assert inside.ok("tenant", "list")["tenants"] == []


def test_a_working_folder_that_was_removed_is_one_clear_line(vendor):
    gone = vendor.folder / "gone"
    gone.mkdir()
    command = f"rmdir {shlex.quote(str(gone))}; exec {sys.executable} -m strongroom"
    for words, code in (("init", 2), ("tenant list", 9), ("twin status", 9), ("twin env vendor", 9)):
        done = subprocess.run(["sh", "-c", f"{command} {words}"], cwd=gone, capture_output=True, text=True, check=False)
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
        gone.mkdir(exist_ok=True)


def test_a_folder_in_the_place_of_the_project_is_called_what_it_is(shell):
    shell.file.mkdir()
    done = shell.call("tenant", "list", "--project", ".", "--json")
    assert done.returncode == 9
    with pytest.raises(LocalFault) as caught:
        read_project(shell.file)
    assert caught.value.code == "file.directory"


def test_a_path_without_a_home_or_with_other_bytes_than_utf8_is_refused(vendor):
    before = vendor.file.read_text()
    home = "~nobody-of-this-name/main.pem"
    assert vendor.wrong(9, "signer", "new", "main", "--private-key", home) == "project.no-home"
    assert vendor.wrong(2, "signer", "new", "main", "--private-key", "k\udcff.pem") == "project.refused-edit"
    assert vendor.wrong(2, "tenant", "add", "t", "--account", "\udcff") == "project.refused-edit"
    assert vendor.file.read_text() == before


def test_a_new_signer_has_its_public_half_in_the_project_and_its_private_half_at_home(vendor):
    signer = vendor.ok("signer", "new", "main")["signer"]
    key = vendor.home / ".config/strongroom/acme/main.pem"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert read_signer_file(key).key_id.hex() == signer["key_id"]
    assert (signer["roles"], signer["state"], signer["private_key_state"]) == (["bundle"], "active", "here")
    assert signer["key_id"] in vendor.project


def test_a_private_key_is_in_no_output_and_not_in_the_project(vendor):
    done = vendor.run("signer", "new", "main")
    key = vendor.home / ".config/strongroom/acme/main.pem"
    body = key.read_text().splitlines()[1]
    for shown in (done, vendor.run("signer", "show"), vendor.run("signer", "show", "main", "--json")):
        assert body[-30:] not in shown.stdout + shown.stderr
        assert "PRIVATE" not in shown.stdout + shown.stderr
    assert body[-30:] not in vendor.project
    assert [path for path in vendor.folder.rglob("*") if b"PRIVATE" in path.read_bytes()] == []


def test_show_says_what_lies_where_the_private_key_should(vendor):
    vendor.ok("signer", "new", "main")
    vendor.ok("signer", "new", "other")
    keys = vendor.home / ".config/strongroom/acme"

    def state() -> str:
        (signer,) = vendor.ok("signer", "show", "main")["signers"]
        return str(signer["private_key_state"])

    (keys / "main.pem").chmod(0o644)
    assert state() == "readable"
    (keys / "other.pem").replace(keys / "main.pem")
    assert state() == "other-key"
    (keys / "main.pem").write_text("no key")
    assert state() == "unusable"
    (keys / "main.pem").unlink()
    assert state() == "missing"
    assert "not on this machine" in vendor.call("signer", "show").stdout


def test_an_edit_keeps_the_mode_of_the_file_and_follows_a_link(vendor):
    vendor.file.rename(vendor.folder / "real.toml")
    vendor.file.symlink_to("real.toml")
    (vendor.folder / "real.toml").chmod(0o640)
    vendor.ok("tenant", "add", "globex", "--account", "222222222222")
    assert vendor.file.is_symlink()
    assert stat.S_IMODE((vendor.folder / "real.toml").stat().st_mode) == 0o640


def test_a_signer_may_have_other_roles_and_another_place(vendor, tmp_path):
    place = tmp_path / "secure/ci.pem"
    signer = vendor.ok("signer", "new", "ci", "--role", "release", "--role", "bundle", "--private-key", str(place))[
        "signer"
    ]
    assert signer["roles"] == ["bundle", "release"]
    assert place.is_file()


def test_signer_new_refuses_what_makes_no_sense(vendor):
    vendor.ok("signer", "new", "main")
    assert vendor.wrong(2, "signer", "new", "main") == "signer.taken"
    assert vendor.wrong(2, "signer", "new", "../main") == "signer.name"
    assert vendor.wrong(2, "signer", "new", "next", "--target", "moon") == "project.unknown-target"
    (vendor.home / ".config/strongroom/acme/next.pem").write_text("precious")
    assert vendor.wrong(9, "signer", "new", "next") == "signer.exists"
    assert vendor.run("signer", "new", "x", "--role", "king").returncode == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming a user who may not write needs root")
def test_no_key_is_left_when_the_project_cannot_be_written():
    program = (
        "import os, sys; from strongroom.cli import main, signer\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "sys.exit(main.run(['signer', 'new', 'main', '--json']))\n"
    )
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        vendor = Shell(Path(place) / "product", Path(place) / "home")
        for folder in (vendor.folder, vendor.home):
            folder.mkdir()
        vendor.ok("init", "--product", "acme")
        os.chown(vendor.home, 65534, 65534)
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=vendor.folder,
            env=os.environ | {"HOME": str(vendor.home)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 9, done.stderr
        assert json.loads(done.stdout)["error"]["code"] == "file.unwritable"
        assert (vendor.home / ".config/strongroom/acme").is_dir()
        assert list(vendor.home.rglob("*.pem")) == []


def test_rotation_retires_the_old_key_and_keeps_its_roles(vendor):
    vendor.ok("signer", "new", "main", "--role", "release")
    answer = vendor.ok("signer", "rotate", "main")
    assert answer["signer"]["name"] == "main-2"
    assert answer["signer"]["roles"] == ["release"]
    assert answer["replaced"] == {"name": "main", "state": "retired"}
    assert vendor.wrong(2, "signer", "rotate", "main") == "signer.not-active"
    assert vendor.ok("signer", "rotate", "main-2", "--compromised")["signer"]["name"] == "main-3"
    states = {signer["name"]: signer["state"] for signer in vendor.ok("signer", "show")["signers"]}
    assert states == {"main": "retired", "main-2": "revoked", "main-3": "active"}


def test_an_unknown_signer_is_named(vendor):
    assert vendor.wrong(2, "signer", "show", "main") == "signer.unknown"
    assert vendor.wrong(2, "signer", "rotate", "main") == "signer.unknown"
    assert "No signers" in vendor.run("signer", "show").stdout


def test_a_production_trust_file_trusts_aws_and_the_signers_that_are_not_revoked(vendor):
    kept = vendor.ok("signer", "new", "main")["signer"]["key_id"]
    stolen = vendor.ok("signer", "new", "stolen")["signer"]["key_id"]
    fresh = vendor.ok("signer", "rotate", "stolen", "--compromised")["signer"]["key_id"]
    vendor.append('\n[secrets.db]\nfiles = ["db"]\nfloor = 4\n[secrets.other]\nfiles = ["db"]\n')
    vendor.ok("tenant", "add", "globex", "--account", "222222222222", "--region", "us-east-1")
    answer = vendor.ok("signer", "trust")
    trust = parse_trust((vendor.folder / "trust.json").read_bytes())
    assert (trust.profile, answer["profile"], answer["target"]) == (Profile.PRODUCTION, "production", "aws")
    assert {signer.key_id.hex() for signer in trust.signers} == {kept, fresh}
    assert stolen not in (vendor.folder / "trust.json").read_text()
    assert trust.floors == {"db": 4}
    assert trust.vendor.accounts == ("123456789012",)
    assert set(trust.identity_certificates) == {"eu-central-1", "us-east-1"}
    assert {describe_certificate(root).sha256.hex() for root in trust.tls.roots} == AMAZON_ROOTS
    assert (dict(trust.tls.kms), trust.tls.imds) == ({}, None)


def test_the_same_project_gives_the_same_bytes(vendor):
    vendor.ok("signer", "new", "main")
    first = vendor.ok("signer", "trust", "-o", "one.json")["sha256"]
    vendor.file.write_text("# another comment\n" + vendor.project)
    assert vendor.ok("signer", "trust", "-o", "two.json")["sha256"] == first
    assert (vendor.folder / "one.json").read_bytes() == (vendor.folder / "two.json").read_bytes()


def test_another_target_on_the_same_command_line_goes_to_the_twin(vendor):
    add_twin_trust(vendor)
    vendor.ok("signer", "new", "main")
    answer = vendor.ok("signer", "trust", "--target", "twin")
    trust = parse_trust((vendor.folder / "trust.json").read_bytes())
    assert (trust.profile, answer["target"]) == (Profile.REHEARSAL, "twin")
    assert trust.vendor.accounts == ("111111111111",)
    assert trust.tls.kms == {"eu-central-1": "https://127.0.0.1:4601"}


def test_an_image_under_qemu_finds_the_twin_where_guests_see_this_machine(vendor):
    add_twin_trust(vendor)
    vendor.ok("signer", "new", "main")
    vendor.ok("signer", "trust", "--target", "twin", "--guest")
    tls = parse_trust((vendor.folder / "trust.json").read_bytes()).tls
    there = {"eu-central-1": "https://10.0.2.2:4601"}
    assert (tls.kms, tls.s3, tls.imds) == (there, there, None)
    vendor.ok("signer", "trust", "--guest")
    assert parse_trust((vendor.folder / "trust.json").read_bytes()).tls.kms == {}, "AWS's names need no other"


@pytest.mark.parametrize(
    ("url", "there"),
    [
        ("https://127.0.0.1:1", "https://10.0.2.2:1"),
        ("https://127.8.9.1", "https://10.0.2.2"),
        ("https://localhost:1", "https://10.0.2.2:1"),
        ("https://[::1]:1", "https://10.0.2.2:1"),
        ("https://10.0.2.9:1", "https://10.0.2.9:1"),
    ],
)
def test_every_name_of_this_machine_has_one_for_guests(url, there):
    plain = Tls((), {"eu-central-1": url}, "http://127.0.0.1:1338")
    trust = Trust(Profile.REHEARSAL, "acme", (), {}, Vendor(Partition.AWS, ()), (), plain, {})
    assert as_a_guest_sees_it(trust).tls == Tls((), {"eu-central-1": there})


def test_signer_trust_refuses_what_would_not_hold(vendor):
    assert vendor.wrong(2, "signer", "trust") == "trust.no-signer"
    vendor.ok("signer", "new", "main")
    assert vendor.wrong(9, "signer", "trust", "--target", "twin") == "file.missing"
    assert "`strongroom twin up` makes it" in vendor.call("signer", "trust", "--target", "twin").stderr
    remove_twin_trust(vendor)
    assert vendor.wrong(2, "signer", "trust", "--target", "twin") == "trust.no-twin"
    assert vendor.wrong(2, "signer", "trust", "--profile", "rehearsal") == "trust.no-twin"
    assert vendor.wrong(2, "signer", "trust", "--target", "twin", "--profile", "production") == "trust.rehearsal-target"
    add_twin_trust(vendor)
    vendor.ok("tenant", "add", "globex", "--account", "222222222222", "--region", "us-east-1")
    assert vendor.wrong(2, "signer", "trust", "--target", "twin") == "trust.twin-region"
    vendor.ok("tenant", "remove", "globex")
    (vendor.folder / "tls.pem").write_bytes((vendor.folder / "tls.pem").read_bytes() * 2)
    assert vendor.wrong(3, "signer", "trust", "--target", "twin") == "trust.one-certificate"
    vendor.ok("tenant", "add", "moon", "--account", "333333333333", "--region", "moon-far-1")
    assert vendor.wrong(2, "signer", "trust") == "trust.region"
    assert not (vendor.folder / "trust.json").exists()


@pytest.mark.attack("K15")
def test_a_rehearsal_file_with_the_root_of_aws_is_not_written(vendor):
    from importlib import resources

    add_twin_trust(vendor)
    vendor.ok("signer", "new", "main")
    root = resources.files("strongroom").joinpath("data", "aws-nitro-root-g1.pem").read_bytes()
    (vendor.folder / "nitro.pem").write_bytes(root)
    assert vendor.wrong(5, "signer", "trust", "--target", "twin") == "trust.rehearsal-root"


def test_tenants_are_added_listed_and_removed(vendor):
    globex = vendor.ok("tenant", "add", "globex", "--account", "222222222222", "--ring", "canary")["tenant"]
    assert globex == {"id": "globex", "accounts": ["222222222222"], "regions": ["eu-central-1"], "ring": "canary"}
    vendor.ok("tenant", "add", "initech", "--account", "333333333333", "--region", "us-east-1")
    assert [tenant["id"] for tenant in vendor.ok("tenant", "list")["tenants"]] == ["globex", "initech"]
    assert "globex  ring canary" in vendor.run("tenant", "list").stdout
    vendor.ok("tenant", "remove", "globex")
    assert [tenant["id"] for tenant in vendor.ok("tenant", "list")["tenants"]] == ["initech"]


def test_tenant_commands_refuse_what_makes_no_sense(vendor):
    vendor.ok("tenant", "add", "globex", "--account", "222222222222")
    assert vendor.wrong(2, "tenant", "add", "globex", "--account", "333333333333") == "tenant.exists"
    assert vendor.wrong(2, "tenant", "add", "other", "--account", "222222222222") == "project.refused-edit"
    assert vendor.wrong(2, "tenant", "add", "other", "--account", "2") == "project.refused-edit"
    assert vendor.wrong(2, "tenant", "add", "Other", "--account", "333333333333") == "project.refused-edit"
    assert vendor.wrong(2, "tenant", "add", "o", "--account", "333333333333", "--ring", "x") == "project.refused-edit"
    assert vendor.wrong(2, "tenant", "remove", "initech") == "tenant.unknown"
    assert vendor.wrong(2, "tenant", "list", "--target", "moon") == "project.unknown-target"
    assert vendor.run("tenant", "add", "initech").returncode == 2


def test_a_tenant_that_is_still_named_stays(vendor):
    vendor.ok("tenant", "add", "globex", "--account", "222222222222")
    vendor.append('\n[secrets.db]\nfiles = ["db"]\ntenants = ["globex"]\n')
    assert vendor.wrong(2, "tenant", "remove", "globex") == "project.refused-edit"


def test_edits_keep_comments_and_order(vendor):
    vendor.append(
        "\n# our first customer\n[tenants.globex]   # since 2024\naccounts = [\n"
        '  "222222222222", # production\n]\n# about secrets\n\n[secrets.db] # the database\nfiles = ["db"]\n'
    )
    before = vendor.project
    vendor.ok("tenant", "add", "initech", "--account", "333333333333")
    assert vendor.project.startswith(before)
    vendor.ok("tenant", "remove", "initech")
    assert vendor.project.rstrip() == before.rstrip()
    vendor.ok("tenant", "remove", "globex")
    for comment in ("# our first customer", "# about secrets", "# the database", "# Signers:"):
        assert comment in vendor.project
    assert "222222222222" not in vendor.project.partition("# our first customer")[2]


def test_a_section_inside_another_is_left_to_its_editor(vendor):
    vendor.append('\n[tenants]\nglobex = { accounts = ["222222222222"] }\n')
    assert vendor.wrong(2, "tenant", "remove", "globex") == "project.no-section"


def test_a_section_whose_end_cannot_be_told_is_left_to_its_editor(vendor):
    vendor.append(
        '\n[targets.odd]\nprofile = "rehearsal"\nvendor-account = "111111111111"\naws-profile = """\n'
        '[targets.hidden]\nprofile = "rehearsal"\nvendor-account = "111111111111"\n# """\n'
    )
    with pytest.raises(UsageError) as caught:
        read_project(vendor.file).without_section(("targets", "odd"))
    assert caught.value.code == "project.not-removable"


def test_a_project_that_is_no_text_is_refused(vendor):
    vendor.file.write_bytes(b"version = 1 # \xff\n")
    done = vendor.run("tenant", "list", "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (3, "project.not-utf8")


def test_several_targets_without_a_default_need_a_name(vendor):
    vendor.file.write_text(vendor.project.replace('default-target = "aws"', ""))
    vendor.ok("signer", "new", "main")
    assert vendor.wrong(2, "signer", "trust") == "project.no-target"
    assert vendor.wrong(2, "signer", "trust", "--target", "moon") == "project.unknown-target"


@pytest.mark.parametrize(
    "words",
    [
        ["init"],
        *[["signer", name] for name in ("new", "show", "rotate", "trust")],
        *[["tenant", name] for name in ("add", "remove", "list")],
        ["signer"],
        ["tenant"],
    ],
    ids=" ".join,
)
def test_help_shows_an_example(shell, words):
    done = shell.call(*words, "--help")
    assert done.returncode == 0
    assert "Example:" in done.stdout
