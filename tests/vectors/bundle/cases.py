# SPDX-License-Identifier: Apache-2.0
"""The list of bundle vectors: name, expected class, section, comment, and what differs from a good bundle."""

from generate import (  # type: ignore[import-not-found]  # a program beside this one
    ARN,
    ARN_2,
    CONTENT_ID,
    DATA_KEY,
    OTHER_KEY,
    P384,
    Recipe,
    content,
    encrypt_chunks,
    entry,
    expand,
    fields,
    flip,
    hmac,
    setting,
    swap,
    write,
)

from strongroom.formats import cbor

CHUNK = 4096
LONG = bytes(i % 251 for i in range(3 * CHUNK - 100))
THREE_CHUNKS = [entry("file", LONG)]
PRK = hmac.digest(CONTENT_ID, DATA_KEY, "sha384")


def good() -> None:
    def several(recipe: Recipe) -> None:
        recipe.entries = [
            entry("etc/app.conf", b"a = 1\n", "text/plain", 0o644),
            entry("empty", b""),
            entry("bin/app", LONG, "application/octet-stream", 0o755),
        ]

    two_wraps = [{"key-arn": ARN, "data-key": b"one"}, {"key-arn": ARN_2, "data-key": b"two"}]
    write("good", "success", "1", "one short file")
    write("good-empty-file", "success", "6.3", "an empty file has one empty chunk", setting(entries=[entry("e", b"")]))
    write("good-several-files", "success", "7", "chunks straddle blocks", several)
    write(
        "good-exact-chunks",
        "success",
        "6.3",
        "the last chunk is full",
        setting(entries=[entry("file", bytes(2 * CHUNK))]),
    )
    write("good-three-chunks", "success", "8", "a tree of one level of nodes", setting(entries=THREE_CHUNKS))
    write(
        "good-two-levels",
        "success",
        "8",
        "129 blocks: two levels of nodes, the last group holds one hash",
        setting(entries=[entry("file", bytes(128 * CHUNK + 1))]),
    )
    write("good-no-root", "success", "8", "no root and no hash table", setting(with_root=False, entries=THREE_CHUNKS))
    write("good-chunk-16", "success", "4", "chunks of 64 KiB", setting(chunk_log2=16))
    write("good-two-wraps", "success", "4", "two regions", fields(wraps=two_wraps))
    write("good-es384", "success", "3", "signed with ES384", setting(key=P384, alg=-35))
    write("good-no-expiry", "success", "4", "not-after is null", fields(not_after=None))
    write("good-last-second", "success", "9", "the time equals not-after", setting(reader={"now": "1800001000"}))
    write("good-code", "success", "4", "purpose code, with a root", fields(purpose="code"))
    write("good-escrow", "success", "10", "an escrow file", kind="escrow")


def bad_layout() -> None:
    def case(name: str, comment: str, change) -> None:
        write(f"format-{name}", "format", "1.1", comment, change)

    case("magic", "the magic of an escrow file", setting(magic=b"\x89SRE\r\n\x1a\n"))
    case("layout", "layout version 2", setting(layout=b"\0\2\0\0"))
    case("reserved", "the two bytes after the layout version are not zero", setting(layout=b"\0\1\0\1"))
    case("header-short", "the header length is one too small", setting(change_length=-1))
    case("header-long", "the header length is one too large", setting(change_length=1))
    case("header-zero", "the header length is 0", setting(change_file=lambda b: b[:12] + bytes(4) + b[16:]))
    case("header-huge", "the header length is 65,537", setting(change_file=lambda b: b[:12] + b"\0\1\0\1" + b[16:]))
    case("only-preamble", "nothing after the preamble", setting(change_file=lambda b: b[:16]))
    case("half-preamble", "nine bytes", setting(change_file=lambda b: b[:9]))
    case("truncated", "the last byte is missing", setting(change_file=lambda b: b[:-1]))
    case("extended", "one byte too many", setting(change_file=lambda b: b + b"\0"))
    case(
        "no-hash-table",
        "no hash table, although there is a root",
        setting(entries=THREE_CHUNKS, change_hash_table=lambda _: b""),
    )


