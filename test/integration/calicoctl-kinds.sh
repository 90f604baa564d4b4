#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Every kind that calicoctl knows goes in, is found by its short names, is stored as upstream stores it, and goes out. One node, one typhad.
. "$(dirname "$0")/lib.sh"

node a
start a typhad --datastore-path $W/db
wait_for 10 [ -S /run/n/a/typhad/api.sock ]
cd $W || exit 1
ctl() { on a "$BUILD/calicoctl/calicoctl" "$@"; }

cat >all.yaml <<'E'
apiVersion: projectcalico.org/v3
kind: List
items:
- apiVersion: projectcalico.org/v3
  kind: HostEndpoint
  metadata: {name: h1}
  spec: {node: n1, interfaceName: eth0, expectedIPs: [10.0.0.1], ports: [{name: http, protocol: TCP, port: 80}]}
- apiVersion: projectcalico.org/v3
  kind: StagedNetworkPolicy
  metadata: {name: s1, namespace: ns1}
  spec: {selector: "a == '<b>'", ingress: [{action: Allow, http: {methods: [GET], paths: [{exact: /a}]}}]}
- apiVersion: projectcalico.org/v3
  kind: StagedGlobalNetworkPolicy
  metadata: {name: s2}
  spec: {stagedAction: Delete}
- apiVersion: projectcalico.org/v3
  kind: StagedKubernetesNetworkPolicy
  metadata: {name: s3, namespace: ns1}
  spec: {podSelector: {matchLabels: {a: b}}, ingress: [{ports: [{port: http}, {port: 80, endPort: 90}], from: [{podSelector: {}}]}]}
- apiVersion: projectcalico.org/v3
  kind: IPReservation
  metadata: {name: r1}
  spec: {reservedCIDRs: [10.0.0.0/30]}
- apiVersion: projectcalico.org/v3
  kind: IPAMConfiguration
  metadata: {name: default}
  spec: {strictAffinity: true, autoAllocateBlocks: true}
E
ctl apply -f all.yaml >out 2>&1
expect "all are applied" "Successfully applied 6 resource(s)" "$(cat out)"
while read -r word name all; do
	expect "$word" "$name" "$(ctl get $word $all -o name 2>&1 | sed 's/.*projectcalico.org.//')"
done <<'E'
hep h1
heps h1
snp s1 -A
spol s1 -A
sgnp s2
sknp s3 -A
skpols s3 -A
reservation r1
ipreservations r1
ipamconfig default
E
spec() { ctl get "$@" -o json | jq -c .spec; }
expect "a rule's empty sides are not there, types and tier are" \
	'{"stagedAction":"Set","tier":"default","ingress":[{"action":"Allow","http":{"methods":["GET"],"paths":[{"exact":"/a"}]}}],"selector":"a == '"'<b>'"'","types":["Ingress"]}' \
	"$(spec snp s1 -n ns1)"
expect "what is to be deleted has no types" '{"stagedAction":"Delete","tier":"default"}' "$(spec sgnp s2)"
expect "a policy of Kubernetes' is not touched" \
	'{"stagedAction":"Set","podSelector":{"matchLabels":{"a":"b"}},"ingress":[{"ports":[{"port":"http"},{"port":80,"endPort":90}],"from":[{"podSelector":{}}]}]}' \
	"$(spec sknp s3 -n ns1)"

refused() { # NAME WANTED ; the manifest on standard input
	cat >bad.yaml
	ctl apply -f bad.yaml >out 2>&1 && fail "$1" "it was accepted"
	expect "$1" "$2" "$(sed -E 's/.*: \[?(error with|unknown|resource|operation)/\1/; s/]$//' out | head -n 1)"
}
refused "a staged policy needs its tier" "resource does not exist: Tier(nosuch) with error: <nil>" <<'E'
{apiVersion: projectcalico.org/v3, kind: StagedGlobalNetworkPolicy, metadata: {name: x}, spec: {tier: nosuch}}
E
refused "what kube-controllers writes is not the operator's" \
	"operation apply or replace is not supported on NetworkPolicy(default/knp.default.x): kubernetes network policies must be managed through the kubernetes API" <<'E'
{apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: knp.default.x}}
E
refused "an affinity is not the operator's" "unknown resource type (BlockAffinity) and/or version (projectcalico.org/v3)" <<'E'
{apiVersion: projectcalico.org/v3, kind: BlockAffinity, metadata: {name: x}}
E
printf '{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: t1}}\n---\n{apiVersion: projectcalico.org/v3, kind: StagedGlobalNetworkPolicy, metadata: {name: x}, spec: {tier: t1}}\n' >tier.yaml
ctl apply -f tier.yaml >out 2>&1
expect "a tier with a staged policy is not empty" "Failed to delete 'Tier' resource: operation delete is not supported on t1: Cannot delete a non-empty tier" \
	"$(ctl delete tier t1 2>&1)"

ctl delete -f all.yaml >out 2>&1
expect "all are deleted" "Successfully deleted 6 resource(s)" "$(cat out)"
