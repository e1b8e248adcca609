# SPDX-License-Identifier: Apache-2.0
"""Rules on secrets left in the tree, and on whom the image believes: each finds what is planted.

Secrets are put together here, so that no scanner takes this file for one that leaks.
"""

import base64
import hashlib
from dataclasses import replace

import pytest
from tests.audit_images import UNITS, Entry, subject, trust, unit
from tests.unit.imaging.audit.plants import assert_found, faults, plant

from strongroom.formats.partition import Profile
from strongroom.formats.trust import Tls

BODY = base64.b64encode(bytes(range(96))).decode()
DASHES = "-" * 5


def key(kind="", end="\n"):
    """A private key by its frame, with something inside."""
    frame = f"{kind} PRIVATE KEY".strip()
    return end.join((f"{DASHES}BEGIN {frame}{DASHES}", BODY, f"{DASHES}END {frame}{DASHES}", ""))


ACCESS_KEY = "AKI" + "AQWERTYUIOPASDFG2"
GITHUB = "gh" + "p_" + "a1B2" * 9
OTHER_ROOT = base64.b64encode(b"0\x82 OU=Twin, not Amazon \x00\x01").decode()
AUTHORITY = f"{DASHES}BEGIN CERTIFICATE{DASHES}\n{OTHER_ROOT}\n{DASHES}END CERTIFICATE{DASHES}\n"
DIGEST = hashlib.md5(key().encode(), usedforsecurity=False).hexdigest()
PACKAGED = {
    "/usr/lib/python3/test/key.pem": key(),
    "/var/lib/dpkg/info/p.md5sums": f"{DIGEST}  usr/lib/python3/test/key.pem\n",
}
FILES_OF_SECRETS = {
    "/root/.netrc": "machine a login b password c\n",
    "/root/.git-credentials": "https://me:secret@git.example\n",
    "/root/.docker/config.json": '{"auths": {"x": {"auth": "bWU6eA=="}}}',
    "/home/app/.npmrc": "//registry/:_authToken=abc\n",
    "/root/.pypirc": "[pypi]\npassword = abc\n",
    "/etc/pip.conf": "[global]\nindex-url = https://me:secret@index/simple\n",
    "/root/.aws/credentials": "[default]\naws_secret_access_key = abc\n",
    "/root/.aws/sso/cache/a.json": '{"accessToken": "a"}',
    "/root/.kube/config": "users:\n- user:\n    token: abc\n",
    "/root/.config/gcloud/credentials.db": "x",
    "/root/.config/gh/hosts.yml": "github.com:\n    oauth_token: abc\n",
    "/root/.vault-token": "abc\n",
    "/root/.cargo/credentials.toml": "[registry]\ntoken = 'a'\n",
    "/root/.m2/settings.xml": "<password>abc</password>",
    "/etc/apt/auth.conf": "machine a login b password c\n",
    "/etc/apt/sources.list.d/own.list": "deb https://me:secret@packages/ x main\n",
    "/etc/yum.repos.d/own.repo": "password=abc\n",
    "/root/.pgpass": "host:5432:db:me:secret\n",
    "/root/.my.cnf": "[client]\npassword=abc\n",
    "/root/.s3cfg": "secret_key = abc\n",
    "/etc/NetworkManager/system-connections/a": "psk=abc\n",
    "/etc/wireguard/wg0.conf": "PrivateKey = abc\n",
    "/var/lib/systemd/credential.secret": "x",
    "/root/.gnupg/private-keys-v1.d/A.key": "x",
    "/root/.terraform.d/credentials.tfrc.json": '{"token": "a"}',
}


