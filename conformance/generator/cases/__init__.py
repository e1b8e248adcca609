# SPDX-License-Identifier: Apache-2.0
"""The list of vectors, a file for each step of a verification."""

from . import appraisal, encoding, envelope, good, path, payload, signature, validity

ALL = (
    *good.CASES,
    *envelope.CASES,
    *encoding.CASES,
    *payload.CASES,
    *path.CASES,
    *validity.CASES,
    *signature.CASES,
    *appraisal.CASES,
)
