#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What calicoctl get shows: selectors, templates, watches, colours; through a typhad and of an embedded datastore alike.
. "$(dirname "$0")/lib.sh"

node a
start a typhad --datastore-path $W/typhad.db
wait_for 10 [ -S /run/n/a/typhad/api.sock ]
ctl() { on a "$BUILD/calicoctl/calicoctl" $STORE "$@"; }
same() { # NAME COMMAND... ; the wanted output, both channels and exit status, on standard input
	_name=$1; shift
	cat >$W/want
	{ ctl "$@" 2>&1; echo "exit $?"; } | sed -E 's/ +$//' >$W/seen
	if cmp -s $W/want $W/seen; then ok "$HOW: $_name"; else fail "$HOW: $_name" "$(diff $W/want $W/seen)"; fi
}

cat >$W/pools.yaml <<'E'
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: p1, labels: {rack: r1, zone: a}}
spec: {cidr: 10.0.0.0/16, natOutgoing: true}
---
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: p2, labels: {rack: r2}}
spec: {cidr: 10.1.0.0/16, allowedUses: [Workload, Tunnel]}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkSet
metadata: {name: many}
spec: {nets: [10.10.10.0/24, 10.10.11.0/24, 10.10.12.0/24, 10.10.13.0/24, 10.10.14.0/24, 10.10.15.0/24, 10.10.16.0/24]}
E

# A watch writes to $W/watch; it is stopped by its process, and has ended before the next begins.
watch_begin() {
	: >$W/watch
	nsenter --net=/run/netns/a env CALICO_RUN_DIR=/run/n/a "$BUILD/calicoctl/calicoctl" $STORE get "$@" >$W/watch 2>&1 &
	watcher=$!
}
watch_end() { kill $watcher 2>/dev/null; wait $watcher 2>/dev/null; }
watched() { grep -qF -- "$1" $W/watch; }
watch_is() { # NAME ; the wanted output on standard input
	cat >$W/want
	sed -E 's/ +$//; s/(resourceVersion"?:) .*/\1 REV/; s/(creationTimestamp|uid"?:) .*/\1 X/' $W/watch >$W/seen
	if cmp -s $W/want $W/seen; then ok "$HOW: $1"; else fail "$HOW: $1" "$(diff $W/want $W/seen)"; fi
}

# Changes p3 until the watch shows it: nothing tells when a watch has begun that shows changes alone.
touched() {
	ctl apply -f - <<E
{"apiVersion": "projectcalico.org/v3", "kind": "IPPool", "metadata": {"name": "p3", "labels": {"at": "$(date +%N)"}}, "spec": {"cidr": "10.3.0.0/16"}}
E
	watched p3
}

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
	check "$HOW: resources" ctl apply -f $W/pools.yaml

	# ---- selectors
	same "a selector in Calico's language" get pools -l "rack == 'r1' || !has(rack)" --no-headers <<'E'
p1   10.0.0.0/16   all()

exit 0
E
	same "a selector as Kubernetes has it" get pools -l 'rack in (r1,r2),!zone' -o name <<'E'
ippool.projectcalico.org/p2
exit 0
E
	same "a wrong selector" get pools --selector 'rack in' <<'E'
invalid selector 'rack in': expected set literal at character 8 of the selector
exit 1
E
	same "a selector and a name" get pool p1 -l rack <<'E'
a name cannot be provided when a selector is specified
exit 1
E
	same "-l with a log level is that" get pool p1 -l fatal -o name <<'E'
ippool.projectcalico.org/p1
exit 0
E

	# ---- templates
	same "a template by Go's names" get pools -o \
		'go-template={{range .}}{{.Kind}} {{len .Items}}{{range .Items}} {{.Name}}:{{.Spec.CIDR}}:{{join .Spec.AllowedUses "+"}}{{end}}{{"\n"}}{{end}}' <<'E'
IPPoolList 2 p1:10.0.0.0/16:Workload+Tunnel p2:10.1.0.0/16:Workload+Tunnel
exit 0
E
	same "a template by JSON's names, on two results" get pool p2 p1 -o 'go-template={{range .}}{{.metadata.name}}={{.spec.cidr}}
{{end}}' <<'E'
p2=10.1.0.0/16
p1=10.0.0.0/16
exit 0
E
	printf '{{range .}}{{.Name | printf "%%-5s|"}}{{end}}\n' >$W/t
	same "a template from a file" get pool p1 -o go-template-file=$W/t <<'E'
p1   |
exit 0
E
	same "no template" get pool p1 -o go-template= <<'E'
need to specify a template
exit 1
E
	same "no column" get pool p1 -o custom-columns= <<'E'
need to specify at least one column
exit 1
E
	same "a template that is none" get pool p1 -o 'go-template={{.' <<'E'
template: get:1: unclosed action
exit 1
E
	same "a template that fails" get pool p1 -o 'go-template={{range .}}{{.Spec.Nope}}{{end}}' <<'E'
template: get:1:13: can't evaluate field Nope in type v3.IpPoolSpec
exit 1
E
	same "a template's configuration" get pool p1 -o 'go-template={{config "asNumber"}}
' <<'E'
64512
exit 0
E

	# ---- tables
	same "nothing is cut off" get gnetsets -o wide <<'E'
NAME   NETS
many   10.10.10.0/24,10.10.11.0/24,10.10.12.0/24,10.10.13.0/24,10.10.14.0/24,10.10.15.0/24,10.10.16.0/24

