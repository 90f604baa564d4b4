#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The cluster that the demo shows: what calicoctl lists, what BGP carries, what stands in a node's routing table, who reaches whom before and after
# policies, what the world outside sees of a pod, what a hostile pod can do, and that nothing of it is left.
#
#           fabric: outside 172.30.1.1
#          /            |            \
#      node1          node2          node3
#    frontend client  backend web    db
. "$(dirname "$0")/lib.sh"
. "$TOP/test/integration/suite.inc"
PODS='frontend client backend web db'
traces >$W/before

check "three nodes come up" lab up --nodes 3 || exit 1
check "the cluster's manifests are applied" lab calicoctl apply -f test/lab/manifests/10-cluster.yaml
while read -r pod node tier; do
	check "pod $pod on $node" lab pod add "$node" "$pod" --label "app=$pod" --label "tier=$tier"
	serve "$pod" 8080
done <<P
frontend node1 front
client   node1 front
backend  node2 back
web      node2 web
db       node3 back
P
check "every daemon of every node is ready" lab status

# ---- what calicoctl lists
expect "nodes" "node1 (64512) 172.30.1.11/24
node2 (64512) 172.30.1.12/24
node3 (64512) 172.30.1.13/24" "$(ctl get nodes -o wide | awk 'NR > 1 && NF {print $1, $2, $3}')"
expect "pools" "default-ipv4-ippool 10.244.0.0/16 true Never Never" \
	"$(ctl get ippools -o wide | awk 'NR > 1 && NF {print $1, $2, $3, $4, $5}')"
for p in $PODS; do echo "default $p $(cat $D/pod/$p/node) $(address $p)/32"; done | sort >$W/wanted
expect "workload endpoints, each with its address, on its node" "$(cat $W/wanted)" \
	"$(ctl get workloadendpoints -A -o json | jq -r '.items[] | [.metadata.namespace, .spec.pod, .spec.node, .spec.ipNetworks[0]] | join(" ")' | sort)"
expect "their labels" front "$(ctl get workloadendpoints -A -o json | jq -r '.items[] | select(.spec.pod == "client").metadata.labels.tier')"
for n in node1 node2 node3; do
	expect "BGP is established on $n with both others" "$(for i in 11 12 13; do [ node$((i - 10)) = $n ] || echo 172.30.1.$i; done)" \
		"$(lab exec $n -- calicoctl node status | awk -F'|' '/Established/ {gsub(/ /, "", $2); print $2}' | sort)"
done

# ---- what stands in a node's table
blocks() { lab exec $1 -- calicoctl debug ipamd dump blocks | jq -r '.. | objects | select(.own? == true).cidr'; }
for n in node1 node2 node3; do
	for p in $PODS; do
		[ "$(cat $D/pod/$p/node)" = $n ] || continue
		expect "$n has the route of $p on its interface" "$(address $p) dev cali$(printf default.$p | sha1sum | cut -c1-11) scope link metric 1024" \
			"$(in_lab $n ip route show "$(address $p)/32" | sed 's/ *$//')"
	done
	expect "$n has as many endpoints' routes as pods" "$(grep -l $n $D/pod/*/node | wc -l)" "$(in_lab $n ip route | grep -c 'dev cali')"
	for b in $(blocks $n); do
		expect "$n has a blackhole for its block" "blackhole $b proto bird" \
			"$(in_lab $n ip route show "$b" | sed 's/ metric [0-9]*//; s/ *$//')"
	done
	for o in node1 node2 node3; do
		[ $o != $n ] || continue
		for b in $(blocks $o); do
			expect "$n has the block of $o" "$b via 172.30.1.1${o#node} dev eth0 proto bird" \
				"$(in_lab $n ip route show "$b" | sed 's/ metric [0-9]*//; s/ *$//')"
		done
	done
	expect "and no other route of BGP" 3 "$(in_lab $n ip route show proto bird | wc -l)"
done
expect "each node has one block of 64" "3 26" "$(for n in node1 node2 node3; do blocks $n; done | sed 's|.*/||' | sort | uniq -c | xargs)"

# ---- who reaches whom: by TCP (the server sees the pod's own address) and by ICMP
probe() {
	_t=-; _i=-
	_seen=$(asks "$1" "$(address "$2")" 8080) && [ "$_seen" = "$(address "$1")" ] && _t=tcp
	pings "$1" "$(address "$2")" >/dev/null 2>&1 && _i=icmp
	echo "$1 $2 $_t $_i" >$W/probe.$1.$2
}
matrix() {
	_pids=
	for _from in $PODS; do
		for _to in $PODS; do
			[ $_from = $_to ] || { probe $_from $_to & _pids="$_pids $!"; }
		done
	done
	# shellcheck disable=SC2086
	wait $_pids
	cat $W/probe.* | sort
}
# wanted RULES: "from to tcp icmp" lines with * for any; the first that matches says what is expected
wanted() {
	for _from in $PODS; do
		for _to in $PODS; do
			[ $_from = $_to ] || echo "$1" | awk -v f=$_from -v t=$_to '($1 == f || $1 == "*") && ($2 == t || $2 == "*") {print f, t, $3, $4; exit}'
		done
	done | sort
}
expect "before any policy, everyone reaches everyone" "$(wanted '* * tcp icmp')" "$(matrix)"
check "policies are applied" lab calicoctl apply -f test/lab/manifests/20-policy.yaml
AFTER='db * - -
frontend backend tcp -
* backend - -
backend db tcp icmp
* db - -
client web tcp -
* * tcp icmp'
holds() { matrix >$W/now; wanted "$AFTER" | diff -u - $W/now; }
wait_for 3 holds && ok "and what they say, no more and no less, holds soon"
expect "it goes on holding" "$(wanted "$AFTER")" "$(matrix)"
check "policies are deleted" lab calicoctl delete -f test/lab/manifests/20-policy.yaml
all() { matrix >$W/now; wanted '* * tcp icmp' | diff -u - $W/now; }
wait_for 3 all && ok "without them everyone reaches everyone again" || fail "without them everyone reaches everyone again"

