# SPDX-License-Identifier: Apache-2.0
import stat

import pytest

from strongroom.errors import FormatError
from strongroom.formats.image_spec import parse_image_spec
from strongroom.imaging.agent_payload import PayloadFile
from strongroom.imaging.build.composition import Plan, compose, os_release
from strongroom.imaging.build.units import MASKED
from strongroom.imaging.tree.node import Node
from strongroom.imaging.tree.tree import memory_tree

HEAD = 'version = 1\n[image]\nname = "acme-app"\n[base]\nkind = "debian"\nsuite = "bookworm"\n'
UNITS = "/etc/systemd/system"
TEXTS = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/bash\n",
    "/etc/shadow": "root:*:19675:0:99999:7:::\n",
    "/etc/group": "root:x:0:\n",
    "/etc/gshadow": "root:*::\n",
    "/usr/lib/os-release": 'ID=debian\nVARIANT_ID=other\nVERSION_ID="12"\n',
    "/usr/lib/systemd/system/nginx.service": "[Install]\nWantedBy=multi-user.target\n",
    "/usr/lib/systemd/system/plain.service": "[Service]\n",
    "/usr/share/doc/x/copyright": "License: MIT\n",
    "/usr/bin/sh": "shell",
}
GONE = (
    *("/boot/vmlinuz", "/var/cache/apt/x", "/var/log/dpkg.log", "/etc/passwd-", "/etc/apt/sources.list"),
    *("/usr/share/doc/x/README", "/usr/lib/python3/dist-packages/__pycache__/y.pyc", "/root/.bashrc", "/dev/null"),
    *("/run/secret", "/tmp/left", "/var/lib/dpkg/status-old"),
)


def base():
    files = [(f"{path}", text) for path, text in [*TEXTS.items(), *((path, "x") for path in GONE)]]
    nodes = [
        (
            Node(path=path, mode=stat.S_IFREG | (0o640 if path == "/etc/shadow" else 0o644), size=len(text)),
            text.encode(),
        )
        for path, text in files
    ]
    link = (Node(path="/lib", mode=stat.S_IFLNK | 0o777, target="usr/lib"), b"")
    return memory_tree([*nodes, link])


def plan(spec: str = "", *, variant="production", agent=()) -> Plan:
    return Plan(
        spec=parse_image_spec((HEAD + spec).encode(), name="image.toml"),
        variant=variant,
        agent=agent,
        files={"/usr/lib/modules/6.1/config": b"CONFIG_X=y\n"},
        read=lambda content: (content.text or "").encode(),
        epoch=1_700_000_000,
        kept_byte_code=("/usr/lib/python3.11",),
    )


def composed(spec: str = "", **options):
    return compose(base(), plan(spec, **options))


def test_what_has_no_place_in_an_image_is_gone_and_the_rest_stays():
    root = composed()
    assert [path for path in GONE if root.lookup(path) is not None] == []
    assert root.text("/usr/bin/sh") == "shell"
    assert root.text("/usr/share/doc/x/copyright") == "License: MIT\n"


def test_its_machine_id_is_empty_and_its_mount_points_are_there():
    root = composed()
    assert root.read("/etc/machine-id") == b""
    assert all(root.nodes[path].is_folder for path in ("/dev", "/proc", "/sys", "/run"))
    assert stat.S_IMODE(root.nodes["/tmp"].mode) == 0o1777


def test_os_release_says_which_image_and_which_kind_it_is():
    assert os_release(base(), plan()) == b'ID=debian\nVERSION_ID="12"\nIMAGE_ID=acme-app\nVARIANT_ID=production\n'
    assert "VARIANT_ID=debug" in composed(variant="debug").text("/usr/lib/os-release")


def test_ways_in_are_masked():
    root = composed()
    assert {name for name in MASKED if root.nodes[f"{UNITS}/{name}"].target == "/dev/null"} == set(MASKED)


def test_a_debug_image_has_a_root_shell_on_the_serial_console_and_others_do_not():
    path = f"{UNITS}/getty.target.wants/serial-getty@ttyS0.service"
    debug = composed(variant="debug")
    assert debug.nodes[path].is_link
    assert "--autologin root" in debug.text(f"{UNITS}/serial-getty@ttyS0.service.d/autologin.conf")
    assert composed().lookup(path) is None


def test_a_file_goes_where_links_of_the_base_lead_with_its_owner_and_mode():
    root = composed(
        '[[users]]\nname = "acme"\nuid = 990\n'
        '[[files]]\npath = "/lib/acme/app"\ncontents = "run"\nmode = "0750"\nowner = "acme"\n'
    )
    node = root.nodes["/usr/lib/acme/app"]
    assert (node.uid, node.gid, stat.S_IMODE(node.mode), root.read(node.path)) == (990, 990, 0o750, b"run")


def test_a_file_cannot_lie_below_a_file():
    with pytest.raises(FormatError) as refused:
        composed('[[files]]\npath = "/usr/bin/sh/x"\ncontents = "x"\n')
    assert refused.value.code == "image.not-a-folder"


def test_account_files_keep_their_modes():
    root = composed('[[users]]\nname = "acme"\nuid = 990\n')
    assert stat.S_IMODE(root.nodes["/etc/shadow"].mode) == 0o640
    assert "acme:!*:" in root.text("/etc/shadow")


def test_units_of_the_specification_and_of_packages_are_enabled_by_what_they_say():
    root = composed(
        '[[units]]\nname = "acme.service"\n'
        'contents = "[Install]\\nWantedBy=a.target b.target\\nAlias=other.service\\n"\n'
        '[[units]]\nname = "nginx.service"\n'
    )
    links = {
        path: root.nodes[path].target
        for path in root.nodes
        if path.startswith(UNITS) and "acme" in root.nodes[path].target
    }
    assert links == {
        f"{UNITS}/a.target.wants/acme.service": f"{UNITS}/acme.service",
        f"{UNITS}/b.target.wants/acme.service": f"{UNITS}/acme.service",
        f"{UNITS}/other.service": f"{UNITS}/acme.service",
    }
    assert (
        root.nodes[f"{UNITS}/multi-user.target.wants/nginx.service"].target == "/usr/lib/systemd/system/nginx.service"
    )


@pytest.mark.parametrize(
    ("unit", "code"),
    [('name = "absent.service"', "image.no-unit"), ('name = "plain.service"', "image.unit-install")],
)
def test_a_unit_that_is_not_there_or_says_nowhere_what_wants_it_is_refused(unit, code):
    with pytest.raises(FormatError) as refused:
        composed(f"[[units]]\n{unit}\n")
    assert refused.value.code == code


def test_a_unit_that_another_one_starts_is_not_enabled():
    assert composed('[[units]]\nname = "plain.service"\nenable = false\n')


def test_the_agent_keeps_its_byte_code_and_its_files_are_roots():
    path = "/usr/lib/strongroom/python/strongroom/__pycache__/x.pyc"
    agent = (PayloadFile("/usr/bin/strongroom-agent", 0o755, b"#!"), PayloadFile(path, 0o644, b"code"))
    root = composed(agent=agent)
    assert root.read(path) == b"code"
    assert (root.nodes["/usr/bin/strongroom-agent"].uid, root.nodes["/usr/bin/strongroom-agent"].mode & 0o777) == (
        0,
        0o755,
    )
