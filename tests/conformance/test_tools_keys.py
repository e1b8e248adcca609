# SPDX-License-Identifier: Apache-2.0
"""tpm2-tools make, use, move and keep keys on the emulated NitroTPM as on swtpm."""

import pytest

pytestmark = pytest.mark.slow
SECRET = b"a secret that is sealed"
MESSAGE = b"a message to sign"
KINDS = (
    *("rsa2048", "ecc256", "ecc384", "aes128cfb", "aes256", "hmac"),
    *("rsa2048:rsapss:null", "ecc256:ecdsa-sha256:null"),
)
"""As tpm2_create names them."""


@pytest.fixture
def keyed(both):
    """Both TPMs with a primary key, and a message, a secret and more than one block of data beside it."""
    both.write("secret", SECRET)
    both.write("message", MESSAGE)
    both.write("data", bytes(range(256)) * 9)
    both.play("tpm2_createprimary -C o -G ecc -c primary.ctx")
    return both


def test_templates_give_the_same_public_areas_but_for_the_key(both):
    for hierarchy in "oepn":
        both.play(f"~ tpm2_createprimary -C {hierarchy} -G ecc -c primary.ctx")
    both.play("~ tpm2_createprimary -C o -G rsa -c rsa.ctx")
    both.play("tpm2_createprimary -C o -G ecc -c primary.ctx")
    for kind in (
        "rsa2048",
        "ecc256",
        "ecc384",
        "aes128cfb",
        "aes256",
        "hmac",
        "rsa2048:rsapss:null",
        "ecc256:ecdsa-sha256:null",
    ):
        both.play(f"~ tpm2_create -C primary.ctx -G {kind} -u public -r private")


def test_a_primary_key_is_the_same_again_under_one_seed(both):
    for tools in (both.ours, both.theirs):
        for name in ("one", "two"):
            tools.succeed(f"tpm2_createprimary -C o -G ecc -c {name}.ctx")
            tools.succeed(f"tpm2_readpublic -c {name}.ctx -n {name}.name")
        tools.succeed("cmp one.name two.name")


def test_a_secret_is_unsealed_in_the_state_of_the_pcrs_that_it_was_sealed_to(keyed):
    keyed.play(f"""
        tpm2_pcrextend 4:sha384={"04" * 48}
        tpm2_createpolicy --policy-pcr -l sha384:2,4,7 -L policy
        same policy
        tpm2_create -C primary.ctx -i secret -L policy -u sealed.pub -r sealed.priv
        tpm2_load -C primary.ctx -u sealed.pub -r sealed.priv -c sealed.ctx
        tpm2_unseal -c sealed.ctx -p pcr:sha384:2,4,7 -o out
        cmp secret out
        ! tpm2_unseal -c sealed.ctx -p pcr:sha384:4
        ! tpm2_unseal -c sealed.ctx -p pcr:sha256:2,4,7
        tpm2_pcrextend 7:sha384={"07" * 48}
        ! tpm2_unseal -c sealed.ctx -p pcr:sha384:2,4,7
        """)


def test_a_secret_is_unsealed_with_its_password_until_that_changes(keyed):
    keyed.play("""
        tpm2_create -C primary.ctx -i secret -u sealed.pub -r sealed.priv -p old
        tpm2_load -C primary.ctx -u sealed.pub -r sealed.priv -c sealed.ctx
        tpm2_unseal -c sealed.ctx -p old -o out
        cmp secret out
        ! tpm2_unseal -c sealed.ctx -p older
        tpm2_changeauth -C primary.ctx -c sealed.ctx -p old -r changed.priv new
        tpm2_load -C primary.ctx -u sealed.pub -r changed.priv -c changed.ctx
        tpm2_unseal -c changed.ctx -p new -o out
        cmp secret out
        ! tpm2_unseal -c changed.ctx -p old
        """)


