# SPDX-License-Identifier: Apache-2.0
"""The `strongroom` command. Without its extra it says what to install, in one line."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        from strongroom.cli.main import run  # noqa: PLC0415 -- click and rich are an extra, absent in the agent

        return run(sys.argv[1:])
    except ModuleNotFoundError as error:  # a command's own module is imported when it runs: the twin is an extra too
        if error.name is None or error.name.partition(".")[0] == "strongroom":
            raise
        sys.stderr.write(
            f"strongroom: the command line needs {error.name!r}; install it with: pip install 'strongroom[cli,twin]'\n"
        )
        return 9
    except KeyboardInterrupt:  # while something was still being imported
        sys.stderr.write("strongroom: interrupted\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
