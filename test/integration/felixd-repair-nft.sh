#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What somebody else deletes comes back: felixd-repair.sh, with nftables.
BACKEND=nftables
. "$(dirname "$0")/felixd-repair.sh"
