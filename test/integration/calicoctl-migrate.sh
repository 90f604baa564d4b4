#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A cluster moves from one datastore to another: locked, exported, imported, unlocked; what comes out at the other end is what went in. And policies
# that an old release stored get the keys of today.
. "$(dirname "$0")/lib.sh"

old() { "$BUILD/calicoctl/calicoctl" --allow-version-mismatch --datastore $W/old.db "$@"; }
new() { "$BUILD/calicoctl/calicoctl" --allow-version-mismatch --datastore $W/new.db "$@"; }
sql() { sqlite3 -bail $W/old.db "$@"; }
put() { # KEY JSON: as a writer of its own would
	sql "INSERT INTO change SELECT max(revision) + 1, '$1', 0 FROM change;
		INSERT INTO object (key, created, modified, value) SELECT '$1', max(revision), max(revision), CAST('$2' AS BLOB) FROM change;"
}
# The part of a store that moves: kinds, names, specs, labels; and IPAM's values as they stand.
content() {
	for k in ippools bgppeers tiers globalnetworkpolicies globalnetworksets hostendpoints bgpconfigurations felixconfigurations ipreservations bgpfilters \
		kubecontrollersconfigurations nodes; do
		"$1" get $k -o json | jq -cS '.items[] | [.kind, .metadata.name, .metadata.labels, .spec]'
	done
	for k in networkpolicies networksets stagednetworkpolicies; do
		"$1" get $k -A -o json | jq -cS '.items[] | [.kind, .metadata.namespace, .metadata.name, .spec]'
	done
	sqlite3 $W/$1.db "SELECT key, value FROM object WHERE key LIKE '/calico/ipam/v2/%' ORDER BY key"
}

cat >$W/cluster.yaml <<'E'
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: pool1, labels: {a: b}}
spec: {cidr: 10.0.0.0/16}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: n1}
spec: {bgp: {ipv4Address: 172.16.0.1/24, ipv4IPIPTunnelAddr: 10.0.0.2}, orchRefs: [{nodeName: k1, orchestrator: k8s}]}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: n2}
spec: {bgp: {ipv4Address: 172.16.0.2/24}, orchRefs: [{nodeName: n2, orchestrator: k8s}]}
---
apiVersion: projectcalico.org/v3
kind: Tier
metadata: {name: security}
spec: {order: 100}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: security.all}
spec: {tier: security, selector: all(), types: [Ingress]}
---
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: web, namespace: ns1}
spec: {selector: "app == 'web'", ingress: [{action: Allow, protocol: TCP, destination: {ports: [80, "8000:8080"]}}]}
---
apiVersion: projectcalico.org/v3
kind: NetworkSet
metadata: {name: s1, namespace: ns1, annotations: {a: "<&>"}}
spec: {nets: [10.0.0.0/8]}
---
apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: {name: node.n1}
spec: {logSeverityScreen: Info}
---
apiVersion: projectcalico.org/v3
kind: BGPConfiguration
metadata: {name: node.n1}
spec: {logSeverityScreen: Info}
---
apiVersion: projectcalico.org/v3
kind: IPReservation
metadata: {name: r1}
spec: {reservedCIDRs: [10.0.0.0/30]}
---
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {namespace: ns1}
spec: {orchestrator: k8s, node: n1, pod: a, endpoint: eth0, interfaceName: cali1, ipNetworks: [10.0.0.1/32]}
---
apiVersion: projectcalico.org/v3
kind: Profile
metadata: {name: kns.ns1}
E
check "a cluster" old apply -f $W/cluster.yaml
put /calico/resources/v3/projectcalico.org/networkpolicies/ns1/knp.default.web \
	'{"kind":"NetworkPolicy","apiVersion":"projectcalico.org/v3","metadata":{"name":"knp.default.web","namespace":"ns1","uid":"12345678-1234-4234-8234-123456789abc","creationTimestamp":"2026-01-01T00:00:00Z"},"spec":{"tier":"default","selector":"all()"}}'
put /calico/ipam/v2/assignment/ipv4/block/10.0.0.0-26 \
	"$(printf '{"cidr":"10.0.0.0/26","affinity":"host:n1","affinity_claim_time":"2026-08-22T06:33:20Z","allocations":[null,0,1'; for i in $(seq 3 63); do printf ,null; done; printf '],"unallocated":[0'; for i in $(seq 3 63); do printf ,$i; done; printf '],"attributes":[{"handle_id":"net.a","secondary":{"node":"n1","pod":"a"}},{"handle_id":"ipip-tunnel-addr-n1","secondary":{"node":"n1","type":"ipipTunnelAddress"}}],"sequenceNumber":1787380400000000003,"sequenceNumberForAllocation":{"1":1787380400000000001,"2":1787380400000000002},"deleted":false}')"
