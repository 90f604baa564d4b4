#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# bgpd and GoBGP: sessions of both kinds, routes both ways, communities and AS numbers beyond 65535, a restart on each side.
#
#     a (bgpd, AS 64512) --- b (gobgpd, AS 64512: internal)
#     a                  --- c (gobgpd, AS 4200000001: external)
. "$(dirname "$0")/../integration/lib.sh"
command -v gobgpd > /dev/null || { skip "GoBGP" "gobgpd is not installed"; exit 0; }
client() { on "$1" "$BUILD/test/integration/bgpd_client" "${@:2}"; }
see() { if wait_for 20 "${@:2}"; then ok "$1"; else fail "$1"; fi; }
gobgp() { on "$1" gobgp "${@:2}"; }

node a; node b; node c
wire a b 10.0.1.0/30; wire a c 10.0.2.0/30
cat > $W/a.conf <<'END'
router-id 10.0.0.1;
local-as 64512;
network 10.65.0.0/26 blackhole;
graceful-restart { restart-time 60; stale-time 30; }
timers { hold 9; }
peer b { address 10.0.1.2; remote-as 64512; }
peer c { address 10.0.2.2; remote-as 4200000001; }
END
gobgp_conf() { # id as neighbour
	cat <<-END
	[global.config]
	  as = $2
	  router-id = "$1"
	[[neighbors]]
	  [neighbors.config]
	    neighbor-address = "$3"
	    peer-as = 64512
	  [neighbors.timers.config]
	    connect-retry = 5
	    hold-time = 9
	    keepalive-interval = 3
	  [neighbors.graceful-restart.config]
	    enabled = true
	    restart-time = 60
	  [[neighbors.afi-safis]]
	    [neighbors.afi-safis.config]
	      afi-safi-name = "ipv4-unicast"
	    [neighbors.afi-safis.mp-graceful-restart.config]
	      enabled = true
	END
}
gobgp_conf 10.0.0.2 64512 10.0.1.1 > $W/b.toml
gobgp_conf 10.0.0.3 4200000001 10.0.2.1 > $W/c.toml
gobgp_up() {
	nsenter --net="/run/netns/$1" gobgpd -f "$W/$1.toml" ${2:-} >> "$W/$1.gobgpd.log" 2>&1 &
	echo $! > "$W/$1.gobgpd.pid"
}
announce() {
	for _i in 1 2 3 4 5 6 7 8 9 10; do
		gobgp "$@" > "$W/announce.out" 2>&1 && return 0
		sleep 0.2
	done
	fail "gobgp ${*}" "$(cat "$W/announce.out")"
}
announce_b() {
	announce b global rib add 10.66.0.0/26 community 65001:7 med 5 nexthop 10.0.1.2
	announce b global rib add 10.66.0.64/26 nexthop 10.0.1.2
}
announce_c() { announce c global rib add 10.67.0.0/26 nexthop 10.0.2.2 aspath 4200000002; }
start a bgpd --config $W/a.conf --log-level debug
gobgp_up b; gobgp_up c
announce_b; announce_c
established() { [ "$(client a peers | grep -c ' Established ')" = 2 ]; }
see "both sessions are established" established
established || exit 1
has() { on "$1" ip route show "${@:2}" | grep -q .; }
gone() { ! has "$@"; }
rib() { gobgp "$1" global rib 2> /dev/null | grep -F "$2"; }
see "internal: b's route is in a's kernel" has a 10.66.0.64/26 via 10.0.1.2 proto bird
see "external: c's route is in a's kernel" has a 10.67.0.0/26 via 10.0.2.2 proto bird
see "a's network is at b" rib b 10.65.0.0/26
see "a's network is at c" rib c 10.65.0.0/26
see "b's route goes through a to c" rib c 10.66.0.0/26
see "c's route goes through a to b" rib b 10.67.0.0/26
words() { rib "$1" "$2" | tr -s ' '; }
check "AS_PATH at c" sh -c "case '$(words c 10.66.0.0/26)' in *' 10.0.2.1 64512 '*) ;; *) echo '$(words c 10.66.0.0/26)'; false ;; esac"
check "AS numbers of four octets" sh -c "case '$(words b 10.67.0.0/26)' in *' 4200000001 4200000002 '*) ;; *) echo '$(words b 10.67.0.0/26)'; false ;; esac"
check "communities go through" sh -c "case '$(words c 10.66.0.0/26)' in *'{Communities: 65001:7}'*) ;; *) echo '$(words c 10.66.0.0/26)'; false ;; esac"
check "MED does not" sh -c "case '$(words c 10.66.0.0/26)' in *Med*) echo '$(words c 10.66.0.0/26)'; false ;; *) ;; esac"
gobgp b global rib del 10.66.0.64/26
see "a withdrawn route leaves" gone a 10.66.0.64/26
announce b global rib add 10.66.0.64/26 nexthop 10.0.1.2
see "... and returns" has a 10.66.0.64/26
check "route refresh" gobgp b neighbor 10.0.1.1 softresetin
see "... is answered" rib b 10.65.0.0/26

settled() { established && ! client a routes | grep -q stale && ! client a peers | grep -q ' 0$'; }
received() { [ "$(client a peers | awk '{ n += $4 } END { print n }')" = 3 ]; }
see "a has three routes of its peers" received
on a ip route show proto bird | sort > $W/a.before
for signal in TERM KILL; do
	on a ip monitor route > $W/a.monitor & m=$!
	stop a bgpd $signal
	rib b 10.65.0.0/26 > $W/stale && rib c 10.66.0.0/26 >> $W/stale && ok "$signal: GoBGP keeps a's routes" || fail "$signal: GoBGP keeps a's routes" "$(gobgp c global rib)"
	start a bgpd --config $W/a.conf --log-level debug
	see "$signal: bgpd is back" established
	see "$signal: ... with everything" settled
	see "$signal: ... from both" received
	kill $m
	expect "$signal: no route moved in a's kernel" "" "$(grep 'proto bird' $W/a.monitor)"
	# GoBGP refuses connections for a while after a session ended; the next round begins when both are steady.
	see "$signal: GoBGP has a's network" rib b 10.65.0.0/26
done
on a ip monitor route > $W/a.monitor & m=$!
kill -KILL "$(cat $W/b.gobgpd.pid)"
down() { ! established; }
see "a notices that gobgpd is gone" down
client a routes | grep -q '10.66.0.0/26 b .* stale' && ok "a keeps its routes" || fail "a keeps its routes" "$(client a routes)"
# gobgpd forgets its routes and says End-of-RIB as soon as a session is up: it has no session before it has its routes again.
doors() { on b iptables "$1" INPUT -p tcp --dport 179 -j REJECT --reject-with tcp-reset; on b iptables "$1" OUTPUT -p tcp --dport 179 -j DROP; }
doors -A
gobgp_up b -r
announce_b
doors -D
see "gobgpd restarts" established
see "... and nothing is stale" settled
kill $m
expect "no route moved in a's kernel" "" "$(grep 'proto bird' $W/a.monitor)"
expect "a's kernel is as before" "$(cat $W/a.before)" "$(on a ip route show proto bird | sort)"
gobgp b neighbor 10.0.1.1 shutdown bye > /dev/null
see "a Cease ends the routes" gone a 10.66.0.0/26
stop a bgpd
kill "$(cat $W/b.gobgpd.pid)" "$(cat $W/c.gobgpd.pid)"
