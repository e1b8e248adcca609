# SPDX-License-Identifier: Apache-2.0
"""Rules on secrets left in the tree. Whoever may launch the image reads them: dm-verity hides nothing.

No finding shows a secret: they name file, line and kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeAlias

from strongroom.errors import Severity
from strongroom.imaging.audit.contents import AWS_KEYS, PRIVATE_KEY, TOKENS, files_with
from strongroom.imaging.audit.packages import is_published
from strongroom.imaging.audit.rule import Fault, Rule
from strongroom.imaging.audit.secret_patterns import (
    ASSIGNED_SECRET,
    ENV_FILE,
    FILES,
    HISTORIES,
    KEY_STORES,
    NO_ENV_FILE,
    PLACEHOLDERS,
    aws_keys,
    private_keys,
    tokens,
)
from strongroom.imaging.audit.subject import Part, Subject
from strongroom.imaging.audit.systemd.presets import MACHINE_ID
from strongroom.imaging.audit.systemd.units import units_of
from strongroom.imaging.tree.tree import Tree

Pattern: TypeAlias = Callable[[bytes], Iterator[tuple[int, str]]]

_ANY = frozenset[Part]()
_MAX_BYTES = 1 << 30
_WITH_KNOWN_KEYS = re.compile(
    r"/lib(gnutls|wolfssl|mbedcrypto|mbedx509|botan-\d|cryptopp)\.so[.\d]*$|/awscli/examples/[a-z0-9/-]+\.rst$"
)
"""Libraries that test themselves with keys that are in their source, and the examples of the AWS CLI's help."""
_TESTS = re.compile(r"/(tests?|testing|testdata|test_data|examples?|doc|docs|demo)/")
_ID = re.compile(rb"[0-9a-f]{32}\s*")
_BAKED = ("/var/lib/systemd/random-seed", "/var/lib/urandom/random-seed", "/boot/efi/loader/random-seed")


def _trees(subject: Subject) -> Iterator[tuple[Part, Tree]]:
    if subject.tree is not None:
        yield Part.TREE, subject.tree
    if subject.initrd is not None:
        yield Part.INITRD, subject.initrd


def _found(needles: tuple[bytes, ...], pattern: Pattern, what: str, subject: Subject) -> Iterator[Fault]:
    for part, tree in _trees(subject):
        for path in files_with(tree, needles):
            if _WITH_KNOWN_KEYS.search(path) or _is_test(tree, path):
                continue
            for line, kind in pattern(tree.read(path, maximum_bytes=_MAX_BYTES)):
                yield Fault(path, f"expected no {what}, found one ({kind})", part, line)


def _is_test(tree: Tree, path: str) -> bool:
    """Tell whether a file is an example that a package of the distribution brought: everybody has it already."""
    return _TESTS.search(path) is not None and is_published(tree, path)


def _files(subject: Subject) -> Iterator[Fault]:
    for part, tree in _trees(subject):
        for node in tree.files:
            for known in FILES:
                if node.size and known.name.search(node.path) and known.holds.search(tree.view(node.path)):
                    yield Fault(node.path, f"expected no file of secrets, found {known.what}", part)


def _environment(subject: Subject) -> Iterator[Fault]:
    for node in subject.files.files:
        if ENV_FILE.search(node.path) and not NO_ENV_FILE.search(node.path):
            yield from _assigned(subject.files, node.path)
    for folder in units_of(subject.files).folders:
        for node in subject.files.below(folder):
            if node.is_file:
                yield from _in_unit(subject.files, node.path)


def _assigned(tree: Tree, path: str) -> Iterator[Fault]:
    for number, line in tree.lines(path):
        found = ASSIGNED_SECRET.match(line)
        if found is not None and not PLACEHOLDERS.search(found[2]):
            yield Fault(path, f"expected no secret in the environment, found {found[1]}", line=number)


def _in_unit(tree: Tree, path: str) -> Iterator[Fault]:
    for number, line in tree.lines(path):
        key, _, value = line.partition("=")
        found = ASSIGNED_SECRET.match(value.strip().strip("\"'")) if key.strip() == "Environment" else None
        if found is not None and not PLACEHOLDERS.search(found[2]):
            yield Fault(path, f"expected no secret in a unit, found {found[1]}", line=number)


def _histories(subject: Subject) -> Iterator[Fault]:
    for node in subject.files.files:
        if node.size and HISTORIES.search(node.path):
            yield Fault(node.path, f"expected no history of commands, found {node.size} bytes")


