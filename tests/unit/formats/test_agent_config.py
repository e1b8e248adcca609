# SPDX-License-Identifier: Apache-2.0
import tomllib
from pathlib import Path

import pytest

from strongroom.errors import FormatError
from strongroom.formats.agent_config import (
    MAX_BUNDLES,
    MAX_BYTES,
    AgentConfig,
    BundleOrigin,
    Delivery,
    encode_agent_config,
    parse_agent_config,
)

PAGE = (Path(__file__).parents[3] / "docs/formats/agent.md").read_text()
HEAD = b'version = 1\nbundles-from = "image"\n'
SMALL = HEAD + b"[bundles.db-password]\n"


def refused(data: bytes) -> FormatError:
    with pytest.raises(FormatError) as caught:
        parse_agent_config(data)
    return caught.value


def test_a_bundle_without_settings_goes_to_root_in_a_folder_with_its_name():
    assert parse_agent_config(SMALL) == AgentConfig(
        BundleOrigin.IMAGE,
        (Delivery("db-password", "/run/strongroom/secrets/db-password", "root", None, 0o400),),
    )


def test_every_setting_is_read():
    data = b'version = 1\nbundles-from = "user-data"\n[bundles.tls]\n'
    data += b'folder = "/run/strongroom/tls"\nowner = "www-data"\ngroup = 1000\nmode = "0440"\n'
    config = parse_agent_config(data)
    assert config.origin is BundleOrigin.USER_DATA
    assert config.deliveries == (Delivery("tls", "/run/strongroom/tls", "www-data", 1000, 0o440),)


def test_what_is_written_reads_as_the_same():
    deliveries = (
        Delivery("a", "/run/strongroom/a", 7, None, 0o400),
        Delivery("b", "/run/strongroom/b", "x", "y", 0o440),
    )
    config = AgentConfig(BundleOrigin.USER_DATA, deliveries)
    assert parse_agent_config(encode_agent_config(config)) == config
    assert encode_agent_config(config) == encode_agent_config(parse_agent_config(encode_agent_config(config)))


def test_the_examples_of_the_page_are_read():
    examples = PAGE.split("```toml\n")[1:]
    assert examples
    for example in examples:
        text = example.partition("```")[0]
        assert len(parse_agent_config(text.encode()).deliveries) == len(tomllib.loads(text)["bundles"])


@pytest.mark.parametrize(
    "folder",
    [
        "/run/strongroom",
        "/run/strongroom/",
        "/run/strongroom/../passwd",
        "/run/strongroom/a/../../x",
        "/run/strongroom/.status.json",
        "/run/strongroom//a",
        "/run/strongroom/a/",
        "/run/other",
        "run/strongroom/a",
        "/run/strongroom/" + "a" * 64,
        "/run/strongroom" + "/a" * 9,
        "/run/strongroom" + ("/" + "a" * 60) * 5,
    ],
)
def test_a_folder_lies_below_the_agents_own(folder):
    assert refused(SMALL + f'folder = "{folder}"\n'.encode()).code == "field.pattern"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b'owner = "Root"', "field.pattern"),
        (b'owner = "a:b"', "field.pattern"),
        (b'owner = ""', "field.length"),
        (b"owner = -1", "field.range"),
        (b"owner = 4294967295", "field.range"),
        (b"owner = true", "field.wrong-type"),
        (b"group = 1.5", "field.wrong-type"),
        (b'mode = "0444"', "field.choice"),
        (b'mode = "0600"', "field.choice"),
        (b"mode = 400", "field.wrong-type"),
        (b'path = "/x"', "field.unknown"),
    ],
)
def test_other_settings_are_refused(line, code):
    assert refused(SMALL + line + b"\n").code == code


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "field.missing"),
        (HEAD, "field.missing"),
        (HEAD + b"[bundles]\n", "field.length"),
        (HEAD + b"[bundles.Db]\n", "field.pattern"),
        (HEAD + b"[bundles]\na = 1\n", "field.wrong-type"),
        (SMALL.replace(b"= 1", b"= 2"), "field.range"),
        (SMALL.replace(b"image", b"somewhere"), "field.choice"),
        (HEAD + b"".join(b"[bundles.a%d]\n" % n for n in range(MAX_BUNDLES + 1)), "field.length"),
        (SMALL + b"[", "toml.syntax"),
        (SMALL + b"\xff", "toml.not-utf8"),
        (SMALL + b"#" * MAX_BYTES, "toml.too-large"),
        (SMALL + b".".join([b"a"] * 40) + b" = 1", "toml.long-key"),
    ],
)
def test_a_file_with_one_fault_is_refused_for_that_fault(data, code):
    assert refused(data).code == code


@pytest.mark.parametrize("other", ["/run/strongroom/a", "/run/strongroom/a/b", "/run/strongroom/a/b/c"])
def test_files_of_two_bundles_cannot_replace_each_other(other):
    data = HEAD + f'[bundles.x]\nfolder = "{other}"\n[bundles.y]\nfolder = "/run/strongroom/a/b"\n'.encode()
    assert refused(data).code == "agent.shared-folder"


def test_folders_beside_each_other_are_two():
    data = HEAD + b'[bundles.x]\nfolder = "/run/strongroom/a"\n[bundles.y]\nfolder = "/run/strongroom/ab"\n'
    assert len(parse_agent_config(data).deliveries) == 2


def test_an_error_names_file_line_and_key():
    error = refused(SMALL + b'onwer = "app"\n')
    assert str(error).startswith("agent.toml:4: bundles.db-password.onwer: unknown key")
    assert error.remedy == "Did you mean 'owner'?"
