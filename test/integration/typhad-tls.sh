#!/bin/sh
# Clients of other hosts come over TCP with mutual TLS: who has the right certificate reads, writes and watches, compressed or not, and sees
# what a local client sees; who has not is refused, for a reason that is logged, and nobody else notices.
#                              a: typhad, 10.9.0.1 --- b: its clients, 10.9.0.2; IPv6 fd09::1 --- fd09::2
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/typhad.inc"
sock=/run/n/a/typhad/api.sock
node a; node b
wire a b 10.9.0.0/30
ip -n a addr add fd09::1/64 dev b nodad; ip -n b addr add fd09::2/64 dev a nodad
pki=$W/pki; other=$W/other
ca $pki; ca $other "other CA"
cert $pki server typha-server URI:spiffe://c/typha
cert $pki good typha-client
cert $pki uri nobody URI:spiffe://c/felix
cert $pki wrong somebody-else
cert $pki expired typha-client "" -1
cert $other stranger typha-client
for i in good uri wrong expired; do identity $pki $i; done
identity $other stranger
tls="TYPHA_SERVERKEYFILE=$pki/server.key TYPHA_SERVERCERTFILE=$pki/server.crt TYPHA_CAFILE=$pki/ca.crt"

# ---- what must not start
refused() { # NAME SENTENCE ENV...
	_name=$1 _text=$2; shift 2
	out=$(env "$@" CALICO_RUN_DIR=/run/n/a timeout 10 "$BUILD/typhad/typhad" --datastore-path $W/never.db 2>&1) &&
		{ fail "$_name is refused" "it ran"; return; }
	case $out in *"$_text"*) ok "$_name is refused: $_text" ;; *) fail "$_name is refused" "$out" ;; esac
}
refused "TLS without a client's name" "ClientCN" $tls
refused "a client's name without certificates" "ServerKeyFile" TYPHA_CLIENTCN=typha-client
refused "a host that is none" "ServerHost: look up 'no-such-host.invalid'" TYPHA_SERVERHOST=no-such-host.invalid
refused "a key that belongs to another certificate" "key values mismatch" TYPHA_CLIENTCN=x TYPHA_SERVERKEYFILE=$pki/good.key \
	TYPHA_SERVERCERTFILE=$pki/server.crt TYPHA_CAFILE=$pki/ca.crt
refused "a certificate that is none" "holds no certificate" TYPHA_CLIENTCN=x TYPHA_SERVERKEYFILE=$pki/server.key \
	TYPHA_SERVERCERTFILE=$pki/server.key TYPHA_CAFILE=$pki/ca.crt

# ---- who comes in
export TYPHA_SERVERKEYFILE=$pki/server.key TYPHA_SERVERCERTFILE=$pki/server.crt TYPHA_CAFILE=$pki/ca.crt \
	TYPHA_CLIENTCN=typha-client TYPHA_CLIENTURISAN=spiffe://c/felix TYPHA_SERVERHANDSHAKETIMEOUTSECS=3
start a typhad --datastore-path $W/datastore.db
wait_for 10 $client put $sock first 1
at=10.9.0.1:5473
as() { _who=$1; shift; on b env CLIENT_TLS=$W/id/$_who CLIENT_CN=typha-server timeout ${LIMIT:-20} "$@"; }
expect "the right CN reads" "1 " "$(as good $client get $at first | sed 's/[0-9]*$//')"
expect "the right URI reads, over IPv6" "1 " "$(as uri $client get '[fd09::1]:5473' first | sed 's/[0-9]*$//')"
check "and writes" as good $client put $at second 2
expect "which a local client reads" "2 " "$($client get $sock second | sed 's/[0-9]*$//')"
$client dump /run/n/a clients >/dev/null
out=$(as good $client del $at third)
case $out in *"resource does not exist: GlobalNetworkSet(third)"*) ok "errors come in the datastore's words" ;; *) fail "errors" "$out" ;; esac

# ---- the same picture, plain, over TLS, compressed
as good $client fill $at many 3000 300 >/dev/null
$client watchers $sock 2 3 >$W/local &
p1=$!
LIMIT=60 as good $client watchers $at 10 3 >$W/remote &
p2=$!
CLIENT_ZSTD=1 LIMIT=60 as good $client watchers $at 40 3 >$W/packed &
p3=$!
wait_for 20 counter_is watchers 52
in_sync() { [ "$($client dump /run/n/a clients | grep -c '"inSync":true')" = "$1" ]; }
wait_for 20 in_sync 52
raw=$(counter page_bytes_raw) small=$(counter page_bytes_packed) packed=$(counter pages_packed) shared=$(counter pages_shared)
[ "$raw" -gt $((3000 * 300)) ] && [ "$small" -lt $((raw / 3)) ] && ok "the snapshot was packed, $raw to $small bytes" || fail "packed" "$raw to $small"
[ "$packed" -lt 100 ] && [ "$shared" -gt $((packed * 20)) ] && ok "once for all: $packed packed, $shared given out again" ||
	fail "pages are shared" "$packed packed, $shared shared"
$client fill $sock many 500 100 >/dev/null
$client drain $sock many 100 >/dev/null
as good $client put $at end 3 >/dev/null
for p in $p1 $p2 $p3; do wait $p || fail "watchers see the end" "$(cat $W/local $W/remote $W/packed)"; done
expect "ten over TLS have one picture" 1 "$(awk '{ print $1 }' $W/remote)"
expect "it is that of a local one" "$(awk '{ print $2 }' $W/local)" "$(awk '{ print $2 }' $W/remote)"
expect "and of forty compressed ones" "1 $(awk '{ print $2 }' $W/local)" "$(awk '{ print $1, $2 }' $W/packed)"

