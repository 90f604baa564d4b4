# SPDX-License-Identifier: BSD-2-Clause
# Runs a table of connectivity cases (felixd-behaviour.cases, whose head explains it) against the host h of felixd-behaviour.inc.
# All probes of a stage are under way at once. Prints "ok|fail|note<TAB>NAME<TAB>WHY" lines; exits with 0 when the whole table was looked at.
import ctypes
import fnmatch
import json
import os
import re
import selectors
import socket
import struct
import subprocess
import sys
import threading
import time

NAMESPACES = {"x": ["xa", "xb", "xc"], "y": ["ya", "yb", "yc"], "z": ["za", "zb", "zc"]}
PODS = [p for pods in NAMESPACES.values() for p in pods]
WAIT = 0.25  # seconds that a probe may take before it counts as dropped
AGAIN = 3.0  # a probe that should have come through is given this long in all: the machine may be busy
LIBC = ctypes.CDLL(None, use_errno=True)
CALICOCTL = os.environ["BUILD"] + "/calicoctl/calicoctl"
HOME = os.open("/proc/self/ns/net", os.O_RDONLY)
next_port = 20000
address = {"o": "172.16.0.2", "h": "172.16.0.1"}


def enter(netns):
    fd = os.open("/run/netns/" + netns, os.O_RDONLY)
    if LIBC.setns(fd, 0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "setns " + netns)
    os.close(fd)


def leave():
    LIBC.setns(HOME, 0x40000000)


def tell(verdict, name, why=""):
    print(verdict, name, why.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", " "), sep="\t", flush=True)


def ctl(*args, text=None):
    return subprocess.run(["nsenter", "--net=/run/netns/h", CALICOCTL, *args], input=text, text=True, capture_output=True,
                          env={**os.environ, "CALICO_RUN_DIR": "/run/n/h", "NODENAME": "h"})


def change(verb, text, *args):
    r = ctl(verb, *args, "-f", "-", text=text)
    if r.returncode != 0:
        raise RuntimeError("calicoctl %s: %s%s\n%s" % (verb, r.stdout, r.stderr, text))


# ---- what answers: TCP and UDP on port 7 of every pod, to which all ports lead

def serve(names):
    ready = selectors.DefaultSelector()
    for n in names:
        enter(n)
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            s = socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("0.0.0.0", 7))
            if kind == socket.SOCK_STREAM:
                s.listen(1024)
            ready.register(s, selectors.EVENT_READ, "tcp" if kind == socket.SOCK_STREAM else "udp")
        leave()

    def loop():
        while True:
            for key, _ in ready.select():
                try:
                    if key.data == "tcp":
                        ready.register(key.fileobj.accept()[0], selectors.EVENT_READ, "echo")
                    elif key.data == "udp":
                        data, peer = key.fileobj.recvfrom(2048)
                        key.fileobj.sendto(data, peer)
                    else:
                        data = key.fileobj.recv(2048)
                        if data:
                            key.fileobj.send(data)
                        else:
                            ready.unregister(key.fileobj)
                            key.fileobj.close()
                except OSError:
                    if key.data == "echo":
                        ready.unregister(key.fileobj)
                        key.fileobj.close()

    threading.Thread(target=loop, daemon=True).start()


# ---- what asks

def checksum(data):
    s = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    s = (s >> 16) + (s & 0xffff)
    return ~(s + (s >> 16)) & 0xffff


