# SPDX-License-Identifier: Apache-2.0
import gc
import hashlib
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID, ObjectIdentifier
from tests.nitro_pki import MODULE, NOW, ORDER, REGION, SHAPES, Pki, certificate, good_pki, key

from strongroom.crypto import chain
from strongroom.crypto.certificates import load_certificate
from strongroom.crypto.chain import forget_bundles, verify_chain
from strongroom.errors import FormatError, NotAuthentic

ISSUERS = ("root", "regional", "zonal", "instance")


def verify(pki, *, cabundle=None, leaf=None, at=NOW, pins=None):
    return verify_chain(
        pki.certificates["leaf"] if leaf is None else leaf,
        pki.cabundle if cabundle is None else cabundle,
        root_sha256s=pki.roots.sha256s if pins is None else pins,
        at=at,
    )


def refused(code, pki, **changes):
    with pytest.raises(NotAuthentic) as caught:
        verify(pki, **changes)
    assert caught.value.code == code, caught.value
    return caught.value


def test_a_good_path_gives_the_leafs_key_and_name():
    chain = verify(good_pki())
    assert chain.leaf_common_name == f"{MODULE}.{REGION}.aws"
    assert chain.leaf_key.public_numbers() == key("leaf").public_key().public_numbers()
    assert chain.expires == NOW + timedelta(hours=3)
    assert chain.root_sha256 == hashlib.sha256(good_pki().certificates["root"]).digest()


def test_shorter_paths_are_paths_too():
    leaf = certificate(key("leaf"), key("root"), SHAPES["root"]["name"], SHAPES["leaf"])
    verify(good_pki(), leaf=leaf, cabundle=good_pki().cabundle[:1])


@pytest.mark.attack("A5")
def test_a_root_with_the_same_names_is_not_the_root():
    lookalike = Pki(keys={"root": key("another root")})
    error = refused("chain.unknown-root", lookalike, pins=good_pki().roots.sha256s)
    assert error.remedy


@pytest.mark.attack("A5")
def test_the_root_with_the_same_key_and_other_bytes_is_not_the_root():
    refused("chain.unknown-root", Pki(root={"days": 8999}), pins=good_pki().roots.sha256s)


@pytest.mark.attack("A5")
def test_the_real_root_in_front_of_anothers_path_does_not_help():
    lookalike = Pki(keys={"root": key("another root")})
    bundle = (good_pki().certificates["root"], *lookalike.cabundle[1:])
    refused("chain.bad-signature", lookalike, cabundle=bundle, pins=good_pki().roots.sha256s)


@pytest.mark.attack("A5")
def test_a_bundle_without_anything_or_without_pins_is_refused():
    assert "SHA-256 is absent" in str(refused("chain.unknown-root", good_pki(), cabundle=()))
    refused("chain.unknown-root", good_pki(), pins=frozenset())


@pytest.mark.attack("A5")
def test_every_other_order_is_refused():
    import itertools

    bundle = good_pki().cabundle
    for order in itertools.permutations(bundle):
        if order != bundle:
            with pytest.raises(NotAuthentic):
                verify(good_pki(), cabundle=order)


@pytest.mark.attack("A5")
@pytest.mark.parametrize("position", range(5))
def test_a_certificate_that_stands_twice_is_refused(position):
    bundle = list(good_pki().cabundle)
    bundle.insert(position, bundle[min(position, 3)])
    refused("chain.repetition", good_pki(), cabundle=bundle)


@pytest.mark.attack("A5")
def test_a_path_that_turns_back_on_itself_is_refused():
    # The zonal key certifies the regional one again: a loop of good signatures
    again = certificate(key("regional"), key("zonal"), SHAPES["zonal"]["name"], SHAPES["regional"])
    zonal = certificate(key("zonal"), key("regional"), SHAPES["regional"]["name"], SHAPES["zonal"] | {"path_length": 9})
    root, regional, _, instance = Pki(regional={"path_length": 9}).cabundle
    refused("chain.repetition", good_pki(), cabundle=(root, regional, zonal, again, zonal, instance), pins={
        hashlib.sha256(root).digest()
    })  # fmt: skip


@pytest.mark.attack("A5")
def test_a_certificate_too_many_or_too_few_is_refused():
    stranger = certificate(key("stranger"), key("root"), SHAPES["root"]["name"], SHAPES["regional"] | {"name": "x"})
    for position in range(1, 5):
        bundle = list(good_pki().cabundle)
        bundle.insert(position, stranger)
        refused("chain.wrong-issuer", good_pki(), cabundle=bundle)
    for position in range(1, 4):
        bundle = list(good_pki().cabundle)
        del bundle[position]
        refused("chain.wrong-issuer", good_pki(), cabundle=bundle)


