# SPDX-License-Identifier: Apache-2.0
"""Run a verifier of NitroTPM attestation documents on every vector, and say what it got wrong.

Python 3.11 or newer and nothing else. README.md beside this file explains vectors, classes, and both ways to run.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import fnmatch
import hashlib
import json
import os
import queue
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

FOLDER = Path(__file__).resolve().parent / "nitrotpm"
REFUSALS = ("format", "not-authentic", "not-trusted")
CLASSES = ("success", *REFUSALS)
REFUSED = "refused"
"""A refusal of no known class."""
GROUPS = (
    *("good", "envelope", "cbor", "payload", "kind"),
    *("path", "time", "signature", "name"),
    *("nonce", "age", "pcr", "binding"),
)
"""What the table counts by, in the order of a verification: malformed, not authentic, not trusted."""
REQUIRED = ("expect", "rule", "spec", "comment", "time", "max-age", "root-sha256", "root", "nonce", "pcr")
OPTIONAL = ("attacks", "optional", "reason", "same-as", "public-key", "user-data")
COUNTED = ("passed", "of", "optional_passed", "optional_of")
CRASH = (
    r"Traceback \(most recent call last\)|^panic: |^fatal error: |^thread '.*' panicked|^Node\.js v[0-9]"
    r"|^Exception in thread |AddressSanitizer|Segmentation fault"
)
EXAMPLE = """
example:
  python conformance/run.py --level class --class-map 3=format,4=not-authentic,5=not-trusted -- my-verifier \\
    --root {root} --time {time} --nonce {nonce} --max-age {max-age} {pcrs} {public-key} {user-data} {document}
  python conformance/run.py --level class --serve -- python my_adapter.py

placeholders:
  {document} {root} (PEM) {root-der} {nonce-file} {inputs} (JSON)    files
  {root-sha256} {time} {unix-time} {nonce} {max-age}                 values
  {pcrs} {public-key} {user-data}     arguments, as --pcr-args and its like give them; none where there is no such input

exit code:
  0 all passed but optional ones, 1 one did not, 2 usage, 3 all of what --only chose passed, which is no result
"""


# --- vectors ----------------------------------------------------------------------------------------------------------


class BadVectorError(ValueError):
    """A file that is no vector."""


@dataclass(frozen=True)
class Vector:
    """One vector. `head` maps each key to all its values."""

    name: str
    head: Mapping[str, Sequence[str]]
    document: bytes

    def one(self, key: str) -> str:
        """Return the value of a key."""
        return self.head[key][0]

    def find(self, key: str) -> str | None:
        """Return the value of a key that may be absent."""
        return self.head.get(key, [None])[0]

    @property
    def group(self) -> str:
        """The rule without its number."""
        return self.one("rule").rpartition("-")[0]

    @property
    def optional(self) -> bool:
        """Whether it is counted apart."""
        return "optional" in self.head

    def pcrs(self) -> dict[str, str]:
        """Return the values to compare with, in hex, by index."""
        return dict(pair.split("=") for pair in self.head["pcr"])

    def inputs(self) -> dict[str, Any]:
        """Return all that the verifier is given, and nothing of what is expected of it."""
        return {
            "document": self.document.hex(),
            "time": self.one("time"),
            "max_age": int(self.one("max-age")),
            "root": self.one("root"),
            "root_sha256": self.one("root-sha256"),
            "nonce": self.one("nonce"),
            "pcrs": self.pcrs(),
            "public_key": self.find("public-key"),
            "user_data": self.find("user-data"),
        }


def load_vector(path: Path) -> Vector:
    """Read one vector. Raises BadVectorError for a key that is unknown, missing, or there too often."""
    text, separator, document = path.read_bytes().partition(b"\n\n")
    head: dict[str, list[str]] = {}
    for line in text.decode().splitlines():
        key, colon, value = line.partition(": ")
        if not colon or key not in (*REQUIRED, *OPTIONAL):
            raise BadVectorError(f"{path}: unknown key in the line {line[:60]!r}")
        head.setdefault(key, []).append(value)
    missing = [key for key in REQUIRED if key not in head]
    repeated = [key for key, values in head.items() if len(values) > 1 and key != "pcr"]
    if not separator or missing or repeated:
        raise BadVectorError(f"{path}: missing {missing}, repeated {repeated}")
    vector = Vector(path.stem, head, document)
    if vector.one("expect") not in CLASSES or vector.group not in GROUPS:
        raise BadVectorError(f"{path}: unknown class {vector.one('expect')} or rule {vector.one('rule')}")
    if hashlib.sha256(bytes.fromhex(vector.one("root"))).hexdigest() != vector.one("root-sha256"):
        raise BadVectorError(f"{path}: root and root-sha256 differ")
    return vector


def load_vectors(folder: Path) -> list[Vector]:
    """Read every vector of a folder. Raises BadVectorError when there is none."""
    vectors = [load_vector(path) for path in sorted(folder.glob("*.vector"))]
    if not vectors:
        raise BadVectorError(f"no vectors in {folder}")
    return vectors


def suite_id(folder: Path) -> str:
    """Return what identifies this state of the suite: a hash over names and contents."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.vector")):
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


