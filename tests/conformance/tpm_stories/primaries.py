# SPDX-License-Identifier: Apache-2.0
"""Primary objects: every template that guests use, each attribute, and what a template may not say."""

from tests.conformance.tpm_differential import POWER_CYCLE, Note, Step, Steps, length
from tests.conformance.tpm_faults import Spoilt, faults
from tests.conformance.tpm_stories.steps import STARTUP, flush, patient, primary, public_part
from tests.tpm_commands import (
    AES,
    CFB,
    ECDH,
    ECDSA,
    EMPTY,
    ENDORSEMENT,
    HMAC,
    KEYEDHASH,
    LOCKOUT,
    NULL,
    OAEP,
    OWNER,
    P384,
    PLATFORM,
    RSAES,
    RSAPSS,
    RSASSA,
    SHA1,
    SHA256,
    SHA384,
    SHA512,
    XOR,
    Command,
    selection,
    sized,
    u16,
    u32,
)
from tests.tpm_templates import (
    AES128,
    AES_KEY,
    AK_ECC,
    AK_RSA,
    DECRYPT,
    DECRYPTING_RSA,
    EK_ECC,
    EK_RSA,
    FIXED,
    HMAC_KEY,
    NO_DA,
    NO_SCHEME,
    OWN,
    RESTRICTED,
    SEALED,
    SENSITIVE_DATA_ORIGIN,
    SIGN,
    SIGNING_ECC,
    SIGNING_RSA,
    SRK_ECC,
    SRK_RSA,
    STORAGE,
    USER_WITH_AUTH,
    ecc,
    keyed_hash,
    public,
    rsa,
    sensitive,
    to_create,
)

TEMPLATES = {
    "EK of RSA": (EK_RSA, 258),
    "EK of ECC": (EK_ECC, 68),
    "SRK of RSA": (SRK_RSA, 258),
    "SRK of ECC": (SRK_ECC, 68),
    "AK of RSA": (AK_RSA, 2),
    "AK of ECC": (AK_ECC, 4),
    "signing RSA": (SIGNING_RSA, 2),
    "signing ECC": (SIGNING_ECC, 4),
    "decrypting RSA": (DECRYPTING_RSA, 2),
    "HMAC": (HMAC_KEY, 2),
    "AES": (AES_KEY, 2),
}
"""Each with the size of its unique field, which is not shown: the seed of every TPM is its own."""


def templates() -> Steps:
    yield from patient()
    for name, (template, unique) in TEMPLATES.items():
        for hierarchy in (OWNER, ENDORSEMENT, PLATFORM, NULL):
            command = Command("CreatePrimary", (hierarchy,), to_create(template), EMPTY)
            made = yield Step(f"{name} in {hierarchy:#x}", command, public_part(template, unique))
            read = Command("ReadPublic", (made.handle,))
            yield Step(f"{name} in {hierarchy:#x}: public", read, length)
            yield from flush(f"{name} in {hierarchy:#x}: flushed", made)


def always_the_same() -> Steps:
    """A template gives the same key again, also after a restart; another unique field gives another."""
    yield from patient()
    first = yield from primary("first", SRK_ECC)
    yield from flush("first flushed", first)
    yield Step("power", POWER_CYCLE)
    yield STARTUP.but("second startup")
    second = yield from primary("second", SRK_ECC)
    other = yield from primary("other", ecc(STORAGE, symmetric=AES128, unique=b"\1" * 32))
    same = [made.sized(0, 1) == first.sized(0, 1) for made in (second, other)]
    yield Note("the same", same)


def spoilt_ecc() -> Steps:
    yield from patient()
    yield from faults(Command("CreatePrimary", (OWNER,), to_create(SRK_ECC), EMPTY), Spoilt(shown=length))


def spoilt_rsa() -> Steps:
    yield from patient()
    without = ("handle 1 is *",)
    command = Command("CreatePrimary", (ENDORSEMENT,), to_create(EK_RSA), EMPTY)
    yield from faults(command, Spoilt(shown=length, every_byte=False, without=without))


def spoilt_sealed() -> Steps:
    """The attributes and parameters of a data object, byte by byte."""
    yield from patient()
    command = Command("CreatePrimary", (OWNER,), to_create(SEALED, auth=b"auth", data=b"secret"), EMPTY)
    yield from faults(command, Spoilt(shown=length))


def spoilt_hmac_key() -> Steps:
    yield from patient()
    yield from faults(Command("CreatePrimary", (NULL,), to_create(HMAC_KEY), EMPTY), Spoilt(shown=length))


