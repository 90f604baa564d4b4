#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A peer that sends nonsense: the right NOTIFICATION each time, the process lives, the session with the good peer and its routes stay.
#
#     evil (python, AS 65001) 10.0.1.2 --- 10.0.1.1 a (bgpd, AS 64512) 10.0.2.1 --- 10.0.2.2 good (bgpd, AS 64512)
. "$(dirname "$0")/lib.sh"
client() { on "$1" "$BUILD/test/integration/bgpd_client" "${@:2}"; }
node a; node evil; node good
wire a evil 10.0.1.0/30; wire a good 10.0.2.0/30
cat > $W/a.conf <<'END'
router-id 10.0.0.1;
local-as 64512;
network 10.65.0.0/26 blackhole;
peer evil { address 10.0.1.2; remote-as 65001; passive; max-prefixes 100; }
peer good { address 10.0.2.2; remote-as 64512; passive; }
END
cat > $W/good.conf <<'END'
router-id 10.0.0.2;
local-as 64512;
network 10.66.0.0/26;
peer a { address 10.0.2.1; remote-as 64512; }
END
start a bgpd --config $W/a.conf; start good bgpd --config $W/good.conf
has() { on "$1" ip route show "${@:2}" | grep -q .; }
wait_for 10 has a 10.66.0.0/26 proto bird || fail "the good peer's route"
since=$(client a peers | grep '^good ')
on evil timeout 250 python3 test/integration/bgpd-nonsense.py 10.0.1.1 179 > $W/answers.log 2>&1 || fail "the script ends" "$(tail -5 $W/answers.log)"
while IFS='|' read -r name want; do
	[ -n "$name" ] || continue
	expect "$name" "$want" "$(sed -n "s/^$name: //p" $W/answers.log)"
done <<'END'
before: http|1/1
before: bad marker|1/1
before: length 18|1/2 0012
before: length 4097|1/2 1001
before: length 65535|1/2 ffff
before: type 9|1/3 09
before: KEEPALIVE of 20|1/2 0014
before: OPEN of 28|1/2 001c
before: version 3|2/1 0004
before: wrong AS|2/2
before: AS 0|2/2
before: hold 1|2/6 0001
before: identifier 0|2/3
before: parameter type 1|2/4
before: capability overruns|2/0
before: only IPv6|2/7 010400010001
before: KEEPALIVE before OPEN|5/1
before: UPDATE before OPEN|5/1
before: ROUTE-REFRESH before OPEN|5/1
before: OPEN twice|5/2
before: UPDATE in OpenConfirm|5/2
after: bad marker|1/1
after: type 0|1/3 00
after: UPDATE of 22|1/2 0016
after: OPEN|5/3
after: NOTIFICATION of 20|1/2 0014
after: ROUTE-REFRESH of 22|1/2 0016
after: ROUTE-REFRESH of an unknown family|nothing
after: withdrawn overruns|3/1
after: attributes overrun|3/1
after: prefix of 33|3/10
after: prefix cut short|3/10
after: unknown well-known|3/2 406300
after: MP_UNREACH of 2|3/9 800f020001
after: MP_UNREACH twice|3/1
after: ORIGIN 3|nothing
after: AS_PATH of nonsense|nothing
after: COMMUNITIES of 5|nothing
after: attribute overruns the list|nothing
after: AGGREGATOR of 7|nothing
after: own AS in the path|nothing
after: next hop is the receiver|nothing
after: multicast prefix|nothing
after: NOTIFICATION of 4096|closed
trickle|nothing
silence|4/0
noise|survived
END
expect "the good peer's session never moved" "$since" "$(client a peers | grep '^good ')"
expect "its log says so too" 1 "$(grep -c 'peer established.*peer=good' $W/a.bgpd.log)"
has a 10.66.0.0/26 proto bird && ok "its route is there" || fail "its route is there"
expect "nothing of the other is left" "" "$(client a routes | grep ' evil ')"
check "bgpd lives" alive a bgpd
# A connection from somebody unknown.
on good ip addr add 10.0.2.9/32 dev lo
on a ip route add 10.0.2.9/32 via 10.0.2.2
check "a stranger is turned away" on good python3 -c 'import socket; s = socket.create_connection(("10.0.2.1", 179), 3, ("10.0.2.9", 0)); assert s.recv(1) == b""'
# Too many prefixes.
on evil python3 - > $W/max.log 2>&1 <<'END'
import sys; sys.argv = ["x", "10.0.1.1", "179"]
src = open("test/integration/bgpd-nonsense.py").read().split("\nbefore = [")[0]
exec(src)
p = Peer(); p.establish()
for i in range(101):
    p.s.sendall(update(ORIGIN + PATH + HOP, bytes([24, 20, 1, i])))
print(p.answer())
END
expect "max-prefixes" "6/1 00010100000064" "$(cat $W/max.log)"
stop a bgpd; stop good bgpd
