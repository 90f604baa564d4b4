#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# 200 container runtimes ask two ipamds for addresses at once, and both ipamds are killed and started again and again meanwhile, then the datastore's
# daemon too. At the end every handle has exactly its address, no address is anybody else's, none is left over.
#
#     n1: typhad ipamd      n2: ipamd      one embedded datastore; 100 clients each
. "$(dirname "$0")/lib.sh"

mkdir -p /run/n/n1 /run/n/n2
client() { "$BUILD/test/integration/ipam_client" "$@"; }
run_typhad() {
	env CALICO_RUN_DIR=/run/n/n1 NODENAME=n1 "$BUILD/typhad/typhad" --datastore-path $W/db >>$W/typhad.log 2>&1 &
	T=$!
}
run_ipamd() {
	env CALICO_RUN_DIR=/run/n/$1 NODENAME=$1 CALICO_TYPHAD=/run/n/n1/typhad/api.sock "$BUILD/ipamd/ipamd" --check-grace 1 \
		>>$W/$1.ipamd.log 2>&1 &
	eval "I_$1=$!"
}
kill9() { kill -KILL "$1"; wait "$1" 2>/dev/null; }
run_typhad
wait_for 10 test -S /run/n/n1/typhad/api.sock
run_ipamd n1
run_ipamd n2
client /run/n/n1 put Node n1 '{"spec":{}}' >/dev/null
client /run/n/n1 put Node n2 '{"spec":{}}' >/dev/null
client /run/n/n1 put IPPool pool1 '{"spec":{"cidr":"10.0.0.0/23","ipipMode":"Never","vxlanMode":"Never"}}' >/dev/null
wait_for 10 client /run/n/n1 assign net.first
wait_for 10 client /run/n/n2 assign net.second
client /run/n/n1 release net.first >/dev/null
client /run/n/n2 release net.second >/dev/null

client /run/n/n1 load 200 ${ROUNDS:-150} /run/n/n2 >$W/held 2>$W/load.log &
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
check "no address is given to two, through $kills kills of ipamd" test $rc = 0 || cat $W/load.log
[ $kills -gt 0 ] || fail "ipamd was killed while the load ran"
expect "every client holds an address" 200 "$(sort -u -k2 $W/held | wc -l)"
verified() { client /run/n/n1 verify <$W/held; }
wait_for 15 verified
check "datastore and clients agree: no leak, no stranger, every handle right" verified

# Everything is given back.
while read -r handle _; do
	n=$((${n:-0} + 1))
	if [ $((n % 2)) = 1 ]; then r=/run/n/n1; else r=/run/n/n2; fi
	client $r release "$handle" >/dev/null || echo "$handle"
done <$W/held >$W/stuck
expect "each handle is released where it was assigned" "" "$(cat $W/stuck)"
empty() { client /run/n/n1 verify </dev/null; }
wait_for 15 empty
check "nothing is left" empty
for i in $I_n1 $I_n2 $T; do kill $i; wait $i || fail "clean exit" "status $?"; done
