# SPDX-License-Identifier: Apache-2.0
"""tpm2-tools bring keys in and out, and keep them, on the emulated NitroTPM as on swtpm."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

pytestmark = pytest.mark.slow
DUPLICABLE = "sensitivedataorigin|userwithauth|decrypt|sign"


@pytest.fixture
def keyed(both):
    """Both TPMs with a primary key, and one RSA and one ECC key of OpenSSL's beside it."""
    for name, key in (("rsa", rsa.generate_private_key(65537, 2048)), ("ecc", ec.generate_private_key(ec.SECP256R1()))):
        both.write(f"{name}.pem", key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        both.write(f"{name}.public.pem", public)
    both.write("message", b"a message to sign")
    both.write("secret", b"a secret that is sealed")
    both.write("aes.key", bytes(range(16)))
    both.play("tpm2_createprimary -C o -G ecc -c primary.ctx")
    return both


@pytest.mark.parametrize("kind", ["rsa", "ecc"])
def test_an_imported_key_keeps_its_name_and_signs(keyed, kind):
    keyed.play(f"""
        = tpm2_import -C primary.ctx -G {kind} -i {kind}.pem -u key.pub -r key.priv
        same key.pub
        = tpm2_load -C primary.ctx -u key.pub -r key.priv -c key.ctx -n key.name
        same key.name
        tpm2_sign -c key.ctx -g sha256 -f plain -o signature message
        = openssl dgst -sha256 -verify {kind}.public.pem -signature signature message
        ~ tpm2_readpublic -c key.ctx
        """)


def test_an_imported_symmetric_key_encrypts_what_openssl_decrypts(keyed):
    keyed.play(f"""
        tpm2_import -C primary.ctx -G aes -i aes.key -u key.pub -r key.priv
        tpm2_load -C primary.ctx -u key.pub -r key.priv -c key.ctx
        tpm2_encryptdecrypt -c key.ctx -o encrypted message
        openssl enc -d -aes-128-cfb -K {bytes(range(16)).hex()} -iv {"00" * 16} -in encrypted -out out
        cmp message out
        """)


@pytest.mark.parametrize("kind", ["rsa", "ecc"])
def test_a_key_is_loaded_from_outside_with_and_without_its_private_half(keyed, kind):
    keyed.play(f"""
        = tpm2_loadexternal -C n -G {kind} -r {kind}.pem -c key.ctx -n key.name
        same key.name
        tpm2_sign -c key.ctx -g sha256 -o signature message
        = tpm2_loadexternal -C o -G {kind} -u {kind}.public.pem -c public.ctx -n public.name
        same public.name
        tpm2_verifysignature -c public.ctx -g sha256 -m message -s signature
        ! tpm2_sign -c public.ctx -g sha256 -o signature message
        = tpm2_readpublic -c public.ctx -f pem -o read.pem
        same read.pem
        ! tpm2_loadexternal -C o -G {kind} -r {kind}.pem -c key.ctx
        """)


def test_a_key_is_duplicated_to_a_new_parent_under_its_policy_only(keyed):
    keyed.play(f"""
        tpm2_createprimary -C o -G rsa -c new.ctx
        tpm2_startauthsession -S s
        tpm2_policycommandcode -S s -L policy TPM2_CC_Duplicate
        tpm2_flushcontext s
        same policy
        tpm2_create -C primary.ctx -G ecc -L policy -a {DUPLICABLE} -u key.pub -r key.priv
        tpm2_load -C primary.ctx -u key.pub -r key.priv -c key.ctx
        ! tpm2_duplicate -C new.ctx -c key.ctx -G null -r dup.priv -s dup.seed
        """)
    for inner, given in (("-G null", ""), ("-G aes -o inner.key", "-k inner.key")):
        keyed.play(f"""
            tpm2_startauthsession --policy-session -S s
            tpm2_policycommandcode -S s TPM2_CC_Duplicate
            tpm2_duplicate -C new.ctx -c key.ctx {inner} -p session:s -r dup.priv -s dup.seed
            tpm2_flushcontext s
            ! tpm2_load -C new.ctx -u key.pub -r dup.priv -c moved.ctx
            tpm2_import -C new.ctx {given} -u key.pub -i dup.priv -r moved.priv -s dup.seed
            tpm2_load -C new.ctx -u key.pub -r moved.priv -c moved.ctx
            tpm2_sign -c moved.ctx -g sha256 -o signature message
            tpm2_verifysignature -c key.ctx -g sha256 -m message -s signature
            """)


def test_a_key_without_a_policy_of_its_own_is_never_duplicated(keyed):
    keyed.play("""
        tpm2_create -C primary.ctx -G ecc -u key.pub -r key.priv -c key.ctx
        tpm2_startauthsession --policy-session -S s
        tpm2_policycommandcode -S s TPM2_CC_Duplicate
        ! tpm2_duplicate -C primary.ctx -c key.ctx -G null -p session:s -r dup.priv -s dup.seed
        tpm2_flushcontext s
        """)


def test_objects_are_persistent_until_they_are_evicted(keyed):
    keyed.play("""
        = tpm2_evictcontrol -C o -c primary.ctx 0x81000001
        ! tpm2_evictcontrol -C o -c primary.ctx 0x81000001
        ! tpm2_evictcontrol -C o -c primary.ctx 0x81800000
        ~ tpm2_readpublic -c 0x81000001
        tpm2_create -C 0x81000001 -i secret -u sealed.pub -r sealed.priv
        = tpm2_getcap handles-persistent
        tpm2_shutdown -c
        tpm2_load -C 0x81000001 -u sealed.pub -r sealed.priv -c sealed.ctx
        = tpm2_unseal -c sealed.ctx
        = tpm2_evictcontrol -C o -c 0x81000001
        ! tpm2_readpublic -c 0x81000001
        = tpm2_getcap handles-persistent
        """)


def test_contexts_are_loaded_again_and_sessions_once(keyed):
    keyed.play("""
        tpm2_create -C primary.ctx -i secret -u sealed.pub -r sealed.priv -c sealed.ctx
        = tpm2_unseal -c sealed.ctx
        = tpm2_unseal -c sealed.ctx
        tpm2_startauthsession --hmac-session -S s
        cp s copy
        tpm2_unseal -c sealed.ctx -p session:s
        ! tpm2_unseal -c sealed.ctx -p session:copy
        = tpm2_getcap handles-loaded-session
        = tpm2_getcap handles-saved-session
        tpm2_flushcontext s
        = tpm2_getcap handles-saved-session
        """)


def test_what_was_cleared_is_gone_with_its_seed(keyed):
    keyed.play("""
        tpm2_evictcontrol -C o -c primary.ctx 0x81000001
        tpm2_create -C primary.ctx -i secret -u sealed.pub -r sealed.priv
        tpm2_nvdefine 0x1500016 -C o -s 8
        tpm2_clear
        = tpm2_getcap handles-persistent
        = tpm2_getcap handles-nv-index
        ! tpm2_load -C primary.ctx -u sealed.pub -r sealed.priv -c sealed.ctx
        tpm2_createprimary -C o -G ecc -c primary.ctx
        ! tpm2_load -C primary.ctx -u sealed.pub -r sealed.priv -c sealed.ctx
        tpm2_clearcontrol -C p s
        ! tpm2_clear
        tpm2_clearcontrol -C p c
        tpm2_clear -c p
        """)