@pytest.mark.attack("K17")
@pytest.mark.attack("L7")
@pytest.mark.parametrize(
    "planted",
    [
        plant("audit.private-key", "PKCS #8", {"/etc/ssl/private/a.key": key()}, path="/etc/ssl/private/a.key"),
        plant("audit.private-key", "RSA in two lines", {"/opt/a": f"x\n{key('RSA')}"}, path="/opt/a"),
        plant(
            "audit.private-key",
            "of SSH",
            {"/etc/ssh/ssh_host_ed25519_key": key("OPENSSH")},
            path="/etc/ssh/ssh_host_ed25519_key",
        ),
        plant(
            "audit.private-key",
            "in JSON",
            {"/opt/account.json": '{"private_key": "' + key(end="\\n") + '"}'},
            path="/opt/account.json",
        ),
        plant("audit.private-key", "with Windows' lines", {"/opt/a": key(end="\r\n")}, path="/opt/a"),
        plant("audit.private-key", "in a program", {"/opt/app": f"\x7fELF\0{key()}"}, path="/opt/app"),
        plant("audit.private-key", "in the initrd", initrd={"/etc/a.key": key("EC")}, path="/etc/a.key"),
        plant(
            "audit.private-key",
            "of a package of nobody",
            {"/usr/share/app/test/key.pem": key()},
            path="/usr/share/app/test/key.pem",
        ),
        plant("audit.aws-key", "in a script", {"/opt/run.sh": f"export KEY={ACCESS_KEY}\n"}, path="/opt/run.sh"),
        plant(
            "audit.token",
            "of GitHub",
            {"/opt/clone.sh": f"git clone https://{GITHUB}@github.com/a\n"},
            path="/opt/clone.sh",
        ),
        *(plant("audit.secret-file", path, {path: text}, path=path) for path, text in FILES_OF_SECRETS.items()),
        plant("audit.secret-in-environment", ".env", {"/srv/app/.env": "DB_PASSWORD=hunter22\n"}, path="/srv/app/.env"),
        plant(
            "audit.secret-in-environment",
            "production.env",
            {"/srv/production.env": "export API_KEY='abcdef12'\n"},
            path="/srv/production.env",
        ),
        plant(
            "audit.secret-in-environment",
            "a unit",
            {f"{UNITS}/a.service": unit(Service='Environment="AUTH_TOKEN=abcdef12"')},
            path=f"{UNITS}/a.service",
        ),
        plant(
            "audit.disk-key",
            "in the tree",
            {"/etc/crypttab": "data /dev/sdb /etc/data.key luks\n", "/etc/data.key": "k"},
            path="/etc/data.key",
        ),
        plant("audit.key-store", "PKCS #12", {"/opt/app/server.p12": b"0\x82"}, path="/opt/app/server.p12"),
        plant("audit.history", "of a shell", {"/root/.bash_history": "ls\n"}, path="/root/.bash_history"),
        plant(
            "audit.same-everywhere",
            "an id",
            {"/etc/machine-id": "0123456789abcdef0123456789abcdef\n"},
            path="/etc/machine-id",
        ),
        plant(
            "audit.same-everywhere",
            "a seed",
            {"/var/lib/systemd/random-seed": b"\x01" * 32},
            path="/var/lib/systemd/random-seed",
        ),
    ],
)
def test_secrets_in_the_tree_are_found(planted):
    assert_found(planted)


