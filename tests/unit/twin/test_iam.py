# SPDX-License-Identifier: Apache-2.0
"""What IAM is told counts in KMS's next decision, and what would not count is refused."""

import gzip
import json
from urllib.parse import urlencode

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session
from tests.twin_world import CUSTOMER, VENDOR, client

from strongroom.twin.accounts import FULL_ACCESS
from strongroom.twin.server import Twin

DESCRIBE = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:DescribeKey", "Resource": "*"}]}
)
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"


def trust(*principals, **condition):
    statement = {"Effect": "Allow", "Principal": {"AWS": list(principals)}, "Action": "sts:AssumeRole", **condition}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


ROOT = f"arn:aws:iam::{CUSTOMER}:root"


class Place:
    """A twin with a vendor, a customer and a key of his, for one test."""

    def __init__(self, twin):
        self.twin = twin
        vendor, customer = twin.create_account(VENDOR, name="vendor"), twin.create_account(CUSTOMER, name="customer")
        self.vendor = twin.create_user(vendor, "admin", policies=[FULL_ACCESS])
        self.admin = twin.create_user(customer, "admin", policies=[FULL_ACCESS])
        self.nobody = twin.create_user(customer, "nobody", policies=[])
        twin.create_role(customer, "app", policies=[DESCRIBE])
        self.iam = client(twin, "iam", self.admin)
        self.key = client(twin, "kms", self.admin).create_key()["KeyMetadata"]["Arn"]

    def session(self, role, *, who=None, name="s1", **parameters):
        sts = client(self.twin, "sts", who or self.admin)
        arn = role if role.startswith("arn:") else f"arn:aws:iam::{CUSTOMER}:role/{role}"
        return sts.assume_role(RoleArn=arn, RoleSessionName=name, **parameters)

    def as_session(self, service, session):
        keys = session["Credentials"]
        made = boto3.Session(
            keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], region_name=self.twin.region
        )
        config = Config(retries={"total_max_attempts": 1})
        return made.client(service, endpoint_url=self.twin.endpoint_url, config=config)

    def describes(self, kms):
        """Say whether a client may describe the key."""
        try:
            kms.describe_key(KeyId=self.key)
        except ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDeniedException"
            return False
        return True


@pytest.fixture
def place():
    with Twin() as twin:
        yield Place(twin)


def refused(call, **parameters):
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]["Code"]


def test_users_and_roles_of_the_twin_stand_in_iam(place):
    assert {user["UserName"] for user in place.iam.list_users()["Users"]} == {"admin", "nobody"}
    role = place.iam.get_role(RoleName="app")["Role"]
    assert role["RoleId"] == place.twin.directory.role(CUSTOMER, "app").unique_id
    assert place.iam.get_role_policy(RoleName="app", PolicyName="policy-1")["PolicyDocument"] == json.loads(DESCRIBE)
    assert [key["AccessKeyId"] for key in place.iam.list_access_keys()["AccessKeyMetadata"]] == [
        place.admin.access_key_id
    ]


def test_a_policy_counts_with_the_next_call_of_a_session_that_was_open_before(place):
    place.iam.create_role(RoleName="reader", AssumeRolePolicyDocument=trust(ROOT))
    kms = place.as_session("kms", place.session("reader"))
    assert not place.describes(kms)
    place.iam.put_role_policy(RoleName="reader", PolicyName="p", PolicyDocument=DESCRIBE)
    assert place.describes(kms)
    place.iam.delete_role_policy(RoleName="reader", PolicyName="p")
    assert not place.describes(kms)
    place.iam.attach_role_policy(RoleName="reader", PolicyArn=ADMINISTRATOR)
    assert place.describes(kms)
    place.iam.detach_role_policy(RoleName="reader", PolicyArn=ADMINISTRATOR)
    assert not place.describes(kms)


def test_a_policy_of_ones_own_counts_in_its_default_version(place):
    place.iam.create_role(RoleName="reader", AssumeRolePolicyDocument=trust(ROOT))
    kms = place.as_session("kms", place.session("reader"))
    arn = place.iam.create_policy(PolicyName="mine", PolicyDocument=DESCRIBE)["Policy"]["Arn"]
    place.iam.attach_role_policy(RoleName="reader", PolicyArn=arn)
    assert place.describes(kms)
    deny = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]})
    place.iam.create_policy_version(PolicyArn=arn, PolicyDocument=deny, SetAsDefault=True)
    assert not place.describes(kms)
    place.iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    assert place.describes(kms)


