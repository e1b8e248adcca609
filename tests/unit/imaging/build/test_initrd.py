# SPDX-License-Identifier: Apache-2.0
import re
import stat
import subprocess

import pytest
from tests.elf_files import minimal_elf

from strongroom.errors import FormatError
from strongroom.formats.cpio import parse_cpio
from strongroom.imaging.build.initrd import INIT, VERITYSETUP, build_initrd
from strongroom.imaging.tree.node import Node
from strongroom.imaging.tree.tree import memory_tree

ELF = minimal_elf()


def root(*paths: str):
    return memory_tree((Node(path=path, mode=stat.S_IFREG | 0o755, size=len(ELF)), ELF) for path in paths)


def entries(archive: bytes):
    return {each.name.decode(): each for each in parse_cpio(memoryview(archive)).entries}


def test_it_holds_what_opens_the_root_and_nothing_else():
    archive = build_initrd(root(VERITYSETUP), b"busybox", {"dm-mod": b"1", "dm-verity": b"2"})
    found = entries(archive)
    files = {name for name, each in found.items() if stat.S_ISREG(each.mode)}
    assert files == {
        *("init", "bin/busybox", "bin/veritysetup"),
        *("modules/order", "modules/dm-mod.ko", "modules/dm-verity.ko"),
    }
    assert bytes(found["modules/order"].contents) == b"dm-mod.ko\ndm-verity.ko\n"
    assert bytes(found["bin/veritysetup"].contents) == ELF


def test_folders_come_before_what_lies_in_them():
    names = [*entries(build_initrd(root(VERITYSETUP), b"", {}))]
    for number, name in enumerate(names):
        folder = name.rpartition("/")[0]
        assert not folder or folder in names[:number]


def test_a_base_without_veritysetup_is_refused():
    with pytest.raises(FormatError) as refused:
        build_initrd(root("/usr/bin/other"), b"", {})
    assert refused.value.code == "image.no-part"


@pytest.mark.attack("B10")
def test_the_script_has_the_kernel_panic_at_a_changed_block():
    assert b"veritysetup open --panic-on-corruption " in INIT


@pytest.mark.attack("B13")
def test_the_script_is_a_shell_script_and_every_way_out_of_it_switches_the_machine_off():
    subprocess.run(["sh", "-n"], input=INIT, check=True)
    checked = [line for line in INIT.decode().splitlines() if re.match(r"(veritysetup|mount -t erofs|\[)", line)]
    assert len(checked) == 4
    assert all("|| stop " in line for line in checked)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("roothash=" + "ab" * 32, "ab" * 32),
        ("quiet roothash=" + "ab" * 32 + " ro", "ab" * 32),
        ("xroothash=" + "ab" * 32, ""),
        ("roothash=" + "ab" * 31, ""),
        ("roothash=" + "ab" * 33, ""),
        ("quiet", ""),
    ],
)
def test_the_script_takes_a_whole_hash_or_none(line, found):
    (expression,) = re.findall(r"sed -n '(s/\^.*)' /proc/cmdline", INIT.decode())
    done = subprocess.run(["sed", "-n", expression], input=line + "\n", capture_output=True, text=True, check=True)
    assert done.stdout.strip() == found