# ---- the world outside
serve fabric 9000
expect "outside sees the node's address, not the pod's" 172.30.1.11 "$(asks client 172.30.1.1 9000)"
expect "and so for a pod of another node" 172.30.1.13 "$(asks db 172.30.1.1 9000)"
check "outside answers pings" pings client 172.30.1.1
ctl get ippool default-ipv4-ippool -o json | jq 'del(.items) | .spec.natOutgoing = false' | ctl apply -f - >/dev/null
plain() { [ "$(asks client 172.30.1.1 9000)" != 172.30.1.11 ]; }
wait_for 3 plain && ok "without natOutgoing it is not rewritten" || fail "without natOutgoing it is not rewritten"
ctl get ippool default-ipv4-ippool -o json | jq '.spec.natOutgoing = true' | ctl apply -f - >/dev/null
nat() { [ "$(asks client 172.30.1.1 9000)" = 172.30.1.11 ]; }
wait_for 3 nat && ok "and with it, again" || fail "and with it, again"

# ---- a pod and its own host
for n in node1 node2; do serve $n 9000; done
asks client 172.30.1.11 9000 >/dev/null && fail "a pod may not connect to its own host" || ok "a pod may not connect to its own host"
pings client 172.30.1.11 >/dev/null && fail "nor ping it" || ok "nor ping it"
expect "the host reaches its pod" "$(address client)" "$(in_lab node1 ping -n -c1 -W1 "$(address client)" | sed -n 's/.*bytes from \([0-9.]*\).*/\1/p')"
check "also by TCP" asks node1 "$(address client)" 8080
expect "another host is outside, and is reached" 172.30.1.11 "$(asks client 172.30.1.12 9000)"

# ---- a hostile pod: nothing passes under another's address. The pod that is spoken to counts what arrives.
in_lab web iptables-legacy -A INPUT -p udp --dport 7777 -j ACCEPT
arrived() { in_lab web iptables-legacy -L INPUT -v -x -n | awk '/dpt:7777/ {print $1}'; }
cat >$W/send.py <<'P'
import socket, sys
source, to = sys.argv[1:3]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((source, 0))
for i in range(20):
    s.sendto(b"x" * 10, (to, 7777))
P
web=$(address web)
from() {
	in_lab client ip addr add "$1/32" dev lo 2>/dev/null
	in_lab client python3 $W/send.py "$1" "$web"
	[ "$1" = "$(address client)" ] || in_lab client ip addr del "$1/32" dev lo
}
spoofed() { in_lab node1 iptables-legacy -t raw -L -v -x -n | awk '/rpfilter.*invert/ || /rpfilter.*DROP/ {n += $1} END {print n + 0}'; }
arrive() { from "$(address client)"; [ "$(arrived)" -ge "$1" ]; }
wait_for 3 arrive 20 && ok "under its own address packets arrive" || fail "under its own address packets arrive"
n=$(arrived)
for a in "frontend's $(address frontend)" "backend's $(address backend)" "a_stranger's 198.51.100.7" "its_host's 172.30.1.11" "the_gateway's 169.254.1.1"; do
	dropped=$(spoofed)
	from "${a#* }"
	arrive $((n + 20)) || fail "the pod still sends"
	expect "under ${a%% *} address packets are dropped at the door" 20 $(($(spoofed) - dropped))
	expect "under ${a%% *} address nothing arrives" $((n + 20)) "$(arrived)"
	n=$(arrived)
done
# What is wrapped up is not looked into: IPIP (protocol 4) and VXLAN from a pod are dropped whatever the policy.
cat >$W/wrap.py <<'P'
import socket, sys
src, to = sys.argv[1:3]
r = socket.socket(socket.AF_INET, socket.SOCK_RAW, 4)
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(20):
    r.sendto(bytes.fromhex("4500001c000000004011") + b"\0\0" + socket.inet_aton(src) + socket.inet_aton(to) + bytes.fromhex("1e611e6100080000"), (to, 0))
    u.sendto(b"\x08" + b"\0" * 40, (to, 4789))
P
in_lab web iptables-legacy -A INPUT -p 4 -j ACCEPT
in_lab web iptables-legacy -A INPUT -p udp --dport 4789 -j ACCEPT
wrapped() { in_lab node1 iptables-legacy -t filter -L -v -x -n | awk '/encapped packets/ && $3 == "DROP" {n += $1} END {print n + 0}'; }
dropped=$(wrapped)
in_lab client python3 $W/wrap.py "$(address frontend)" "$web"
arrive $((n + 20)) || fail "the pod still sends"
expect "encapsulated packets of a pod are dropped at the door" 40 $(($(wrapped) - dropped))
expect "and do not arrive" "0 0" "$(in_lab web iptables-legacy -L INPUT -v -x -n | awk '$4 == 4 || $4 == "ipencap" || /dpt:4789/ {print $1}' | xargs)"

# ---- nothing is left
jobs -p >$W/jobs
# shellcheck disable=SC2046
kill $(cat $W/jobs) 2>/dev/null
wait
check "the lab goes away" lab_down
traces >$W/after
check "nothing is left of it" diff -u $W/before $W/after
