#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Host endpoints, felt by real packets: what reaches the host, what it sends, what goes through it.
#
#      a 10.65.0.11 --calia-- h 172.16.0.1 --o---h-- o 172.16.0.2 (knows its way to pods)
. "$(dirname "$0")/lib.sh"
. "$TOP/test/integration/felixd.inc"
A=10.65.0.11 H=172.16.0.1 O=172.16.0.2
host
answer o
ip -n o route add 10.65.0.0/16 via $H
for _p in 22 80 81 83; do on h socat TCP-LISTEN:$_p,fork,reuseaddr EXEC:cat 2>/dev/null & done
pod a $A
{ open_profile; wep a $A 'app: a'; } | apply
check "the pod reaches the kernel" wait_for 10 up 1

# hep NAME SPEC: a host endpoint
hep() {
	apply <<-E
	apiVersion: projectcalico.org/v3
	kind: HostEndpoint
	metadata: {name: $1, labels: {host: "yes"}}
	spec: {node: h, $2}
	E
}
unhep() { ctl delete hostendpoint "$@" >/dev/null 2>&1; }
# policy NAME SPEC: for host endpoints
policy() {
	apply <<-E
	apiVersion: projectcalico.org/v3
	kind: ${3:-GlobalNetworkPolicy}
	metadata: {name: $1}
	spec: {selector: "has(host)", $2}
	E
}
unpolicy() { ctl delete globalnetworkpolicy "$@" >/dev/null 2>&1; }
hep_is() { chains | grep -q "cali-fh-$1$"; }

# ---- without policy
opens "without a host endpoint all is open" tcp o $H 80
mkfifo "$W/long"
on o socat - "TCP:$H:80" <"$W/long" >"$W/long.out" 2>/dev/null &
exec 7>"$W/long"
echo before >&7
echoes() { grep -q "$1" "$W/long.out"; }
check "a long connection is there" wait_for 5 echoes before
hep eth 'interfaceName: o'
check "the host endpoint reaches the kernel" wait_for 5 hep_is o
closes "a host endpoint without policy is closed" tcp o $H 80
closes "... also to what the host sends" tcp h $O 80
opens "a failsafe port stays open" tcp o $H 22
opens "... and one on the way out" udp h $O 53
echo after >&7
check "what was established goes on" wait_for 5 echoes after
exec 7>&-
opens "what is forwarded to a pod is not the host's" tcp o $A 80
opens "nor what is forwarded from it" tcp a $O 80

# ---- normal policy
policy n 'types: [Ingress], ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}]'
opens "normal policy allows" tcp o $H 80
closes "... and no more than it says" tcp o $H 81
closes "the other direction is as it was" tcp h $O 80
policy n 'types: [Ingress, Egress], ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}], egress: [{action: Allow, protocol: TCP, destination: {ports: [8080]}}]'
opens "egress policy allows" tcp h $O 8080
closes "... and no more than it says" tcp h $O 8081
on h iptables-legacy -t nat -A OUTPUT -d 10.99.0.1 -p tcp --dport 80 -j DNAT --to $O:8080
on h iptables-legacy -t nat -A OUTPUT -d 10.99.0.1 -p tcp --dport 8080 -j DNAT --to $O:8081
opens "a service of the host's is judged by where it leads: allowed" tcp h 10.99.0.1 80
closes "... denied" tcp h 10.99.0.1 8080

# ---- staged
policy s 'order: 1, types: [Ingress], ingress: [{action: Deny}]' StagedGlobalNetworkPolicy
staged() { ctl debug felixd dump policies 2>/dev/null | jq -e '.. | objects | select(.kind == "StagedGlobalNetworkPolicy" and .localEndpoints == 1)'; }
check "felixd knows the staged policy" wait_for 5 staged
opens "a staged policy changes nothing" tcp o $H 80
ctl delete stagedglobalnetworkpolicy s >/dev/null

# ---- forward policy
policy f 'applyOnForward: true, order: 5, types: [Ingress], ingress: [{action: Deny, protocol: TCP, destination: {ports: [82]}}, {action: Allow}]'
closes "forward policy denies" tcp o $A 82
opens "... and allows" tcp o $A 80
opens "the pod's answers and its own connections pass" tcp a $O 82
policy f 'applyOnForward: true, order: 5, types: [Ingress], ingress: [{action: Allow, protocol: TCP, destination: {ports: [80]}}]'
closes "what no forward policy allows is denied" tcp o $A 83
closes "... failsafe ports, too" tcp o $A 22
opens "what one allows is not" tcp o $A 80
unpolicy f
opens "without forward policy all is forwarded" tcp o $A 83

# ---- pre-DNAT policy
on h iptables-legacy -t nat -A PREROUTING -p tcp --dport 9999 -j DNAT --to $A:80
opens "a rewritten destination" tcp o $H 9999
policy d 'preDNAT: true, applyOnForward: true, types: [Ingress], ingress: [{action: Deny, protocol: TCP, destination: {ports: [9999]}}]'
closes "pre-DNAT policy sees the destination as it was" tcp o $H 9999
opens "... and leaves the rest to others" tcp o $A 80
unpolicy d
opens "without it" tcp o $H 9999

