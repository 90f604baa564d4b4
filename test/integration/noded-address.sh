#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# noded writes its Node, keeps the address true when it changes, leaves alone what others write, and makes the default pool once.
#
#     a: typhad noded         b: noded, its datastore reached by a's socket
. "$(dirname "$0")/lib.sh"

client() { "$BUILD/test/integration/ipam_client" /run/n/a "$@" 2>/dev/null; }
node_says() { client show Node "$1" | cut -d' ' -f2- | jq -cS "$2"; }
says() { [ "$(node_says "$1" "$2")" = "$3" ]; }

node a; node b
wire a b 10.7.0.0/24
start a noded --nodename-file $W/lib/calico/nodename --ipv4pool-cidr 10.50.0.0/16 --label zone=east,rack=3 --as 65001
start b noded --typhad /run/n/a/typhad/api.sock --no-default-pools --ip autodetect --ip-autodetection-method 'cidr=10.8.0.0/16, 10.7.0.0/24'
start a typhad --datastore-path $W/db
wait_for 10 says a .spec.bgp.ipv4Address '"10.7.0.1/24"'
ok "the Node is written, although typhad came later"
expect "address, AS and CalicoNodeIP" '{"addresses":[{"address":"10.7.0.1/24","type":"CalicoNodeIP"}],"bgp":{"asNumber":65001,"ipv4Address":"10.7.0.1/24"}}' "$(node_says a .spec)"
expect "labels" '{"rack":"3","zone":"east"}' "$(node_says a .metadata.labels)"
wait_for 10 says b .spec.bgp.ipv4Address '"10.7.0.2/24"'
ok "the address inside a CIDR"
pool() { client show IPPool | cut -d' ' -f2- | jq -cS '[.metadata.name, .spec.cidr, .spec.blockSize, .spec.natOutgoing, .spec.ipipMode, .spec.nodeSelector]'; }
wait_for 10 test -n "$(pool)"
expect "the default pool" '["default-ipv4-ippool","10.50.0.0/16",26,true,"Never","all()"]' "$(pool)"
expect "the nodename file, its directory made" a "$(cat $W/lib/calico/nodename)"
expect "in another run directory it is there" b "$(cat /run/n/b/nodename)"

# Somebody else's fields.
client put Node a '{"metadata":{"labels":{"zone":"west","mine":"1"}},"spec":{"bgp":{"ipv4Address":"10.7.0.1/24","asNumber":65001,"routeReflectorClusterID":"1.0.0.1"},"addresses":[{"address":"192.0.2.9","type":"ExternalIP"}]}}' >/dev/null
wait_for 10 says a .metadata.labels.zone '"east"'
expect "what others wrote stays" '[{"mine":"1","rack":"3","zone":"east"},"1.0.0.1",["192.0.2.9","10.7.0.1/24"]]' \
	"$(node_says a '[.metadata.labels, .spec.bgp.routeReflectorClusterID, [.spec.addresses[].address]]')"

# The address changes; no clock is involved.
ip -n b addr add 10.8.0.2/16 dev a
wait_for 1 true
expect "an address that still fits stays" '"10.7.0.2/24"' "$(node_says b .spec.bgp.ipv4Address)"
ip -n b addr del 10.7.0.2/24 dev a
wait_for 2 says b .spec.bgp.ipv4Address '"10.8.0.2/16"' && ok "the address moves when it goes"
ip -n a addr add 10.7.0.9/24 dev b
ip -n a addr del 10.7.0.1/24 dev b
ip -n a addr add 10.7.0.9/24 dev b 2>/dev/null
wait_for 2 says a .spec.bgp.ipv4Address '"10.7.0.9/24"' && ok "also without IP=autodetect, when it went before our eyes"

# An address that another node has.
ip -n b addr add 10.7.0.9/24 dev a
ip -n b addr del 10.8.0.2/16 dev a
wait_for 5 grep -q 'IPv4 address conflict' $W/b.noded.log && ok "a conflict is said"
expect "and not written" '"10.8.0.2/16"' "$(node_says b .spec.bgp.ipv4Address)"

# Our record is removed while we live.
client remove Node a >/dev/null
wait_for 5 says a .spec.bgp.ipv4Address '"10.7.0.9/24"' && ok "a removed Node comes back"
stop a noded
expect "it stays when noded stops" '"10.7.0.9/24"' "$(node_says a .spec.bgp.ipv4Address)"
client remove IPPool default-ipv4-ippool >/dev/null
client put IPPool mine '{"spec":{"cidr":"10.60.0.0/16"}}' >/dev/null
start a noded
wait_for 5 grep -q 'status="the Node is as it should be"' $W/a.noded.log
expect "no default pool where there is one of that family" "mine" "$(client show IPPool | cut -d' ' -f1)"

for bad in "--ip 10.0.0.300" "--ip-autodetection-method interface=(" "--as 0x" "--no-default-pools --ipv4pool-cidr 10.0.0.0/16" \
	"--ipv4pool-cidr 10.0.0.0/16 --ipv4pool-block-size 33" "--label nonsense" "--ip-autodetection-method can-reach=example.com"; do
	# shellcheck disable=SC2086
	if on b "$BUILD/noded/noded" --run-dir $W/bad $bad 2>$W/bad.txt; then fail "refused: $bad"; else ok "refused: $bad"; fi
done
