#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What somebody else deletes or moves comes back, what is somebody else's stays as it is, what leaves leaves nothing behind.
#
#      a 10.65.0.11 --calia-- h --calib-- 10.65.0.12 b
. "$(dirname "$0")/lib.sh"
. "$TOP/test/integration/felixd.inc"
A=10.65.0.11 B=10.65.0.12
export FELIX_IPTABLESREFRESHINTERVAL=0.3 FELIX_IPSETSREFRESHINTERVAL=0.3 FELIX_ROUTEREFRESHINTERVAL=30

# ---- what was there before felixd: somebody else's, and what an earlier version of us left
node h
on h iptables-legacy -A FORWARD -p tcp --dport 9999 -m comment --comment theirs -j DROP
on h iptables-legacy -N THEIRS
on h iptables-legacy -A THEIRS -s 192.0.2.0/24 -j RETURN
on h iptables-legacy -A INPUT -j THEIRS
on h iptables-legacy -N cali-old-chain
on h iptables-legacy -N cali-older-chain
on h iptables-legacy -A cali-old-chain -j cali-older-chain
on h iptables-legacy -A OUTPUT -j cali-old-chain
on h iptables-legacy -t nat -A POSTROUTING -s 198.51.100.0/24 -j MASQUERADE
on h ipset create blocklist hash:ip
on h ipset create cali40s:old hash:net
on h ipset create cali40masq-ipam-pools hash:net maxelem 7
node() { [ "$1" = h ] || { ip netns add "$1"; ip -n "$1" link set lo up; }; }
host
pod a $A; pod b $B
{ open_profile; wep a $A 'app: a'; wep b $B 'app: b'; cat <<E; } | apply
---
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: t, namespace: default}
spec: {selector: "app == 'b'", types: [Ingress], ingress: [{action: Allow, source: {selector: "app == 'a'"}}]}
---
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: pods}
spec: {cidr: 10.65.0.0/16, natOutgoing: true, ipipMode: Never, vxlanMode: Never}
E
check "two endpoints reach the kernel" wait_for 10 up 2
opens "traffic flows" tcp a $B 80
saved() { on h iptables-legacy-save; }
check "a foreign rule stays" sh -c "nsenter --net=/run/netns/h iptables-legacy-save | grep -q -- '--dport 9999.*-j DROP'"
check "a foreign chain stays" sh -c "nsenter --net=/run/netns/h iptables-legacy-save | grep -q -- '-A THEIRS -s 192.0.2.0/24 -j RETURN'"
check "a foreign masquerade stays" sh -c "nsenter --net=/run/netns/h iptables-legacy-save | grep -q -- '-s 198.51.100.0/24 -j MASQUERADE'"
check "a foreign set stays" on h ipset list -n blocklist
old() { saved | grep -q 'cali-old'; }
check "chains that only our name marks go" wait_for 5 not old
old_set() { on h ipset list -n cali40s:old; }
check "... and sets" wait_for 5 not old_set
if [ $BACKEND = iptables ]; then
refitted() { on h ipset list -t cali40masq-ipam-pools | grep -q 'maxelem 1048576'; }
check "a set of another size is made anew" wait_for 5 refitted
no_temp() { ! on h ipset list -n | grep -q '^cali4t'; }
check "... with no temporary set left" wait_for 5 no_temp
first() { [ "$(on h iptables-legacy -S FORWARD | sed -n 2p | grep -c 'cali-FORWARD')" = 1 ]; }
check "our hook comes first" wait_for 5 first
last() { [ "$(on h iptables-legacy -S FORWARD | tail -n1 | grep -c 'cali:mp77cMpurHhyjLrM')" = 1 ]; }
check "our tail comes last" wait_for 5 last
fi

