#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Three nodes in an iBGP full mesh, each with a block: routes reach every kernel, a restart (TERM and KILL) of one bgpd moves no packet and no
# route, what somebody deletes comes back, and a reload changes only what it names.
#
#     a 10.0.1.1 --- 10.0.1.2 b       a's block 10.65.0.0/26, b's 10.65.0.64/26, c's 10.65.0.128/26
#     a 10.0.2.1 --- 10.0.2.2 c       b 10.0.3.1 --- 10.0.3.2 c
. "$(dirname "$0")/lib.sh"
see() { if wait_for 10 "${@:2}"; then ok "$1"; else fail "$1"; fi; } # NAME COMMAND...: within ten seconds
client() { on "$1" "$BUILD/test/integration/bgpd_client" "${@:2}"; }

node a; node b; node c
wire a b 10.0.1.0/30; wire a c 10.0.2.0/30; wire b c 10.0.3.0/30

conf() { # node id block peers...
	cat <<-END
	router-id $2;
	local-as 64512;
	network $3 blackhole;
	prefix-list pool { 10.65.0.0/16 or-longer; }
	prefix-list block { $3 exact; }
	prefix-list inside { $3 longer; }
	policy out { accept prefix block; reject prefix inside; accept prefix pool; }
	kernel { learn out; }
	group mesh { remote-as 64512; export out; }
	END
	shift 3
	while [ $# -gt 0 ]; do
		echo "peer $1 { group mesh; address $2; $3 }"
		shift 3
	done
}
conf a 10.0.0.1 10.65.0.0/26 b 10.0.1.2 'passive;' c 10.0.2.2 'passive;' > $W/a.conf
conf b 10.0.0.2 10.65.0.64/26 a 10.0.1.1 '' c 10.0.3.2 '' > $W/b.conf
conf c 10.0.0.3 10.65.0.128/26 a 10.0.2.1 '' b 10.0.3.1 '' > $W/c.conf
# An address in each block that answers: a pod's /32 is in the node itself.
on a ip addr add 10.65.0.1/32 dev lo; on b ip addr add 10.65.0.65/32 dev lo; on c ip addr add 10.65.0.129/32 dev lo

run() { start "$1" bgpd --config "$W/$1.conf" --log-level debug; }
run a; run b; run c
established() { [ "$(client "$1" peers | grep -c ' Established ')" = "$2" ]; }
has() { on "$1" ip route show "${@:2}" | grep -q .; }
for n in a b c; do wait_for 10 established $n 2 || fail "$n has two sessions"; done
ok "full mesh is established"
see "b's block is in a's kernel" has a 10.65.0.64/26 proto bird
see "a's block is in c's kernel" has c 10.65.0.0/26 proto bird
see "c's block is in b's kernel" has b 10.65.0.128/26 proto bird
expect "learned route" "10.65.0.64/26 via 10.0.1.2 dev b proto bird metric 1024 " "$(on a ip route show 10.65.0.64/26)"
expect "blackhole for the own block" "blackhole 10.65.0.0/26 proto bird " "$(on a ip route show 10.65.0.0/26)"
check "a pings b's block" on a ping -c1 -W2 -I 10.65.0.1 10.65.0.65

# Pods' own routes are covered by the block; a borrowed address is announced by itself.
on a ip route add 10.65.0.9/32 dev lo proto boot metric 1024
on a ip route add 10.65.0.70/32 dev lo proto boot metric 1024
see "a borrowed address is announced as a /32" has c 10.65.0.70/32 proto bird
expect "a pod inside the block is not announced" "" "$(on c ip route show 10.65.0.9/32)"
on a ip route del 10.65.0.70/32 dev lo
gone() { ! has "$@"; }
see "... and leaves with the pod" gone c 10.65.0.70/32

# Somebody deletes our route, or replaces it.
on c ip route del 10.65.0.0/26
see "a deleted route comes back" has c 10.65.0.0/26 proto bird
on c ip route del blackhole 10.65.0.128/26
see "a deleted blackhole comes back" has c type blackhole 10.65.0.128/26
on c ip route replace 10.65.0.0/26 via 10.0.3.1 proto bird metric 1024
right() { on c ip route show 10.65.0.0/26 | grep -q 'via 10.0.2.1 '; }
see "a changed route is put right" right
on c ip link set dev a down
see "routes leave with their link" gone c 10.65.0.0/26 via 10.0.2.1
on c ip link set dev a up
see "routes come back with their link" right
on c ip route add 10.65.7.0/24 via 10.0.3.1 proto static
expect "a foreign route stays" "10.65.7.0/24 via 10.0.3.1 dev b proto static " "$(on c ip route show 10.65.7.0/24)"
wait_for 10 established c 2
# Somebody else's route where ours would be: it stays, and ours takes its place when it goes.
on a ip route add unreachable 10.65.3.0/24 proto static metric 1024
on b ip route add 10.65.3.0/24 dev lo proto boot metric 1024
told_of() { client a routes | grep -q "^10.65.3.0/24 b "; }
see "a hears of a route that is somebody else's in its kernel" told_of
expect "... which stays" "unreachable 10.65.3.0/24 proto static metric 1024 " "$(on a ip route show 10.65.3.0/24)"
on a ip route del unreachable 10.65.3.0/24 proto static
see "... until it goes" has a 10.65.3.0/24 proto bird
on b ip route del 10.65.3.0/24
see "a route learned from the kernel leaves" gone a 10.65.3.0/24

# Restarts. A flood runs through the learned routes; monitors watch the kernels.
for signal in TERM KILL; do
	on a ip monitor route > $W/a.monitor & ma=$!
	on b ip monitor route > $W/b.monitor & mb=$!
	on a ping -q -i 0.01 -c 400 -I 10.65.0.1 10.65.0.65 > $W/ping.$signal & flood=$!
	wait_for 5 grep -q . $W/ping.$signal
	stop b bgpd $signal
	has b 10.65.0.0/26 proto bird && ok "$signal: b's routes stay while it is away" || fail "$signal: b's routes stay while it is away"
	client a routes | grep -q '^10.65.0.64/26 b .* stale' && ok "$signal: a keeps b's route as stale" || fail "$signal: a keeps b's route as stale" "$(client a routes)"
	run b
	see "$signal: sessions are back" established b 2
	told() { ! client b peers | grep -q ' 0$'; }
	see "$signal: b has said what it knows" told
	fresh() { ! client "$1" routes | grep -q ' stale '; }
	see "$signal: nothing is stale on a" fresh a; see "$signal: nothing is stale on c" fresh c
	wait $flood
	kill $ma $mb
	expect "$signal: no packet was lost" "400 packets transmitted, 400 received, 0% packet loss" "$(grep -o '.*packet loss' $W/ping.$signal)"
	expect "$signal: no route moved" "" "$(grep -h 'proto bird' $W/a.monitor $W/b.monitor)"
done

# A reload.
before=$(client a peers | wc -l)
sed -i 's/^network .*/&\nnetwork 10.65.1.0\/26 blackhole;/' $W/a.conf
printf 'peer new { group mesh; address 10.0.9.9; passive; }\n' >> $W/a.conf
kill -HUP "$(pid_of a bgpd)"
see "a reloaded network is announced" has b 10.65.1.0/26 proto bird
expect "the new peer is there" "$((before + 1))" "$(client a peers | wc -l)"
expect "and the sessions stayed up" 0 "$(grep -c 'peer down' <(tail -n +"$(grep -n 'configuration loaded' $W/a.bgpd.log | tail -1 | cut -d: -f1)" $W/a.bgpd.log))"
echo 'nonsense;' > $W/bad.conf
expect "a bad file is refused with its line" "$W/bad.conf: line 1: 'nonsense' is not a statement of the file" "$(client a check $W/bad.conf)"
client a load $W/bad.conf > /dev/null && fail "a bad file is not loaded" || ok "a bad file is not loaded"
established a 2 && ok "... and what runs goes on" || fail "... and what runs goes on"
sed -i '/^peer b /d' $W/a.conf
check "a good file is loaded" client a load $W/a.conf
see "a removed peer's routes leave" gone a 10.65.0.64/26
see "... on both sides" gone b 10.65.0.0/26 proto bird

# The sockets that it listens on: from every address to one, and back.
listens() { on a ss -Hltn 'sport = 179' | awk '{ print $4 }' | sort | tr '\n' ' '; }
expect "listens on every address" "0.0.0.0:179 " "$(listens)"
sed -i 's/^local-as .*/&\nlisten { address 10.0.2.1; }/' $W/a.conf
check "listening on one address is taken over" client a load $W/a.conf
expect "... alone" "10.0.2.1:179 " "$(listens)"
sed -i 's/^listen .*/listen { address 10.0.77.1; }/' $W/a.conf
expect "an address that is not there is refused" "listen on 10.0.77.1 port 179: address not available" "$(client a load $W/a.conf)"
expect "... and the old one listens on" "10.0.2.1:179 " "$(listens)"
sed -i '/^listen /d' $W/a.conf
check "and on every address again" client a load $W/a.conf
expect "... as before" "0.0.0.0:179 " "$(listens)"
established a 1 && ok "no session noticed" || fail "no session noticed" "$(client a peers)"
mkfifo $W/fifo
expect "a file that is none does not stop it" "'$W/fifo' is not a regular file" "$(client a check $W/fifo)"
stop a bgpd; stop b bgpd; stop c bgpd
