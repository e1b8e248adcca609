# SPDX-License-Identifier: Apache-2.0
"""Reference values of an image, computed from its bytes: nothing is run."""
