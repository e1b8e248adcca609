# SPDX-License-Identifier: Apache-2.0
"""tpm2-tools make policies on the emulated NitroTPM, and get the digests that they get from swtpm."""

import hashlib
import shutil

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.tpm_commands import CODES, SHA256, sized, u16, u32
from tests.tpm_tools import Tools

pytestmark = pytest.mark.slow
SHA256_HASH = hashes.SHA256()
INDEX = "0x01500001"
PREPARED = (
    f"tpm2_nvdefine {INDEX} -C o -s 34 -a ownerread|ownerwrite",
    f"tpm2_nvwrite {INDEX} -C o -i approved_policy",
    "tpm2_loadexternal -C o -G rsa -u key.pem -c key.ctx -n key.name",
    "tpm2_verifysignature -c key.ctx -g sha256 -m nothing -s signature_of_nothing -f rsassa -t ticket",
)
POLICIES = {
    "pcr": ("tpm2_policypcr -S s -l sha256:1,2+sha384:4 -L policy",),
    "value": ("tpm2_policyauthvalue -S s -L policy",),
    "password": ("tpm2_policypassword -S s -L policy",),
    "command": ("tpm2_policycommandcode -S s -L policy TPM2_CC_Unseal",),
    "locality": ("tpm2_policylocality -S s -L policy three",),
    "written": ("tpm2_policynvwritten -S s -L policy s",),
    "secret": ("tpm2_policysecret -S s -c e -L policy",),
    "cp hash": ("tpm2_policycphash -S s -L policy --cphash-input digest_with_size",),
    "name hash": ("tpm2_policynamehash -S s -L policy -n digest",),
    "template": ("tpm2_policytemplate -S s -L policy --template-hash digest",),
    "duplication": ("tpm2_policyduplicationselect -S s -L policy -N key.name -n key.name",),
    "time": ("tpm2_policycountertimer -S s -L policy --ult 100000",),
    "nv": (f"tpm2_policynv -S s -L policy -C o {INDEX} eq -i operand",),
    "approved in nv": ("tpm2_policyauthvalue -S s", f"tpm2_policyauthorizenv -S s -L policy -C o {INDEX}"),
    "signed": ("tpm2_policysigned -S s -L policy -c key.ctx -g sha256 -s signature_of_no_end -f rsassa -t 0",),
    "either": (
        "tpm2_policyauthvalue -S s -L one",
        "tpm2_policyor -S s -L policy sha256:one,digest",
    ),
    "approved": ("tpm2_policyauthorize -S s -L policy -i nothing -n key.name -t ticket",),
}
"""The commands that make each policy in the session `s`, from nothing."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A folder with what the tools read: digests, a key, and what it signed."""
    folder = tmp_path_factory.mktemp("tools")
    key = rsa.generate_private_key(65537, 2048)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    value = hashlib.sha256(bytes(32) + u32(CODES["PolicyAuthValue"])).digest()
    contents = {
        "digest": b"d" * 32,
        "digest_with_size": sized(b"d" * 32),
        "nothing": bytes(32),
        "operand": u16(SHA256),
        "approved_policy": u16(SHA256) + value,
        "key.pem": public,
        "signature_of_nothing": key.sign(bytes(32), PKCS1v15(), SHA256_HASH),
        "signature_of_no_end": key.sign(bytes(4), PKCS1v15(), SHA256_HASH),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


def digests(tools: Tools) -> dict[str, bytes]:
    """Make every policy, in a session that checks it, and return their digests."""
    found = {}
    for line in PREPARED:
        tools.succeed(line)
    for name, lines in POLICIES.items():
        tools.succeed("tpm2_startauthsession --policy-session -S s")
        for line in lines:
            tools.succeed(line)
        tools.succeed("tpm2_flushcontext s")
        found[name] = (tools.folder / "policy").read_bytes()
        (tools.folder / "policy").unlink()
    return found


def test_tools_get_the_same_digests_from_both(prepared, both):
    found = []
    for tools in (both.ours, both.theirs):
        shutil.copytree(prepared, tools.folder, dirs_exist_ok=True)
        found.append(digests(tools))
    assert found[0] == found[1]
    assert {len(digest) for digest in found[0].values()} == {32}
    assert len(set(found[0].values())) == len(POLICIES) - 1  # PolicyPassword is PolicyAuthValue
