# SPDX-License-Identifier: Apache-2.0
"""Coverage-guided fuzzing of saved consoles and deny lists: python console_readers.py TARGET [libFuzzer options].

Ends with an error as soon as a reader raises anything but FormatError, or gives back another thing than was written.
A CRC would keep a fuzzer out, so `console` also prints what it is given, and reads that, and `failure` begins behind
it.
"""

import contextlib
import sys

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["strongroom.formats"]):
    from strongroom.errors import FormatError
    from strongroom.formats.console import encode_failure, encode_receipt, parse_console
    from strongroom.formats.console_failure import parse_failure_json
    from strongroom.formats.console_text import is_console
    from strongroom.formats.deny_list import parse_deny_list

HEAD_BYTES = 64


def console(data: bytes) -> None:
    """Read it as a console; then print the rest of it as a document behind its first bytes, and read that."""
    with contextlib.suppress(FormatError):
        is_console(data)
        parse_console(data).last_receipt()
    head, document = data[:HEAD_BYTES], data[HEAD_BYTES:]
    if document:
        # whatever stands in front may damage one copy's first lines, and nothing else
        found = parse_console(b"strongroom: " + head + b"\n" + encode_receipt(document))
        assert found.last_receipt().document == document


def failure(data: bytes) -> None:
    parsed = parse_failure_json(data)
    assert parse_console(b"x" + encode_failure(parsed)).failures == (parsed,)


def deny_list(data: bytes) -> None:
    parsed = parse_deny_list(data)
    assert parsed | parsed == parsed


def careless(data: bytes) -> None:
    """What the fuzzer has to find: a reader that trusts a number of lines."""
    if data[:2] == b"1/":
        [b""][data[2]]


TARGETS = {"console": console, "failure": failure, "deny-list": deny_list, "careless": careless}


def main() -> None:
    target = TARGETS[sys.argv.pop(1)]

    def once(data: bytes) -> None:
        with contextlib.suppress(FormatError):
            target(data)

    atheris.Setup(sys.argv, once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
