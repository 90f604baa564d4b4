#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The lab's own face: every verb, what each refuses and in which words, two labs at once, and that nothing is left of them.
. "$(dirname "$0")/lib.sh"
LAB_NAME=one
. "$TOP/test/integration/suite.inc"

# refuses WORDS ARGS...: exit status 1, WORDS on standard error, nothing on standard output
refuses() {
	_words=$1; shift
	_rc=0; lab "$@" >$W/out 2>$W/err || _rc=$?
	[ $_rc = 1 ] && grep -qF -- "$_words" $W/err && [ ! -s $W/out ] && ok "lab $*: refused" ||
		fail "lab $*: refused with '$_words'" "status $_rc
$(cat $W/out $W/err)"
}
# prints PATTERN ARGS...: exit status 0, a line that matches
prints() {
	_pattern=$1; shift
	_rc=0; lab "$@" >$W/out 2>$W/err || _rc=$?
	[ $_rc = 0 ] && grep -qE -- "$_pattern" $W/out && ok "lab $*" || fail "lab $*: prints '$_pattern'" "status $_rc
$(cat $W/out $W/err)"
}
traces >$W/before

# ---- before there is one
prints '^usage: lab' --help
lab >$W/out 2>&1; expect "without a verb: the usage, and status 2" "2 1" "$? $(grep -c '^usage' $W/out)"
refuses "'fly' is not a verb" fly
refuses "--name needs a value" --name
refuses "name 'Big_Lab'" --name Big_Lab up
refuses "name 'a-name-that-is-long'" --name a-name-that-is-long up
for v in status "pod list" "pod add node1 p" "pod del p" "exec node1 -- true" "calicoctl get nodes"; do
	# shellcheck disable=SC2086
	refuses "no lab 'one' is up (lab up)" $v
done
lab down >$W/out 2>&1; expect "down of nothing is fine" "0 lab: no lab 'one' is up" "$? $(cat $W/out)"
refuses "--datastore kubernetes: 'embedded' and 'etcd' exist" up --datastore kubernetes
refuses "--encap ipip: only 'none' exists yet" up --encap ipip
refuses "--encap vxlan: only 'none' exists yet" up --encap vxlan
refuses "--cross-subnet: encapsulation does not exist yet" up --cross-subnet
refuses "--dataplane ebpf: 'iptables' and 'nftables' exist" up --dataplane ebpf
refuses "--nodes 0: 1 to 200" up --nodes 0
refuses "--nodes many: 1 to 200" up --nodes many
refuses "--nodes needs a value" up --nodes
refuses "--subnets 17: 1 to 16" up --subnets 17
refuses "--pool nonsense" up --pool nonsense
refuses "--pool 10.0.0.0/40" up --pool 10.0.0.0/40
refuses "--pool 10.0.0.1/16" up --pool 10.0.0.1/16
refuses "'--colour' is not an option" up --colour
BUILD=/nowhere refuses "/nowhere/typhad/typhad is missing (make)" up
traces >$W/after
check "a refusal leaves nothing" diff -u $W/before $W/after

# ---- two at once: one with two subnets, one without a mesh and with a pool of its own
check "up --nodes 2 --subnets 2" lab up --nodes 2 --subnets 2 --datastore embedded --encap none --dataplane nftables
check "another, by --name" lab --name two up --nodes 2 --pool 10.99.0.0/24 --no-mesh
refuses "lab 'one' is up already (lab down)" up
prints '^node2 +ready +ready +ready +ready +ready' status
prints '^node1 +ready' --name=two status
expect "the first lab's nodes are in two subnets" "172.30.1.11/24 172.30.2.12/24" "$(lab calicoctl get nodes -o json | jq -r '.items[].spec.bgp.ipv4Address' | xargs)"
expect "the second lab's pool" 10.99.0.0/24 "$(lab --name two calicoctl get ippools -o json | jq -r '.items[].spec.cidr')"
expect "the second has no sessions" "" "$(lab --name two exec node1 -- calicoctl node status | grep -E '172\.30|Established')"
expect "the first has" 1 "$(lab exec node1 -- calicoctl node status | grep -c Established)"

# ---- pods
prints '^p1: 10\.244\.[0-9.]+/32 on node1$' pod add node1 p1 --label app=x --label tier=y --namespace shop
prints '^p2: 10\.244\.[0-9.]+/32 on node2$' pod add node2 p2
prints '^p1: 10\.99\.0\.[0-9]+/32 on node1$' --name two pod add node1 p1
refuses "pod 'p1' exists" pod add node1 p1
refuses "no node 'node9'; there are: node1 node2" pod add node9 p3
refuses "pod name 'P_3'" pod add node1 P_3
refuses "--label 'x': K=V, please" pod add node1 p3 --label x
refuses "--label needs a value" pod add node1 p3 --label
refuses "--namespace needs a value" pod add node1 p3 --namespace
refuses "--annotation: the plugin reads none yet" pod add node1 p3 --annotation a=b
refuses "'--colour' is not an option" pod add node1 p3 --colour
refuses "pod add NODE POD" pod add node1
refuses "no pod 'p3'" pod del p3
refuses "pod del POD" pod del
refuses "pod add, pod del or pod list" pod rename p1 p3
prints '^p1 +shop +node1 +10\.244\.[0-9.]+/32 +app=x,tier=y$' pod list
expect "the other lab lists its own" "p1 default" "$(lab --name two pod list | awk 'NR > 1 {print $1, $2}')"
expect "labels and namespace are the endpoint's" "shop x y" "$(lab calicoctl get workloadendpoints -A -o json |
	jq -r '.items[] | select(.spec.pod == "p1") | [.metadata.namespace, .metadata.labels.app, .metadata.labels.tier] | join(" ")')"

# ---- exec, calicoctl
prints '172\.30\.1\.11/24' exec node1 -- ip -4 addr show dev eth0
prints 'default via 169\.254\.1\.1' exec p1 -- ip route
prints '172\.30\.1\.1/24' exec fabric -- ip -4 addr
prints '^node1 /run/lab/one/n/node1$' exec node1 -- sh -c 'echo $NODENAME $CALICO_RUN_DIR'
check "nodes reach each other across subnets" lab exec node1 -- ping -n -q -c 1 -W 2 172.30.2.12
check "and a pod the other's node" lab exec p1 -- ping -n -q -c 1 -W 2 172.30.2.12
refuses "no node or pod 'p9'" exec p9 -- true
refuses "exec NODE|POD -- COMMAND..." exec
refuses "exec NODE|POD -- COMMAND..." exec p1
refuses "exec NODE|POD -- COMMAND..." exec p1 --
lab exec p1 -- sh -c 'exit 7'; expect "exec's status is the command's" 7 $?
lab calicoctl get nodes no-such >$W/out 2>&1; expect "calicoctl's status is calicoctl's" 1 $?

# ---- status tells, and so do those who ask
kill -KILL "$(daemon_pid node2 confd)"
lab status >$W/out 2>&1; expect "status exits with 1 when a daemon is down" "1 down" "$? $(awk '$1 == "node2" {print $6}' $W/out)"

# ---- down, with a pod in use and a daemon that is dead
lab exec p1 -- sleep 1000 &
cp $LAB_DIR/one/log/*.log $W/
prints '^p2: deleted$' pod del p2
check "down" lab down
check "the other lab lives" lab --name two status
refuses "no lab 'one' is up (lab up)" status
check "LAB names it, too" env LAB=two test/lab/lab down
same() { traces >$W/after; diff -u $W/before $W/after; }
check "nothing is left of either" wait_for 5 same
