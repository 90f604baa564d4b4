#!/bin/sh
# A pod is born, found, checked, replaced and buried by the CNI plugin, with the real typhad, ipamd and felixd behind it; and what is left when any
# of that goes wrong is nothing.                                  a: typhad ipamd felixd ---cali...--- pods' namespaces
. "$(dirname "$0")/lib.sh"
PLUGIN=$BUILD/cni-plugin/calico
ctl() { CALICO_RUN_DIR=/run/n/a "$BUILD/calicoctl/calicoctl" "$@"; }

node a
# The host's end answers ARP requests for 169.254.1.1 only where the node has a route to it: every real node has a default one.
node out; wire a out 10.0.0.0/30; ip -n a route add default via 10.0.0.2
start a typhad --datastore-path $W/ds/datastore.db
wait_for 10 listening /run/n/a/typhad/api.sock || fail "typhad starts"
ctl apply -f - >$W/apply.out 2>&1 <<Y || fail "pool and node are applied" "$(cat $W/apply.out)"
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: pool}
spec: {cidr: 10.65.0.0/24, ipipMode: Never, vxlanMode: Never, natOutgoing: false}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: a}
spec: {bgp: {ipv4Address: 10.0.0.1/24}}
Y
start a ipamd
start a felixd
wait_for 10 listening /run/n/a/ipamd/api.sock || fail "ipamd starts"
wait_for 10 listening /run/n/a/felixd/api.sock || fail "felixd starts"

CONFIG='{"cniVersion":"1.0.0","name":"net","type":"calico","nodename":"a","run_dir":"/run/n/a","log_level":"debug","ipam":{"type":"calico-ipam"}}'
# cni COMMAND POD CONTAINER [CONFIG]: stdout to $W/out, stderr to the log; its status
cni() {
	_rc=0
	printf '%s' "${4:-$CONFIG}" | on a env CNI_COMMAND="$1" CNI_CONTAINERID="$3" CNI_NETNS="${NETNS-/run/netns/$2}" \
		CNI_IFNAME="${IFNAME-eth0}" CNI_PATH="${CNI_PATH_-/usr/lib/cni}" \
		CNI_ARGS="${ARGS-IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=$2;K8S_POD_INFRA_CONTAINER_ID=$3}" \
		timeout 60 "${PROGRAM-$PLUGIN}" >$W/out 2>>$W/cni.log || _rc=$?
	return $_rc
}
pod() { ip netns add "$1"; }
in_pod() { _p=$1; shift; ip netns exec "$_p" "$@"; }
weps() { ctl get workloadendpoints -A -o name 2>/dev/null | grep -c / || ctl get workloadendpoints --all-namespaces -o json | jq '.items | length'; }
endpoints() { ctl get workloadendpoints --all-namespaces -o json | jq -r '.items[].metadata.name' | sort | xargs; }
# Addresses that are assigned, by the datastore's own account.
assigned() { sqlite3 $W/ds/datastore.db "SELECT value FROM object WHERE key LIKE '/calico/ipam/v2/handle/%'" 2>/dev/null | grep -c . ; }
cali() { ip -n a -o link show type veth | grep -c ": cali"; }
# nothing NAME: no interface, endpoint, route or chain of a pod is left
nothing() {
	expect "$1: no interface is left" 0 "$(cali)"
	expect "$1: no endpoint is left" "" "$(endpoints)"
	expect "$1: no address is left" 0 "$(assigned)"
	expect "$1: no route is left" "" "$(ip -n a route show | grep cali)"
	expect "$1: no chain is left" 0 "$(on a iptables-legacy-save -t filter | grep -c -- '-[tf]w-cali[0-9a-f]')"
}

# ---- a neighbour for what follows
pod peer
cni ADD peer c0 || fail "ADD" "$(cat $W/out; tail -n 5 $W/cni.log)"
peer=$(jq -r ".ips[0].address" $W/out)

# ---- a pod is born
pod web-0
cni ADD web-0 c1 || fail "ADD" "$(cat $W/out; tail -n 5 $W/cni.log)"
cp $W/out $W/result
host_if=cali$(printf default.web-0 | sha1sum | cut -c1-11)
ip=$(jq -r '.ips[0].address' $W/result)
mac=$(ip -n web-0 -j link show eth0 | jq -r ".[0].address")
expect "the result names both ends" "$host_if eth0 $mac /run/netns/web-0" \
	"$(jq -r '[.interfaces[0].name, .interfaces[1].name, .interfaces[1].mac, .interfaces[1].sandbox] | join(" ")' $W/result)"
