# SPDX-License-Identifier: Apache-2.0
"""A tree follows links inside of itself and nowhere else."""

import stat

import pytest

from strongroom.errors import FormatError
from strongroom.imaging.tree.node import Node
from strongroom.imaging.tree.tree import memory_tree


def file(path, contents=b"x", mode=0o644):
    return Node(path=path, mode=stat.S_IFREG | mode, size=len(contents)), contents


def link(path, target):
    return Node(path=path, mode=stat.S_IFLNK | 0o777, target=target), b""


TREE = memory_tree(
    [
        file("/usr/lib/systemd/system/a.service", b"unit"),
        file("/usr/lib/systemd/system/b.timer"),
        file("/etc/passwd", b"root\nuser\n"),
        file("/etc/odd[1]/x", b"odd"),
        link("/lib", "usr/lib"),
        link("/etc/alias", "../../../../etc/passwd"),
        link("/etc/absolute", "/lib/systemd/system/a.service"),
        link("/circle", "circle2"),
        link("/circle2", "/circle"),
        link("/dangling", "/nowhere"),
    ]
)


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/etc/passwd", "/etc/passwd"),
        ("/lib/systemd/system/a.service", "/usr/lib/systemd/system/a.service"),
        ("/etc/alias", "/etc/passwd"),
        ("/etc/absolute", "/usr/lib/systemd/system/a.service"),
        ("/../../etc/./passwd", "/etc/passwd"),
        ("/", "/"),
        ("/lib/..", "/usr"),
        ("/circle", None),
        ("/dangling", None),
        ("/etc/passwd/x", None),
        ("/etc/passwd/..", None),
        ("/none", None),
    ],
)
def test_a_path_leads_where_it_would_with_this_tree_as_root(path, leads_to):
    node = TREE.resolve(path)
    assert (node.path if node else None) == leads_to


def test_a_lookup_gives_the_link_itself():
    assert TREE.lookup("/usr/../lib").target == "usr/lib"
    assert TREE.lookup("/lib/systemd").path == "/usr/lib/systemd"


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("/lib/systemd/system/*.service", ["/usr/lib/systemd/system/a.service"]),
        ("/usr/**/*.[st]*", ["/usr/lib/systemd/system/a.service", "/usr/lib/systemd/system/b.timer"]),
        ("/usr/lib/systemd/system/[!a].*", ["/usr/lib/systemd/system/b.timer"]),
        ("/usr/lib/systemd/system/?.timer", ["/usr/lib/systemd/system/b.timer"]),
        ("/usr/*.service", []),
        ("/etc/passwd", ["/etc/passwd"]),
        ("/etc/passwd/*", []),
        ("/none/*", []),
    ],
)
def test_a_pattern_finds_its_nodes(pattern, found):
    assert [node.path for node in TREE.glob(pattern)] == found


def test_children_and_what_is_below_take_a_path_as_it_is():
    assert [node.path for node in TREE.children("/etc/odd[1]")] == ["/etc/odd[1]/x"]
    assert [node.path for node in TREE.below("/lib")][:2] == ["/usr/lib/systemd", "/usr/lib/systemd/system"]
    assert "/" not in [node.path for node in TREE.children("/")]


def test_contents_are_read_through_links_and_with_a_bound():
    assert TREE.read("/etc/absolute") == b"unit"
    assert list(TREE.lines("/etc/alias")) == [(1, "root"), (2, "user")]
    assert list(TREE.lines("/none")) == []
    with pytest.raises(FormatError) as refused:
        TREE.read("/etc/passwd", maximum_bytes=3)
    assert refused.value.code == "tree.file-too-large"
    for path in ("/none", "/etc", "/circle"):
        with pytest.raises(FormatError) as refused:
            TREE.read(path)
        assert refused.value.code == "tree.no-such-file"


def test_the_last_entry_of_a_path_counts_and_parents_are_there():
    tree = memory_tree([file("/a/b", b"old"), file("/a/b", b"new")])
    assert tree.read("/a/b") == b"new"
    assert tree.nodes["/a"].is_folder
    assert list(tree.nodes) == ["/", "/a", "/a/b"]


def test_modes_are_told():
    node = Node(path="/x", mode=stat.S_IFREG | 0o6757)
    assert node.is_setuid
    assert node.is_setgid
    assert node.is_world_writable
    assert node.is_executable
    assert not Node(path="/tmp", mode=stat.S_IFDIR | 0o1777).is_world_writable
    assert not Node(path="/x", mode=stat.S_IFLNK | 0o777).is_world_writable
