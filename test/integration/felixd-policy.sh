#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Every match and action of a policy, felt by real packets between pods, the host and a node outside.
#
#      a 10.65.0.11 --calia--.
#      b 10.65.0.12 --calib--- h 172.16.0.1 ------- o 172.16.0.2 (knows no route to pods)
#      c 10.65.0.13 --calic--'
. "$(dirname "$0")/lib.sh"
. "$TOP/test/integration/felixd.inc"
A=10.65.0.11 B=10.65.0.12 C=10.65.0.13 H=172.16.0.1 O=172.16.0.2
host
answer o
on h socat TCP-LISTEN:80,fork,reuseaddr EXEC:cat 2>/dev/null &
pod a $A; pod b $B; pod c $C

{ open_profile; wep a $A 'app: a, role: client'; wep b $B 'app: b'; wep c $C 'app: c'; } | apply
check "three endpoints reach the kernel" wait_for 10 up 3

# ---- profiles, default deny
opens "a profile that allows: tcp" tcp a $B 80
opens "a profile that allows: udp" udp a $B 53
opens "a profile that allows: icmp" icmp a $B
cat <<E | apply
apiVersion: projectcalico.org/v3
kind: Profile
metadata: {name: open}
spec: {ingress: [{action: Allow, protocol: TCP}], egress: [{action: Allow}]}
E
closes "what a profile does not allow is dropped" icmp a $B
opens "what it allows is not" tcp a $B 80
open_profile | apply
opens "a profile's change takes effect" icmp a $B

# policy SPEC: the one policy on b
policy() {
	cat <<-E | apply
	apiVersion: projectcalico.org/v3
	kind: NetworkPolicy
	metadata: {name: t, namespace: default}
	spec: {selector: "app == 'b'", $1}
	E
}
unpolicy() { ctl delete networkpolicy t -n default >/dev/null 2>&1; }

# ---- actions
policy 'types: [Ingress]'
closes "a policy without rules denies" tcp a $B 80
opens "... only in its direction" tcp b $A 80
policy 'types: [Ingress], ingress: [{action: Allow, protocol: TCP}]'
opens "allow" tcp a $B 80
closes "what is not allowed is denied" udp a $B 53
policy 'types: [Ingress], ingress: [{action: Deny, protocol: TCP}, {action: Allow}]'
closes "deny comes first" tcp a $B 80
opens "... and what follows still counts" udp a $B 53
policy 'types: [Ingress], ingress: [{action: Pass, protocol: TCP}, {action: Deny}]'
opens "pass leaves it to the profile" tcp a $B 80
closes "... what does not pass" udp a $B 53
policy 'types: [Egress], egress: [{action: Allow, protocol: UDP}]'
opens "egress allows" udp b $A 53
closes "egress denies" tcp b $A 80
policy 'types: [Ingress], ingress: [{action: Log, protocol: TCP}, {action: Allow, protocol: TCP}]'
opens "log does not decide" tcp a $B 80
logged() { hits cali-pi-np/default/t 'LOG\|log prefix'; }
check "a packet met the LOG rule" wait_for 3 logged

# ---- selectors, through sets
policy "types: [Ingress], ingress: [{action: Allow, source: {selector: \"app == 'a'\"}}]"
opens "a selector's set: a member" tcp a $B 80
closes "a selector's set: not a member" tcp c $B 80
wep c $C 'app: a' | apply
opens "a label that changes makes a member" tcp c $B 80
wep c $C 'app: c' | apply
closes "... and unmakes it" tcp c $B 80
policy "types: [Ingress], ingress: [{action: Allow, source: {notSelector: \"app == 'a'\"}}]"
opens "a negated selector: not a member" tcp c $B 80
closes "a negated selector: a member" tcp a $B 80

# ---- networks
policy "types: [Ingress], ingress: [{action: Allow, source: {nets: [$A/32]}}]"
opens "a network" tcp a $B 80
closes "another" tcp c $B 80
policy "types: [Ingress], ingress: [{action: Allow, source: {nets: [192.0.2.0/24, $C/32]}}]"
opens "one of several networks" tcp c $B 80
closes "none of several" tcp a $B 80
policy "types: [Ingress], ingress: [{action: Allow, source: {notNets: [$A/32]}}]"
opens "a negated network" tcp c $B 80
closes "... inside" tcp a $B 80
policy "types: [Ingress], ingress: [{action: Allow, source: {nets: [10.65.0.0/24, 192.0.2.0/24], notNets: [$A/32, 192.0.2.7/32]}}]"
opens "networks but for networks" tcp c $B 80
closes "... inside the exception" tcp a $B 80