put /calico/ipam/v2/host/n1/ipv4/block/10.0.0.0-26 '{"state":"confirmed","deleted":false}'
put /calico/ipam/v2/virtual/n1/ipv4/block/10.0.0.64-26 '{"state":"confirmed","deleted":false}'
put /calico/ipam/v2/handle/net.a '{"block":{"10.0.0.0/26":1},"deleted":false}'
put /calico/ipam/v2/handle/ipip-tunnel-addr-n1 '{"block":{"10.0.0.0/26":1},"deleted":false}'
put /calico/ipam/v2/config '{"strict_affinity":true,"auto_allocate_blocks":true}'

# ---- export
expect "it must be locked" "datastore is not locked. Run the \`calicoctl datastore migrate lock\` command in order to begin migration" "$(old datastore migrate export 2>&1)"
expect "lock" "Datastore locked." "$(old datastore migrate lock)"
expect "lock again" "Datastore locked." "$(old datastore migrate lock)"
check "export" sh -c "$BUILD/calicoctl/calicoctl --allow-version-mismatch --datastore $W/old.db datastore migrate export >$W/export"
csplit -sz -f $W/part $W/export '/^===$/' '{*}'
expect "three parts" 3 "$(ls $W/part* | wc -l)"
expect "a document for each kind, in upstream's order" \
	"IPPoolList BGPPeerList TierList GlobalNetworkPolicyList StagedGlobalNetworkPolicyList GlobalNetworkSetList HostEndpointList KubeControllersConfigurationList NetworkPolicyList StagedNetworkPolicyList StagedKubernetesNetworkPolicyList NetworkSetList NodeList BGPConfigurationList FelixConfigurationList IPReservationList BGPFilterList" \
	"$(sed -n 's/^kind: //p' $W/part00 | xargs)"
expect "nodes have the names of Kubernetes" "k1 n2" "$(sed -n '/^kind: NodeList/q; p' $W/part00 | tac | sed '/^---/q' | tac | sed -n 's/^    name: //p' | xargs)"
expect "and so have their configurations" "node.k1 node.k1" "$(sed -n 's/^    name: \(node\..*\)/\1/p' $W/part00 | xargs)"
check "Kubernetes' policies do not move" sh -c "! grep -q knp.default $W/export"
check "nor does what belongs to the old datastore" sh -c "! grep -q 'uid:\|creationTimestamp:' $W/part00"
expect "the cluster" "$(old get clusterinformation default -o json | jq -r .spec.clusterGUID) false" "$(sed 1d $W/part01 | jq -r '[.spec.clusterGUID, .spec.datastoreReady] | map(tostring) | join(" ")')"
expect "IPAM's keys" "/calico/ipam/v2/host/k1/ipv4/block/10.0.0.0-26 /calico/ipam/v2/virtual/n1/ipv4/block/10.0.0.64-26 /calico/ipam/v2/assignment/ipv4/block/10.0.0.0-26 /calico/ipam/v2/handle/ipip-tunnel-addr-k1 /calico/ipam/v2/handle/net.a /calico/ipam/v2/config" \
	"$(sed 1d $W/part02 | jq -r '.block_affinities[].Key, .blocks[].Key, .handles[].Key, .config.Key' | xargs)"
expect "a block's nodes" "host:k1 net.a k1 ipip-tunnel-addr-k1 k1" \
	"$(sed 1d $W/part02 | jq -r '.blocks[0].Value | [.affinity, .attributes[0].handle_id, .attributes[0].secondary.node, .attributes[1].handle_id, .attributes[1].secondary.node] | join(" ")')"
check "sequence numbers are exact" grep -q '"sequenceNumber": 1787380400000000003' $W/part02
old apply -f - >/dev/null <<'E'
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: n3}
spec: {bgp: {ipv4Address: 172.16.0.3/24}}
E
old datastore migrate export >/dev/null 2>$W/out
expect "a node that Kubernetes does not know" "node n3 missing a 'k8s' orchestrator reference. Unable to export data unless every node has a 'k8s' orchestrator reference" "$(cat $W/out)"
old delete node n3 >/dev/null

# ---- import
expect "not an export" "error while reading migration file: imported file: $W/cluster.yaml is improperly formatted. Try recreating with 'calicoctl export'" \
	"$(new datastore migrate import -f $W/cluster.yaml 2>&1)"
