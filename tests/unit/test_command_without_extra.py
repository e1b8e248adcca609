# SPDX-License-Identifier: Apache-2.0
"""The `strongroom` command where only the library is installed."""

import subprocess
import sys

import pytest

WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {package!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
from strongroom.__main__ import main
sys.argv = ["strongroom", *{arguments!r}]
sys.exit(main())
"""


@pytest.mark.parametrize(
    ("package", "arguments"),
    [("click", ["--help"]), ("rich", ["verify", "x"]), ("cheroot", ["demo"]), ("botocore", ["demo"])],
)
def test_it_says_what_to_install_and_shows_no_traceback(package, arguments):
    program = WITHOUT.format(package=package, arguments=arguments)
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert run.returncode == 9
    assert run.stderr == (
        f"strongroom: the command line needs '{package}'; install it with: pip install 'strongroom[cli,twin]'\n"
    )
