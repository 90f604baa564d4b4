#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# `make demo` and `make demo-down`: it runs to its end, shows what it says it shows, and leaves nothing.
. "$(dirname "$0")/lib.sh"
. "$TOP/test/integration/suite.inc"
unset LAB LAB_DIR
if ! command -v ctr >/dev/null || [ ! -x /usr/lib/cni/loopback ]; then
	skip "the demo" "containerd or containernetworking-plugins is not installed"
	exit 0
fi
traces >$W/before
t=$(date +%s)
check "the demo runs" sh -c "test/lab/demo >$W/demo.out 2>$W/demo.err" || fail "it says why not" "$(tail -n 20 $W/demo.err $W/demo.out)"
took=$(($(date +%s) - t))
[ $took -lt 30 ] && ok "in less than thirty seconds" || fail "in less than thirty seconds" "$took s"
expect "it complains about nothing" "" "$(cat $W/demo.err)"
shows() { grep -qE -- "$2" $W/demo.out && ok "it shows $1" || fail "it shows $1" "$(cat $W/demo.out)"; }
shows "three nodes" '^node3 +\(64512\) +172\.30\.1\.13/24'
shows "the pool" '^default-ipv4-ippool +10\.244\.0\.0/16'
shows "six endpoints" '^node3-cni-default--web2-eth0 .* 10\.244\.[0-9.]+/32 '
shows "BGP" 'node-to-node mesh .*Established'
shows "a pod's route" '^10\.244\.[0-9.]+ dev cali[0-9a-f]{11} scope link'
shows "the local block" '^blackhole 10\.244\.[0-9.]+/26 proto bird'
shows "another node's block" '^10\.244\.[0-9.]+/26 via 172\.30\.1\.1[23] dev eth0 proto bird'
expect "everything of the first matrix is open" "30 30" "$(sed -n '/before any policy/,/# measured/p' $W/demo.out | grep -o 'tcp\|icmp' | sort | uniq -c | awk '{print $1}' |
	xargs | awk '{print $1 - 1, $2 - 1}')"
rows() { sed -n '/^And after/,/# measured/p' $W/demo.out | grep -E '^(frontend|client|backend|db|web1|web2) ' | sed 's/tcp icmp/both/g; s/  *$//; s/   */ /g'; }
expect "the second is the policies'" "frontend - both tcp x both both
client both - x x tcp tcp
backend both both - both both both
db x x x - x x
web1 both both x x - both
web2 both both x x both -" "$(rows)"
cp /run/percale-lab/demo/log/*.log $W/ 2>/dev/null
check "demo --down" test/lab/demo --down
same() { traces >$W/after; diff -u $W/before $W/after; }
check "nothing is left of it" wait_for 5 same
