# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest

from strongroom.errors import FormatError
from strongroom.formats.efi_variables import EfiVariables
from strongroom.ids import AccountId
from strongroom.twin.instances.boot_order import BootOrder, encode_order, parse_order
from strongroom.twin.qemu.hardware import Forward
from strongroom.twin.qemu.variables import boot_next

PLAIN = BootOrder(Path("/images/disk.raw"), AccountId("222222222222"), "app")
FULL = BootOrder(
    disk=Path("/images/disk.raw"),
    account=AccountId("222222222222"),
    role="app",
    user_data=b"\0user data",
    variables=EfiVariables((boot_next(3),)),
    memory_mib=2048,
    forwards=(Forward(0, 22), Forward(8443, 443)),
)


@pytest.mark.parametrize("order", [PLAIN, FULL])
def test_what_is_ordered_arrives(order):
    assert parse_order(encode_order(order)) == order


def test_a_path_means_the_same_in_another_process(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    order = BootOrder(Path("disk.raw"), AccountId("222222222222"), "app")
    assert parse_order(encode_order(order)).disk == tmp_path / "disk.raw"


@pytest.mark.parametrize(
    ("member", "value"),
    [
        *(("disk", ""), ("account", "2222"), ("role", ""), ("user_data", "no base64!"), ("variables", "AAAA")),
        *(("memory_mib", 64), ("memory_mib", 1 << 20), ("forwards", [[1]]), ("forwards", [[1, 0]])),
        *(("forwards", [[65536, 1]]), ("unknown", 1)),
    ],
)
def test_anything_else_is_refused(member, value):
    members = json.loads(encode_order(FULL)) | {member: value}
    with pytest.raises(FormatError):
        parse_order(json.dumps(members).encode())
