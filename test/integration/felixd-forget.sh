#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Connections of a pod that has left are forgotten, and never help the one that gets its address: not when it comes at once, and not
# when felixd was not there to see the first one leave.
#
#      b 10.65.0.12 --calib-- h --calic-- 10.65.0.13 c, and after it d, of the same address, to whom all is forbidden
. "$(dirname "$0")/lib.sh"
. "$TOP/test/integration/felixd.inc"
B=10.65.0.12 C=10.65.0.13
client() { "$BUILD/test/integration/felixd_client" /run/n/h "$@"; }
# program POD LABEL REVISION: the plugin's request for a pod whose address is C
program() {
	client program default "h-k8s-$1-eth0" "$3" 5000 "$(printf '{"metadata":{"labels":{"app":"%s"}},"spec":{"orchestrator":"k8s","node":"h","containerID":"%s","pod":"%s","endpoint":"eth0","ipNetworks":["%s/32"],"mac":"02:00:00:00:00:13","profiles":["open"],"interfaceName":"cali%s"}}' "$2" "$1" "$1" $C "$1")"
}
remove() { client remove default "h-k8s-$1-eth0" 5000; }
# attach POD: a namespace with C's address, as the CNI plugin leaves it
attach() {
	ip netns add "$1"
	ip -n h link add "cali$1" type veth peer name eth0 netns "$1"
	ip -n h link set "cali$1" address ee:ee:ee:ee:ee:ee up
	ip -n "$1" link set eth0 address 02:00:00:00:00:13 up
	ip -n "$1" addr add $C/32 dev eth0
	ip -n "$1" route add 169.254.1.1 dev eth0 scope link
	ip -n "$1" route add default via 169.254.1.1
}
# talk POD WORD: b echoes it; always over the one connection from port 5000
talk() { [ "$(echo "$2" | on "$1" timeout 1 socat -t0.3 - "UDP:$B:7,sourceport=5000,reuseaddr" 2>/dev/null)" = "$2" ]; }
tracked() { on h conntrack -L 2>/dev/null | grep -q "src=$1 .*sport=5000"; }
heard() { on b awk '/^Udp: [0-9]/ { print $2 + $3 }' /proc/net/snmp; }

host
pod b $B
{
	open_profile
	wep b $B 'app: b'
	cat <<-E
	---
	apiVersion: projectcalico.org/v3
	kind: GlobalNetworkPolicy
	metadata: {name: silent}
	spec: {selector: "app == 'silent'", types: [Ingress, Egress]}
	---
	apiVersion: projectcalico.org/v3
	kind: IPPool
	metadata: {name: pods}
	spec: {cidr: 10.65.0.0/16, natOutgoing: true, ipipMode: Never, vxlanMode: Never}
	E
} | apply
check "b reaches the kernel" wait_for 10 up 1

# ---- after a removal
attach c
expect "c is programmed" done "$(program c loud 1000)"
check "c and b talk" wait_for 5 talk c hello
check "... over a connection that is known" tracked $C
expect "c goes" done "$(remove c)"
check "its connections are forgotten soon" wait_for 5 not tracked $C

# ---- the address goes from c to d in one moment
expect "c comes back" done "$(program c loud 1001)"
check "c and b talk again" wait_for 5 talk c hello
check "... over a connection that is known" tracked $C
attach d
before=$(heard)
expect "c goes, d comes" "done done" "$(remove c) $(program d silent 2000)"
check "d has nothing of c's connections when it is said to be programmed" not tracked $C
closes "d's packets do not pass" talk d stolen
expect "b has not heard a word of it" "$before" "$(heard)"
expect "d goes" done "$(remove d)"
ip -n h link del calid
ip netns del d

# ---- felixd is away while c leaves
expect "c comes back" done "$(program c loud 3000)"
check "c and b talk again" wait_for 5 talk c hello
pod a 10.65.0.11
wep a 10.65.0.11 'app: a' | apply
check "a reaches the kernel" wait_for 5 up 3
check "a and b talk" wait_for 5 talk a hello
stop h felixd KILL 2>/dev/null
ip -n h link del calic
check "c's connection outlives felixd and c" tracked $C
attach d
before=$(heard)
start h felixd
wait_for 10 listening /run/n/h/felixd/api.sock || fail "felixd starts"
check "felixd is back" wait_for 10 up 2
expect "d comes" done "$(program d silent 4000)"
check "d has nothing of c's connections when it is said to be programmed" not tracked $C
closes "d's packets do not pass" talk d stolen
expect "b has not heard a word of it" "$before" "$(heard)"
check "a's connection has outlived all that" tracked 10.65.0.11
expect "the kernel refused nothing" 0 "$(counter failures)"
