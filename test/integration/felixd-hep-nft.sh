#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Host endpoints: felixd-hep.sh, with nftables.
BACKEND=nftables
. "$(dirname "$0")/felixd-hep.sh"
