#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# calicoctl policy explain against the kernel: policy-explain.sh, with nftables.
BACKEND=nftables
. "$(dirname "$0")/policy-explain.sh"
