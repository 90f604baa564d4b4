# SPDX-License-Identifier: BSD-2-Clause
# The other end of two connections at once, for bgpd-collision.sh. We are 10.0.1.2, AS 65001, identifier 10.0.0.99; bgpd is 10.0.1.1.
#   bgpd-collide.py collide ours|theirs    OPENs on both, first on the one that "theirs" (we) or "ours" (bgpd) began
#   bgpd-collide.py established|restarted  a second connection beside an established one, without and with the R bit
import socket
import struct
import sys
import time


def msg(kind, body):
    return b"\xff" * 16 + struct.pack("!HB", 19 + len(body), kind) + body


def open_msg(restarting=False):
    caps = bytes.fromhex("4104") + struct.pack("!I", 65001)
    caps += struct.pack("!BBHHBB", 64, 6, (0x8000 if restarting else 0) | 120, 1, 1, 0x80)
    return msg(1, struct.pack("!BHH", 4, 65001, 90) + bytes([10, 0, 0, 99]) + bytes([len(caps) + 2, 2, len(caps)]) + caps)


class Conn:
    def __init__(self, s):
        self.s, self.buf = s, b""
        s.settimeout(4)

    def read(self):
        while True:
            if len(self.buf) >= 19:
                n = struct.unpack("!H", self.buf[16:18])[0]
                if len(self.buf) >= n:
                    m, self.buf = self.buf[:n], self.buf[n:]
                    return m
            d = self.s.recv(4096)
            if not d:
                return None
            self.buf += d

    def want(self, kind):
        while True:
            m = self.read()
            if m is None:
                raise RuntimeError("closed")
            if m[18] == kind:
                return m

    def fate(self):
        """up: a KEEPALIVE comes and nothing else; or what ended it"""
        self.s.settimeout(1)
        up = False
        try:
            while True:
                m = self.read()
                if m is None:
                    return "closed"
                if m[18] == 3:
                    return "%d/%d" % (m[19], m[20])
                up = up or m[18] == 4
        except socket.timeout:
            return "up" if up else "waiting"
        except OSError:
            return "closed"


def dial():
    return Conn(socket.create_connection(("10.0.1.1", 179), 5))


KEEPALIVE = msg(4, b"")
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("10.0.1.2", 179))
if sys.argv[1] == "collide":
    listener.listen()
    listener.settimeout(15)
    ours = Conn(listener.accept()[0])  # bgpd's own
    theirs = dial()
    ours.want(1)
    theirs.want(1)
    first, second = (ours, theirs) if sys.argv[2] == "ours" else (theirs, ours)
    first.s.sendall(open_msg())
    first.want(4)
    first.buf = KEEPALIVE + first.buf
    second.s.sendall(open_msg())
    a, b = ours.fate(), theirs.fate()
    print("ours: %s, theirs: %s" % (a, b))
else:
    first = dial()
    first.s.sendall(open_msg() + KEEPALIVE)
    first.want(1)
    first.want(4)
    time.sleep(0.1)
    first.buf = KEEPALIVE + first.buf
    second = dial()
    second.s.sendall(open_msg(sys.argv[1] == "restarted"))
    b, a = second.fate(), first.fate()
    print("first: %s, second: %s" % (a, b))
