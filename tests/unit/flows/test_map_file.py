# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from strongroom.errors import FormatError, LocalFault
from strongroom.flows.files import map_file


def mapped(path: Path, *, maximum: int = 100) -> memoryview:
    return map_file(path, maximum_piped_bytes=maximum)


def through_a_pipe(folder: Path, content: bytes, *, maximum: int) -> memoryview:
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    try:
        return mapped(pipe, maximum=maximum)
    finally:
        writer.join()


def test_a_file_is_there_whole_and_cannot_be_written(tmp_path):
    (tmp_path / "file").write_bytes(b"content" * 1_000)
    view = mapped(tmp_path / "file")
    assert bytes(view) == b"content" * 1_000
    assert view.readonly


def test_a_file_is_mapped_and_not_read(tmp_path):
    """Ten gigabytes of nothing, looked at from both ends by a process that may have a quarter of one."""
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10 << 30)
    code = (
        "import sys, pathlib; from strongroom.flows.files import map_file\n"
        "view = map_file(pathlib.Path(sys.argv[1]), maximum_piped_bytes=1)\n"
        "assert len(view) == 10 << 30 and not any(view[:9]) and not any(view[-9:])\n"
        "print(pathlib.Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    run = subprocess.run([sys.executable, "-c", code, tmp_path / "sparse"], capture_output=True, text=True, check=True)
    assert int(run.stdout) < 256 << 10  # KiB


def test_a_pipe_is_read_to_its_end_up_to_a_bound(tmp_path):
    assert bytes(through_a_pipe(tmp_path, b"x" * 100, maximum=100)) == b"x" * 100


def test_a_pipe_that_does_not_end_in_time_is_refused(tmp_path):
    with pytest.raises(FormatError) as caught:
        through_a_pipe(tmp_path, b"x" * 101, maximum=100)
    assert caught.value.code == "file.too-large"
    assert "a file instead" in caught.value.remedy


def test_an_empty_file_and_an_empty_pipe_are_refused(tmp_path):
    (tmp_path / "file").touch()
    for read in (lambda: mapped(tmp_path / "file"), lambda: through_a_pipe(tmp_path, b"", maximum=1)):
        with pytest.raises(FormatError) as caught:
            read()
        assert caught.value.code == "file.empty"


def test_what_is_no_file_is_this_machines_fault(tmp_path):
    for path, code in ((tmp_path / "none", "file.missing"), (tmp_path, "file.directory")):
        with pytest.raises(LocalFault) as caught:
            mapped(path)
        assert caught.value.code == code