# ---- what others do to us
kernel_state >$W/before
same() { kernel_state >$W/now; diff $W/before $W/now; }
back() { _b=$1; shift; "$@" || fail "$_b: cannot do it"; check "$_b" wait_for 6 same; }
if [ $BACKEND = iptables ]; then
back "a deleted rule comes back" on h iptables-legacy -D cali-tw-calib 1
back "a flushed chain comes back" on h iptables-legacy -F cali-to-wl-dispatch
back "a flushed table comes back" on h sh -c 'iptables-legacy-save | grep -v cali | iptables-legacy-restore'
back "a rule that somebody added to our chain goes" on h iptables-legacy -I cali-FORWARD -j ACCEPT
back "a deleted hook comes back" on h iptables-legacy -D FORWARD 1
back "a deleted nat rule comes back" on h iptables-legacy -t nat -F cali-nat-outgoing
back "a deleted raw rule comes back" on h iptables-legacy -t raw -F cali-PREROUTING
back "a deleted mangle hook comes back" on h iptables-legacy -t mangle -D PREROUTING 1
set=$(on h ipset list -n | grep cali40s: | head -n1)
back "a deleted member comes back" on h ipset del "$set" $A
back "a member that somebody added goes" on h ipset add "$set" 192.0.2.9
back "a flushed set comes back" on h ipset flush cali40masq-ipam-pools
back "a destroyed set comes back" on h sh -c 'iptables-legacy -t nat -F cali-nat-outgoing; ipset destroy cali40masq-ipam-pools'
else
back "a deleted rule comes back" on h nft delete rule ip calico filter-cali-tw-calib handle "$(on h nft -a list chain ip calico filter-cali-tw-calib | sed -n 's/.*# handle //p' | tail -n1)"
back "a flushed chain comes back" on h nft flush chain ip calico filter-cali-to-wl-dispatch
back "a deleted table comes back" on h nft delete table ip calico
back "a rule that somebody added to our chain goes" on h nft insert rule ip calico filter-cali-FORWARD accept
back "a flushed base chain comes back" on h nft flush chain ip calico filter-FORWARD
back "a deleted nat rule comes back" on h nft flush chain ip calico nat-cali-nat-outgoing
set=$(sets | grep cali40s- | head -n1)
back "a flushed set comes back" on h nft flush set ip calico "$set"
back "a member that somebody added goes" on h nft add element ip calico "$set" '{ 192.0.2.9 }'
back "a destroyed set comes back" on h nft 'flush chain ip calico nat-cali-nat-outgoing; delete set ip calico cali40masq-ipam-pools'
back "a set of another kind is made anew" on h nft 'flush chain ip calico nat-cali-nat-outgoing; delete set ip calico cali40masq-ipam-pools; add set ip calico cali40masq-ipam-pools { type inet_service; }'
fi
back "a deleted route comes back at once" ip -n h route del $A dev calia
on a ping -q -c1 -W1 $B >/dev/null
back "an interface that was down comes back with its route and neighbour" sh -c 'ip -n h link set calia down; ip -n h link set calia up'
check "... and its connections" sh -c "nsenter --net=/run/netns/h conntrack -L 2>/dev/null | grep -q 'icmp.*$A'"
if [ $BACKEND = iptables ]; then
on h iptables-legacy -I FORWARD -p tcp --dport 7777 -j DROP
check "a rule before our hook: the hook goes to the top again" wait_for 5 first
on h iptables-legacy -A FORWARD -p tcp --dport 7778 -j DROP
check "a rule behind our tail: the tail goes to the end again" wait_for 5 last
check "both foreign rules stay" sh -c "[ \$(nsenter --net=/run/netns/h iptables-legacy -S FORWARD | grep -c 'dport 777') = 2 ]"
fi
repairs=$(counter repairs)
[ "$repairs" -ge 10 ] && ok "repairs are counted" || fail "repairs are counted" "$repairs"
opens "traffic flows" tcp a $B 80

# ---- more events than the kernel keeps for us
kernel_state >$W/before
kill -STOP "$(pid_of h felixd)"
ip -n h route del $A dev calia
for i in 1 2; do
	for v in add del; do
		seq 1 20000 | awk -v v=$v '{ printf "route %s 100.%d.%d.%d/32 via 172.16.0.2\n", v, 64 + $1 / 65536, $1 / 256 % 256, $1 % 256 }' >$W/batch
		ip -n h -batch $W/batch
	done
done
kill -CONT "$(pid_of h felixd)"
check "a route that was deleted among forty thousand changes comes back" wait_for 10 same
check "... though events were lost" grep -q 'events were lost' $W/h.felixd.log

if [ $BACKEND = iptables ]; then
# ---- the lock
: >/run/xtables.lock
flock /run/xtables.lock sleep 2 &
locker=$!
wait_for 2 not flock -n /run/xtables.lock true
wep c 10.65.0.13 'app: a' | apply
before=$(date +%s%N)
check "felixd answers while somebody holds the xtables lock" ctl debug felixd health
[ $((($(date +%s%N) - before) / 1000000)) -lt 1000 ] && ok "... without waiting for it" || fail "... without waiting for it"
wait $locker
rule_there() { on h iptables-legacy -S | grep -q cali-tw-calic; }
check "the rules follow when the lock is free" wait_for 5 rule_there
else
wep c 10.65.0.13 'app: a' | apply
fi
pod c 10.65.0.13
check "an interface that appears later gets its routes" wait_for 5 up 3
opens "... and traffic" tcp c $B 80

# ---- sysctls
for s in conf/calic/proxy_arp=1 conf/calic/forwarding=1 conf/calic/route_localnet=1 neigh/calic/proxy_delay=0; do
	expect "sysctl $s" "${s#*=}" "$(on h cat /proc/sys/net/ipv4/${s%=*})"
done
expect "sysctl accept_ra" 0 "$(on h cat /proc/sys/net/ipv6/conf/calic/accept_ra)"
expect "neighbour" "10.65.0.13 dev calic lladdr 02:00:00:00:00:13 PERMANENT" "$(ip -n h neigh show 10.65.0.13 nud permanent | sed 's/ *$//')"
expect "route" "10.65.0.13 dev calic scope link metric 1024" "$(ip -n h route show 10.65.0.13 | sed 's/ *$//')"

# ---- leaving
on c ping -q -c1 -W1 $B >/dev/null
tracked() { on h conntrack -L 2>/dev/null | grep -q 10.65.0.13; }
check "c's connections are known" tracked
ctl delete workloadendpoint h-k8s-c-eth0 -n default >/dev/null
check "they are forgotten when c leaves" wait_for 5 not tracked
left() { [ -z "$(ip -n h route show 10.65.0.13)" ] && ! chains | grep -q calic && [ -z "$(ip -n h neigh show 10.65.0.13 nud permanent)" ]; }
check "c's route, neighbour and chains are gone" wait_for 5 left
closes "c's interface is nobody's now" tcp c $B 80
wep c 10.65.0.13 'app: a' | apply
check "c comes back" wait_for 5 up 3
ip -n h link del calic
pod_again() { ip netns del c; pod c 10.65.0.13; }
pod_again
check "a new interface of the same name is set up again" wait_for 5 up 3
opens "... with traffic" tcp c $B 80
expect "the kernel refused nothing" 0 "$(counter failures)"
