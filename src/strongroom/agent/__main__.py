# SPDX-License-Identifier: Apache-2.0
"""`python -m strongroom.agent`: the agent without its launcher, as on a laptop."""

import sys

from strongroom.agent.main import main

if __name__ == "__main__":
    sys.exit(main())