expect "the result has the address as /32 on the pod's interface" "1.0.0 1 null 32" \
	"$(jq -r '[.cniVersion, .ips[0].interface, (.ips[0].gateway|tostring), (.ips[0].address|split("/")[1])] | map(tostring) | join(" ")' $W/result)"
expect "the route in the result has the block's length" "${ip%/*}/26" "$(jq -r '.routes[0].dst' $W/result)"
expect "the host's end has its MAC" ee:ee:ee:ee:ee:ee "$(ip -n a -j link show $host_if | jq -r ".[0].address")"
expect "the pod has its address" "$ip" "$(in_pod web-0 ip -4 -o addr show dev eth0 | awk '{print $4}')"
expect "the pod's routes are upstream's" "default via 169.254.1.1 dev eth0 
169.254.1.1 dev eth0 scope link " "$(in_pod web-0 ip route)"
expect "no neighbour is written down in the pod" "" "$(in_pod web-0 ip neigh show nud permanent)"
expect "the pod does not forward" 0 "$(in_pod web-0 cat /proc/sys/net/ipv4/ip_forward)"
for s in ipv4/conf/$host_if/route_localnet=1 ipv4/neigh/$host_if/proxy_delay=0 ipv4/conf/$host_if/proxy_arp=1 \
	ipv4/conf/$host_if/forwarding=1 ipv6/conf/$host_if/accept_ra=0; do
	expect "sysctl ${s%=*}" "${s#*=}" "$(on a cat "/proc/sys/net/${s%=*}")"
