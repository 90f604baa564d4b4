#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# The etcd driver against one real etcd: every operation, what stands in etcd byte for byte, pages, leases, what cannot be read.
#     etcd_client (the driver) ---- etcd ---- etcdctl          and typhad, calicoctl on it
. "$(dirname "$0")/../integration/lib.sh"
. "$TOP/test/interop/etcd.inc"
single e

# ---- what is written
pool='{"metadata":{"name":"pool1","labels":{"b":"1","a":"<&>"}},"spec":{"cidr":"10.0.0.0/16","natOutgoing":true,"ipipMode":"Always"}}'
echo "$pool" | $client create IPPool pool1 >$W/out || fail "a pool is created" "$(cat $W/out)"
$E get --print-value-only $POOLS/pool1 >$W/stored
sed -n 's/^pool1 [0-9]* //p' $W/out | sed 's/"resourceVersion":"[0-9]*",//' >$W/wanted
check "the value is what the answer says, without a resourceVersion" cmp $W/stored $W/wanted
check "uid and creationTimestamp are made, < and & escaped, fields in upstream's order" grep -qE '^\{"kind":"IPPool","apiVersion":"projectcalico.org/v3","metadata":\{"name":"pool1","uid":"[0-9a-f-]{36}","creationTimestamp":"[0-9TZ:-]+","labels":\{"a":"\\u003c\\u0026\\u003e","b":"1"\}\},"spec":\{"cidr":"10.0.0.0/16","ipipMode":"Always","natOutgoing":true\}\}$' $W/stored
revision=$($E get -w json $POOLS/pool1 | jq .kvs[0].mod_revision)
expect "the revision is etcd's" "pool1 $revision" "$(sed -n 's/^\(pool1 [0-9]*\) .*/\1/p' $W/out)"
echo "$pool" | $client create IPPool pool1 >$W/out
expect "a second create is refused in upstream's words" "already exists revision=$revision: resource already exists: IPPool(pool1)" "$(head -n 1 $W/out)"
expect "... with what is there" "pool1 $revision" "$(sed -n 's/^\(pool1 [0-9]*\) .*/\1/p' $W/out)"
uid=$(jq -r .metadata.uid $W/stored)
echo "$pool" | $client update IPPool pool1 1 >$W/out
expect "an update of an old revision is a conflict" "conflict revision=$revision: update conflict: IPPool(pool1)" "$(head -n 1 $W/out)"
echo "$pool" | sed 's/Always/Never/; s/"name":"pool1"/"name":"pool1","uid":"mine","creationTimestamp":"2001-01-01T00:00:00Z"/' |
	$client update IPPool pool1 "$revision" >$W/out || fail "an update of the right revision" "$(cat $W/out)"
expect "uid is kept" "$uid Never" "$($E get --print-value-only $POOLS/pool1 | jq -r '[.metadata.uid, .spec.ipipMode] | join(" ")')"
echo "$pool" | $client update IPPool pool1 0 >$W/out && echo "$pool" | $client apply IPPool pool1 >$W/out ||
	fail "unconditional update and apply" "$(cat $W/out)"
expect "uid is kept by them, too" "$uid Always" "$($E get --print-value-only $POOLS/pool1 | jq -r '[.metadata.uid, .spec.ipipMode] | join(" ")')"
echo "$pool" | sed s/pool1/pool2/ | $client update IPPool pool2 >$W/out
expect "update does not create" "not found" "$(sed 's/ revision.*//' $W/out)"
echo "$pool" | sed s/pool1/pool2/ | $client apply IPPool pool2 >$W/out || fail "apply does" "$(cat $W/out)"
expect "a list" "pool1 pool2" "$($client list IPPool | sed 1d | cut -d' ' -f1 | xargs)"
expect "a list by prefix" "pool2" "$($client list IPPool pool2 | sed 1d | cut -d' ' -f1 | xargs)"
expect "remove with an old revision" "conflict" "$($client remove IPPool pool2 1 | sed 's/ revision.*//; q')"
expect "remove" "ok" "$($client remove IPPool pool2 | sed 's/ revision.*//; q')"
expect "nothing is left of it" "" "$($E get $POOLS/pool2)"
expect "remove what is not there" "not found" "$($client remove IPPool pool2 | sed 's/ revision.*//; q')"
expect "... with a revision" "not found" "$($client remove IPPool pool2 7 | sed 's/ revision.*//; q')"
expect "a name with a slash" "invalid revision=0: IPPool: the name 'a/b' has a '/' or '%' in it" "$($client get IPPool a/b)"

# ---- kinds with habits of their own
echo '{"metadata":{"name":"web","namespace":"ns1"},"spec":{"selector":"a == \"b\"","types":["Ingress"]}}' | $client create NetworkPolicy ns1/web >$W/out ||
	fail "a policy is created" "$(cat $W/out)"
