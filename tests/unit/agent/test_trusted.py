# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest

from strongroom.agent.trusted import read_trust, verify_trust
from strongroom.appraisal.endorsements import NitroRoots, amazon_tls_roots
from strongroom.appraisal.identity_certificates import aws_identity_certificates
from strongroom.crypto.certificates import parse_pem_certificates
from strongroom.errors import FormatError, LocalFault, NotAuthentic, NotTrusted
from strongroom.formats.partition import Profile
from strongroom.formats.trust import Tls, encode_trust
from strongroom.ids import CertificateDer, KeyId, Region

REGION = Region("eu-central-1")


@pytest.fixture
def aws_root():
    from importlib import resources

    file = resources.files("strongroom").joinpath("data", "aws-nitro-root-g1.pem")
    return parse_pem_certificates(file.read_bytes())


def test_a_trust_file_becomes_what_the_agent_takes(world):
    trust = world.trust()
    assert trust.bundles.product == "acme"
    assert trust.bundles.floors == {"db-password": 2}
    assert trust.bundles.key_accounts == {"111111111111"}
    assert trust.bundles.partition == "aws"
    assert trust.bundles.signers == world.trust_file().signers


def test_a_trust_file_is_read_from_disk(world, tmp_path):
    (tmp_path / "trust.json").write_bytes(encode_trust(world.trust_file()))
    assert read_trust(tmp_path / "trust.json") == world.trust()


def test_a_missing_trust_file_stops_the_agent(tmp_path):
    with pytest.raises(LocalFault, match="expected a file"):
        read_trust(tmp_path / "trust.json")


def test_a_key_id_of_another_key_is_refused(world):
    signer = replace(world.trust_file().signers[0], key_id=KeyId(bytes(32)))
    with pytest.raises(NotAuthentic) as caught:
        world.trust(signers=(signer,))
    assert caught.value.code == "trust.key-id"


def test_a_certificate_that_is_none_is_refused(world):
    rubbish = CertificateDer(b"rubbish")
    for change in (
        {"tls": Tls(roots=(rubbish,), kms={})},
        {"identity_certificates": {"eu-central-1": rubbish}},
        {"nitro_roots": (rubbish,)},
    ):
        with pytest.raises(FormatError) as caught:
            world.trust(**change)
        assert caught.value.code == "certificate.unreadable"


@pytest.mark.attack("K15")
def test_a_production_image_refuses_the_root_of_a_twin(world):
    with pytest.raises(NotTrusted) as caught:
        production(world, (world.pki.root,))
    assert caught.value.code == "trust.root-not-aws"


@pytest.mark.attack("K15")
def test_a_production_image_refuses_the_root_of_a_twin_beside_that_of_aws(world, aws_root):
    with pytest.raises(NotTrusted) as caught:
        production(world, (*aws_root, world.pki.root))
    assert caught.value.code == "trust.root-not-aws"


def production(world, aws_root, **changes):
    aws = {
        "profile": Profile.PRODUCTION,
        "nitro_roots": aws_root,
        "tls": Tls(roots=amazon_tls_roots(), kms={}),
        "identity_certificates": {REGION: aws_identity_certificates()[REGION]},
    }
    return world.trust(**(aws | changes))


def test_a_production_image_takes_what_is_of_aws(world, aws_root):
    assert production(world, aws_root).nitro_roots == NitroRoots.aws()


@pytest.mark.attack("K15")
def test_a_production_image_refuses_the_tls_root_of_a_twin_beside_those_of_amazon(world, aws_root):
    with pytest.raises(NotTrusted) as caught:
        production(world, aws_root, tls=Tls(roots=(*amazon_tls_roots(), world.pki.root), kms={}))
    assert caught.value.code == "trust.tls-root-not-aws"


@pytest.mark.attack("K15")
def test_a_production_image_refuses_the_identity_certificate_of_a_twin(world, aws_root):
    with pytest.raises(NotTrusted) as caught:
        production(world, aws_root, identity_certificates={REGION: world.identity_signer.der})
    assert caught.value.code == "trust.identity-not-aws"


@pytest.mark.attack("K15")
def test_a_rehearsal_image_refuses_the_root_of_aws(world, aws_root):
    with pytest.raises(NotTrusted) as caught:
        verify_trust(world.trust_file(nitro_roots=(world.pki.root, *aws_root)))
    assert caught.value.code == "trust.rehearsal-root"
