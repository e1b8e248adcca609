# SPDX-License-Identifier: Apache-2.0
"""Which folder the commands about a running twin mean."""

import contextlib

import pytest

from strongroom.cli.twin_folder import default_folder, twin_folder
from strongroom.errors import LocalFault


@pytest.mark.parametrize("link", [".strongroom", ".strongroom/twin"])
def test_a_project_does_not_lead_the_twin_into_another_folder(tmp_path, link):
    elsewhere, place = tmp_path / "home", tmp_path / "project" / link
    elsewhere.mkdir(mode=0o700)
    place.parent.mkdir(parents=True)
    place.symlink_to(elsewhere)
    with contextlib.chdir(tmp_path / "project"):
        with pytest.raises(LocalFault, match="found a link") as caught:
            twin_folder(None)
        assert twin_folder(elsewhere) == elsewhere
    assert caught.value.code == "twin.folder-link"


def test_a_folder_of_the_projects_own_is_taken(tmp_path):
    (tmp_path / "project" / ".strongroom" / "twin").mkdir(parents=True)
    (tmp_path / "project" / "strongroom.toml").touch()
    with contextlib.chdir(tmp_path / "project" / ".strongroom"):
        assert twin_folder(None) == default_folder() == tmp_path / "project" / ".strongroom" / "twin"
