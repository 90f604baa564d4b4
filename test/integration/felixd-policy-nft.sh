#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Every match and action of a policy, felt by real packets: felixd-policy.sh, with nftables.
BACKEND=nftables
. "$(dirname "$0")/felixd-policy.sh"
