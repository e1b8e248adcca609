# SPDX-License-Identifier: Apache-2.0
"""`strongroom demo`: the whole story against the twin, with every expectation checked.

Open `story.py` first: it is the order of events. `stage.py` sets up the accounts, keys and bundles, `images.py` makes
what boots, `attempts.py` is who tries what, `ledger.py` compares what was expected with what was seen.
"""
