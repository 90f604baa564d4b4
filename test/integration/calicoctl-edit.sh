#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Resources are changed in part: patch, label, delete by selector; and diff tells what apply would do. Through a typhad and of an
# embedded datastore alike.
. "$(dirname "$0")/lib.sh"

node a
start a typhad --datastore-path $W/typhad.db
wait_for 10 [ -S /run/n/a/typhad/api.sock ]
ctl() { on a "$BUILD/calicoctl/calicoctl" $STORE "$@"; }
same() { # NAME COMMAND... ; the wanted output, both channels and exit status, on standard input
	_name=$1; shift
	cat >$W/want
	{ ctl "$@" 2>&1; echo "exit $?"; } | sed -E 's/ +$//; s/[0-9a-f]{8}-[0-9a-f-]{27}/UUID/; s/"?20[0-9-]+T[0-9:]+Z"?/TIME/' >$W/seen
	if cmp -s $W/want $W/seen; then ok "$HOW: $_name"; else fail "$HOW: $_name" "$(diff $W/want $W/seen)"; fi
}
spec() { ctl get "$1" "$2" -o json | jq -Sc "$3"; }
is() { # NAME WANT KIND NAME FILTER
	expect "$HOW: $1" "$2" "$(spec "$3" "$4" "$5")"
}

cat >$W/all.yaml <<'E'
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: p1, labels: {rack: r1}, annotations: {note: a}}
spec: {cidr: 10.0.0.0/16, natOutgoing: true}
---
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: p2, labels: {rack: r2}}
spec: {cidr: 10.1.0.0/16}
---
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: web, namespace: ns1}
spec: {order: 10, ingress: [{action: Allow, protocol: TCP}, {action: Deny}]}
E

# An etcd of the namespace's own, if there is one to be had.
nsenter --net=/run/netns/a etcd --data-dir $W/etcd >$W/etcd.log 2>&1 &
etcd=$!
for HOW in typhad embedded etcd; do
	STORE=
	case $HOW in
	embedded) STORE="--datastore $W/embedded.db" ;;
	etcd)
		wait_for 20 on a etcdctl endpoint health || break
		export DATASTORE_TYPE=etcdv3 ETCD_ENDPOINTS=http://127.0.0.1:2379
		;;
	esac
	check "$HOW: resources" ctl apply -f $W/all.yaml

	# ---- patch
	same "a strategic patch" patch ippool p1 -p '{"spec": {"disabled": true}, "metadata": {"labels": {"zone": "a"}}}' <<'E'
Successfully patched 1 'IPPool' resource
exit 0
E
	is "what it names is changed, the rest stays" '{"labels":{"rack":"r1","zone":"a"},"spec":[true,true,"10.0.0.0/16"]}' pool p1 \
		'{labels: .metadata.labels, spec: [.spec.disabled, .spec.natOutgoing, .spec.cidr]}'
	same "a patch in YAML removes with null" patch pool p1 --patch 'metadata: {labels: {zone: null}}
spec:
  disabled: null' <<'E'
Successfully patched 1 'IPPool' resource
exit 0
E
	is "and it is gone" '[{"rack":"r1"},null]' pool p1 '[.metadata.labels, .spec.disabled]'
	check "$HOW: a list is replaced" ctl patch np web -n ns1 -p '{"spec": {"ingress": [{"action": "Pass"}]}}'
	expect "$HOW: as a whole" '["Pass"]' "$(ctl get np web -n ns1 -o json | jq -c '[.spec.ingress[].action]')"
	check "$HOW: a merge patch" ctl patch np web -n ns1 --type merge -p '{"spec": {"order": 7.5, "ingress": null}}'
	expect "$HOW: laid over it" '[7.5,null]' "$(ctl get np web -n ns1 -o json | jq -c '[.spec.order, .spec.ingress]')"
	check "$HOW: a JSON patch" ctl patch np web -n ns1 -t json -p \
		'[{"op": "test", "path": "/spec/order", "value": 7.5}, {"op": "add", "path": "/spec/ingress", "value": [{"action": "Deny"}]},
		  {"op": "add", "path": "/spec/ingress/0", "value": {"action": "Allow"}}]'
	expect "$HOW: carried out" '["Allow","Deny"]' "$(ctl get np web -n ns1 -o json | jq -c '[.spec.ingress[].action]')"
	same "a test that fails" patch np web -n ns1 -t json -p '[{"op": "test", "path": "/spec/order", "value": 1}]' <<'E'
hit error: performing JSON patch: operation 1: test '/spec/order': it is 7.5, not 1
exit 1
E
	same "a patch of nothing" patch pool nope -p '{}' <<'E'
hit error: resource does not exist: IPPool(nope) with error: <nil>
exit 1
E
	same "a field that is not there" patch pool p1 -p '{"spec": {"frob": 1}}' <<'E'
field in document is not recognized or is in the wrong location: spec.frob
exit 1
E
	same "a value that is not allowed" patch pool p1 -p '{"spec": {"cidr": "10.0.0.0/33"}}' <<'E'
hit error: updating existing resource: error with field IPPool.Spec.CIDR = '10.0.0.0/33' (IPPool CIDR must be a valid subnet)
exit 1
E
	same "a name stays" patch pool p1 -p '{"metadata": {"name": "p9"}}' <<'E'
hit error: updating existing resource: error with field metadata.name = 'p9' (cannot be changed)
exit 1
E
	same "a kind stays" patch pool p1 -p '{"kind": "Node"}' <<'E'
hit error: updating existing resource: error with field kind = 'Node' (cannot be changed)
exit 1
E
	same "a version stays" patch pool p1 -t json -p '[{"op": "remove", "path": "/apiVersion"}]' <<'E'
