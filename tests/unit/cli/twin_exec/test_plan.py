# SPDX-License-Identifier: Apache-2.0
"""What a run is made of, and what is refused before anything is started."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from tests.disks import gpt_disk, partition
from tests.fat_volumes import make_fat
from tests.images import make_pe
from tests.twin_exec_project import GLOBEX, INITECH, KEY, PASSWORD, write_project
from tests.twin_world import small_uki

from strongroom.cli.main import run
from strongroom.cli.twin_exec import command, folder
from strongroom.cli.twin_exec.plan import read_entries
from strongroom.formats.uki import parse_uki
from strongroom.measure.predict import measure_image

TWO_IMAGES = """
[images.app]
spec = "app.toml"
secrets = ["tls"]

[images.worker]
spec = "worker.toml"
"""
ONE_IMAGE = TWO_IMAGES.partition("[images.worker]")[0]


def test_a_tenant_has_its_own_account_region_and_secrets(plan):
    found = plan()
    assert (found.account, found.region) == (GLOBEX, "eu-west-3")
    assert [secret.name for secret in found.secrets] == ["db-password", "tls"]
    assert [secret.name for secret in plan("initech").secrets] == ["db-password", "tls", "initech-only"]


def test_entries_are_called_as_their_files(plan):
    password, tls = (read_entries(plan().file, secret) for secret in plan().secrets)
    assert [(entry.name, entry.content) for entry in password] == [("db-password", PASSWORD)]
    assert (tls[0].name, tls[0].content) == ("key.der", KEY)


def test_secrets_that_are_named_are_the_only_ones_each_once(plan):
    assert [secret.name for secret in plan(secrets=("tls", "tls")).secrets] == ["tls"]


def test_an_image_of_the_project_says_which_secrets_it_opens(plan, project):
    project.add(TWO_IMAGES)
    found = plan(image="app")
    assert [secret.name for secret in found.secrets] == ["tls"]
    assert found.image.name == "a stand-in for app"


def test_the_only_image_of_the_project_says_it_for_every_file(plan, project):
    project.add(ONE_IMAGE)
    assert [secret.name for secret in plan(image="app.efi").secrets] == ["tls"]
    assert [secret.name for secret in plan().secrets] == ["tls"]


def test_a_file_beats_no_image_of_the_project_with_its_name(plan, project):
    project.add(TWO_IMAGES)
    (project.folder / "app").write_bytes(small_uki(cmdline="another"))
    assert plan(image="app").image.name == "a stand-in for app"
    assert plan(image="./app", secrets=("tls",)).image.data == (project.folder / "app").read_bytes()


def test_the_stand_in_is_the_same_each_time_and_can_be_measured(plan):
    first, second = plan().image.data, plan().image.data
    assert first == second
    assert measure_image(first, secure_boot=None).gates == (2, 4, 12, 13)


def test_without_measurements_the_key_admits_exactly_the_image(plan, project):
    found = plan(image="app.efi")
    assert found.exact
    expected = measure_image(project.image.read_bytes(), secure_boot=None)
    assert {name: each.pcrs for name, each in found.admitted.items()} == {"app.efi": expected.pcrs}


@pytest.mark.parametrize("drop", [(), (".cmdline",), (".cmdline", ".osrel")])
def test_one_byte_is_changed_in_the_most_telling_section_and_nothing_else(plan, project, drop):
    data = bytearray(project.image.read_bytes())
    for name in drop:  # sections that have another name are none of those that a stub reads
        at = data.index(name.encode().ljust(8, b"\0"))
        data[at : at + 8] = f".x{name[1:5]}".encode().ljust(8, b"\0")
    project.image.write_bytes(data)
    honest, changed = plan(image="app.efi"), plan(image="app.efi", change_a_byte=True)
    differing = [i for i, (a, b) in enumerate(zip(honest.image.data, changed.image.data, strict=True)) if a != b]
    assert len(differing) == 1
    section = next(s for s in parse_uki(bytes(data)).image.sections if s.raw_offset <= differing[0] < s.end)
    assert section.name == [".cmdline", ".osrel", ".linux"][len(drop)]
    assert honest.admitted == changed.admitted, "the key is for the image as it is"


def test_a_disk_boots_the_image_on_it(plan, project):
    data = project.image.read_bytes()
    volume = make_fat({"EFI": {"BOOT": {"BOOTX64.EFI": data}}}).data
    (project.folder / "disk.raw").write_bytes(gpt_disk(partition(volume)))
    assert plan(image="disk.raw").image.data == data
    beside = {"loader": {"credentials": {"root.cred": b"x"}}}
    volume = make_fat({"EFI": {"BOOT": {"BOOTX64.EFI": data}}, **beside}).data
    (project.folder / "disk.raw").write_bytes(gpt_disk(partition(volume)))
    assert [finding.code for finding in plan(image="disk.raw").image.findings] == ["disk.credential"]


@pytest.mark.parametrize(
    ("options", "code", "error"),
    [
        (["--tenant", "umbrella"], 2, "tenant.unknown"),
        (["--tenant", "globex", "--account", "12"], 2, "exec.account"),
        (["--tenant", "globex", "--target", "moon"], 2, "project.unknown-target"),
        (["--tenant", "globex", "--secret", "initech-only"], 2, "exec.not-for-tenant"),
        (["--tenant", "globex", "--secret", "none-such"], 2, "exec.not-for-tenant"),
        (["--tenant", "globex", "--project", "none.toml"], 9, "project.missing"),
        (["--tenant", "globex", "--image", "none.efi"], 9, "file.missing"),
        (["--tenant", "globex", "--image", "strongroom.toml"], 3, "measure.not-an-image"),
        (["--tenant", "globex", "--measurements", "none.json"], 9, "file.missing"),
        (["--tenant", "globex", "--measurements", "strongroom.toml"], 3, "json.syntax"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_started(refused, options, code, error):
    found, told = refused(*options)
    assert (found, told["code"]) == (code, error)


@pytest.mark.parametrize("given", [False, True])
def test_an_efi_program_that_is_no_unified_kernel_image_is_none_whatever_is_admitted(refused, project, given):
    measured = project.folder / "app.json"
    assert run(["measure", str(project.image), "-o", str(measured)]) == 0
    project.image.write_bytes(make_pe())
    code, error = refused_after(refused, project, ["--measurements", measured] if given else [])
    assert (code, error["code"]) == (3, "uki.no-kernel")


def refused_after(refused, project, options):
    return refused("--tenant", "globex", "--image", project.image, *options)


def test_a_stub_that_nobody_knows_is_not_admitted_by_default(refused, project):
    project.image.write_bytes(project.image.read_bytes().replace(b"systemd-stub", b"somebody-els"))
    code, error = refused("--tenant", "globex", "--image", project.image)
    assert (code, error["code"]) == (5, "measure.unknown-stub")


def test_files_of_a_secret_that_are_missing_or_empty_are_named(refused, project):
    (project.folder / "secrets/tls/key.der").write_bytes(b"")
    code, error = refused("--tenant", "globex")
    assert (code, error["code"]) == (3, "file.empty")
    (project.folder / "secrets/tls/key.der").unlink()
    code, error = refused("--tenant", "globex")
    assert (code, error["code"]) == (9, "file.missing")
    assert "key.der" in error["message"]


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming a user who may not read needs root")
def test_a_secret_that_cannot_be_read_is_named_and_nothing_runs():
    program = (
        "import os, sys; from strongroom.cli.main import run\n"
        "words = ['twin', 'exec', '--tenant', 'globex', '--', '/bin/sh', '-c', 'echo ran as $(id -u)']\n"
        "assert run(words) == 0\n"  # which also loads what another user may not be able to
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "sys.exit(run(words))\n"
    )
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        vendor = write_project(Path(place))
        (vendor.folder / "secrets/tls/key.der").chmod(0o600)
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=vendor.folder, capture_output=True, text=True, check=False
        )
    assert (done.returncode, done.stdout) == (9, "ran as 0\n")
    assert "key.der: Permission denied [file.unreadable]" in done.stderr


def test_a_project_with_images_that_open_nothing_has_no_secret_for_them(refused, project):
    project.add(TWO_IMAGES)
    code, error = refused("--tenant", "globex", "--image", "worker")
    assert (code, error["code"]) == (2, "exec.no-secret")


def test_of_several_images_one_is_named(refused, project):
    project.add(TWO_IMAGES)
    code, error = refused("--tenant", "globex", "--image", project.image)
    assert (code, error["code"]) == (2, "exec.which-secrets")
    assert "app, worker" in error["remedy"]


def test_a_tenant_without_secrets_has_none(refused, project):
    project.file.write_text(project.file.read_text().partition("[secrets.")[0])
    code, error = refused("--tenant", "globex")
    assert (code, error["code"]) == (2, "exec.no-secret")


def test_measurements_of_a_boot_with_secure_boot_are_told_apart(refused, project):
    measured = project.folder / "app.json"
    assert run(["measure", str(project.image), "-o", str(measured)]) == 0
    pcr7 = measure_image(project.image.read_bytes(), secure_boot=None).pcrs[7].hex()
    measured.write_text(measured.read_text().replace(pcr7, "ab" * 48))
    code, error = refused("--tenant", "globex", "--image", project.image, "--measurements", measured)
    assert (code, error["code"]) == (2, "exec.secure-boot")


def test_the_twin_plays_one_partition(refused, project):
    project.file.write_text(project.file.read_text().replace('"rehearsal"\n', '"rehearsal"\npartition = "aws-cn"\n'))
    code, error = refused("--tenant", "globex")
    assert (code, error["code"]) == (2, "exec.partition")


def test_a_program_that_is_missing_is_told_before_files_are_read(refused):
    for app in (("no-such-program",), ("./app.efi",), ("./secrets",)):
        code, error = refused("--tenant", "umbrella", app=app)
        assert (code, error["code"]) == (9, "exec.no-command")
        assert app[0] in error["message"]


def test_without_memory_nothing_is_read(refused, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_RUNTIME_DIR", "")
    monkeypatch.setattr(folder, "_SHARED_MEMORY", tmp_path / "none")
    code, error = refused("--tenant", "umbrella")
    assert (code, error["code"]) == (9, "exec.no-memory")


@pytest.mark.parametrize(
    "words",
    [
        ["--tenant", "globex"],
        ["--tenant", "globex", "/bin/true"],
        ["--tenant", "globex", "stray", "--", "/bin/true"],
        ["--tenant", "globex", "--"],
        ["--", "/bin/true"],
    ],
)
def test_the_app_stands_after_two_hyphens_and_nothing_else_does(project, capsys, words):
    assert run(["twin", "exec", *words]) == 2
    assert "Usage: strongroom twin exec [OPTIONS] -- CMD [ARG]..." in capsys.readouterr().err


def test_options_of_the_app_are_none_of_ours(project, capsys, monkeypatch):
    monkeypatch.setattr(command, "forbid_core_dumps", lambda: None)
    assert run(["twin", "exec", "--tenant", "umbrella", "--", "/bin/true", "--json", "--help"]) == 2
    said = capsys.readouterr()
    assert not said.out
    assert "[tenant.unknown]" in said.err


def test_help_needs_no_app(capsys):
    assert run(["twin", "exec", "--help"]) == 0
    assert "STRONGROOM_SECRETS" in capsys.readouterr().out


def test_another_account_of_the_tenant_or_of_anybody_may_be_named(plan):
    assert plan(account="222222222223").account == "222222222223"
    assert plan(account=INITECH).account == INITECH
