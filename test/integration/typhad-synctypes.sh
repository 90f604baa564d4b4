#!/bin/sh
# Each sync type carries what such a client needs, and nothing else; a bgp client is told of its own node's block affinities only, now and
# later; compressed or not.        a: typhad, plain on 127.0.0.1:5473
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/typhad.inc"
sock=/run/n/a/typhad/api.sock
node a
TYPHA_SERVERPORT=5473; export TYPHA_SERVERPORT

# ---- upstream's own bytes, one object of each kind that matters here
root=/calico/resources/v3/projectcalico.org
cat >$W/objects.sql <<'S'
CREATE TEMP TABLE want (key TEXT, value TEXT);
S
add() { echo "INSERT INTO want VALUES ('$1', '$2');" >>$W/objects.sql; }
meta() { printf '"metadata":{"name":"%s","uid":"b7a5a8d0-0000-4000-8000-000000000001","creationTimestamp":"2026-01-01T00:00:00Z"}' "$1"; }
v3() { add "$root/$2/$3" "{\"kind\":\"$1\",\"apiVersion\":\"projectcalico.org/v3\",$(meta "$3"),\"spec\":${4:-{\}}}"; }
v3 Node nodes n1
v3 Node nodes n2
v3 IPPool ippools pool '{"cidr":"10.0.0.0/16"}'
v3 BGPPeer bgppeers peer '{"peerIP":"192.0.2.1","asNumber":64512}'
v3 BGPFilter bgpfilters filter
v3 BGPConfiguration bgpconfigurations default
v3 FelixConfiguration felixconfigurations default
v3 GlobalNetworkSet globalnetworksets set
v3 HostEndpoint hostendpoints hep '{"node":"n1","interfaceName":"eth0"}'
v3 CalicoNodeStatus caliconodestatuses status '{"node":"n1","classes":["BGP"]}'
for i in 0 64 128; do add "/calico/ipam/v2/host/n1/ipv4/block/10.0.0.$i-26" '{"state":"confirmed"}'; done
add "/calico/ipam/v2/host/n2/ipv4/block/10.0.0.192-26" '{"state":"confirmed"}'
add "/calico/ipam/v2/host/n11/ipv4/block/10.0.1.0-26" '{"state":"confirmed"}'

start a typhad --datastore-path $W/datastore.db
wait_for 10 $client put $sock first 1
{ cat $W/objects.sql
	echo "INSERT INTO object (key, created, modified, value) SELECT key, 5, (SELECT max(modified) FROM object), value FROM want;"; } >$W/all.sql
stop a typhad
sqlite3 $W/datastore.db <$W/all.sql || fail "the objects are stored"
start a typhad --datastore-path $W/datastore.db
wait_for 10 $client get $sock first
expect "none of them is broken" 0 "$(counter datastore_bad_values)"

kinds() { CLIENT_TYPE=$1 CLIENT_NODE=$2 on a timeout 10 $client kinds 127.0.0.1:5473 | sort; }
of() { kinds "$@" | awk '{ print $1 }' | sort -u | tr '\n' ' '; }
expect "tunnel-ip-allocation" "IPPool Node " "$(of tunnel-ip-allocation n1)"
expect "node-status" "CalicoNodeStatus status" "$(kinds node-status n1)"
expect "bgp" "BGPConfiguration BGPFilter BGPPeer IPAMAffinity IPPool Node " "$(of bgp n1 | sed 's/BlockAffinity/IPAMAffinity/')"
felix=$(of felix n1)
case $felix in *FelixConfiguration*GlobalNetworkSet*HostEndpoint*Tier*) ok "felix has what felix needs: $felix" ;; *) fail "felix" "$felix" ;; esac
case $felix in *BGPFilter*|*CalicoNodeStatus*|*ffinity*) fail "felix has nothing else" "$felix" ;; *) ok "and nothing of bgp's or node-status'" ;; esac
[ "$(kinds '' n1 | wc -l)" -gt "$(kinds felix n1 | wc -l)" ] && ok "without a type: everything" || fail "without a type" "$(of '' n1)"

affinities() { kinds bgp "$1" | grep -c 'ffinity'; }
expect "affinities of n1" 3 "$(affinities n1)"
expect "of n2" 1 "$(affinities n2)"
expect "of n11, whose name begins like n1's" 1 "$(affinities n11)"
expect "of a node that has none" 0 "$(affinities n3)"
for type in bgp felix node-status ''; do
	expect "'$type' compressed is '$type' plain" "$(kinds "$type" n1)" "$(CLIENT_ZSTD=1 kinds "$type" n1)"
done
$client dump /run/n/a clients >/dev/null

# ---- later changes
CLIENT_TYPE=bgp CLIENT_ZSTD=1 on a timeout 30 $client watchers 127.0.0.1:5473 3 1 >$W/bgp &
bgp=$!
on a timeout 30 $client watchers 127.0.0.1:5473 3 1 >$W/all &
all=$!
wait_for 10 counter_is watchers 6
check "a client's sync type is shown" sh -c "$client dump /run/n/a clients | grep -q '\"syncType\":\"bgp\".*\"compression\":\"zstd\"'"
sent=$(counter updates_sent)
$client fill $sock set 500 >/dev/null
$client put $sock end 1 >/dev/null
wait $all && ok "who watches everything sees 501 changes"
sent=$(($(counter updates_sent) - sent))
[ $sent -ge 1503 ] && [ $sent -lt 1700 ] && ok "the bgp clients were sent none of them ($sent sent)" || fail "sent" "$sent"
quit $bgp
stop a typhad
