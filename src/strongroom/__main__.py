# SPDX-License-Identifier: Apache-2.0
"""The `strongroom` command. Without its extras it says what to install, in one line."""

from __future__ import annotations

import sys

LOCAL_FAULT = 9
INTERRUPTED = 130


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        from strongroom.cli.main import run  # noqa: PLC0415 -- click and rich are an extra, absent in the agent

        return run(sys.argv[1:])  # imports what the command needs, when it needs it
    except ModuleNotFoundError as error:
        missing = (error.name or "strongroom").partition(".")[0]
        if missing == "strongroom":
            raise
        sys.stderr.write(
            f"strongroom: the command line needs {missing!r}; install it with: pip install 'strongroom[cli,twin]'\n"
        )
        return LOCAL_FAULT
    except KeyboardInterrupt:  # while something was still being imported
        sys.stderr.write("strongroom: interrupted\n")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
