# SPDX-License-Identifier: Apache-2.0
"""Why two accounts of a boot differ: which component moved, in plain sentences.

An *account* is what an image, a measurements file, a document or an event log tells of a boot (account.py). Two of
them are compared register by register (compare.py); each register, or group of them, has a file that knows what is
measured there and how to name what moved.

What is said is graded. A sentence is PROVEN where digests show it: a replay of known events, with one change, gives
the other value. It is INFERRED where a register has one purpose and only its value is known. Text of an event log is
quoted only as text that its digest covers, or as a claim.
"""
