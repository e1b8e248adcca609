# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from strongroom.cli.demo import images


def test_without_a_home_folder_the_image_is_a_stand_in_that_says_why(monkeypatch):
    def no_home():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    monkeypatch.setattr(images.shutil, "which", lambda name: f"/usr/bin/{name}")
    assert "expected a home folder" in images.find_parts(lambda said: None).origin
