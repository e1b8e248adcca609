# SPDX-License-Identifier: Apache-2.0
import contextlib
import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import FormatError
from strongroom.formats.appraisal_policy import (
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NAME,
    MAX_RULES,
    PolicyFile,
    PolicyRule,
    encode_appraisal_policy,
    parse_appraisal_policy,
)
from strongroom.formats.durations import read_duration, write_duration
from strongroom.formats.measurements import Measurements

PAGE = Path(__file__).parents[3] / "docs/formats/appraisal-policy.md"
ONE, TWO = "11" * 48, "22" * 48
AWS = {"Measurements": {"HashAlgorithm": "SHA384", "PCR4": ONE, "PCR7": TWO, "PCR12": "00" * 48}}
HERE = {"regions": ["eu-west-1"]}


def encoded(**members):
    return json.dumps({"version": 1, **members}).encode()


def parse(**members):
    return parse_appraisal_policy(encoded(**members)).rule


def measured(**changes):
    values = {name: value for name, value in (AWS["Measurements"] | changes).items() if value is not None}
    return {"measurements": {"Measurements": values}}


def refused(data):
    with pytest.raises(FormatError) as caught:
        parse_appraisal_policy(data)
    return caught.value


def test_the_example_of_the_documentation_parses():
    (example,) = re.findall(r"^```json\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    policy = parse_appraisal_policy(example.encode())
    rule = policy.rule
    assert (rule.name, rule.max_age, rule.regions) == (
        "acme, production",
        timedelta(minutes=2),
        ("eu-central-1", "eu-west-1"),
    )
    assert [inner.name.partition(",")[0] for inner in rule.any_of] == ["1.4", "1.3", "the build of the night"]
    assert policy.paths() == ("images/1.4.json",)
    assert isinstance(rule.any_of[1].measurements, Measurements)
    assert [index for index, _ in rule.any_of[2].pcrs] == [2, 4, 12, 13]
    assert parse_appraisal_policy(encode_appraisal_policy(policy)) == policy


def test_the_page_names_every_key_and_limit():
    page = PAGE.read_text()
    fields = set(PolicyRule.__dataclass_fields__) - {"place"}
    assert {key for key in (*fields, "version") if f"| `{key}` |" not in page} == set()
    assert f"to a depth of {MAX_DEPTH}, and a file holds at most {MAX_RULES:,} rules" in page
    assert f"at most {MAX_NAME} characters" in page
    assert f"at most {MAX_BYTES >> 20} MiB" in page


def test_what_is_absent_is_nothing():
    rule = parse(**HERE)
    assert rule == PolicyRule(place="", regions=("eu-west-1",))


def test_a_rule_knows_its_place():
    rule = parse(all_of=[HERE, {"any_of": [HERE]}], any_of=[HERE])
    assert [inner.place for inner in rule.all_of] == ["all_of[0]", "all_of[1]"]
    assert rule.all_of[1].any_of[0].place == "any_of[0]"


def test_digests_are_read_in_any_case_and_order_is_that_of_pcrs():
    rule = parse(pcrs={"12": [ONE], "4": ["AB" * 48, TWO]})
    assert rule.pcrs == ((4, (b"\xab" * 48, b"\x22" * 48)), (12, (b"\x11" * 48,)))


def test_a_path_is_kept_as_it_is_written_and_named_once():
    policy = parse_appraisal_policy(encoded(any_of=[{"measurements": "../a.json"}, {"measurements": "../a.json"}]))
    assert policy.paths() == ("../a.json",)


@pytest.mark.parametrize(
    ("members", "code", "place"),
    [
        ({}, "policy-file.no-condition", "$"),
        ({"name": "n", "note": "only words"}, "policy-file.no-condition", "$"),
        ({"regions": ["eu-west-1"], "region": 1}, "field.unknown", "$.region"),
        ({"any_of": [HERE | {"version": 1}]}, "field.unknown", "$.any_of[0].version"),
        ({"any_of": []}, "field.length", "$.any_of"),
        ({"all_of": []}, "field.length", "$.all_of"),
        ({"all_of": [HERE, {}]}, "policy-file.no-condition", "$.all_of[1]"),
        ({"all_of": [HERE, []]}, "field.wrong-type", "$.all_of[1]"),
        ({"any_of": HERE}, "field.wrong-type", "$.any_of"),
        ({"name": "", **HERE}, "field.length", "$.name"),
        ({"name": "n" * (MAX_NAME + 1), **HERE}, "field.length", "$.name"),
        ({"name": "two\nlines", **HERE}, "field.pattern", "$.name"),
        ({"name": "\x1b[2J", **HERE}, "field.control-character", "$.name"),
        ({"note": 1, **HERE}, "field.wrong-type", "$.note"),
        ({"note": "n" * 4097, **HERE}, "field.length", "$.note"),
        ({"max_age": 120}, "field.wrong-type", "$.max_age"),
        ({"max_age": "0s"}, "policy-file.duration", "$.max_age"),
        ({"max_age": "5 m"}, "policy-file.duration", "$.max_age"),
        ({"max_age": "-5m"}, "policy-file.duration", "$.max_age"),
        ({"max_age": "1h30m"}, "policy-file.duration", "$.max_age"),
        ({"regions": []}, "field.length", "$.regions"),
        ({"regions": ["moon"]}, "field.pattern", "$.regions[0]"),
        ({"regions": ["eu-west-1", "eu-west-1"]}, "field.duplicate", "$.regions"),
        ({"instances": ["i-1"]}, "field.pattern", "$.instances[0]"),
        ({"instances": ["i-01234567", "i-01234567"]}, "field.duplicate", "$.instances"),
        ({"pcrs": {}}, "field.length", "$.pcrs"),
        ({"pcrs": [ONE]}, "field.wrong-type", "$.pcrs"),
        ({"pcrs": {"32": [ONE]}}, "field.pattern", "$.pcrs['32']"),
        ({"pcrs": {"04": [ONE]}}, "field.pattern", "$.pcrs['04']"),
        ({"pcrs": {"PCR4": [ONE]}}, "field.pattern", "$.pcrs.PCR4"),
        ({"pcrs": {"4": ONE}}, "field.wrong-type", "$.pcrs['4']"),
        ({"pcrs": {"4": []}}, "field.length", "$.pcrs['4']"),
        ({"pcrs": {"4": [ONE, ONE]}}, "field.duplicate", "$.pcrs['4']"),
        ({"pcrs": {"4": ["ab" * 48, "AB" * 48]}}, "field.duplicate", "$.pcrs['4']"),
        ({"pcrs": {"4": [ONE, "11" * 32]}}, "measurements.sha256", "$.pcrs['4'][1]"),
        ({"pcrs": {"4": ["zz"]}}, "measurements.not-hex", "$.pcrs['4'][0]"),
        ({"pcrs": {"12": ["00" * 48], "4": [ONE, "00" * 48]}}, "policy-file.zero-pcr", "$.pcrs"),
        ({"pcrs": {"7": ["00" * 48]}}, "policy-file.zero-pcr", "$.pcrs"),
        ({"measurements": ""}, "field.length", "$.measurements"),
        ({"measurements": "a\0b"}, "field.control-character", "$.measurements"),
        ({"measurements": ["a"]}, "field.wrong-type", "$.measurements"),
        ({"measurements": {}}, "field.missing", "$.measurements"),
        (measured(PCR4=None), "measurements.missing-pcr", "$.measurements.Measurements"),
        (measured(PCR4="00" * 48), "measurements.zero-pcr", "$.measurements.Measurements"),
        (measured(PCR4="00"), "measurements.wrong-length", "$.measurements.Measurements.PCR4"),
    ],
)  # fmt: skip
@pytest.mark.attack("A12")
@pytest.mark.attack("A13")
def test_what_is_wrong_is_named_with_its_place(members, code, place):
    error = refused(encoded(**members))
    assert (error.code, error.message.partition(": ")[0]) == (code, place), error.message


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"{}", "field.missing"),
        (b'{"version": 2, "regions": ["eu-west-1"]}', "field.range"),
        (b'{"version": 1, "regions": ["eu-west-1"], "regions": ["us-east-1"]}', "json.duplicate-key"),
        (b'{"version": 1, "regions": ["eu-west-1"]}}', "json.syntax"),
        (b"[]", "field.wrong-type"),
        (b"", "json.syntax"),
        (b"\xff", "json.not-utf8"),
        (b" " * (MAX_BYTES + 1), "json.too-large"),
    ],
)
def test_another_file_is_refused(data, code):
    assert refused(data).code == code


