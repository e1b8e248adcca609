# SPDX-License-Identifier: Apache-2.0
"""Files that people write or carry around: measurements, trust, project, deny list, and any file at all."""

import json
import re
from pathlib import Path

from tests.fuzz.target import Target
from tests.images import make_uki
from tests.nitro_pki import INSTANCE, MODULE
from tests.unit.formats import (
    test_agent_config,
    test_build_record,
    test_bundle_location,
    test_image_spec,
    test_project,
    test_trust,
)

from strongroom.formats.agent_config import encode_agent_config, parse_agent_config
from strongroom.formats.build_record import encode_build_record, parse_build_record
from strongroom.formats.bundle_location import parse_bundle_location
from strongroom.formats.deny_list import parse_deny_list
from strongroom.formats.file_kind import HEAD_BYTES, guess_kind
from strongroom.formats.image_spec import parse_image_spec
from strongroom.formats.measurements import encode_aws_measurements, encode_measurements, parse_measurements
from strongroom.formats.partition import Profile
from strongroom.formats.project import parse_project
from strongroom.formats.trust import Tls, encode_trust, parse_trust
from strongroom.ids import CertificateDer, Region
from strongroom.measure.predict import measure_image

PAGE = Path(__file__).parents[3] / "docs/formats/project.md"
DENY_LIST = {
    "version": 1,
    "certificates": [{"sha256": "0f" * 32, "reason": "key leaked"}],
    "modules": [{"id": MODULE, "reason": "copied"}],
    "instances": [{"id": INSTANCE, "reason": "intrusion"}],
}


def measurements(data: bytes) -> None:
    parsed = parse_measurements(data)
    assert parse_measurements(encode_measurements(parsed)).pcrs == parsed.pcrs


def trust(data: bytes) -> None:
    assert encode_trust(parse_trust(data)) == data


def project(data: bytes) -> None:
    """As the file is read: what is no UTF-8 comes in as lone surrogates."""
    parse_project(data.decode("utf-8", "surrogateescape"))


def agent_config(data: bytes) -> None:
    parsed = parse_agent_config(data)
    assert parse_agent_config(encode_agent_config(parsed)) == parsed
    assert all("/../" not in f"{delivery.folder}/" for delivery in parsed.deliveries)


def user_data(data: bytes) -> None:
    """A place names one object, whose key cannot be read in two ways."""
    place = parse_bundle_location(data)
    assert re.fullmatch(r"[A-Za-z0-9._/-]+", f"{place.bucket}/{place.key_of('x.bundle')}")


def image_spec(data: bytes) -> None:
    """No file of an image leads out of it, and no argument of its kernel is two."""
    parsed = parse_image_spec(data, name="image.toml")
    assert all("/../" not in f"{file.path}/" and file.path[0] == "/" for file in parsed.files)
    assert all(len(argument.split()) == 1 for argument in parsed.kernel.arguments)


def deny_list(data: bytes) -> None:
    parsed = parse_deny_list(data)
    assert parsed | parsed == parsed


def build_record(data: bytes) -> None:
    parsed = parse_build_record(data)
    assert encode_build_record(parse_build_record(encode_build_record(parsed))) == encode_build_record(parsed)


def kind(data: bytes) -> None:
    """A guess is made of any bytes, from the first of them."""
    assert guess_kind(data) is guess_kind(data[:HEAD_BYTES])


def measurement_files() -> list[bytes]:
    measured = measure_image(make_uki(), secure_boot=None)
    return [encode_measurements(measured), encode_aws_measurements(measured)]


def trust_files() -> list[bytes]:
    here = {Region("eu-central-1"): "https://127.0.0.1:8443"}
    tls = Tls((CertificateDer(b"tls"),), here, "http://127.0.0.1:1338", here)
    return [encode_trust(test_trust.trust()), encode_trust(test_trust.trust(profile=Profile.REHEARSAL, tls=tls))]