check "and nothing was made of it" test ! -e $W/new.db
cat >$W/wanted <<E
Datastore locked.
Successfully applied 13 resource(s)
Importing IPAM resources
Successfully applied 6 IPAM resource(s)
Datastore information successfully imported. Please refer to the datastore migration documentation for next steps.
E
new datastore migrate import -f - <$W/export >$W/out 2>&1
check "import" cmp $W/wanted $W/out || sed 's/^/#   /' $W/out
expect "it stays locked" false "$(new get clusterinformation default -o json | jq .spec.datastoreReady)"
expect "it is the same cluster" "$(old get clusterinformation default -o json | jq -r .spec.clusterGUID)" "$(new get clusterinformation default -o json | jq -r .spec.clusterGUID)"
expect "the node under its new name" "k1 n2" "$(new get nodes -o json | jq -r '.items[].metadata.name' | xargs)"
expect "again: it is no longer empty" "datastore already has Calico resources: found existing Calico IPPool resource. Clear out all Calico resources first" \
	"$(new datastore migrate import -f $W/export 2>&1)"
check "all is accounted for" sh -c "$BUILD/calicoctl/calicoctl --allow-version-mismatch --datastore $W/new.db ipam check | grep -q 'found 1 problems'" # the endpoint did not move

# ---- there and back: the second export is the first
new datastore migrate export >$W/export2 2>&1
sed '/resourceVersion:\|"resourceVersion"\|"uid"\|"creationTimestamp"/d' $W/export >$W/x1
sed '/resourceVersion:\|"resourceVersion"\|"uid"\|"creationTimestamp"/d' $W/export2 >$W/x2
check "a second export differs in nothing" diff $W/x1 $W/x2
expect "unlock" "Datastore unlocked." "$(new datastore migrate unlock)"

# ---- nodes without Kubernetes keep their names
rm -f $W/old.db*; sed 's/, orchRefs:.*}\]//' $W/cluster.yaml | old apply -f - >$W/out 2>&1 || fail "apply" "$(cat $W/out)"
old datastore migrate lock >/dev/null
old datastore migrate export >$W/export 2>&1
rm -f $W/new.db*
check "a cluster without Kubernetes" new datastore migrate import -f $W/export
old delete wep n1-k8s-a-eth0 -n ns1 >/dev/null
content old >$W/before; content new >$W/after
check "is the same at the other end" diff $W/before $W/after

# ---- old keys of policies
policy() { # KEY NAME TIER
	put /calico/resources/v3/projectcalico.org/$1 "{\"kind\":\"NetworkPolicy\",\"apiVersion\":\"projectcalico.org/v3\",\"metadata\":{\"name\":\"$2\",\"namespace\":\"ns1\",\"uid\":\"12345678-1234-4234-8234-123456789abc\",\"creationTimestamp\":\"2026-01-01T00:00:00Z\"},\"spec\":{\"tier\":\"$3\",\"selector\":\"all()\",\"types\":[\"Ingress\"]}}"
}
policy networkpolicies/ns1/default.legacy default.legacy default
policy networkpolicies/ns1/security.other security.other security
expect "migrate-policy-names" "Policy name migration complete, migrated 1 policies." "$(old datastore migrate-policy-names)"
keys() { sql "SELECT key FROM object WHERE key LIKE '%/networkpolicies/%' ORDER BY key" | sed 's/.*networkpolicies.//' | xargs; }
expect "the key has the policy's own name" "ns1/legacy ns1/security.other ns1/web" "$(keys)"
expect "it is the same object" "12345678-1234-4234-8234-123456789abc all()" "$(old get networkpolicy legacy -n ns1 -o json | jq -r '[.metadata.uid, .spec.selector] | join(" ")')"
expect "again: nothing is left to do" "Policy name migration complete, migrated 0 policies." "$(old datastore migrate-policy-names)"
policy networkpolicies/ns1/default.legacy default.legacy default
expect "half done before: the old key goes" "Policy name migration complete, migrated 1 policies." "$(old datastore migrate-policy-names)"
expect "and nothing else" "ns1/legacy ns1/security.other ns1/web" "$(keys)"

# ---- to a real etcd, and from there to a file again
etcd --data-dir $W/etcd --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
	--listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
	--initial-cluster default=http://127.0.0.1:2380 >$W/etcd.log 2>&1 &
