#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Garbage, truncated and oversized frames on every socket of every daemon: the daemon lives, says so once in its log, and goes
# on serving the others.            node1 with the whole suite
. "$(dirname "$0")/lib.sh"
export LAB=bad LAB_DIR=/run/lab
lab=test/lab/lab
check "a node is up" $lab up --nodes 1 || exit 1
run=$LAB_DIR/bad/n/node1

cat >$W/attack.py <<'P'
import os, random, socket, struct, sys
path = sys.argv[1]
rnd = random.Random(7)

def attack(data, half_close=True):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(3)
    s.connect(path)
    try:
        s.sendall(data)
        if half_close:
            s.shutdown(socket.SHUT_WR)
        while s.recv(65536):
            pass
    except (BrokenPipeError, ConnectionResetError):
        pass
    except socket.timeout:
        sys.exit("the daemon did not close the connection after %r..." % data[:16])
    s.close()

frame = lambda body: struct.pack(">I", len(body)) + body
attack(b"")
attack(b"\0\0")                                            # a truncated length
attack(b"\0\0\1\0" + b"x" * 10)                            # a truncated body
attack(b"\xff\xff\xff\xff", half_close=False)              # oversized, announced only
attack(struct.pack(">I", (4 << 20) + 1) + b"x" * 65536, half_close=False)
attack(frame(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), half_close=False)  # no protobuf message
attack(frame(b"\x12\xff\xff\xff\xff\x0f"), half_close=False)                      # a field longer than the frame
attack(frame(b""))                                         # an empty envelope
attack(frame(b"\x08\x05"))                                 # a request without a payload
attack(frame(b"\x08\x05\xfa\x3e\x02hi"))                   # a payload of tomorrow
for i in range(200):
    attack(frame(bytes(rnd.randrange(256) for _ in range(rnd.randrange(64)))))
for i in range(50):
    attack(bytes(rnd.randrange(256) for _ in range(rnd.randrange(4096))))
# Half a frame on an open connection must not hold anyone up.
held = []
for i in range(20):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM); s.connect(path); s.sendall(b"\0\0\0\x10abc"); held.append(s)
P

serves() { CALICO_RUN_DIR=$run "$BUILD/calicoctl/calicoctl" debug "$1" who | grep -q '"pid"'; }
pid_in_lab() { case $1 in typhad) cat $LAB_DIR/bad/pid/typhad ;; *) cat "$LAB_DIR/bad/pid/node1.$1" ;; esac; }

for d in typhad felixd ipamd bgpd confd noded; do
	before=$(pid_in_lab $d)
	for s in "$run/$d"/*.sock; do
		check "$d survives garbage on $(basename "$s")" python3 $W/attack.py "$s"
		kill -0 "$before" 2>/dev/null || fail "$d is alive" "$(tail -n 20 $LAB_DIR/bad/log/*$d.log)"
		check "$d still serves after garbage on $(basename "$s")" serves $d
	done
	grep -q 'peer sent garbage' $LAB_DIR/bad/log/*$d.log && ok "$d says so in its log" || fail "$d says so in its log"
done
check "the node still takes pods" $lab pod add node1 p1
check "and is still ready" $lab status
cp $LAB_DIR/bad/log/* $W/
check "the lab goes away" $lab down
