#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A fourth node joins three, and leaves them: every mesh knows within a second (what it took is told), its routes come and go, and traffic of the others
# does not notice. Without the mesh there are no sessions; with it, they are back.
#
#     node1   node2   node3  (node4)
#       \       |       |      /
#        \------ fabric ------/
. "$(dirname "$0")/lib.sh"
. "$TOP/test/integration/suite.inc"
DEADLINE=5 # for a loaded machine; what is expected is under a second

check "three nodes come up" lab up --nodes 3 || exit 1
for i in 1 2 3; do check "a pod on node$i" lab pod add node$i p$i; done
ms() { echo $(($(date +%s%N) / 1000000)); }
# within NAME SINCE COMMAND: ok when COMMAND succeeds before the deadline; says after how long
within() {
	_name=$1 _since=$2; shift 2
	wait_for $DEADLINE "$@" && ok "$_name" || fail "$_name"
	echo "#   $_name: after $(($(ms) - _since)) ms"
}
peers() { lab exec "$1" -- calicoctl node status | awk -F'|' '/172\.30/ {gsub(/ /, "", $2); print $2}' | sort | xargs; }
established() { lab exec "$1" -- calicoctl node status | awk -F'|' '/Established/ {gsub(/ /, "", $2); print $2}' | sort | xargs; }
each() { # NODES COMMAND...: for each of them
	_nodes=$1; shift
	for _n in $_nodes; do "$@" "$_n" || return 1; done
}
configured() { grep -qF "address $1;" "$D/n/$2/bgpd/bgpd.conf"; }
not_configured() { ! configured "$@"; }
session() { established "$2" | grep -qw "$1"; }
routed() { in_lab "$2" ip route show proto bird | grep -q "^$1 via"; }
not_routed() { ! routed "$@"; }
block_of() { lab exec "$1" -- calicoctl debug ipamd dump blocks | jq -r '.. | objects | select(.own? == true).cidr'; }
reaches() { pings "$2" "$(address "$1")" >/dev/null; }

nsenter --net="$(netns_path p1)" ping -n -q -f -w 50 "$(address p2)" >$W/ping 2>&1 &
flood=$!

# ---- node4 joins
mkdir -p $D/n/node4
ln -s ../../typhad/typhad $D/n/node4/typhad
ip netns add $LAB-node4
in_lab fabric ip link add node4 type veth peer name eth0 netns $LAB-node4
in_lab fabric ip link set node4 master br1 up
in_lab node4 sh -ec 'ip link set lo up; ip addr add 172.30.1.14/24 dev eth0; ip link set eth0 up; ip route add default via 172.30.1.1
	sysctl -qw net.ipv4.ip_forward=1'
daemons='felixd ipamd bgpd confd noded'
for d in $daemons; do
	printf '%s\n' "CALICO_RUN_DIR=$D/n/node4" NODENAME=node4 NO_DEFAULT_POOLS=true "XTABLES_LOCKFILE=$D/n/node4/xtables.lock" >$W/env.node4.$d
done
for d in felixd ipamd bgpd confd; do begin node4 $d; done
in_datastore() { ctl get node node4; }
in_datastore >/dev/null 2>&1 && fail "node4 is not there before its noded says so"
begin node4 noded
wait_for $DEADLINE in_datastore
t=$(ms)
within "a node that joins is in every mesh" $t each 'node1 node2 node3' configured 172.30.1.14
within "and every node in its own" $t each '172.30.1.11 172.30.1.12 172.30.1.13' sh -c 'grep -qF "address $2;" '"$D/n/node4/bgpd/bgpd.conf" sh ''
within "its sessions are established, on both sides" $t each 'node1 node2 node3' session 172.30.1.14
expect "all of them" "172.30.1.11 172.30.1.12 172.30.1.13" "$(established node4)"
for n in node1 node2 node3; do
	b=$(block_of $n)
	within "the block of $n is routed on it" $t routed "$b" node4
done
check "a pod on it" lab pod add node4 p4
t=$(ms)
block4=$(block_of node4)
within "its block is routed on all others" $t each 'node1 node2 node3' routed "$block4"
check "pods of all others reach it" each 'p1 p2 p3' reaches p4
check "it is ready like the others" lab status
expect "it is listed" "node1 node2 node3 node4" "$(ctl get nodes -o json | jq -r '.items[].metadata.name' | xargs)"

# ---- node4 leaves: its machine is gone, then an operator deletes it
check "its pod goes" lab pod del p4
for d in $daemons; do end node4 $d KILL; done
check "a node that merely vanished keeps its routes: it may come back" each 'node1 node2 node3' routed "$block4"
t=$(ms)
check "the Node is deleted" ctl delete node node4
within "a node that leaves is out of every mesh" $t each 'node1 node2 node3' not_configured 172.30.1.14
within "and its route is gone everywhere" $t each 'node1 node2 node3' not_routed "$block4"
expect "nobody speaks with it" "" "$(for n in node1 node2 node3; do peers $n; done | tr ' ' '\n' | grep -w 172.30.1.14)"
# shellcheck disable=SC2329
no_block() { ! lab exec node1 -- calicoctl debug ipamd dump blocks | grep -q "$block4"; }
within "its block is free" $t no_block

# ---- no mesh, and the mesh again
mesh() { ctl get bgpconfiguration default -o json | jq ".spec.nodeToNodeMeshEnabled = $1" | ctl apply -f -; }
silent() { [ -z "$(peers "$1")" ]; }
no_foreign() { ! in_lab "$1" ip route show proto bird | grep -q via; }
all_established() { [ "$(established "$1" | wc -w)" = 2 ]; }
all_routed() { [ "$(in_lab "$1" ip route show proto bird | grep -c via)" = 2 ]; }
kill -INT $flood
wait $flood
# shellcheck disable=SC2046
set -- $(sed -n 's/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 \2/p' $W/ping)
[ "${1:-0}" -gt 100 ] && [ $(($1 - $2)) -le 1 ] && ok "the others' traffic has not noticed ($1 pings)" || fail "the others' traffic has not noticed" "$(cat $W/ping)"
t=$(ms)
mesh false >$W/apply.out 2>&1 || fail "the mesh is switched off" "$(cat $W/apply.out)"
within "without the mesh no session is left" $t each 'node1 node2 node3' silent
within "and no route of others" $t each 'node1 node2 node3' no_foreign
expect "a node's own block stays" 3 "$(for n in node1 node2 node3; do in_lab $n ip route show proto bird; done | grep -c '^blackhole')"
t=$(ms)
mesh true >$W/apply.out 2>&1 || fail "the mesh is switched on" "$(cat $W/apply.out)"
within "with it they are back" $t each 'node1 node2 node3' all_established
within "with their routes" $t each 'node1 node2 node3' all_routed
check "and pods reach each other" reaches p3 p1
check "the lab goes away" lab_down