# ---- ports and protocols
policy 'types: [Ingress], ingress: [{action: Allow, protocol: TCP, destination: {ports: [80, "1000:1010"]}}]'
opens "a port" tcp a $B 80
opens "a range's first" tcp a $B 1000
opens "a range's last" tcp a $B 1010
closes "beyond the range" tcp a $B 1011
closes "the port of another protocol" udp a $B 80
policy 'types: [Ingress], ingress: [{action: Allow, protocol: TCP, destination: {ports: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, "20:30", 40, 41, 42]}}]'
opens "many ports: one of the first fifteen" tcp a $B 14
opens "many ports: in a range" tcp a $B 25
opens "many ports: one of the rest" tcp a $B 42
closes "many ports: none of them" tcp a $B 43
policy "types: [Ingress], ingress: [{action: Allow, protocol: TCP, source: {nets: [$A/32, 192.0.2.1/32]}, destination: {ports: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]}}]"
opens "ports and networks: both" tcp a $B 16
closes "ports and networks: only the port" tcp c $B 16
closes "ports and networks: only the network" tcp a $B 17
policy 'types: [Ingress], ingress: [{action: Allow, protocol: TCP, destination: {notPorts: [80, "90:99"]}}]'
opens "a negated port" tcp a $B 81
closes "... itself" tcp a $B 80
closes "... in its range" tcp a $B 95
policy 'types: [Ingress], ingress: [{action: Allow, protocol: TCP, source: {ports: [5555]}}]'
tcp_from() { on "$1" socat -u OPEN:/dev/null "TCP:$2:$3,sourceport=$4,reuseaddr,connect-timeout=0.25" 2>/dev/null; }
opens "a source port" tcp_from a $B 80 5555
closes "another" tcp_from a $B 80 5556
policy 'types: [Ingress], ingress: [{action: Allow, notProtocol: TCP}]'
opens "a negated protocol" udp a $B 80
closes "... itself" tcp a $B 80
policy 'types: [Ingress], ingress: [{action: Allow, protocol: 17}]'
opens "a protocol by number" udp a $B 80
closes "... another" tcp a $B 80

# ---- ICMP
policy 'types: [Ingress], ingress: [{action: Allow, protocol: ICMP, icmp: {type: 8, code: 0}}]'
opens "an ICMP type and code" icmp a $B
closes "no other protocol" tcp a $B 80
policy 'types: [Ingress], ingress: [{action: Allow, protocol: ICMP, icmp: {type: 13}}]'
closes "another ICMP type" icmp a $B
policy 'types: [Ingress], ingress: [{action: Allow, protocol: ICMP, notICMP: {type: 13}}]'
opens "a negated ICMP type" icmp a $B
policy 'types: [Ingress], ingress: [{action: Allow, protocol: ICMP, notICMP: {type: 8}}]'
closes "... itself" icmp a $B
unpolicy
opens "without the policy the profile decides again" tcp a $B 80

# ---- several policies
cat <<E | apply
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: first}
spec: {order: 1, selector: "app == 'b'", types: [Ingress], ingress: [{action: Deny, protocol: TCP, destination: {ports: [80]}}]}
---
apiVersion: projectcalico.org/v3
kind: GlobalNetworkPolicy
metadata: {name: second}
spec: {order: 2, selector: "app == 'b'", types: [Ingress], ingress: [{action: Allow}]}
E
opens "two policies with one selector: the second allows" tcp a $B 81
closes "... what the first does not deny" tcp a $B 80
group() { chains | grep -q 'cali-gi-'; }
check "they share a group's chain" wait_for 3 group
ctl delete globalnetworkpolicy first second >/dev/null
opens "both gone" tcp a $B 80
check "and the group's chain with them" wait_for 3 not group

# ---- the host
closes "a pod does not reach its host (DefaultEndpointToHostAction DROP)" tcp a $H 80
opens "the host reaches its pods" tcp h $B 80

# ---- nat-outgoing
closes "without masquerade nothing comes back from outside" tcp a $O 80
cat <<E | apply
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: pods}
spec: {cidr: 10.65.0.0/16, natOutgoing: true, ipipMode: Never, vxlanMode: Never}
E
opens "nat-outgoing" tcp a $O 80
on o timeout 10 tcpdump -lni h -c1 icmp >$W/seen 2>/dev/null &
seen() { icmp a $O; grep -q "IP $H > $O" $W/seen; }
check "the receiver sees the host's address" wait_for 5 seen
on b timeout 10 tcpdump -lni eth0 -c1 icmp >$W/seen_b 2>/dev/null &
seen_b() { icmp a $B; grep -q "IP $A > $B" $W/seen_b; }
check "between pods nothing is masqueraded" wait_for 5 seen_b

# ---- spoofing
ip -n a addr add 192.0.2.1/32 dev eth0
closes "a pod cannot speak with another's address" on a ping -q -c1 -W0.4 -I 192.0.2.1 $H
dropped() { hits cali-PREROUTING 'rpfilter\|fib saddr' raw; }
check "... its packets are dropped in raw" dropped

# ---- an interface that nobody knows
ip netns add x
ip -n h link add calix type veth peer name eth0 netns x
ip -n x addr add 10.65.0.99/32 dev eth0; ip -n x link set eth0 up; ip -n h link set calix up
on h sysctl -qw net.ipv4.conf.calix.proxy_arp=1
ip -n h route add 10.65.0.99 dev calix
ip -n x route add 169.254.1.1 dev eth0 scope link; ip -n x route add default via 169.254.1.1
closes "a pod that felixd does not know gets nowhere" tcp x $B 80
stray() { [ -n "$(ip -n h route show 10.65.0.99)" ]; }
check "and its route is swept away after a grace time" wait_for 15 not stray

expect "nothing failed on the way" 0 "$(counter failures)"
