# SPDX-License-Identifier: Apache-2.0
"""The root of an image: the base's tree without what has no place in it, and what the specification adds.

Pure: a tree goes in, a tree comes out. What is added at a path comes in the place of what was there.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from strongroom.errors import FormatError
from strongroom.formats.image_paths import PYTHON_FOLDER
from strongroom.formats.image_spec_model import DEBUG, FileContent, ImageSpec, SpecUnit
from strongroom.imaging.agent_payload import PayloadFile
from strongroom.imaging.build.accounts import Accounts, add_users
from strongroom.imaging.build.units import AUTOLOGIN, FOLDER, PACKAGED, enabling_links, system_links
from strongroom.imaging.hardening import FILES
from strongroom.imaging.tree.node import Node
from strongroom.imaging.tree.tree import FOLDER_MODE, Tree

Reader = Callable[[FileContent], bytes]
"""Returns what a file of the specification holds."""
OS_RELEASE = "/usr/lib/os-release"
_EMPTIED = re.compile(
    r"/(?:boot|dev|proc|run|sys|tmp|root|media|mnt|var/cache|var/log|var/tmp|var/backups|var/lib/apt/lists)/.+"
    r"|/var/lib/systemd/.+|/var/lib/dpkg/[a-z]+-old|/etc/(?:passwd|shadow|group|gshadow|subuid|subgid)-"
    r"|/etc/\.pwd\.lock|/etc/machine-id|/etc/hostname|/etc/resolv\.conf|/etc/fstab|/etc/mtab"
    r"|/etc/apt/(?:sources\.list|apt\.conf)\.d/.+|/etc/apt/sources\.list|/usr/share/(?:doc|man|locale|info)/.+"
)
_KEPT = re.compile(r"/usr/share/doc/[^/]+(?:/copyright)?|/run/lock")
_BYTE_CODE = re.compile(r".*/__pycache__(?:/.*)?")
_NAME_SERVER = b"nameserver 169.254.169.253\n"
"""The Route 53 Resolver, at the same address in every VPC (VPC User Guide, "DNS attributes for your VPC")."""
_FIXED: Mapping[str, bytes] = {
    **FILES,
    "/etc/machine-id": b"",
    "/etc/hostname": b"localhost\n",
    "/etc/hosts": b"127.0.0.1 localhost\n::1 localhost ip6-localhost\n",
    "/etc/resolv.conf": _NAME_SERVER,
    "/etc/fstab": b"# Nothing: the root is under dm-verity, and /var is in memory.\n",
}
_FOLDERS = ("/dev", "/proc", "/run", "/sys", "/tmp", "/root", "/mnt", "/var/tmp", "/var/log")  # noqa: S108 -- its own
_STICKY = stat.S_IFDIR | 0o1777
_MODES = {"/tmp": _STICKY, "/var/tmp": _STICKY, "/root": stat.S_IFDIR | 0o700}  # noqa: S108


@dataclass(frozen=True, slots=True)
class Addition:
    """A node to add, and what it holds if it is a file."""

    node: Node
    contents: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What becomes of a base. `variant` is for os-release; byte code in `kept_byte_code` was made here."""

    spec: ImageSpec
    variant: str
    agent: Sequence[PayloadFile]
    files: Mapping[str, bytes]
    """Others, by path: the kernel's configuration."""
    read: Reader = field(repr=False)
    epoch: int
    kept_byte_code: tuple[str, ...] = ()


def compose(base: Tree, plan: Plan) -> Tree:
    """Return the root. Raises FormatError for users, owners, units and paths that do not fit the base."""
    accounts = add_users(base.text, plan.spec.users, epoch=plan.epoch)
    kept = [node for node in base.nodes.values() if _stays(node.path, plan.kept_byte_code)]
    added = {each.node.path: each for each in _placed(base, _additions(base, plan, accounts))}
    nodes = [*kept, *(each.node for each in added.values())]

    def contents(node: Node) -> memoryview:
        return memoryview(added[node.path].contents) if node.path in added else base.view(node.path)

    return Tree(nodes, contents)


