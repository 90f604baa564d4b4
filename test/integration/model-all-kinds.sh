#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Every kind that calicoctl knows, by every name it has: applied, shown, edited, replaced, deleted; and what another release has left in the
# datastore survives a change by this one. One node, one typhad, the embedded datastore.
. "$(dirname "$0")/lib.sh"

node a
DB=$W/db
up() {
	start a typhad --datastore-path $DB
	wait_for 10 on a "$BUILD/calicoctl/calicoctl" get tiers
}
ctl() { on a "$BUILD/calicoctl/calicoctl" "$@"; }

cat >$W/all.yaml <<'E'
apiVersion: projectcalico.org/v3
kind: Tier
metadata: {name: x}
spec: {order: 10}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: x}
spec: {bgp: {ipv4Address: 10.0.0.1/24}}
---
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: x}
spec: {cidr: 10.1.0.0/16}
---
apiVersion: projectcalico.org/v3
kind: IPReservation
metadata: {name: x}
spec: {reservedCIDRs: [10.1.0.0/30]}
---
apiVersion: projectcalico.org/v3
kind: IPAMConfiguration
metadata: {name: default}
spec: {maxBlocksPerHost: 1}
---
apiVersion: projectcalico.org/v3
kind: BGPConfiguration
metadata: {name: default}
spec: {asNumber: 64512}
---
apiVersion: projectcalico.org/v3
kind: BGPFilter
metadata: {name: x}
spec: {exportV4: [{action: Accept, cidr: 10.0.0.0/8, matchOperator: In}]}
---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: {name: x}
spec: {peerIP: 192.0.2.1, asNumber: 64513, filters: [x]}
---
apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: {name: default}
spec: {reportingInterval: 90s, failsafeInboundHostPorts: [], healthTimeoutOverrides: [{name: x, timeout: 5s}]}
---
apiVersion: projectcalico.org/v3
kind: KubeControllersConfiguration
metadata: {name: default}
spec: {controllers: {node: {syncLabels: Enabled}}}
---
apiVersion: projectcalico.org/v3
kind: CalicoNodeStatus
metadata: {name: x}
spec: {node: x, classes: [BGP], updatePeriodSeconds: 10}
---
apiVersion: projectcalico.org/v3
kind: HostEndpoint
metadata: {name: x}
spec: {node: x, interfaceName: eth0}
---
apiVersion: projectcalico.org/v3
kind: WorkloadEndpoint
metadata: {name: x-k8s-p-eth0, namespace: n}
spec: {orchestrator: k8s, node: x, pod: p, endpoint: eth0, interfaceName: cali1, ipNetworks: [10.1.0.1/32]}
---
apiVersion: projectcalico.org/v3
kind: Profile
metadata: {name: x}
spec: {labelsToApply: {a: b}}
---
apiVersion: projectcalico.org/v3
kind: NetworkSet
metadata: {name: x, namespace: n}
spec: {nets: [10.0.0.0/8]}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkSet
metadata: {name: x}
spec: {nets: [10.0.0.0/8]}
---
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: x, namespace: n}
spec: {order: 1, ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}]}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: x}
spec: {order: 1, selector: all()}
---
apiVersion: projectcalico.org/v3
kind: StagedNetworkPolicy
metadata: {name: x, namespace: n}
spec: {order: 1}
---
apiVersion: projectcalico.org/v3
kind: StagedGlobalNetworkPolicy
metadata: {name: x}
spec: {order: 1}
---
apiVersion: projectcalico.org/v3
kind: StagedKubernetesNetworkPolicy
metadata: {name: x, namespace: n}
spec: {policyTypes: [Ingress]}
E