def spoilt_aes_key() -> Steps:
    yield from patient()
    yield from faults(Command("CreatePrimary", (NULL,), to_create(AES_KEY), EMPTY), Spoilt(shown=length))


def attributes() -> Steps:
    """Each bit of the attributes turned in each kind of object."""
    yield from patient()
    kinds = {
        "storage": lambda bits: ecc(STORAGE ^ bits, symmetric=AES128),
        "signing": lambda bits: ecc((OWN | NO_DA | SIGN) ^ bits, scheme=u16(ECDSA) + u16(SHA256)),
        "attesting": lambda bits: ecc((OWN | NO_DA | SIGN | RESTRICTED) ^ bits, scheme=u16(ECDSA) + u16(SHA256)),
        "sealed": lambda bits: keyed_hash((FIXED | USER_WITH_AUTH | NO_DA) ^ bits),
        "HMAC": lambda bits: keyed_hash((OWN | SIGN) ^ bits, scheme=u16(HMAC) + u16(SHA256)),
        "AES": lambda bits: public(0x25, (OWN | DECRYPT | SIGN) ^ bits, AES128, sized()),
    }
    for name, template in kinds.items():
        for bit in range(32):
            data = b"secret" if name == "sealed" else b""
            command = Command("CreatePrimary", (OWNER,), to_create(template(1 << bit), data=data), EMPTY)
            made = yield Step(f"{name} with bit {bit}", command, length)
            yield from flush(f"{name} with bit {bit}: flushed", made)


def schemes() -> Steps:
    """Which schemes go with which use."""
    yield from patient()
    for number in (RSASSA, RSAES, RSAPSS, OAEP, ECDSA, ECDH, 0x1A, 0x1B, 0x1C, HMAC, XOR, SHA256, 0x10, 0x99):
        detail = b"" if number in (RSAES, 0x10) else u16(0) * (number == 0x1A) + u16(SHA256)
        for use, bits in (("sign", SIGN), ("decrypt", DECRYPT), ("both", SIGN | DECRYPT)):
            for restricted in (0, RESTRICTED):
                attributes = OWN | NO_DA | bits | restricted
                symmetric = AES128 if restricted and bits & DECRYPT else u16(0x10)
                name = f"{use} with {number:#x}{', restricted' if restricted else ''}"
                scheme = u16(number) + detail
                yield from _made(f"{name}: ECC", ecc(attributes, symmetric=symmetric, scheme=scheme))
                yield from _made(f"{name}: keyed hash", keyed_hash(attributes, scheme=scheme))
                yield Step(
                    f"{name}: RSA",
                    Command("CreatePrimary", (OWNER,), to_create(rsa(attributes, scheme=scheme, exponent=3)), EMPTY),
                )


def _made(label: str, template: bytes, **more) -> Steps:
    command = Command("CreatePrimary", (OWNER,), to_create(template, **more), EMPTY)
    made = yield Step(label, command, length)
    yield from flush(f"{label}, flushed", made)


def rsa_sizes() -> Steps:
    """Refusals only: a key of each size would take its time."""
    yield from patient()
    for bits in (0, 512, 1023, 1025, 4095, 4096, 8192, 65535):
        yield from _made(f"{bits} bits", rsa(OWN | SIGN, bits=bits))
    for exponent in (1, 2, 3, 4, 65536, 0xFFFFFFFF):
        yield from _made(f"exponent {exponent}", rsa(OWN | SIGN, exponent=exponent))
    for size in (1, 255, 257, 385, 512):
        yield from _made(f"unique of {size} bytes", rsa(OWN | SIGN, unique=bytes(size)))
    yield from _made("storage without a cipher", rsa(STORAGE))
    yield from _made("storage with AES of 256 bits", rsa(STORAGE, symmetric=u16(AES) + u16(256) + u16(CFB), bits=100))
    yield from _made("signing with a cipher", rsa(OWN | SIGN, symmetric=AES128))
    yield from _made("1024 bits", rsa(OWN | SIGN, bits=1024))
    yield from _made("exponent 65537", rsa(OWN | SIGN, exponent=65537))