def test_what_was_sealed_is_bound_to_its_parent_and_unchanged(keyed):
    keyed.play("""
        tpm2_createprimary -C o -G rsa -c other.ctx
        tpm2_create -C primary.ctx -i secret -u sealed.pub -r sealed.priv
        tpm2_create -C primary.ctx -i secret -u second.pub -r second.priv -p password
        ! tpm2_load -C other.ctx -u sealed.pub -r sealed.priv -c sealed.ctx
        ! tpm2_load -C primary.ctx -u sealed.pub -r second.priv -c sealed.ctx
        """)


SIGNERS = {
    "rsa2048": (("rsassa", "sha256"), ("rsapss", "sha384"), ("rsassa", "sha512")),
    "ecc256": (("ecdsa", "sha256"),),
    "ecc384": (("ecdsa", "sha384"),),
}


@pytest.mark.parametrize("kind", SIGNERS)
def test_what_was_signed_is_verified_by_the_tpm_and_by_openssl(keyed, kind):
    keyed.write("another", b"another message")
    keyed.play(f"""
        tpm2_create -C primary.ctx -G {kind} -u key.pub -r key.priv -c key.ctx
        tpm2_readpublic -c key.ctx -f pem -o key.pem
        """)
    for scheme, digest in SIGNERS[kind]:
        padding = "-sigopt rsa_padding_mode:pss" if scheme == "rsapss" else ""
        keyed.play(f"""
            tpm2_sign -c key.ctx -g {digest} -s {scheme} -o signature message
            tpm2_verifysignature -c key.ctx -g {digest} -m message -s signature -t ticket
            ! tpm2_verifysignature -c key.ctx -g {digest} -m another -s signature
            tpm2_sign -c key.ctx -g {digest} -s {scheme} -f plain -o plain message
            = openssl dgst -{digest} -verify key.pem {padding} -signature plain message
            """)


def test_a_restricted_key_signs_no_digest_that_the_tpm_did_not_make(keyed):
    keyed.play("""
        tpm2_create -C primary.ctx -G ecc:ecdsa-sha256:null -u key.pub -r key.priv -c key.ctx \
-a fixedtpm|fixedparent|sensitivedataorigin|userwithauth|restricted|sign
        tpm2_hash -C o -g sha256 -o digest -t ticket message
        tpm2_sign -c key.ctx -g sha256 -d -t ticket -o signature digest
        tpm2_verifysignature -c key.ctx -g sha256 -m message -s signature
        ! tpm2_sign -c key.ctx -g sha256 -d -o signature digest
        """)


def test_data_are_encrypted_with_rsa_aes_and_hmac_keys_and_shared_secrets(keyed):
    keyed.play("""
        tpm2_create -C primary.ctx -G rsa2048 -u rsa.pub -r rsa.priv -c rsa.ctx
        tpm2_rsaencrypt -c rsa.ctx -o encrypted -s oaep secret
        tpm2_rsadecrypt -c rsa.ctx -o out -s oaep encrypted
        cmp secret out
        tpm2_rsaencrypt -c rsa.ctx -o encrypted -s rsaes secret
        tpm2_rsadecrypt -c rsa.ctx -o out -s rsaes encrypted
        cmp secret out
        ! tpm2_rsadecrypt -c rsa.ctx -s oaep encrypted
        tpm2_create -C primary.ctx -G aes128cfb -u cfb.pub -r cfb.priv -c cfb.ctx
        tpm2_encryptdecrypt -c cfb.ctx -o encrypted data
        ! cmp data encrypted
        tpm2_encryptdecrypt -c cfb.ctx -d -o out encrypted
        cmp data out
        tpm2_create -C primary.ctx -G aes256 -u any.pub -r any.priv -c any.ctx
        tpm2_encryptdecrypt -c any.ctx -G cbc -o encrypted data
        tpm2_encryptdecrypt -c any.ctx -G cbc -d -o out encrypted
        cmp data out
        tpm2_create -C primary.ctx -G hmac -u hmac.pub -r hmac.priv -c hmac.ctx
        tpm2_hmac -c hmac.ctx -o mac data
        tpm2_create -C primary.ctx -G ecc256 -u ecc.pub -r ecc.priv -c ecc.ctx
        tpm2_ecdhkeygen -c ecc.ctx -u point -o one
        tpm2_ecdhzgen -c ecc.ctx -u point -o two
        cmp one two
        """)