def bad_envelope() -> None:
    def case(name: str, comment: str, change) -> None:
        write(f"format-{name}", "format", "3", comment, change)

    def tagged(data: bytes) -> bytes:
        length = int.from_bytes(data[12:16]) + 1
        return data[:12] + length.to_bytes(4) + b"\xd2" + data[16:]

    case("tagged", "the COSE_Sign1 carries tag 18", setting(change_file=tagged))
    case("unprotected", "a parameter nobody signed", setting(unprotected={5: b"iv"}))
    case(
        "content-type",
        "the content type of an escrow file",
        setting(content_type="application/vnd.strongroom.bundle-escrow.v1+cbor"),
    )
    case("protected-extra", "a parameter that does not belong there", setting(protected_extra={2: [1]}))
    case("kid-short", "kid of 31 bytes", setting(kid=bytes(31)))
    case("alg-unknown", "ES256", setting(alg=-7, pinned_alg=-8))
    case("signature-short", "63 bytes of signature", setting(change_signature=lambda s: s[:-1]))
    case("signature-long", "65 bytes of signature", setting(change_signature=lambda s: s + b"\0"))


def bad_payload() -> None:
    def case(name: str, comment: str, change) -> None:
        write(f"format-{name}", "format", "4", comment, change)

    wrap = {"key-arn": ARN, "data-key": b"w"}
    case("unknown-key", "a key nobody knows", fields(zone="a"))
    case(
        "missing-key",
        "no tenant",
        setting(change_payload=lambda p: swap(b"\xad", b"\xac")(swap(b"\x66tenant\x64acme", b"")(p))),
    )
    case(
        "duplicate-key",
        "epoch twice",
        setting(
            change_payload=lambda p: swap(b"\xad", b"\xae")(swap(b"\x65epoch\x02", b"\x65epoch\x02\x65epoch\x02")(p))
        ),
    )
    case(
        "key-order",
        "suite before epoch",
        setting(change_payload=swap(b"\x65epoch\x02\x65suite\x01", b"\x65suite\x01\x65epoch\x02")),
    )
    case("long-integer", "epoch 2 in two bytes", setting(change_payload=swap(b"\x65epoch\x02", b"\x65epoch\x18\x02")))
    case("indefinite", "a map of indefinite length", setting(change_payload=lambda p: b"\xbf" + p[1:] + b"\xff"))
    case("trailing", "a byte after the payload's map", setting(change_payload=lambda p: p + b"\0"))
    case("float", "epoch as a float", setting(change_payload=swap(b"\x65epoch\x02", b"\x65epoch\xf9\x40\x00")))
    case("version", "payload version 2", fields(version=2))
    case("suite", "suite 2", fields(suite=2))
    case("id-upper", "an upper-case letter in the tenant", fields(tenant="Acme"))
    case("id-long", "a name of 64 characters", fields(name="a" * 64))
    case("id-empty", "an empty product", fields(product=""))
    case("epoch-zero", "epoch 0", fields(epoch=0))
    case("epoch-large", "epoch 2^53", fields(epoch=1 << 53))
    case("epoch-text", "epoch as text", fields(epoch="2"))
    case("version-zero", "bundle-version 0", fields(bundle_version=0))
    case("time", "created after the year 9999", fields(created=253_402_300_800, not_after=None))
    case("not-after", "not-after equals created", fields(not_after=1_799_999_000))
    case("accounts-none", "no account", fields(accounts=[]))
    case("accounts-order", "accounts out of order", fields(accounts=["444455556666", "111122223333"]))
    case("accounts-twice", "an account twice", fields(accounts=["444455556666", "444455556666"]))
    case("accounts-many", "65 accounts", fields(accounts=[f"{n:012}" for n in range(65)]))
    case("account", "an account of 11 digits", fields(accounts=["44445555666"]))
    case("purpose", "purpose state belongs to volumes", fields(purpose="state"))
    case("wraps-none", "no wrap", fields(wraps=[]))
    case(
        "wraps-many",
        "nine wraps",
        fields(wraps=[{**wrap, "key-arn": ARN.replace("central-1", f"central-{n}")} for n in range(1, 10)]),
    )
    case("wraps-order", "regions out of order", fields(wraps=[{**wrap, "key-arn": ARN_2}, wrap]))
    case("wraps-twice", "two wraps of one region", fields(wraps=[wrap, wrap]))
    case("alias", "an alias instead of a key", fields(wraps=[{**wrap, "key-arn": ARN.replace("key/", "alias/")}]))
    case("wrap-empty", "an empty wrapped key", fields(wraps=[{**wrap, "data-key": b""}]))
    case("wrap-long", "a wrapped key of 6,145 bytes", fields(wraps=[{**wrap, "data-key": bytes(6145)}]))
    case("chunk-small", "chunks of 2 KiB", setting(chunk_log2=11))
    case("chunk-large", "chunks of 32 MiB", setting(chunk_log2=25))
    case("content-id", "a content id of 31 bytes", content(id=bytes(31)))
    case("commitment", "a commitment of 33 bytes", content(commitment=bytes(33)))
    case("root-short", "a root of 31 bytes", content(root=bytes(31)))
    case("root-required", "code without a root", lambda r: (fields(purpose="code")(r), setting(with_root=False)(r)))
    case("table-short", "a table of 16 bytes", content(table=bytes(16)))
    case("table-long", "a table of 49,153 bytes", content(table=bytes(49_153)))
    case("body-short", "a body of 15 bytes", content(body={"length": 15, "placement": "inline"}))
    case("body-large", "a body of 2^44+1 bytes", content(body={"length": (1 << 44) + 1, "placement": "inline"}))
    case("placement", "a placement nobody knows", content(body={"length": 44, "placement": "nearby"}))