# ---- untracked policy
policy u 'doNotTrack: true, applyOnForward: true, types: [Ingress, Egress], ingress: [{action: Allow, protocol: TCP, destination: {ports: [83]}}], egress: [{action: Allow, protocol: TCP, source: {ports: [83]}}]'
opens "untracked policy allows" tcp o $H 83
closes "... no other" tcp o $H 81
opens "what it does not decide is left to normal policy" tcp o $H 80
opens "a tracked connection" tcp o $H 80
check "it can be seen" on h sh -c "conntrack -L -p tcp --dport 80 2>/dev/null | grep -q $O"
on h conntrack -D -p tcp --dport 83 >/dev/null 2>&1
opens "an untracked one" tcp o $H 83
check "it cannot" not on h sh -c "conntrack -L -p tcp --dport 83 2>/dev/null | grep -q $O"
unpolicy u
closes "without it" tcp o $H 83

# ---- restart
policy f 'applyOnForward: true, types: [Ingress], ingress: [{action: Allow}]'
policy d 'preDNAT: true, applyOnForward: true, types: [Ingress], ingress: [{action: Deny, protocol: TCP, destination: {ports: [9999]}}]'
policy u 'doNotTrack: true, applyOnForward: true, types: [Ingress, Egress], ingress: [{action: Allow, protocol: TCP, destination: {ports: [83]}}], egress: [{action: Allow, protocol: TCP, source: {ports: [83]}}]'
opens "policies of every class at once" tcp o $H 83
closes "... each in its place" tcp o $H 9999
kernel_state >"$W/before"
stop h felixd
start h felixd
check "felixd is back" wait_for 10 up 1
kernel_state >"$W/after"
check "a restart changes nothing" cmp "$W/before" "$W/after"
expect "... and writes nothing" 0 "$(counter iptables_writes)"
unpolicy f d u

# ---- two for one interface, and removal
unpolicy n
closes "without its policy the endpoint is closed again" tcp o $H 80
hep a-first 'interfaceName: o, profiles: [open]'
opens "of two for one interface the lower name has it" tcp o $H 81
unhep a-first
closes "... until it goes" tcp o $H 81
unhep eth
opens "without the endpoint all is open" tcp o $H 80
opens "... both ways" tcp h $O 80
check "and nothing is left of it" wait_for 5 not hep_is o

# ---- by address
hep addr 'expectedIPs: [172.16.9.1]'
opens "an endpoint whose address is nowhere" tcp o $H 80
ip -n h addr add 172.16.9.1/32 dev o
closes "it guards the interface that gets the address" tcp o $H 80
stands() { ctl debug felixd dump dataplane 2>/dev/null | jq -e ".. | objects | select(.part? == \"host_endpoint\") | .is | select(.name == \"addr\" and .interface == $1)"; }
check "the dump says so" stands '"o"'
ip -n h addr del 172.16.9.1/32 dev o
opens "... and not when it is gone" tcp o $H 80
check "... as the dump does" stands null
unhep addr

# ---- all interfaces
hep all 'interfaceName: "*"'
closes "a wildcard closes every interface" tcp o $H 80
closes "... both ways" tcp h $O 80
opens "but for failsafe ports" tcp o $H 22
opens "it does not touch the host's way to its pods" tcp h $A 80
opens "nor what is forwarded" tcp o $A 80
policy f 'applyOnForward: true, order: 5, types: [Ingress], ingress: [{action: Deny, protocol: TCP, destination: {ports: [82]}}, {action: Allow}]'
closes "its forward policy is for what comes in anywhere" tcp o $A 82
closes "... from pods, too" tcp a $O 82
opens "... and for no more than it says" tcp a $O 80
unpolicy f
opens "without it pods are free again" tcp a $O 82
hep eth 'interfaceName: o, profiles: [open]'
opens "an endpoint of its own goes first" tcp o $H 80
unhep eth
closes "... while it is there" tcp o $H 80
closes "a pod does not reach the host by default" tcp a $H 80
stop h felixd
FELIX_DEFAULTENDPOINTTOHOSTACTION=ACCEPT start h felixd
opens "with DefaultEndpointToHostAction it does, whatever the host endpoint says" tcp a $H 80
closes "... but nobody else" tcp o $H 80
apply <<-E
	apiVersion: projectcalico.org/v3
	kind: FelixConfiguration
	metadata: {name: default}
	spec: {failsafeInboundHostPorts: [{protocol: tcp, port: 81, net: $O/32}]}
E
opens "another failsafe port takes effect" tcp o $H 81
closes "... and the one before none any more" tcp o $H 22
unhep all
opens "all is open again" tcp o $H 80

expect "nothing failed on the way" 0 "$(counter failures)"
