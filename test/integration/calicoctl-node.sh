#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# calicoctl node: what this machine can, what this node says, in one archive and without its secrets; the same for the cluster; and the version,
# once and again and again.                                                   a: typhad felixd (bgpd is not there)
. "$(dirname "$0")/lib.sh"
ctl() { on a "$BUILD/calicoctl/calicoctl" --allow-version-mismatch "$@"; }
node a
start a typhad --datastore-path $W/db
wait_for 10 listening /run/n/a/typhad/api.sock || fail "typhad starts"
start a felixd
wait_for 10 listening /run/n/a/felixd/ctl.sock || fail "felixd starts"
ctl apply -f - >$W/out 2>&1 <<'E' || fail "apply" "$(cat $W/out)"
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: pool1}
spec: {cidr: 10.0.0.0/16}
---
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: web, namespace: ns1, annotations: {note: "password: hunter2hunter2"}}
spec: {selector: all()}
E

# ---- for root alone
as_nobody() { on a setpriv --reuid 65534 --regid 65534 --clear-groups "$BUILD/calicoctl/calicoctl" "$@"; }
for c in status diags checksystem; do
	expect "node $c is for root" "Need super user privileges: Operation not permitted" "$(as_nobody node $c 2>&1)"
done

# ---- status
expect "status" "Calico process is running.;The BGP backend process (bgpd) is not running." "$(ctl node status | sed '/^$/d' | paste -sd';')"

# ---- checksystem: a kernel that says nothing but by its configuration
mkdir -p $W/none $W/modules /lib/modules
cat >$W/hidden.sh <<E
mount --bind $W/none /sys/module
mount --bind $W/modules /lib/modules
mount -t tmpfs tmpfs /proc # and with it what is loaded
mkdir /proc/self # a sanitizer reads its options there, and cannot look for leaks without the rest
printf 'ASAN_OPTIONS=detect_leaks=0\\0' >/proc/self/environ
exec "$BUILD/calicoctl/calicoctl" node checksystem -f $W/config
E
system() { unshare --mount sh $W/hidden.sh >$W/out 2>&1; }
cat >$W/config <<'E'
CONFIG_IP_SET=m
CONFIG_IP_NF_IPTABLES=y
CONFIG_IP_NF_TARGET_REJECT=m
CONFIG_NETFILTER_XT_MATCH_RPFILTER=y
CONFIG_NF_CT_NETLINK=y
CONFIG_NETFILTER_XT_MATCH_ADDRTYPE=y
CONFIG_NETFILTER_XT_MATCH_CONNTRACK=y
CONFIG_NETFILTER_XT_MARK=y
CONFIG_NETFILTER_XT_MATCH_MULTIPORT=y
CONFIG_NETFILTER_XT_SET=y
CONFIG_VETH=y
CONFIG_IP_NF_RAW=y
CONFIG_IP_NF_MANGLE=y
CONFIG_IP_NF_NAT=y
CONFIG_IP_NF_FILTER=y
CONFIG_IP_SET_HASH_IP=y
CONFIG_IP_SET_HASH_IPPORT=y
CONFIG_IP_SET_HASH_NET=y
CONFIG_NETFILTER_XT_MATCH_COMMENT=y
CONFIG_NETFILTER_XT_TARGET_MASQUERADE=m
# CONFIG_BPF is not set
E
check "a kernel that has all" system
expect "says so" "System meets minimum system requirements to run Calico!" "$(tail -n 1 $W/out)"
expect "its release" "OK" "$(awk -v r="$(uname -r)" '$1 == r { print $2 }' $W/out)"
expect "what is optional is left out" "SKIP SKIP" "$(awk '$1 == "xt_bpf" || $1 == "xt_u32" { print $2 }' $W/out | xargs)"
expect "in upstream's columns" "		ip_set              					OK" "$(grep 'ip_set ' $W/out)"
sed -i '/XT_SET/d; s/^\(CONFIG_NETFILTER_XT_TARGET_MASQUERADE\)=m/# \1 is not set/' $W/config
system && fail "a kernel that lacks something"
expect "a kernel that lacks something" "xt_set xt_MASQUERADE" "$(awk '$2 == "FAIL" { print $1 }' $W/out | xargs)"
expect "fails" "system doesn't meet one or more minimum systems requirements to run Calico" "$(tail -n 1 $W/out)"
mkdir -p $W/modules/$(uname -r)
echo 'kernel/net/netfilter/xt_MASQUERADE.ko.zst:' >$W/modules/$(uname -r)/modules.dep
echo 'kernel/net/netfilter/xt_set.ko' >$W/modules/$(uname -r)/modules.builtin
check "built in, or to be loaded, will do" system