@pytest.mark.parametrize(
    ("code", "files"),
    [
        ("audit.private-key", PACKAGED),
        ("audit.private-key", {"/usr/lib/python3.9/site-packages/awscli/examples/iot/create-keys.rst": key("RSA")}),
        ("audit.private-key", {"/usr/lib/x86_64-linux-gnu/libgnutls.so.30.34.3": f"\x7fELF\0{key()}"}),
        ("audit.private-key", {"/usr/lib/x.py": f'BEGIN = "{DASHES}BEGIN PRIVATE KEY{DASHES}\\n"\n'}),
        ("audit.private-key", {"/etc/ssl/a.pem": key().replace("PRIVATE", "PUBLIC")}),
        ("audit.aws-key", {"/opt/a.txt": f"x{ACCESS_KEY}\n{ACCESS_KEY}Q\n"}),
        ("audit.aws-key", {"/opt/a.bin": f"\0{ACCESS_KEY}\n"}),
        ("audit.token", {"/opt/a.txt": "ghp_short npm_install SG.x.y AIza\n"}),
        ("audit.secret-file", {"/root/.npmrc": "registry=https://a\n//a/:_authToken=${TOKEN}\n", "/root/.netrc": ""}),
        ("audit.secret-file", {"/etc/apt/sources.list": "deb http://packages/ bookworm main\n"}),
        (
            "audit.secret-in-environment",
            {"/srv/.env": "DEBUG=1\nTOKEN_FILE=/run/token\nPASSWORD=\nSECRET=changeme\nAPI_KEY=${KEY}\n"},
        ),
        (
            "audit.secret-in-environment",
            {f"{UNITS}/a.service": unit(Service="Environment=PASSWORD_FILE=/run/a|ExecStart=/x TOKEN=abcdefg")},
        ),
        ("audit.disk-key", {"/etc/crypttab": "# a\nswap /dev/sdb /dev/urandom swap\ndata /dev/sdc none luks\n"}),
        ("audit.key-store", {"/etc/ssl/certs/java/cacerts": b"x"}),
        ("audit.history", {"/root/.bash_history": ""}),
        ("audit.same-everywhere", {"/etc/machine-id": Entry("")}),
    ],
)
def test_what_only_looks_like_a_secret_is_none(code, files):
    assert not faults(code, subject(files))


def test_a_packaged_key_that_was_replaced_is_one():
    assert faults("audit.private-key", subject({**PACKAGED, "/usr/lib/python3/test/key.pem": key("RSA")}))


@pytest.mark.parametrize("text", [key(), ACCESS_KEY, GITHUB])
def test_no_finding_shows_the_secret(text):
    audited = subject({"/opt/a.txt": f"first\n{text}"})
    found = [fault for code in ("audit.private-key", "audit.aws-key", "audit.token") for fault in faults(code, audited)]
    assert [fault.line for fault in found] == [2]
    assert text not in found[0].message
    assert BODY[:16] not in found[0].message


@pytest.mark.attack("K12")
@pytest.mark.attack("K15")
@pytest.mark.parametrize(
    "planted",
    [
        plant(
            "audit.test-roots",
            "of documents",
            trust=trust(nitro_roots=(b"twin",)),
            path="/usr/lib/strongroom/trust.json",
        ),
        plant(
            "audit.test-roots",
            "a second one",
            trust=trust(nitro_roots=(*trust().nitro_roots, b"x")),
            path="/usr/lib/strongroom/trust.json",
        ),
        plant(
            "audit.test-roots",
            "of TLS",
            trust=trust(tls=Tls(roots=(b"twin",), kms={})),
            path="/usr/lib/strongroom/trust.json",
        ),
        plant(
            "audit.test-roots",
            "of identities",
            trust=trust(identity_certificates={"eu-central-1": b"x"}),
            path="/usr/lib/strongroom/trust.json",
        ),
        plant(
            "audit.twins-authority",
            "added",
            {"/usr/local/share/ca-certificates/twin.crt": AUTHORITY},
            path="/usr/local/share/ca-certificates/twin.crt",
        ),
        plant(
            "audit.twins-authority",
            "in a bundle",
            {"/etc/ssl/certs/ca-certificates.crt": f"x\n{AUTHORITY}"},
            path="/etc/ssl/certs/ca-certificates.crt",
        ),
    ],
)
def test_roots_of_a_twin_in_a_production_image_are_found(planted):
    assert_found(planted)


def test_a_rehearsal_image_trusts_a_twin():
    rehearsal = subject(
        {"/etc/ssl/certs/a.pem": AUTHORITY}, trust=trust(profile=Profile.REHEARSAL, nitro_roots=(b"x",))
    )
    assert not faults("audit.test-roots", rehearsal)
    assert not faults("audit.twins-authority", replace(rehearsal, profile=Profile.REHEARSAL))


def test_other_authorities_are_nobodys_twin():
    assert not faults("audit.twins-authority", subject({"/etc/ssl/certs/a.pem": AUTHORITY.replace(OTHER_ROOT, "MIIB")}))
    assert not faults("audit.twins-authority", subject({"/etc/ssl/certs/a.pem": AUTHORITY.replace(OTHER_ROOT, "MII")}))