def test_a_key_of_a_new_user_signs_until_it_is_taken_away(place):
    user = place.iam.create_user(UserName="bob")["User"]
    made = place.iam.create_access_key(UserName="bob")["AccessKey"]
    session = {"AccessKeyId": made["AccessKeyId"], "SecretAccessKey": made["SecretAccessKey"], "SessionToken": None}
    sts = place.as_session("sts", {"Credentials": session})
    assert sts.get_caller_identity()["UserId"] == user["UserId"]
    place.iam.update_access_key(UserName="bob", AccessKeyId=made["AccessKeyId"], Status="Inactive")
    assert refused(sts.get_caller_identity) == "InvalidClientTokenId"
    place.iam.update_access_key(UserName="bob", AccessKeyId=made["AccessKeyId"], Status="Active")
    sts.get_caller_identity()
    place.iam.delete_access_key(UserName="bob", AccessKeyId=made["AccessKeyId"])
    assert refused(sts.get_caller_identity) == "InvalidClientTokenId"


def test_a_group_gives_its_users_its_policies(place):
    kms = client(place.twin, "kms", place.nobody)
    place.iam.create_group(GroupName="readers")
    place.iam.put_group_policy(GroupName="readers", PolicyName="p", PolicyDocument=DESCRIBE)
    assert not place.describes(kms)
    place.iam.add_user_to_group(GroupName="readers", UserName="nobody")
    assert place.describes(kms)
    place.iam.remove_user_from_group(GroupName="readers", UserName="nobody")
    assert not place.describes(kms)


def test_a_role_that_is_deleted_and_made_again_is_another_one(place):
    first = place.iam.create_role(RoleName="reader", AssumeRolePolicyDocument=trust(ROOT))["Role"]["RoleId"]
    sts = place.as_session("sts", place.session("reader"))
    place.iam.delete_role(RoleName="reader")
    assert refused(sts.get_caller_identity) == "InvalidClientTokenId"
    second = place.iam.create_role(RoleName="reader", AssumeRolePolicyDocument=trust(ROOT))["Role"]["RoleId"]
    assert first != second
    assert refused(sts.get_caller_identity) == "InvalidClientTokenId"
    assert place.session("reader")["AssumedRoleUser"]["AssumedRoleId"] == f"{second}:s1"


def test_a_role_that_was_made_anew_in_python_is_the_one_that_iam_has(place):
    place.iam.list_roles()
    anew = place.twin.create_role(CUSTOMER, "app", policies=[])
    place.iam.create_user(UserName="bob")
    assert place.iam.get_role(RoleName="app")["Role"]["RoleId"] == anew.unique_id
    assert place.twin.directory.role(CUSTOMER, "app").documents == ()


def test_who_may_not_change_iam_cannot_open_himself_a_key(place):
    iam = client(place.twin, "iam", place.nobody)
    assert refused(iam.put_user_policy, UserName="nobody", PolicyName="p", PolicyDocument=FULL_ACCESS) == "AccessDenied"
    assert refused(iam.create_access_key, UserName="admin") == "AccessDenied"
    assert refused(iam.list_users) == "AccessDenied"
    assert not place.describes(client(place.twin, "kms", place.nobody))


def test_a_policy_may_allow_a_part_of_iam(place):
    own = {"Effect": "Allow", "Action": "iam:CreateAccessKey", "Resource": f"arn:aws:iam::{CUSTOMER}:user/nobody"}
    deny = {"Effect": "Deny", "Action": "iam:List*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [own, deny]})
    place.iam.put_user_policy(UserName="nobody", PolicyName="p", PolicyDocument=policy)
    iam = client(place.twin, "iam", place.nobody)
    assert iam.create_access_key()["AccessKey"]["UserName"] == "nobody"
    assert refused(iam.create_access_key, UserName="admin") == "AccessDenied"
    with pytest.raises(ClientError, match="with an explicit deny in an identity-based policy"):
        iam.list_users()


def test_who_may_do_everything_with_himself_gets_into_no_group(place):
    own = {"Effect": "Allow", "Action": "iam:*", "Resource": f"arn:aws:iam::{CUSTOMER}:user/nobody"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [own]})
    place.iam.put_user_policy(UserName="nobody", PolicyName="p", PolicyDocument=policy)
    place.iam.create_group(GroupName="admins")
    place.iam.put_group_policy(GroupName="admins", PolicyName="p", PolicyDocument=FULL_ACCESS)
    join = client(place.twin, "iam", place.nobody).add_user_to_group
    assert refused(join, GroupName="admins", UserName="nobody") == "AccessDenied"