# --- answers, and the judgement on them -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    """What a verifier said: a class, or `refused`. Or that it gave no answer: `error`, in words."""

    result: str = ""
    error: str = ""
    identity: str | None = None
    """What the verifier would recognise the same document by."""


@dataclass(frozen=True)
class Verdict:
    """A vector and what came of it. `fault` says why it did not pass, and is empty when it did."""

    vector: Vector
    answer: Answer
    fault: str


@dataclass(frozen=True)
class Report:
    """All verdicts of a run at one level."""

    level: str
    verdicts: Sequence[Verdict]

    def failures(self) -> list[Verdict]:
        """Return what did not pass, optional vectors left out."""
        return [verdict for verdict in self.verdicts if verdict.fault and not verdict.vector.optional]

    def groups(self) -> dict[str, dict[str, int]]:
        """Count by group."""
        found = {verdict.vector.group for verdict in self.verdicts}
        counts = {group: dict.fromkeys(COUNTED, 0) for group in GROUPS if group in found}
        for verdict in self.verdicts:
            passed, of = COUNTED[2:] if verdict.vector.optional else COUNTED[:2]
            counts[verdict.vector.group][of] += 1
            counts[verdict.vector.group][passed] += not verdict.fault
        return counts


def fault_of(vector: Vector, answer: Answer, level: str) -> str:
    """Return what is wrong with an answer; empty when nothing is."""
    expect = vector.one("expect")
    if answer.error:
        return answer.error
    if (answer.result == "success") != (expect == "success"):
        return "accepted" if answer.result == "success" else f"refused ({answer.result})"
    if level == "class" and answer.result != expect:
        return f"expected {expect}, found {answer.result}"
    return ""


def judge(vectors: Sequence[Vector], answers: Sequence[Answer], level: str) -> Report:
    """Compare answers with what the vectors expect, and documents that are the same with each other."""
    found = {vector.name: answer for vector, answer in zip(vectors, answers, strict=True)}
    verdicts = []
    for vector, answer in zip(vectors, answers, strict=True):
        fault = fault_of(vector, answer, level)
        twin = found.get(vector.find("same-as") or "")
        if not fault and twin and None not in (answer.identity, twin.identity) and answer.identity != twin.identity:
            fault = f"told apart from {vector.one('same-as')}, which is the same document"
        verdicts.append(Verdict(vector, answer, fault))
    return Report(level, verdicts)


# --- one process for each vector --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reading:
    """How an exit code and an output become an answer."""

    class_map: Mapping[int, str]
    class_regexes: Sequence[tuple[str, re.Pattern[str]]]
    refused: frozenset[int]
    crash: re.Pattern[str]
    identity: re.Pattern[str] | None

    def answer(self, code: int, output: str) -> Answer:
        """Return what they mean. Only the exit codes that were announced are refusals."""
        if code < 0:
            return Answer(error=f"crashed by signal {-code}")
        if crash := self.crash.search(output):
            return Answer(error=f"crashed: {crash[0]}")
        if code == 0:
            identity = self.identity.search(output) if self.identity else None
            return Answer("success", identity=identity[1] if identity else None)
        if code not in self.refused and code not in self.class_map:
            return Answer(error=f"exit code {code}, which is neither 0 nor a refusal")
        matching = (name for name, regex in self.class_regexes if regex.search(output))
        return Answer(self.class_map.get(code) or next(matching, REFUSED))


