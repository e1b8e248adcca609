# SPDX-License-Identifier: Apache-2.0
"""The hostile customer, who owns the account, the disk, the variables and the console.

`row.py` is one attack; `engine.py` plays it twice, with its guard and without, and says what that shows; `rows/` are
the attacks. `arena.py` is where they are played: a twin with keys that open for one image (`vendor.py`), and machines
that boot what the attacker made of it (`boots.py`). `disk.py`, `variables.py`, `efi_program.py` and `kexec_program.py`
are his tools, `scan.py` is how he looks for the canary.
"""
