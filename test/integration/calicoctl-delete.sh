#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What goes with a node and with a pool when they are deleted: endpoints, addresses, handles, blocks, affinities, BGP peers; and what must
# not be deleted. The datastore is a file that calicoctl opens directly; what ipamd would have written into it is laid there by SQL.
. "$(dirname "$0")/lib.sh"

DB=$W/db
ctl() { "$BUILD/calicoctl/calicoctl" --datastore $DB "$@"; }
sql() { sqlite3 -bail $DB "$@"; }
keys() { sql "SELECT key FROM object WHERE key LIKE '/calico/$1%' ORDER BY key"; }
value() { sql "SELECT value FROM object WHERE key = '/calico/$1'"; }
# KEY JSON: as a writer of its own would
put() {
	sql "INSERT INTO change SELECT max(revision) + 1, '/calico/$1', 0 FROM change;
		INSERT INTO object (key, created, modified, value) SELECT '/calico/$1', max(revision), max(revision), CAST('$2' AS BLOB) FROM change;"
}
block() { # CIDR AFFINITY ALLOCATIONS UNALLOCATED ATTRIBUTES SEQUENCES
	put "ipam/v2/assignment/ipv4/block/$(echo $1 | tr / -)" "{\"cidr\":\"$1\",\"affinity\":$2,\"allocations\":$3,\"unallocated\":$4,\"attributes\":$5,\"sequenceNumber\":100,\"sequenceNumberForAllocation\":$6,\"deleted\":false}"
}
affinity() { put "ipam/v2/host/$1/ipv4/block/$(echo $2 | tr / -)" '{"state":"confirmed","deleted":false}'; }

cat >$W/cluster.yaml <<'E'
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: pool1}
spec: {cidr: 10.0.0.0/16, blockSize: 30}
---
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: pool2}
spec: {cidr: 10.1.0.0/16, blockSize: 30}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: n1}
spec: {bgp: {ipv4Address: 172.16.0.1/24, ipv4IPIPTunnelAddr: 10.0.0.2}}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: n10}
spec: {bgp: {ipv4Address: 172.16.0.10/24}}
---
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {namespace: default}
spec: {orchestrator: k8s, node: n1, pod: a, endpoint: eth0, interfaceName: cali1, ipNetworks: [10.0.0.0/32]}
---
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {namespace: other}
spec: {orchestrator: k8s, node: n1, pod: b, endpoint: eth0, interfaceName: cali2, ipNetworks: [10.0.0.5/32]}
---
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {namespace: default}
spec: {orchestrator: k8s, node: n10, pod: c, endpoint: eth0, interfaceName: cali3, ipNetworks: [10.0.0.4/32]}
---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: {name: of-n1}
spec: {node: n1, peerIP: 192.0.2.1, asNumber: 64999}
---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: {name: global}
spec: {peerIP: 192.0.2.1, asNumber: 64999}
---
apiVersion: projectcalico.org/v3
kind: BGPConfiguration
metadata: {name: node.n1}
spec: {logSeverityScreen: Debug}
---
apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: {name: node.n1}
spec: {logSeverityScreen: Debug}
---
apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: {name: node.n10}
spec: {logSeverityScreen: Debug}
---
apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata: {name: of-n1}
spec: {node: n1, interfaceName: eth0}
---
apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata: {name: of-n10}
spec: {node: n10, interfaceName: eth0}
E
check "a cluster" ctl apply -f $W/cluster.yaml
expect "endpoints are named for what they are" "n1-k8s-a-eth0 n10-k8s-c-eth0 n1-k8s-b-eth0" \
	"$(echo $(ctl get wep -A -o json | jq -r '.items[].metadata.name'))"

# n1 owns a block with a pod and its tunnel in it; in n10's block it has borrowed an address; a third block of its own is empty
block 10.0.0.0/30 '"host:n1"' '[0,null,1,null]' '[1,3]' '[{"handle_id":"net.a"},{"handle_id":"ipip-tunnel-addr-n1"}]' '{"0":97,"2":98}'
block 10.0.0.4/30 '"host:n10"' '[0,1,null,null]' '[2,3]' '[{"handle_id":"net.c"},{"handle_id":"net.b"}]' '{"0":90,"1":91}'
block 10.1.0.0/30 '"host:n1"' '[null,null,null,null]' '[0,1,2,3]' '[]' '{}'
affinity n1 10.0.0.0/30; affinity n1 10.1.0.0/30; affinity n10 10.0.0.4/30
put ipam/v2/handle/net.a '{"block":{"10.0.0.0/30":1},"deleted":false}'
put ipam/v2/handle/net.b '{"block":{"10.0.0.4/30":1},"deleted":false}'
put ipam/v2/handle/net.c '{"block":{"10.0.0.4/30":1},"deleted":false}'
put ipam/v2/handle/ipip-tunnel-addr-n1 '{"block":{"10.0.0.0/30":1},"deleted":false}'

expect "a node is deleted" "Successfully deleted 1 'Node' resource(s)" "$(ctl delete node n1 2>&1)"
expect "its endpoints went with it, in every namespace" n10-k8s-c-eth0 "$(ctl get wep -A -o json | jq -r '.items[].metadata.name')"
expect "its BGP peers and its BGP configuration, too" "bgppeer.projectcalico.org/global " \
	"$(echo $(ctl get bgppeers -o name) $(ctl get bgpconfig -o name) | sed 's/$/ /')"
