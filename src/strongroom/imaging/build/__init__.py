# SPDX-License-Identifier: Apache-2.0
"""From a specification to a disk that boots: no root, no loop device, and the same bytes each time (ADR 0015).

`pipeline` has the steps in their order, one module for each of them.
"""