# ---- who does not come in
for who in wrong expired stranger; do
	out=$(as $who $client get $at first 2>&1) && fail "$who is refused" "$out" || ok "$who is refused: $(echo "$out" | tail -n 1)"
done
check "typhad says why" grep -q "a connection was not let in.*CN 'somebody-else' and not 'typha-client'" $W/a.typhad.log
check "of an expired one, too" grep -q "a connection was not let in.*certificate has expired" $W/a.typhad.log
out=$(on b env CLIENT_TLS=$W/id/good CLIENT_CN=another-server timeout 20 $client get $at first)
case $out in *"CN 'typha-server' and not 'another-server'"*) ok "a client refuses a server that is not the right one" ;; *) fail "wrong server" "$out" ;; esac
out=$(on b timeout 20 $client hello $at 2 1 "")
expect "without TLS there is nothing to be had" closed "$out"
check "the others do not notice" as good $client get $at first

# ---- garbage instead of a handshake; handshakes that stall
cat >$W/attack.py <<'P'
import os, random, socket, sys
rnd = random.Random(7)
def attack(data):
    s = socket.create_connection((sys.argv[1], 5473), 10)
    try:
        s.sendall(data); s.shutdown(socket.SHUT_WR)
        while s.recv(65536): pass
    except OSError: pass
    s.close()
attack(b""); attack(b"\x16"); attack(b"GET / HTTP/1.1\r\n\r\n"); attack(b"\0\0\0\4\x08\x01\x12\0")
hello = bytes.fromhex("16030100c8010000c40303") + bytes(rnd.randrange(256) for _ in range(190))
for n in range(0, len(hello), 7): attack(hello[:n])
for i in range(200):
    b = bytearray(hello)
    for k in range(rnd.randrange(1, 5)): b[rnd.randrange(len(b))] = rnd.randrange(256)
    attack(bytes(b))
for i in range(200): attack(bytes(rnd.randrange(256) for _ in range(rnd.randrange(3000))))
P
check "garbage for handshakes" on b python3 $W/attack.py 10.9.0.1
alive a typhad && check "does no harm" as good $client get $at first
[ "$(counter handshakes_failed)" -gt 400 ] && ok "and is counted" || fail "counted" "$(counter handshakes_failed)"

cat >$W/stall.py <<'P'
import signal, socket, sys
held = []
for i in range(int(sys.argv[2])):
    s = socket.create_connection((sys.argv[1], 5473), 10)
    if i % 2: s.sendall(b"\x16\x03\x01\x00")
    held.append(s)
print("up", flush=True)
signal.pause()
P
on b python3 $W/stall.py 10.9.0.1 900 >$W/stall &
stall=$!
wait_for 10 grep -q up $W/stall
before=$(date +%s%N)
as good $client get $at first >/dev/null && took=$((($(date +%s%N) - before) / 1000000))
[ "${took:-9999}" -lt 1000 ] && ok "900 stalled handshakes: a client is served within $took ms" || fail "served promptly" "${took:-never}"
[ "$(counter clients_pending)" -ge 1 ] && ok "they are still there" || fail "they are still there" "$(counter clients_pending)"
wait_for 8 at_least handshakes_late 900 && ok "and are closed when their time is up"
quit $stall
check "no key, no certificate is in the log" sh -c "! grep -qE 'PRIVATE|BEGIN' $W/a.typhad.log"

# ---- a hundred clients whose connections break at random end with one picture
LIMIT=90 as good $client watchers $at 100 4 >$W/hundred &
hundred=$!
wait_for 20 counter_is watchers 100
for round in 1 2 3 4 5 6 7 8; do
	as good $client fill $at round$round 200 >/dev/null
	on a ss -K dst 10.9.0.2 sport = :5473 >/dev/null 2>&1 || stop a typhad KILL # where the kernel cannot: all of them at once
	[ -e $W/a.typhad.pid ] || start a typhad --datastore-path $W/datastore.db
	wait_for 20 as good $client put $at round$round round$round
done
wait_for 20 as good $client put $at end 4
wait $hundred && ok "a hundred clients lost their connections eight times" || fail "a hundred clients" "$(cat $W/hundred)"
$client watchers $sock 1 4 >$W/fresh
expect "and have the picture of one who has just come" "1 $(awk '{ print $2 }' $W/fresh)" "$(awk '{ print $1, $2 }' $W/hundred)"
stop a typhad

# ---- without TLS: only when a port is asked for
unset TYPHA_SERVERKEYFILE TYPHA_SERVERCERTFILE TYPHA_CAFILE TYPHA_CLIENTCN TYPHA_CLIENTURISAN
start a typhad --datastore-path $W/datastore.db
wait_for 10 $client get $sock first
expect "no certificates, no port: nothing listens" 0 "$(on a ss -Hltn | wc -l)"
stop a typhad
TYPHA_SERVERPORT=7777 TYPHA_SERVERHOST=10.9.0.1; export TYPHA_SERVERPORT TYPHA_SERVERHOST
start a typhad --datastore-path $W/datastore.db
wait_for 10 on b $client get 10.9.0.1:7777 first && ok "a port that was asked for is served without TLS"
check "with a warning" grep -q "listening without TLS" $W/a.typhad.log
stop a typhad