def test_there_is_one_iam_for_all_regions(place):
    client(place.twin, "iam", place.admin, region="cn-north-1").create_user(UserName="bob")
    assert place.iam.get_user(UserName="bob")["User"]["Arn"] == f"arn:aws:iam::{CUSTOMER}:user/bob"
    assert place.twin.directory.principal(f"arn:aws:iam::{CUSTOMER}:user/bob")


def test_accounts_have_books_of_their_own(place):
    place.iam.create_role(RoleName="reader", AssumeRolePolicyDocument=trust(ROOT))
    assert client(place.twin, "iam", place.vendor).list_roles()["Roles"] == []
    assert place.twin.directory.principal(f"arn:aws:iam::{VENDOR}:user/admin")


@pytest.mark.parametrize(
    "parameters",
    [{"Path": "/team/"}, {"PermissionsBoundary": ADMINISTRATOR}, {"MaxSessionDuration": 7200}],
    ids=["path", "boundary", "duration"],
)
def test_what_would_be_kept_and_not_count_is_refused(place, parameters):
    make = place.iam.create_role
    assert refused(make, RoleName="x", AssumeRolePolicyDocument=trust(ROOT), **parameters) == "InvalidInput"
    assert refused(place.iam.get_role, RoleName="x") == "NoSuchEntity"


def test_operations_that_the_bridge_has_not_are_refused_by_name(place):
    arn = f"arn:aws:iam::{CUSTOMER}:role/app"
    assert refused(place.iam.put_role_permissions_boundary, RoleName="app", PermissionsBoundary=ADMINISTRATOR) == (
        "InvalidAction"
    )
    simulate = place.iam.simulate_principal_policy
    assert refused(simulate, PolicySourceArn=arn, ActionNames=["kms:Decrypt"]) == "InvalidAction"


@pytest.mark.parametrize("document", ["{}", "no JSON", '{"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]}'])
def test_a_malformed_policy_is_refused_before_anything_is_kept(place, document):
    put = place.iam.put_role_policy
    assert refused(put, RoleName="app", PolicyName="p", PolicyDocument=document) == "MalformedPolicyDocument"
    make = place.iam.create_role
    assert refused(make, RoleName="x", AssumeRolePolicyDocument=document) == "MalformedPolicyDocument"
    assert place.iam.list_role_policies(RoleName="app")["PolicyNames"] == ["policy-1"]


def test_a_trust_policy_has_no_resource(place):
    document = json.loads(trust(ROOT))
    document["Statement"][0]["Resource"] = "*"
    with pytest.raises(ClientError, match="Resource") as caught:
        place.iam.create_role(RoleName="x", AssumeRolePolicyDocument=json.dumps(document))
    assert caught.value.response["Error"]["Code"] == "MalformedPolicyDocument"


def test_a_managed_policy_that_cannot_be_read_is_not_attached(place):
    arn = "arn:aws:iam::aws:policy/aws-service-role/AWSSupportServiceRolePolicy"
    assert refused(place.iam.attach_role_policy, RoleName="app", PolicyArn=arn) == "InvalidInput"
    assert place.iam.list_attached_role_policies(RoleName="app")["AttachedPolicies"] == []


def test_what_moto_refuses_changes_nothing(place):
    assert refused(place.iam.create_user, UserName="admin") == "EntityAlreadyExists"
    assert refused(place.iam.delete_user, UserName="admin") == "DeleteConflict"
    client(place.twin, "sts", place.admin).get_caller_identity()


READ_USERS = FULL_ACCESS.replace('"*"', '"iam:ListUsers"', 1)
"""May look at users, and at nothing else."""
GRAB = {"Action": "PutUserPolicy", "UserName": "reader", "PolicyName": "all", "PolicyDocument": FULL_ACCESS}
GRAB |= {"Version": "2010-05-08"}


