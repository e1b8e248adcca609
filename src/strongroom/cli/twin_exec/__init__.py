# SPDX-License-Identifier: Apache-2.0
"""`strongroom twin exec`: an app with its secrets, through the real path and the twin, without a machine.

`command.py` is the order of events; `plan.py` reads everything that is needed from the project and its files,
`rehearsal.py` plays the vendor, AWS and the instance, `refusal.py` says why KMS refused, `folder.py` is where the
secrets lie while the app runs.
"""
