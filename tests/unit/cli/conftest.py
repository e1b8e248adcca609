# SPDX-License-Identifier: Apache-2.0
import pytest

from strongroom.cli.main import run


@pytest.fixture
def inspect(tmp_path, capsys):
    """Run `strongroom inspect` on a file with these bytes; return its exit code and what it printed."""

    def call(data, *options):
        (tmp_path / "file").write_bytes(data)
        code = run(["inspect", str(tmp_path / "file"), *options])
        return code, capsys.readouterr()

    return call