def _key_stores(subject: Subject) -> Iterator[Fault]:
    for node in subject.files.files:
        if KEY_STORES.search(node.path) and not _is_test(subject.files, node.path):
            yield Fault(node.path, "expected no key store, found one")


def _disk_keys(subject: Subject) -> Iterator[Fault]:
    for part, tree in _trees(subject):
        for number, line in tree.lines("/etc/crypttab"):
            fields = line.split()
            keyed = len(fields) > 2 and not line.lstrip().startswith("#") and fields[2].startswith("/")  # noqa: PLR2004
            node = tree.resolve(fields[2]) if keyed else None
            if node is not None and node.is_file:
                yield Fault(node.path, f"expected no key of a disk, found that of {fields[0]}", part, number)


def _same_everywhere(subject: Subject) -> Iterator[Fault]:
    node = subject.files.resolve(MACHINE_ID)
    if node is not None and node.is_file and _ID.fullmatch(subject.files.read(MACHINE_ID)):
        yield Fault(MACHINE_ID, "expected an empty file, found a machine id")
    for path in _BAKED:
        if subject.files.resolve(path) is not None:
            yield Fault(path, "expected no random seed, found one that every instance starts with")


RULES = (
    Rule(
        code="audit.private-key",
        severity=Severity.ERROR,
        title="A private key is in the image",
        why="Whoever may launch the image has the key: every customer, and everybody they give it to. A host key of "
        "SSH is the same on every instance (K17).",
        fix="Remove it from the image and replace it everywhere. Seal what the image needs into a bundle.",
        attacks=("K17",),
        needs=_ANY,
        check=partial(_found, (PRIVATE_KEY,), private_keys, "private key"),
    ),
    Rule(
        code="audit.aws-key",
        severity=Severity.ERROR,
        title="An access key of AWS is in the image",
        why="Whoever may launch the image calls AWS with it (K17).",
        fix="Deactivate the key, and remove it. An instance has a role.",
        attacks=("K17",),
        needs=_ANY,
        check=partial(_found, AWS_KEYS, aws_keys, "access key of AWS"),
    ),
    Rule(
        code="audit.token",
        severity=Severity.ERROR,
        title="A token of a service is in the image",
        why="Whoever may launch the image acts as its owner (K17).",
        fix="Revoke the token, and remove it. Seal what the image needs into a bundle.",
        attacks=("K17",),
        needs=_ANY,
        check=partial(_found, TOKENS, tokens, "token"),
    ),
    Rule(
        code="audit.secret-file",
        severity=Severity.ERROR,
        title="A file with passwords or keys is in the image",
        why="Builds leave them behind: what the build machine logged in with, everybody who may launch the image has "
        "(K17).",
        fix="Remove the file, and replace what was in it.",
        attacks=("K17",),
        needs=_ANY,
        check=_files,
    ),
    Rule(
        code="audit.secret-in-environment",
        severity=Severity.ERROR,
        title="A secret stands in an environment file or a unit",
        why="Whoever may launch the image reads it there, and on the instance every child of the program inherits it "
        "(K17).",
        fix="Seal it into a bundle, which the agent delivers to memory. A value that is no secret: waive this.",
        attacks=("K17",),
        check=_environment,
    ),
    Rule(
        code="audit.disk-key",
        severity=Severity.ERROR,
        title="The key of an encrypted disk is in the image",
        why="Whoever may launch the image opens the disk: it is as good as plain (L7).",
        fix="Use a state volume under an attested key, or a key from /dev/urandom for what need not last.",
        attacks=("L7",),
        needs=_ANY,
        check=_disk_keys,
    ),
    Rule(
        code="audit.key-store",
        severity=Severity.WARNING,
        title="A key store is in the image",
        why="It may hold private keys, under a password that is guessed offline or stands beside it (K17).",
        fix="Remove it; for one with public certificates alone, waive this.",
        attacks=("K17",),
        check=_key_stores,
    ),
    Rule(
        code="audit.history",
        severity=Severity.WARNING,
        title="A history of commands is in the image",
        why="People type passwords and tokens into commands (K17).",
        fix="Remove the file, and replace whatever secret was typed.",
        attacks=("K17",),
        check=_histories,
    ),
    Rule(
        code="audit.same-everywhere",
        severity=Severity.NOTE,
        title="Every instance starts with the same id or seed",
        why="What is derived from it is known to everybody who has the image (K17).",
        fix="Put an empty /etc/machine-id into the image, and no random seed.",
        attacks=("K17",),
        check=_same_everywhere,
    ),
)
