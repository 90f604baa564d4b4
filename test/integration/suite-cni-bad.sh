#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The plugin on a node of the lab: broken configurations of every kind, two ADDs of one container at once, ADD and DEL at once, and an ADD that fails at each
# of its stages. A refusal is one JSON object with the right code; an ADD that failed has left nothing, in the kernel or in the datastore.
# (test/integration/cni-story.sh has the plain story: one fault at a time, one call after the other.)
. "$(dirname "$0")/lib.sh"
. "$TOP/test/integration/suite.inc"
check "a node with a pool of 64 addresses" lab up --nodes 1 --pool 10.244.0.0/26 || exit 1
check "a neighbour" lab pod add node1 peer
CONFIG=$(jq -c --arg run "$D/n/node1" '. + {nodename: "node1", run_dir: $run}' $D/cni.json)

# call COMMAND CONTAINER [CONFIG [FILE]]: the plugin for container CONTAINER, whose namespace is pod-CONTAINER
call() {
	_args="IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=$2"
	printf '%s' "${3-$CONFIG}" | in_lab node1 env CALICO_RUN_DIR=$D/n/node1 NODENAME=node1 CNI_COMMAND="$1" CNI_CONTAINERID="$2" \
		CNI_NETNS="${NETNS-/run/netns/pod-$2}" CNI_IFNAME=eth0 CNI_PATH=/usr/lib/cni CALICO_CNI_TIMEOUT=5 CNI_ARGS="${ARGS-$_args}" \
		timeout 60 env ${UNSET:+-u "$UNSET"} "$BUILD/cni-plugin/calico" >"${4:-$W/out}" 2>>$W/cni.log
}
for c in x y z; do ip netns add pod-$c; done

# Everything that an ADD may leave, on one page.
state() {
	echo "links: $(in_lab node1 ip -o link | sed 's/^[0-9]*: \([^:@]*\).*/\1/' | xargs)"
	in_lab node1 ip -4 route show table all | grep -v broadcast | sed 's/ *$//' | sort
	in_lab node1 ip neigh show nud permanent
	in_lab node1 iptables-legacy-save | sed '/^#/d; s/\[[0-9]*:[0-9]*\]//'
	in_lab node1 ipset save | sort
	echo "endpoints: $(ctl get workloadendpoints -A -o json | jq -r '.items[].metadata.name' | sort | xargs)"
	echo "handles: $(lab exec node1 -- calicoctl debug ipamd dump handles | jq -cS .)"
	echo "stored: $(sqlite3 $D/datastore.db "SELECT key FROM object WHERE key LIKE '/calico/ipam/v2/handle/%'" | sort | xargs)"
	for _c in x y z; do ip netns exec pod-$_c ip -o link | sed "s/^[0-9]*: \([^:@]*\).*/pod-$_c: \1/"; done
}
clean() { state >$W/now; diff -u $W/clean $W/now; }
state >$W/clean
# refused CODE NAME: what the last call printed
refused() {
	expect "$2: refused, code $1, with a sentence" "$1 true 1.0.0" "$(jq -r '[.code, (.msg | length > 5), .cniVersion] | map(tostring) | join(" ")' $W/out 2>&1)"
}

# ---- broken configurations
while IFS='|' read -r code what filter; do
	call ADD x "$(printf '%s' "$CONFIG" | jq -c "$filter")" && fail "$what: ADD succeeds"
	refused "$code" "$what"
