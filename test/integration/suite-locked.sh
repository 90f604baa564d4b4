#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A locked datastore: the plugin takes and gives back nothing, felixd leaves the kernel as it is, also when it starts under the lock; what was
# written meanwhile takes effect when the lock goes.
#
#     out ---- a: typhad ipamd felixd ---cali...--- pods
. "$(dirname "$0")/lib.sh"
ctl() { on a "$BUILD/calicoctl/calicoctl" "$@"; }
node a
node out; wire a out 10.0.0.0/30; ip -n a route add default via 10.0.0.2
start a typhad --datastore-path $W/ds/datastore.db
wait_for 10 listening /run/n/a/typhad/api.sock || fail "typhad starts"
ctl apply -f - >$W/apply.out 2>&1 <<Y || fail "pool and node are applied" "$(cat $W/apply.out)"
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: pool}
spec: {cidr: 10.65.0.0/24, ipipMode: Never, vxlanMode: Never, natOutgoing: false}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: a}
spec: {bgp: {ipv4Address: 10.0.0.1/24}}
Y
start a ipamd; start a felixd
wait_for 10 listening /run/n/a/ipamd/api.sock || fail "ipamd starts"
wait_for 10 listening /run/n/a/felixd/api.sock || fail "felixd starts"

cni() { # COMMAND POD
	printf '{"cniVersion":"1.0.0","name":"net","type":"calico","nodename":"a","run_dir":"/run/n/a","ipam":{"type":"calico-ipam"}}' |
		on a env CNI_COMMAND=$1 CNI_CONTAINERID=c-$2 CNI_NETNS=/run/netns/$2 CNI_IFNAME=eth0 CNI_PATH=/usr/lib/cni \
			CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=$2;K8S_POD_INFRA_CONTAINER_ID=c-$2" \
			timeout 60 "$BUILD/cni-plugin/calico" >$W/out 2>>$W/cni.log
}
refused() { ! cni $1 $2 && [ "$(jq -r '[.code, .msg] | join(" ")' $W/out)" = "11 Calico is currently not ready to process requests" ]; }
kernel() { on a iptables-legacy-save | grep -v '^#' | sed 's/\[[0-9:]*\]//'; ip -n a route; }
status() { ctl debug felixd health | jq -r '[.ready, .status] | join(" ")'; }
is() { [ "$(status)" = "$1" ]; }
counter() { ctl debug felixd health | jq -r ".counters.$1"; }
heard() { [ "$(counter updates)" -gt $1 ]; }
LOCKED="true the datastore is locked: the kernel keeps what it has"
STEP="true in sync with the datastore, the kernel is in step"

ip netns add one; ip netns add two
check "a pod" cni ADD one
ip=$(jq -r '.ips[0].address' $W/out); ip=${ip%/*}
ip -n out route add 10.65.0.0/24 via 10.0.0.1
reaches() { ip netns exec one ping -c1 -W1 10.0.0.2; }
check "reaches the world" reaches

expect "lock" "Datastore locked." "$(ctl datastore migrate lock)"
check "felixd hears of it, and is ready" wait_for 5 is "$LOCKED"
check "no pod is born" refused ADD two
check "none is buried" refused DEL one
expect "no address was taken" 1 "$(ctl ipam check | sed -n 's/IPAM blocks record \(.*\) allocations./\1/p')"
kernel >$W/before
updates=$(counter updates)
ctl apply -f - >$W/apply.out 2>&1 <<Y || fail "a policy is written" "$(cat $W/apply.out)"
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: silence}
spec: {selector: all(), types: [Egress]}
Y
check "felixd hears of a policy" wait_for 5 heard $updates
kernel >$W/after
check "and leaves the kernel as it is" cmp $W/before $W/after
check "the pod is as it was" reaches

stop a felixd; start a felixd
check "felixd starts under the lock" wait_for 10 is "$LOCKED"
kernel >$W/after
check "and leaves the kernel as it is, too" cmp $W/before $W/after

expect "unlock" "Datastore unlocked." "$(ctl datastore migrate unlock)"
check "felixd goes on" wait_for 10 is "$STEP"
silent() { ! reaches; }
check "the policy takes effect" wait_for 5 silent
ctl delete globalnetworkpolicy silence >/dev/null
check "a pod is born again" cni ADD two
check "and buried" cni DEL one
check "both" cni DEL two
expect "nothing is left" "0 0" "$(ip -n a -o link show type veth | grep -c ': cali') $(ctl get wep -A -o json | jq '.items | length')"
