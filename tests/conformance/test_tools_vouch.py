# SPDX-License-Identifier: Apache-2.0
"""tpm2-tools let keys of the emulated NitroTPM vouch for others, as on swtpm: credentials and certificates."""

import pytest

pytestmark = pytest.mark.slow
ENDORSED = "tpm2_startauthsession --policy-session -S s\ntpm2_policysecret -S s -c e"
"""A session that may use an endorsement key."""


@pytest.fixture(params=["rsa", "ecc"])
def endorsed(request, both):
    """Both TPMs with an endorsement key that is persistent, and an attestation key under it."""
    both.write("credential", b"16 bytes or less")
    both.write("nonce", b"a nonce")
    both.play(f"""
        tpm2_createek -c 0x81010001 -G {request.param} -u ek.pub
        ~ tpm2_readpublic -c 0x81010001
        tpm2_createak -C 0x81010001 -c ak.ctx -G ecc -g sha256 -s ecdsa -u ak.pem -f pem -n ak.name
        ~ tpm2_readpublic -c ak.ctx
        tpm2_createprimary -C o -G ecc -c primary.ctx
        """)
    return both


def sealed_to_the_ak(both, options: str) -> None:
    """Make a credential for each TPM's attestation key, whose name is its own."""
    for tools in (both.ours, both.theirs):
        name = (tools.folder / "ak.name").read_bytes().hex()
        tools.succeed(f"tpm2_makecredential {options} -s credential -n {name} -o sealed")


@pytest.mark.parametrize("where", ["-u ek.pub", "-T none -u ek.pub"])
def test_a_credential_is_for_the_key_that_it_names_whoever_made_it(endorsed, where):
    sealed_to_the_ak(endorsed, where)
    endorsed.play(f"""
        {ENDORSED}
        tpm2_activatecredential -c ak.ctx -C 0x81010001 -i sealed -o out -P session:s
        tpm2_flushcontext s
        cmp credential out
        tpm2_createak -C 0x81010001 -c other.ctx -G ecc -g sha256 -s ecdsa
        {ENDORSED}
        ! tpm2_activatecredential -c other.ctx -C 0x81010001 -i sealed -P session:s
        tpm2_flushcontext s
        ! tpm2_activatecredential -c ak.ctx -C 0x81010001 -i sealed
        """)


def test_a_key_is_certified_with_where_it_comes_from(endorsed):
    endorsed.play("""
        tpm2_create -C primary.ctx -G ecc -u key.pub -r key.priv -c key.ctx
        tpm2_certify -c key.ctx -C ak.ctx -g sha256 -o attest -s signature -f plain
        = openssl dgst -sha256 -verify ak.pem -signature signature attest
        tpm2_createprimary -C o -G ecc -c made.ctx --creation-data data --creation-hash hash -t ticket
        tpm2_certifycreation -C ak.ctx -c made.ctx -d hash -t ticket -g sha256 -f plain -o sig --attestation attest
        = openssl dgst -sha256 -verify ak.pem -signature sig attest
        ! tpm2_certifycreation -C ak.ctx -c key.ctx -d hash -t ticket -g sha256 -o sig --attestation attest
        ! tpm2_certify -c key.ctx -C primary.ctx -g sha256 -o attest -s signature
        """)


def test_time_and_nv_contents_are_certified(endorsed):
    endorsed.play("""
        tpm2_gettime -c ak.ctx -g sha256 -q abcd -f plain -o signature --attestation attest
        = openssl dgst -sha256 -verify ak.pem -signature signature attest
        tpm2_nvdefine 0x1500016 -C o -s 7 -a ownerread|ownerwrite|authread|authwrite
        tpm2_nvwrite 0x1500016 -C o -i nonce
        tpm2_nvcertify -C ak.ctx -c o -g sha256 -f plain -o signature --attestation attest --size 7 0x1500016
        = openssl dgst -sha256 -verify ak.pem -signature signature attest
        """)
    assert b"a nonce" in (endorsed.ours.folder / "attest").read_bytes()
