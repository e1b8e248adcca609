# SPDX-License-Identifier: Apache-2.0
"""Whom `strongroom verify` believes: roots by file and by fingerprint, deny lists, and what its verdict speaks of."""

import hashlib
import json

import pytest
from tests.nitro_pki import INSTANCE, MODULE, PCRS, Pki, document, good_pki, key, root_pem
from tests.verify_world import AT, CHALLENGED, RULES

from strongroom.cli.main import run
from strongroom.formats.pcrs import PcrDigests

EXPECTED = (*RULES, *CHALLENGED)
G1 = "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b"


def root_of(pki):
    return hashlib.sha256(pki.certificates["root"]).hexdigest()


def lookalike():
    return Pki(keys={"root": key("another root")})


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "document").write_bytes(document())
    for name, pki in (("root", good_pki()), ("other", lookalike())):
        (tmp_path / name).write_bytes(root_pem(pki))
    return tmp_path


@pytest.fixture
def verify(folder, capsys):
    def call(*options):
        code = run(["verify", str(folder / "document"), *map(str, options), *EXPECTED, *AT])
        return code, capsys.readouterr()

    return call


@pytest.fixture
def deny(folder):
    def write(name="deny", **lists):
        entries = {
            kind: [{**entry, "reason": f"because of {name}"} for entry in found] for kind, found in lists.items()
        }
        (folder / name).write_text(json.dumps({"version": 1, **entries}))
        return "--deny", folder / name

    return write


def code_of(result):
    return json.loads(result[1].out)["error"]["code"]


# --- roots ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [str, str.upper, lambda text: ":".join(text[at : at + 2] for at in range(0, 64, 2))])
def test_a_root_is_pinned_by_its_fingerprint(verify, shape):
    assert verify("--root-sha256", shape(root_of(good_pki())))[0] == 0
    assert verify("--root-sha256", shape(root_of(lookalike())))[0] == 4


def test_roots_may_be_named_several_times_and_in_both_ways(verify, folder):
    assert verify("--root", folder / "other", "--root", folder / "root")[0] == 0
    assert verify("--root", folder / "other", "--root-sha256", root_of(good_pki()))[0] == 0
    assert verify("--root", folder / "root", "--root-sha256", G1)[0] == 0


@pytest.mark.attack("A5")
def test_named_roots_replace_awss_and_nothing_else_is_trusted(verify, folder):
    for options in ((), ("--root", folder / "other"), ("--root-sha256", G1), ("--root-sha256", "00" * 32)):
        code, said = verify(*options, "--json")
        assert (code, json.loads(said.out)["error"]["code"]) == (4, "chain.unknown-root")


@pytest.mark.parametrize(
    ("text", "code"), [("xyz", "verify.not-hex"), ("00" * 31, "roots.fingerprint"), ("", "roots.fingerprint")]
)
def test_what_is_no_fingerprint_is_a_usage_error(verify, text, code):
    result = verify("--root-sha256", text, "--json")
    assert (result[0], code_of(result)) == (2, code)


def test_the_verdict_says_which_root_vouched(verify, folder):
    said = json.loads(verify("--root", folder / "root", "--json")[1].out)
    assert (said["root_sha256"], said["root_name"]) == (root_of(good_pki()), None)
    text = verify("--root", folder / "root", "--root", folder / "other")[1].out
    assert f"its root is {root_of(good_pki())} (not AWS's" in text


