# SPDX-License-Identifier: Apache-2.0
"""Coverage-guided fuzzing of the policy parser: `python keypolicy_target.py -runs=N`. Only FormatError may escape."""

import sys

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["strongroom.keypolicy"]):
    from strongroom.errors import FormatError
    from strongroom.keypolicy.model import encode_key_policy, parse_identity_policy, parse_key_policy


def one_input(data):
    text = data.decode("latin-1")
    try:
        policy = parse_key_policy(text)
    except FormatError:
        pass
    else:
        if len(encode_key_policy(policy)) < 32_768 and parse_key_policy(encode_key_policy(policy)) != policy:
            raise AssertionError("what was written does not read back as the same policy")
    try:
        parse_identity_policy(text)
    except FormatError:
        return


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
