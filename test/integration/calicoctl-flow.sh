#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Resources live and die through calicoctl: created, applied, replaced, shown in every format, deleted; from files, directories and
# standard input, as YAML and JSON, alone and in lists. One node, one typhad.
. "$(dirname "$0")/lib.sh"

node a
start a typhad --datastore-path $W/db
wait_for 10 [ -S /run/n/a/typhad/api.sock ]
ctl() { on a "$BUILD/calicoctl/calicoctl" "$@"; }

# What a command prints on both channels, then its exit status; what differs from run to run is masked.
run() {
	ctl "$@" >$W/out 2>$W/err
	_rc=$?
	sed -E 's/"?[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"?/UUID/; s/"?20[0-9-]+T[0-9:]+Z"?/TIME/
		s/(resourceVersion"?:) "[0-9]+"/\1 REV/; s/ +$//' $W/out $W/err
	echo "exit $_rc"
}
same() { # NAME COMMAND... ; the wanted output on standard input
	_name=$1; shift
	cat >$W/want
	run "$@" >$W/seen
	if cmp -s $W/want $W/seen; then ok "$_name"; else fail "$_name" "$(diff $W/want $W/seen)"; fi
}

cat >$W/pool.yaml <<'E'
apiVersion: projectcalico.org/v3
kind: IPPool
metadata:
  name: pool1
spec:
  cidr: 10.0.0.0/16
  natOutgoing: true
E

same "create" create -f $W/pool.yaml <<'E'
Successfully created 1 'IPPool' resource(s)
exit 0
E
same "create again is refused" create -f $W/pool.yaml <<'E'
failed to create 'IPPool' resource: [resource already exists: IPPool(pool1) with error: <nil>]
exit 1
E
same "create --skip-exists" create --skip-exists -f $W/pool.yaml <<'E'
Successfully created 1 'IPPool' resource(s)
exit 0
E
same "get as a table" get ippools <<'E'
NAME    CIDR          SELECTOR
pool1   10.0.0.0/16   all()

exit 0
E
same "get wide" get pool -o wide <<'E'
NAME    CIDR          NAT    IPIPMODE   VXLANMODE   DISABLED   DISABLEBGPEXPORT   SELECTOR   ASSIGNMENTMODE
pool1   10.0.0.0/16   true   Never      Never       false      false              all()      Automatic

exit 0
E
same "get one as YAML" get ippool pool1 -o yaml <<'E'
apiVersion: projectcalico.org/v3
kind: IPPool
metadata:
  creationTimestamp: TIME
  name: pool1
  resourceVersion: REV
  uid: UUID
spec:
  allowedUses:
  - Workload
  - Tunnel
  assignmentMode: Automatic
  blockSize: 26
  cidr: 10.0.0.0/16
  ipipMode: Never
  natOutgoing: true
  nodeSelector: all()
  vxlanMode: Never
exit 0
E
ctl get ippool pool1 -o yaml >$W/p1.yaml
sed 's/natOutgoing: true/natOutgoing: false/' $W/p1.yaml >$W/p2.yaml
same "replace what get printed" replace -f $W/p2.yaml <<'E'
Successfully replaced 1 'IPPool' resource(s)
exit 0
E
same "its revision is old by now" replace -f $W/p2.yaml <<'E'
failed to replace 'IPPool' resource: [update conflict: IPPool(pool1)]
exit 1
E
same "apply of an old revision conflicts, too" apply -f $W/p2.yaml <<'E'
failed to apply 'IPPool' resource: [update conflict: IPPool(pool1)]
exit 1
E
uid() { ctl get pool pool1 -o json | jq -r '.metadata.uid + .metadata.creationTimestamp'; }
before=$(uid)
check "apply over it" ctl apply -f $W/pool.yaml
expect "uid and creation time stay" "$before" "$(uid)"
expect "the spec is the new one" true "$(ctl get pool pool1 -o json | jq .spec.natOutgoing)"
sed 's/pool1/none/; s/10.0/10.77/; /uid:/d; /resourceVersion:/d' $W/p1.yaml >$W/none.yaml
same "replace of what is not there" replace -f $W/none.yaml <<'E'
failed to replace 'IPPool' resource: [resource does not exist: IPPool(none) with error: <nil>]
exit 1
E
ctl get tier default -o json >$W/tier.json
same "JSON without a newline at the end reads back" apply -f $W/tier.json <<'E'
Successfully applied 1 'Tier' resource(s)
exit 0
E

mkdir -p $W/d/sub
cat >$W/d/1.yml <<'E'
apiVersion: projectcalico.org/v3
kind: IPPoolList
items:
- metadata: {name: v6}
  spec: {cidr: 'fd00:0:0::/64'}
- apiVersion: projectcalico.org/v3
  kind: IPPool
  metadata: {name: small}
  spec: {cidr: 10.9.0.0/28, blockSize: 30, nodeSelector: "rack == 'x' && !has(gpu)"}
E
cat >$W/d/2.json <<'E'
[{"apiVersion": "projectcalico.org/v3", "kind": "NetworkPolicy", "metadata": {"name": "web"},
  "spec": {"selector": "app == 'web'", "order": 100, "types": ["Ingress", "Egress"]}}]
E
cat >$W/d/sub/3.yaml <<'E'
---
apiVersion: v1
kind: List
items:
- {apiVersion: projectcalico.org/v3, kind: NetworkPolicy, metadata: {name: web, namespace: prod}, spec: {tier: default}}
- {apiVersion: projectcalico.org/v3, kind: Profile, metadata: {name: p}, spec: {labelsToApply: {zone: 1}}}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkSet
metadata: {name: s}
spec: {nets: [192.0.2.0/24, 198.51.100.7]}
E
echo 'nonsense: [' >$W/d/notes.txt
same "a directory" apply -f $W/d <<'E'
Successfully applied 3 resource(s)
exit 0
E
same "a directory, recursively" apply -R -f $W/d <<'E'
Successfully applied 6 resource(s)
exit 0
E
same "several pools" get pools <<'E'
NAME    CIDR          SELECTOR
pool1   10.0.0.0/16   all()
small   10.9.0.0/28   rack == 'x' && !has(gpu)
v6      fd00::/64     all()

exit 0
E
same "by name: a table each, and what is missing afterwards" get pools small nix v6 <<'E'
NAME    CIDR          SELECTOR
small   10.9.0.0/28   rack == 'x' && !has(gpu)

NAME   CIDR        SELECTOR
v6     fd00::/64   all()

resource does not exist: IPPool(nix) with error: <nil>
exit 1
E
same "the default namespace" get np <<'E'
NAME   TIER
web    default

exit 0
E
same "another one" get policy -n prod -o wide <<'E'
NAMESPACE   NAME   TIER      ORDER   SELECTOR
prod        web    default   <nil>

exit 0
E
same "all of them" get np -A -o wide <<'E'
NAMESPACE   NAME   TIER      ORDER   SELECTOR
default     web    default   100     app == 'web'
prod        web    default   <nil>

exit 0
E
same "names" get pools -o name <<'E'
ippool.projectcalico.org/pool1
ippool.projectcalico.org/small
ippool.projectcalico.org/v6
exit 0
E
same "columns" get pools -o custom-columns=CIDR,NAME small <<'E'
CIDR          NAME
10.9.0.0/28   small

exit 0
E
same "a list as YAML" get np -A -o yaml <<'E'
apiVersion: projectcalico.org/v3
items:
- apiVersion: projectcalico.org/v3
  kind: NetworkPolicy
  metadata:
    creationTimestamp: TIME
    labels:
      projectcalico.org/tier: default
    name: web
    namespace: default
    resourceVersion: REV
    uid: UUID
  spec:
    order: 100
    selector: app == 'web'
    tier: default
    types:
    - Ingress
    - Egress
- apiVersion: projectcalico.org/v3
  kind: NetworkPolicy
  metadata:
    creationTimestamp: TIME
    labels:
      projectcalico.org/tier: default
    name: web
    namespace: prod
    resourceVersion: REV
    uid: UUID
  spec:
    tier: default
    types:
    - Ingress
kind: NetworkPolicyList
metadata:
  resourceVersion: REV
exit 0
E
expect "JSON is an object, or an array of several" "object array" \
	"$(echo $(ctl get pool small -o json | jq -r type) $(ctl get pool small v6 -o json | jq -r type))"
expect "labels keep their text" '"1"' "$(ctl get profile p -o json | jq .spec.labelsToApply.zone)"
same "--export" get np web -n prod -o yaml --export <<'E'
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata:
  labels:
    projectcalico.org/tier: default
  name: web
spec:
  tier: default
  types:
  - Ingress
exit 0
E
same "get -f" get -o name -f $W/d/1.yml <<'E'
ippool.projectcalico.org/v6
ippool.projectcalico.org/small
exit 0
E
same "tiers, in their order" get tiers <<'E'
NAME            ORDER
kube-admin      1000
default         1e+06
kube-baseline   1e+07

exit 0
E
ctl get profiles -o name >$W/profiles
expect "the static profile is there" profile.projectcalico.org/projectcalico-default-allow "$(tail -n 1 $W/profiles)"

# A namespace that flag and document disagree about
same "namespaces must agree" apply -n x -f $W/d/sub/3.yaml <<E
Partial success: applied the first 2 out of 3 resources:
hit error: [$W/d/sub/3.yaml, document 1, line 5: resource namespace does not match client namespace. prod != x]
exit 1
E

# standard input, and everything that get prints can be applied again
ctl get pools -o json >$W/all.json
check "delete from standard input" sh -c "cat $W/all.json | env CALICO_RUN_DIR=/run/n/a '$BUILD/calicoctl/calicoctl' delete -f -"
same "nothing is left" get pools <<'E'
NAME   CIDR   SELECTOR

exit 0
E
check "what get printed can be applied again" ctl apply -f $W/all.json
expect "all are back" 3 "$(ctl get pools -o name | wc -l)"

same "delete by name" delete ippool small v6 nix <<'E'
Successfully deleted 2 'IPPool' resource(s)
Failed to delete 'IPPool' resource: resource does not exist: IPPool(nix) with error: <nil>

exit 1
E
same "delete --skip-not-exists" delete -s ippool nix <<'E'
Successfully deleted 1 'IPPool' resource(s)
exit 0
E

# the command line itself
same "unknown kind" get nodez <<'E'
failed to get resources: resource type 'nodez' is not supported
exit 1
E
same "-n with what has no namespace" get pools -n x <<'E'
IPPool is not namespaced
exit 1
E
same "-n and -A" get np -n x -A <<'E'
cannot use both --namespace and --all-namespaces flags at the same time
exit 1
E
same "unknown format" get pools -o xml <<'E'
unrecognized output format 'xml'
exit 1
E
same "unknown flag" get pools --frob <<'E'
unknown flag: --frob
See 'calicoctl get --help'.
exit 1
E
same "a flag of another command" version -f x <<'E'
unknown shorthand flag: 'f' in -f
See 'calicoctl version --help'.
exit 1
E
same "unknown command" frob <<'E'
unknown command "frob" for "calicoctl"
See 'calicoctl --help'.
exit 1
E
same "nothing at all" apply <<'E'
no resources specified
exit 1
E
for c in get apply create replace delete validate "node status" version debug; do
	# shellcheck disable=SC2086
	ctl $c --help >$W/help || fail "$c --help"
	grep -q "calicoctl $c" $W/help || fail "$c --help names the command"
done
ok "every command has a help text"

# the embedded file directly, once typhad is gone; and typhad's absence
stop a typhad
expect "an embedded datastore is read without typhad" ippool.projectcalico.org/pool1 "$(ctl --datastore $W/db get pools -o name)"
expect "... by environment, too" ippool.projectcalico.org/pool1 \
	"$(on a env DATASTORE_TYPE=embedded CALICO_DATASTORE_PATH=$W/db "$BUILD/calicoctl/calicoctl" get pools -o name)"
ctl --datastore $W/db.typo get pools >$W/out 2>&1
expect "a file that is not there is not made by looking" "1 Failed to create Calico API client: datastore '$W/db.typo': No such file or directory no" \
	"$? $(cat $W/out) $([ -e $W/db.typo ] && echo made || echo no)"
cat >$W/cfg <<E
apiVersion: projectcalico.org/v3
kind: CalicoAPIConfig
metadata:
spec:
  datastoreType: embedded
  datastorePath: $W/db
E
expect "... by configuration file" ippool.projectcalico.org/pool1 "$(ctl -c $W/cfg get pools -o name)"
same "typhad is away" get pools <<'E'
Failed to create Calico API client: typhad is not reachable: connect to '/run/n/a/typhad/api.sock': No such file or directory
exit 1
E
same "a configuration file that is not there" get pools -c /nowhere <<'E'
Error reading config file: /nowhere
exit 1
E
sed -i 's/embedded/kubernetes/' $W/cfg
same "a datastore that there is no driver for" -c $W/cfg get pools <<E
Failed to create Calico API client: $W/cfg: datastore type 'kubernetes' is not supported: use 'typha' (typhad's socket in the run directory), 'etcdv3' or 'embedded' (a database file)
exit 1
E

# somebody who listens but never answers
mkdir -p /run/n/a/typhad
socat UNIX-LISTEN:/run/n/a/typhad/api.sock,fork EXEC:'sleep 30' &
wait_for 5 [ -S /run/n/a/typhad/api.sock ]
start_ms=$(($(date +%s%N) / 1000000))
ctl get pools >$W/out 2>&1 && fail "a mute typhad is an error"
took=$(($(date +%s%N) / 1000000 - start_ms))
[ $took -lt 3000 ] && ok "a mute typhad is given up within three seconds" || fail "a mute typhad is given up within three seconds" "$took ms"
check "and named" grep -q "'/run/n/a/typhad/api.sock'.*does not answer" $W/out
