# SPDX-License-Identifier: Apache-2.0
"""Entry of the `strongroom` program, and the only place that turns errors into prose and exit codes."""

from __future__ import annotations

import contextlib
import errno
import importlib
import io
import itertools
import json
import sys
from collections.abc import Sequence

import click

from strongroom.cli.error_text import describe, error_lines
from strongroom.errors import LocalFault, StrongroomError, UsageError

INTERRUPTED = 130
READER_GONE = 141
"""What a shell reports of a program that ended by SIGPIPE. Not 0: whoever asks for a yes must not get one unread."""
USAGE = 2
_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})
"""What a full or broken disk says, which is no answer of the command: exit 1 would be one."""

COMMANDS: dict[str, str] = {
    "demo": "demo.command",
    "explain": "explain",
    "identity": "identity",
    "image": "image",
    "init": "init",
    "inspect": "inspect",
    "key": "key",
    "kms": "kms",
    "measure": "measure",
    "signer": "signer",
    "tenant": "tenant",
    "twin": "twin",
    "tpm": "tpm",
    "verify": "verify",
}
"""Command name to the module in this package whose `command` it is. Imported only when it is called."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- the signature is click's
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = importlib.import_module(f"strongroom.cli.{module}").command
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="strongroom")
def strongroom() -> None:
    """Keep a vendor's secrets inside AWS accounts that the vendor does not control.

    \b
    Example:  strongroom demo
    """


def _report(error: StrongroomError, *, as_json: bool) -> int:
    if as_json:
        sys.stdout.write(json.dumps(describe(error)) + "\n")
        return error.exit_code
    sys.stderr.writelines(f"{line}\n" for line in error_lines("strongroom", error))
    return error.exit_code


def _report_usage(error: click.ClickException, *, as_json: bool) -> int:
    if as_json:
        wrong = UsageError("usage.arguments", error.format_message(), remedy="`--help` shows what the command takes.")
        return _report(wrong, as_json=True)
    error.show()
    return USAGE


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code. `ctx.exit(n)` inside a command returns n.

    What was said has been written when it returns: whoever asks for a yes must not get one that nobody could read.
    """
    sys.stderr = sys.stderr or io.StringIO()  # None where the caller has closed it: the exit code still counts
    if not sys.stdout:
        return _unwritten("standard output is closed")
    if isinstance(sys.stdout, io.TextIOWrapper):  # a file name may hold what the terminal's encoding does not
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # click makes the second of the first, and of nothing else
        sys.stdout = io.StringIO()  # Python flushes it once more at exit, and would complain about the real one
        return READER_GONE
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            raise
        code = _unwritten(str(error.strerror))
        sys.stdout = sys.stderr = io.StringIO()
        return code
    return code


def _run(arguments: Sequence[str]) -> int:
    ours = itertools.takewhile(lambda word: word != "--", arguments)  # what follows is for somebody else's program
    as_json = "--json" in ours
    try:
        result = strongroom.main(args=list(arguments), prog_name="strongroom", standalone_mode=False)
    except click.ClickException as error:
        return _report_usage(error, as_json=as_json)
    except StrongroomError as error:
        return _report(error, as_json=as_json)
    except (KeyboardInterrupt, click.Abort):
        sys.stderr.write("strongroom: interrupted\n")
        return INTERRUPTED
    return result if isinstance(result, int) else 0


def _unwritten(why: str) -> int:
    fault = LocalFault("output.unwritable", f"cannot write what was to be said: {why}")
    with contextlib.suppress(OSError):  # standard error may be on the same disk
        _report(fault, as_json=False)
    return fault.exit_code
