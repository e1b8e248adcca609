# SPDX-License-Identifier: Apache-2.0
"""What a specification becomes in the terms of Amazon Linux and kiwi, and what kiwi cannot have."""

from __future__ import annotations

import subprocess
from xml.etree import ElementTree as ET

import pytest
from tests.host_trees import make_tree

from strongroom.errors import Severity, UsageError
from strongroom.formats.image_spec import parse_image_spec
from strongroom.formats.partition import Profile
from strongroom.imaging.agent_payload import PayloadFile
from strongroom.imaging.audit.engine import apply_rules
from strongroom.imaging.audit.subject import Subject
from strongroom.imaging.kiwi.appliance import appliance
from strongroom.imaging.kiwi.overlay import overlay
from strongroom.imaging.kiwi.package_names import amazon_packages
from strongroom.imaging.kiwi.plan import BASE_PACKAGES, MASKED_UNITS, WITHOUT
from strongroom.imaging.kiwi.scripts import config_script
from strongroom.imaging.kiwi.translate import KERNEL_ARGUMENTS, plan_of

SPEC = """version = 1
[image]
name = "acme"
[base]
kind = "debian"
suite = "bookworm"
packages = ["openssl", "python3-minimal"]
[[users]]
name = "acme"
uid = 990
groups = ["video"]
[[files]]
path = "/usr/lib/acme/app.py"
contents = "print(1)"
mode = "0755"
[[files]]
path = "/var/lib/acme/state"
contents = "x"
owner = "acme"
[[units]]
name = "acme.service"
contents = "[Service]\\nExecStart=/usr/lib/acme/app.py\\n"
[[units]]
name = "nginx.service"
[[units]]
name = "later.service"
contents = "[Service]\\nExecStart=/bin/true\\n"
enable = false
[kernel]
arguments = ["mitigations=auto"]
"""
AGENT = """[agent]
bundles-from = "user-data"
[agent.bundles.database]
"""
PAYLOAD = (PayloadFile("/usr/bin/strongroom-agent", 0o755, b"#!"), PayloadFile("/usr/lib/strongroom/x", 0o644, b"y"))


def spec(text: str = SPEC):
    return parse_image_spec(text.encode(), name="image.toml")


def files(text: str = SPEC, agent=()):
    return {file.path: file for file in overlay(spec(text), agent, lambda content: (content.text or "").encode())}


def plan(text: str = SPEC, *, packages=None, release="latest"):
    overlaid = tuple(files(text).values())
    return plan_of(spec(text), overlaid, variant="production", packages=packages or {}, release=release)


def test_files_units_and_users_of_the_specification_are_in_the_overlay():
    found = files()
    assert (found["/usr/lib/acme/app.py"].contents, found["/usr/lib/acme/app.py"].mode) == (b"print(1)", 0o755)
    assert found["/etc/systemd/system/acme.service"].contents.startswith(b"[Service]")
    assert "/etc/systemd/system/nginx.service" not in found
    users = found["/usr/lib/sysusers.d/strongroom.conf"].contents.decode().splitlines()
    assert users == ["g acme 990", 'u acme 990:990 "acme" /nonexistent /usr/sbin/nologin', "m acme video"]


def test_what_is_ours_is_there_and_a_file_of_the_specification_comes_before_it():
    assert b"kernel.sysrq = 0" in files()["/etc/sysctl.d/80-attestable.conf"].contents
    assert b"DHCP=yes" in files()["/etc/systemd/network/80-dhcp.network"].contents
    own = '[[files]]\npath = "/etc/sysctl.d/80-attestable.conf"\ncontents = "a"\n'
    assert files(SPEC + own)["/etc/sysctl.d/80-attestable.conf"].contents == b"a"
    assert list(files()) == sorted(files())


def test_the_agent_is_in_the_overlay_with_its_modes():
    found = files(SPEC + AGENT, PAYLOAD)
    assert (found["/usr/bin/strongroom-agent"].mode, found["/usr/lib/strongroom/x"].contents) == (0o755, b"y")


def test_packages_get_their_names_in_amazon_linux():
    assert plan().packages == ("openssl", "python3.11")
    assert "python3.11" in plan(SPEC.replace(', "python3-minimal"', "") + AGENT).packages
    assert amazon_packages(("udev", "systemd-sysv"), {}) == ("systemd-udev",)
    assert amazon_packages(("libfoo1", "openssl"), {"libfoo1": ("libfoo", "foo"), "openssl": ()}) == ("foo", "libfoo")


def test_a_package_whose_name_is_not_known_is_named_with_what_to_do():
    with pytest.raises(UsageError) as caught:
        plan(SPEC.replace('"openssl"', '"libfoo1", "libbar2"'))
    assert caught.value.code == "kiwi.unknown-package"
    assert "libfoo1, libbar2" in caught.value.message
    assert "--package" in caught.value.remedy


def test_a_choice_for_a_package_that_nobody_wants_is_refused():
    with pytest.raises(UsageError) as caught:
        plan(packages={"libfoo1": ("libfoo",)})
    assert caught.value.code == "kiwi.unused-package"


