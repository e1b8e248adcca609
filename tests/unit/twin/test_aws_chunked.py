# SPDX-License-Identifier: Apache-2.0
"""Bodies in S3's own chunks: what botocore makes is read, everything else is refused."""

import base64
import hashlib
import io
import zlib

import pytest
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum
from hypothesis import given
from hypothesis import strategies as st

from strongroom.twin.aws_chunked import STREAMING, unchunk
from strongroom.twin.fault import AwsFault
from strongroom.twin.sigv4 import SignedCall

CRC = "x-amz-checksum-crc32"


def call(body, **headers):
    stated = {"x-amz-content-sha256": STREAMING, "content-encoding": "aws-chunked"} | headers
    return SignedCall("PUT", "/b/k", "", stated, body)


def crc(data):
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


@given(data=st.binary(max_size=4000), size=st.integers(1, 1000))
def test_what_botocore_makes_is_read(data, size):
    wrapper = AwsChunkedWrapper(io.BytesIO(data), checksum_cls=Crc32Checksum, checksum_name=CRC, chunk_size=size)
    found = unchunk(call(wrapper.read(), **{"x-amz-decoded-content-length": str(len(data))}))
    assert found.body == data
    assert found.headers == {CRC: crc(data), "x-amz-content-sha256": hashlib.sha256(data).hexdigest()}


def test_other_encodings_stay():
    found = unchunk(call(b"0\r\n\r\n", **{"content-encoding": "gzip,aws-chunked"}))
    assert found.headers["content-encoding"] == "gzip"


def test_another_body_is_left_as_it_is():
    plain = SignedCall("PUT", "/b/k", "", {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}, b"5\r\nhello")
    assert unchunk(plain) is plain


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"5\r\nhello\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"6\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"5;chunk-signature=0\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAA",
        b"5\r\nhello\r\n0\r\nx-amz-meta-other:AAAA\r\n\r\n",
        b"999999999\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_what_no_client_makes_is_refused(body):
    with pytest.raises(AwsFault) as caught:
        unchunk(call(body))
    assert caught.value.name == "InvalidChunkSizeError"


@pytest.mark.parametrize("name", [CRC, "x-amz-checksum-sha1", "x-amz-checksum-sha256"])
def test_a_checksum_of_another_body_is_refused(name):
    with pytest.raises(AwsFault) as caught:
        unchunk(call(b"5\r\nhello\r\n0\r\n" + name.encode() + b":AAAAAA==\r\n\r\n"))
    assert caught.value.name == "BadDigest"


def test_a_length_that_is_another_is_refused():
    with pytest.raises(AwsFault) as caught:
        unchunk(call(b"5\r\nhello\r\n0\r\n\r\n", **{"x-amz-decoded-content-length": "6"}))
    assert caught.value.name == "IncompleteBody"


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data):
    try:
        unchunk(call(data))
    except AwsFault as fault:
        assert fault.name in {"InvalidChunkSizeError", "BadDigest", "IncompleteBody"}
