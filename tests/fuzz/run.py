# SPDX-License-Identifier: Apache-2.0
"""One target under libFuzzer (atheris): python -m tests.fuzz.run TARGET [libFuzzer options, folders or files]

Ends with an error at the first input that the target does not read or refuse as it should. With a file instead of
options, it reads that input once: so a finding is tried again. `make fuzz` runs all targets, and keeps what they find.
"""

import shlex
import sys
import warnings

import atheris

with atheris.instrument_imports(include=["strongroom", "tests.fuzz.targets", "tests.cbor_difference"]):
    from tests.fuzz import registry

    TARGET = registry.find(sys.argv.pop(1))


def main() -> None:
    warnings.simplefilter("ignore")  # cryptography warns of certificates that it will refuse one day
    # libFuzzer starts itself again to merge, and gives the words of its command to a shell
    program = shlex.join([sys.executable, "-m", "tests.fuzz.run", TARGET.name])
    atheris.Setup([program, f"-max_len={TARGET.max_bytes}", *sys.argv[1:]], TARGET.read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