done
expect "the route is in the kernel when ADD returns" "${ip%/*} dev $host_if" "$(ip -n a route show "${ip%/*}" | grep -o "^[0-9.]* dev cali[0-9a-f]*")"
check "the policy chains are in the kernel when ADD returns" sh -c "nsenter --net=/run/netns/a iptables-legacy-save -t filter | grep -q -- '-i $host_if'"
expect "the endpoint is written" "web-0 c1 $host_if $mac $ip kns.default k8s a" "$(ctl get workloadendpoints --all-namespaces -o json |
	jq -r '.items[] | select(.spec.pod == "web-0").spec | [.pod, .containerID, .interfaceName, .mac, .ipNetworks[0], .profiles[0], .orchestrator, .node] | join(" ")')"
expect "its name is upstream's" "a-k8s-peer-eth0 a-k8s-web--0-eth0" "$(endpoints)"
expect "the namespace's profile exists" "Allow Allow" \
	"$(ctl get profile kns.default -o json | jq -r '[.spec.ingress[0].action, .spec.egress[0].action] | join(" ")')"
check "the pod is reached by its neighbour" in_pod peer ping -c1 -W2 "${ip%/*}"

# ---- CHECK
with_prev() { printf '%s' "$CONFIG" | jq -c --slurpfile p $W/result '. + {prevResult: $p[0]}'; }
check "CHECK finds what ADD made" cni CHECK web-0 c1 "$(with_prev)"
expect "CHECK prints nothing" "" "$(cat $W/out)"
in_pod web-0 ip route del default
cni CHECK web-0 c1 "$(with_prev)" && fail "CHECK misses the route"
expect "CHECK says what is missing" "eth0 has no route to 0.0.0.0/0 in the pod" "$(jq -r .msg $W/out)"
in_pod web-0 ip route add default via 169.254.1.1 dev eth0
cni CHECK web-0 c1 && fail "CHECK without prevResult"
expect "CHECK needs prevResult" 7 "$(jq -r .code $W/out)"

# ---- a second ADD, a second sandbox, a late DEL
cni ADD web-0 c1 || fail "a second ADD" "$(cat $W/out)"
expect "a second ADD of the container is given the same address" "$ip" "$(jq -r '.ips[0].address' $W/out)"
expect "there is one pair" 2 "$(cali)"
expect "there is one handle" 2 "$(assigned)"
check "the pod reaches its neighbour again" in_pod web-0 ping -c1 -W2 "${peer%/*}"
pod web-0b
NETNS=/run/netns/web-0b cni ADD web-0 c2 || fail "a new sandbox of the pod" "$(cat $W/out)"
ip2=$(jq -r '.ips[0].address' $W/out)
[ "$ip2" != "$ip" ] && ok "a new sandbox has a new address" || fail "a new sandbox has a new address" "$ip2"
expect "there is one pair still" 2 "$(cali)"
check "a late DEL of the old sandbox" cni DEL web-0 c1
expect "... leaves the new one's endpoint" "c2" "$(ctl get workloadendpoints --all-namespaces -o json | jq -r '.items[].spec | select(.pod == "web-0").containerID')"
expect "... and its interface" 2 "$(cali)"
expect "... and releases the old address" 2 "$(assigned)"
check "the new sandbox reaches its neighbour" in_pod web-0b ping -c1 -W2 "${peer%/*}"
check "the neighbour goes" cni DEL peer c0

# ---- DEL, as often as one likes
NETNS=/run/netns/web-0b check "DEL" cni DEL web-0 c2
expect "DEL prints nothing" "" "$(cat $W/out)"
nothing "after DEL"
NETNS=/run/netns/web-0b check "DEL again" cni DEL web-0 c2
NETNS=/run/netns/nowhere check "DEL of a namespace that is gone" cni DEL web-0 c2
NETNS='' check "DEL without a namespace" cni DEL web-0 c2
check "DEL of a container nobody knows" cni DEL nobody c999
pod gone && cni ADD gone c4 && NETNS='' check "DEL without the namespace's name" cni DEL gone c4
nothing "after a DEL without the namespace's name"

# ---- nothing passes before there is policy: a pod that never stops sending, attached again and again, with a policy that denies it everything
pod peer2 && cni ADD peer2 p2 || fail "ADD" "$(cat $W/out)"
target=$(jq -r '.ips[0].address | split("/")[0]' $W/out)
ctl apply -f - >$W/apply.out 2>&1 <<'Y' || fail "the policy is applied" "$(cat $W/apply.out)"
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: evil}
spec: {selector: "evil == 'yes'", types: [Egress], egress: [{action: Deny}]}
Y
echos() { in_pod peer2 awk '/^Icmp: [0-9]/ {print $10}' /proc/net/snmp; }
EVIL=$(printf %s "$CONFIG" | jq -c '.args.cni.labels = [{key: "evil", value: "yes"}]')
pod evil
in_pod evil sh -c "while :; do ping -q -i 0.002 -w 1 $target; done" >/dev/null 2>&1 &
sender=$!
before=$(echos)
for i in 1 2 3 4 5 6 7 8 9 10; do cni ADD evil e$i "$EVIL" || fail "ADD of evil" "$(cat $W/out)"; done
sent() { [ "$(on a iptables-legacy-save -c -t filter | awk '/Policy|evil/ && /DROP|Deny|drop/' | grep -c -v '^\[0:0\]')" -gt 0 ]; }
wait_for 5 sent && ok "it does send, and the policy drops it"
expect "not one packet of it has arrived" "$before" "$(echos)"
for i in 1 2 3 4 5 6 7 8 9 10; do cni DEL evil e$i "$EVIL" || fail "DEL of evil" "$(cat $W/out)"; done
expect "nor afterwards" "$before" "$(echos)"
ctl delete globalnetworkpolicy evil >/dev/null
arrived() { [ "$(echos)" -gt "$before" ]; }
cni ADD evil e11 "$EVIL" && wait_for 10 arrived && ok "without the policy they arrive" || fail "without the policy they arrive"
check "DEL while it sends" cni DEL evil e11 "$EVIL"
kill $sender; ip netns pids evil | xargs -r kill
check "the target goes" cni DEL peer2 p2

# ---- many at once
one() { # COMMAND N
	printf '%s' "$CONFIG" | on a env CNI_COMMAND="$1" CNI_CONTAINERID="m$2" CNI_NETNS="/run/netns/m$2" CNI_IFNAME=eth0 CNI_PATH=/usr/lib/cni \
		CNI_ARGS="K8S_POD_NAMESPACE=default;K8S_POD_NAME=m$2" timeout 60 "$PLUGIN" >"$W/many.$2" 2>>$W/cni.log
}
many() { # COMMAND: of twenty pods at once; prints how many went wrong
	_pids='' _bad=0
	for _i in $(seq 20); do one "$1" "$_i" & _pids="$_pids $!"; done
	for _p in $_pids; do wait "$_p" || _bad=$((_bad + 1)); done
	echo $_bad
}
for i in $(seq 20); do pod m$i; done
many ADD >$W/bad; expect "twenty ADDs at once succeed" 0 "$(cat $W/bad)"
expect "with twenty addresses" 20 "$(jq -r '.ips[0].address' $W/many.* | sort -u | wc -l)"
expect "and twenty routes" 20 "$(ip -n a route show | grep -c cali)"
many DEL >$W/bad; expect "twenty DELs at once succeed" 0 "$(cat $W/bad)"
nothing "after twenty at once"

# ---- results in the older versions, and the plain orchestrator
for v in 0.3.1 0.4.0; do
	pod old-$v
	ARGS='' cni ADD old-$v plain-$v-0123456789 "$(printf %s "$CONFIG" | jq -c ".cniVersion = \"$v\" | .args.cni.labels = [{key: \"app\", value: \"x\"}]")" ||
		fail "ADD $v" "$(cat $W/out)"
	expect "$v: the result says the address's family" "$v 4" "$(jq -r '[.cniVersion, .ips[0].version] | join(" ")' $W/out)"
done
expect "the plain orchestrator's endpoint" "a-cni-plain--0.3.1--0123456789-eth0 cali$(printf plain-0.3.1-0123456789 | sha1sum | cut -c1-11) net x" "$(ctl get workloadendpoints --all-namespaces -o json |
	jq -r '.items[0] | [.metadata.name, .spec.interfaceName, .spec.profiles[0], .metadata.labels.app] | join(" ")')"
first=$(ctl get workloadendpoints --all-namespaces -o json | jq -r '.items[0].spec.interfaceName')
pod twin
ARGS='' check "ADD of a container whose ID begins like another's" cni ADD twin plain-0.3.1-other
[ "$(jq -r '.interfaces[0].name' $W/out)" != "$first" ] && ok "it has an interface of its own" || fail "it has an interface of its own"
check "... and the other's is still there" ip -n a link show dev "$first"
ARGS='' check "DEL of it" cni DEL twin plain-0.3.1-other
for v in 0.3.1 0.4.0; do ARGS='' check "DEL $v" cni DEL old-$v plain-$v-0123456789 "$(printf %s "$CONFIG" | jq -c ".cniVersion = \"$v\"")"; done

# ---- calico-ipam for other plugins
PROGRAM=$BUILD/cni-plugin/calico-ipam
check "calico-ipam ADD" cni ADD x bridged
expect "calico-ipam answers with the block's length and no interface" "26 null" \
	"$(jq -r '[(.ips[0].address|split("/")[1]), (.interfaces|tostring)] | join(" ")' $W/out)"
check "calico-ipam DEL" cni DEL x bridged
check "calico-ipam DEL again" cni DEL x bridged
PROGRAM=$PLUGIN
nothing "after all that"

# ---- another IPAM
LOCAL=$(printf %s "$CONFIG" | jq -c '.ipam = {type: "host-local", subnet: "10.66.0.0/24", dataDir: "/tmp/w/host-local", routes: [{dst: "10.66.0.0/16"}]}')
if [ -x /usr/lib/cni/host-local ]; then
	pod local
	check "ADD with host-local" cni ADD local c5 "$LOCAL"
	expect "host-local's address is the pod's" "$(jq -r '.ips[0].address' $W/out)" "$(in_pod local ip -4 -o addr show dev eth0 | awk '{print $4}')"
	expect "its routes replace the default" "10.66.0.0/16 via 169.254.1.1 dev eth0 
169.254.1.1 dev eth0 scope link " "$(in_pod local ip route)"
	check "DEL with host-local" cni DEL local c5 "$LOCAL"
	expect "host-local has its address back" 0 "$(find /tmp/w/host-local -name '10.66.*' | wc -l)"
else
	skip "ADD with host-local" "containernetworking-plugins is not installed"
fi
pod none
CNI_PATH_=/nowhere cni ADD none c6 "$LOCAL" && fail "ADD without the IPAM plugin"
expect "an IPAM plugin that is not there is named" 'failed to find plugin "host-local" in path [/nowhere]' "$(jq -r .msg $W/out)"
nothing "after other IPAM"

# ---- bad input
refused() { # NAME CODE: of the last run
	expect "$1: code $2" "$2" "$(jq -r .code $W/out)"
	[ -n "$(jq -r .msg $W/out)" ] || fail "$1 has a message"
}
printf x >$W/file
for bad in "gone /run/netns/not-there" "a-directory /run" "a-file $W/file" "another-kind /proc/self/ns/mnt"; do
	NETNS=${bad#* } cni ADD web-1 c7 && fail "${bad%% *}: ADD succeeds"
	refused "netns ${bad%% *}" 4
done
NETNS=/run/netns/a cni ADD web-1 c7 && fail "the own namespace: ADD succeeds"
refused "the plugin's own netns" 8
cni ADD none c7 '{"cniVersion":' && fail "half a config"; refused "half a configuration" 6
cni ADD none c7 '[]' && fail "a list as config"; refused "a list" 6
cni ADD none c7 '{"cniVersion":"1.0.0","type":"calico","ipam":{"type":"calico-ipam"}}' && fail "no name"; refused "no name" 7
cni ADD none c7 '{"cniVersion":"9.0.0","name":"net","ipam":{"type":"calico-ipam"}}' && fail "version 9"; refused "version 9" 1
cni ADD none c7 "$(printf %s "$CONFIG" | jq -c '.device_type = "tap"')" && fail "tap"; refused "an unknown device_type" 2
cni GC none c7 && fail "GC"; refused "GC" 4
ARGS='K8S_POD_NAME' cni ADD none c7 && fail "half an argument"; refused "half an argument" 4
IFNAME=eth0/1 cni ADD none c7 && fail "a slash in the interface"; refused "a slash in the interface's name" 4
in_pod none ip link add eth0 type veth peer name other
cni ADD none c8 && fail "ADD over a foreign interface"
refused "an interface that is there already" 999
nothing "after bad input"
in_pod none ip link del eth0

# ---- a datastore that is locked
locked() { # true or false, as a migration would write it
	stop a typhad
	sqlite3 $W/ds/datastore.db "UPDATE object SET value = replace(value, '\"datastoreReady\":$1', '\"datastoreReady\":$2')
		WHERE key LIKE '%clusterinformations/default'"
	start a typhad --datastore-path $W/ds/datastore.db
	wait_for 10 listening /run/n/a/typhad/api.sock
}
locked true false
cni ADD none c8 && fail "ADD on a locked datastore"
refused "ADD on a locked datastore" 11
expect "ADD on a locked datastore says so" "Calico is currently not ready to process requests" "$(jq -r .msg $W/out)"
cni DEL none c8 && fail "DEL on a locked datastore"
refused "DEL on a locked datastore" 11
locked false true
nothing "after a locked datastore"

# ---- a daemon is away: a retryable error, soon, and nothing left
for d in felixd ipamd typhad; do
	stop a $d KILL
	t=$(date +%s)
	cni ADD none c9 && fail "ADD without $d"
	refused "without $d" 11
	expect "without $d: the daemon and its socket are named" 1 "$(jq -r .msg $W/out | grep -c "$d.*/run/n/a/$d/api.sock")"
	[ $(($(date +%s) - t)) -lt 10 ] && ok "without $d: at once" || fail "without $d: at once" "$(($(date +%s) - t)) s"
	expect "without $d: no interface is left" 0 "$(cali)"
	case $d in
	typhad) start a typhad --datastore-path $W/ds/datastore.db ;;
	*) start a $d ;;
	esac
	wait_for 10 listening /run/n/a/$d/api.sock
