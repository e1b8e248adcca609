# SPDX-License-Identifier: Apache-2.0
"""`strongroom twin exec`: read the plan, rehearse it, run the app with what was opened, put it away."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from strongroom.agent.child import FOLDER_VARIABLE, run_child, signals_held
from strongroom.agent.delivery import Owner, deliver
from strongroom.agent.process import forbid_core_dumps
from strongroom.cli.findings import flag_lines
from strongroom.cli.output import error_console
from strongroom.cli.paths import PATH
from strongroom.cli.project_file import project_option, read_project, target_option
from strongroom.cli.terminal import printable
from strongroom.cli.twin_exec.folder import find_memory, memory_folder
from strongroom.cli.twin_exec.plan import Plan, Say, Wanted, read_plan
from strongroom.errors import LocalFault

_WORDS = "strongroom.twin.exec.words"
_END_OF_OPTIONS = "--"


class _BeforeTheApp(click.Command):
    """Takes what follows `--` as it is: an option of the app is never one of ours."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the app's words apart; what is left may hold options only."""
        end = args.index(_END_OF_OPTIONS) if _END_OF_OPTIONS in args else len(args)
        ctx.meta[_WORDS] = tuple(args[end + 1 :])
        if not ctx.meta[_WORDS] and not set(ctx.help_option_names) & set(args):
            raise click.UsageError("expected the app after --, such as: -- ./app --verbose", ctx)
        return super().parse_args(ctx, args[:end])


@click.command("exec", cls=_BeforeTheApp, options_metavar="[OPTIONS] -- CMD [ARG]...")
@click.option("--tenant", required=True, metavar="ID", help="Whose secrets.")
@click.option(
    "--image",
    metavar="FILE|NAME",
    help="What boots: a UKI (.efi), or a raw disk that boots one. Without, or for the NAME of an image of the "
    "project, a stand-in.",
)
@click.option(
    "--measurements", type=PATH, multiple=True, help="What the key admits; may be repeated. Default: exactly the image."
)
@click.option(
    "--secret", "secrets", metavar="NAME", multiple=True, help="Default: those that the image opens, else all."
)
@click.option("--account", metavar="ID", help="The account that the instance runs in. Default: the tenant's first one.")
@click.option(
    "--change-a-byte", is_flag=True, help="Boot the image with one byte changed, in memory, and watch it refused."
)
@target_option
@project_option
@click.option("--json", "as_json", is_flag=True, help="What is said, as one JSON object: on stderr if CMD runs.")
@click.pass_context
def command(  # noqa: PLR0913 -- one argument for each option
    context: click.Context,
    *,
    tenant: str,
    image: str | None,
    measurements: tuple[Path, ...],
    secrets: tuple[str, ...],
    account: str | None,
    change_a_byte: bool,
    target: str | None,
    project_path: Path,
    as_json: bool,
) -> None:
    """Run an app with its secrets, as on an instance, without a machine.

    The files of the project are sealed for the tenant, the image boots in the twin's firmware, the agent's own code
    attests and opens, and CMD runs with the secrets in a folder in memory, which is removed when it ends. The
    variable STRONGROOM_SECRETS says where it is. Nothing goes to AWS.

    Exits as CMD does, with 128 and the signal's number if one ended it. If CMD never ran, a line on stderr says why:
    6 for a refusal by KMS, 5 for one by the agent, 9 for a program that cannot be run.

    \b
    Example:  strongroom twin exec --tenant globex -- ./app
              strongroom twin exec --tenant globex --image app.efi -- ./app
              strongroom twin exec --tenant globex --change-a-byte -- ./app
    """
    from strongroom.cli.twin_exec.rehearsal import rehearse  # noqa: PLC0415 -- loads boto3 and the twin

    words: Sequence[str] = context.meta[_WORDS]
    program = _find(words[0])
    find_memory()
    forbid_core_dumps()
    wanted = Wanted(tenant, target, image, measurements, secrets, account, change_a_byte)
    plan = read_plan(read_project(project_path), wanted)
    if not as_json:
        _announce(plan)
    with _progress() as say:
        files = dict(rehearse(plan, say=say))
    with signals_held(), memory_folder() as folder:
        deliver(files, folder, owner=Owner(os.geteuid(), os.getegid()))
        names = list(files)
        files.clear()  # from here on they are in the folder, and not in this process too
        _say_what_was_opened(plan, folder, names, as_json=as_json)
        code = run_child(program, words, environment={**os.environ, FOLDER_VARIABLE: str(folder)})
    context.exit(code)


def _find(word: str) -> Path:
    """Return the program, found as a shell finds it, before anything is done for it."""
    found = shutil.which(word)
    if found is None:
        raise LocalFault(
            "exec.no-command",
            f"expected a program to run, found none at {word!r}",
            remedy="It has to be on the PATH or be a path, and to be executable.",
        )
    return Path(found)


def _announce(plan: Plan) -> None:
    """Say what is played, before it may be refused."""
    admits = "exactly this image, since no --measurements say otherwise" if plan.exact else ", ".join(plan.admitted)
    signer = plan.signer.name or f"a signer made for this run ({'; '.join(plan.signer.why_not)})"
    _say(
        [
            "strongroom: a twin of AWS in this process; nothing goes to AWS",
            f"  tenant  {plan.tenant.id}, in account {plan.account}, {plan.region}",
            f"  boots   {plan.image.name}{f' ({plan.image.about})' if plan.image.about else ''}",
            f"  key     admits {admits}",
            f"  signed  by {signer}",
        ]
    )
    _say(list(flag_lines(plan.image.findings)))


def _say_what_was_opened(plan: Plan, folder: Path, names: Sequence[str], *, as_json: bool) -> None:
    if not as_json:
        _say([f"  opened  {FOLDER_VARIABLE}={folder}", *(f"          {name}" for name in names)])
        return
    result = {
        "ok": True,
        "tenant": plan.tenant.id,
        "account": plan.account,
        "region": plan.region,
        "image": plan.image.name,
        "admitted": list(plan.admitted),
        "signer": plan.signer.name or None,
        "folder": str(folder),
        "files": names,
    }
    sys.stderr.write(json.dumps(result) + "\n")


def _say(lines: Sequence[str]) -> None:
    """Speak on stderr: stdout is the app's."""
    sys.stderr.writelines(f"{printable(line)}\n" for line in lines)


@contextmanager
def _progress() -> Iterator[Say]:
    """Show what is done while it is done, on a terminal."""
    screen = error_console()
    if not screen.is_terminal:
        yield lambda _what: None
        return
    with screen.status("") as status:
        yield status.update
