# SPDX-License-Identifier: Apache-2.0
"""tpm2-tools meet the same rights on the emulated NitroTPM as on swtpm: of hierarchies, NV indices and sessions."""

import os

import pytest

pytestmark = pytest.mark.slow
AUTHORIZED = "ownerread|ownerwrite|authread|authwrite"
INDEX = "0x1500016"
PIECE, BIG = 1024, 8192
"""NV_BUFFER_MAX, and an index of the size that AWS's client defines."""


def test_hierarchies_have_passwords_policies_and_a_switch(both):
    both.play("""
        tpm2_changeauth -c o owner
        tpm2_changeauth -c e endorsement
        tpm2_changeauth -c l lockout
        ~ tpm2_getcap properties-variable
        ! tpm2_createprimary -C o -G ecc -c primary.ctx
        ! tpm2_createprimary -C o -P wrong -G ecc -c primary.ctx
        tpm2_createprimary -C o -P owner -G ecc -c primary.ctx
        ! tpm2_changeauth -c o another
        tpm2_changeauth -c o -p owner another
        ! tpm2_clear
        tpm2_startauthsession -S s
        tpm2_policycommandcode -S s -L policy TPM2_CC_EvictControl
        tpm2_flushcontext s
        tpm2_setprimarypolicy -C o -P another -L policy -g sha256
        tpm2_startauthsession --policy-session -S s
        tpm2_policycommandcode -S s TPM2_CC_EvictControl
        tpm2_evictcontrol -C o -P session:s -c primary.ctx 0x81000001
        ! tpm2_nvdefine 0x1500016 -C o -P session:s -s 8
        tpm2_flushcontext s
        tpm2_hierarchycontrol -C p shEnable clear
        ! tpm2_createprimary -C o -P another -G ecc -c primary.ctx
        ! tpm2_readpublic -c 0x81000001
        ~ tpm2_getcap properties-variable
        tpm2_hierarchycontrol -C p shEnable set
        ~ tpm2_readpublic -c 0x81000001
        # the one wrong guess of the lockout authority was too many
        ! tpm2_clear lockout
        tpm2_clear -c p
        ~ tpm2_getcap properties-variable
        tpm2_createprimary -C o -G ecc -c primary.ctx
        """)


def test_seeds_are_changed_and_what_came_of_them_is_gone(both):
    both.write("secret", b"secret")
    both.play("""
        tpm2_createprimary -C e -G ecc -c primary.ctx
        tpm2_create -C primary.ctx -i secret -u sealed.pub -r sealed.priv
        tpm2_changeeps
        ! tpm2_load -C primary.ctx -u sealed.pub -r sealed.priv -c sealed.ctx
        tpm2_createprimary -C e -G ecc -c primary.ctx
        ! tpm2_load -C primary.ctx -u sealed.pub -r sealed.priv -c sealed.ctx
        tpm2_changepps
        """)


def test_an_nv_index_is_what_it_was_defined_as(both):
    both.write("data", b"some data")
    both.play(f"""
        ~ tpm2_nvdefine {INDEX} -C o -s 16 -g sha384 -a {AUTHORIZED} -p password
        = tpm2_nvreadpublic {INDEX}
        ! tpm2_nvread {INDEX} -C o -s 4
        tpm2_nvwrite {INDEX} -C o -i data
        = tpm2_nvreadpublic {INDEX}
        tpm2_nvwrite {INDEX} -P password -i data --offset 7
        ! tpm2_nvwrite {INDEX} -P password -i data --offset 8
        tpm2_nvread {INDEX} -P password -o read
        same read
        ! tpm2_nvread {INDEX} -P wrong -s 4
        ! tpm2_nvdefine {INDEX} -C o -s 16
        = tpm2_getcap handles-nv-index
        tpm2_nvundefine {INDEX} -C o
        = tpm2_getcap handles-nv-index
        """)


