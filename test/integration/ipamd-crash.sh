#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# 200 container runtimes ask two ipamds for addresses at once, and both ipamds are killed and started again and again meanwhile, and the datastore's
# daemon once. At the end every handle has exactly its address, no address is anybody else's, none is left over. Then once more with all blocks owned by
# one node, so that the other borrows every address and both write the same blocks.
#
#     n1: typhad ipamd      n2: ipamd      one embedded datastore; 100 clients each
. "$(dirname "$0")/lib.sh"

mkdir -p /run/n/n1 /run/n/n2
client() { "$BUILD/test/integration/ipam_client" "$@" 2>/dev/null; }
run_typhad() {
	env CALICO_RUN_DIR=/run/n/n1 NODENAME=n1 "$BUILD/typhad/typhad" --datastore-path $W/$mode.db >>$W/typhad.log 2>&1 &
	T=$!
}
run_ipamd() {
	env CALICO_RUN_DIR=/run/n/$1 NODENAME=$1 CALICO_TYPHAD=/run/n/n1/typhad/api.sock "$BUILD/ipamd/ipamd" --check-grace 1 \
		>>$W/$1.ipamd.log 2>&1 &
	eval "I_$1=$!"
}
kill9() { kill -KILL "$1"; wait "$1" 2>/dev/null; }
verified() { client /run/n/n1 verify <$W/held; }
empty() { client /run/n/n1 verify </dev/null; }
ready() { client "$1" get net.nobody | grep -q "error 4"; }

for mode in own borrowed; do
	run_typhad
	wait_for 10 listening /run/n/n1/typhad/api.sock
	run_ipamd n1
	run_ipamd n2
	for n in n1 n2; do client /run/n/n1 put Node $n '{"spec":{}}'; done
	client /run/n/n1 put IPPool pool1 '{"spec":{"cidr":"10.0.0.0/24","ipipMode":"Never","vxlanMode":"Never"}}'
	wait_for 10 ready /run/n/n1
	wait_for 10 ready /run/n/n2
	if [ $mode = borrowed ]; then
		wait_for 10 client /run/n/n1 assign net.greedy 256
		client /run/n/n1 release net.greedy >$W/greedy
		expect "$mode: one node has all blocks" 256 "$(wc -l <$W/greedy)"
	fi

	"$BUILD/test/integration/ipam_client" /run/n/n1 load 200 ${ROUNDS:-100} /run/n/n2 >$W/held 2>$W/load.log &
	L=$!
	kills=0
	while kill -0 $L 2>/dev/null && [ $kills -lt 20 ]; do
		sleep 0.15
		kill9 $I_n1; run_ipamd n1
		sleep 0.1
		kill9 $I_n2; run_ipamd n2
		kills=$((kills + 2))
		if [ $kills = 6 ]; then kill9 $T; run_typhad; fi
	done
	wait $L
	rc=$?
	check "$mode: no address is given to two, through $kills kills" test $rc = 0
	[ $kills -gt 0 ] || fail "$mode: ipamd was killed while the load ran"
	expect "$mode: every client holds an address" 200 "$(sort -u -k2 $W/held | wc -l)"
	wait_for 20 verified
	check "$mode: datastore and clients agree: no leak, no stranger, every handle right" verified
	if [ $mode = borrowed ]; then
		expect "$mode: half of them are borrowed" 100 "$(client /run/n/n1 show IPAMBlock | cut -d' ' -f2- |
			jq 'select(.affinity == "host:n1") | .attributes as $t | .allocations[] | values | select($t[.].secondary.node == "n2")' | wc -l)"
	fi

	# Everything is given back, where it was assigned.
	i=0
	while read -r handle _; do
		i=$((i + 1))
		client /run/n/n$(((i + 1) % 2 + 1)) release "$handle" >/dev/null || echo "$handle"
	done <$W/held >$W/stuck
	expect "$mode: each handle is released" "" "$(cat $W/stuck)"
	wait_for 20 empty
	check "$mode: nothing is left" empty
	for p in $I_n1 $I_n2 $T; do kill $p; wait $p || fail "$mode: a clean end" "status $?"; done
done
