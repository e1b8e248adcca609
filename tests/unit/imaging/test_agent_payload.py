# SPDX-License-Identifier: Apache-2.0
"""The agent as files of an image: which, from where, always the same, and nothing of the rest of the product."""

import ast
import hashlib
import io
import zipfile
from pathlib import Path

import pytest
from tests.unit.formats.test_trust import trust

import strongroom
from strongroom.agent.trusted import TRUST_PATH
from strongroom.errors import UsageError
from strongroom.formats.agent_config import AgentConfig, BundleOrigin, Delivery, parse_agent_config
from strongroom.formats.trust import parse_trust
from strongroom.formats.uki import Architecture
from strongroom.imaging import agent_payload as payload_module
from strongroom.imaging.agent_payload import AgentSettings, agent_payload, compile_command
from strongroom.imaging.wheels import ImagePython, Wheel

PYTHON = ImagePython("3.11", Architecture.X86_64)
PREFIX = "/usr/lib/strongroom/python/strongroom/"
DELIVERY = Delivery("db-password", "/run/strongroom/secrets/db-password", "app", None, 0o400)


def settings(origin=BundleOrigin.USER_DATA, **bundles: bytes) -> AgentSettings:
    return AgentSettings(trust(), AgentConfig(origin, (DELIVERY,)), bundles)


