#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Both sides dial at the same moment, again and again: one session, and it stays. Then: a configuration that comes late, a listening port
# that moves, an external peer, import policies that change, IPv6 routes, a node that has just booted.
#
#     a 10.0.1.1 --- 10.0.1.2 b
. "$(dirname "$0")/lib.sh"
client() { on "$1" "$BUILD/test/integration/bgpd_client" "${@:2}"; }
see() { if wait_for 15 "${@:2}"; then ok "$1"; else fail "$1"; fi; }
has() { on "$1" ip route show "${@:2}" | grep -q .; }
gone() { ! has "$@"; }
up() { client "$1" peers | grep -q ' Established '; }
node a; node b
wire a b 10.0.1.0/30
conf() { # router id, AS, peer address, peer AS, more
	printf 'router-id %s;\nlocal-as %s;\npeer other { address %s; remote-as %s; %s }\n' "$1" "$2" "$3" "$4" "${5:-}"
	shift 5
	for _line; do echo "$_line"; done
}
for round in 1 2 3 4; do
	# Both orders of the identifiers.
	conf 10.0.0.$((round % 2 * 2 + 1)) 64512 10.0.1.2 64512 '' 'network 10.65.0.0/26;' > $W/a.conf
	conf 10.0.0.2 64512 10.0.1.1 64512 '' 'network 10.65.0.64/26;' > $W/b.conf
	# A cable that was out: both find each other in the same moment.
	on b ip link set dev a down
	start a bgpd --config $W/a.conf --log-level debug
	start b bgpd --config $W/b.conf --log-level debug
	wait_for 5 listening /run/n/a/bgpd/api.sock; wait_for 5 listening /run/n/b/bgpd/api.sock
	on b ip link set dev a up
	wait_for 15 up a && wait_for 15 up b || { fail "round $round: established"; break; }
	wait_for 15 has a 10.65.0.64/26 || fail "round $round: routes"
	sleep 0.3
	[ "$(grep -c 'peer down' $W/a.bgpd.log)" = 0 ] && [ "$(grep -c 'peer down' $W/b.bgpd.log)" = 0 ] || { fail "round $round: a session that was up went down"; break; }
	stop a bgpd; stop b bgpd
	: > $W/a.bgpd.log; : > $W/b.bgpd.log
	on a ip route flush proto bird; on b ip route flush proto bird
done
[ $failed = 0 ] && ok "four simultaneous openings: one session each, none went down"

# The collision itself, step by step: a dials b and is dialled by it before the first OPEN is answered.
for id in 10.0.0.1 10.0.0.200; do
	conf $id 64512 10.0.1.2 65001 'timers { connect-retry 1; }' > $W/a.conf
	start a bgpd --config $W/a.conf --log-level debug
	for first in theirs ours; do
		expect "a is $id, b is 10.0.0.99, first OPEN on $first: the higher one's survives" \
			"$([ $id = 10.0.0.1 ] && echo 'ours: 6/7, theirs: up' || echo 'ours: up, theirs: 6/7')" \
			"$(on b timeout 20 python3 test/integration/bgpd-collide.py collide $first 2>&1)"
	done
	expect "a crossing connection loses against the established one" "first: up, second: 6/7" \
		"$(on b timeout 20 python3 test/integration/bgpd-collide.py established 2>&1)"
	expect "a peer that says it restarted replaces its session" "first: closed, second: up" \
		"$(on b timeout 20 python3 test/integration/bgpd-collide.py restarted 2>&1)"
	stop a bgpd; rm -f $W/a.bgpd.log
done

# The configuration comes after the daemon.
rm -f $W/a.conf $W/b.conf
start a bgpd --config $W/a.conf; start b bgpd --config $W/b.conf
wait_for 5 listening /run/n/a/bgpd/api.sock; wait_for 5 listening /run/n/b/bgpd/api.sock
expect "no file yet" "" "$(client a peers)"
conf 10.0.0.1 64512 10.0.1.2 65001 '' 'network 10.65.0.0/26;' 'network 10.66.0.0/26 blackhole;' > $W/a.conf
conf 10.0.0.2 65001 10.0.1.1 64512 '' 'network 10.65.0.64/26;' 'network 10.65.1.0/24;' > $W/b.conf
check "a's file is loaded" client a load $W/a.conf
check "b's file is loaded" client b load $W/b.conf
see "an external session" up a
see "its routes" has a 10.65.1.0/24 via 10.0.1.2 proto bird
expect "AS_PATH" "10.65.1.0/24 other 10.0.1.2 100 best - 65001" "$(client a routes | grep 10.65.1.0)"
expect "an advertise-only network is not in the kernel" "" "$(on a ip route show 10.65.0.0/26)"

