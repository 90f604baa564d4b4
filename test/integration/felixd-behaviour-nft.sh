#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The table of connectivity cases in felixd-behaviour.cases, felt by real packets, with nftables.
BACKEND=nftables
. "$(dirname "$0")/lib.sh"
. "$TOP/test/integration/felixd-behaviour.inc"