def wheel_of(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def stand_ins(monkeypatch, tmp_path):
    """Wheels of a few bytes, in a cache that has them already."""
    files = {
        "cryptography-1.0-cp311-abi3-manylinux_2_34_x86_64.whl": wheel_of(
            **{
                "cryptography/__init__.py": b"#",
                "cryptography/hazmat/bindings/_rust.abi3.so": b"elf",
                "cryptography/py.typed": b"",
                "cryptography/hazmat/bindings/_rust/x509.pyi": b"#",
                "cryptography-1.0.dist-info/METADATA": b"Name: cryptography",
                "cryptography-1.0.dist-info/licenses/LICENSE.BSD": b"BSD",
                "cryptography-1.0.dist-info/RECORD": b"",
                "../evil.py": b"#",
            }
        ),
        "cffi-2.0-cp311-cp311-manylinux_2_17_x86_64.whl": wheel_of(
            **{"cffi/api.py": b"#", "_cffi_backend.cpython-311-x86_64-linux-gnu.so": b"elf"}
        ),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    found = tuple(Wheel(name, hashlib.sha256(data).hexdigest()) for name, data in files.items())
    monkeypatch.setattr(payload_module, "wheels_for", lambda _: found)
    return tmp_path


@pytest.fixture
def payload(stand_ins):
    return {file.path: file for file in agent_payload(settings(), PYTHON, wheel_cache=stand_ins)}


def test_only_what_the_agent_can_import_goes_in(payload):
    modules = {path.removeprefix(PREFIX) for path in payload if path.startswith(PREFIX) and path.endswith(".py")}
    assert {"agent/main.py", "aws/lean/kms.py", "tpm/nitro.py", "flows/open.py", "__init__.py"} <= modules
    folders = {module.partition("/")[0] for module in modules}
    assert folders.isdisjoint({"twin", "cli", "fleet", "imaging", "keypolicy", "measure"})
    assert not [module for module in modules if module.startswith(("aws/sdk/", "flows/seal", "agent/child"))]
    assert 90 < len(modules) < 140


def test_no_module_in_it_imports_a_foreign_package_but_cryptography(payload):
    foreign = set()
    for path, file in payload.items():
        if path.startswith(PREFIX) and path.endswith(".py"):
            for node in ast.walk(ast.parse(file.contents)):
                if isinstance(node, ast.ImportFrom) and node.module:
                    foreign.add(node.module.partition(".")[0])
    assert foreign & {"boto3", "botocore", "click", "rich", "werkzeug", "moto", "tomlkit"} == set()
    assert "cryptography" in foreign


def test_the_files_are_in_order_and_always_the_same(stand_ins):
    first, second = (agent_payload(settings(), PYTHON, wheel_cache=stand_ins) for _ in range(2))
    assert first == second
    assert [file.path for file in first] == sorted({file.path for file in first})


def test_programs_run_and_nothing_else_does(payload):
    assert {path: oct(file.mode) for path, file in payload.items() if file.mode != 0o644} == {
        "/usr/bin/strongroom-agent": "0o755"
    }


@pytest.mark.attack("B17")
def test_the_launcher_reads_no_variable_and_no_start_up_hook(payload):
    launcher = payload["/usr/bin/strongroom-agent"].contents.decode()
    assert launcher.splitlines()[0] == "#!/usr/bin/python3.11 -ISB"
    compile(launcher, "strongroom-agent", "exec")


def test_of_a_wheel_comes_code_and_who_wrote_it(payload):
    python = "/usr/lib/strongroom/python/"
    foreign = {path.removeprefix(python) for path in payload if path.startswith(python) and not path.startswith(PREFIX)}
    assert foreign == {
        "cryptography/__init__.py",
        "cryptography/hazmat/bindings/_rust.abi3.so",
        "cryptography-1.0.dist-info/METADATA",
        "cryptography-1.0.dist-info/licenses/LICENSE.BSD",
        "_cffi_backend.cpython-311-x86_64-linux-gnu.so",
    }


def test_what_the_image_trusts_and_delivers_is_in_it(payload):
    assert parse_trust(payload[str(TRUST_PATH)].contents) == trust()
    assert parse_agent_config(payload["/usr/lib/strongroom/agent.toml"].contents).deliveries == (DELIVERY,)


def test_the_data_that_its_modules_read_is_in_it(payload):
    data = {path.removeprefix(f"{PREFIX}data/") for path in payload if path.startswith(f"{PREFIX}data/")}
    packaged = Path(strongroom.__path__[0]) / "data"
    wanted = {"aws-nitro-root-g1.pem"}
    wanted |= {
        f"{folder}/{file.name}"
        for folder in ("tls-roots", "identity-certificates")
        for file in (packaged / folder).glob("*.pem")
    }
    assert data == wanted
    assert len(wanted) > 20


def test_bundles_go_into_the_image_where_the_configuration_takes_them_from_there(stand_ins):
    files = agent_payload(settings(BundleOrigin.IMAGE, **{"db-password": b"sealed"}), PYTHON, wheel_cache=stand_ins)
    assert {file.path: file.contents for file in files}["/usr/lib/strongroom/bundles/db-password.bundle"] == b"sealed"


@pytest.mark.parametrize(
    ("origin", "bundles"),
    [
        (BundleOrigin.IMAGE, {}),
        (BundleOrigin.IMAGE, {"db-password": b"", "other": b""}),
        (BundleOrigin.USER_DATA, {"db-password": b""}),
    ],
)
def test_bundles_that_nobody_opens_or_that_are_missing_are_refused(stand_ins, origin, bundles):
    with pytest.raises(UsageError) as caught:
        agent_payload(settings(origin, **bundles), PYTHON, wheel_cache=stand_ins)
    assert caught.value.code == "image.bundles"


def test_a_module_of_ours_that_imports_what_an_image_lacks_stops_the_build(monkeypatch, stand_ins):
    monkeypatch.setattr(payload_module, "ENTRY", "strongroom.aws.sdk.kms")
    with pytest.raises(RuntimeError, match="boto"):
        agent_payload(settings(), PYTHON, wheel_cache=stand_ins)


def test_a_python_without_wheels_is_refused(tmp_path):
    with pytest.raises(UsageError) as caught:
        agent_payload(settings(), ImagePython("3.9", Architecture.X86_64), wheel_cache=tmp_path)
    assert caught.value.code == "image.python"
    assert "3.11 on arm64" in caught.value.message


def test_byte_code_is_compiled_without_dates():
    assert compile_command(PYTHON)[0] == "/usr/bin/python3.11"
    assert "unchecked-hash" in compile_command(PYTHON)


def test_the_unit_gives_up_every_right_but_one(payload):
    unit = payload["/usr/lib/systemd/system/strongroom-agent.service"].contents.decode().splitlines()
    for line in ("CapabilityBoundingSet=CAP_CHOWN", "NoNewPrivileges=yes", "ProtectSystem=strict", "LimitCORE=0"):
        assert line in unit
    enabled = payload["/usr/lib/systemd/system/multi-user.target.d/strongroom-agent.conf"].contents
    assert b"Wants=strongroom-agent.service" in enabled
