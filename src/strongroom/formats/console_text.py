# SPDX-License-Identifier: Apache-2.0
"""From a file that somebody saved to the text that a console printed (docs/formats/console.md, steps 1 to 4).

People save consoles in many ways: as they are, as the AWS CLI prints them, as the API sends them. And a console is a
serial line that many write to: the kernel prints between the characters of others, lines come with escape sequences
and with prefixes. What comes out of here is text in which records can be found; nothing is said about who wrote it.

Sources: EC2 API Reference, GetConsoleOutput; ECMA-48 (escape sequences); the kernel's printk time stamps.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from dataclasses import dataclass

from strongroom.errors import FormatError
from strongroom.formats import strict_json
from strongroom.formats.file_kind import RECORD_MARK, FileKind, guess_kind
from strongroom.formats.names import INSTANCE_ID
from strongroom.formats.tree import Node
from strongroom.ids import InstanceId

MAX_CONSOLE_BYTES = 1_048_576
"""EC2 keeps 64 KB; a file that collected a serial line for longer may be larger."""

_SPEC = "docs/formats/console.md"
_MAY_HOLD_ONE = frozenset(
    {
        FileKind.TEXT,
        FileKind.JSON,
        FileKind.IDENTITY_DOCUMENT,
        FileKind.MEASUREMENTS,
        FileKind.BASE64,
        FileKind.HEX,
        FileKind.PEM,
        FileKind.PEM_CERTIFICATE,
        FileKind.UNKNOWN,
    }
)
"""How the first bytes of a console may look. A document or a program that holds the words of a record is none."""
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LEAST_BASE64 = 64
_BASE64 = re.compile(rb"[A-Za-z0-9+/\r\n]+={0,2}[\r\n]*")
_TEXT_OUTPUT = re.compile(rf"({INSTANCE_ID.pattern})\t".encode())
"""How `--output text` begins: the fields of the answer, with tabs between them."""
_ESCAPE = re.compile(
    rb"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}[@-~]|\][^\x07\x1b\n]{0,256}(?:\x07|\x1b\\)|[ -/]{0,2}[0-Z\\^-~])"
)
"""CSI, OSC, and the short sequences."""
_CONTROL = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]")
_STAMP = re.compile(rb"\[ {0,6}[0-9]{1,10}\.[0-9]{6}\]")
_EMPTY = (
    "EC2 has console output some minutes after the boot only; `aws ec2 get-console-output --latest` has it at once."
)


@dataclass(frozen=True, slots=True)
class ConsoleText:
    """What a console printed, and the instance whose console the file says it is, if it says so."""

    text: bytes
    instance_id: InstanceId | None = None


def is_console(data: bytes) -> bool:
    """Say whether a file looks like a saved console. A guess, for choosing a reader: it vouches for nothing."""
    kind = guess_kind(data)
    if kind is FileKind.CONSOLE or kind not in _MAY_HOLD_ONE:
        return kind is FileKind.CONSOLE
    try:
        text = read_console_text(data).text
    except FormatError:
        return False
    return RECORD_MARK.search(text) is not None or _STAMP.search(text) is not None


def read_console_text(data: bytes) -> ConsoleText:
    """Return the console's own bytes (step 1). Raises FormatError for what is too large, or holds no output."""
    if len(data) > MAX_CONSOLE_BYTES:
        raise FormatError(
            "console.too-large",
            f"expected a saved console of at most {MAX_CONSOLE_BYTES} bytes, found {len(data)}",
            offset=MAX_CONSOLE_BYTES,
            spec=_SPEC,
            remedy="Cut the file: the last receipt stands near the end of the last boot's output.",
        )
    saved = _in_utf8(data)
    found = _from_json(saved) or _from_text_output(saved)
    text = _from_base64(found.text)
    if not text.strip():
        raise FormatError("console.empty", "expected console output, found none", spec=_SPEC, remedy=_EMPTY)
    return ConsoleText(text, found.instance_id)


def _in_utf8(data: bytes) -> bytes:
    if data.startswith(_UTF16):
        return data.decode("utf-16", "replace").encode()
    return data.removeprefix(codecs.BOM_UTF8)


def _from_json(saved: bytes) -> ConsoleText | None:
    """Return what the JSON of the AWS CLI holds, or None for what is no such JSON, such as a program's log line."""
    if saved.lstrip()[:1] not in (b"{", b'"'):
        return None
    try:
        root = strict_json.parse(saved, maximum_bytes=len(saved), spec="EC2 API GetConsoleOutput")
    except FormatError:
        return None
    if isinstance(root.value, str):
        return ConsoleText(_bytes(root))
    members = dict(root.table())
    if not members.keys() & {"Output", "InstanceId"}:
        return None
    instance = members.get("InstanceId")
    return ConsoleText(
        _bytes(members["Output"]) if "Output" in members else b"",
        None if instance is None else instance.instance_id(),
    )


def _bytes(node: Node) -> bytes:
    return node.string(wanted="console output as text").encode("utf-8", "replace")


def _from_text_output(saved: bytes) -> ConsoleText:
    found = _TEXT_OUTPUT.match(saved)
    return ConsoleText(saved[found.end() :], InstanceId(found[1].decode())) if found else ConsoleText(saved)


def _from_base64(text: bytes) -> bytes:
    """Return what base64 stands for; text that is none stays as it is."""
    if len(text) < _LEAST_BASE64 or not _BASE64.fullmatch(text):
        return text
    try:
        return base64.b64decode(text)
    except binascii.Error:
        return text


def in_one_line(text: bytes) -> bytes:
    """Return a console's text without escape sequences, kernel messages and line breaks (steps 2 to 4)."""
    plain = _CONTROL.sub(b"", _ESCAPE.sub(b"", text))
    return b"".join(line[: _kernel_message(line)] for line in plain.split(b"\n"))


def _kernel_message(line: bytes) -> int:
    """Return where a kernel message begins in a line: it ends with the line. The end of the line when there is none.

    A stamp in front of a record is a prefix, not a message; so only what follows the last record's beginning counts.
    """
    begins = [mark.start() for mark in RECORD_MARK.finditer(line)]
    stamp = _STAMP.search(line, begins[-1] if begins else 0)
    return len(line) if stamp is None else stamp.start()
