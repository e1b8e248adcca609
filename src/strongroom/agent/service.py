# SPDX-License-Identifier: Apache-2.0
"""The agent at work: from the measured files to secrets in the app's hands, and what is said of it.

`run_service` takes these steps; the code repeats their numbers:

 1. print a receipt of this boot on the console
 2. read the measured trust.json and agent.toml
 3. find out who gets the files, before any of them exists
 4. open every bundle, all or none                                       agent/fetch, flows/open
 5. deliver them on tmpfs                                                agent/delivery
 6. leave the state for `strongroom-agent status`, and tell systemd

A failure is printed on the console, with the PCRs that the TPM shows then, and left as the state. The process ends in
either case: secrets are in its memory, and Python cannot wipe that.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from strongroom.agent.accounts import owner_of
from strongroom.agent.connect import connect, metadata_service
from strongroom.agent.console import print_failure, print_receipt
from strongroom.agent.delivery import Owner, deliver
from strongroom.agent.fetch import Fetched, fetch
from strongroom.agent.notify import notify_ready
from strongroom.agent.process import clean_environment
from strongroom.agent.sources import bundles_from
from strongroom.agent.status import failed, ready, write_status
from strongroom.agent.trusted import AgentTrust, read_trust
from strongroom.errors import LocalFault, StrongroomError, UsageError
from strongroom.flows.files import read_file
from strongroom.formats import agent_config, image_paths
from strongroom.formats.agent_config import AgentConfig, Delivery, parse_agent_config
from strongroom.formats.pcrs import PcrDigests
from strongroom.ports import Clock, EvidenceSource

_OUR_FAULT = "The journal inside the instance has the details; a debug image shows it. Please report it."


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are. `root` is put before every path of the image and of the instance: "/" on an instance."""

    root: Path
    console: Path

    def of(self, path: str) -> Path:
        """Return where an absolute path of the image lies."""
        return self.root / path.removeprefix("/")


@dataclass(frozen=True, slots=True)
class Agent:
    """The agent on one machine."""

    places: Places
    evidence_source: EvidenceSource
    read_pcrs: Callable[[], PcrDigests]
    """The gated PCRs, for what is said of a failure. Nobody vouches for them."""
    clock: Clock
    memory_locked: bool

    def run_service(self, environment: MutableMapping[str, str]) -> None:
        """Take all steps. Raises what went wrong, after it was printed on the console."""
        wrong: StrongroomError | None = LocalFault("agent.crashed", "a fault of the agent itself", remedy=_OUR_FAULT)
        try:
            clean_environment(environment)
            print_receipt(self.places.console, self.evidence_source)  # step 1
            self.fetch(())  # steps 2 to 6
            notify_ready(environment)
            wrong = None
        except StrongroomError as error:
            wrong = error
            raise
        finally:
            if wrong is not None:
                self._leave(wrong)

    def _leave(self, error: StrongroomError) -> None:
        """Say what went wrong where nobody can log in, and to whoever is inside."""
        pcrs = PcrDigests.of({})
        with contextlib.suppress(StrongroomError):  # no TPM is a failure of its own, and may be the one to be told
            pcrs = self.read_pcrs()
        print_failure(self.places.console, error, pcrs)
        write_status(self.places.of(image_paths.STATUS_FILE), failed(error))

    def fetch(self, names: Sequence[str]) -> Fetched:
        """Open and deliver the named bundles, all of the configuration without names, and leave the state.

        Raises UsageError for a name that the configuration does not have, and what went wrong.
        """
        trust = read_trust(self.places.of(image_paths.TRUST_FILE))  # step 2
        config = self._config()
        owners = {delivery: owner_of(delivery) for delivery in _chosen(config, names)}  # step 3
        fetched = self._open(trust, config, [delivery.bundle for delivery in owners])  # step 4
        for delivery, owner in owners.items():
            self._deliver(delivery, owner, fetched)  # step 5
        write_status(self.places.of(image_paths.STATUS_FILE), ready(fetched, memory_locked=self.memory_locked))
        return fetched

    def _config(self) -> AgentConfig:
        return parse_agent_config(
            read_file(self.places.of(image_paths.CONFIG_FILE), maximum_bytes=agent_config.MAX_BYTES)
        )

    def _open(self, trust: AgentTrust, config: AgentConfig, names: Sequence[str]) -> Fetched:
        bundles = bundles_from(
            config.origin,
            folder=self.places.of(image_paths.BUNDLE_FOLDER),
            trust=trust,
            imds=metadata_service(trust),
            clock=self.clock,
        )
        ports = connect(
            trust, evidence_source=self.evidence_source, bundles=bundles, clock=self.clock, entropy=os.urandom
        )
        return fetch(names, trust=trust, ports=ports)

    def _deliver(self, delivery: Delivery, owner: Owner, fetched: Fetched) -> None:
        below = delivery.folder.removeprefix(f"{image_paths.RUN_FOLDER}/")
        files = {f"{below}/{entry.info.name}": entry.content for entry in fetched.bundles[delivery.bundle].entries}
        deliver(files, self.places.of(image_paths.RUN_FOLDER), owner=owner, mode=delivery.mode)


def _chosen(config: AgentConfig, names: Sequence[str]) -> tuple[Delivery, ...]:
    """Return the deliveries of the named bundles; all without names."""
    known = {delivery.bundle: delivery for delivery in config.deliveries}
    for name in names:
        if name not in known:
            raise UsageError(
                "agent.unknown-bundle",
                f"expected a bundle of agent.toml ({', '.join(known)}), found {name!r}",
                remedy="A new secret name means a new image; a new secret value does not.",
            )
    return tuple(known[name] for name in dict.fromkeys(names)) or config.deliveries
