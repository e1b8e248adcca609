# SPDX-License-Identifier: Apache-2.0
import re
from pathlib import Path

import pytest

from strongroom.errors import FormatError
from strongroom.formats.agent_config import BundleOrigin
from strongroom.formats.image_spec import parse_image_spec
from strongroom.formats.image_spec_model import BaseKind, DebianBase, FileContent, PathBase, SpecState
from strongroom.formats.uki import Architecture

PAGE = Path(__file__).parents[3] / "docs/formats/image-spec.md"
SMALL = """\
version = 1
[image]
name = "acme"
[base]
kind = "debian"
suite = "bookworm"
"""
WHOLE = (
    SMALL
    + """
packages = ["python3-minimal"]
[[files]]
path = "/etc/acme.conf"
source = "acme.conf"
mode = "0440"
owner = "acme"
group = 12
[[users]]
name = "acme"
uid = 990
groups = ["tty"]
[[units]]
name = "acme.service"
contents = "[Service]"
enable = false
[kernel]
arguments = ["quiet", "ipv6.disable=1"]
modules = ["xfs"]
[agent]
bundles-from = "image"
bundle-folder = "bundles"
trust = "trust.json"
[agent.bundles.key]
[state]
size-mib = 64
[secure-boot]
key = "db.key"
certificate = "db.pem"
kek = ["kek.pem"]
"""
)


def parse(text):
    return parse_image_spec(text.encode(), name="image.toml")


def refused(text):
    with pytest.raises(FormatError) as caught:
        parse(text)
    return caught.value


def test_the_example_of_the_documentation_parses():
    (example,) = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    spec = parse(example)
    assert [unit.name for unit in spec.units] == ["acme.service"]
    assert spec.agent.config.origin is BundleOrigin.USER_DATA


def test_what_is_absent_gets_its_default():
    spec = parse(SMALL)
    assert (spec.name, spec.architecture) == ("acme", Architecture.X86_64)
    assert spec.base == DebianBase("bookworm", ())
    assert (spec.files, spec.users, spec.units, spec.kernel.arguments, spec.kernel.modules) == ((),) * 5
    assert (spec.agent, spec.state, spec.secure_boot) == (None,) * 3


def test_everything_that_is_given_is_read():
    spec = parse(WHOLE)
    (file,), (user,), (unit,) = spec.files, spec.users, spec.units
    assert (file.content, file.mode, file.owner, file.group) == (FileContent(None, "acme.conf"), 0o440, "acme", 12)
    assert (user.name, user.uid, user.home, user.groups) == ("acme", 990, "/nonexistent", ("tty",))
    assert (unit.content, unit.enable) == (FileContent("[Service]", None), False)
    assert spec.kernel.arguments == ("quiet", "ipv6.disable=1")
    assert spec.kernel.modules == ("xfs",)
    assert (spec.agent.trust, spec.agent.bundles) == ("trust.json", "bundles")
    assert spec.state == SpecState(64)
    assert (spec.secure_boot.pk, spec.secure_boot.kek, spec.secure_boot.db) == ("db.pem", ("kek.pem",), ("db.pem",))


def test_a_base_that_somebody_else_made_is_a_path():
    text = SMALL.replace('suite = "bookworm"', 'path = "root"')
    assert parse(text.replace("debian", "tree")).base == PathBase(BaseKind.TREE, "root")
    assert parse(text.replace("debian", "oci")).base == PathBase(BaseKind.OCI, "root")


def test_an_unknown_key_is_refused_with_its_line_and_the_nearest_one():
    error = refused(SMALL + 'pakages = ["x"]\n')
    assert (error.code, error.remedy) == ("field.unknown", "Did you mean 'packages'?")
    assert error.message.startswith("image.toml:7: base.pakages")


FILE = '[[files]]\npath = "{}"\ncontents = "x"\n'
USER = '[[users]]\nname = "a"\nuid = 990\n'


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (FILE.format("/etc/../x"), "field.pattern"),
        (FILE.format("etc/x"), "field.pattern"),
        (FILE.format("/"), "field.pattern"),
        (FILE.format("/run/x"), "image-spec.reserved-path"),
        (FILE.format("/usr/lib/strongroom/trust.json"), "image-spec.reserved-path"),
        (FILE.format("/etc/x") * 2, "field.duplicate"),
        (FILE.format("/etc/x") + 'source = "x"\n', "image-spec.content"),
        ('[[files]]\npath = "/etc/x"\n', "image-spec.content"),
        (FILE.format("/etc/x") + 'mode = "644"\n', "field.pattern"),
        (FILE.format("/etc/x") + "owner = 65535\n", "field.range"),
        (FILE.format("/etc/x") + 'group = "A"\n', "field.pattern"),
        (USER.replace("990", "0"), "field.range"),
        (USER * 2, "field.duplicate"),
        (USER + USER.replace('"a"', '"b"'), "field.duplicate"),
        ('[[units]]\nname = "a/b.service"\n', "field.pattern"),
        ('[[units]]\nname = "a.service"\nenable = 1\n', "field.wrong-type"),
        ('[[units]]\nname = "a.service"\n' * 2, "field.duplicate"),
        ("[kernel]\narguments = ['a b']\n", "field.pattern"),
        ("[kernel]\narguments = ['a=\"b\"']\n", "field.pattern"),
        ("[kernel]\narguments = ['init=/bin/sh']\n", "image-spec.reserved-argument"),
        ("[kernel]\narguments = ['systemd.debug_shell']\n", "image-spec.reserved-argument"),
        ("[kernel]\narguments = ['rd.shell']\n", "image-spec.reserved-argument"),
        ("[kernel]\narguments = ['sysrq-always-enabled']\n", "image-spec.reserved-argument"),
        ("[kernel]\nmodules = ['../x']\n", "field.pattern"),
        ('[agent]\nbundles-from = "image"\n[agent.bundles.a]\n', "image-spec.no-bundle-folder"),
        ('[agent]\nbundles-from = "user-data"\nbundle-folder = "b"\n[agent.bundles.a]\n', "image-spec.bundle-folder"),
        ("[state]\nsize-mib = 1\n", "field.range"),
        ('[secure-boot]\nkey = "a"\n', "field.missing"),
    ],
)
def test_what_has_no_place_in_an_image_is_refused(more, code):
    assert refused(SMALL + more).code == code


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("version = 1", "version = 2", "field.range"),
        ('"acme"', '"Acme"', "field.pattern"),
        ('"debian"', '"debain"', "field.choice"),
        ('"bookworm"', '"book worm"', "field.pattern"),
        ('suite = "bookworm"', 'suite = "b"\npackages = ["a b"]', "field.pattern"),
        ('suite = "bookworm"', 'suite = "b"\npackages = ["ab", "ab"]', "field.duplicate"),
        ('suite = "bookworm"', 'suite = "b"\nmirror = "http://user@host/"', "field.pattern"),
        ('suite = "bookworm"', 'suite = "b"\npath = "x"', "field.unknown"),
    ],
)
def test_a_base_that_cannot_be_is_refused(old, new, code):
    assert refused(SMALL.replace(old, new)).code == code