@pytest.mark.attack("A5")
def test_a_self_signed_leaf_is_refused():
    alone = certificate(key("leaf"), key("leaf"), SHAPES["leaf"]["name"], SHAPES["leaf"])
    refused("chain.wrong-issuer", good_pki(), leaf=alone)
    refused("chain.unknown-root", good_pki(), leaf=alone, cabundle=(alone,))
    refused("chain.repetition", good_pki(), leaf=good_pki().certificates["root"], cabundle=good_pki().cabundle[:1])


@pytest.mark.attack("A6")
@pytest.mark.parametrize("position", ISSUERS)
def test_an_issuer_that_is_no_ca_is_refused(position):
    refused("chain.not-a-ca", Pki(**{position: {"ca": False, "path_length": None}}))
    refused("chain.not-a-ca", Pki(**{position: {"constraints": False}}))
    refused("chain.not-a-ca", Pki(**{position: {"constraints_critical": False}}))


@pytest.mark.attack("A6")
def test_a_leaf_does_not_sign_another_leaf():
    below = {"name": f"i-00000000000000000-tpm0000000000000000.{REGION}.aws"}
    second = certificate(key("second leaf"), key("leaf"), SHAPES["leaf"]["name"], SHAPES["leaf"] | below)
    pki = good_pki()
    refused("chain.not-a-ca", pki, leaf=second, cabundle=(*pki.cabundle, pki.certificates["leaf"]))


@pytest.mark.attack("A6")
@pytest.mark.parametrize(("position", "length"), [("root", 2), ("regional", 1), ("zonal", 0)])
def test_a_path_longer_than_an_issuer_allows_is_refused(position, length):
    verify(Pki(**{position: {"path_length": length + 1}}))
    refused("chain.path-too-long", Pki(**{position: {"path_length": length}}))


@pytest.mark.attack("A6")
@pytest.mark.parametrize("position", ISSUERS)
@pytest.mark.parametrize("usage", [(), ("digital_signature", "crl_sign")])
def test_an_issuer_that_may_not_sign_certificates_is_refused(position, usage):
    refused("chain.key-usage", Pki(**{position: {"usage": usage}}))


@pytest.mark.attack("A6")
@pytest.mark.parametrize("usage", [(), ("content_commitment",), ("digital_signature", "key_cert_sign")])
def test_a_leaf_that_may_not_sign_documents_is_refused(usage):
    refused("chain.key-usage", Pki(leaf={"usage": usage}))


@pytest.mark.attack("A6")
def test_a_leaf_that_is_a_ca_or_does_not_say_is_refused():
    refused("chain.leaf-is-ca", Pki(leaf={"ca": True}))
    refused("chain.leaf-is-ca", Pki(leaf={"constraints": False}))


@pytest.mark.parametrize("position", ORDER)
def test_a_critical_extension_that_nobody_reads_is_refused(position):
    extra = x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    verify(Pki(**{position: {"extra": [(extra, False)]}}))
    refused("chain.critical-extension", Pki(**{position: {"extra": [(extra, True)]}}))


@pytest.mark.attack("A7")
@pytest.mark.parametrize("position", ORDER)
@pytest.mark.parametrize("curve", ["P256", "P521"])
def test_keys_off_p384_are_refused(position, curve):
    refused("chain.wrong-key", Pki(keys={position: key("other", curve)}))


@pytest.mark.attack("A7")
def test_an_rsa_key_is_refused():
    refused("chain.wrong-key", Pki(keys={"leaf": rsa.generate_private_key(65537, 2048)}))


@pytest.mark.attack("A7")
@pytest.mark.parametrize("position", ORDER)
@pytest.mark.parametrize("algorithm", [hashes.SHA256(), hashes.SHA512()])
def test_signatures_with_another_hash_are_refused(position, algorithm):
    refused("chain.wrong-algorithm", Pki(**{position: {"hash": algorithm}}))


@pytest.mark.attack("A6")
@pytest.mark.parametrize("position", ORDER[1:])
def test_a_certificate_signed_by_somebody_else_is_refused(position):
    refused("chain.bad-signature", Pki(signers={position: key("stranger")}))