class Probe:
    """One attempt to get through: KIND is tcp/PORT[@SOURCEPORT], udp/PORT[@SOURCEPORT] or icmp[/TYPE]."""

    def __init__(self, source, target, kind):
        global next_port
        self.proto, _, rest = kind.partition("/")
        port, _, given = rest.partition("@")
        next_port = next_port + 1 if next_port < 60000 else 20000  # no flow is taken for one of before
        self.id = next_port
        enter(source)
        try:
            if self.proto == "icmp":
                self.sock = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMP)
            else:
                stream = self.proto == "tcp"
                self.sock = socket.socket(socket.AF_INET, (socket.SOCK_STREAM if stream else socket.SOCK_DGRAM) | socket.SOCK_NONBLOCK)
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.sock.bind(("0.0.0.0", int(given or self.id)))
        finally:
            leave()
        self.wants = selectors.EVENT_WRITE if self.proto == "tcp" else selectors.EVENT_READ
        self.peer = address[target]
        if self.proto == "tcp":
            self.sock.connect_ex((self.peer, int(port)))
        elif self.proto == "udp":
            self.sock.connect((self.peer, int(port)))
            self.sock.send(b"x")
        else:
            kind = int(port or 8)
            body = struct.pack("!HH", self.id, 1) + bytes(12)  # 12 octets: what a timestamp request (13) carries
            self.answer = {8: 0, 13: 14}[kind]
            sum_ = checksum(struct.pack("!BBH", kind, 0, 0) + body)
            self.sock.sendto(struct.pack("!BBH", kind, 0, sum_) + body, (self.peer, 0))

    def arrived(self):
        """Called when the socket is ready: True, False, or None for not yet."""
        try:
            if self.proto == "tcp":
                return self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
            data, peer = self.sock.recvfrom(2048)
            if self.proto == "udp":
                return data == b"x"
            at = (data[0] & 15) * 4
            if peer[0] == self.peer and data[at] == self.answer and struct.unpack("!H", data[at + 4:at + 6])[0] == self.id:
                return True
            return None
        except BlockingIOError:
            return None
        except OSError:
            return False


def measure(cases, wait=WAIT):
    """cases: (source, target, kind); returns those that get through."""
    through, ready = set(), selectors.DefaultSelector()
    probes = []
    for c in cases:
        p = Probe(*c)
        probes.append(p)
        ready.register(p.sock, p.wants, (c, p))
    end = time.monotonic() + wait
    while ready.get_map() and (left := end - time.monotonic()) > 0:
        for key, _ in ready.select(left):
            case, probe = key.data
            got = probe.arrived()
            if got is not None:
                ready.unregister(probe.sock)
                if got:
                    through.add(case)
    for p in probes:
        p.sock.close()
    return through


# ---- flows that outlive a stage

class Held:
    def __init__(self, source, target, kind):
        self.probe = Probe(source, target, kind)
        self.probe.sock.setblocking(True)
        self.probe.sock.settimeout(2)
        if self.probe.proto == "tcp":
            self.probe.sock.send(b"x")
        self.lives = self.probe.sock.recv(16) == b"x"

    def goes_on(self):
        try:
            self.probe.sock.send(b"y")
            return self.probe.sock.recv(16) == b"y"
        except OSError:
            return False


# ---- objects

def manifest(line):
    """KIND [NAMESPACE/]NAME [LABELS =] SPEC, the latter two in YAML on one line."""
    kind, name, rest = line.split(None, 2)
    labels = "{}"
    if (m := re.match(r"(\{[^{}]*\}) = (.*)", rest)):
        labels, rest = m.groups()
    ns, _, bare = name.rpartition("/")
    meta = "name: %s, labels: %s" % (bare, labels) + (", namespace: " + ns if ns else "")
    rest = re.sub(r"\$(\w+)", lambda m: address[m.group(1)], rest)
    return "---\napiVersion: projectcalico.org/v3\nkind: %s\nmetadata: {%s}\nspec: %s\n" % (kind, meta, rest)


def profiles():
    team = {"x": "red", "y": "blue", "z": "blue", "marks": "none"}
    text = "".join(manifest("Profile kns.%s {labelsToApply: {pcns.ns: %s, pcns.team: %s}, ingress: [{action: Allow}], egress: [{action: Allow}]}"
                            % (n, n, t)) for n, t in team.items())
    return text + "".join(manifest("Profile ksa.%s.sa%s {labelsToApply: {pcsa.grade: %s}}" % (n, c, "high" if c == "a" else "low"))
                          for n in NAMESPACES for c in "abc")