def projects() -> list[bytes]:
    more = 'endpoint = "http://127.0.0.1:8080"\n[secrets.db]\nfiles = ["a/db"]\n[images.app]\nspec = "app.toml"\n'
    (example,) = re.findall(r"^```toml\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    return [(test_project.SMALL + test_project.SIGNER).encode(), (test_project.SMALL + more).encode(), example.encode()]


def agent_configs() -> list[bytes]:
    more = b'folder = "/run/strongroom/x/y"\nowner = "app"\ngroup = 10\nmode = "0440"\n'
    return [
        test_agent_config.SMALL,
        test_agent_config.SMALL + more,
        test_agent_config.SMALL.replace(b"image", b"user-data") + b"[bundles.b]\nowner = 7\n",
    ]


def places() -> list[bytes]:
    return [
        test_bundle_location.user_data("s3://acme/a/b"),
        test_bundle_location.user_data("s3://abc", region="eu-central-1"),
    ]


def image_specs() -> list[bytes]:
    return [test_image_spec.SMALL.encode(), test_image_spec.WHOLE.encode()]


def deny_lists() -> list[bytes]:
    return [json.dumps(DENY_LIST).encode()]


def build_records() -> list[bytes]:
    return [encode_build_record(test_build_record.RECORD)]


def first_bytes() -> list[bytes]:
    return [
        b"[    0.000000] Linux",
        b"{}",
        b"MZ",
        b"aGVsbG8gd29ybGQgYWdhaW4=\n",
        b"0f" * 20,
        b"-----BEGIN CERTIFICATE-----",
    ]


def many_members() -> list[bytes]:
    """Many keys, repeated keys, many equal entries, long texts and long numbers."""
    deny = {"version": 1, "instances": [{"id": f"i-{n:017x}", "reason": "x"} for n in range(1_200)]}
    return [
        json.dumps({str(n): n for n in range(5_000)}).encode(),
        b"{" + b'"a":1,' * 10_000 + b'"a":1}',
        b"[" + b'{"a":1,"a":1},' * 4_000 + b"1]",
        json.dumps(deny).encode(),
        json.dumps({"version": 1, "modules": [{"id": MODULE, "reason": "x"}] * 800}).encode(),
        b'{"version": ' + b"9" * 65_000 + b"}",
        b'{"version": 1e' + b"9" * 65_000 + b"}",
        b'"' + b"\\u0000" * 10_000 + b'"',
        b'{"' + b"a" * 65_000 + b'": 1}',
    ]


def large_projects() -> list[bytes]:
    """TOML that opens tables in tables, and a project of many tenants with an error in the last line."""
    tenants = "".join(f'[tenants.t{n}]\naccounts = ["{n:012}"]\n' for n in range(1_000, 2_300))
    return [
        b".".join([b"a"] * 30_000) + b" = 1",
        b"[" + b".".join([b"a"] * 30_000) + b"]",
        b"".join(b"[a.b%d]\n" % n for n in range(6_000)),
        b"[[a]]\n" * 10_000,
        b"a = " + b"{a = " * 10_000,
        b"a = " + b"[" * 60_000,
        b"a = " + b"9" * 65_000,
        b'a = """' + b"\\" * 65_000,
        (test_project.SMALL + 'note = """\n[x = ' + "{a = " * 12_000 + ']\n"""\n').encode(),
        (test_project.SMALL + 'note = """\n[x = ' + "9" * 60_000 + ']\n"""\n').encode(),
        (test_project.SMALL + tenants).encode(),
        (test_project.SMALL + tenants + "wrong = 1\n").encode(),
    ]


TARGETS = (
    Target("files.measurements", measurements, measurement_files, worst=many_members),
    Target("files.trust", trust, trust_files, worst=many_members),
    Target("files.project", project, projects, worst=large_projects),
    Target("files.agent-config", agent_config, agent_configs, worst=large_projects),
    Target("files.user-data", user_data, places, worst=many_members),
    Target("files.image-spec", image_spec, image_specs, worst=large_projects),
    Target("files.deny-list", deny_list, deny_lists, worst=many_members),
    Target("files.build-record", build_record, build_records, worst=many_members),
    Target("files.kind", kind, first_bytes, max_bytes=9_000, worst=many_members),
)
