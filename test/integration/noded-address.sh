#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# noded writes its Node, keeps the address true when it changes, leaves alone what others write, and makes the default pool once.
#
#     a: typhad noded         b: noded, its datastore reached by a's socket
. "$(dirname "$0")/lib.sh"

client() { "$BUILD/test/integration/ipam_client" /run/n/a "$@" 2>/dev/null; }
node_says() { client show Node "$1" | cut -d' ' -f2- | jq -cS "$2"; }
debug() { _of=$1; shift; on "$_of" "$BUILD/calicoctl/calicoctl" debug noded "$@"; }
knows() { debug "$1" dump addresses | jq -e --arg a "$2" '[.. | .address? // empty] | index($a)'; } # has noded read that address?
ready() { debug "$1" health | jq -e .ready; }
counter() { debug "$1" health | jq ".counters.$2"; }
says() { [ "$(node_says "$1" "$2")" = "$3" ]; }

node a; node b
on a sysctl -qw net.ipv4.conf.all.promote_secondaries=1
on b sysctl -qw net.ipv4.conf.all.promote_secondaries=1
wire a b 10.7.0.0/24
start a noded --nodename-file $W/lib/calico/nodename --ipv4pool-cidr 10.50.0.0/16 --label zone=east,rack=3 --as 65001
start b noded --typhad /run/n/a/typhad/api.sock --no-default-pools --ip autodetect --ip-autodetection-method 'cidr=10.8.0.0/16, 10.7.0.0/24'
start a typhad --datastore-path $W/db
check "the Node is written, although typhad came later" wait_for 10 says a .spec.bgp.ipv4Address '"10.7.0.1/24"'
expect "address, AS and CalicoNodeIP" '{"addresses":[{"address":"10.7.0.1/24","type":"CalicoNodeIP"}],"bgp":{"asNumber":65001,"ipv4Address":"10.7.0.1/24"}}' "$(node_says a .spec)"
expect "labels" '{"rack":"3","zone":"east"}' "$(node_says a .metadata.labels)"
check "the address inside a CIDR" wait_for 10 says b .spec.bgp.ipv4Address '"10.7.0.2/24"'
pool() { client show IPPool | cut -d' ' -f2- | jq -cS '[.metadata.name, .spec.cidr, .spec.blockSize, .spec.natOutgoing, .spec.ipipMode, .spec.nodeSelector]'; }
has_pool() { [ -n "$(pool)" ]; }
wait_for 10 has_pool
expect "the default pool" '["default-ipv4-ippool","10.50.0.0/16",26,true,"Never","all()"]' "$(pool)"
expect "the nodename file, its directory made" a "$(cat $W/lib/calico/nodename)"
expect "in another run directory it is there" b "$(cat /run/n/b/nodename)"

# The pool is made once: who deletes it does not find it again after the next change.
client remove IPPool default-ipv4-ippool >/dev/null
client put Node a '{"spec":{"bgp":{"ipv4Address":"10.7.0.1/24","asNumber":65009}}}' >/dev/null
check "the AS number comes back" wait_for 10 says a .spec.bgp.asNumber 65001
check "its noded is done with it" wait_for 5 ready a
expect "a deleted pool does not" "" "$(pool)"

# Somebody else's fields.
client put Node a '{"metadata":{"labels":{"zone":"west","mine":"1"}},"spec":{"bgp":{"ipv4Address":"10.7.0.1/24","asNumber":65001,"routeReflectorClusterID":"1.0.0.1"},"addresses":[{"address":"192.0.2.9","type":"ExternalIP"}]}}' >/dev/null
wait_for 10 says a .metadata.labels.zone '"east"'
expect "what others wrote stays" '[{"mine":"1","rack":"3","zone":"east"},"1.0.0.1",["192.0.2.9","10.7.0.1/24"]]' \
	"$(node_says a '[.metadata.labels, .spec.bgp.routeReflectorClusterID, [.spec.addresses[].address]]')"

