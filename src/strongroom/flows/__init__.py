# SPDX-License-Identifier: Apache-2.0
"""What a user does, each as a short function of ports: seal, open. `cli/` and `agent/` hand them the adapters."""
