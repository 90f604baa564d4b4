#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# nftables beside others' tables, repaired at once, and the change from one backend to the other and back: no packet of a connection that is allowed is
# lost, and none that is not gets through.
#
#      a 10.65.0.11 --calia-- h --calib-- 10.65.0.12 b          c 10.65.0.13 --calic-- h: not allowed to reach b
. "$(dirname "$0")/lib.sh"
BACKEND=nftables
. "$TOP/test/integration/felixd.inc"
A=10.65.0.11 B=10.65.0.12 C=10.65.0.13
export FELIX_IPTABLESREFRESHINTERVAL=600 FELIX_NFTABLESREFRESHINTERVAL=600 FELIX_IPSETSREFRESHINTERVAL=600

# ---- others' rules, of every sort, and what an earlier us left in the table
node h
cat >$W/theirs <<E
table ip theirs {
	set s { type ipv4_addr; flags interval; elements = { 192.0.2.0/24 }; }
	chain c { type filter hook forward priority 10; ip saddr @s drop; }
}
table ip6 calico {
	chain theirs {
		counter
	}
}
E
cat >$W/old <<E
table ip calico {
	set cali40s-old { type ipv4_addr; flags interval; elements = { 10.0.0.0/8 }; }
	set cali40masq-ipam-pools { type inet_service; }
	map filter-cali-old-dispatch { type ifname : verdict; elements = { "x" : goto filter-cali-old }; }
	chain filter-cali-old { ip saddr @cali40s-old accept; }
	chain filter-FORWARD { type filter hook forward priority 0; iifname vmap @filter-cali-old-dispatch; counter accept; }
}
E
on h nft -f $W/theirs
on h nft -f $W/old
on h iptables-nft -A FORWARD -p tcp --dport 9999 -m comment --comment theirs -j DROP
on h iptables-legacy -A FORWARD -p tcp --dport 9998 -m comment --comment theirs -j DROP
on h iptables-legacy -N cali-FORWARD
on h iptables-legacy -I FORWARD -j cali-FORWARD
on h ipset create cali40s:old hash:net
on h ipset create blocklist hash:ip
node() { [ "$1" = h ] || { ip netns add "$1"; ip -n "$1" link set lo up; }; }
mode() {
	cat <<-E | apply
	apiVersion: projectcalico.org/v3
	kind: FelixConfiguration
	metadata: {name: default}
	spec: {nftablesMode: $1}
	E
}
host
pod a $A; pod b $B; pod c $C
{ open_profile; wep a $A 'app: a'; wep b $B 'app: b'; wep c $C 'app: c'; cat <<E; } | apply
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
nft_is_it() { on h nft list map ip calico filter-cali-to-wl-dispatch 2>/dev/null | grep -q calib; }
legacy_is_it() { on h iptables-legacy -S 2>/dev/null | grep -q cali-tw-calib; }
check "nftables hold policy" wait_for 15 nft_is_it
check "three endpoints are up" wait_for 10 up 3
opens "what is allowed passes" tcp a $B 80
closes "what is not does not" tcp c $B 80
counted() { ctl debug felixd dump counters 2>/dev/null | jq -e '[.. | objects | select(.name? == "t" and .direction? == "ingress") | .rules[] | select(.index == 0 and .packets > 0 and .bytes > 0)] | length == 1'; }
check "what the policy's rule has allowed is counted" wait_for 5 counted
no_legacy() { ! on h iptables-legacy-save | grep -q cali && ! on h ipset list -n | grep -q cali; }
check "nothing of ours is left in iptables and IP sets" wait_for 10 no_legacy
no_old() { ! on h nft list table ip calico | grep -q 'cali-old\|cali40s-old\|inet_service$'; }
check "nor anything old in the table" wait_for 5 no_old
theirs() {
	on h nft list table ip theirs | grep -q 192.0.2.0/24 && on h nft list table ip6 calico | grep -q theirs &&
		on h iptables-nft-save | grep -q 'dport 9999' && on h iptables-legacy-save | grep -q 'dport 9998' && on h ipset list -n blocklist >/dev/null
}
check "what is others' stays" theirs

