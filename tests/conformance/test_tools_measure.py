# SPDX-License-Identifier: Apache-2.0
"""tpm2-tools measure, hash and quote on the emulated NitroTPM as on swtpm, and check what it signed."""

import hashlib

import pytest

pytestmark = pytest.mark.slow
DATA = b"what is measured " * 200
"""More than TPM2_PCR_Event and TPM2_Hash take at once: the tools send it as a sequence."""


def test_pcrs_are_read_extended_and_reset(both):
    both.write("data", DATA)
    both.play(f"""
        = tpm2_pcrread
        tpm2_pcrextend 4:sha1={"01" * 20},sha256={"02" * 32},sha384={"03" * 48},sha512={"04" * 64}
        tpm2_pcrextend 4:sha384={"05" * 48} 7:sha384={"06" * 48}
        = tpm2_pcrevent 16 data
        = tpm2_pcrread -o values
        same values
        = tpm2_pcrread sha384:4,7,16+sha512:4
        tpm2_pcrreset 16 23
        = tpm2_pcrread sha1:16+sha256:16+sha384:16+sha512:16
        ! tpm2_pcrreset 4
        ! tpm2_pcrextend 17:sha256={"00" * 32}
        ! tpm2_pcrextend 24:sha256={"00" * 32}
        = tpm2_getcap pcrs
        = tpm2_getcap handles-pcr
        """)
    assert (both.ours.folder / "values").read_bytes().startswith(bytes(20))


def test_banks_are_chosen_for_the_next_start_and_stay_until_then(both):
    both.play("""
        = tpm2_pcrallocate sha384:all+sha1:none+sha256:none+sha512:none
        = tpm2_getcap pcrs
        """)


def test_data_are_hashed_however_long_they_are(both):
    both.write("short", b"short")
    both.write("long", DATA)
    both.play("""
        tpm2_hash -C o -g sha1 -o digest1 -t ticket short
        tpm2_hash -C e -g sha256 -o digest256 -t ticket short
        tpm2_hash -C n -g sha384 -o digest384 long
        tpm2_hash -C o -g sha512 -o digest512 -t ticket long
        same digest1 digest256 digest384 digest512
        = tpm2_hash -C o -g sha256 --hex long
        """)
    assert (both.ours.folder / "digest384").read_bytes() == hashlib.sha384(DATA).digest()


def test_random_bytes_come_in_the_number_that_was_asked_for(both):
    both.write("stir", b"some entropy")
    both.play("""
        ~ tpm2_getrandom --hex 32
        tpm2_getrandom -o random 20
        tpm2_stirrandom stir
        """)
    assert len((both.ours.folder / "random").read_bytes()) == 20


def test_it_tests_itself_and_says_what_it_can(both):
    both.play("""
        tpm2_selftest -f
        tpm2_incrementalselftest sha256 rsa ecc
        = tpm2_gettestresult
        = tpm2_testparms rsa2048
        = tpm2_testparms ecc256:ecdsa:null
        = tpm2_testparms aes128cfb
        = tpm2_getcap handles-persistent
        = tpm2_getcap handles-transient
        = tpm2_getcap handles-nv-index
        tpm2_getcap algorithms
        tpm2_getcap commands
        tpm2_getcap properties-fixed
        ~ tpm2_getcap properties-variable
        tpm2_getcap ecc-curves
        = tpm2_geteccparameters ecc256 -o p256
        = tpm2_geteccparameters ecc384 -o p384
        same p256 p384
        """)


def test_the_clock_is_read_and_set(both):
    both.play("""
        tpm2_readclock
        tpm2_setclock 7200000
        ! tpm2_setclock 1
        tpm2_clockrateadjust s
        """)
    assert "clock: 72" in both.ours.succeed("tpm2_readclock")


def test_a_quote_is_checked_by_tpm2_checkquote_and_a_changed_one_refused(both):
    both.play(f"""
        tpm2_pcrextend 4:sha384={"03" * 48} 7:sha256={"06" * 32}
        tpm2_createek -c ek.ctx -G rsa -u ek.pub
        tpm2_createak -C ek.ctx -c rsa.ctx -G rsa -g sha256 -s rsassa -u rsa.pem -f pem -n rsa.name
        tpm2_createak -C ek.ctx -c ecc.ctx -G ecc -g sha384 -s ecdsa -u ecc.pem -f pem -n ecc.name
        """)
    for key, digest in (("rsa", "sha256"), ("ecc", "sha384")):
        both.play(f"""
            tpm2_quote -c {key}.ctx -l sha384:0,4,7+sha256:7 -q abcd -m message -s signature -o pcrs -g {digest}
            tpm2_checkquote -u {key}.pem -m message -s signature -f pcrs -g {digest} -q abcd
            ! tpm2_checkquote -u {key}.pem -m message -s signature -f pcrs -g {digest} -q abce
            ~ tpm2_print -t TPMS_ATTEST message
            """)
    both.play(f"""
        tpm2_pcrextend 4:sha384={"03" * 48}
        tpm2_quote -c rsa.ctx -l sha384:0,4,7+sha256:7 -q abcd -m message -s signature -o later -g sha256
        ! tpm2_checkquote -u rsa.pem -m message -s signature -f pcrs -g sha256 -q abcd
        ! tpm2_quote -c rsa.ctx -l sha384:4 -q abcd -m message -s signature -g sha1
        """)
