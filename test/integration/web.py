# SPDX-License-Identifier: BSD-2-Clause
# What tests ask an HTTP server on 127.0.0.1 with.
#   web.py PORT PATH [--tls CA [CERT KEY]]   prints the status, then the body
#   web.py --slow N PORT                     N connections that send a byte a second; prints "open", and "closed N" when all are
#   web.py --deaf PORT                       asks for /metrics over and over and reads nothing; prints "open", then "closed"
import http.client, select, socket, ssl, sys, time

def ask(port, path, tls):
    if tls:
        context = ssl.create_default_context(cafile=tls[0])
        context.check_hostname = False
        if len(tls) > 1:
            context.load_cert_chain(tls[1], tls[2])
        conn = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    else:
        conn = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    conn.request("GET", path)
    reply = conn.getresponse()
    body = reply.read().decode()
    print(reply.status)
    print(body, end="")

def slow(n, port):
    conns = []
    for _ in range(n):
        conns.append(socket.create_connection(("127.0.0.1", port)))
    text = b"GET /liveness HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 1000
    print("open", flush=True)
    closed = 0
    for at in range(len(text)):
        for c in list(conns):
            try:
                c.send(text[at:at + 1])
            except OSError:
                conns.remove(c)
                closed += 1
        readable, _, _ = select.select(conns, [], [], 0)
        for c in readable:
            try:
                over = c.recv(4096) == b""
            except OSError:
                over = True
            if over:
                conns.remove(c)
                closed += 1
        if closed == n:
            break
        time.sleep(0.5)
    print("closed", closed, flush=True)

def deaf(port):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect(("127.0.0.1", port))
    s.setblocking(False)
    print("open", flush=True)
    poller = select.poll()
    poller.register(s, select.POLLHUP | select.POLLERR)
    end = time.time() + 60
    while time.time() < end:
        try:
            s.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 100)
        except BlockingIOError:
            pass
        except OSError:
            break
        if poller.poll(100):
            break
    else:
        sys.exit("it was not closed")
    print("closed", flush=True)

if sys.argv[1] == "--slow":
    slow(int(sys.argv[2]), int(sys.argv[3]))
elif sys.argv[1] == "--deaf":
    deaf(int(sys.argv[2]))
else:
    ask(int(sys.argv[1]), sys.argv[2], sys.argv[4:] if len(sys.argv) > 3 else None)