def endpoints(items, relabel):
    out = []
    for w in items:
        pod, ns = w["spec"]["pod"], w["metadata"]["namespace"]
        meta = {"name": w["metadata"]["name"], "namespace": ns}
        own = {k: v for k, v in w["metadata"].get("labels", {}).items() if k.startswith("projectcalico.org/")}
        spec = dict(w["spec"])
        if pod in PODS:
            role = {"a": "front-end", "b": "back-end", "c": "store"}[pod[1]]
            meta["labels"] = {**own, **relabel.get(pod, {"app": pod[1], "role": role, **({"extra": "1"} if pod[1] == "c" else {})})}
            spec["serviceAccountName"] = "sa" + pod[1]
            spec["profiles"] = ["kns." + ns, "ksa.%s.sa%s" % (ns, pod[1])]
            spec["ports"] = [{"name": "web", "protocol": "TCP", "port": 81 if ns == "y" else 80}, {"name": "dns", "protocol": "UDP", "port": 53}]
        else:
            meta["labels"] = own
        out.append({"apiVersion": w["apiVersion"], "kind": w["kind"], "metadata": meta, "spec": spec})
    return json.dumps({"apiVersion": "projectcalico.org/v3", "kind": "WorkloadEndpointList", "items": out})


# ---- the table

class Stage:
    def __init__(self, title, more, line):
        self.title, self.more, self.line = title, more, line
        self.objects, self.labels, self.gone, self.cases, self.holds, self.helds = [], {}, [], {}, [], []

    def add(self, expected, kinds, pairs):
        for kind in kinds.split():
            for pair in pairs.split():
                rest = pair.startswith("~")
                f, t = pair.lstrip("~").split(">")
                found = [(a, b, kind) for a in PODS + ["o", "h"] for b in PODS + ["o"] if a != b and matches(a, f) and matches(b, t)]
                if not found:
                    raise ValueError("%s: %s names nobody" % (self.title, pair))
                for c in found:
                    if rest and c in self.cases:
                        continue
                    if self.cases.get(c, expected) != expected:
                        raise ValueError("%s: %s is said both ways" % (self.title, c))
                    self.cases[c] = expected


def matches(name, pattern):
    return any(fnmatch.fnmatchcase(name, p) and (len(name) == 2 or p == name) for p in pattern.split(","))


