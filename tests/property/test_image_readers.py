# SPDX-License-Identifier: Apache-2.0
"""Whatever bytes come, the readers of images raise errors of ours or nothing (ATTACKS B19)."""

from __future__ import annotations

import contextlib

import lief
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.boot.variables import signature_list
from tests.damage import damaged, edited, edits
from tests.images import HEADERS, make_pe, make_uki, with_certificates

from strongroom.errors import FormatError, NotTrusted
from strongroom.formats.efi import parse_signature_database
from strongroom.formats.pe import parse_certificate_table, parse_pe
from strongroom.formats.uki import assemble_uki, parse_uki
from strongroom.measure.authenticode import authenticode_digest
from strongroom.measure.predict import measure_image

pytestmark = pytest.mark.attack("B19")

IMAGE = with_certificates(make_uki(), b"signature")
DATABASE = signature_list(b"certificate") + signature_list(b"another one")
NAMES = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=7).map(lambda name: f".{name}")
SECTIONS = st.lists(st.tuples(NAMES, st.binary(min_size=1, max_size=1500)), max_size=8, unique_by=lambda row: row[0])


@given(st.binary(max_size=300))
def test_random_bytes_are_no_image(data):
    for parse in (parse_pe, parse_uki):
        with pytest.raises(FormatError):
            parse(data)


@given(st.integers(0, len(IMAGE) - 1))
def test_a_truncated_image_is_refused(length):
    with pytest.raises(FormatError):
        parse_certificate_table(parse_pe(IMAGE[:length]))


@given(edits(HEADERS))
def test_a_damaged_image_is_measured_or_refused(changes):
    with contextlib.suppress(FormatError, NotTrusted):
        parse_certificate_table(parse_pe(edited(IMAGE, changes)))
        assert len(measure_image(edited(IMAGE, changes), secure_boot=None).pcrs) >= 5


@given(st.binary(max_size=200) | damaged(DATABASE))
def test_any_signature_database_is_read_or_refused(data):
    with contextlib.suppress(FormatError):
        assert sum(len(entry.signature_data) for entry in parse_signature_database(data)) <= len(data)


@given(SECTIONS)
def test_what_was_assembled_is_read_back_and_lief_agrees_on_its_digest(sections):
    image = assemble_uki(make_pe([("stub", b"\xc3")]), sections)
    parsed = parse_pe(image)
    assert [(row.name, bytes(parsed.contents(row))) for row in parsed.sections[1:]] == sections
    peer = lief.PE.parse(list(image))
    assert peer is not None
    assert authenticode_digest(parsed) == bytes(peer.authentihash(lief.PE.ALGORITHMS.SHA_384))