# KIND NAME NAMESPACE (-: none), what is edited and how, the names
kinds() {
	cat <<'E'
Tier x - .spec.order=20 tier tiers
Node x - .spec.bgp.asNumber=64999 node nodes no nos
IPPool x - .spec.natOutgoing=true ippool ippools ipp ipps pool pools
IPReservation x - .spec.reservedCIDRs=["10.1.0.4/30"] ipreservation ipreservations reservation reservations
IPAMConfiguration default - .spec.maxBlocksPerHost=2 ipamconfiguration ipamconfigurations ipamconfig ipamconfigs
BGPConfiguration default - .spec.listenPort=178 bgpconfiguration bgpconfigurations bgpconfig bgpconfigs
BGPFilter x - .spec.exportV4[0].action="Reject" bgpfilter bgpfilters bgpf bgpfs bf bfs
BGPPeer x - .spec.keepaliveTime="1m30s" bgppeer bgppeers bgpp bgpps bp bps
FelixConfiguration default - .spec.wireguardEnabled=false felixconfiguration felixconfigurations felixconfig felixconfigs
KubeControllersConfiguration default - .spec.healthChecks="Disabled" kubecontrollersconfiguration kubecontrollersconfigurations kubecontrollersconfig kubecontrollersconfigs
CalicoNodeStatus x - .spec.updatePeriodSeconds=0 caliconodestatus caliconodestatuses nodestatus nodestatuses
HostEndpoint x - .spec.interfaceName="eth1" hostendpoint hostendpoints hep heps
WorkloadEndpoint x-k8s-p-eth0 n .spec.mac="ee:ee:ee:ee:ee:ee" workloadendpoint workloadendpoints wep weps
Profile x - .spec.labelsToApply.a="c" profile profiles pro pros
NetworkSet x n .spec.nets=["10.0.0.0/9"] networkset networksets netsets
GlobalNetworkSet x - .spec.nets=["10.0.0.0/9"] globalnetworkset globalnetworksets gnetsets
NetworkPolicy x n .spec.order=0 networkpolicy networkpolicies policy policies np pol pols
GlobalNetworkPolicy x - .spec.order=0.5 globalnetworkpolicy globalnetworkpolicies gnp gnps
StagedNetworkPolicy x n .spec.stagedAction="Learn" stagednetworkpolicy stagednetworkpolicies stagedpolicy stagedpolicies snp spol spols
StagedGlobalNetworkPolicy x - .spec.stagedAction="Ignore" stagedglobalnetworkpolicy stagedglobalnetworkpolicies sgnp sgnps
StagedKubernetesNetworkPolicy x n .spec.policyTypes=["Egress"] stagedkubernetesnetworkpolicy stagedkubernetesnetworkpolicies stagedkubernetespolicy stagedkubernetespolicies sknp skpol skpols
E
}
# Each line of a file to a function, which gets KIND NAME NAMESPACE-OPTION EDIT NAMES...
each() {
	while read -r _kind _one _ns _edit _names; do
		_opt=; [ "$_ns" = - ] || _opt="-n $_ns"
		"$2" "$_kind" "$_one" "$_opt" "$_edit" $_names
	done <$W/$1
}
kinds >$W/kinds
kinds | grep -v ^IPAMConfiguration >$W/resources # it is stored without kind and spec, as the IPAM library has it
kinds | tac >$W/backwards # what belongs to something before that

up
check "one of every kind is applied" ctl apply -f $W/all.yaml
check "and again, and nothing is wrong with that" ctl apply -f $W/all.yaml
check "they are all valid" ctl validate -f $W/all.yaml

# ---- names
by_every_name() {
	kind=$1 one=$2 opt=$3; shift 4
	wanted=$(ctl get "$1" $one $opt -o json)
	wrong=
	for name in "$@" "$kind" "$(echo "$1" | tr a-z A-Z)"; do
		[ "$(ctl get "$name" $one $opt -o json 2>&1)" = "$wanted" ] || wrong="$wrong $name"
	done
	expect "$kind is found by each of its names" "$kind:" "$(echo "$wanted" | jq -r .kind):$wrong"
	# The list of all of a kind can be applied as it is shown.
	ctl get "$2" -A -o yaml >$W/list.yaml 2>$W/err || ctl get "$2" -o yaml >$W/list.yaml 2>$W/err
	expect "its list has the name of one" "kind: ${kind}List" "$(grep '^kind:' $W/list.yaml)"
}
each kinds by_every_name
wanted=$(ctl get clusterinformation default -o json)
for name in clusterinformation clusterinformations clusterinfo clusterinfos ClusterInformation; do
	expect "ClusterInformation as $name" "$wanted" "$(ctl get $name default -o json)"
done

# ---- edit and replace, from YAML and from JSON
edited() {
	kind=$1 one=$2 opt=$3 edit=$4; shift 4
	ctl get "$1" $one $opt -o yaml >$W/one.yaml
	check "$kind: what is shown can be replaced" ctl replace -f $W/one.yaml || return
	ctl get "$2" $one $opt -o json | jq "$edit" >$W/one.json
	check "$kind: $edit" ctl replace -f $W/one.json || return
	expect "$kind: is shown as it was edited" "$(jq -cS 'del(.metadata.resourceVersion)' $W/one.json)" \
		"$(ctl get "$1" $one $opt -o json | jq -cS 'del(.metadata.resourceVersion)')"
}
each kinds edited
expect "an empty list is not the same as none" '[]' "$(ctl get felixconfig default -o json | jq -c .spec.failsafeInboundHostPorts)"
expect "a duration has one form" 1m30s "$(ctl get felixconfig default -o json | jq -r .spec.reportingInterval)"

