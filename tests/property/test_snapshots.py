# SPDX-License-Identifier: Apache-2.0
"""Snapshots against the simplest thing that they could be: a table of blocks. Any order of calls gives what it has."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.ebs_calls import Refused, Storage, aggregate, block
from tests.kms_calls import VENDOR

INDEXES = st.integers(0, 7)
TEXTS = st.sampled_from(["a", "b", "c"])
PUTS = st.lists(st.tuples(INDEXES, TEXTS), max_size=8)
DATA = {text: block(text) for text in ("a", "b", "c")}


def put_all(uploader, snapshot, puts):
    table = {}
    for index, text in puts:
        uploader.put(snapshot, index, DATA[text])
        table[index] = DATA[text]
    return table


@given(PUTS, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_last_put_of_each_index_counts_whatever_the_order_of_the_others(puts, chance):
    storage = Storage()
    uploader = storage.uploader(VENDOR)
    last = dict(puts)
    shuffled = list(last.items())
    chance.shuffle(shuffled)
    try:
        found = []
        for order in (puts, shuffled):
            snapshot = uploader.start()
            table = put_all(uploader, snapshot, order)
            uploader.complete(snapshot, table)
            found.append(uploader.download(snapshot))
        assert found[0] == found[1] == {index: DATA[text] for index, text in last.items()}
    finally:
        storage.ebs.close()


@given(st.lists(PUTS, min_size=1, max_size=4))
@settings(max_examples=30, deadline=None)
def test_a_chain_of_children_reads_as_the_tables_laid_over_each_other(generations):
    storage = Storage()
    uploader = storage.uploader(VENDOR)
    try:
        whole, chain = {}, []
        for puts in generations:
            parent = {"ParentSnapshotId": chain[-1][0]} if chain else {}
            snapshot = uploader.start(**parent)
            own = put_all(uploader, snapshot, puts)
            uploader.complete(snapshot, own)
            whole = {**whole, **own}
            chain.append((snapshot, whole))
        for snapshot, table in chain:
            assert uploader.download(snapshot) == table
        (first, before), (second, after) = chain[0], chain[-1]
        pages = uploader.pages("ChangedBlocks", FirstSnapshotId=first, SecondSnapshotId=second)
        changed = {index for index in after if before.get(index) != after[index]}
        assert {row["BlockIndex"] for row in pages} == changed
    finally:
        storage.ebs.close()


@given(PUTS, PUTS)
@settings(max_examples=40, deadline=None)
def test_a_snapshot_is_completed_with_its_own_aggregate_and_no_other(puts, others):
    storage = Storage()
    uploader = storage.uploader(VENDOR)
    try:
        snapshot = uploader.start()
        table = put_all(uploader, snapshot, puts)
        other = {index: DATA[text] for index, text in others}
        if other != table:
            try:
                uploader.complete(snapshot, other, Checksum=aggregate(other), ChangedBlocksCount=len(table))
            except Refused as refusal:
                assert refusal.reason == "INVALID_PARAMETER_VALUE"
            else:
                # The aggregate is over digests alone: the same blocks in the same order elsewhere have the same one.
                assert [other[index] for index in sorted(other)] == [table[index] for index in sorted(table)]
                return
        uploader.complete(snapshot, table)
    finally:
        storage.ebs.close()
