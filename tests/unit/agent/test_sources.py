# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from strongroom.agent import sources
from strongroom.agent.sources import FolderBundles, bundles_from
from strongroom.errors import FormatError, LocalFault, NotTrusted, UsageError
from strongroom.formats.agent_config import BundleOrigin
from strongroom.formats.trust import Tls
from strongroom.ids import Region

HERE = Region("eu-central-1")
THERE = Region("us-east-1")


class Imds:
    """A metadata service with these user data."""

    def __init__(self, user_data: bytes | None):
        self._user_data = user_data
        self.asked = 0

    def user_data(self):
        self.asked += 1
        return self._user_data

    def region(self):
        return HERE

    def role_credentials(self):
        raise AssertionError("nothing is signed before something is fetched")


def located(place="s3://acme/globex", **more) -> Imds:
    return Imds(json.dumps({"strongroom": {"bundles": place, **more}}).encode())


def choose(world, imds, origin=BundleOrigin.USER_DATA, folder=None, s3=None):
    tls = Tls((world.pki.root,), {}, None, {HERE: "https://127.0.0.1:1"} if s3 is None else s3)
    return bundles_from(origin, folder=folder, trust=world.trust(tls=tls), imds=imds, clock=world.clock)


@pytest.mark.attack("B14")
def test_user_data_are_not_read_when_bundles_come_with_the_image(world, tmp_path):
    imds = located("s3://evil")
    source = choose(world, imds, BundleOrigin.IMAGE, tmp_path)
    (tmp_path / "db-password.bundle").write_bytes(b"sealed")
    assert source == FolderBundles(tmp_path)
    assert source.fetch("db-password") == b"sealed"
    assert imds.asked == 0


def test_a_bundle_that_the_image_lacks_is_a_fault(tmp_path):
    with pytest.raises(LocalFault) as caught:
        FolderBundles(tmp_path).fetch("absent")
    assert caught.value.code == "file.missing"


@pytest.mark.parametrize(("imds", "region"), [(located(), HERE), (located(region=THERE), THERE)])
def test_user_data_name_the_place_and_perhaps_its_region(world, monkeypatch, imds, region):
    made = []
    monkeypatch.setattr(sources, "S3Bundles", lambda endpoint, place, **rest: made.append((endpoint, place, rest)))
    choose(world, imds, s3={HERE: "https://127.0.0.1:1", THERE: "https://127.0.0.1:2"})
    ((endpoint, place, rest),) = made
    assert endpoint.host_header == ("127.0.0.1:1" if region == HERE else "127.0.0.1:2")
    assert (place.bucket, place.prefix, rest["region"]) == ("acme", "globex/", region)


def test_without_user_data_there_is_no_place(world):
    with pytest.raises(UsageError) as caught:
        choose(world, Imds(None))
    assert caught.value.code == "agent.no-location"


@pytest.mark.attack("B14")
@pytest.mark.parametrize("user_data", [b"#!/bin/sh\nid", b"{}", b'{"strongroom": {"bundles": "https://evil"}}'])
def test_hostile_user_data_stop_the_agent(world, user_data):
    with pytest.raises(FormatError):
        choose(world, Imds(user_data))


@pytest.mark.attack("K12")
def test_a_rehearsal_never_fetches_from_aws(world):
    with pytest.raises(NotTrusted) as caught:
        choose(world, located(), s3={})
    assert caught.value.code == "connect.no-endpoint"