def read(path):
    stages = []
    for n, line in enumerate(open(path), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        if word in ("==", "++"):
            stages.append(Stage(rest, word == "++", n))
        elif word in ("+", "-"):
            kinds, pairs = rest.split(":")
            stages[-1].add(word == "+", kinds, pairs)
        elif word == "label":
            pod, labels = rest.split(None, 1)
            stages[-1].labels[pod] = json.loads(labels)
        elif word == "gone":
            stages[-1].gone.append(rest)
        elif word == "hold":
            name, pair, kind = rest.split()
            stages[-1].holds.append((name, *pair.split(">"), kind))
        elif word == "held":
            stages[-1].helds.append(rest)
        else:
            stages[-1].objects.append(line)
    return stages


def spoken(c):
    return "%s to %s, %s" % c


def in_kernel(n):
    deadline = time.monotonic() + 10
    while not measure([("n", "m", "tcp/%d" % (1000 + n))], 0.1):
        if time.monotonic() > deadline:
            raise RuntimeError("stage %d does not reach the kernel" % n)


def explain(c):
    proto, _, port = c[2].partition("/")
    r = ctl("policy", "explain", "--from", "%s/%s" % (c[0][0], c[0]), "--to", address[c[1]], "--proto", proto.upper(),
            *(["--port", port] if proto != "icmp" else []))
    return {0: True, 1: False}.get(r.returncode), r.stdout + r.stderr


def main():
    stages = read(sys.argv[1])
    only = os.environ.get("STAGE", "")
    items = json.loads(ctl("get", "workloadendpoints", "-A", "-o", "json").stdout)["items"]
    for w in items:
        address[w["spec"]["pod"]] = w["spec"]["ipNetworks"][0].split("/")[0]
    serve(list(address)[0:1] + [w["spec"]["pod"] for w in items])
    change("apply", profiles())
    change("apply", endpoints(items, {}))
    present, relabel, held, count, explained, touched = {}, {}, {}, 0, 0, False
    began = time.monotonic()
    spent = {"changes": 0, "measuring": 0, "explaining": 0}
    for n, s in enumerate(stages):
        if only and only not in s.title:
            continue
        t0 = time.monotonic()
        away = list(s.gone)
        if not s.more:
            away = list(present)
            if touched:
                change("apply", profiles())
            touched = False
            if relabel:
                relabel = {}
                change("apply", endpoints(items, relabel))
            held = {}
        if away:
            order = [k for k in away if not k.startswith("Tier ")] + [k for k in away if k.startswith("Tier ")]
            change("delete", "".join(present.pop(k) for k in order))
        text = ""
        for o in s.objects:
            m = manifest(o)
            text += m
            if o.startswith("Profile kns") or o.startswith("Profile ksa"):
                touched = True
            else:
                present[" ".join(o.split()[:2])] = m
        if s.labels:
            relabel.update(s.labels)
            change("apply", endpoints(items, relabel))
        mark = manifest("NetworkPolicy marks/mark {order: 1, types: [Ingress], ingress: [{action: Allow, protocol: TCP, destination: {ports: [%d]}}]}" % (1000 + n))
        change("apply", text + mark)
        in_kernel(n)
        t1 = time.monotonic()
        through = measure(s.cases)
        slow = [c for c, want in s.cases.items() if want and c not in through]
        if slow:
            through |= measure(slow, AGAIN)
        t2 = time.monotonic()
        count += len(s.cases)
        wrong = ["%s: expected %s, seen %s" % (spoken(c), *(("allowed", "dropped") if want else ("dropped", "allowed")))
                 for c, want in s.cases.items() if want != (c in through)]
        yes = sum(s.cases.values())
        name = "%s (%d allowed, %d dropped)" % (s.title, yes, len(s.cases) - yes)
        tell("fail" if wrong else "ok", name, "line %d of the table\n" % s.line + "\n".join(wrong + s.objects) if wrong else "")
        known = [c for c in s.cases if c[0] in PODS and c[1] in PODS and "@" not in c[2] and not c[2].startswith("icmp/")]
        # calicoctl policy explain is asked about one case of each stage: of every other one, one that is dropped.
        known = [c for c in known if not s.cases[c]] if n % 2 and not all(s.cases[c] for c in known) else known
        for c in known[-1:]:
            said, why = explain(c)
            explained += 1
            if said != s.cases[c]:
                tell("fail", "explain: %s: %s" % (s.title, spoken(c)), "expected %s\n%s" % ("allowed" if s.cases[c] else "dropped", why))
        for what, took in zip(spent, (t1 - t0, t2 - t1, time.monotonic() - t2)):
            spent[what] += took
        for h in s.helds:
            tell("ok" if held[h].goes_on() else "fail", "%s: %s goes on" % (s.title, h))
        for name, f, t, kind in s.holds:
            held[name] = Held(f, t, kind)
    if not only:
        tell("ok" if count >= 150 else "fail", "there are %d cases in %d stages" % (count, len(stages)))
        tell("ok" if explained >= 30 else "fail", "calicoctl policy explain was asked about %d of them" % explained)
    tell("note", "%.1f s: %s" % (time.monotonic() - began, ", ".join("%s %.1f" % i for i in spent.items())))


main()
