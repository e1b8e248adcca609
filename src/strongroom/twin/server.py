# SPDX-License-Identifier: Apache-2.0
"""The twin as a whole, taught in ten lines.

::

    with Twin() as twin:
        customer = twin.create_account("222222222222", name="customer")
        twin.create_role(customer, "app", policies=[FULL_ACCESS])
        admin = twin.create_user(customer, "admin", policies=[FULL_ACCESS])      # -> access key
        instance = twin.launch(uki, account=customer, role="app")                # boots, measures, has a NitroTPM
        document = instance.attest(public_key=spki)                              # an EvidenceSource
        instance.imds_endpoint                                                   # IMDSv2 of this instance
        twin.endpoint_url                                                        # KMS and STS for boto3 and the CLI
        twin.tls_endpoint, twin.tls_root                                         # the same for the agent, over TLS
        twin.kms.decisions                                                       # who asked, who refused, which PCR
        twin.kms.events(customer)                                                # the same as CloudTrail shows it

Attacks are one-line edits: `launch(..., firmware=Firmware(load_options="init=/bin/sh"))`, or
`instance.document_age = timedelta(minutes=6)`.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from werkzeug.wrappers import Response

from strongroom.appraisal.endorsements import NitroRoots
from strongroom.errors import LocalFault
from strongroom.ids import AccountId, CertificateDer, ImageId, InstanceId, KeyArn, Region
from strongroom.ports import Clock
from strongroom.twin.accounts import Credentials, Directory, Principal, PrincipalKind
from strongroom.twin.addresses import LOOPBACK_ADDRESSES, Addresses
from strongroom.twin.api_request import ApiRequest
from strongroom.twin.authorities import Authorities, FreshAuthorities
from strongroom.twin.clock import SystemClock
from strongroom.twin.ebs.keeper import StateKeeper as SnapshotKeeper
from strongroom.twin.ebs.service import Ebs
from strongroom.twin.endpoint import Endpoint, Service
from strongroom.twin.fault import AwsFault
from strongroom.twin.firmware import Firmware, boot
from strongroom.twin.iam import Iam
from strongroom.twin.images.keeper import StateKeeper as ImageKeeper
from strongroom.twin.images.service import Images
from strongroom.twin.imds import Imds, InstanceFacts, Profile
from strongroom.twin.instances.boot_order import BootOrder
from strongroom.twin.instances.boot_page import BootPage
from strongroom.twin.instances.booted import BootedInstance
from strongroom.twin.instances.boots import Boots, Surroundings
from strongroom.twin.instances.launching import Launching
from strongroom.twin.instances.names import HOST_ADDRESS, served_domains
from strongroom.twin.instances.service import Instances
from strongroom.twin.kept_ids import KeptIds
from strongroom.twin.kms.keeper import StateKeeper
from strongroom.twin.kms.keys import Place
from strongroom.twin.kms.service import Kms
from strongroom.twin.listener import Listener
from strongroom.twin.machine import DEFAULT_REGION, DEFAULT_TYPE, Instance, identity_document, new_instance_id
from strongroom.twin.moto import MAX_BODY_BYTES as MOTO_BODY_BYTES
from strongroom.twin.moto import SERVICES as MOTO_SERVICES
from strongroom.twin.moto import Moto
from strongroom.twin.pki import NitroPki
from strongroom.twin.qemu.console import Heard
from strongroom.twin.qemu.hardware import Hardware
from strongroom.twin.refusals import Wire
from strongroom.twin.request_log import RequestLog
from strongroom.twin.sigv4 import AuthenticCall
from strongroom.twin.state_file import StateFile
from strongroom.twin.status_page import StatusPage
from strongroom.twin.sts import Sts

_ENDPOINT_THREADS = 8
_IMDS_THREADS = 2


class Twin:
    """AWS on this machine, from `with` to its end.

    What KMS holds is kept in the file `state`, where there is one, for the next twin with that file; everything else is
    in memory and gone afterwards, roots too unless `authorities` come from elsewhere. `threads` is how many calls each
    endpoint answers at once. Raises what
    `state_file.StateFile` raises.
    """

    def __init__(
        self,
        *,
        directory: Directory | None = None,
        region: Region = DEFAULT_REGION,
        clock: Clock | None = None,
        state: Path | None = None,
        authorities: Authorities | None = None,
        addresses: Addresses = LOOPBACK_ADDRESSES,
        log: RequestLog | None = None,
        threads: int = _ENDPOINT_THREADS,
    ) -> None:
        self.clock = clock or SystemClock()
        self.region = region
        self.directory = directory or Directory()
        self.moto = Moto()
        self._iam = Iam(self.moto, self.directory, self.clock)
        self.log = log or RequestLog(self.clock)
        self.status = StatusPage(self._counts)
        self._authorities = authorities or FreshAuthorities(self.clock)
        self._pki = NitroPki(self._authorities.nitro)
        self.nitro_roots = NitroRoots(frozenset({hashlib.sha256(self._pki.root).digest()}))
        self._instances: list[tuple[Instance, Listener]] = []
        with contextlib.ExitStack() as undo:  # a file that turns out to be damaged is let go at once
            self._state = undo.enter_context(StateFile(state)) if state else None
            self.kms = self._start_kms()
            self.ebs = Ebs(
                self.kms.expect_use,
                clock=self.clock,
                keeper=SnapshotKeeper(self._state) if self._state else None,
            )
            self.images = Images(
                self.ebs,
                self._key_named,
                self._about_instances,
                clock=self.clock,
                keeper=ImageKeeper(self._state) if self._state else None,
            )
            undo.pop_all()
        endpoint = Endpoint(
            self._services(), find=self.directory.credentials, clock=self.clock, heard=self.log.answered
        )
        answer = BootPage(self.status.token, self._boot_ordered).before(self.status.before(endpoint.answer))
        tls = self._authorities.tls.server(
            self.clock.now(), addresses=(*addresses.names, HOST_ADDRESS), domains=served_domains()
        )
        self.boots = Boots(
            Surroundings(
                endpoint=endpoint.answer,
                tls=tls,
                tls_port=lambda: self._secure.port,
                metadata=self._metadata,
                clock=self.clock,
            ),
            ended=self._instance_ended,
        )
        self.ec2_instances = Instances(
            Launching(self.images.registry, self.ebs, self._iam.role_of_profile),
            self.boots,
            self.moto.answer,
            make=self._new_instance,
            clock=self.clock,
        )
        self._plain = Listener(answer, threads=threads, address=addresses.plain)
        self._secure = Listener(answer, threads=threads, address=addresses.tls, tls=tls)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen on both endpoints. Raises LocalFault for a port that is taken: neither listens then."""
        self._plain.start()
        try:
            self._secure.start()
        except LocalFault:
            self._plain.stop()
            raise

    def stop(self) -> None:
        """End every machine, and every listener, those of instances too."""
        self.ec2_instances.expect_the_end()
        self.boots.stop()
        self.ec2_instances.close()
        listeners = [self._plain, self._secure, *(listener for _, listener in self._instances)]
        with ThreadPoolExecutor(max_workers=len(listeners)) as pool:  # each takes a moment to notice
            list(pool.map(Listener.stop, listeners))
        self.ebs.close()
        if self._state is not None:
            self._state.close()
        self.moto.reset()

    @property
    def endpoint_url(self) -> str:
        """KMS and STS in plain HTTP, for AWS_ENDPOINT_URL of boto3 and the AWS CLI."""
        return self._plain.url

    @property
    def tls_endpoint(self) -> str:
        """KMS and STS under TLS, for the agent; its clients must trust `tls_root`."""
        return self._secure.url

    @property
    def tls_root(self) -> CertificateDer:
        """The TLS root of the twin."""
        return self._authorities.tls.der

    @property
    def nitro_root(self) -> CertificateDer:
        """The root of the twin's attestation documents."""
        return self._pki.root

    def identity_certificate(self, region: Region | None = None) -> CertificateDer:
        """Return the certificate that signs identity documents in a region."""
        return self._authorities.identity(region or self.region).der

    def create_account(self, account_id: str, *, name: str) -> AccountId:
        """Add an account of twelve digits."""
        return self.directory.create_account(account_id, name=name)

    def create_user(self, account: AccountId, name: str, *, policies: Sequence[str]) -> Credentials:
        """Add a user with these identity policies (JSON texts), and return an access key."""
        principal = self.directory.create_principal(account, PrincipalKind.USER, name, policies=policies)
        return self.directory.add_key(principal)

    def create_role(self, account: AccountId, name: str, *, policies: Sequence[str]) -> Principal:
        """Add a role with these identity policies, for instances to run under."""
        return self.directory.create_principal(account, PrincipalKind.ROLE, name, policies=policies)

    def launch(
        self,
        image: bytes,
        *,
        account: AccountId,
        role: str,
        firmware: Firmware | None = None,
        region: Region | None = None,
        user_data: bytes | None = None,
    ) -> Instance:
        """Boot an image (a UKI) in an account, under a role of it, and serve its metadata. Raises FormatError."""
        principal = self.directory.role(account, role)
        instance_id = new_instance_id()
        instance = Instance(
            instance_id=instance_id,
            account_id=account,
            region=region or self.region,
            image_id=ImageId(f"ami-{hashlib.sha256(image).hexdigest()[:17]}"),
            role=role,
            boot=boot(image, firmware=firmware or Firmware(), instance_id=instance_id),
            pki=self._pki,
            clock=self.clock,
        )
        listener = Listener(self._metadata(instance, principal, user_data).answer, threads=_IMDS_THREADS)
        listener.start()
        instance.imds_endpoint = listener.url
        self._instances.append((instance, listener))
        return instance

    def boot(
        self,
        disk: Path | Hardware,
        *,
        account: AccountId,
        role: str,
        region: Region | None = None,
        user_data: bytes | None = None,
        image_id: ImageId | None = None,
        heard: Heard | None = None,
    ) -> BootedInstance:
        """Boot a disk image on a machine under QEMU, as an instance in an account, under a role of it.

        Its NitroTPM, metadata service, name server and time are the twin's, AWS's names lead to the twin, and nothing
        else can be reached from it. `heard` is told what it writes to its serial line. The instance is running when
        this returns, and ends with the twin at the latest. Raises LocalFault where this machine cannot.
        """
        instance = self._new_instance(
            new_instance_id(),
            account=account,
            region=region or self.region,
            image_id=image_id or ImageId(f"ami-{secrets.token_hex(9)[:17]}"),
            kind=DEFAULT_TYPE,
            role=role,
        )
        hardware = disk if isinstance(disk, Hardware) else Hardware(disk)
        principal = self.directory.role(account, role)
        return self.boots.start(instance, hardware, role=principal, user_data=user_data, heard=heard)

    def _about_instances(self, call: AuthenticCall) -> Response:
        return self.ec2_instances.answer(call)

    def _instance_ended(self, instance: BootedInstance) -> None:
        self.ec2_instances.ended(instance)

    def _new_instance(
        self, instance_id: InstanceId, *, account: AccountId, region: Region, image_id: ImageId, kind: str, role: str
    ) -> BootedInstance:
        return BootedInstance(
            instance_id=instance_id,
            account_id=account,
            region=region,
            image_id=image_id,
            instance_type=kind,
            role=role,
            launched=self.clock.now(),
            pki=self._pki,
            clock=self.clock,
        )

    def _boot_ordered(self, order: BootOrder) -> BootedInstance:
        return self.boot(order.hardware, account=order.account, role=order.role, user_data=order.user_data)

    @property
    def instances(self) -> tuple[Instance, ...]:
        """All instances of `launch`, in its order; those of `boot` are in `boots.instances`."""
        return tuple(instance for instance, _ in self._instances)

    def _counts(self) -> dict[str, int]:
        return {"keys": self.kms.key_count, "requests": self.log.requests, "refused": self.log.refused}

    def _start_kms(self) -> Kms:
        keeper = None
        if self._state is not None:
            self.directory.keep_ids(KeptIds(self._state))
            keeper = StateKeeper(self._state)
        return Kms(self.directory, roots=self.nitro_roots, clock=self.clock, keeper=keeper, heard=self.log.decided)

    def _key_named(self, request: ApiRequest, identifier: str) -> KeyArn:
        """Return the key that a call to EC2 names. Raises AwsFault."""
        try:
            return self.kms.key_arn(Place(request.region, request.account_id), identifier)
        except AwsFault as fault:
            raise AwsFault("InvalidParameterValue", fault.message) from fault

    def _metadata(self, instance: Instance | BootedInstance, role: Principal | None, user_data: bytes | None) -> Imds:
        document = identity_document(instance, self.clock.now())
        facts = InstanceFacts(
            instance_id=instance.instance_id,
            image_id=instance.image_id,
            account_id=instance.account_id,
            region=instance.region,
            document=document,
            document_rsa2048=lambda: self._authorities.identity(instance.region).sign(document),
            profile=self._profile(instance, role) if role is not None else None,
            user_data=user_data,
        )
        return Imds(facts, self.clock)

    def _profile(self, instance: Instance | BootedInstance, role: Principal) -> Profile:
        def credentials() -> Credentials:
            return self.directory.open_session(role, session_name=instance.instance_id, now=self.clock.now())

        return Profile(role.name, credentials)

    def _services(self) -> dict[str, Service]:
        """Return what hangs behind the endpoint, by the names that signatures have for it."""
        services = {
            name: Service(self.moto.answer, wire, maximum_body_bytes=MOTO_BODY_BYTES)
            for name, wire in MOTO_SERVICES.items()
        }
        return services | {
            "ec2": Service(self.images.answer, Wire.EC2, maximum_body_bytes=MOTO_BODY_BYTES),
            "ebs": Service(self.ebs.answer, Wire.REST_JSON),
            "kms": Service(self.kms.answer, Wire.JSON),
            "iam": Service(self._iam.answer, Wire.QUERY),
            "sts": Service(Sts(self.directory, self.clock).answer, Wire.QUERY),
        }