def bad_table() -> None:
    info = entry("password", b"correct horse battery staple")[0]

    def case(name: str, comment: str, table: list[cbor.Plain]) -> None:
        write(f"format-table-{name}", "format", "7", comment, setting(table=cbor.encode(table)))

    case("none", "no entry", [])
    case("many", "1,025 entries", [{**info, "name": str(n), "size": 0} for n in range(1025)])
    case("name-empty", "an empty name", [{**info, "name": ""}])
    case("name-absolute", "a name that starts with /", [{**info, "name": "/etc/passwd"}])
    case("name-dotdot", "a name that climbs", [{**info, "name": "a/../../b"}])
    case("name-dot", "a segment that is a dot", [{**info, "name": "a/./b"}])
    case("name-slash", "an empty segment", [{**info, "name": "a//b"}])
    case("name-newline", "a name with a line feed", [{**info, "name": "password\n"}])
    case("name-long", "a name of 256 characters", [{**info, "name": "a" * 256}])
    case("name-twice", "a name twice", [{**info, "size": 12}, {**info, "size": 0}])
    case(
        "name-folder",
        "a file that is also a folder",
        [{**info, "name": "a/b", "size": 12}, {**info, "name": "a", "size": 0}],
    )
    case("media-type", "a media type with a space", [{**info, "media-type": "text plain"}])
    case("mode", "the set-user-id bit", [{**info, "mode": 0o4755}])
    case("size", "a size of 2^40+1 bytes", [{**info, "size": (1 << 40) + 1}])
    case("sum-small", "sizes that add up to less than the body", [{**info, "size": 27}])
    case("sum-large", "sizes that add up to more than the body", [{**info, "size": 29}])
    case("unknown-key", "an entry with a key nobody knows", [{**info, "owner": "root"}])


