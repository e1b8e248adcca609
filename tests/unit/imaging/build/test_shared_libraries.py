# SPDX-License-Identifier: Apache-2.0
"""Against ldd, which asks the loader itself, for the programs of this machine."""

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
from tests.elf_files import minimal_elf

from strongroom.errors import FormatError
from strongroom.imaging.build.shared_libraries import libraries_of
from strongroom.imaging.tree.node import Node
from strongroom.imaging.tree.tree import Tree, memory_tree


def this_machine(*programs: str) -> Tree:
    """The programs, and everything in the folders where Debian keeps libraries."""
    folders = [Path("/usr/lib/x86_64-linux-gnu"), Path("/usr/lib64")]
    files = [Path(os.path.realpath(each)) for each in programs]
    files += [each for folder in folders if folder.is_dir() for each in folder.iterdir() if ".so" in each.name]
    nodes = [Node(path="/lib", mode=stat.S_IFLNK | 0o777, target="usr/lib")]
    nodes += [Node(path="/lib64", mode=stat.S_IFLNK | 0o777, target="usr/lib64")]
    nodes += [Node(path="/sbin", mode=stat.S_IFLNK | 0o777, target="usr/sbin")]
    nodes += [_node(each) for each in files]
    return Tree(nodes, lambda node: memoryview(Path(node.path).read_bytes()))


def _node(path: Path) -> Node:
    if path.is_symlink():
        return Node(path=str(path), mode=stat.S_IFLNK | 0o777, target=str(path.readlink()))
    return Node(path=str(path), mode=path.stat().st_mode, size=path.stat().st_size)


@pytest.mark.slow
@pytest.mark.parametrize("program", ["/usr/sbin/veritysetup", "/usr/bin/openssl", "/usr/bin/mcopy"])
def test_ldd_finds_the_same(program):
    said = subprocess.run(["ldd", program], check=True, capture_output=True, text=True).stdout
    wanted = {os.path.realpath(path) for path in re.findall(r"(?:=> )?(/\S+) \(0x", said)}
    tree = this_machine(program)
    found = libraries_of(tree, (os.path.realpath(program),))
    assert {str(tree.resolve(path)) for path in found} == wanted


def program_tree(contents: bytes):
    return memory_tree([(Node(path="/usr/bin/x", mode=stat.S_IFREG | 0o755, size=len(contents)), contents)])


def test_a_program_without_libraries_needs_none():
    assert libraries_of(program_tree(minimal_elf()), ("/usr/bin/x",)) == ()


@pytest.mark.parametrize("contents", [b"#!/bin/sh\n", b"\x7fELF", b"", minimal_elf()[:40]])
def test_what_is_no_program_is_refused(contents):
    with pytest.raises(FormatError) as refused:
        libraries_of(program_tree(contents), ("/usr/bin/x",))
    assert refused.value.code == "image.no-program-file"