@pytest.mark.attack("B10")
@pytest.mark.attack("B13")
def test_the_kernel_arguments_are_the_required_ones_and_then_those_of_the_specification():
    assert plan().kernel_arguments == (*KERNEL_ARGUMENTS, "mitigations=auto")
    required = {"rd.kiwi.verity_options=panic-on-corruption", "rd.shell=0", "systemd.gpt_auto=0", "lockdown=integrity"}
    assert required <= set(KERNEL_ARGUMENTS)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (SPEC.replace('kind = "debian"\nsuite = "bookworm"', 'kind = "tree"\npath = "x"'), "kiwi.base"),
        (SPEC + "[state]\nsize-mib = 64\n", "kiwi.state"),
        (SPEC + '[secure-boot]\nkey = "k"\ncertificate = "c"\n', "kiwi.secure-boot"),
        (SPEC + 'modules = ["ext4"]\n', "kiwi.modules"),
    ],
)
def test_what_kiwi_cannot_have_is_refused(change, code):
    text = change.replace('packages = ["openssl", "python3-minimal"]\n', "") if code == "kiwi.base" else change
    with pytest.raises(UsageError) as caught:
        plan(text)
    assert caught.value.code == code
    assert caught.value.remedy


def elements(document: bytes, name: str) -> list[dict[str, str]]:
    return [element.attrib for element in ET.fromstring(document).iter(name)]


@pytest.mark.attack("B14")
def test_ways_in_are_left_out_and_what_boots_is_put_in():
    document = appliance(plan())
    assert {"openssh-server", "amazon-ssm-agent", "cloud-init", "ec2-instance-connect"} <= set(WITHOUT)
    assert [row["name"] for row in elements(document, "ignore")] == sorted(WITHOUT)
    packages = {row["name"] for row in elements(document, "package")}
    assert {*BASE_PACKAGES, "openssl", "python3.11", "dnf"} <= packages
    wanted = appliance(plan(SPEC.replace('"openssl"', '"libx"'), packages={"libx": ("acpid",)}))
    assert "acpid" not in {row["name"] for row in elements(wanted, "ignore")}


def test_the_disk_is_a_read_only_root_that_dm_verity_checks_without_a_place_to_write():
    (kind,) = elements(appliance(plan()), "type")
    assert kind["overlayroot_readonly_filesystem"] == "erofs"
    assert (kind["verity_blocks"], kind["overlayroot_write_partition"]) == ("all", "false")
    assert kind["editbootinstall"] == "edit_boot_install.sh"


def test_a_version_of_amazon_linux_pins_its_packages():
    assert b"/mirrors/latest/$basearch/" in appliance(plan())
    assert b"/mirrors/2023.9.20251105/$basearch/" in appliance(plan(release="2023.9.20251105"))


def test_the_architecture_is_that_of_the_machine_that_builds():
    assert elements(appliance(plan()), "preferences") == [{"arch": "x86_64"}]
    arm = plan(SPEC.replace('name = "acme"\n[base]', 'name = "acme"\narchitecture = "arm64"\n[base]'))
    assert elements(appliance(arm), "preferences") == [{"arch": "aarch64"}]


def test_equal_plans_give_equal_bytes():
    assert (appliance(plan()), config_script(plan())) == (appliance(plan()), config_script(plan()))


def script(text: str = SPEC) -> list[str]:
    return config_script(plan(text)).decode().splitlines()


def test_the_script_enables_masks_and_gives_files_to_their_owners():
    lines = script()
    assert "systemctl enable systemd-networkd.service systemd-resolved.service acme.service nginx.service" in lines
    assert f"systemctl mask {' '.join(MASKED_UNITS)}" in lines
    assert "chown --no-dereference acme:acme /var/lib/acme/state" in lines
    assert not any("/usr/lib/acme/app.py" in line for line in lines)
    assert "echo VARIANT_ID=production >> /usr/lib/os-release" in lines


def test_the_script_compiles_the_agent_where_there_is_one():
    assert not any("compileall" in line for line in script())
    assert any(line.startswith("/usr/bin/python3.11 -I -m compileall") for line in script(SPEC + AGENT))


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_script_is_one_that_shells_read(shell):
    subprocess.run([shell, "-n"], input=config_script(plan(SPEC + AGENT)), check=True)


def test_our_own_audit_finds_nothing_in_the_kernel_arguments_and_the_files_that_we_add():
    line = " ".join((*plan().kernel_arguments, "root=overlay:MAPPER=verityroot"))
    tree = make_tree({path: file.contents for path, file in files(SPEC + AGENT, PAYLOAD).items()})
    found = apply_rules(Subject(Profile.PRODUCTION, command_line=line)).found
    assert [each.rule.code for each in found] == []
    found = apply_rules(Subject(Profile.PRODUCTION, tree=tree, command_line=line)).found
    assert not [each.rule.code for each in found if each.rule.severity is Severity.ERROR]