@pytest.mark.parametrize("position", ORDER[1:])
def test_a_certificate_that_names_another_issuer_is_refused(position):
    refused("chain.wrong-issuer", Pki(**{position: {"issuer_name": "somebody else"}}))


@pytest.mark.attack("A4")
@pytest.mark.parametrize("position", ORDER)
def test_each_certificate_must_be_valid_at_the_time(position):
    begins, ends = NOW - timedelta(seconds=3), NOW + timedelta(minutes=1)
    pki = Pki(**{position: {"begins": begins, "ends": ends, "days": 0} | {"ends": ends}})
    verify(pki, at=begins)
    verify(pki, at=ends)
    refused("chain.not-yet-valid", pki, at=begins - timedelta(seconds=1))
    error = refused("chain.expired", pki, at=ends + timedelta(seconds=1))
    assert "--at document" in error.remedy


@pytest.mark.attack("K13")
@pytest.mark.parametrize("years", [-10, 10])
def test_a_clock_that_is_years_off_revives_nothing(years):
    with pytest.raises(NotAuthentic):
        verify(good_pki(), at=NOW + timedelta(days=365 * years))


def test_the_zone_of_the_time_does_not_matter_but_it_must_have_one():
    verify(good_pki(), at=NOW.astimezone(timezone(timedelta(hours=9))))
    with pytest.raises(RuntimeError):
        verify(good_pki(), at=datetime(2026, 6, 1, 12, 0, 0))  # noqa: DTZ001
    assert NOW.tzinfo is UTC


@pytest.mark.parametrize("position", [0, 1, 2, 3, 4])
def test_bytes_that_are_no_certificate_are_malformed(position):
    certificates: list[bytes] = [*good_pki().cabundle, good_pki().certificates["leaf"]]
    certificates[position] = b"\x30\x03\x02\x01\x01"
    pins = {hashlib.sha256(certificates[0]).digest()}
    with pytest.raises(FormatError) as caught:
        verify(good_pki(), leaf=certificates[-1], cabundle=certificates[:-1], pins=pins)
    assert caught.value.code == "certificate.unreadable"


def test_extensions_that_cannot_be_read_are_malformed():
    der = good_pki().certificates["leaf"]
    at = der.index(bytes.fromhex("551d13"))  # basicConstraints, whose value becomes rubbish
    broken = der[: at + 3] + der[at + 3 :].replace(b"\x30\x00", b"\x31\x00", 1)
    with pytest.raises(FormatError) as caught:
        verify(good_pki(), leaf=broken)
    assert caught.value.code == "chain.unreadable"


def test_a_signature_with_unused_bits_is_malformed():
    # The same certificate in other bytes: without this rule its signature would still fit
    ders = (Pki(zonal={"serial": serial}).certificates["zonal"] for serial in range(1, 200))
    der = next(der for der in ders if not der[-1] & 1)
    padding = len(der) - len(x509.load_der_x509_certificate(der).signature) - 1
    pki = Pki()
    root, regional, _, instance = pki.cabundle
    broken = der[:padding] + b"\x01" + der[padding + 1 :]
    verify(pki, cabundle=(root, regional, der, instance))
    with pytest.raises(FormatError) as caught:
        verify(pki, cabundle=(root, regional, broken, instance))
    assert caught.value.code == "chain.signature-padding"


def test_a_leaf_needs_exactly_one_common_name():
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "US")]))
        .issuer_name(x509.load_der_x509_certificate(good_pki().certificates["instance"]).subject)
        .public_key(key("leaf").public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + timedelta(hours=3))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(True, True, False, False, False, False, False, False, False), critical=False)
    )
    from cryptography.hazmat.primitives.serialization import Encoding

    leaf = builder.sign(key("instance"), hashes.SHA384()).public_bytes(Encoding.DER)
    refused("chain.common-name", good_pki(), leaf=leaf)


def test_a_key_of_no_known_kind_is_malformed():
    der = good_pki().certificates["leaf"]
    broken = der.replace(bytes.fromhex("2a8648ce3d0201"), bytes.fromhex("2a8648ce3d0209"))
    with pytest.raises(FormatError) as caught:
        verify(good_pki(), leaf=broken)
    assert caught.value.code == "certificate.unreadable-key"


@pytest.mark.parametrize("position", ["root", "leaf"])
def test_a_date_that_is_none_is_malformed(position):
    century = NOW.replace(year=2051)
    pki = Pki(**{position: {"begins": century, "ends": century}})
    pki.certificates[position] = pki.certificates[position].replace(b"\x18\x0f2051", b"\x18\x0f0000", 1)
    with pytest.raises(FormatError) as caught:
        verify(pki, leaf=pki.certificates["leaf"])
    assert caught.value.code == "certificate.unreadable"