def test_awss_root_is_called_by_its_name(genuine_vectors, capsys):
    file = next((genuine_vectors / "documents").glob("nitrotpm-*.cbor"))
    command = ["verify", str(file), "--authentic-only", "--at", "document"]
    for pin in ([], ["--root-sha256", G1]):
        assert run([*command, *pin]) == 0
        assert f"its root is {G1} (AWS Nitro root G1)" in capsys.readouterr().out
        assert run([*command, *pin, "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["root_sha256"], said["root_name"]) == (G1, "AWS Nitro root G1")


# --- deny lists -------------------------------------------------------------------------------------------------------


@pytest.mark.attack("A23")
def test_a_deny_list_refuses_what_it_names(verify, folder, deny):
    trusted = ("--root", folder / "root")
    zonal = hashlib.sha256(good_pki().certificates["zonal"]).hexdigest()
    for lists, code in (
        ({"certificates": [{"sha256": zonal}]}, "evidence.denied-certificate"),
        ({"modules": [{"id": MODULE}]}, "evidence.denied-module"),
        ({"instances": [{"id": INSTANCE}]}, "evidence.denied-instance"),
    ):
        result = verify(*trusted, *deny(**lists), "--json")
        assert (result[0], code_of(result)) == (4, code)
        assert "because of deny" in verify(*trusted, *deny(**lists))[1].err


@pytest.mark.attack("A23")
def test_whatever_one_of_several_lists_names_is_refused(verify, folder, deny):
    empty = deny("empty")
    other = deny("other", instances=[{"id": "i-0fedcba9876543210"}])
    named = deny("named", instances=[{"id": INSTANCE}])
    assert verify("--root", folder / "root", *empty, *other)[0] == 0
    for order in ((*empty, *other, *named), (*named, *other, *empty)):
        code, said = verify("--root", folder / "root", *order)
        assert (code, f"because of named (in {named[1]}) [evidence.denied-instance]" in said.err) == (4, True)


def test_a_deny_list_is_said_to_be_unsigned_where_it_is_used(verify, folder, deny):
    options = ("--root", folder / "root", *deny())
    assert "the deny list is not signed" in verify(*options)[1].out
    assert "the deny list is not signed" in " ".join(json.loads(verify(*options, "--json")[1].out)["notices"])
    assert "deny list" not in verify(*options[:2])[1].out


def test_a_deny_list_that_cannot_be_read_stops_everything(verify, folder, deny):
    (folder / "broken").write_text('{"version": 2}')
    assert verify("--root", folder / "root", "--deny", folder / "broken")[0] == 3
    assert verify("--root", folder / "root", "--deny", folder / "absent")[0] == 9


# --- what the verdict speaks of ---------------------------------------------------------------------------------------


@pytest.mark.attack("A24")
@pytest.mark.parametrize("at", [AT, ["--at", "document"]])
def test_a_verdict_says_that_it_speaks_of_the_boot_state(folder, capsys, at):
    """A compromise in memory changes no PCR that gates: before and after, the same document but for its time."""
    command = ["verify", str(folder / "document"), "--root", str(folder / "root"), *EXPECTED, *at]
    after = PcrDigests.of({**PCRS, 10: b"\x0a" * 48, 16: b"\x10" * 48})
    for later in (document(), document(pcrs=after)):
        (folder / "document").write_bytes(later)
        assert run(command) == 0
        assert "this speaks of the boot state" in capsys.readouterr().out
        assert run([*command, "--json"]) == 0
        assert any("boot state" in notice for notice in json.loads(capsys.readouterr().out)["notices"])


@pytest.mark.attack("A24")
def test_without_a_policy_not_even_the_boot_state_is_vouched_for(folder, capsys):
    command = ["verify", str(folder / "document"), "--root", str(folder / "root"), "--authentic-only", *AT]
    assert run(command) == 0
    said = capsys.readouterr().out
    assert "no PCR was compared" in said
    assert "boot state" not in said


@pytest.mark.attack("A16")
def test_a_name_in_a_certificate_cannot_speak_to_the_terminal(folder, capsys):
    hostile = Pki(leaf={"name": "\x1b[2J\x1b[32mTRUSTED\x07\u202e\r<script>"})
    (folder / "document").write_bytes(document(hostile))
    assert run(["verify", str(folder / "document"), "--root-sha256", root_of(hostile), *EXPECTED, *AT]) == 4
    said = capsys.readouterr()
    assert not said.out
    assert "[evidence.wrong-leaf]" in said.err
    assert all(character.isprintable() for line in said.err.split("\n") for character in line)


@pytest.mark.attack("A16")
@pytest.mark.parametrize("field", ["user_data", "public_key", "nonce"])
def test_bytes_of_strangers_leave_verify_as_hex(folder, capsys, field):
    hostile = b"\x1b[2J<script>alert(1)</script>\xff\x00"
    (folder / "document").write_bytes(document(**{field: hostile}))
    command = ["verify", str(folder / "document"), "--root", str(folder / "root"), "--authentic-only", *AT]
    assert run([*command, "--json"]) == 0
    said = capsys.readouterr().out
    assert json.loads(said)[field] == hostile.hex()
    assert "script" not in said
    assert run(command) == 0
    said = capsys.readouterr().out
    assert "script" not in said
    assert "\x1b" not in said