def test_nv_indices_count_set_bits_are_extended_and_locked(both):
    both.write("data", b"some data")
    both.write("policy", bytes(32))
    both.play(f"""
        tpm2_nvdefine 0x1500001 -C o -a {AUTHORIZED}|nt=counter
        tpm2_nvincrement 0x1500001 -C o
        tpm2_nvincrement 0x1500001 -C o
        = tpm2_nvread 0x1500001 -C o
        ! tpm2_nvwrite 0x1500001 -C o -i data
        tpm2_nvdefine 0x1500002 -C o -a {AUTHORIZED}|nt=bits
        tpm2_nvsetbits 0x1500002 -C o -i 0xA0
        tpm2_nvread 0x1500002 -C o -o bits
        same bits
        tpm2_nvdefine 0x1500003 -C o -g sha384 -a {AUTHORIZED}|nt=extend
        tpm2_nvextend 0x1500003 -C o -i data
        tpm2_nvread 0x1500003 -C o -o extended
        same extended
        = tpm2_nvreadpublic
        tpm2_nvdefine 0x1500004 -C o -s 9 -a {AUTHORIZED}|read_stclear|write_stclear
        tpm2_nvwrite 0x1500004 -C o -i data
        tpm2_nvwritelock 0x1500004 -C o
        ! tpm2_nvwrite 0x1500004 -C o -i data
        tpm2_nvreadlock 0x1500004 -C o
        ! tpm2_nvread 0x1500004 -C o
        = tpm2_nvreadpublic 0x1500004
        """)


def test_an_index_of_8192_bytes_is_written_and_read(both):
    """Only here: swtpm's indices end at 2048 bytes, and the tools write files of no more."""
    tools, data = both.ours, os.urandom(BIG)
    (tools.folder / "data").write_bytes(data)
    tools.succeed(f"tpm2_nvdefine {INDEX} -C o -s {BIG} -g sha512 -a authread|authwrite -p password")
    for offset in range(0, BIG, PIECE):
        (tools.folder / "piece").write_bytes(data[offset : offset + PIECE])
        tools.succeed(f"tpm2_nvwrite {INDEX} -P password -i piece --offset {offset}")
    tools.succeed(f"tpm2_nvread {INDEX} -P password -s {BIG} -o read")
    assert (tools.folder / "read").read_bytes() == data
    assert f"size: {BIG}" in tools.succeed(f"tpm2_nvreadpublic {INDEX}")
    assert both.theirs.run(f"tpm2_nvdefine {INDEX} -C o -s {BIG}").code != 0


def test_guessing_locks_out_until_the_lockout_is_cleared(both):
    both.write("secret", b"secret")
    both.play("""
        tpm2_dictionarylockout --setup-parameters -n 3 -t 1000 -l 1000
        tpm2_createprimary -C o -G ecc -c primary.ctx
        tpm2_create -C primary.ctx -i secret -u sealed.pub -r sealed.priv -p right
        tpm2_load -C primary.ctx -u sealed.pub -r sealed.priv -c sealed.ctx
        ! tpm2_unseal -c sealed.ctx -p wrong
        ! tpm2_unseal -c sealed.ctx -p wrong
        = tpm2_unseal -c sealed.ctx -p right
        ~ tpm2_getcap properties-variable
        ! tpm2_unseal -c sealed.ctx -p wrong
        ! tpm2_unseal -c sealed.ctx -p right
        ~ tpm2_getcap properties-variable
        tpm2_dictionarylockout --clear-lockout
        = tpm2_unseal -c sealed.ctx -p right
        ~ tpm2_getcap properties-variable
        """)


@pytest.mark.parametrize("key", ["ecc", "rsa"])
def test_salted_sessions_encrypt_what_goes_in_and_comes_out(both, key):
    both.write("secret", b"secret")
    both.play(f"""
        tpm2_createprimary -C o -G {key} -c primary.ctx
        tpm2_startauthsession --hmac-session -c primary.ctx -S s
        tpm2_sessionconfig s --enable-decrypt --enable-encrypt
        tpm2_create -C primary.ctx -i secret -u sealed.pub -r sealed.priv -p right -P session:s
        tpm2_load -C primary.ctx -u sealed.pub -r sealed.priv -c sealed.ctx
        = tpm2_unseal -c sealed.ctx -p session:s+right
        ! tpm2_unseal -c sealed.ctx -p session:s+wrong
        = tpm2_unseal -c sealed.ctx -p right -S s
        tpm2_getrandom 8 -S s
        tpm2_flushcontext s
        """)