@pytest.mark.attack("A1")
@pytest.mark.slow
def test_no_flipped_byte_of_any_certificate_is_accepted():
    pki = good_pki()
    for position, der in enumerate((*pki.cabundle, pki.certificates["leaf"])):
        for index in range(len(der)):
            certificates: list[bytes] = [*pki.cabundle, pki.certificates["leaf"]]
            certificates[position] = der[:index] + bytes([der[index] ^ 0x01]) + der[index + 1 :]
            with pytest.raises((NotAuthentic, FormatError)):
                verify(pki, leaf=certificates[-1], cabundle=certificates[:-1])


@pytest.mark.parametrize(
    ("position", "words"),
    [
        ("root", "the root certificate"),
        ("regional", "certificate 1 of 3 in the bundle"),
        ("zonal", "certificate 2 of 3 in the bundle"),
        ("instance", "certificate 3 of 3 in the bundle"),
        ("leaf", "the leaf certificate"),
    ],
)
def test_a_refusal_says_which_certificate_it_is_about(position, words):
    unread = [(x509.UnrecognizedExtension(ObjectIdentifier(oid), b"x"), True) for oid in ("1.2.3.5", "1.2.3.4")]
    error = refused("chain.critical-extension", Pki(**{position: {"extra": unread}}))
    assert str(error).startswith(f"{words}: ")
    assert "1.2.3.4, 1.2.3.5" in str(error)


def test_a_refused_algorithm_is_named():
    error = refused("chain.wrong-algorithm", Pki(leaf={"hash": hashes.SHA256()}))
    assert "1.2.840.10045.4.3.2" in str(error)


def test_what_a_root_vouches_for_is_read_once(monkeypatch):
    read: list[bytes] = []
    monkeypatch.setattr(chain, "load_certificate", lambda der: read.append(der) or load_certificate(der))
    pki = Pki()
    leaf, (*upper, instance) = pki.certificates["leaf"], pki.cabundle
    verify(pki)
    assert read == [*upper, instance, leaf]
    verify(pki)
    assert read[5:] == [leaf]
    another = certificate(key("instance"), key("zonal"), SHAPES["zonal"]["name"], SHAPES["instance"])
    verify(pki, cabundle=(*upper, another))
    assert read[6:] == [another, leaf]


def test_the_name_of_a_verified_leaf_is_taken_apart_once(monkeypatch):
    taken: list[str] = []
    monkeypatch.setattr(chain, "read_subject", lambda leaf: taken.append("") or leaf.subject)
    forget_bundles()
    one, other = Pki(), Pki(leaf={"name": "another.aws"})
    for _ in range(2):
        assert verify(one).leaf_common_name == f"{MODULE}.{REGION}.aws"
        assert verify(other).leaf_common_name == "another.aws"
    assert len(taken) == 2
    forget_bundles()
    verify(one)
    assert len(taken) == 3


@pytest.mark.attack("A10")
def test_no_name_of_a_refused_leaf_is_remembered():
    forget_bundles()
    refused("chain.bad-signature", Pki(signers={"leaf": key("stranger")}))
    refused("chain.expired", good_pki(), at=NOW + timedelta(hours=4))
    assert not chain._common_names


def test_no_more_is_remembered_than_said(monkeypatch):
    monkeypatch.setattr(chain, "_REMEMBERED", 3)
    forget_bundles()
    for count in range(5):
        verify(Pki(leaf={"name": f"{count}.aws"}))
    assert 0 < len(chain._vouched) <= 3
    assert 0 < len(chain._common_names) <= 3


@pytest.mark.attack("A10")
def test_what_no_root_vouches_for_takes_no_memory():
    """A self-made chain of issuers that hang together, below genuine ones, in ever other bytes."""
    pki = Pki()
    padding = {"extra": [(x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"Z" * 5_000), False)]}
    tracemalloc.start()
    try:
        for _ in range(100):
            own = Pki(zonal=padding, instance=padding, signers={"zonal": key("own"), "instance": key("zonal")})
            bundle = (*pki.cabundle[:2], *own.cabundle[2:])
            refused("chain.bad-signature", pki, cabundle=bundle)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < 512 << 10
    finally:
        tracemalloc.stop()