# Import policies: no session moves, routes do.
since() { client a peers | cut -d' ' -f1-3; grep -c 'peer established' $W/a.bgpd.log; }
was=$(since)
conf 10.0.0.1 64512 10.0.1.2 65001 'import some;' 'prefix-list l { 10.65.0.64/26; }' 'policy some { accept prefix l local-preference 500; }' 'network 10.65.0.0/26;' > $W/a.conf
kill -HUP "$(pid_of a bgpd)"
see "a route that is no longer wanted leaves" gone a 10.65.1.0/24
set_lp() { client a routes | grep -q '^10.65.0.64/26 other 10.0.1.2 500 best'; }
see "LOCAL_PREF is set" set_lp
see "the kernel's metric follows" has a 10.65.0.64/26 metric $((2147483647 - 500))
see "a network that is no longer announced leaves" gone a 10.66.0.0/26
see "... at the peer too" gone b 10.66.0.0/26
expect "the session stayed" "$was" "$(since)"
conf 10.0.0.1 64512 10.0.1.2 65001 'export none;' 'network 10.65.0.0/26;' > $W/a.conf
kill -HUP "$(pid_of a bgpd)"
see "what was refused comes back by route refresh" has a 10.65.1.0/24
see "what is no longer exported leaves" gone b 10.65.0.0/26
expect "the session stayed again" "$was" "$(since)"

# The port moves under way; a port that is taken is refused and everything goes on.
nsenter --net=/run/netns/a socat TCP-LISTEN:2179,bind=10.0.1.1,fork /dev/null & s=$!
taken() { on a ss -Hltn "sport = :2179" | grep -q .; }
wait_for 5 taken
conf 10.0.0.1 64512 10.0.1.2 65001 '' 'listen { address 10.0.1.1; port 2179; }' 'network 10.65.0.0/26;' > $W/a.conf
expect "a taken port is refused" "listen on 10.0.1.1 port 2179: address already in use" "$(client a load $W/a.conf)"
expect "... and the session stayed" "$was" "$(since)"
kill $s
free_() { ! taken; }
wait_for 5 free_
check "a free port is taken" client a load $W/a.conf
expect "... and the old one is free" "2179" "$(on a ss -Hltn | awk '{ sub(".*:", "", $4); print $4 }')"
expect "... and the session stayed" "$was" "$(since)"

# IPv6 routes over the same session.
on a ip -6 addr add 2001:db8::1/64 dev b nodad; on b ip -6 addr add 2001:db8::2/64 dev a nodad
printf 'router-id 10.0.0.1; local-as 64512; peer six { address 2001:db8::2; remote-as 65001; families ipv4 ipv6; }\nnetwork 2001:db8:a::/48 blackhole;' > $W/a.conf
printf 'router-id 10.0.0.2; local-as 65001; peer six { address 2001:db8::1; remote-as 64512; families ipv4 ipv6; }\nnetwork 2001:db8:b::/48;' > $W/b.conf
check "a peer of family IPv6" client a load $W/a.conf; check "... on both sides" client b load $W/b.conf
see "IPv6 session" up a
has6() { on "$1" ip -6 route show "${@:2}" | grep -q .; }
see "IPv6 route" has6 a 2001:db8:b::/48 via 2001:db8::2 proto bird
see "... and the other way" has6 b 2001:db8:a::/48 via 2001:db8::1 proto bird
expect "IPv6 blackhole" "blackhole 2001:db8:a::/48 dev lo proto bird metric 1024 pref medium" "$(on a ip -6 route show 2001:db8:a::/48 | sed 's/ *$//')"
before=$(client a peers; on a ip -6 route show proto bird)
stop a bgpd KILL
start a bgpd --config $W/a.conf
see "a restarts" up a
fresh() { ! client a routes | grep -q stale && [ "$(client a peers; on a ip -6 route show proto bird)" = "$before" ]; }
see "... to the same" fresh

# A node that has just booted has nothing in the kernel: its peer must not believe the old routes.
stop a bgpd KILL
on a ip -6 route flush proto bird
sed -i '/network/d' $W/a.conf
start a bgpd --config $W/a.conf
see "a is back from a boot" up a
gone6() { ! has6 "$@"; }
see "what it no longer has is gone at once" gone6 b 2001:db8:a::/48
stop a bgpd; stop b bgpd