# ---- what another release has left there
stop a typhad
key_of() { # KIND NAME: as the datastore has it
	sqlite3 -bail $DB "SELECT key FROM object WHERE json_extract(CAST(value AS TEXT), '\$.kind') = '$1' AND key LIKE '%/$2'"
}
later='.later = {deep: [1.50, null, {x: "<>&"}]} | .metadata.later = true | .spec.later = {"a.b": 1e400 | tostring}'
lists='if .spec.ingress then .spec.ingress[].later = 2 else . end | if .spec.exportV4 then .spec.exportV4[].later = 2 else . end
	| if .spec.healthTimeoutOverrides then .spec.healthTimeoutOverrides[].later = 2 else . end | if .spec.bgp then .spec.bgp.later = 3 else . end'
status_of() {
	case $1 in
	Node) echo '{"podCIDRs":["10.2.0.0/24"]}' ;;
	IPPool | Tier) echo '{"conditions":[{"type":"A","status":"True","lastTransitionTime":null,"reason":"B","message":"C"}]}' ;;
	KubeControllersConfiguration) echo '{"environmentVars":{"A":"b"}}' ;;
	CalicoNodeStatus) echo '{"lastUpdated":"2026-08-22T06:33:20Z","agent":{"birdV4":{"state":"Ready"},"birdV6":{}},"bgp":{"numberEstablishedV4":1,"numberNotEstablishedV4":0,"numberEstablishedV6":0,"numberNotEstablishedV6":0},"routes":{}}' ;;
	*) echo null ;;
	esac
}
leave() {
	kind=$1 one=$2
	key=$(key_of "$kind" $one)
	[ -n "$key" ] || { fail "$kind is in the datastore"; return; }
	value=$(sqlite3 -bail $DB "SELECT CAST(value AS TEXT) FROM object WHERE key = '$key'" | jq -c --argjson status "$(status_of $kind)" "$later | $lists | if \$status then .status = \$status else . end")
	printf '%s' "$value" | jq -cS . >"$W/$kind.left"
	sqlite3 -bail $DB "UPDATE object SET value = CAST('$(printf '%s' "$value" | sed "s/'/''/g")' AS BLOB) WHERE key = '$key'"
}
each resources leave
up
survives() {
	kind=$1 one=$2 opt=$3; shift 4
	ctl get "$1" $one $opt -o yaml >$W/one.yaml
	sed 's/^metadata:$/metadata:\n  annotations: {edited: "yes"}/' $W/one.yaml | grep -v '^  annotations:$' >$W/two.yaml
	check "$kind: is edited by one who does not know all of it" ctl replace -f $W/two.yaml
}
each resources survives
stop a typhad
still_there() {
	kind=$1 one=$2
	expect "$kind: and loses nothing" "$(jq -cS 'del(.metadata.annotations)' "$W/$kind.left")" \
		"$(sqlite3 -bail $DB "SELECT CAST(value AS TEXT) FROM object WHERE key = '$(key_of "$kind" $one)'" | jq -cS 'del(.metadata.annotations)')"
}
each resources still_there

# A manifest that says nothing of them leaves them alone, too.
up
check "one of every kind is applied once more" ctl apply -f $W/all.yaml
stop a typhad
left_alone() {
	kind=$1 one=$2
	only='[.later, .metadata.later, .spec.later, .status]'
	expect "$kind: its status and what is unknown of it stay" "$(jq -cS "$only" "$W/$kind.left")" \
		"$(sqlite3 -bail $DB "SELECT CAST(value AS TEXT) FROM object WHERE key = '$(key_of "$kind" $one)'" | jq -cS "$only")"
}
each resources left_alone

# ---- the end
up
deleted() {
	kind=$1 one=$2 opt=$3; shift 4
	eval "last=\${$#}"
	expect "$kind is deleted, by its last name" "Successfully deleted 1 '$kind' resource(s)" "$(ctl delete "$last" $one $opt 2>&1)"
	ctl get "$1" $one $opt >$W/out 2>&1 && fail "$kind is gone"
}
each backwards deleted
stop a typhad
expect "nothing is left but what every cluster has" "clusterinformations/default tiers/default tiers/kube-admin tiers/kube-baseline" \
	"$(echo $(sqlite3 $DB "SELECT key FROM object ORDER BY key" | sed 's|.*projectcalico.org/||' | grep -v '/ipam/'))"