def hidden_in_the_query():
    return f"?{urlencode(GRAB)}", b"Action=ListUsers&Version=2010-05-08", {"Content-Type": "text/plain"}


def hidden_under_an_encoding():
    """A gzip file whose comment reads as another call (RFC 1952, section 2.3, FCOMMENT)."""
    packed = gzip.compress(urlencode(GRAB).encode())
    body = packed[:3] + b"\x10" + packed[4:10] + b"&Action=ListUsers&Version=2010-05-08&x=\0" + packed[10:]
    assert gzip.decompress(body) == urlencode(GRAB).encode()
    form = "application/x-www-form-urlencoded; charset=utf-8"
    return "", body, {"Content-Type": form, "Content-Encoding": "gzip"}


@pytest.mark.parametrize("hidden", [hidden_in_the_query, hidden_under_an_encoding])
def test_what_is_carried_out_is_what_was_asked_about(place, hidden):
    reader = place.twin.create_user(CUSTOMER, "reader", policies=[READ_USERS])
    query, body, headers = hidden()
    request = AWSRequest("POST", f"{place.twin.endpoint_url}/{query}", headers=headers, data=body)
    SigV4Auth(Credentials(reader.access_key_id, reader.secret_access_key), "iam", "us-east-1").add_auth(request)
    reply = URLLib3Session().send(request.prepare())
    assert b"<PutUserPolicyResponse" not in reply.content
    assert place.iam.list_user_policies(UserName="reader")["PolicyNames"] == ["policy-1"]
    place.iam.tag_user(UserName="reader", Tags=[{"Key": "a", "Value": "b"}])  # what writes takes moto's books over
    assert not place.describes(client(place.twin, "kms", reader))


def test_a_parameter_of_another_operation_names_no_other_resource(place):
    group = f"arn:aws:iam::{CUSTOMER}:group/own"
    policy = {"Effect": "Allow", "Action": "iam:*", "Resource": group}
    text = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    reader = place.twin.create_user(CUSTOMER, "reader", policies=[text])
    body = urlencode({**GRAB, "GroupName": "own"})
    form = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    request = AWSRequest("POST", f"{place.twin.endpoint_url}/", headers=form, data=body)
    SigV4Auth(Credentials(reader.access_key_id, reader.secret_access_key), "iam", "us-east-1").add_auth(request)
    reply = URLLib3Session().send(request.prepare())
    assert (reply.status_code, b"GroupName" in reply.content) == (400, True)
    assert not place.describes(client(place.twin, "kms", reader))


@pytest.mark.parametrize("name", ["a b", "x\x1b[2J", "../../x", "a/b", "n" * 65])
def test_a_name_that_cannot_be_taken_over_stops_nobody_else(place, name):
    assert refused(place.iam.create_user, UserName=name) == "ValidationError"
    assert refused(place.iam.create_role, RoleName=name, AssumeRolePolicyDocument=trust(ROOT)) == "ValidationError"
    place.iam.create_user(UserName="somebody")
    assert place.twin.directory.principal(f"arn:aws:iam::{CUSTOMER}:user/somebody")


def test_who_names_nobody_means_himself_and_takes_no_other_ones_key(place):
    own = {"Effect": "Allow", "Action": "iam:*AccessKey", "Resource": f"arn:aws:iam::{CUSTOMER}:user/reader"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [own]})
    reader = place.twin.create_user(CUSTOMER, "reader", policies=[text])
    iam = client(place.twin, "iam", reader)
    assert refused(iam.delete_access_key, AccessKeyId=place.admin.access_key_id) == "NoSuchEntity"
    assert refused(iam.update_access_key, AccessKeyId=place.admin.access_key_id, Status="Inactive") == "NoSuchEntity"
    assert place.describes(client(place.twin, "kms", place.admin))
    made = iam.create_access_key()["AccessKey"]
    assert made["UserName"] == "reader"
    iam.delete_access_key(AccessKeyId=made["AccessKeyId"])
    place.iam.update_assume_role_policy(RoleName="app", PolicyDocument=trust(ROOT))
    place.iam.put_role_policy(RoleName="app", PolicyName="all", PolicyDocument=FULL_ACCESS)
    session = place.as_session("iam", place.session("app"))
    assert refused(session.delete_access_key, AccessKeyId=place.admin.access_key_id) == "ValidationError"