expect "its host endpoints and its felix's configuration, too" \
	"hostendpoint.projectcalico.org/of-n10 felixconfiguration.projectcalico.org/node.n10" \
	"$(echo $(ctl get hep -o name) $(ctl get felixconfig -o name))"
expect "its handles are gone, the other node's stays" /calico/ipam/v2/handle/net.c "$(keys ipam/v2/handle)"
expect "its affinities are gone, the other node's stays" /calico/ipam/v2/host/n10/ipv4/block/10.0.0.4-30 "$(keys ipam/v2/host)"
expect "its blocks are gone, the other node's stays" /calico/ipam/v2/assignment/ipv4/block/10.0.0.4-30 "$(keys ipam/v2/assignment)"
expect "the borrowed address is free, at the back of the queue" \
	'{"cidr":"10.0.0.4/30","affinity":"host:n10","allocations":[0,null,null,null],"unallocated":[2,3,1],"attributes":[{"handle_id":"net.c"}],"sequenceNumber":101,"sequenceNumberForAllocation":{"0":90},"deleted":false}' \
	"$(value ipam/v2/assignment/ipv4/block/10.0.0.4-30 | jq -c '.attributes |= map(with_entries(select(.value != {} and .value != null)))')"
expect "the other node is untouched" node.projectcalico.org/n10 "$(ctl get nodes -o name)"
ctl delete node n1 >$W/out 2>&1 && fail "a second time"
expect "a second time it is not there" "Failed to delete 'Node' resource: resource does not exist: Node(n1) with error: <nil>" "$(cat $W/out)"

# ---- with a cooldown, an address that is released is not free at once
put ipam/v2/config '{"auto_allocate_blocks":true,"ipCooldownSeconds":30}'
expect "a node is deleted under a cooldown" "Successfully deleted 1 'Node' resource(s)" "$(ctl delete node n10 2>&1)"
expect "its block stays, without owner, as long as an address in it cools down" "null [0,null,null,null] true" \
	"$(value ipam/v2/assignment/ipv4/block/10.0.0.4-30 | jq -rc '"\(.affinity) \(.allocations) \(.attributes[0].releasedAt != null)"')"
expect "its affinity is gone" "" "$(keys ipam/v2/host)"

# ---- a pool
block 10.0.0.8/30 '"host:n3"' '[0,null,null,null]' '[1,2,3]' '[{"handle_id":"net.z"}]' '{"0":90}'
block 10.0.0.12/30 '"host:n4"' '[null,null,null,null]' '[0,1,2,3]' '[]' '{}'
block 10.1.0.4/30 '"host:n3"' '[null,null,null,null]' '[0,1,2,3]' '[]' '{}'
affinity n3 10.0.0.8/30; affinity n4 10.0.0.12/30; affinity n3 10.1.0.4/30
expect "a pool is deleted" "Successfully deleted 1 'IPPool' resource(s)" "$(ctl delete pool pool1 2>&1)"
expect "its blocks' affinities went with it, the other pool's stays" /calico/ipam/v2/host/n3/ipv4/block/10.1.0.4-30 "$(keys ipam/v2/host)"
expect "an empty block went, too; one with addresses stays without owner" null \
	"$(value ipam/v2/assignment/ipv4/block/10.0.0.12-30)$(value ipam/v2/assignment/ipv4/block/10.0.0.8-30 | jq .affinity)"
cat >$W/pool.yaml <<'E'
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: again}
spec: {cidr: 10.0.0.0/16, blockSize: 26}
E
ctl create -f $W/pool.yaml >$W/out 2>&1
check "a pool over blocks of another size is refused" grep -q "IPPool.Spec.BlockSize = '26' (IPPool blocksSize conflicts" $W/out

# ---- tiers
cat >$W/tier.yaml <<'E'
apiVersion: projectcalico.org/v3
kind: Tier
metadata: {name: platform}
spec: {order: 100}
---
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: p, namespace: x}
spec: {tier: platform}
E
check "a tier and a policy in it" ctl apply -f $W/tier.yaml
ctl delete tier platform default >$W/out 2>&1
expect "a tier in use and a built-in one are not deleted" \
	"Failed to delete 'Tier' resource: operation delete is not supported on platform: Cannot delete a non-empty tier
Failed to delete 'Tier' resource: operation Delete is not supported on default: Cannot delete default tier" "$(cat $W/out)"
check "the policy goes" ctl delete np p -n x
check "and then the tier" ctl delete tier platform

# ---- two writers at once: both get through
for w in 1 2; do
	for i in 1 2 3 4 5; do
		printf 'apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata: {name: shared, labels: {writer: w%s}}\nspec: {nets: [10.%s.%s.0/24]}\n' $w $w $i |
			ctl apply -f - || echo failed
	done >$W/writer$w 2>&1 &
done
wait
expect "two writers at once: both get through" "10 0" \
	"$(cat $W/writer1 $W/writer2 | grep -c Successfully) $(cat $W/writer1 $W/writer2 | grep -c -i fail)"
