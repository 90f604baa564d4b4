#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Felix's settings change what the kernel does; addresses and interfaces that two endpoints claim have one owner, and connections do not outlive it.
#
#      a 10.65.0.11 --calia-- h 172.16.0.1 --calib-- b 10.65.0.12
. "$(dirname "$0")/lib.sh"
. "$TOP/test/integration/felixd.inc"
A=10.65.0.11 B=10.65.0.12 H=172.16.0.1
host
on h socat TCP-LISTEN:80,fork,reuseaddr EXEC:cat 2>/dev/null &
pod a $A; pod b $B
{ open_profile; wep a $A 'app: a'; wep b $B 'app: b'; cat <<E; } | apply
---
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: t, namespace: default}
spec: {selector: "app == 'b'", types: [Ingress], ingress: [{action: Deny, protocol: TCP, destination: {ports: [80]}}, {action: Allow}]}
E
check "two endpoints reach the kernel" wait_for 10 up 2
again() { stop h felixd; start h felixd; wait_for 10 up 2; } # with what is in the environment
refused() { on "$1" socat -u OPEN:/dev/null "TCP:$2:$3,connect-timeout=2" 2>&1 | grep -q refused; }

closes "DefaultEndpointToHostAction is DROP" tcp a $H 80
export FELIX_DEFAULTENDPOINTTOHOSTACTION=Accept
again
opens "DefaultEndpointToHostAction ACCEPT lets a pod reach its host" tcp a $H 80
export FELIX_DEFAULTENDPOINTTOHOSTACTION=Return
again
opens "RETURN leaves it to the host's own rules" tcp a $H 80
on h iptables-legacy -A INPUT -i calia -j DROP
closes "... which may drop it" tcp a $H 80
on h iptables-legacy -D INPUT -i calia -j DROP

closes "IptablesFilterDenyAction is DROP" tcp a $B 80
export FELIX_IPTABLESFILTERDENYACTION=REJECT
again
check "REJECT says so at once" wait_for 5 refused a $B 80
opens "... and allows as before" tcp a $B 81

export FELIX_IPTABLESFILTERALLOWACTION=RETURN FELIX_IPTABLESMANGLEALLOWACTION=RETURN FELIX_CHAININSERTMODE=append
on h iptables-legacy -A FORWARD -p tcp --dport 82 -j DROP
again
closes "ChainInsertMode append: others' rules come first" tcp a $B 82
opens "IptablesFilterAllowAction RETURN: the rest gets through" tcp a $B 81
check "our hook stands behind theirs" sh -c "nsenter --net=/run/netns/h iptables-legacy -S FORWARD | awk '/dport 82/ { theirs = NR } /-j cali-FORWARD/ { ours = NR } END { exit !(theirs < ours) }'"
unset FELIX_IPTABLESFILTERALLOWACTION FELIX_IPTABLESMANGLEALLOWACTION FELIX_CHAININSERTMODE FELIX_IPTABLESFILTERDENYACTION
export FELIX_LOGPREFIX='%t/%n' FELIX_DEVICEROUTEPROTOCOL=80 FELIX_IPTABLESMARKMASK=0xff00
again
opens "another mark mask" tcp a $B 81
closes "... denies as well" tcp a $B 80
other_proto() { ip -n h route show $A | grep -q 'proto 80'; }
check "another route protocol" wait_for 5 other_proto
unset FELIX_LOGPREFIX FELIX_DEVICEROUTEPROTOCOL FELIX_IPTABLESMARKMASK
again

# ---- one address, two owners: the newer interface has it, and the older one's connections end
pod c 10.65.0.13
wep c 10.65.0.13 'app: c' | apply
check "c is there" wait_for 5 up 3
icmp c $A >/dev/null
tracked() { on h conntrack -L 2>/dev/null | grep -q "src=10.65.0.13"; }
check "c has connections" tracked
ip netns add d; ip -n h link add calid type veth peer name eth0 netns d; ip -n h link set calid up; ip -n d link set eth0 up
wep d 10.65.0.13 'app: d' | apply
owner() { [ "$(ip -n h route show 10.65.0.13 | sed -n 's/.* dev \([^ ]*\).*/\1/p')" = "$1" ]; }
check "the newer interface has the address" wait_for 5 owner calid
check "the older one's connections are forgotten" wait_for 5 not tracked
ctl delete workloadendpoint h-k8s-d-eth0 -n default >/dev/null
check "the older one has it back" wait_for 5 owner calic

# ---- one interface, two endpoints: the first by name has it
wep a $A 'app: a' | sed 's/h-k8s-a-eth0/h-k8s-0-eth0/; s/pod: a/pod: "0"/; s/\[10.65.0.11\/32\]/[10.65.0.77\/32]/' | apply
has() { [ -n "$(ip -n h route show "$1")" ]; }
check "the first by name gets the interface" wait_for 5 has 10.65.0.77
check "the other's route goes" wait_for 5 not has $A
ctl delete workloadendpoint h-k8s-0-eth0 -n default >/dev/null
check "the other comes back when the first has gone" wait_for 5 has $A
opens "... with traffic" tcp a $B 81

# ---- an endpoint that gets another address
wep b 10.65.0.22 'app: b' | apply
check "a new address gets its route" wait_for 5 has 10.65.0.22
check "the old one loses it" wait_for 5 not has $B
expect "the kernel refused nothing" 0 "$(counter failures)"

# ---- a kernel, or a host, that refuses
stop h felixd
rm -f /run/xtables.lock
mkdir /run/xtables.lock
ip -n h route del 10.65.0.22
start h felixd
says() { ctl debug felixd health 2>/dev/null | jq -r .status | grep -q "$1"; }
check "what cannot be done is said" wait_for 5 says "not in step.*xtables.lock"
check "... and is no reason to die" alive h felixd
wep b 10.65.0.23 'app: b' | apply
check "... nor to open a way without its policy" not has 10.65.0.23
rmdir /run/xtables.lock
check "it is tried again" wait_for 15 says 'the kernel is in step'
check "... until all is there" wait_for 5 has 10.65.0.23
on h ipset create cali40taken hash:ip
on h iptables-legacy -A OUTPUT -m set --match-set cali40taken dst -j ACCEPT
stop h felixd; start h felixd
check "a set of our name that somebody else's rule uses keeps nobody from work" wait_for 10 says 'the kernel is in step'
check "... and stays while it is used" on h ipset list -n cali40taken
on h iptables-legacy -F OUTPUT
