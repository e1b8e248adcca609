# SPDX-License-Identifier: Apache-2.0
import pytest
from tests.libtpms import libtpms
from tests.tpm_on_pty import tpm_on_pty
from tests.tpm_transports import STARTUP
from tests.unit.tpm.test_pcrs import extend

from strongroom.cli.main import run


@pytest.fixture
def inspect(tmp_path, capsys):
    """Run `strongroom inspect` on a file with these bytes; return its exit code and what it printed."""

    def call(data, *options):
        (tmp_path / "file").write_bytes(data)
        code = run(["inspect", str(tmp_path / "file"), *options])
        return code, capsys.readouterr()

    return call


@pytest.fixture
def tpm():
    with libtpms() as running:
        running.execute(STARTUP)
        yield running


@pytest.fixture
def booted(tpm):
    """A TPM in which PCR 2, 4 and 7 are not zero."""
    for index in (2, 4, 7):
        extend(tpm, index, bytes([index]) * 48)
    return tpm


@pytest.fixture
def on_device(monkeypatch):
    """Make a way of answering the machine's TPM; nothing in production knows that it is none."""
    opened = []

    def put(execute):
        opened.append(tpm_on_pty(execute))
        monkeypatch.setenv("TPM_DEVICE", str(opened[-1].__enter__()))

    yield put
    for each in opened:
        each.__exit__(None, None, None)
