# SPDX-License-Identifier: Apache-2.0
"""How many documents are verified in a second of one core, against their bare signatures and against a Go verifier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.documents import ES384, MADE_AT, Documents
from bench.go_peer import NAME, GoPeer, build
from bench.race import PeerAbsentError, Turn, cpu_time, cpu_time_without, race
from bench.row import Goal, Row, Unit
from strongroom.appraisal.endorsements import NitroRoots
from strongroom.appraisal.evidence import AT_DOCUMENT_TIME, verify_enclave_evidence, verify_evidence
from strongroom.crypto.chain import forget_bundles
from strongroom.ids import EvidenceBytes

_CACHED, _COLD = 2, 5
"""Signatures: the document's and its leaf's; and those of the three certificates between leaf and root."""
_PASSES = 3
"""How often a round goes through the genuine documents, of which there are about ten."""


def chain_rows(documents: Documents, rounds: int) -> list[Row]:
    """Return the rows about documents of one instance: its bundle remembered from the one before, or not."""

    def verify(index: int) -> None:
        verify_evidence(documents.signed[index].evidence, roots=documents.roots, at=MADE_AT)

    every = range(len(documents.signed))
    turns = {
        "limit": _bare_signature(documents),
        "cold": cpu_time_without(forget_bundles, verify, every),  # leaves the bundle remembered, for who comes next
        "cached": cpu_time(verify, every),
    }
    seconds = race(turns, rounds)
    return [
        _chain_row("verify a document, its chain cached", _CACHED, seconds["cached"], seconds["limit"]),
        _chain_row("verify a document, nothing cached", _COLD, seconds["cold"], seconds["limit"]),
    ]


def _bare_signature(documents: Documents) -> Turn:
    def verify(index: int) -> None:
        signed = documents.signed[index]
        signed.leaf_key.verify(signed.signature, signed.message, ES384)

    return cpu_time(verify, range(len(documents.signed)))


def _chain_row(what: str, signatures: int, ours: Sequence[float], one_signature: Sequence[float]) -> Row:
    return Row(
        what=what,
        unit=Unit.DOCUMENTS_PER_SECOND,
        goal=Goal("limit", 0.85),
        names={"limit": f"{signatures} P-384 verifications of the same message, nothing else"},
        seconds={"ours": ours, "limit": [signatures * seconds for seconds in one_signature]},
    )


def genuine_row(vectors: Path, rounds: int) -> Row:
    """Return the row about genuine enclave documents, as of their own time; without figures where something lacks."""
    try:
        with _peer(vectors) as (peer, documents):
            seconds = race(_genuine_turns(peer, documents), rounds)
            remark = f"{len(documents)} documents that both accept"
    except PeerAbsentError as absent:
        seconds, remark = {}, str(absent)
    return Row(
        what="verify a genuine enclave document, nothing cached",
        unit=Unit.DOCUMENTS_PER_SECOND,
        goal=Goal("peer", 1.0),
        names={"peer": NAME},
        seconds=seconds,
        remark=remark,
    )


@contextmanager
def _peer(vectors: Path) -> Iterator[tuple[GoPeer, list[EvidenceBytes]]]:
    """Start the peer; give it and the documents that it accepts. Raises PeerAbsentError, also where it accepts none."""
    files = sorted((vectors / "documents").glob("enclave-*.cbor"))
    if not files:
        raise PeerAbsentError("no genuine documents: name their folder in STRONGROOM_VECTORS")
    with GoPeer(build(), files) as peer:
        accepted = [file for file in files if not peer.verdicts[str(file)]]
        if not accepted:
            raise PeerAbsentError(f"the peer accepts none of the {len(files)} genuine documents")
        yield peer, [EvidenceBytes(file.read_bytes()) for file in accepted]


def _genuine_turns(peer: GoPeer, documents: Sequence[EvidenceBytes]) -> dict[str, Turn]:
    roots = NitroRoots.aws()

    def verify(document: EvidenceBytes) -> None:
        verify_enclave_evidence(document, roots=roots, at=AT_DOCUMENT_TIME)

    return {
        "ours": cpu_time_without(forget_bundles, verify, [*documents] * _PASSES),
        "peer": lambda: peer.seconds(_PASSES),
    }
