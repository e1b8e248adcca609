# SPDX-License-Identifier: Apache-2.0
"""The EBS direct APIs (2019-11-02): snapshots written and read block by block.

The way of a call: `service` finds the operation and its parameters (`rest`), asks quotas and faults, then the caller's
policies, and hands it to `writing` or `reading`. What a snapshot is stands in `snapshots`, its data lie in `blocks`.
"""