@dataclass(frozen=True)
class Command:
    """A command line with placeholders. `spread` has the arguments that {pcrs}, {public-key}, {user-data} stand for."""

    arguments: Sequence[str]
    spread: Mapping[str, Sequence[str]]
    reading: Reading
    timeout: float

    def __call__(self, vector: Vector) -> Answer:
        """Run it on one vector."""
        with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
            return self._run(list(self._filled(vector, Path(folder))))

    def _filled(self, vector: Vector, folder: Path) -> Iterable[str]:
        values = _write_inputs(vector, folder)
        for argument in self.arguments:
            if argument == "{pcrs}":
                for index, value in vector.pcrs().items():
                    yield from (_fill(a, {"index": index, "value": value}) for a in self.spread["pcrs"])
            elif argument in ("{public-key}", "{user-data}"):
                name = argument[1:-1]
                if bound := vector.find(name):
                    yield from (_fill(a, {"file": values[name], "hex": bound}) for a in self.spread[name])
            else:
                yield _fill(argument, values)

    def _run(self, arguments: Sequence[str]) -> Answer:
        process = _start(arguments, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(timeout=self.timeout)
        except subprocess.TimeoutExpired:
            _end(process)
            return Answer(error=f"no answer in {self.timeout:g} s")
        return self.reading.answer(process.returncode, (out + b"\n" + err).decode(errors="replace"))


def _fill(argument: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\{([a-z0-9-]+)\}", lambda match: values.get(match[1], match[0]), argument)


def _write_inputs(vector: Vector, folder: Path) -> dict[str, str]:
    """Write the files that placeholders name, and return what every placeholder stands for."""
    root = bytes.fromhex(vector.one("root"))
    body = "\n".join(textwrap.wrap(base64.b64encode(root).decode(), 64))
    files = {
        "document": vector.document,
        "root": f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n".encode(),
        "root-der": root,
        "nonce-file": bytes.fromhex(vector.one("nonce")),
        "inputs": json.dumps(vector.inputs()).encode(),
        "public-key": bytes.fromhex(vector.find("public-key") or ""),
        "user-data": bytes.fromhex(vector.find("user-data") or ""),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return {
        **{name: str(folder / name) for name in files},
        **{name: vector.one(name) for name in ("root-sha256", "time", "nonce", "max-age")},
        "unix-time": f"{datetime.fromisoformat(vector.one('time')).timestamp():.0f}",
    }


def _start(arguments: Sequence[str], **streams: Any) -> subprocess.Popen[bytes]:
    """Start a command in a session of its own, so that all of it can be ended."""
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, start_new_session=True, **streams)  # noqa: S603


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and what it started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(BrokenPipeError):
        process.communicate()


# --- one process for all vectors --------------------------------------------------------------------------------------


class Server:
    """A command that stays up and answers a JSON line with a JSON line. Started again after it has died."""

    def __init__(self, arguments: Sequence[str], timeout: float) -> None:
        self.arguments = arguments
        self.timeout = timeout
        self.process: subprocess.Popen[bytes] | None = None
        self.lines: queue.Queue[bytes] = queue.Queue()
        self.count = 0

    def __call__(self, vector: Vector) -> Answer:
        """Ask about one vector. After anything but an answer it is ended, so that no late line counts for the next."""
        self.count += 1
        try:
            return _served(self._ask({"id": self.count, **vector.inputs()}), self.count)
        except queue.Empty:
            problem = f"no answer in {self.timeout:g} s"
        except (EOFError, BrokenPipeError):
            problem = "ended instead of an answer"
        except ValueError as error:
            problem = f"not an answer: {error}"
        self.close()
        return Answer(error=problem)

    def _ask(self, request: Mapping[str, Any]) -> bytes:
        if self.process is None:
            self.process = _start(self.arguments, stdin=subprocess.PIPE)
            self.lines = queue.Queue()
            threading.Thread(target=_read_lines, args=(self.process.stdout, self.lines), daemon=True).start()
        stream: IO[bytes] = self.process.stdin  # type: ignore[assignment]  # a pipe, always
        stream.write(json.dumps(request).encode() + b"\n")
        stream.flush()
        line = self.lines.get(timeout=self.timeout)
        if not line:
            raise EOFError
        return line

    def close(self) -> None:
        """End it."""
        process, self.process = self.process, None
        if process is not None:
            _end(process)


def _read_lines(stream: IO[bytes], lines: queue.Queue[bytes]) -> None:
    with contextlib.suppress(ValueError):  # the stream was closed while it was waited for
        for line in stream:
            lines.put(line)
    lines.put(b"")


def _served(line: bytes, count: int) -> Answer:
    """Read one line. Raises ValueError for one that is no answer to request `count`."""
    said = json.loads(line)
    if not isinstance(said, dict) or said.get("id") != count or said.get("result") not in (*CLASSES, REFUSED):
        raise ValueError(f"expected id {count} and a result, found {line[:80]!r}")
    return Answer(said["result"], identity=said.get("identity"))


# --- running and telling ----------------------------------------------------------------------------------------------

Verifier = Callable[[Vector], Answer]


def ask_all(vectors: Sequence[Vector], verifiers: Sequence[Verifier]) -> list[Answer]:
    """Ask about every vector, as many at a time as there are verifiers."""
    idle: queue.Queue[Verifier] = queue.Queue()
    for verifier in verifiers:
        idle.put(verifier)
    done = iter(range(1, len(vectors) + 1))

    def ask(vector: Vector) -> Answer:
        verifier = idle.get()
        try:
            return verifier(vector)
        finally:
            idle.put(verifier)
            _progress(next(done), len(vectors))

    with ThreadPoolExecutor(len(verifiers)) as pool:
        return list(pool.map(ask, vectors))


def _progress(done: int, total: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done}/{total}" if done < total else "\r\033[K")
        sys.stderr.flush()


def table(report: Report) -> str:
    """Return the counts by group as a table in Markdown."""
    groups = report.groups()
    total = {key: sum(row[key] for row in groups.values()) for key in COUNTED}
    rows = [["group", "passed", "of", "optional passed", "of"]]
    rows += [[name, *(str(row[key]) for key in COUNTED)] for name, row in {**groups, "all": total}.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def listed(title: str, verdicts: Iterable[Verdict]) -> str:
    """Return a title and one line for each verdict that is no pass; nothing when there is none."""
    found = [(v.vector, v.fault) for v in verdicts if v.fault]
    lines = [f"  {v.name}: {fault}; {v.one('comment')} [{v.one('rule')}]\n" for v, fault in found]
    return f"\n{title}\n{''.join(lines)}" if lines else ""


def as_json(report: Report, options: argparse.Namespace, *, partial: bool) -> dict[str, Any]:
    """Return a report for machines."""
    missed = [verdict for verdict in report.verdicts if verdict.fault]
    keys = ("rule", "expect", "comment")
    return {
        "suite": suite_id(options.vectors),
        "level": report.level,
        "command": options.command,
        "partial": partial,
        "passed": not report.failures() and not partial,
        "groups": report.groups(),
        "failures": [
            {"name": v.vector.name, **{key: v.vector.one(key) for key in keys}, "found": v.answer.result or None}
            | {"fault": v.fault, "optional": v.vector.optional}
            for v in missed
        ],
    }


def tell(report: Report, options: argparse.Namespace, *, partial: bool) -> int:
    """Print the report, write it where --json says, and return the exit code."""
    if options.json:
        options.json.write_text(json.dumps(as_json(report, options, partial=partial), indent=1) + "\n")
    failures = report.failures()
    sys.stdout.write(f"{table(report)}\n\nsuite {suite_id(options.vectors)}, level {report.level}\n")
    sys.stdout.write(listed("failed:", failures))
    sys.stdout.write(listed("optional, not passed:", (v for v in report.verdicts if v.vector.optional)))
    if failures:
        sys.stdout.write(f"\n{len(failures)} failed\n")
        return 1
    sys.stdout.write("\nwhat was chosen passed, and a part is no result\n" if partial else "\npassed\n")
    return 3 if partial else 0


# --- command line -----------------------------------------------------------------------------------------------------


def _regex(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.MULTILINE)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no regular expression: {error}") from error


def _class(name: str) -> str:
    if name not in REFUSALS:
        raise argparse.ArgumentTypeError(f"expected a class ({', '.join(REFUSALS)}), found {name!r}")
    return name


def _class_map(text: str) -> dict[int, str]:
    pairs = (part.partition("=") for part in text.split(","))
    return {min(_codes(code)): _class(name) for code, _, name in pairs}


def _class_regex(text: str) -> tuple[str, re.Pattern[str]]:
    name, _, pattern = text.partition("=")
    return _class(name), _regex(pattern)


def _codes(text: str) -> frozenset[int]:
    ranges = [part.partition("-") for part in text.split(",")]
    if not all(first.isdigit() and (last or first).isdigit() and int(first) > 0 for first, _, last in ranges):
        raise argparse.ArgumentTypeError(f"expected exit codes above 0, such as 1 or 3-5, found {text!r}")
    return frozenset(code for first, _, last in ranges for code in range(int(first), int(last or first) + 1))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        usage="run.py [options] -- COMMAND [ARGUMENT…]",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("command", nargs="+", help=argparse.SUPPRESS)
    add("--level", choices=("accept", "class"), default="accept", help="accept or refuse (the default), or classes too")
    add("--serve", action="store_true", help="the command stays up and answers a JSON line with a JSON line")
    _add_reading(parser)
    add("--pcr-args", default="--pcr {index}={value}", metavar="ARGS", help="default: --pcr {index}={value}")
    add(
        "--public-key-args",
        default="--public-key {file}",
        metavar="ARGS",
        help="default: --public-key {file}; or {hex}",
    )
    add(
        "--user-data-args",
        default="--user-data {file}",
        metavar="ARGS",
        help="the same with --user-data; {hex} stands for the bytes",
    )
    add("--only", action="append", default=[], metavar="GLOB", help="only these vectors, such as 'path-*'")
    add("--jobs", type=int, default=os.cpu_count() or 1, metavar="N", help="how many at a time (default: one a core)")
    add("--timeout", type=float, default=10, metavar="SECONDS", help="for each vector (default 10)")
    add("--json", type=Path, metavar="FILE", help="write the report there too")
    add("--vectors", type=Path, default=FOLDER, metavar="DIR", help="default: nitrotpm beside this file")
    return parser


def _add_reading(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how an exit code and an output are read."""
    add = parser.add_argument
    add("--class-map", type=_class_map, default={}, metavar="CODE=CLASS,…", help="the class of each exit code")
    regex = "the class of a refusal whose output matches; may be repeated, the first match counts"
    add("--class-regex", type=_class_regex, action="append", default=[], metavar="CLASS=REGEX", help=regex)
    refused = "exit codes that refuse, beside those of --class-map (default 1); any other is a failure"
    add("--refused", type=_codes, default=frozenset({1}), metavar="CODES", help=refused)
    crash = "output that shows a crash, whatever the exit code (default: what Python, Go, Rust, Node and Java print)"
    add("--crash-regex", type=_regex, default=_regex(CRASH), metavar="REGEX", help=crash)
    identity = "its group 1 is what the verifier recognises an accepted document by"
    add("--identity", type=_regex, metavar="REGEX", help=identity)


def _verifiers(options: argparse.Namespace, stack: contextlib.ExitStack) -> list[Verifier]:
    if options.serve:
        servers = [Server(options.command, options.timeout) for _ in range(options.jobs)]
        return [stack.enter_context(contextlib.closing(server)) for server in servers]
    given = {"pcrs": options.pcr_args, "public-key": options.public_key_args, "user-data": options.user_data_args}
    spread = {name: shlex.split(arguments) for name, arguments in given.items()}
    reading = Reading(options.class_map, options.class_regex, options.refused, options.crash_regex, options.identity)
    return [Command(options.command, spread, reading, options.timeout)] * options.jobs


def _expect_sense(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """End with a usage error where no result could come out."""
    whole = " ".join(options.command)
    if options.jobs < 1 or options.timeout <= 0:
        parser.error("--jobs and --timeout must be above 0")
    if not options.serve and "{document}" not in whole and "{inputs}" not in whole:
        parser.error("the command must name {document} or {inputs}, or --serve")
    if not options.serve and options.level == "class" and not (options.class_map or options.class_regex):
        parser.error("--level class needs --class-map, --class-regex, or --serve")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the suite and return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    _expect_sense(parser, options)
    try:
        every = load_vectors(options.vectors)
        vectors = [v for v in every if not options.only or any(fnmatch.fnmatch(v.name, g) for g in options.only)]
        if not vectors:
            parser.error(f"no vector is named like {' or '.join(options.only)}")
        with contextlib.ExitStack() as stack:
            answers = ask_all(vectors, _verifiers(options, stack))
    except (BadVectorError, OSError) as error:
        parser.error(str(error))
    return tell(judge(vectors, answers, options.level), options, partial=len(vectors) < len(every))


if __name__ == "__main__":
    try:
        code = main()
        sys.stdout.flush()
        sys.exit(code)
    except BrokenPipeError:  # whoever read the output has gone: nobody saw a result
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
