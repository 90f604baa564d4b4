#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What the CNI plugin is told: an answer comes when the kernel has it, and not before; and what becomes of an endpoint that both the plugin
# and the datastore speak of.
#
#      pod p 10.65.0.15 --calip-- h
. "$(dirname "$0")/lib.sh"
. "$TOP/test/integration/felixd.inc"

client() { "$BUILD/test/integration/felixd_client" /run/n/h "$@"; }
# json NODE INTERFACE CONTAINER
json() {
	printf '{"metadata":{"labels":{"app":"p"}},"spec":{"orchestrator":"k8s","node":"%s","containerID":"%s","pod":"p","endpoint":"eth0","ipNetworks":["10.65.0.15/32"],"mac":"02:00:00:00:00:15","profiles":["open"],"interfaceName":"%s"}}' "$1" "$3" "$2"
}
program() { client program default p "$1" "$2" "$(json h calip "${3:-c1}")"; } # REVISION DEADLINE_MS [CONTAINER]
route() { [ "$(on h ip route show 10.65.0.15)" != '' ]; }
noroute() { ! route; }
chain() { on h iptables-legacy -S cali-tw-calip; }
ready() { [ "$(ctl debug felixd health | jq -r .ready)" = "$1" ]; }

node h
start h felixd
wait_for 10 listening /run/n/h/felixd/api.sock || fail "felixd starts without a datastore"

# ---- before the datastore was seen
expect "before the datastore was seen: not ready" "error 3" "$(program 1 1000 | cut -d: -f1)"
expect "nor for a removal" "error 3" "$(client remove default p 1000 | cut -d: -f1)"
check "felixd says so" ready false
start h typhad --datastore-path "$W/ds/datastore.db"
check "and is ready once it was" wait_for 10 ready true
open_profile | apply

# ---- requests that make no sense
expect "bytes that are no endpoint" "error 1" "$(client program default p 1 500 - | cut -d: -f1)"
expect "another node's endpoint" "error 1" "$(client program default p 1 500 "$(json other calip c1)" | cut -d: -f1)"
expect "an interface that cannot be" "error 1" "$(client program default p 1 500 "$(json h ../x c1)" | cut -d: -f1)"
expect "an endpoint without a name" "error 1" "$(client program default '' 1 500 "$(json h calip c1)" | cut -d: -f1)"
expect "a request of the future" "error 1" "$(client unknown | cut -d: -f1)"

# ---- an answer means: in the kernel
expect "no interface: the deadline passes" "error 2" "$(program 1000 300 | cut -d: -f1)"
pod p 10.65.0.15
check "felixd went on trying" wait_for 5 route
expect "asked again, it is there" done "$(program 1001 5000)"
expect "and gone" done "$(client remove default p 5000)"
check "its route with it" noroute
i=0 bad=
while [ $i -lt 20 ]; do
	i=$((i + 1))
	[ "$(program $((2000 + i)) 5000)" = done ] || bad="$bad program:$i"
	route && chain >/dev/null || bad="$bad notthere:$i"
	[ "$(client remove default p 5000)" = done ] || bad="$bad remove:$i"
	noroute || bad="$bad stillthere:$i"
done
expect "twenty times: there when it says so, gone when it says so" '' "$bad"
expect "removing what is not there" done "$(client remove default p 1000)"

# ---- whose endpoint it is
expect "programmed for c2" done "$(program 3000 5000 c2)"
expect "c1's removal comes late: done" done "$(client remove default p 5000 c1)"
check "... and c2 keeps it" route
expect "c2's own removal" done "$(client remove default p 5000 c2)"
check "... takes it away" noroute

# ---- the datastore's copy
wep p 10.65.0.15 'app: p' | apply
check "from the datastore alone" wait_for 5 route
expect "the plugin takes it away" done "$(client remove default h-k8s-p-eth0 5000)"
check "... though the datastore still has it" noroute
wep p 10.65.0.15 'app: q' | apply
check "what is written later counts again" wait_for 5 route
ctl delete workloadendpoint h-k8s-p-eth0 -n default >/dev/null
check "and its deletion" wait_for 5 noroute

# ---- clients that go, and requests that overtake each other
i=0
while [ $i -lt 10 ]; do i=$((i + 1)); client abandon default gone$i 1 "$(json h calinone c9)"; done
expect "who hangs up is forgotten" done "$(program 4000 5000)"
i=0
while [ $i -lt 10 ]; do i=$((i + 1)); client remove default gone$i 1000 >/dev/null; done
expect "and removed" done "$(client remove default p 5000)"
expect "a hundred requests in flight are all answered" done "$(client churn 50 "$(json h calip c1)")"
check "the last word was: gone" noroute

# ---- the datastore away
expect "there" done "$(program 5000 5000)"
stop h typhad
check "not ready without the datastore" wait_for 5 ready false
check "the kernel keeps what it has" route
pod q 10.65.0.16
expect "and endpoints still come" done "$(client program default q 5001 5000 "$(json h caliq c1 | sed 's/0\.15/0.16/')")"
check "... into the kernel" on h ip route get 10.65.0.16
expect "and go" done "$(client remove default q 5000)"
start h typhad --datastore-path "$W/ds/datastore.db"
check "ready again when it is back" wait_for 10 ready true
check "and nothing has moved" route
stop h felixd
check "the route outlives felixd" route
