# SPDX-License-Identifier: Apache-2.0
"""Python and our programs inside a guest: the interpreter that runs the tests, with no more than a command imports.

What is imported is asked of a child of the same interpreter, which runs the command where there is no TPM. Modules go
in as source and as unchecked byte code, for compiling takes minutes under emulation; shared libraries go where their
loader looks for them.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from py_compile import PycInvalidationMode
from py_compile import compile as compile_file

from strongroom.twin.initrd import InitrdEntry, file_entry, program_entry

HOME = "python"
"""Where it lies in the guest: PYTHONHOME."""
SITE = f"{HOME}/site"
INTERPRETER = f"/{HOME}/bin/python3"
ENVIRONMENT = f"PYTHONHOME=/{HOME} PYTHONPATH=/{SITE} PYTHONDONTWRITEBYTECODE=1 PYTHONUTF8=1"
_ASK = """
import contextlib, encodings.idna, json, os, runpy, sys
with contextlib.suppress(SystemExit), open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
    runpy.run_module(sys.argv.pop(1), run_name="__main__")
print(json.dumps([m.__file__ for m in list(sys.modules.values()) if getattr(m, "__file__", None)]))
"""
_LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")


def python_entries(module: str, *arguments: str) -> list[InitrdEntry]:
    """Return what a guest needs to run `python -m MODULE ARGUMENTS`."""
    modules = _modules(module, arguments)
    interpreter = Path(os.path.realpath(sys.executable))
    needed = {library for file in (interpreter, *modules) if file.suffix != ".py" for library in libraries(file)}
    return [
        program_entry(INTERPRETER.lstrip("/"), interpreter.read_bytes()),
        *(entry for path in sorted(modules) for entry in _module_entries(path)),
        *(program_entry(str(path).lstrip("/"), path.read_bytes()) for path in sorted(needed)),
    ]


def _modules(module: str, arguments: Sequence[str]) -> set[Path]:
    environment = os.environ | {"TPM_DEVICE": "/nowhere"}
    command = [sys.executable, "-c", _ASK, module, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    started = importlib.util.find_spec(f"{module}.__main__")  # runpy leaves no trace of it
    assert started
    assert started.origin
    return {Path(started.origin), *map(Path, json.loads(done.stdout.splitlines()[-1]))}


def libraries(file: Path) -> Iterator[Path]:
    """Yield the shared libraries of a program, as its loader finds them here."""
    listed = subprocess.run(["ldd", str(file)], check=True, capture_output=True, text=True).stdout
    yield from (Path(found) for found in _LIBRARY.findall(listed))


def _module_entries(path: Path) -> Iterator[InitrdEntry]:
    where = _place(path)
    if path.suffix != ".py":
        yield program_entry(where, path.read_bytes())
        return
    yield file_entry(where, path.read_bytes())
    yield file_entry(importlib.util.cache_from_source(where), _byte_code(path, where))


def _byte_code(path: Path, where: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        made = compile_file(
            str(path),
            f"{folder}/x.pyc",
            f"/{where}",
            doraise=True,
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        )
        assert made
        return Path(made).read_bytes()


def _place(path: Path) -> str:
    """Return where a module goes: the standard library under its own name, the rest into one folder of packages."""
    standard = Path(sysconfig.get_paths()["stdlib"])
    for root in sorted(map(Path, filter(None, sys.path)), key=lambda root: -len(root.parts)):
        if path.is_relative_to(root) and not root.is_relative_to(standard):
            return f"{SITE}/{path.relative_to(root)}"
    return f"{HOME}/lib/{standard.name}/{path.relative_to(standard)}"