def os_release(base: Tree, plan: Plan) -> bytes:
    """Return os-release of the image: the base's, with IMAGE_ID and VARIANT_ID (os-release(5))."""
    lines = [
        line for line in base.text(OS_RELEASE).splitlines() if line.partition("=")[0] not in {"IMAGE_ID", "VARIANT_ID"}
    ]
    return "".join(
        f"{line}\n" for line in (*lines, f"IMAGE_ID={plan.spec.name}", f"VARIANT_ID={plan.variant}")
    ).encode()


def _stays(path: str, byte_code: Iterable[str]) -> bool:
    if _EMPTIED.fullmatch(path) and not _KEPT.fullmatch(path):
        return False
    return not _BYTE_CODE.fullmatch(path) or any(
        path.startswith(f"{folder}/") for folder in (*byte_code, PYTHON_FOLDER)
    )


def _additions(base: Tree, plan: Plan, accounts: Accounts) -> Iterator[Addition]:
    yield from _system(base, plan)
    for path, contents in accounts.files.items():
        yield _changed(base, path, contents)
    for payload in plan.agent:
        yield _file(payload.path, payload.contents, mode=payload.mode)
    for unit in plan.spec.units:
        yield from _unit(base, unit, plan.read)
    for file in plan.spec.files:
        uid, gid = accounts.owner(file.owner, file.group)
        yield _file(file.path, plan.read(file.content), mode=file.mode, uid=uid, gid=gid)


def _system(base: Tree, plan: Plan) -> Iterator[Addition]:
    """Yield what every image has."""
    for path in _FOLDERS:
        yield Addition(Node(path=path, mode=_MODES.get(path, FOLDER_MODE)))
    for path, contents in {**_FIXED, **plan.files, OS_RELEASE: os_release(base, plan)}.items():
        yield _file(path, contents)
    debug = plan.variant == DEBUG
    for path, target in system_links(debug=debug):
        yield _link(path, target)
    if debug:
        yield _file(*AUTOLOGIN)


def _file(path: str, contents: bytes, *, mode: int = 0o644, uid: int = 0, gid: int = 0) -> Addition:
    node = Node(path=path, mode=stat.S_IFREG | mode, uid=uid, gid=gid, size=len(contents))
    return Addition(node, contents)


def _link(path: str, target: str) -> Addition:
    return Addition(Node(path=path, mode=stat.S_IFLNK | 0o777, target=target))


def _changed(base: Tree, path: str, contents: bytes) -> Addition:
    """Replace what a file of the base holds; its mode and owner stay."""
    node = base.nodes[path]
    return _file(path, contents, mode=stat.S_IMODE(node.mode), uid=node.uid, gid=node.gid)


def _unit(base: Tree, unit: SpecUnit, read: Reader) -> Iterator[Addition]:
    if unit.content is None:
        path = f"{PACKAGED}/{unit.name}"
        if base.resolve(path) is None:
            raise FormatError("image.no-unit", f"expected the unit {unit.name} in a package of the base, found none")
        text = base.text(path)
    else:
        path, contents = f"{FOLDER}/{unit.name}", read(unit.content)
        text = contents.decode("utf-8", "replace")
        yield _file(path, contents)
    if unit.enable:
        yield from (_link(*each) for each in enabling_links(unit.name, path, text))


def _placed(base: Tree, additions: Iterable[Addition]) -> Iterator[Addition]:
    """Yield the additions where links of the base lead them: /lib is /usr/lib. Raises FormatError for a file there."""
    for each in additions:
        folder, _, name = each.node.path.rpartition("/")
        found = _deepest(base, folder)
        yield Addition(_at(each.node, f"{found.rstrip('/')}/{name}"), each.contents)


def _deepest(base: Tree, folder: str) -> str:
    rest: list[str] = []
    while folder:
        node = base.resolve(folder)
        if node is not None and not node.is_folder:
            raise FormatError("image.not-a-folder", f"expected a folder at {folder} of the base, found a file")
        if node is not None:
            return "/".join([node.path.rstrip("/"), *reversed(rest)])
        folder, _, last = folder.rpartition("/")
        rest.append(last)
    return "/" + "/".join(reversed(rest))


def _at(node: Node, path: str) -> Node:
    return Node(
        path=path, mode=node.mode, uid=node.uid, gid=node.gid, size=node.size, target=node.target, device=node.device
    )
