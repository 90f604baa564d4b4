#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Many routes: 20,000 from a through b to c. All of them flushed from b's kernel at once come back (netlink overruns); a peer that stops
# reading is no burden to the others, and ends up with the truth when it reads again.
#
#     a (AS 65001) 10.0.1.1 --- 10.0.1.2 b (AS 64512) 10.0.2.1 --- 10.0.2.2 c (AS 65002)
#                                        b            10.0.3.1 --- 10.0.3.2 slow (python, AS 65003)
. "$(dirname "$0")/lib.sh"
client() { on "$1" "$BUILD/test/integration/bgpd_client" "${@:2}"; }
see() { if wait_for 30 "${@:2}"; then ok "$1"; else fail "$1"; fi; }
N=20000
node a; node b; node c; node slow
wire a b 10.0.1.0/30; wire b c 10.0.2.0/30; wire b slow 10.0.3.0/30
networks() { awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) printf "network 20.%d.%d.0/24;\n", int(i / 256), i % 256 }'; }
a_conf() { printf 'router-id 10.0.0.1; local-as 65001; peer b { address 10.0.1.2; remote-as 64512; }\n'; networks "$1"; }
a_conf $N > $W/a.conf
cat > $W/b.conf <<'END'
router-id 10.0.0.2; local-as 64512;
peer a { address 10.0.1.1; remote-as 65001; }
peer c { address 10.0.2.2; remote-as 65002; }
peer slow { address 10.0.3.2; remote-as 65003; passive; }
END
echo 'router-id 10.0.0.3; local-as 65002; kernel off; peer b { address 10.0.2.1; remote-as 64512; }' > $W/c.conf
start c bgpd --config $W/c.conf; start b bgpd --config $W/b.conf; start a bgpd --config $W/a.conf
at_c() { [ "$(client c peers | cut -d' ' -f4)" = "$1" ]; }
in_kernel() { [ "$(on b ip route show proto bird | wc -l)" = "$1" ]; }
see "c has them all" at_c $N
see "b's kernel has them all" in_kernel $N
expect "without a failure" 0 "$(client b counter kernel_failed)"
on b ip route flush proto bird
see "flushed, they come back" in_kernel $N
on b ip route del 20.0.7.0/24
see "and so does a single one afterwards" in_kernel $N

cat > $W/slow.py <<'END'
import os, socket, struct, sys, time
def msg(kind, body): return b"\xff" * 16 + struct.pack("!HB", 19 + len(body), kind) + body
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
s.connect(("10.0.3.1", 179))
s.sendall(msg(1, struct.pack("!BHH", 4, 65003, 0) + bytes([10, 0, 0, 4, 8, 2, 6, 65, 4]) + struct.pack("!I", 65003)) + msg(4, b""))
buf, have = b"", set()
def prefixes(b):
    while b:
        n = (b[0] + 7) // 8
        yield b[:1 + n]
        b = b[1 + n:]
def read(timeout):
    global buf
    s.settimeout(timeout)
    try:
        d = s.recv(1 << 20)
    except socket.timeout:
        return False
    if not d:
        print("closed"); sys.exit(1)
    buf += d
    at = 0
    while len(buf) - at >= 19:
        n, kind = struct.unpack("!HB", buf[at + 16:at + 19])
        if len(buf) - at < n:
            break
        body, at = buf[at + 19:at + n], at + n
        if kind == 3:
            print("notification %d/%d" % (body[0], body[1])); sys.exit(1)
        if kind == 2:
            w = struct.unpack("!H", body[:2])[0]
            t = struct.unpack("!H", body[2 + w:4 + w])[0]
            have.difference_update(prefixes(body[2:2 + w]))
            have.update(prefixes(body[4 + w + t:]))
    buf = buf[at:]
    return True
while len(have) < int(sys.argv[1]):
    read(20) or sys.exit("too little: %d" % len(have))
# Now ask for everything a few hundred times, and read nothing.
s.sendall(msg(5, bytes([0, 1, 0, 1])) * 300)
open(sys.argv[3] + ".sleeping", "w").close()
while not os.path.exists(sys.argv[3] + ".read"):
    time.sleep(0.05)
while read(3):
    pass
print(len(have))
END
on slow python3 $W/slow.py $N x $W/slow > $W/slow.out 2>&1 &
reader=$!
see "the slow peer has stopped reading" test -e $W/slow.sleeping
queue_full() { on b ss -Htn state established "( sport = :179 )" dst 10.0.3.2 | awk '{ exit !($2 > 100000) }'; }
see "its connection is full" queue_full
a_conf $((N / 2)) > $W/a.conf
check "half of the networks go" client a load $W/a.conf
see "c sees it at once" at_c $((N / 2))
see "b's kernel too" in_kernel $((N / 2))
memory=$(awk '/VmRSS/ { print $2 }' "/proc/$(pid_of b bgpd)/status")
case $BUILD in
*/san) skip "memory stays bounded" "a sanitizer keeps what is freed" ;;
*) [ "$memory" -lt 120000 ] && ok "memory stays bounded" || fail "memory stays bounded" "$memory KiB" ;;
esac
: > $W/slow.read
wait $reader
expect "the slow peer ends up with the truth" $((N / 2)) "$(cat $W/slow.out)"
: > $W/a.empty
echo 'router-id 10.0.0.1; local-as 65001; peer b { address 10.0.1.2; remote-as 64512; }' > $W/a.conf
check "all networks go" client a load $W/a.conf
see "c has none" at_c 0
see "b's kernel has none" in_kernel 0
stop a bgpd; stop b bgpd; stop c bgpd
