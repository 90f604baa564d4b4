# SPDX-License-Identifier: BSD-2-Clause
# A BGP peer that sends nonsense, for bgpd-nonsense.sh: each case is a connection of its own. Prints "NAME: ANSWER" lines.
#   bgpd-nonsense.py ADDRESS PORT
import random
import socket
import struct
import sys

MARKER = b"\xff" * 16
TARGET = (sys.argv[1], int(sys.argv[2]))


def h(s):
    return bytes.fromhex(s.replace(" ", ""))


def msg(kind, body, length=None, marker=MARKER):
    return marker + struct.pack("!HB", length or 19 + len(body), kind) + body


def open_msg(version=4, asn=65001, hold=90, ident="0a000063", params=None):
    if params is None:
        params = h("02 06 41 04") + struct.pack("!I", asn)
    return msg(1, struct.pack("!BHH", version, asn, hold) + h(ident) + bytes([len(params)]) + params)


KEEPALIVE = msg(4, b"")
ORIGIN, PATH, HOP = h("40010100"), h("400206 0201 0000fde9"), h("400304 0a000102")
PREFIX = h("18 140001")


def update(attrs, nlri=PREFIX, withdrawn=b"", attr_len=None, withdrawn_len=None):
    return msg(2, struct.pack("!H", len(withdrawn) if withdrawn_len is None else withdrawn_len) + withdrawn
               + struct.pack("!H", len(attrs) if attr_len is None else attr_len) + attrs + nlri)


class Peer:
    def __init__(self):
        self.s = socket.create_connection(TARGET, timeout=5)
        self.s.settimeout(3)
        self.buf = b""

    def read(self):
        """One message, or None at the end, or "" after three seconds of silence."""
        while True:
            if len(self.buf) >= 19:
                n = struct.unpack("!H", self.buf[16:18])[0]
                if len(self.buf) >= n:
                    m, self.buf = self.buf[:n], self.buf[n:]
                    return m
            try:
                d = self.s.recv(65536)
            except socket.timeout:
                return b""
            except OSError as e:
                return None
            if not d:
                return None
            self.buf += d

    def establish(self, first=None):
        self.s.sendall((first or open_msg()) + KEEPALIVE)
        seen = set()
        while not {1, 4} <= seen:
            m = self.read()
            if not m or m[18] == 3:
                raise RuntimeError("no session: %r" % m)
            seen.add(m[18])

    def answer(self):
        """What comes back: "code/subcode data", "closed" without a word, or "nothing" but keepalives and routes."""
        while True:
            m = self.read()
            if m is None:
                return "closed"
            if m == b"":
                return "nothing"
            if m[18] == 3:
                data = m[21:].hex()
                rest = self.read()
                while rest:
                    rest = self.read()
                return "%d/%d%s%s" % (m[19], m[20], " " + data if data else "", "" if rest is None else " still open")


before = [  # sent instead of the OPEN
    ("http", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("bad marker", msg(4, b"", marker=b"\xff" * 15 + b"\xfe")),
    ("length 18", msg(4, b"", length=18)),
    ("length 4097", msg(2, b"", length=4097)),
    ("length 65535", msg(1, b"", length=65535)),
    ("type 9", msg(9, b"")),
    ("KEEPALIVE of 20", msg(4, b"x")),
    ("OPEN of 28", msg(1, b"x" * 9)),
    ("version 3", open_msg(version=3)),
    ("wrong AS", open_msg(asn=65009)),
    ("AS 0", open_msg(asn=0, params=b"")),
    ("hold 1", open_msg(hold=1)),
    ("identifier 0", open_msg(ident="00000000")),
    ("parameter type 1", open_msg(params=h("0100"))),
    ("capability overruns", open_msg(params=h("0202 4104"))),
    ("only IPv6", open_msg(params=h("0206 0104 00020001"))),
    ("KEEPALIVE before OPEN", KEEPALIVE),
    ("UPDATE before OPEN", update(b"", b"")),
    ("ROUTE-REFRESH before OPEN", msg(5, h("00010001"))),
    ("OPEN twice", open_msg() + open_msg()),
    ("UPDATE in OpenConfirm", open_msg() + update(b"", b"")),
]
after = [  # sent on an established session
    ("bad marker", msg(4, b"", marker=b"\x00" * 16)),
    ("type 0", msg(0, b"")),
    ("UPDATE of 22", msg(2, b"xxx")),
    ("OPEN", open_msg()),
    ("NOTIFICATION of 20", msg(3, b"x")),
    ("ROUTE-REFRESH of 22", msg(5, b"xxx")),
    ("ROUTE-REFRESH of an unknown family", msg(5, h("00190046"))),
    ("withdrawn overruns", update(b"", b"", withdrawn_len=100)),
    ("attributes overrun", update(ORIGIN, b"", attr_len=100)),
    ("prefix of 33", update(ORIGIN + PATH + HOP, h("21 1400010000"))),
    ("prefix cut short", update(ORIGIN + PATH + HOP, h("18 1400"))),
    ("unknown well-known", update(ORIGIN + PATH + HOP + h("406300"))),
    ("MP_UNREACH of 2", update(ORIGIN + PATH + HOP + h("800f020001"))),
    ("MP_UNREACH twice", update(h("800f03000101 800f03000101"), b"")),
    ("ORIGIN 3", update(h("40010103") + PATH + HOP)),
    ("AS_PATH of nonsense", update(ORIGIN + h("400205 0903000000") + HOP)),
    ("COMMUNITIES of 5", update(ORIGIN + PATH + HOP + h("c00805 0000000000"))),
    ("attribute overruns the list", update(ORIGIN + PATH + h("4003ff") + HOP)),
    ("AGGREGATOR of 7", update(ORIGIN + PATH + HOP + h("c0070700000000000000"))),
    ("own AS in the path", update(ORIGIN + h("40020a 0202 0000fde9 0000fc00") + HOP)),
    ("next hop is the receiver", update(ORIGIN + PATH + h("400304 0a000101"))),
    ("multicast prefix", update(ORIGIN + PATH + HOP, h("10 e001"))),
    ("NOTIFICATION of 4096", msg(3, h("0602") + b"\xff" * 4075)),
]
for name, data in before:
    p = Peer()
    p.s.sendall(data)
    if name in ("OPEN twice", "UPDATE in OpenConfirm"):
        pass
    print("before: %s: %s" % (name, p.answer()), flush=True)
    p.s.close()
for name, data in after:
    p = Peer()
    p.establish()
    p.s.sendall(data)
    print("after: %s: %s" % (name, p.answer()), flush=True)
    p.s.close()

# One octet at a time is a session like any other.
p = Peer()
p.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for b in open_msg() + KEEPALIVE + update(ORIGIN + PATH + HOP, h("18 140009")):
    p.s.sendall(bytes([b]))
print("trickle: %s" % p.answer(), flush=True)
p.s.close()

# Silence.
p = Peer()
p.establish(open_msg(hold=3))
print("silence: %s" % p.answer(), flush=True)
p.s.close()

# Noise: valid frames with random bodies, then random bytes.
random.seed(8)
answers = {}
for i in range(300):
    p = Peer()
    if i % 2:
        p.establish()
        data = b"".join(msg(random.choice([1, 2, 2, 2, 3, 5]), random.randbytes(random.randrange(4, 60))) for _ in range(5))
    else:
        data = random.randbytes(random.randrange(1, 3000))
    try:
        p.s.sendall(data)
        p.s.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    while p.read():
        pass
    p.s.close()
print("noise: survived", flush=True)