P=/calico/resources/v3/projectcalico.org/networkpolicies/ns1/web
expect "a policy carries its name in an annotation" '{"name":"web"}' "$($E get --print-value-only $P | jq -r '.metadata.annotations["projectcalico.org/metadata"]')"
check "... that nobody sees" sh -c "! $client get NetworkPolicy ns1/web | grep -q annotations"
expect "the default profile is there and not stored" "projectcalico-default-allow" "$($client list Profile | sed 1d | cut -d' ' -f1)"
block='{"cidr":"10.0.0.0/30","affinity":"host:n1","allocations":[0,null,null,null],"unallocated":[1,2,3],"attributes":[{"handle_id":"h1","secondary":{"node":"n1"}}],"sequenceNumber":7,"sequenceNumberForAllocation":{"0":6},"deleted":false}'
printf %s "$block" | $client create IPAMBlock 10.0.0.0/30 >$W/out || fail "a block is created" "$(cat $W/out)"
expect "an IPAM block stands as upstream has it" "$block" "$($E get --print-value-only /calico/ipam/v2/assignment/ipv4/block/10.0.0.0-30)"
r=$($client get IPAMBlock 10.0.0.0/30 | sed -n 's/^10[^ ]* \([0-9]*\) .*/\1/p')
printf %s "$block" | $client update IPAMBlock 10.0.0.0/30 "$r" >$W/out || fail "a block is written by compare-and-swap" "$(cat $W/out)"
printf %s "$block" | $client update IPAMBlock 10.0.0.0/30 "$r" >$W/out
expect "the same again is a conflict" conflict "$(sed 's/ revision.*//; q' $W/out)"
echo '{"strict_affinity":true,"auto_allocate_blocks":true}' | $client apply IPAMConfig default >$W/out || fail "IPAM's configuration" "$(cat $W/out)"
expect "IPAM's configuration" '{"strict_affinity":true,"auto_allocate_blocks":true}' "$($E get --print-value-only /calico/ipam/v2/config)"

# ---- what others wrote
$E put $POOLS/foreign '{"kind":"IPPool","metadata":{"name":"foreign","color":"red"},"spec":{"cidr":"10.9.0.0/16","taste":{"sweet":[1,2]}}}' >/dev/null
echo '{"metadata":{"name":"foreign","color":"red"},"spec":{"cidr":"10.9.0.0/16","taste":{"sweet":[1,2]},"disabled":true}}' | $client apply IPPool foreign >$W/out
expect "unknown members stay" '["red",{"sweet":[1,2]},true]' "$($E get --print-value-only $POOLS/foreign | jq -c '[.metadata.color, .spec.taste, .spec.disabled]')"
$E del $POOLS/foreign >/dev/null
$E put $POOLS/broken 'not JSON' >/dev/null
$E put $POOLS/very/odd '{}' >/dev/null
$E put /calico/ipam/v2/assignment/ipv4/block/everything '{}' >/dev/null
expect "what cannot be read is not listed" "pool1" "$($client list IPPool | sed 1d | cut -d' ' -f1 | xargs)"
expect "and a get says why" "the value of '$POOLS/broken' cannot be read: line 1" "$($client get IPPool broken | sed 's/.*: the value/the value/; s/, column.*//')"

# ---- a watch sees it all
mkfifo $W/fifo
$client watch <$W/fifo >$W/watch 2>$W/watch.log &
watcher=$!
exec 3>$W/fifo
wait_for 10 grep -qx in-sync $W/watch || fail "the watch is in sync"
seen() { grep -qE "$1" $W/watch; }
check "it has what was there" seen '^update IPPool pool1 '
check "and not what cannot be read" sh -c "! grep -qE 'broken|odd' $W/watch"
expect "it counts what cannot be read" 3 "$(grep -c 'cannot be read' $W/watch.log)"
$E put $POOLS/broken "$pool" >/dev/null
wait_for 5 seen '^update IPPool broken ' && ok "a value that is repaired comes"
$E put $POOLS/broken '[]' >/dev/null
wait_for 5 seen '^remove IPPool broken' && ok "one that breaks goes"
$E del $POOLS/pool1 >/dev/null
wait_for 5 seen '^remove IPPool pool1' && ok "a deletion comes"

# ---- leases
echo "$pool" | sed s/pool1/shortlived/ | $client create IPPool shortlived 0 2 >$W/out || fail "an object that expires" "$(cat $W/out)"
lease=$($E lease list | tail -n 1)
expect "it has a lease of as many seconds" "granted with TTL(2s)" "$($E lease timetolive "$lease" | sed 's/.*granted/granted/; s/, .*//')"
expect "the object is its only one" "[$POOLS/shortlived]" "$($E lease timetolive --keys "$lease" | sed 's/.*keys(//; s/)$//')"
check "the watch sees it come" seen '^update IPPool shortlived '
wait_for 10 seen '^remove IPPool shortlived' && ok "and go"
expect "nothing is left" "" "$($E get $POOLS/shortlived)"

