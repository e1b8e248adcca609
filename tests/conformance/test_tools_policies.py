# SPDX-License-Identifier: Apache-2.0
"""tpm2-tools use what is under a policy on the emulated NitroTPM as on swtpm: when it is met, and when not.

That both TPMs give a policy the same digest is told in test_tpm_policy_tools.py.
"""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

pytestmark = pytest.mark.slow
SECONDS = 3600
INDEX = "0x1500016"
PCR_POLICY = "tpm2_policypcr -S s -l sha384:4,7"
UNSEAL = "tpm2_unseal -c sealed.ctx -p session:s"
APPROVED = f"""
    {PCR_POLICY} -L measured
    tpm2_policyauthorize -S s -i measured -n key.name -t ticket -L policy
    """


@pytest.fixture
def signer():
    """A vendor's key, which no TPM knows the private half of."""
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def prepared(both, signer):
    """Both TPMs with a primary key, the vendor's public key, and a secret to seal."""
    both.write("secret", b"a secret")
    both.write("key.pem", signer.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    both.play(f"""
        tpm2_pcrextend 4:sha384={"04" * 48}
        tpm2_createprimary -C o -G ecc -c primary.ctx
        = tpm2_loadexternal -C o -G rsa -u key.pem -c key.ctx -n key.name
        """)
    return both


def seal(both, policy: str) -> None:
    """Seal the secret to the policy that a trial session comes to."""
    both.play(f"""
        tpm2_startauthsession -S s
        {policy}
        tpm2_flushcontext s
        same policy
        tpm2_create -C primary.ctx -i secret -L policy -u sealed.pub -r sealed.priv
        tpm2_load -C primary.ctx -u sealed.pub -r sealed.priv -c sealed.ctx
        """)


def in_session(both, script: str) -> None:
    both.play(f"""
        tpm2_startauthsession --policy-session -S s
        {script}
        tpm2_flushcontext s
        """)


def sign(both, signer, content: bytes, name: str) -> None:
    both.write(name, signer.sign(content, PKCS1v15(), hashes.SHA256()))


def test_a_state_that_the_signer_approves_later_unseals_and_another_does_not(prepared, signer):
    prepared.write("nothing", bytes(32))
    sign(prepared, signer, bytes(32), "signature")
    prepared.play("tpm2_verifysignature -c key.ctx -g sha256 -m nothing -s signature -f rsassa -t ticket")
    seal(prepared, "tpm2_policyauthorize -S s -i nothing -n key.name -t ticket -L policy")
    prepared.play("tpm2_createpolicy --policy-pcr -l sha384:4,7 -L measured\nsame measured")
    sign(prepared, signer, (prepared.ours.folder / "measured").read_bytes(), "approval")
    prepared.play("tpm2_verifysignature -c key.ctx -g sha256 -m measured -s approval -f rsassa -t ticket")
    in_session(prepared, f"{APPROVED}\n= {UNSEAL}")
    prepared.play(f"tpm2_pcrextend 7:sha384={'07' * 48}")
    in_session(prepared, f"{PCR_POLICY}\n! tpm2_policyauthorize -S s -i measured -n key.name -t ticket\n! {UNSEAL}")


def test_a_signature_and_the_ticket_made_of_it_unseal(prepared, signer):
    prepared.write("other", (SECONDS * 2000).to_bytes(8))
    signed = "tpm2_policysigned -S s -c key.ctx -g sha256 -s signature -f rsassa"
    sign(prepared, signer, bytes(4), "signature")
    seal(prepared, f"{signed} -t 0 -L policy")
    in_session(prepared, f"{signed} -t 0\n= {UNSEAL}")
    sign(prepared, signer, (-SECONDS).to_bytes(4, signed=True), "signature")
    in_session(prepared, f"! {signed} -t 0\n! {UNSEAL}")
    # negative: it makes a ticket, good for that long
    in_session(prepared, f"{signed} -t -{SECONDS} --ticket ticket --timeout timeout\n= {UNSEAL}")
    in_session(prepared, f"tpm2_policyticket -S s -n key.name --ticket ticket --timeout timeout\n= {UNSEAL}")
    in_session(prepared, f"! tpm2_policyticket -S s -n key.name --ticket ticket --timeout other\n! {UNSEAL}")


def test_whoever_knows_the_password_of_another_entity_unseals(prepared):
    prepared.play("tpm2_changeauth -c e password")
    seal(prepared, "tpm2_policysecret -S s -c e -L policy password")
    in_session(prepared, f"tpm2_policysecret -S s -c e password\n= {UNSEAL}")
    in_session(prepared, f"! tpm2_policysecret -S s -c e guess\n! {UNSEAL}")


def test_either_branch_of_a_policy_will_do_and_a_restart_forgets_them(prepared):
    seal(
        prepared,
        f"""
        {PCR_POLICY} -L one
        tpm2_policyrestart -S s
        tpm2_policyauthvalue -S s -L two
        tpm2_policyor -S s -L policy sha256:one,two
        """,
    )
    either = "tpm2_policyor -S s sha256:one,two"
    in_session(prepared, f"{PCR_POLICY}\n{either}\n= {UNSEAL}")
    in_session(prepared, f"tpm2_policyauthvalue -S s\n{either}\n= {UNSEAL}")
    in_session(prepared, f"! {either}\n{PCR_POLICY}\n{either}\ntpm2_policyrestart -S s\n! {UNSEAL}")
    in_session(prepared, f"{PCR_POLICY}\ntpm2_getpolicydigest -S s -o now\ncmp one now")


def test_what_an_nv_index_says_decides(prepared):
    prepared.write("version", b"\5")
    prepared.write("lowest", b"\4")
    prepared.write("next", b"\3")
    prepared.play(f"""
        tpm2_nvdefine {INDEX} -C o -s 1 -a ownerread|ownerwrite
        tpm2_nvwrite {INDEX} -C o -i version
        """)
    at_least = f"tpm2_policynv -S s -C o {INDEX} uge -i lowest"
    seal(prepared, f"{at_least} -L policy")
    in_session(prepared, f"{at_least}\n= {UNSEAL}")
    prepared.play(f"tpm2_nvwrite {INDEX} -C o -i next")
    in_session(prepared, f"! {at_least}\n! {UNSEAL}")


def test_a_policy_is_for_one_command_and_one_locality(prepared):
    seal(prepared, "tpm2_policycommandcode -S s TPM2_CC_Unseal\ntpm2_policylocality -S s zero -L policy")
    in_session(prepared, f"tpm2_policycommandcode -S s TPM2_CC_Unseal\ntpm2_policylocality -S s zero\n= {UNSEAL}")
    in_session(prepared, f"tpm2_policycommandcode -S s TPM2_CC_Sign\ntpm2_policylocality -S s zero\n! {UNSEAL}")
    seal(prepared, "tpm2_policylocality -S s three -L policy")
    in_session(prepared, f"tpm2_policylocality -S s three\n! {UNSEAL}")