# ---- what others do to us; refreshing is far away: this is the kernel telling
kernel_state >$W/before
same() { kernel_state >$W/now; diff $W/before $W/now; }
nft() { on h nft "$@"; }
back() { _b=$1; shift; "$@" || fail "$_b: cannot do it"; check "$_b" wait_for 3 same; }
back "a flushed chain comes back" nft flush chain ip calico filter-cali-tw-calib
back "a rule that somebody added to our chain goes" nft insert rule ip calico filter-cali-tw-calib accept
back "a chain that somebody added to our table goes" nft add chain ip calico theirs '{ type filter hook forward priority 5; }'
back "a set that somebody added to our table goes" nft add set ip calico theirs '{ type ipv4_addr; }'
set=$(for s in $(sets | grep cali40s-); do nft list set ip calico "$s" | grep -q "$A" && echo "$s"; done)
back "a deleted element comes back" nft delete element ip calico "$set" "{ $A }"
back "an element that somebody added goes" nft add element ip calico "$set" '{ 192.0.2.1-192.0.2.77 }'
back "a flushed map comes back" nft flush map ip calico filter-cali-from-wl-dispatch
back "a deleted table comes back" nft delete table ip calico
flush() { nft flush ruleset && nft -f $W/theirs && on h iptables-nft -A FORWARD -p tcp --dport 9999 -m comment --comment theirs -j DROP; }
flush
ours() { on h nft -s list table ip calico 2>/dev/null | grep -q 'cali40s-' && nft_is_it; }
check "a flushed ruleset: ours comes back" wait_for 3 ours
opens "what is allowed passes still" tcp a $B 80
closes "what is not does not" tcp c $B 80

# Somebody who changes the ruleset all the time is not us, and costs us nothing.
writes=$(counter iptables_writes)
i=0; while [ $i -lt 50 ]; do nft add element ip theirs s "{ 198.51.100.$i }"; i=$((i + 1)); done
expect "others' changes are no reason to write" "$writes" "$(counter iptables_writes)"
( while [ ! -e $W/calm ]; do nft add element ip theirs s '{ 203.0.113.1 }'; nft delete element ip theirs s '{ 203.0.113.1 }'; done ) &
busy=$!
wep c $C 'app: a' | apply
opens "a label's change comes through while others write without end" tcp c $B 80
wep c $C 'app: c' | apply
closes "... and back" tcp c $B 80
: >$W/calm; wait $busy

# ---- from one to the other and back, under traffic. What the environment says goes before a FelixConfiguration.
mode Enabled
stop h felixd; unset FELIX_NFTABLESMODE; start h felixd
check "felixd is there again" wait_for 15 up 3
check "and nftables hold policy" nft_is_it
on a ping -n -i 0 -w 120 $B >$W/ping 2>&1 &
flood=$!
( while [ ! -e $W/enough ]; do tcp c $B 80 && echo leak; udp c $B 53 && echo leak; done ) >$W/leaks 2>/dev/null &
prober=$!
for round in 1 2 3 4; do
	mode Disabled
	check "round $round: iptables take over" wait_for 20 legacy_is_it
	check "round $round: three endpoints are up" wait_for 10 up 3
	no_table() { ! on h nft list table ip calico >/dev/null 2>&1; }
	check "round $round: the table is gone" wait_for 10 no_table
	mode Enabled
	check "round $round: nftables take over" wait_for 20 nft_is_it
	check "round $round: three endpoints are up again" wait_for 10 up 3
	check "round $round: nothing of ours is left in iptables and IP sets" wait_for 10 no_legacy
done
check "the flood went on all the time" kill -0 $flood
kill -INT "$(pgrep -x ping)" # a PID namespace of our own: there is no other
wait $flood
: >$W/enough; wait $prober
# What is still under way at the end is not lost: a gap is.
set -- $(sed -n 's/.*icmp_seq=\([0-9]*\).*/\1/p' $W/ping | awk '$1 % 65536 != (last + 1) % 65536 { gaps++ } { last = $1; n++ } END { print n + 0, gaps + 0 }')
[ "$1" -gt 1000 ] && [ "$2" = 0 ] && ok "not one ping of $1 is lost" || fail "no ping is lost" "of $1: $2 gaps"
expect "nothing came through that must not" "" "$(cat $W/leaks)"

# ---- Auto: as the host's kube-proxy does
mode Auto
check "Auto is iptables where nothing speaks for nftables" wait_for 20 legacy_is_it
nft add table ip kube-proxy
nft add chain ip kube-proxy services
stop h felixd; start h felixd
check "Auto is nftables beside a kube-proxy that uses them" wait_for 20 nft_is_it
check "kube-proxy's table stays" on h nft list chain ip kube-proxy services
expect "nothing failed on the way" 0 "$(counter failures)"