hit error: updating existing resource: error with field apiVersion = '' (cannot be changed)
exit 1
E
	same "an older revision" patch pool p1 -p '{"metadata": {"resourceVersion": "1"}}' <<'E'
hit error: updating existing resource: update conflict: IPPool(p1)
exit 1
E
	same "no patch" patch pool p1 <<'E'
the patch is empty: use --patch
exit 1
E
	same "no JSON" patch pool p1 -p '{' <<'E'
the patch, line 2, column 1: did not find expected node content (while parsing a flow node, line 2)
exit 1
E
	same "no such type" patch pool p1 -t frob -p '{}' <<'E'
patch type 'frob' is not strategic, merge or json
exit 1
E
	same "one name" patch pool <<'E'
accepts 2 arg(s), received 1
See 'calicoctl patch --help'.
exit 1
E

	# ---- label
	same "a label" label ippools p1 tier=gold <<'E'
Successfully set label tier on ippools p1
exit 0
E
	same "the same label" label ippools p1 tier=gold <<'E'
Successfully updated label tier on ippools p1
exit 0
E
	same "another value" label ippools p1 tier=silver <<'E'
failed to update label of ippools p1, key tier is already present. please use '--overwrite' to set a new value
exit 1
E
	same "overwritten" label ippools p1 tier=silver --overwrite <<'E'
Successfully updated label tier on ippools p1
exit 0
E
	is "it is there" '"silver"' pool p1 .metadata.labels.tier
	same "removed" label pool p1 tier --remove <<'E'
Successfully removed label tier from pool p1
exit 0
E
	same "removed again" label pool p1 tier --remove <<'E'
cannot remove label of pool p1, key tier does not exist
exit 1
E
	same "no label" label pool p1 tier <<'E'
invalid label tier
exit 1
E
	same "nothing to label" label pool nope a=b <<'E'
pool nope not found
exit 1
E
	same "several names, several labels" label pool p1 p2 a=1 b=2 <<'E'
Successfully set label a on pool p1
Successfully set label b on pool p1
Successfully set label a on pool p2
Successfully set label b on pool p2
exit 0
E
	same "those that a selector says" label pool -l 'rack=r2' a b --remove <<'E'
Successfully removed label a from pool p2
Successfully removed label b from pool p2
exit 0
E
	same "a selector for none" label pool -l nothing a=b <<'E'
No resources found
exit 0
E
	ctl label pool p1 'a b=x' >$W/out 2>&1
	check "$HOW: a label's wrong name" grep -q "^failed to update pool p1, label not changed: error with field .*a b" $W/out
	check "$HOW: labels removed" ctl label pool p1 a --remove

	# ---- diff
	ctl get pool p1 -o yaml >$W/p1.yaml
	same "what is there is no difference" diff -f $W/p1.yaml <<'E'
exit 0
E
	cat >$W/p1-short.yaml <<'E'
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: p1, labels: {rack: r1, b: "2"}, annotations: {note: a}}
spec: {cidr: 10.0.0.0/16, natOutgoing: true}
E
	same "nor is what comes to the same" diff -f $W/p1-short.yaml <<'E'
exit 0
E
	sed 's/natOutgoing: true/ipipMode: Always/' $W/p1-short.yaml >$W/p1-new.yaml
	same "a change" diff -f $W/p1-new.yaml <<'E'
--- live/ippools/p1
+++ applied/ippools/p1
@@ -16,7 +16,6 @@
   assignmentMode: Automatic
   blockSize: 26
   cidr: 10.0.0.0/16
-  ipipMode: Never
-  natOutgoing: true
+  ipipMode: Always
   nodeSelector: all()
   vxlanMode: Never
exit 1
E
	printf -- '---\n{apiVersion: projectcalico.org/v3, kind: Tier, metadata: {name: t1}, spec: {order: 5}}\n' >$W/t.yaml
	same "something new" diff -f $W/t.yaml <<'E'
--- live/tiers/t1
+++ applied/tiers/t1
@@ -0,0 +1,8 @@
+apiVersion: projectcalico.org/v3
+kind: Tier
+metadata:
+  name: t1
+spec:
+  defaultAction: Deny
+  order: 5
+status: {}
exit 1
E
	check "$HOW: diff wrote nothing" [ "$(ctl get tiers -o name | grep -c t1)" = 0 ]
	echo '{' >$W/bad.yaml
	ctl diff -f $W/bad.yaml >$W/out 2>&1
	expect "$HOW: an error is 2" 2 $?
	check "$HOW: applied" ctl apply -f $W/p1-new.yaml
	same "then there is no difference" diff -f $W/p1-new.yaml <<'E'
exit 0
E

	# ---- delete by selector
	same "delete what a selector says" delete pools -l 'rack in (r1, r2)' <<'E'
Successfully deleted 2 'IPPool' resource(s)
exit 0
E
	same "nothing is left of them" delete pools -l 'rack' <<'E'
No resources found
exit 0
E
	same "a selector and a name" delete pools p1 -l rack <<'E'
a name cannot be provided when a selector is specified
exit 1
E
done

unset DATASTORE_TYPE ETCD_ENDPOINTS
kill $etcd

# Forty labels set by two at a time: every write that finds another's in between is done again.
STORE= HOW=typhad
check "a tier" ctl apply -f $W/t.yaml
for i in $(seq 20); do
	ctl label tier t1 "x$i=1" >$W/x.$i 2>&1 &
	other=$!
	ctl label tier t1 "y$i=1" >$W/y.$i 2>&1
	wait $other
done
expect "no label is lost" 40 "$(ctl get tier t1 -o json | jq '.metadata.labels | with_entries(select(.value == "1")) | length')"
finish