far() { env DATASTORE_TYPE=etcdv3 ETCD_ENDPOINTS=http://127.0.0.1:2379 "$BUILD/calicoctl/calicoctl" --allow-version-mismatch "$@"; }
key() { ETCDCTL_API=3 etcdctl --endpoints http://127.0.0.1:2379 "$@"; }
wait_for 20 key endpoint health || fail "etcd starts" "$(tail -n 5 $W/etcd.log)"
bare() { sed '/resourceVersion:\|"resourceVersion"\|"uid"\|"creationTimestamp"/d' $1; }
old delete networkpolicy legacy security.other -n ns1 >/dev/null
put /calico/ipam/v2/assignment/ipv4/block/10.0.0.0-30 '{"cidr":"10.0.0.0/30","affinity":"host:n1","affinity_claim_time":"2026-08-22T06:33:20Z","allocations":[null,0,null,null],"unallocated":[0,2,3],"attributes":[{"handle_id":"net.a","secondary":{"node":"n1","pod":"a"}}],"sequenceNumber":1787380400000000003,"sequenceNumberForAllocation":{"1":1787380400000000001},"deleted":false}'
put /calico/ipam/v2/host/n1/ipv4/block/10.0.0.0-30 '{"state":"confirmed","deleted":false}'
put /calico/ipam/v2/handle/net.a '{"block":{"10.0.0.0/30":1},"deleted":false}'
old datastore migrate export >$W/export 2>&1
far datastore migrate import -f $W/export >$W/out 2>&1 && ok "import into etcd" || fail "import into etcd" "$(cat $W/out)"
expect "it is locked" false "$(far get clusterinformation default -o json | jq .spec.datastoreReady)"
expect "values stand in etcd as they stood in the file" "$(sql "SELECT value FROM object WHERE key = '/calico/ipam/v2/assignment/ipv4/block/10.0.0.0-30'")" \
	"$(key get --print-value-only /calico/ipam/v2/assignment/ipv4/block/10.0.0.0-30)"
far datastore migrate export >$W/export2 2>&1
bare $W/export >$W/x1; bare $W/export2 >$W/x2
check "an export from etcd differs in nothing" diff $W/x1 $W/x2
rm -f $W/new.db*
check "and into a file" new datastore migrate import -f $W/export2
content old >$W/before; content new >$W/after
check "which is what it was" diff $W/before $W/after
P=/calico/resources/v3/projectcalico.org/globalnetworkpolicies
key put $P/default.legacy '{"kind":"GlobalNetworkPolicy","apiVersion":"projectcalico.org/v3","metadata":{"name":"default.legacy","uid":"12345678-1234-4234-8234-123456789abc","creationTimestamp":"2026-01-01T00:00:00Z"},"spec":{"selector":"all()","types":["Ingress"]}}' >/dev/null
expect "old keys in etcd" "Policy name migration complete, migrated 1 policies." "$(far datastore migrate-policy-names)"
expect "are written anew" "$P/legacy $P/security.all" "$(key get --prefix --keys-only $P/ | xargs)"

# ---- what this program has no field for, and who owns an object, move too
rm -f $W/old.db* $W/new.db*
old apply -f $W/cluster.yaml >/dev/null
old delete node n1 n2 >/dev/null
whole='{"kind":"NetworkSet","apiVersion":"projectcalico.org/v3","metadata":{"name":"whole","namespace":"ns1","uid":"12345678-1234-4234-8234-123456789abd","creationTimestamp":"2026-01-01T00:00:00Z","ownerReferences":[{"apiVersion":"v1","kind":"Pod","name":"p","uid":"77345678-1234-4234-8234-123456789abc"}],"futureMeta":{"a":1}},"spec":{"nets":["10.0.0.0/8"],"future":{"number":12,"digits":"12","yes":"yes","on":true,"none":null,"fraction":1.50,"list":["a: b","# c","1:20",[]],"text":"two\nlines\n","empty":{}}}}'
put /calico/resources/v3/projectcalico.org/networksets/ns1/whole "$whole"
stored() { sqlite3 $W/$1.db "SELECT value FROM object WHERE key LIKE '%/networksets/ns1/whole'" | jq -cS 'del(.metadata.uid, .metadata.creationTimestamp, .metadata.resourceVersion)'; }
old datastore migrate lock >/dev/null
old datastore migrate export >$W/export 2>&1
new datastore migrate import -f $W/export >$W/out 2>&1 && ok "import of what is unknown" || fail "import of what is unknown" "$(cat $W/out)"
expect "members without a field, and owners, are there" "$(stored old)" "$(stored new)"