# ---- many, and large ones
fill 1201 "$SETS/s%04d" '{"metadata":{"name":"s%04d"},"spec":{"nets":["10.0.0.1/32"]}}'
expect "a list of several pages is whole and in order" "1201 s0000 s1200 sorted" "$($client list GlobalNetworkSet | sed 1d | cut -d' ' -f1 >$W/names
	echo "$(wc -l <$W/names) $(head -n 1 $W/names) $(tail -n 1 $W/names) $(LC_ALL=C sort -cu $W/names && echo sorted)")"
echo >&3; exec 3>&-
wait $watcher
expect "the watch had each of them once" 1201 "$(grep -c '^update GlobalNetworkSet s' $W/watch)"
big=$(head -c 1048576 /dev/zero | tr '\0' x)
i=0
while [ $i -lt 18 ]; do
	printf '{"metadata":{"name":"big%02d","annotations":{"a":"%s"}}}' $i "$big" | $client create GlobalNetworkSet big$(printf %02d $i) >$W/out || fail "a large object" "$(head -c 300 $W/out)"
	i=$((i + 1))
done
expect "answers that would be too large come in smaller pages" 18 "$($client list GlobalNetworkSet big | sed 1d | wc -l)"
$client watch </dev/null >$W/watch 2>&1
(wait_for 10 grep -qx in-sync $W/watch2; echo) | $client watch >$W/watch2 2>&1
expect "in the watch's snapshot, too" "1219" "$(grep -c '^update GlobalNetworkSet' $W/watch2)"
{ printf '{"metadata":{"name":"huge","annotations":{"a":"'; head -c 1572624 /dev/zero | tr '\0' x; printf '"}}}'; } | $client create GlobalNetworkSet huge >$W/out
expect "what etcd refuses is refused in its words" "invalid revision=0: etcdserver: request is too large" "$(cat $W/out)"

# ---- typhad and calicoctl
node a # a run directory; its network is not used
export CALICO_RUN_DIR=/run/n/a NODENAME=a DATASTORE_TYPE=etcdv3
$E del --prefix $SETS/ >/dev/null
"$BUILD/typhad/typhad" >$W/a.typhad.log 2>&1 &
typhad=$!
ctl() { env -u DATASTORE_TYPE -u ETCD_ENDPOINTS "$BUILD/calicoctl/calicoctl" "$@"; }
wait_for 10 listening /run/n/a/typhad/api.sock || fail "typhad serves"
expect "typhad has what cannot be read in its dump" "$POOLS/broken $POOLS/very/odd /calico/ipam/v2/assignment/ipv4/block/everything" \
	"$(ctl debug typhad dump bad-values | jq -r '."bad-values"[].key' | LC_ALL=C sort | sed 's/\(.*\)/\1/' | awk '/ippools/{a=a $0 " "} /ipam/{b=$0} END{print a b}')"
expect "it says where it reads" "etcdv3 http://127.0.0.1:2379" "$(ctl debug typhad dump datastore | jq -r '.datastore[0] | .type + " " + .path')"
printf 'apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: through}\nspec: {cidr: 10.20.0.0/16}\n' | ctl apply -f - >$W/out 2>&1 || fail "calicoctl through typhad" "$(cat $W/out)"
expect "what calicoctl writes through typhad stands in etcd" 10.20.0.0/16 "$($E get --print-value-only $POOLS/through | jq -r .spec.cidr)"
expect "calicoctl reads etcd itself" "10.20.0.0/16" "$("$BUILD/calicoctl/calicoctl" get ippool through -o json | jq -r .spec.cidr)"
env -u DATASTORE_TYPE "$BUILD/calicoctl/calicoctl" get ippool through >$W/out 2>&1 && ok "endpoints alone mean etcd" || fail "endpoints alone mean etcd" "$(cat $W/out)"
printf 'apiVersion: projectcalico.org/v3\nkind: CalicoAPIConfig\nspec:\n  etcdEndpoints: http://127.0.0.1:2379\n' >$W/calicoctl.cfg
ctl --config=$W/calicoctl.cfg get ippool through >$W/out 2>&1 && ok "so does calicoctl.cfg" || fail "so does calicoctl.cfg" "$(cat $W/out)"
# Who has the answer to a write reads it everywhere: each write is read back from typhad's memory at once.
verified() { [ "$($E get -w json nothing | jq .header.revision)" -gt $((revision + 1000)) ]; }
revision=$($E get -w json nothing | jq .header.revision)
(wait_for 20 verified; echo) | ETCD_CLIENT_VERIFY=1 $client stress 4 4 1 -- /run/n/a/typhad/api.sock >$W/stress 2>&1
expect "who wrote reads what it wrote" "0 0" "$? $(sed -n 's/.*faults=//p' $W/stress)" || sed 's/^/# /' $W/stress
check "that was looked at" [ "$(sed -n 's/^verified=//p' $W/stress)" -gt 500 ]
kill $typhad; wait $typhad || fail "typhad ends cleanly"