def test_json_that_breaks_is_named_with_its_byte():
    assert refused(b'{"version": 1,}').offset == 14


@pytest.mark.attack("A10")
def test_rules_in_rules_have_a_bounded_depth_and_number():
    table = HERE
    for _ in range(MAX_DEPTH):
        table = {"any_of": [table]}
    assert parse(**table)
    error = refused(encoded(all_of=[table]))
    assert (error.code, error.message.partition(": ")[0]) == ("policy-file.too-deep", "$.all_of[0]" + ".any_of[0]" * 7)
    assert len(parse(any_of=[HERE] * (MAX_RULES - 1)).any_of) == MAX_RULES - 1
    assert refused(encoded(any_of=[HERE] * MAX_RULES)).code == "policy-file.too-many"
    assert refused(encoded(any_of=[{"any_of": [HERE] * 500}] * 3)).code == "policy-file.too-many"


@pytest.mark.attack("A10")
@pytest.mark.parametrize("opening", [b'{"any_of":[', b"[", b'{"a":'])
def test_deep_nesting_is_refused_and_does_not_crash(opening):
    assert refused(opening * 50_000).code == "json.too-deep"


names = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=20)
digests = st.lists(st.binary(min_size=48, max_size=48).filter(any).map(bytes.hex), min_size=1, max_size=3, unique=True)
ages = st.integers(1, 999_999).map(lambda seconds: timedelta(seconds=seconds))
conditions = st.fixed_dictionaries(
    {},
    optional={
        "measurements": st.one_of(names, st.just(AWS)),
        "pcrs": st.dictionaries(st.integers(0, 31).map(str), digests, min_size=1, max_size=3),
        "max_age": ages.map(write_duration),
        "regions": st.lists(st.sampled_from(["eu-west-1", "us-gov-west-1"]), min_size=1, unique=True),
        "instances": st.lists(st.integers(0, 2**32).map(lambda n: f"i-{n:017x}"), min_size=1, max_size=3, unique=True),
        "name": names,
        "note": names,
    },
).map(lambda members: {"regions": ["eu-west-1"], **members})
tables = st.recursive(
    conditions,
    lambda inner: st.builds(
        lambda members, key, each: {**members, key: each},
        conditions,
        st.sampled_from(["all_of", "any_of"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=6,
)


@given(tables)
def test_what_parses_encodes_to_what_parses_to_the_same(table):
    policy = parse_appraisal_policy(encoded(**table))
    data = encode_appraisal_policy(policy)
    assert parse_appraisal_policy(data) == policy
    assert encode_appraisal_policy(parse_appraisal_policy(data)) == data


@given(tables)
def test_nothing_that_was_written_is_lost(table):
    written = json.loads(encode_appraisal_policy(PolicyFile(parse(**table))))
    pairs = [(written, {"version": 1, **table})]
    for mine, theirs in pairs:
        assert mine.keys() == theirs.keys()
        for key in ("all_of", "any_of"):
            pairs += zip(mine.get(key, []), theirs.get(key, []), strict=True)
        for key in ("name", "note", "pcrs", "max_age", "regions", "instances"):
            assert mine.get(key) == theirs.get(key)
        if theirs.get("measurements") != AWS:
            assert mine.get("measurements") == theirs.get("measurements")


@pytest.mark.attack("A10")
@given(tables, st.integers(0, 100_000), st.integers(0, 255))
def test_damage_gives_another_policy_or_a_format_error(table, position, byte):
    data = bytearray(encode_appraisal_policy(PolicyFile(parse(**table))))
    data[position % len(data)] = byte
    for damaged in (bytes(data), bytes(data[: position % len(data)])):
        with contextlib.suppress(FormatError):
            parse_appraisal_policy(damaged)


@pytest.mark.attack("A10")
@given(
    st.one_of(st.binary(max_size=200), st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")))
)
def test_random_bytes_give_a_format_error(data):
    with pytest.raises(FormatError):
        parse_appraisal_policy(data)


@pytest.mark.parametrize("key", ["name", "note", "measurements"])
def test_half_a_character_is_no_text(key):
    data = json.dumps({"version": 1, "max_age": "1m", key: "a\ud800b"}).encode()
    with pytest.raises(FormatError, match="half of one") as caught:
        parse_appraisal_policy(data)
    assert caught.value.code == "field.surrogate"


@given(ages)
def test_a_duration_is_read_as_it_is_written(age):
    assert read_duration(write_duration(age)) == age


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("5m", 300), ("2h", 7200), ("1d", 86_400), ("0s", 0), ("999999d", 999_999 * 86_400)],
)
def test_durations_have_one_number_and_one_unit(text, seconds):
    assert read_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    ["", "5", "m", "5M", "5m ", " 5m", "1.5h", "-5m", "5m5s", "1000000s", "\N{ARABIC-INDIC DIGIT FIVE}m", "5m\n"],
)
def test_anything_else_is_no_duration(text):
    assert read_duration(text) is None
