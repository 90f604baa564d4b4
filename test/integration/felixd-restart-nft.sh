#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Restarts under load lose nothing and write nothing: felixd-restart.sh, with nftables.
BACKEND=nftables
. "$(dirname "$0")/felixd-restart.sh"