# ---- diags
mkdir -p $W/log/felix $W/bin
printf 'a line\nETCD_PASSWORD=hunter2hunter2\nhttps://root:hunter2hunter2@etcd:2379/\n{"token": "hunter2hunter2"}\n-----BEGIN EC PRIVATE KEY-----\nhunter2hunter2\n-----END EC PRIVATE KEY-----\nanother line\n' >$W/log/felix/current
ln -s /etc/shadow $W/log/link
printf '#!/bin/sh\necho "a set"; echo oops >&2; exit 3\n' >$W/bin/ipset; chmod +x $W/bin/ipset
mkdir -p $W/tmp
PATH=$W/bin:$PATH TMPDIR=$W/tmp ctl node diags --log-dir $W/log >$W/out 2>&1 || fail "node diags" "$(cat $W/out)"
saved=$(sed -n 's/^Diags saved to //p' $W/out)
check "the name says when" sh -c "echo $saved | grep -qE '^$W/tmp/calico[^/]*/diags-20[0-9]{6}_[0-9]{6}\.tar\.gz$'"
expect "for its owner alone" "600" "$(stat -c %a "$saved")"
mkdir $W/x; tar -xzf "$saved" -C $W/x
D=$W/x/diagnostics
check "the host" grep -qx "$(hostname)" $D/hostname
check "routes, rules, addresses" sh -c "grep -q lo $D/ipv4_addr && grep -q 'lookup local' $D/ipv4_rule && test -f $D/ipv6_route"
expect "a daemon by its socket" "typhad true" "$(jq -r '[.who.program, .health.ready] | map(tostring) | join(" ")' $D/daemons/typhad.json)"
check "with its dump" jq -e '.dump | length > 0' $D/daemons/felixd.json
check "one that is not there is noted" grep -q bgpd $D/daemons/bgpd.json
check "the status" grep -q 'Calico process is running.' $D/node_status
check "what failed is noted, and what it said" sh -c "grep -qx 'a set' $D/ipsets && grep -q 'exit status 3' $D/ipsets"
check "and told" grep -q 'Failed to run command: ipset list' $W/out
check "logs" sh -c "grep -qx 'a line' $D/logs/files/felix/current && grep -qx 'another line' $D/logs/files/felix/current"
check "links are not followed" test ! -e $D/logs/files/link
check "no secret anywhere" sh -c "! grep -r hunter2 $W/x"
expect "nothing is left but the archive" "$(basename "$saved")" "$(ls "$(dirname "$saved")")"

# a machine without tar: what was gathered stays
mkdir $W/few; for t in sh date hostname env; do ln -s "$(command -v $t)" $W/few/$t; done
on a env PATH=$W/few TMPDIR=$W/tmp "$BUILD/calicoctl/calicoctl" node diags --log-dir $W/none >$W/out 2>&1 && fail "diags without tar"
check "without tar it says where it is" sh -c "d=\$(sed -n 's/^Error compressing the diagnostics: .*; they are in //p' $W/out); test -f \$d/hostname && grep -q 'not installed' \$d/ipv4_route"

# ---- the cluster
(cd $W && TMPDIR=$W/tmp ctl cluster diags --max-logs 0 --focus-nodes=a,far >$W/out 2>&1) || fail "cluster diags" "$(cat $W/out)"
made=$(sed -n 's/^Diagnostic bundle created at .\///p' $W/out)
check "the bundle" tar -xzf "$W/$made" -C $W/x
D=$W/x/${made%.tar.gz}
check "resources as YAML" grep -q 'cidr: 10.0.0.0/16' $D/cluster/ippools.yaml
check "and as tables" grep -q '^pool1 ' $D/cluster/ippools.txt
check "IPAM" sh -c "grep -q '10.0.0.0/16' $D/ipam/show && grep -q 'Check complete; found 0 problems.' $D/ipam/check"
check "this node" jq -e .who $D/nodes/a/daemons/typhad.json
check "other nodes are named" grep -q "Node far cannot be reached" $W/out
check "no secret anywhere" sh -c "grep -q 'note: ' $D/cluster/networkpolicies.yaml && ! grep -r hunter2 $W/x"
check "no directory is left" sh -c "! ls -d $W/tmp/*/calico-diagnostics* 2>/dev/null"
expect "a wrong duration" "Error executing command: invalid duration for since flag (try 10s, 5m, or 1h): 5d" "$(ctl cluster diags --since 5d 2>&1)"
expect "a wrong number" "Error executing command: negative value for max-logs flag" "$(ctl cluster diags --max-logs=-1 2>&1)"

# ---- the version
expect "values stand in column 20" "Client Version:    $(cat "$TOP/packaging/VERSION");Cluster Version:   $(cat "$TOP/packaging/VERSION");Cluster Type:      typha" "$(ctl version | sed '/^Git/d' | paste -sd';')"
expect "the client alone" 2 "$(ctl version --client | wc -l)"
expect "a wrong duration" "invalid poll duration specified: often" "$(ctl version --poll often 2>&1)"
ctl version --poll 20ms >$W/poll 2>$W/poll.err &
poll=$!
wait_for 10 grep -q 'Cluster Type:      typha' $W/poll
ctl get clusterinformation default -o json | jq '.spec.clusterType = "k8s,bgp"' >$W/info.json
put() { "$BUILD/test/integration/ipam_client" /run/n/a put ClusterInformation default "$(jq -c . $W/info.json)"; }
check "the type is set" put
check "what has changed is shown" wait_for 10 grep -q 'Cluster Type:      k8s,bgp' $W/poll
expect "and nothing else" "Cluster Version:   $(cat "$TOP/packaging/VERSION");Cluster Type:      typha;Cluster Type:      k8s,bgp" "$(grep Cluster $W/poll | paste -sd';')"
stop a typhad KILL
check "typhad goes away" wait_for 10 grep -q 'Unable to detect installed Calico version' $W/poll.err
start a typhad --datastore-path $W/db
back() { [ "$(grep -c 'k8s,bgp' $W/poll)" = 2 ]; }
check "and is back: shown again" wait_for 10 back
kill $poll