# The address changes; no clock is involved.
ip -n b addr add 10.8.0.2/16 dev a
wait_for 5 knows b 10.8.0.2/16
expect "an address that still fits stays" '"10.7.0.2/24"' "$(node_says b .spec.bgp.ipv4Address)"
ip -n b addr del 10.7.0.2/24 dev a
check "the address moves when it goes" wait_for 2 says b .spec.bgp.ipv4Address '"10.8.0.2/16"'
ip -n a addr add 10.7.0.9/24 dev b
ip -n a addr del 10.7.0.1/24 dev b
check "also without IP=autodetect, when it went before our eyes" wait_for 2 says a .spec.bgp.ipv4Address '"10.7.0.9/24"'

# Events are lost: noded is asleep while more addresses come and go than its socket holds. It wakes, finds the address that
# came meanwhile, and still hears of the next.
kill -STOP "$(pid_of b noded)"
for i in $(seq 20000); do echo "addr add 10.9.0.1/32 dev lo"; echo "addr del 10.9.0.1/32 dev lo"; done >$W/storm
ip -n b addr add 10.7.0.3/24 dev a
ip -n b addr del 10.8.0.2/16 dev a
ip -n b -batch $W/storm
kill -CONT "$(pid_of b noded)"
check "what happened while events were lost" wait_for 10 says b .spec.bgp.ipv4Address '"10.7.0.3/24"'
check "events were lost" test "$(counter b address_event_overruns)" -ge 1
ip -n b addr add 10.8.0.2/16 dev a
ip -n b addr del 10.7.0.3/24 dev a
check "and what happens afterwards" wait_for 5 says b .spec.bgp.ipv4Address '"10.8.0.2/16"'

# An address that another node has: until that node gives it up.
conflicts() { grep -c 'IPv4 address conflict' $W/b.noded.log; }
ip -n b addr add 10.7.0.9/24 dev a
ip -n b addr del 10.8.0.2/16 dev a
conflicts_are() { [ "$(conflicts)" = "$1" ]; }
check "a conflict is said" wait_for 5 conflicts_are 1
expect "and not written" '"10.8.0.2/16"' "$(node_says b .spec.bgp.ipv4Address)"
ip -n a addr add 10.7.0.8/24 dev b
ip -n a addr del 10.7.0.9/24 dev b
wait_for 5 says a .spec.bgp.ipv4Address '"10.7.0.8/24"'
check "it is written when the other has gone elsewhere" wait_for 5 says b .spec.bgp.ipv4Address '"10.7.0.9/24"'
ip -n b addr add 10.7.0.8/24 dev a
ip -n b addr del 10.7.0.9/24 dev a
check "the next conflict is said again" wait_for 5 conflicts_are 2
ip -n b addr add 10.7.0.9/24 dev a
ip -n b addr del 10.7.0.8/24 dev a
check "it ends when the address is another" wait_for 5 ready b
ip -n b addr add 10.7.0.8/24 dev a
ip -n b addr del 10.7.0.9/24 dev a
check "one that ended without a word is said when it comes again" wait_for 5 conflicts_are 3
ip -n b addr add 10.7.0.9/24 dev a
ip -n b addr del 10.7.0.8/24 dev a
wait_for 5 ready b

# Our record is removed while we live.
client remove Node a >/dev/null
check "a removed Node comes back" wait_for 5 says a .spec.bgp.ipv4Address '"10.7.0.8/24"'
stop a noded
expect "it stays when noded stops" '"10.7.0.8/24"' "$(node_says a .spec.bgp.ipv4Address)"
client put IPPool mine '{"spec":{"cidr":"10.60.0.0/16"}}' >/dev/null
start a noded
wait_for 5 grep -q 'status="the Node is as it should be"' $W/a.noded.log
expect "no default pool where there is one of that family" "mine" "$(client show IPPool | cut -d' ' -f1)"

for bad in "--ip 10.0.0.300" "--ip-autodetection-method interface=(" "--as 0x" "--no-default-pools --ipv4pool-cidr 10.0.0.0/16" \
	"--ipv4pool-cidr 10.0.0.0/16 --ipv4pool-block-size 33" "--label nonsense" "--ip-autodetection-method can-reach=example.com"; do
	# shellcheck disable=SC2086
	if on b "$BUILD/noded/noded" --run-dir $W/bad $bad 2>$W/bad.txt; then fail "refused: $bad"; else ok "refused: $bad"; fi
done