def ecc_curves() -> Steps:
    yield from patient()
    for curve in (0, 1, 2, 3, 4, 5, 0x10, 0x11, 0x20, 0xFFFF):
        yield from _made(f"curve {curve}", ecc(OWN | SIGN, curve=curve))
        yield from _made(f"storage on curve {curve}", ecc(STORAGE, symmetric=AES128, curve=curve))
    for kdf in (0x07, 0x20, 0x21, 0x22, SHA256):
        yield from _made(f"KDF {kdf:#x}", ecc(OWN | DECRYPT, kdf=u16(kdf) + u16(SHA256)))
    for size in (1, 31, 33, 48, 66, 81):
        yield from _made(f"unique of {size} bytes", ecc(OWN | SIGN, unique=bytes(size)))
    yield from _made("on P-384 with SHA-384", ecc(OWN | SIGN, curve=P384, scheme=u16(ECDSA) + u16(SHA384)))
    yield from _made("ECDSA with SHA-1", ecc(OWN | SIGN, scheme=u16(ECDSA) + u16(SHA1)))
    for key_bits, mode in ((128, 0x40), (192, CFB), (256, CFB), (128, 0x10), (64, CFB)):
        cipher = u16(AES) + u16(key_bits) + u16(mode)
        yield from _made(f"storage with AES {key_bits} in mode {mode:#x}", ecc(STORAGE, symmetric=cipher))


def sensitive_parts() -> Steps:
    """Authorisation values and data of each size."""
    yield from patient()
    for size in (0, 1, 31, 32, 33, 48, 64, 65):
        yield from _made(f"auth of {size} bytes", SRK_ECC, auth=b"a" * size)
        yield from _made(f"auth of {size} bytes for a sealed object", SEALED, auth=b"a" * size, data=b"x")
    for size in (0, 1, 127, 128, 129, 256):
        yield from _made(f"{size} bytes sealed", SEALED, data=b"d" * size)
        yield from _made(f"{size} bytes for ECC", SIGNING_ECC, data=b"d" * size)
        yield from _made(f"{size} bytes for HMAC", HMAC_KEY, data=b"d" * size)
        given = keyed_hash(FIXED | USER_WITH_AUTH | SIGN, scheme=u16(HMAC) + u16(SHA256))
        yield from _made(f"{size} bytes for HMAC, given", given, data=b"d" * size)
    for size in (0, 15, 16, 17, 32):
        given = public(0x25, FIXED | USER_WITH_AUTH | DECRYPT, AES128, sized())
        yield from _made(f"AES key of {size} bytes", given, data=bytes(range(size)))
    for size in (0, 31, 32, 33):
        yield from _made(f"policy of {size} bytes", ecc(OWN | SIGN, policy=bytes(size)))
    for name in (SHA1, SHA256, SHA384, SHA512, 0x10, 0x12, 0x99):
        template = public(KEYEDHASH, FIXED | USER_WITH_AUTH, NO_SCHEME, sized(), name=name)
        yield from _made(f"named with {name:#x}", template, data=b"x")
    origin = keyed_hash(FIXED | USER_WITH_AUTH | SENSITIVE_DATA_ORIGIN)
    yield from _made("sealed data from the TPM", origin)


def creation_data() -> Steps:
    """outsideInfo and creationPCR come back in creation data."""
    yield from patient()
    yield from _made("outside information", SEALED, data=b"x", outside=b"outside")
    for size in (66, 67, 68):
        yield from _made(f"{size} bytes of outside information", SEALED, data=b"x", outside=bytes(size))
    yield from _made("PCRs", SEALED, data=b"x", pcrs=selection((SHA256, [0, 16, 23]), (SHA1, [1])))
    yield from _made("a bank that is off", SEALED, data=b"x", pcrs=selection((0x12, [0])))
    yield from _made("too many banks", SEALED, data=b"x", pcrs=u32(17) + bytes(6 * 17))


def no_room() -> Steps:
    """Three objects, and not one more."""
    yield from patient()
    made = []
    for number in range(5):
        made += [(yield from primary(f"object {number}", SRK_ECC))]
    yield Step("handles", Command("GetCapability", (), u32(1) + u32(0x80000000) + u32(10)))
    yield from flush("flush the second", made[1])
    again = yield from primary("another", SRK_ECC)
    for name, handle in (("first", made[0].handle), ("another", again.handle), ("nothing", 0x80000007)):
        yield from flush(f"flush {name}", handle)
        yield from flush(f"flush {name} again", handle)


def hierarchies_off() -> Steps:
    """Where a hierarchy is disabled, or is none."""
    yield from patient()
    for hierarchy in (LOCKOUT, 0x40000000, 0x40000008, 0x40000010):
        yield Step(f"in {hierarchy:#x}", Command("CreatePrimary", (hierarchy,), to_create(SRK_ECC), EMPTY))
    yield Step("sensitive too large", Command("CreatePrimary", (OWNER,), sensitive(bytes(65)) + bytes(4), EMPTY))
