# SPDX-License-Identifier: Apache-2.0
import pytest

from strongroom.errors import FormatError, LocalFault
from strongroom.flows.files import read_file, read_head


def test_only_the_head_is_read(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    assert read_head(path, maximum_bytes=4) == b"0123"
    assert read_head(path, maximum_bytes=400) == b"0123456789"


def test_a_whole_file_has_a_bound(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    assert read_file(path, maximum_bytes=10) == b"0123456789"
    with pytest.raises(FormatError) as caught:
        read_file(path, maximum_bytes=9)
    assert caught.value.code == "file.too-large"


def test_what_is_missing_empty_or_a_folder_has_its_name(tmp_path):
    (tmp_path / "empty").touch()
    faults = {"nothing": "file.missing", "empty": "file.empty", ".": "file.directory", "empty/x": "file.unreadable"}
    for name, code in faults.items():
        with pytest.raises((FormatError, LocalFault)) as caught:
            read_head(tmp_path / name, maximum_bytes=4)
        assert caught.value.code == code
