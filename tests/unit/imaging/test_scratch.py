# SPDX-License-Identifier: Apache-2.0
"""Where things are unpacked: in memory where there is ample room, and nothing stays."""

import shutil
from types import SimpleNamespace

import pytest

from strongroom.imaging.audit import scratch
from strongroom.imaging.audit.scratch import room_in_memory, scratch_space


@pytest.fixture
def memory(tmp_path, monkeypatch):
    folder = tmp_path / "memory"
    folder.mkdir()
    monkeypatch.setattr(scratch, "_MEMORY", folder)
    return folder


def test_memory_is_used_where_the_image_fits_many_times(memory, tmp_path, monkeypatch):
    image = tmp_path / "image"
    image.write_bytes(b"x" * 100_000)
    taken = image.stat().st_blocks * 512
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=16 * taken + 1))
    assert room_in_memory(image) == memory
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=16 * taken))
    assert room_in_memory(image) is None


def test_there_may_be_no_memory_to_use_and_no_image(memory, tmp_path):
    assert room_in_memory(tmp_path / "none") is None
    assert room_in_memory(tmp_path) is None
    (tmp_path / "image").touch()
    memory.rmdir()
    assert room_in_memory(tmp_path / "image") is None


def test_new_names_are_handed_out_and_nothing_stays(tmp_path):
    with scratch_space(tmp_path) as space:
        folders = {space.folder(), space.folder()}
        holes = bytes(3 << 20) + b"end"
        file = space.file(memoryview(holes))
        assert len({*folders, file}) == 3
        assert file.read_bytes() == holes
        assert file.stat().st_blocks * 512 < 1 << 20
    assert list(tmp_path.iterdir()) == []