def not_authentic() -> None:
    def case(name: str, spec: str, comment: str, change) -> None:
        write(f"not-authentic-{name}", "not-authentic", spec, comment, change)

    first = CHUNK + 16
    reorder = setting(
        entries=[entry("file", LONG + bytes(100))],
        with_root=False,
        change_body=lambda b: b[first : 2 * first] + b[:first] + b[2 * first :],
    )
    forged = encrypt_chunks(expand(PRK, b"entry", 12, 1), b"incorrect horse battery stapl", CHUNK)[0]
    not_last = encrypt_chunks(expand(PRK, b"entry", 12, 1), bytes(CHUNK + 1), CHUNK)[0]

    case("signature", "3", "one bit of the signature flipped", setting(change_signature=flip(10)))
    case("payload", "3", "epoch changed after signing", setting(change_file=swap(b"\x65epoch\x02", b"\x65epoch\x03")))
    case("aad", "3", "signed as an escrow file", setting(aad=b"strongroom/bundle-escrow/v1"))
    case("aad-empty", "3", "signed with an empty external_aad", setting(aad=b""))
    case("signer", "9", "a signer that is not pinned", setting(pinned=P384, pinned_alg=-35))
    case(
        "algorithm",
        "9",
        "the header claims an algorithm other than the pinned one",
        setting(alg=-35, pinned_alg=-8, change_signature=lambda s: s + bytes(32)),
    )
    case("data-key", "6.2", "another data key", setting(reader_data_key=OTHER_KEY))
    case("data-key-short", "6.2", "a data key of 31 bytes", setting(reader_data_key=DATA_KEY[:31]))
    case(
        "two-keys",
        "6.2",
        "body and table open with the data key, the commitment names another key",
        content(commitment=expand(hmac.digest(CONTENT_ID, OTHER_KEY, "sha384"), b"commitment", 12, 0)),
    )
    case("root", "8", "the signed root is another", content(root=bytes(32)))
    case("body", "8", "one bit of the body flipped", setting(change_body_after_signing=flip(5)))
    case(
        "forged",
        "8",
        "a chunk written with the right data key after signing",
        setting(
            entries=[entry("password", b"correct horse battery staple!")], change_body_after_signing=lambda _: forged
        ),
    )
    case(
        "hash-table", "8", "one bit of the hash table flipped", setting(entries=THREE_CHUNKS, change_hash_table=flip(0))
    )
    case("table", "7", "a signed table that does not decrypt", content(table=bytes(80)))
    case("chunk", "6.3", "one bit of a chunk flipped, no root", setting(with_root=False, change_body=flip(5)))
    case("chunk-tag", "6.3", "one bit of a tag flipped, no root", setting(with_root=False, change_body=flip(-1)))
    case("chunk-order", "6.3", "two chunks exchanged, no root", reorder)
    case(
        "chunk-not-last",
        "6.3",
        "a chunk that was not the last one ends the file, no root",
        setting(entries=[entry("file", bytes(CHUNK))], with_root=False, change_body=lambda _: not_last),
    )
    case(
        "chunk-entry",
        "6.3",
        "the chunks of two entries exchanged, no root",
        setting(
            entries=[entry("a", b"one"), entry("b", b"two")], with_root=False, change_body=lambda b: b[19:] + b[:19]
        ),
    )


def not_trusted() -> None:
    def case(name: str, comment: str, change) -> None:
        write(f"not-trusted-{name}", "not-trusted", "9", comment, change)

    case("role", "a signer of releases", setting(roles="release"))
    case("product", "another product", setting(reader={"product": "other"}))
    case("name", "another name", setting(reader={"name": "licence"}))
    case("floor", "older than the floor", setting(reader={"floor": "4"}))
    case("expired", "one second late", setting(reader={"now": "1800001001"}))
    case("account", "another account", setting(reader={"account": "777788889999"}))
    case("key-account", "a key of somebody else", setting(reader={"key-accounts": "999900001111"}))
    case("partition", "a key of another partition", setting(reader={"partition": "aws-cn"}))
    case("region", "no wrap for the region", setting(reader={"region": "us-east-1"}))


def escrow() -> None:
    write(
        "format-escrow-extended",
        "format",
        "10",
        "a byte after the header",
        setting(change_file=lambda b: b + b"\0"),
        kind="escrow",
    )
    write("format-escrow-unknown-key", "format", "10", "a key nobody knows", content(floor=1), kind="escrow")
    write(
        "format-escrow-content-id",
        "format",
        "10",
        "a content id of 33 bytes",
        content(content_id=bytes(33)),
        kind="escrow",
    )
    write("format-escrow-version", "format", "10", "version 2", fields(version=2), kind="escrow")
    write(
        "not-authentic-escrow-aad",
        "not-authentic",
        "10",
        "signed as a bundle header",
        setting(aad=b"strongroom/bundle-header/v1"),
        kind="escrow",
    )


def write_all() -> None:
    for group in (good, bad_layout, bad_envelope, bad_payload, bad_table, not_authentic, not_trusted, escrow):
        group()