exit 0
E
	check "$HOW: a tier" ctl apply -f - <<'E'
{"apiVersion": "projectcalico.org/v3", "kind": "Tier", "metadata": {"name": "zz"}, "spec": {"order": 5}}
E
	same "tiers in their order" get tiers -o name <<'E'
tier.projectcalico.org/zz
tier.projectcalico.org/kube-admin
tier.projectcalico.org/default
tier.projectcalico.org/kube-baseline
exit 0
E
	ctl get pool p1 >$W/plain
	check "$HOW: no colours on a pipe" [ "$(tr -cd '\033' <$W/plain | wc -c)" = 0 ]
	ctl get pool p1 --color always >$W/plain
	check "$HOW: colours when asked for" [ "$(tr -cd '\033' <$W/plain | wc -c)" = 2 ]
	TERM=xterm on a script -qec "$BUILD/calicoctl/calicoctl $STORE get pool p1" /dev/null >$W/plain </dev/null
	check "$HOW: colours on a terminal" [ "$(tr -cd '\033' <$W/plain | wc -c)" = 2 ]
	NO_COLOR=1 TERM=xterm on a script -qec "$BUILD/calicoctl/calicoctl $STORE get pool p1" /dev/null >$W/plain </dev/null
	check "$HOW: but with NO_COLOR" [ "$(tr -cd '\033' <$W/plain | wc -c)" = 0 ]
	same "a wrong --color" get pool p1 --color sometimes <<'E'
--color is auto, always or never, not 'sometimes'
exit 1
E
	on a sh -c "exec 1>&-; exec '$BUILD/calicoctl/calicoctl' $STORE get pools" 2>$W/err
	check "$HOW: no standard output is an error" [ $? = 1 ]
	{ ctl get pools -o yaml; echo $? >$W/rc; } 2>$W/err | :
	wait_for 5 [ -s $W/rc ]
	check "$HOW: a closed pipe is no message" [ ! -s $W/err ]

	# ---- watches
	watch_begin pools -w --output-watch-events -l rack
	wait_for 10 watched p2
	check "$HOW: a change" ctl apply -f - <<'E'
{"apiVersion": "projectcalico.org/v3", "kind": "IPPool", "metadata": {"name": "p1", "labels": {"rack": "r1"}},
 "spec": {"cidr": "10.0.0.0/16", "disabled": true}}
E
	wait_for 10 watched MODIFIED
	check "$HOW: a label goes" ctl apply -f - <<'E'
{"apiVersion": "projectcalico.org/v3", "kind": "IPPool", "metadata": {"name": "p1"}, "spec": {"cidr": "10.0.0.0/16", "disabled": true}}
E
	wait_for 10 watched DELETED
	check "$HOW: another comes" ctl create -f - <<'E'
{"apiVersion": "projectcalico.org/v3", "kind": "IPPool", "metadata": {"name": "p3", "labels": {"rack": "r3"}}, "spec": {"cidr": "10.3.0.0/16"}}
E
	wait_for 10 watched p3
	watch_end
	watch_is "a watch with events and a selector" <<'E'
EVENT      NAME   CIDR          SELECTOR
ADDED      p1     10.0.0.0/16   all()
ADDED      p2     10.1.0.0/16   all()
MODIFIED   p1     10.0.0.0/16   all()
DELETED    p1     10.0.0.0/16   all()
ADDED      p3     10.3.0.0/16   all()
E
	watch_begin pool p3 --watch -o json
	wait_for 10 watched p3
	check "$HOW: it goes" ctl delete pool p3
	wait_for 10 [ "$(grep -c '"kind"' $W/watch)" -ge 2 ]
	watch_end
	check "$HOW: each change is a document of its own" jq -se 'length >= 2 and all(.metadata.name == "p3")' $W/watch
	watch_begin pools --watch-only -o name
	wait_for 10 touched
	watch_end
	check "$HOW: only changes" [ "$(sort -u $W/watch)" = "ippool.projectcalico.org/p3" ]
	mkfifo $W/pipe
	on a timeout 20 "$BUILD/calicoctl/calicoctl" $STORE get pools -w >$W/pipe 2>$W/watch &
	watcher=$!
	head -n 1 $W/pipe >/dev/null
	wait_for 5 eval "! kill -0 $watcher 2>/dev/null" && ok "$HOW: a watch ends with its reader" || fail "$HOW: a watch ends with its reader" "$(cat $W/watch)"
	kill $watcher 2>/dev/null; rm $W/pipe
	same "a watch of files" get -w -f $W/pools.yaml <<'E'
a watch needs a KIND
exit 1
E
done

unset DATASTORE_TYPE ETCD_ENDPOINTS
kill $etcd

# A typhad that goes away is waited for.
STORE= HOW=typhad
watch_begin gnetsets -w -o name
wait_for 10 watched many
stop a typhad
wait_for 10 watched "is not reachable"
start a typhad --datastore-path $W/typhad.db
wait_for 10 watched "is back"
check "a change after that" ctl apply -f - <<'E'
{"apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkSet", "metadata": {"name": "late"}, "spec": {"nets": ["1.2.3.4"]}}
E
wait_for 10 watched late
watch_end
check "what had not changed is not shown again" [ "$(grep -c /many $W/watch)" = 1 ]
finish
