# SPDX-License-Identifier: Apache-2.0
"""What tpm2-tools miss in the emulated NitroTPM is what docs/twin.md says, and is refused as not there."""

import re
from pathlib import Path

import pytest
from tests.tpm_commands import CODES
from tests.tpm_tools import Tools

pytestmark = pytest.mark.slow
DOCUMENT = (Path(__file__).parents[2] / "docs/twin.md").read_text()
COMMAND_CODE, ATTRIBUTES_OF_SESSION_1, CURVE_OF_PARAMETER_2 = 0x143, 0x982, 0x2E6
VENDOR_INDEX = 1
"""AWS's command, 0x20000001, without the bit that makes it a vendor's."""
LEFT_OUT = {
    "CertifyX509",
    "Commit",
    "EC_Ephemeral",
    "GetCommandAuditDigest",
    "GetSessionAuditDigest",
    "PCR_SetAuthPolicy",
    "PCR_SetAuthValue",
    "PP_Commands",
    "PolicyPhysicalPresence",
    "SetAlgorithmSet",
    "SetCommandCodeAuditStatus",
    "ZGen_2Phase",
}
KEYS = """
tpm2_createek -c ek.ctx -G ecc -u ek.pub
tpm2_createak -C ek.ctx -c ak.ctx -G ecc -g sha256 -s ecdsa
tpm2_createprimary -C o -G ecc -c primary.ctx
tpm2_startauthsession --hmac-session -S session
"""
REFUSED = {
    "tpm2_getcommandauditdigest -c ak.ctx -g sha256 -s signature -m attest": COMMAND_CODE,
    "tpm2_getsessionauditdigest -c ak.ctx -g sha256 -S session -s signature -m attest": COMMAND_CODE,
    "tpm2_setcommandauditstatus TPM2_CC_GetRandom": COMMAND_CODE,
    "tpm2_commit -c ak.ctx -u point": COMMAND_CODE,
    "tpm2_ecephemeral -u point -t counter ecc256": COMMAND_CODE,
    "tpm2_create -C primary.ctx -G ecc521 -u key.pub -r key.priv": CURVE_OF_PARAMETER_2,
    "tpm2_getrandom 8 -S session": ATTRIBUTES_OF_SESSION_1,
}


def commands(tools: Tools) -> set[int]:
    """Every command that a TPM says it has, without the attributes."""
    listed = tools.succeed("tpm2_getcap commands")
    return {int(index, 16) for index in re.findall(r"commandIndex: +(0x[0-9a-fA-F]+)", listed)}


def test_it_has_every_command_of_swtpm_but_those_that_the_documentation_names(both):
    ours, theirs = commands(both.ours), commands(both.theirs)
    assert ours - theirs == {VENDOR_INDEX}
    assert theirs - ours == {CODES[name] for name in LEFT_OUT}
    assert {name for name in LEFT_OUT if name not in DOCUMENT} == set()


def test_what_is_left_out_is_refused_by_name(both):
    for line in KEYS.strip().splitlines():
        both.ours.succeed(line)
    both.ours.succeed("tpm2_sessionconfig session --enable-audit")
    assert {line: both.ours.run(line).response_codes for line in REFUSED} == {
        line: {code} for line, code in REFUSED.items()
    }
