#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# felixd is killed and started again, again and again, under a flood of pings and a TCP stream: nothing in the kernel changes, felixd writes nothing, no packet is lost.
#
#      a 10.65.0.11 --calia-- h --calib-- 10.65.0.12 b
. "$(dirname "$0")/lib.sh"
. "$TOP/test/integration/felixd.inc"
A=10.65.0.11 B=10.65.0.12
RESTARTS=${RESTARTS:-5}
host
pod a $A; pod b $B
{ open_profile; wep a $A 'app: a'; wep b $B 'app: b'; cat <<E; } | apply
---
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: t, namespace: default}
spec:
  selector: app == 'b'
  types: [Ingress, Egress]
  ingress:
  - {action: Allow, protocol: TCP, source: {selector: app == 'a'}, destination: {ports: [5000, 80, "1000:1010"]}}
  - {action: Allow, protocol: ICMP, source: {nets: [$A/32, 192.0.2.0/24]}}
  egress: [{action: Allow}]
---
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: pods}
spec: {cidr: 10.65.0.0/16, natOutgoing: true, ipipMode: Never, vxlanMode: Never}
E
check "two endpoints reach the kernel" wait_for 10 up 2
opens "traffic flows" icmp a $B
kernel_state >$W/before
[ "$(grep -c 'cali:' $W/before)" -gt 60 ] && ok "there is something to lose" || fail "there is something to lose" "$(cat $W/before)"

# A stream that says by its length that nothing was lost, and a flood that says it by its statistics.
on b timeout 120 socat -u TCP-LISTEN:5000,reuseaddr OPEN:$W/received,creat,trunc 2>/dev/null &
rx=$!
# Port 5000 reaches the listener itself, not the server of all ports.
on b iptables-legacy -t nat -I PREROUTING -p tcp --dport 5000 -j ACCEPT
wait_for 5 sh -c "nsenter --net=/run/netns/b ss -ltn | grep -q :5000"
( i=0; while [ ! -e $W/enough ]; do head -c 65536 /dev/zero; i=$((i + 1)); echo $i >$W/sent; sleep 0.01; done ) |
	on a timeout 120 socat -u - TCP:$B:5000 &
tx=$!
on a ping -q -f -w 100 $B >$W/ping 2>&1 &
flood=$!

n=0
while [ $n -lt $RESTARTS ]; do
	stop h felixd KILL
	[ $n = 2 ] && sleep 1 # gone for a while
	start h felixd
	wait_for 10 up 2 || { fail "felixd is ready after kill $((n + 1))"; break; }
	expect "restart $((n + 1)): no write to iptables" 0 "$(counter iptables_writes)"
	expect "restart $((n + 1)): no write to IP sets" 0 "$(counter ipset_requests)"
	expect "restart $((n + 1)): no write of routes and neighbours" 0 "$(counter route_requests)"
	n=$((n + 1))
done
kernel_state >$W/after
check "the kernel holds what it held" diff -u $W/before $W/after

stop h felixd
kernel_state >$W/after
check "a clean end leaves everything in place" diff -u $W/before $W/after
start h felixd
wait_for 10 up 2

check "the flood went on all the time" kill -0 $flood
kill -INT "$(pgrep -x ping)" # a PID namespace of our own: there is no other
wait $flood
: >$W/enough
wait $tx; wait $rx
lost=$(sed -n 's/.* \([0-9]*\) packets transmitted, .*/\1/p; s/^\([0-9]*\) packets transmitted, \([0-9]*\) received.*/\1 \2/p' $W/ping)
set -- $lost
[ "$1" -gt 1000 ] && [ $(($1 - $2)) -le 1 ] && ok "not one ping of $1 is lost" || fail "no ping is lost" "$(cat $W/ping)"
expect "the TCP stream is whole" $(($(cat $W/sent) * 65536)) "$(stat -c %s $W/received)"

# Objects that vanish while felixd is away are noticed when it is back.
stop h felixd KILL
ctl delete networkpolicy t -n default >/dev/null
ctl delete workloadendpoint h-k8s-a-eth0 -n default >/dev/null
start h felixd
gone() { ! chains | grep -qE 'cali-pi-|calia' && [ "$(sets | grep -c 'cali40s[:-]')" = 0 ]; }
check "chains and sets of what was deleted meanwhile are gone" wait_for 10 gone
route_gone() { [ -z "$(ip -n h route show $A)" ]; }
check "... and routes, after a grace time" wait_for 15 route_gone
expect "what remains is there" 1 "$(counter kernel_endpoints_up)"
