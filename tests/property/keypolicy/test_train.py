# SPDX-License-Identifier: Apache-2.0
"""A train that is read back from its policy is the train that the policy was generated from, whatever it is."""

import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.errors import FormatError, NotTrusted, UsageError
from strongroom.formats.names import ID
from strongroom.formats.pcrs import SECURE_BOOT_OFF_PCR7_SHA384, SEPARATOR_ONLY_SHA384, ZERO_SHA384, PcrDigests
from strongroom.keypolicy.generate import tenant_key_policy
from strongroom.keypolicy.meaning import meaning
from strongroom.keypolicy.model import encode_key_policy, parse_key_policy
from strongroom.keypolicy.open_sid import open_sid, ring_of
from strongroom.keypolicy.room import room_in
from strongroom.keypolicy.spec import PCR4, PCR7, AdmittedRelease, SecureBoot, TenantKeySpec, VendorSpec
from strongroom.keypolicy.train import read_train, version_of

ACCOUNTS = st.from_regex(r"[0-9]{12}", fullmatch=True)
IDS = st.from_regex(ID, fullmatch=True)
DIGESTS = st.binary(min_size=48, max_size=48).filter(
    lambda each: each not in (ZERO_SHA384, SECURE_BOOT_OFF_PCR7_SHA384)
)
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 -- a bound


@st.composite
def releases(draw):
    constants = {2: SEPARATOR_ONLY_SHA384, 12: ZERO_SHA384, 13: ZERO_SHA384}
    overrides = {index: draw(DIGESTS) for index in draw(st.sets(st.sampled_from(sorted(constants)), max_size=2))}
    secure_boot = draw(st.sampled_from(SecureBoot))
    pcr7 = {7: draw(DIGESTS)} if secure_boot is SecureBoot.GATED else {}
    pcrs = PcrDigests.of({**constants, **overrides, **pcr7, PCR4: draw(DIGESTS)})
    return AdmittedRelease(
        version=version_of(pcrs),
        ring=draw(IDS),
        pcrs=pcrs,
        epoch=draw(st.integers(1, 2**53 - 1)),
        secure_boot=secure_boot,
        expires=draw(st.none() | TIMES.map(lambda each: each.replace(microsecond=0))),
        overrides={index: value for index, value in overrides.items() if value != constants[index]},
    )


@st.composite
def specs(draw):
    account = draw(ACCOUNTS)
    accounts = tuple(draw(st.lists(ACCOUNTS, min_size=1, max_size=3, unique=True)))
    role = st.sampled_from([f"arn:aws:iam::{account}:role/{name}" for name in ("a", "ci/b", "x@y=z+,.-_")])
    purposes = st.lists(st.sampled_from(("secret", "code", "configuration")), min_size=1, max_size=3, unique=True)
    vendor = VendorSpec(
        product=draw(IDS),
        account=account,
        sealer_role_arn=draw(role),
        purposes=tuple(draw(purposes)),
        change_role_arn=draw(st.just("") | role),
    )
    return TenantKeySpec(
        vendor=vendor,
        tenant=draw(IDS),
        accounts=accounts,
        releases=tuple(draw(st.lists(releases(), min_size=1, max_size=6))),
        names=tuple(draw(st.lists(IDS, max_size=2, unique=True))),
        role_patterns=draw(st.sampled_from([(), (f"arn:aws:iam::{accounts[0]}:role/app-*",)])),
    )


def place(each):
    """Where a release stands in a policy."""
    until = f"{each.expires:%Y-%m-%dT%H:%M:%SZ}" if each.expires else ""
    pcr2, pcr4, pcr12, pcr13 = (each.pcrs[index].hex() for index in (2, 4, 12, 13))
    return (each.ring, each.epoch, until, pcr2, each.gate(PCR7) or "", pcr12, pcr13, pcr4)


@given(specs())
def test_reading_undoes_generating(spec):
    found = read_train(tenant_key_policy(spec))
    assert found.releases == tuple(sorted({place(each): each for each in spec.releases}.values(), key=place))
    assert replace(found, releases=spec.releases) == spec


@given(specs())
def test_generating_undoes_reading_whatever_order_kms_keeps(spec):
    policy = tenant_key_policy(spec)
    body = json.loads(encode_key_policy(policy))
    for statement in body["Statement"]:
        if isinstance(statement["Action"], list):
            statement["Action"].reverse()
    reordered = parse_key_policy(json.dumps({"Statement": body["Statement"][::-1], "Version": body["Version"]}))
    assert meaning(tenant_key_policy(read_train(reordered))) == meaning(policy)
    assert tenant_key_policy(read_train(policy)) == policy


@given(specs(), st.data())
def test_a_policy_with_one_value_changed_is_read_as_what_it_now_is_or_refused(spec, data):
    text = encode_key_policy(tenant_key_policy(spec))
    strings = list(re.finditer(r'"(?:[^"]+)"', text))
    one = data.draw(st.sampled_from(strings))
    changed = (
        text[: one.start()]
        + data.draw(st.sampled_from(['"kms:Decrypt"', '"*"', '"1"', '"Open9X"']))
        + text[one.end() :]
    )
    try:
        found = parse_key_policy(changed)
    except FormatError:
        return
    try:
        train = read_train(found)
    except NotTrusted:
        return
    assert meaning(tenant_key_policy(train)) == meaning(found)


@given(st.integers(1, 999), IDS, st.integers(1, 999), IDS)
def test_sids_of_open_statements_are_letters_and_digits_and_tell_number_and_ring(number, ring, other_number, other):
    sid = open_sid(number, ring)
    assert re.fullmatch(r"[A-Za-z0-9]+", sid)
    assert ring_of(sid) == ring
    assert (sid == open_sid(other_number, other)) == ((number, ring) == (other_number, other))


@settings(max_examples=20)
@given(specs())
def test_as_many_versions_fit_as_are_promised_and_not_one_more(spec):
    room = room_in(spec)
    last = spec.releases[-1]
    for more, end in ((room.more_alike, None), (room.more_apart, datetime(5000, 1, 1, tzinfo=UTC))):
        added = [
            replace(
                last,
                pcrs=PcrDigests.of({**last.pcrs, PCR4: hashlib.sha384(b"%d" % number).digest()}),
                expires=end + timedelta(seconds=number) if end else last.expires,
            )
            for number in range(more + 1)
        ]
        tenant_key_policy(replace(spec, releases=(*spec.releases, *added[:more])))
        with pytest.raises(
            UsageError, match=f"{len(spec.releases) + more} of {len(spec.releases) + more + 1} versions"
        ):
            tenant_key_policy(replace(spec, releases=(*spec.releases, *added)))
