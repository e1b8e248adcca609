# SPDX-License-Identifier: Apache-2.0
"""What the owner of the account can hand to the agent: user data, bundles, start-up hooks (B14, B15, B17).

No machine boots for these: the agent runs as a program on an instance that the twin models, with the image's PCRs.
"""

from __future__ import annotations

import subprocess

from strongroom.aws.lean.https import MetadataEndpoint
from strongroom.aws.lean.imds import LeanImds
from strongroom.formats.agent_config import BundleOrigin
from strongroom.twin.attack.agent_machine import ISOLATED, AgentMachine, Ran, agent_machine
from strongroom.twin.attack.arena import Arena
from strongroom.twin.attack.row import Ending, NotPlayed, Reached, Row, Stopped
from strongroom.twin.attack.vendor import CUSTOMER, ROLE, Trusted
from strongroom.twin.machine import Instance

INTERPRETER = "python -I"
_FOREIGN_SECRET = "chosen-by-the-attacker"  # noqa: S105 -- a secret that is worth nothing
_HOOK_MARK = "[attacker: start-up hook]"
_SCRIPT_SECONDS = 20


def _launch(arena: Arena, user_data: bytes | None = None) -> Instance:
    return arena.twin.launch(arena.target.image, account=CUSTOMER, role=ROLE, user_data=user_data)


def _refused(ran: Ran) -> Stopped:
    return Stopped(f"agent: {ran.failure}", f"exit code {ran.exit_code}, nothing delivered")


def _user_data(arena: Arena) -> Ending:
    """Hand a script to an image that takes its bundles from a place that user data name."""
    instance = _launch(arena, _script("/"))
    with agent_machine(instance) as machine:
        machine.install(arena.vendor.trust_file(instance), arena.safe().bundle, origin=BundleOrigin.USER_DATA)
        ran = machine.run()
    return _refused(ran) if ran.delivered is None else Reached(f"the agent delivered {ran.delivered}")


def _user_data_that_run(arena: Arena) -> Ending:
    """Run user data as root, as an image with something like cloud-init does, and say on the console what they say."""
    with agent_machine(_launch(arena)) as first:
        instance = _launch(arena, _script(str(first.root)))
        machine = AgentMachine(first.root, instance)
        machine.install(arena.vendor.trust_file(instance), arena.safe().bundle)
        if machine.run().delivered is None:
            return NotPlayed("the agent delivered nothing that a script could read")
        data = LeanImds(MetadataEndpoint(instance.imds_endpoint)).user_data() or b""
        said = subprocess.run(
            ["/bin/sh", "-s"], input=data, capture_output=True, timeout=_SCRIPT_SECONDS, check=False
        ).stdout
    if arena.canary.found_in(said):
        return Reached(f"the script in user data prints {said.decode().strip()}")
    return NotPlayed("the script in user data did not find the secret")


def _script(root: str) -> bytes:
    return f"#!/bin/sh\ncat {root}/run/strongroom/secrets/*/*\n".encode()


def _swapped(arena: Arena) -> Ending:
    return _foreign_bundle(arena, Trusted.VENDOR)


def _swapped_and_trusted(arena: Arena) -> Ending:
    return _foreign_bundle(arena, Trusted.ANYBODY)


def _foreign_bundle(arena: Arena, trusted: Trusted) -> Ending:
    """Somebody else's bundle, valid and under a key of his that opens for this very image."""
    instance = _launch(arena)
    safe = arena.vendor.make_foreign_safe([arena.target.pcrs], _FOREIGN_SECRET)
    with agent_machine(instance) as machine:
        machine.install(arena.vendor.trust_file(instance, trusted), safe.bundle)
        ran = machine.run()
    if ran.delivered is None:
        return _refused(ran)
    return Reached(f"the app runs on the secret {ran.delivered!r}, which the vendor never sealed")


def _hook(arena: Arena) -> Ending:
    return _with_hook(arena, ISOLATED)


def _hook_unguarded(arena: Arena) -> Ending:
    return _with_hook(arena, ())


def _with_hook(arena: Arena, options: tuple[str, ...]) -> Ending:
    """Plant a module that Python imports by itself, in a folder that a variable names; it prints the secret."""
    instance = _launch(arena)
    with agent_machine(instance) as machine:
        machine.install(arena.vendor.trust_file(instance), arena.safe().bundle)
        hooks = machine.root / "hooks"
        hooks.mkdir()
        (hooks / "sitecustomize.py").write_text(
            "import atexit, pathlib\n"
            f"path = pathlib.Path({str(machine.secret_file)!r})\n"
            f"atexit.register(lambda: print({_HOOK_MARK!r}, path.read_text() if path.exists() else ''))\n"
        )
        ran = machine.run(options=options, variables={"PYTHONPATH": str(hooks)})
    if arena.canary.found_in(ran.said.encode()):
        return Reached(ran.said.strip())
    if ran.delivered is None:
        return NotPlayed(f"the agent delivered nothing ({ran.failure or ran.said.strip()[-200:]})")
    if _HOOK_MARK in ran.said:
        return NotPlayed("the hook ran, but found no secret")
    return Stopped(INTERPRETER, "the secret is delivered, and the hook never ran")


ROWS = (
    Row(
        name="user-data",
        attack="B14",
        title="user data that are a script",
        guards=("agent: json.syntax",),
        removed="an image that runs user data, as cloud-init does",
        play=_user_data,
        play_without=_user_data_that_run,
    ),
    Row(
        name="swapped-bundle",
        attack="B15",
        title="a valid bundle of somebody else, under another key",
        guards=("agent: bundle.signer",),
        removed="a trust file that pins the attacker's signer and account, too",
        play=_swapped,
        play_without=_swapped_and_trusted,
    ),
    Row(
        name="start-up-hook",
        attack="B17",
        title="a start-up hook of the interpreter, in a folder that PYTHONPATH names",
        guards=(INTERPRETER,),
        removed="an agent that is started without -I",
        play=_hook,
        play_without=_hook_unguarded,
    ),
)
