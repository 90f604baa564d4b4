#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Every daemon of both nodes is killed, and ended, and started again, in turn, while a flood of pings and a TCP stream run between pods: not a packet is
# lost, the kernel holds what it held, the next pod is served. And what is asked for while a daemon is away holds when it is back.
#
#     a --- node1 --- fabric --- node2 --- b
. "$(dirname "$0")/lib.sh"
. "$TOP/test/integration/suite.inc"

check "two nodes come up" lab up --nodes 2 || exit 1
for p in "node1 a" "node2 b" "node1 c" "node2 d"; do check "pod ${p#* }" lab pod add $p --label "app=${p#* }"; done
B=$(address b)
ctl apply -f - >$W/apply.out 2>&1 <<'Y' || fail "a policy is applied" "$(cat $W/apply.out)"
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: b, namespace: default}
spec:
  selector: app == 'b'
  types: [Ingress, Egress]
  ingress:
  - {action: Allow, protocol: TCP, source: {selector: app == 'a'}, destination: {ports: [5000]}}
  - {action: Allow, protocol: ICMP, source: {selector: "app in {'a', 'c'}"}}
  egress: [{action: Allow}]
Y
closed() { ! in_lab "$1" nc -z -n -w 1 "$2" "$3"; }
serve b 6000
check "the policy holds" wait_for 5 closed a "$B" 6000
wait_for 5 pings a "$B" || fail "a reaches b"

kernel() { # of both nodes: routes, chains, sets, in order, without counters
	for _n in node1 node2; do
		echo "== $_n"
		in_lab $_n ip -4 route show table all | sed 's/ *$//' | sort
		in_lab $_n ip neigh show nud permanent | sort
		in_lab $_n iptables-legacy-save | sed '/^#/d; s/\[[0-9]*:[0-9]*\]//'
		in_lab $_n ipset save | sort
	done
}
as_it_was() { kernel >$W/now; diff -u $W/kernel $W/now; }
settled() { kernel >$W/kernel; [ "$(grep -c 'proto bird' $W/kernel)" = 4 ] && as_it_was; }
check "blocks are routed both ways" wait_for 5 settled
[ "$(grep -c 'cali:' $W/kernel)" -gt 100 ] && ok "there is something to lose" || fail "there is something to lose" "$(cat $W/kernel)"

# ---- traffic: a flood that says by its statistics what was lost, a stream that says it by its length
in_lab b socat -u TCP-LISTEN:5000,reuseaddr "OPEN:$W/received,creat,trunc" 2>$W/rx.err &
rx=$!
wait_for 5 sh -c "nsenter --net=$(netns_path b) ss -Hltn sport = :5000 | grep -q ."
( i=0; while [ ! -e $W/enough ]; do head -c 65536 /dev/zero; i=$((i + 1)); echo $i >$W/sent; sleep 0.01; done ) |
	in_lab a socat -u - "TCP:$B:5000" 2>$W/tx.err &
tx=$!
nsenter --net="$(netns_path a)" ping -n -q -f -w 100 "$B" >$W/ping 2>&1 &
flood=$!

# ---- one after the other
all_ready() {
	ready node1 typhad || return 1
	for _n in node1 node2; do
		for _d in noded felixd ipamd bgpd confd; do ready $_n $_d || { echo "$_d on $_n is not ready"; return 1; }; done
		lab exec $_n -- calicoctl node status | grep -q Established || return 1
	done
}
serial=0
for sig in KILL TERM; do
	for d in typhad felixd ipamd bgpd confd noded; do
		for n in node1 node2; do
			[ $d = typhad ] && [ $n = node2 ] && continue
			what="$d of $n, $sig"
			restart $n $d $sig
			check "$what: all are ready again" wait_for 15 all_ready || break 3
			check "$what: the kernel holds what it held" as_it_was
			serial=$((serial + 1))
			check "$what: the next pod is served" lab pod add $n "new$serial"
			pings "new$serial" "$(address c)" >/dev/null || fail "$what: the next pod is reached"
			check "$what: and goes" lab pod del "new$serial"
		done
	done
done
check "after all that, the kernel holds what it held" wait_for 5 as_it_was

kill -INT $flood; wait $flood
: >$W/enough
wait $tx; wait $rx
# shellcheck disable=SC2046
set -- $(sed -n 's/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 \2/p' $W/ping)
# The one that was under way when the flood was stopped does not count.
[ "${1:-0}" -gt 1000 ] && [ $(($1 - $2)) -le 1 ] && ok "not one ping of $1 is lost" || fail "not one ping is lost" "$(cat $W/ping)"
expect "the TCP stream is whole" "$(($(cat $W/sent) * 65536))" "$(stat -c %s $W/received)"

# ---- asked for while felixd is away
serve d 6000
D_=$(address d)
opened() { in_lab "$1" nc -z -n -w 1 "$2" "$3"; }
check "c reaches d" wait_for 5 opened c "$D_" 6000
end node2 felixd KILL
ctl apply -f - >$W/apply.out 2>&1 <<'Y' || fail "a policy is applied" "$(cat $W/apply.out)"
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: d, namespace: default}
spec:
  selector: app == 'd'
  types: [Ingress]
  ingress: [{action: Allow, protocol: ICMP}]
Y
check "a policy that is applied while felixd is away is not there yet" opened c "$D_" 6000
begin node2 felixd
check "... and holds when it is back" wait_for 10 closed c "$D_" 6000
check "... for all that it says" pings c "$D_"
end node2 felixd KILL
check "a pod is deleted while felixd is away" lab pod del d
begin node2 felixd
wait_for 10 ready node2 felixd
nothing_of_d() {
	[ "$(in_lab node2 ip route | grep -c "^$D_ ")" = 0 ] &&
		[ "$(in_lab node2 iptables-legacy-save | grep -c "cali$(printf default.d | sha1sum | cut -c1-11)")" = 0 ] &&
		[ "$(in_lab node2 ip neigh | grep -c "^$D_ ")" = 0 ] && ! in_lab node2 ipset save | grep -qw "$D_" && ! in_lab node1 ipset save | grep -qw "$D_"
}
check "... nothing in the kernel speaks of it when felixd is back" wait_for 10 nothing_of_d

# ---- typhad is away: an ADD says so at once, and leaves nothing
links() { in_lab node1 ip -o link show type veth | grep -c ': cali'; }
handles() { lab exec node1 -- calicoctl debug ipamd dump handles | grep -c '"handle"'; }
links_before=$(links) handles_before=$(handles)
end node1 typhad KILL
t=$(date +%s%N)
lab pod add node1 late >$W/add.out 2>&1 && fail "ADD without typhad"
took=$((($(date +%s%N) - t) / 1000000))
expect "an ADD without typhad is told to try again" 11 "$(sed -n "s/.*failed: //p" $W/add.out | jq -r .code)"
check "... and what is missing" grep -q 'typhad' $W/add.out
[ $took -lt 3000 ] && ok "... soon" || fail "... soon" "after $took ms"
expect "... no interface is left" "$links_before" "$(links)"
expect "... no address is left" "$handles_before" "$(handles)"
check "... traffic goes on" pings a "$B"
begin node1 typhad
again() { lab pod add node1 late; }
check "when typhad is back, so is ADD" wait_for 10 again
check "and DEL" lab pod del late
expect "endpoints are those that there are" "a b c" "$(ctl get workloadendpoints -A -o json | jq -r '.items[].spec.pod' | sort | xargs)"
check "the lab goes away" lab_down
