# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys
from pathlib import Path

import pytest

import strongroom

MOST_NAMES = 20


def test_the_library_has_few_names_and_all_of_them_are_there():
    assert len(strongroom.__all__) <= MOST_NAMES
    assert set(strongroom.__all__) == set(strongroom._HOMES)
    for name in strongroom.__all__:
        assert getattr(strongroom, name) is not None
    assert dir(strongroom) == sorted(strongroom.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'decrypt_everything'"):
        _ = strongroom.decrypt_everything


def test_what_type_checkers_see_is_what_python_gives():
    program = "import strongroom\nfor name in strongroom.__all__: print(name, getattr(strongroom, name).__module__)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    source = Path(strongroom.__file__ or "").read_text()
    found = [line.split() for line in run.stdout.splitlines()]
    assert [name for name, _ in found] == list(strongroom.__all__)
    for name, module in found:
        assert f"from {module} import" in source, name
