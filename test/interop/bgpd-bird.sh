#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# bgpd and BIRD 2: sessions of both kinds, routes both ways into both kernels, a restart on each side that moves no route.
#
#     a (bgpd, AS 64512) --- b (bird, AS 64512: internal)
#     a                  --- c (bird, AS 65001: external)
. "$(dirname "$0")/../integration/lib.sh"
command -v bird > /dev/null || { skip "BIRD" "bird2 is not installed"; exit 0; }
client() { on "$1" "$BUILD/test/integration/bgpd_client" "${@:2}"; }
see() { if wait_for 20 "${@:2}"; then ok "$1"; else fail "$1"; fi; }

node a; node b; node c
wire a b 10.0.1.0/30; wire a c 10.0.2.0/30
cat > $W/a.conf <<'END'
router-id 10.0.0.1;
local-as 64512;
network 10.65.0.0/26 blackhole;
network 10.65.0.64/26;
graceful-restart { restart-time 60; stale-time 30; }
timers { hold 9; }
peer b { address 10.0.1.2; remote-as 64512; }
peer c { address 10.0.2.2; remote-as 65001; }
END
bird_conf() { # node id as neighbour routes...
	cat <<-END
	log "$W/$1.bird.log" all;
	router id $2;
	protocol device { scan time 1; }
	protocol direct { ipv4; }
	protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; persist; graceful restart; scan time 1; learn off; }
	protocol static { ipv4; $5 }
	template bgp t {
		local as $3;
		graceful restart on;
		connect delay time 1; connect retry time 2; error wait time 1,5;
		ipv4 { import all; export where source = RTS_STATIC || source = RTS_BGP; $6 };
	}
	protocol bgp a from t { neighbor $4 as 64512; }
	END
}
bird_conf b 10.0.0.2 64512 10.0.1.1 'route 10.66.0.0/26 blackhole; route 10.66.0.64/26 blackhole;' 'next hop self;' > $W/b.conf
bird_conf c 10.0.0.3 65001 10.0.2.1 'route 10.67.0.0/26 blackhole;' '' > $W/c.conf
bird_up() {
	nsenter --net="/run/netns/$1" bird -f -c "$W/$1.conf" -s "$W/$1.ctl" ${2:-} >> "$W/$1.birdout.log" 2>&1 &
	echo $! > "$W/$1.bird.pid"
}
start a bgpd --config $W/a.conf --log-level debug
bird_up b; bird_up c
established() { [ "$(client a peers | grep -c ' Established ')" = 2 ]; }
has() { on "$1" ip route show "${@:2}" | grep -q .; }
gone() { ! has "$@"; }
see "both sessions are established" established
established || exit 1
see "internal: b's route is in a's kernel" has a 10.66.0.64/26 via 10.0.1.2 proto bird
see "external: c's route is in a's kernel" has a 10.67.0.0/26 via 10.0.2.2 proto bird
see "a's network is in b's kernel" has b 10.65.0.0/26 via 10.0.1.1
see "a's network is in c's kernel" has c 10.65.0.64/26 via 10.0.2.1
see "b's route goes through a to c" has c 10.66.0.0/26 via 10.0.2.1
see "c's route goes through a to b" has b 10.67.0.0/26
attr() { birdc -s "$W/$1.ctl" show route all "$2" 2>&1 | sed -n "s/^\s*BGP.$3: //p"; }
expect "LOCAL_PREF of a node's own route" 2147482623 "$(attr b 10.65.0.0/26 local_pref)"
expect "AS_PATH to an external peer" 64512 "$(attr c 10.65.0.0/26 as_path)"
expect "... and of a route that was passed on" "64512" "$(attr c 10.66.0.0/26 as_path)"
expect "next hop of an internal route" 10.0.1.1 "$(attr b 10.65.0.0/26 next_hop)"
expect "next hop of an external route passed on inside" 10.0.2.2 "$(attr b 10.67.0.0/26 next_hop)"
expect "metric of a route with LOCAL_PREF 100" "10.66.0.0/26 via 10.0.1.2 dev b proto bird metric 2147483547 " "$(on a ip route show 10.66.0.0/26)"

sed -i 's|route 10.66.0.64/26 blackhole;||' $W/b.conf
birdc -s $W/b.ctl configure > /dev/null
see "a withdrawn route leaves" gone a 10.66.0.64/26
on a ip route show proto bird | sort > $W/a.before
on b ip route show | grep 'via 10.0.1.1' | sort > $W/b.before
on c ip route show | grep 'via 10.0.2.1' | sort > $W/c.before

watched() { # name command...: nothing of protocol bird moves in any kernel meanwhile
	_what=$1; shift
	for _k in a b c; do on $_k ip monitor route > $W/$_k.monitor & echo $! > $W/$_k.monitor.pid; done
	"$@"
	for _k in a b c; do kill "$(cat $W/$_k.monitor.pid)"; done
	for _k in a b c; do expect "$_what: no route moved on $_k" "" "$(grep 'proto bird' $W/$_k.monitor)"; done
}
# ... and has said End-of-RIB: a second restart before that would, by RFC 4724, cost the routes at the peer
settled() { established && ! client a routes | grep -q stale && ! client a peers | grep -q ' 0$'; }
restart_a() {
	stop a bgpd "$1"
	start a bgpd --config $W/a.conf --log-level debug
	see "bgpd restarts ($1)" established
	see "... and has everything again" settled
	see "... and BIRD has everything again" bird_settled
}
bird_settled() { for _n in b c; do birdc -s $W/$_n.ctl show protocols all a | grep -q 'State: *UP' || return 1; birdc -s $W/$_n.ctl show protocols all a | grep -q '[1-9][0-9]* imported' || return 1; done; }
watched "bgpd stops (TERM)" restart_a TERM
watched "bgpd is killed" restart_a KILL
restart_bird() {
	kill -KILL "$(cat $W/$1.bird.pid)"; wait "$(cat $W/$1.bird.pid)" 2> /dev/null
	down() { ! established; }
	see "a notices that bird on $1 is gone" down
	client a routes | grep -q " $1 .* stale" && ok "a keeps its routes" || fail "a keeps its routes" "$(client a routes)"
	bird_up $1 -R
	see "bird on $1 restarts" established
	see "... and nothing is stale" settled
}
watched "bird b is killed" restart_bird b
watched "bird c is killed" restart_bird c
expect "a's kernel is as before" "$(cat $W/a.before)" "$(on a ip route show proto bird | sort)"

# A shutdown that is meant takes the routes with it.
birdc -s $W/b.ctl disable a > /dev/null
see "a Cease ends the routes" gone a 10.66.0.0/26
client a peers | grep '^b ' > $W/peers
birdc -s $W/b.ctl enable a > /dev/null
see "... and they return" has a 10.66.0.0/26
# The peer dies for good: its routes go when the restart time it asked for is over, and the hold timer works without a FIN.
on b ip link set dev a down
see "hold timer" grep -q 'hold timer expired' $W/a.bgpd.log
stop a bgpd
has a 10.67.0.0/26 && ok "bgpd leaves the kernel's routes when it stops" || fail "bgpd leaves the kernel's routes when it stops"
kill "$(cat $W/b.bird.pid)" "$(cat $W/c.bird.pid)"
