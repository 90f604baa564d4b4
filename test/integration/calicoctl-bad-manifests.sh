#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Manifests with errors: each error names the document, the line, the field and the reason; what is right is applied; the exit status tells.
# One node, one typhad.
. "$(dirname "$0")/lib.sh"

node a
start a typhad --datastore-path $W/db
wait_for 10 [ -S /run/n/a/typhad/api.sock ]
cd $W || exit 1
ctl() { on a "$BUILD/calicoctl/calicoctl" "$@"; }
same() { # NAME COMMAND... ; the wanted output (both channels, exit status) on standard input
	_name=$1; shift
	cat >$W/want
	ctl "$@" >$W/out 2>$W/err
	_rc=$?
	{ sed 's/ *$//' $W/out $W/err; echo "exit $_rc"; } >$W/seen
	if cmp -s $W/want $W/seen; then ok "$_name"; else fail "$_name" "$(diff $W/want $W/seen)"; fi
}
# One resource with something wrong: its errors, without the words around them. SPEC is the lines behind 'spec:'.
bad() { # KIND SPEC WANTED
	printf 'apiVersion: projectcalico.org/v3\nkind: %s\nmetadata: {name: x}\nspec:\n%b\n' "$1" "$2" >one.yaml
	ctl apply -f one.yaml >out 2>&1 && fail "$1: $3" "it was accepted"
	expect "$1: $3" "$3" "$(sed -E "s/^fail[^:]*: \[?//; s/\]$//" out)"
}

# ---- one error each
bad IPPool '  cidr: 10.0.0.0/33' "one.yaml, document 1, line 5: error with field IPPool.Spec.CIDR = '10.0.0.0/33' (IPPool CIDR must be a valid subnet)"
bad IPPool '  cidr: 10.0.0.0/16\n  natOutgoing: "true"' "one.yaml, document 1, line 6: spec.natOutgoing: expected a boolean, got a string"
bad IPPool '  cidr: 10.0.0.0/16\n  blockSize: large' "one.yaml, document 1, line 6: spec.blockSize: expected an integer, got a string"
bad IPPool '  cidr: [10.0.0.0/16]' "one.yaml, document 1, line 5: spec.cidr: expected a string, got an array"
bad IPPool '  cidr: 10.0.0.0/16\n  cider: 10.0.0.0/16' \
	"one.yaml, document 1, line 6: field in document is not recognized or is in the wrong location: spec.cider"
bad IPPol '  cidr: 10.0.0.0/16' "one.yaml, document 1, line 2: unknown resource type (IPPol) and/or version (projectcalico.org/v3)"
bad NetworkPolicy '  ingress:\n  - action: Allow\n    protocol: TCP\n    destination:\n      ports: [80, 70000]' \
	"one.yaml, document 1, line 9: spec.ingress[0].destination.ports[1]: '70000' is not a port (1 to 65535)"
bad NetworkPolicy '  selector: role = "db"' \
	"one.yaml, document 1, line 5: error with field Selector = 'role = \"db\"' (Reason: failed to validate Field: Selector because of Tag: selector )"
bad NetworkPolicy '  tier: nosuch' \
	"one.yaml, document 1, line 5: spec.tier: resource does not exist: Tier(nosuch) with error: <nil>"
bad ClusterInformation '  clusterType: x' "one.yaml, document 1, line 3: Cannot create a Cluster Information resource with a name other than \"default\""
bad Node '  bgp: {ipv4Address: 10.0.0.300/24}' \
	"one.yaml, document 1, line 5: error with field IPv4Address = '10.0.0.300/24' (Reason: failed to validate Field: IPv4Address because of Tag: cidrv4 )"
bad Tier '  order: first' "one.yaml, document 1, line 5: spec.order: expected a number, got a string"
bad Profile '  labelsToApply: [a]' "one.yaml, document 1, line 5: spec.labelsToApply: expected an object, got an array"
bad IPPool '  cidr: 10.0.0.0/16\n  cidr: 10.1.0.0/16' "one.yaml, document 1, line 6: key 'cidr' already set in map"
bad IPPool '  cidr: *x' "one.yaml, document 1, line 5: unknown anchor 'x' referenced"
bad IPPool '\tcidr: 10.0.0.0/16' \
	"one.yaml, document 1, line 5, column 1: found character that cannot start any token (while scanning for the next token, line 5)"

# ---- several errors in one resource
cat >many.yaml <<'E'
apiVersion: projectcalico.org/v3
kind: IPPool
metadata:
  name: Not_A_Name
spec:
  cidr: 10.0.0.0/16
  nodeSelector: a ==
  blockSize: 33
  ipipMode: Sometimes
E
ctl apply -f many.yaml >out 2>&1
expect "all that is wrong is told at once, each with its line" "Metadata.Name 4 NodeSelector 7 spec.ipipMode 9 spec 6" \
	"$(echo $(sed -nE 's/^-  ([^ ]+) .*, line ([0-9]+)]?$/\1 \2/p' out))"

# ---- documents beside each other
cat >three.yaml <<'E'
apiVersion: projectcalico.org/v3
kind: GlobalNetworkSet
metadata: {name: one}
---
# the second is broken
apiVersion: projectcalico.org/v3
kind: GlobalNetworkSet
metadata: {name: two
spec: {}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkSet
metadata: {name: three}
E
same "broken YAML in document 2 of 3" apply -f three.yaml <<'E'
Partial success: applied the first 2 out of 3 resources:
hit error: [three.yaml, document 2, line 9, column 5: did not find expected ',' or '}' (while parsing a flow mapping, line 8)]
exit 1
E
same "the first and the third are there" get gnetsets -o name <<'E'
globalnetworkset.projectcalico.org/one
globalnetworkset.projectcalico.org/three
exit 0
E
cat >half.yaml <<'E'
apiVersion: projectcalico.org/v3
kind: GlobalNetworkSet
metadata: {name: four}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkSet
metadata: {name: five}
spec: {nets: [10.0.0.0/8, 300.0.0.0/8]}
E
same "as many failures as successes" create -f half.yaml <<'E'
hit error: [half.yaml, document 2, line 8: error with field Nets[1] = '300.0.0.0/8' (Reason: failed to validate Field: Nets[1] because of Tag: cidr )]
exit 1
E
sed 's/four/Four/; s/10.0.0.0/x/' half.yaml >none.yaml
ctl create -f none.yaml >out 2>&1 && fail "none of several"
expect "none of several" "failed to create any 'GlobalNetworkSet' resources: [none.yaml, document 1, line 3: error with field Metadata.Name = 'Four'" \
	"$(head -n 1 out | sed 's/ (name must.*//')"
cat >list.yaml <<'E'
apiVersion: v1
kind: List
items:
- apiVersion: projectcalico.org/v3
  kind: GlobalNetworkSet
  metadata: {name: six}
- apiVersion: projectcalico.org/v3
  kind: GlobalNetworkSet
  metadata: {name: seven}
  spec: {nets: 10.0.0.0/8}
- just a text
E
same "items of a list" apply -f list.yaml <<'E'
hit error: [list.yaml, document 1, line 10: spec.nets: expected an array, got a string list.yaml, document 1, line 11: expected a resource (an object), got a string]
exit 1
E
printf 'apiVersion: projectcalico.org/v3\nkind: ClusterInformation\nmetadata: {name: default}\n---\napiVersion: projectcalico.org/v3\nkind: Profile\nmetadata: {name: projectcalico-default-allow}\n' >builtin.yaml
same "what is not the operator's to write" apply -f builtin.yaml <<'E'
failed to apply any resources: [operation apply is not supported on ClusterInformation: resource is readonly operation Update is not supported on projectcalico-default-allow: The profile "projectcalico-default-allow" is a default provided by Calico and cannot be updated]
exit 1
E

# ---- pools that cannot be together
pool() { printf 'apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: %s}\nspec: {cidr: %s%s}\n---\n' "$@"; }
{ pool p1 10.0.0.0/16; pool p2 10.0.128.0/17; pool p3 10.1.0.0/16; } >pools.yaml
same "pools that overlap" apply -f pools.yaml <<'E'
Partial success: applied the first 2 out of 3 'IPPool' resources:
hit error: [pools.yaml, document 2, line 9: error with field IPPool.Spec.CIDR = '10.0.128.0/17' (IPPool(p2) CIDR overlaps with IPPool(p1) CIDR 10.0.0.0/16)]
exit 1
E
pool p1 10.9.0.0/16 >moved.yaml
same "a pool that moves" apply -f moved.yaml <<'E'
failed to apply 'IPPool' resource: [moved.yaml, document 1, line 4: error with field IPPool.Spec.CIDR = '10.9.0.0/16' (IPPool CIDR cannot be modified)]
exit 1
E
pool p1 10.0.0.0/16 ', blockSize: 28' >resized.yaml
same "a pool whose blocks change their size" replace -f resized.yaml <<'E'
failed to replace 'IPPool' resource: [resized.yaml, document 1, line 4: error with field IPPool.Spec.BlockSize = '28' (IPPool BlockSize cannot be modified)]
exit 1
E

pool p1 10.9.0.0/16 ', blockSize: 28' >both.yaml
ctl replace -f both.yaml >out 2>&1
expect "both at once" "IPPool.Spec.CIDR IPPool.Spec.BlockSize" "$(echo $(sed -nE 's/^-  ([^ ]+) .*/\1/p' out))"
pool p3 10.3.0.0/16 ', allowedUses: [LoadBalancer]' >lb.yaml
ctl delete ippool p3 >out 2>&1
ctl apply -f lb.yaml >out 2>&1
pool p3 10.3.0.0/16 ', allowedUses: [Tunnel, Workload]' >lb.yaml
same "a pool that changes its use" apply -f lb.yaml <<'E'
failed to apply 'IPPool' resource: [lb.yaml, document 1, line 4: error with field IPPool.Spec.AllowedUses = '[Tunnel Workload]' (IPPool allowed use cannot be changed from LoadBalacer to Workload or Tunnel)]
exit 1
E
printf 'apiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {name: default}\nspec: {order: 5}\n' >tier.yaml
ctl apply -f tier.yaml >out 2>&1 && fail "the default tier's order is fixed"
ok "the default tier's order is fixed"
check "... and that is said" grep -q "tier.yaml, document 1, line 1: error with field Tier (default tier order must be 1000000)" out

# ---- files
: >empty.yaml
mkdir -p emptydir
same "an empty file" apply -f empty.yaml <<'E'
no resources specified in file empty.yaml
exit 1
E
same "an empty directory" apply -f emptydir <<'E'
no resources specified in directory emptydir
exit 1
E
same "--skip-empty" apply --skip-empty -f empty.yaml <<'E'
No resources specified
exit 0
E
same "get says it its own way" get -f empty.yaml <<'E'
failed to get resources: no resources specified in file empty.yaml
exit 1
E
same "a file that is not there" apply -f nowhere.yaml <<'E'
failed to execute command: open 'nowhere.yaml': No such file or directory
exit 1
E
head -c 100000 /dev/urandom >random.yaml
ctl apply -f random.yaml >out 2>&1
expect "random bytes are an error, not a crash" "1 failed" "$? $(cut -c 1-6 out | head -n 1)"
head -c 17000000 /dev/zero | tr '\0' '#' >large.yaml
same "a file that is too large" apply -f large.yaml <<'E'
failed to execute command: 'large.yaml' is larger than 16777216 bytes
exit 1
E
python3 - <<'E'
print("a0: &a0 [" + ",".join("x" * 10) + "]", file=open("bomb.yaml", "w"))
with open("bomb.yaml", "a") as f:
    for i in range(1, 10):
        print(f"a{i}: &a{i} [" + ",".join([f"*a{i-1}"] * 10) + "]", file=f)
E
same "a billion laughs" apply -f bomb.yaml <<'E'
failed to execute command: bomb.yaml, document 1, line 5: aliases expand to too many values
exit 1
E

# ---- without a datastore
stop a typhad
same "validate" validate -f half.yaml <<'E'
hit error: [half.yaml, document 2, line 8: error with field Nets[1] = '300.0.0.0/8' (Reason: failed to validate Field: Nets[1] because of Tag: cidr )]
exit 1
E
same "validate what is right" validate -f pools.yaml <<'E'
Successfully validated 3 'IPPool' resource(s)
exit 0
E
same "what cannot be read needs no datastore to be refused" apply -f bomb.yaml <<'E'
failed to execute command: bomb.yaml, document 1, line 5: aliases expand to too many values
exit 1
E