done
again() { cni ADD none c10; }
wait_for 20 again && ok "when they are back, so is ADD" || fail "when they are back, so is ADD" "$(cat $W/out)"
check "and DEL" cni DEL none c10
nothing "after the daemons' absence"
stop a felixd
check "DEL of a container nobody knows, without felixd" cni DEL none c10
start a felixd
wait_for 10 listening /run/n/a/felixd/api.sock
wait_for 20 again && stop a felixd && check "DEL without felixd" cni DEL none c10
expect "no endpoint is left" "" "$(endpoints)"
expect "no interface is left" 0 "$(cali)"

# ---- a felixd that takes the request and never answers
mkdir -p /run/n/a/felixd && rm -f /run/n/a/felixd/api.sock
socat -u UNIX-LISTEN:/run/n/a/felixd/api.sock,fork OPEN:/dev/null &
silent=$!
wait_for 5 listening /run/n/a/felixd/api.sock
t=$(date +%s)
CALICO_CNI_TIMEOUT=2 cni ADD none c11 && fail "ADD with a silent felixd"
refused "a silent felixd" 11
[ $(($(date +%s) - t)) -lt 15 ] && ok "a silent felixd: the deadline holds" || fail "a silent felixd: the deadline holds"
expect "a silent felixd: no endpoint is left" "" "$(endpoints)"
expect "a silent felixd: no interface is left" 0 "$(cali)"
expect "a silent felixd: no address is left" 0 "$(assigned)"
kill $silent