done <<'C'
7|a number for the name|.name = 5
7|an empty name|.name = ""
7|a name with a slash|.name = "a/b"
7|no ipam|del(.ipam)
7|ipam is a word|.ipam = "calico-ipam"
7|no type in ipam|.ipam = {}
7|a word for the MTU|.mtu = "large"
7|a negative MTU|.mtu = -1
7|an MTU beyond sense|.mtu = 70000
7|pools that are no list|.ipam.ipv4_pools = "default-ipv4-ippool"
7|a pool that is no word|.ipam.ipv4_pools = [7]
7|labels that are no list|.args.cni.labels = {"app": "x"}
7|a label without a key|.args.cni.labels = [{"value": "x"}]
7|a run directory that is a number|.run_dir = 1
C
printf '%s' "$CONFIG" | head -c 40 >$W/half
call ADD x "$(cat $W/half)" && fail "half a configuration: ADD succeeds"
expect "half a configuration: code 6" 6 "$(jq -r .code $W/out)"
call ADD x "" && fail "no configuration: ADD succeeds"
expect "no configuration: code 6" 6 "$(jq -r .code $W/out)"
call ADD x "$(awk 'BEGIN { for (i = 0; i < 5000; i++) printf "[" }')" && fail "brackets: ADD succeeds"
expect "five thousand brackets: code 6" 6 "$(jq -r .code $W/out)"
head -c 2000000 /dev/zero | tr '\0' ' ' >$W/big
call ADD x "$(cat $W/big)x" 2>/dev/null && fail "2 MB: ADD succeeds"
for v in CNI_CONTAINERID CNI_NETNS CNI_IFNAME; do
	UNSET=$v call ADD x && fail "without $v: ADD succeeds"
	expect "without $v: code 4, and it is named" "4 1" "$(jq -r .code $W/out) $(jq -r .msg $W/out | grep -c $v)"
done
call ADD x "$(printf '%s' "$CONFIG" | jq -c '.ipam.ipv4_pools = ["10.77.0.0/16"]')" && fail "an unknown pool: ADD succeeds"
[ "$(jq -r .msg $W/out | grep -c '10.77.0.0/16')" = 1 ] && ok "a pool that is not there: named" || fail "a pool that is not there: named" "$(cat $W/out)"
ARGS='IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=x;IP=192.0.2.1' call ADD x && fail "an address of no pool: ADD succeeds"
ARGS='IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=x;IP=word' call ADD x && fail "IP=word: ADD succeeds"
check "after all these, there is what there was" clean || exit 1

# ---- a namespace that goes away while ADD is under way has gone away
for i in 1 2 3 4 5; do
	ip netns add pod-w$i
	call ADD w$i "$CONFIG" $W/w.out & p=$!
	ip netns del pod-w$i
	wait $p && { NETNS='' call DEL w$i || fail "DEL of w$i" "$(cat $W/out)"; }
done
check "a namespace that goes while it is attached: nothing stays" wait_for 10 clean

# ---- two ADDs of one container at once, and DEL beside ADD
for i in 1 2 3 4 5; do
	call ADD x "$CONFIG" $W/one & p1=$!
	call ADD x "$CONFIG" $W/two & p2=$!
	# They take turns: the second finds the first's pair and replaces it.
	wait $p1 || fail "the first of two ADDs at once" "$(cat $W/one)"
	wait $p2 || fail "the second of two ADDs at once" "$(cat $W/two)"
	# Whatever came of them, the runtime's next ADD or DEL finds its way.
	call ADD x || fail "ADD after two at once" "$(cat $W/out)"
	a=$(jq -r '.ips[0].address' $W/out)
	[ "$(ip netns exec pod-x ip -4 -o addr show dev eth0 | awk '{print $4}')" = "$a" ] &&
		[ "$(in_lab node1 ip -o link | grep -c ': cali')" = 2 ] &&
		[ "$(lab exec node1 -- calicoctl debug ipamd dump handles | grep -c "${a%/*}\"")" = 1 ] || fail "one pair, one address" "$(state)"
	ip netns exec pod-x ping -n -q -c 1 -W 2 "$(address peer)" >/dev/null || fail "and traffic"
	call DEL x || fail "DEL after two at once" "$(cat $W/out)"
done
check "two ADDs of one container at once, five times: one pod, and nothing after its DEL" wait_for 10 clean
for i in 1 2 3 4 5; do
	call ADD y "$CONFIG" $W/one & p1=$!
	call DEL y "$CONFIG" $W/two & p2=$!
	wait $p1; wait $p2 || fail "DEL beside ADD" "$(cat $W/two)"
	call DEL y || fail "DEL after them" "$(cat $W/out)"
done
check "ADD and DEL at once, five times: nothing after the last DEL" wait_for 10 clean

# ---- each stage fails
for d in typhad ipamd felixd; do
	end node1 $d KILL
	call ADD z && fail "ADD without $d succeeds"
	refused 11 "without $d"
	begin node1 $d
	wait_for 10 ready node1 $d && wait_for 10 ready node1 ipamd && wait_for 10 ready node1 felixd
	check "without $d: nothing is left, anywhere" wait_for 10 clean
done
# felixd dies while it is asked: stopped, then killed.
kill -STOP "$(daemon_pid node1 felixd)"
call ADD z "$CONFIG" $W/late & p=$!
wait_for 5 sh -c "CALICO_RUN_DIR=$D/n/node1 $BUILD/calicoctl/calicoctl debug ipamd dump handles | grep -q '\.z'" || fail "ADD has begun"
end node1 felixd KILL
wait $p && fail "ADD succeeds while felixd dies"
cp $W/late $W/out
refused 11 "felixd dies while it is asked"
begin node1 felixd
wait_for 10 ready node1 felixd
check "felixd dies while it is asked: nothing is left" wait_for 10 clean

# ---- the pool is full
n=0
while [ $n -lt 70 ]; do
	n=$((n + 1))
	printf '%s' "$CONFIG" | in_lab node1 env CALICO_RUN_DIR=$D/n/node1 CNI_COMMAND=ADD CNI_CONTAINERID=fill$n CNI_NETNS=/x CNI_IFNAME=eth0 CNI_PATH=/ \
		"$BUILD/cni-plugin/calico-ipam" >$W/fill 2>>$W/cni.log || break
done
expect "64 addresses are given out, and no more" 64 $n
wait_for 5 ready node1 felixd
state >$W/full
call ADD z && fail "ADD succeeds with a full pool"
expect "a full pool: code 999" 999 "$(jq -r .code $W/out)"
[ "$(jq -r .msg $W/out | grep -ci 'address')" = 1 ] && ok "a full pool: says so ($(jq -r .msg $W/out))" || fail "a full pool: says so" "$(cat $W/out)"
state >$W/now
check "a full pool: nothing is left" diff -u $W/full $W/now
while [ $n -gt 1 ]; do
	n=$((n - 1))
	printf '%s' "$CONFIG" | in_lab node1 env CALICO_RUN_DIR=$D/n/node1 CNI_COMMAND=DEL CNI_CONTAINERID=fill$n CNI_NETNS=/x CNI_IFNAME=eth0 CNI_PATH=/ \
		"$BUILD/cni-plugin/calico-ipam" >$W/fill 2>>$W/cni.log || fail "DEL of fill$n" "$(cat $W/fill)"
done
check "the pool has its addresses back" wait_for 10 clean
call ADD z || fail "ADD with room again" "$(cat $W/out)"
call DEL z || fail "DEL"
check "a pod more or less leaves nothing" wait_for 10 clean
check "the lab goes away" lab_down
