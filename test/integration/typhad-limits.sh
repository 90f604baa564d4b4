#!/bin/sh
# Limits: one client more than there may be is refused with a sentence; above its share a typhad sends clients away, one per interval, and
# they go to another without anybody noticing; what all clients together make it hold is bounded, and the one that holds most is closed; a tiny
# frame does not become large in memory.        a, b: typhads of one datastore, 10.9.0.1 and 10.9.0.2; both plain, on port 5473
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/typhad.inc"
sock=/run/n/a/typhad/api.sock
node a; node b
wire a b 10.9.0.0/30
both=10.9.0.1:5473,10.9.0.2:5473
TYPHA_SERVERPORT=5473; export TYPHA_SERVERPORT
# Two typhads on one file see each other's writes: the embedded datastore serves the purpose.
start_both() {
	start a typhad --datastore-path $W/datastore.db
	wait_for 10 $client get $sock first
	start b typhad --datastore-path $W/datastore.db
	wait_for 10 $client get /run/n/b/typhad/api.sock first
}
TYPHA_MAXCONNECTIONSUPPERLIMIT=20; export TYPHA_MAXCONNECTIONSUPPERLIMIT
start a typhad --datastore-path $W/datastore.db
wait_for 10 $client put $sock first 1

# ---- one too many
$client crowd $sock 3 >$W/local &
local=$!
wait_for 10 grep -q '3 in' $W/local
on a $client crowd 10.9.0.1:5473 19 >$W/crowd &
crowd=$!
wait_for 10 grep -q '19 in' $W/crowd && ok "local clients take nobody's place"
on a $client crowd 10.9.0.1:5473 1 >$W/twentieth &
twentieth=$!
wait_for 10 grep -q '1 in' $W/twentieth
out=$(on a $client hello 10.9.0.1:5473 2 1 '')
expect "the twenty-first is refused" "error 7: this typhad has 20 clients, as many as it may: go to another one, or raise MaxConnectionsUpperLimit" "$out"
expect "and counted" 1 "$(counter clients_too_many)"
check "its own node's programs come in all the same" $client get $sock first
quit $local
quit $twentieth
wait_for 10 counter_is clients_remote 19
check "with one gone, there is room" on a timeout 10 $client get 10.9.0.1:5473 first
quit $crowd
expect "a counter is told once" 1 "$(on a "$BUILD/calicoctl/calicoctl" --run-dir /run/n/a debug typhad health | grep -o '"datastore_connects"' | wc -l)"
stop a typhad

# ---- above its share: two typhads, 1 node: 4 connections are a's share; it has 12
unset TYPHA_MAXCONNECTIONSUPPERLIMIT
TYPHA_MAXCONNECTIONSLOWERLIMIT=4 TYPHA_CONNECTIONREBALANCINGTYPHAS=5 TYPHA_CONNECTIONDROPINTERVALSECS=0.2
export TYPHA_MAXCONNECTIONSLOWERLIMIT TYPHA_CONNECTIONREBALANCINGTYPHAS TYPHA_CONNECTIONDROPINTERVALSECS
start a typhad --datastore-path $W/datastore.db
wait_for 10 $client get $sock first
expect "its share" 4 "$(counter clients_share)"
CLIENT_DOWNS=1 on a timeout 60 $client watchers 10.9.0.1:5473,10.9.0.2:5473 12 1 >$W/away &
away=$!
wait_for 20 counter_is watchers 12 # b is not there yet: all of them are a's
unset TYPHA_CONNECTIONREBALANCINGTYPHAS # b takes whoever comes
start b typhad --datastore-path $W/datastore.db
before=$(counter clients_rebalanced)
wait_for 30 counter_is clients_remote 4 && ok "a keeps its share"
wait_for 10 counter_is clients_remote 8 b && ok "the others are with b"
rounds=$(counter clients_rebalanced)
[ "$rounds" -ge 8 ] && ok "they were sent away one by one ($rounds)" || fail "one by one" "$rounds"
[ "$(grep -c "a client is sent away" $W/a.typhad.log)" -ge "$rounds" ] && ok "which is logged" || fail "logged"
$client fill $sock moved 50 >/dev/null
$client put $sock end 1 >/dev/null
wait $away && ok "all of them see what happens afterwards" || fail "all see it" "$(cat $W/away)"
expect "with one picture" 1 "$(awk 'NR == 1 { print $1 }' $W/away)"
stop b typhad
stop a typhad
unset TYPHA_MAXCONNECTIONSLOWERLIMIT TYPHA_CONNECTIONDROPINTERVALSECS

# ---- one that takes nothing is given up in time; one that is slow but takes something is not
TYPHA_SERVERWRITETIMEOUTSECS=1 TYPHA_SERVERPINGINTERVALSECS=0.3; export TYPHA_SERVERWRITETIMEOUTSECS TYPHA_SERVERPINGINTERVALSECS
start a typhad --datastore-path $W/stuck.db
wait_for 10 $client put $sock first 1
$client sleepy $sock 100000 1 >$W/sleepy 2>&1 &
sleepy=$!
wait_for 10 counter_is watchers 1
timeout 60 $client watchers $sock 5 2 >$W/awake &
awake=$!
wait_for 10 counter_is watchers 6
$client fill $sock large 500 10000 >/dev/null
wait_for 10 counter_is clients_closed_stuck 1 && ok "who takes nothing for a second is given up"
check "which is logged" grep -q 'a client is given up.*program=sleepy.*it has not taken anything' $W/a.typhad.log
$client put $sock end 2 >/dev/null
wait $awake && ok "the others are told as ever" || fail "the others" "$(cat $W/awake)"
quit $sleepy
stop a typhad
unset TYPHA_SERVERWRITETIMEOUTSECS TYPHA_SERVERPINGINTERVALSECS

# ---- memory
start a typhad --datastore-path $W/datastore.db
wait_for 10 $client get $sock first
rss() { awk '/VmRSS/ { print $2 }' "/proc/$(pid_of a typhad)/status"; }
peak() { awk '/VmHWM/ { print $2 }' "/proc/$(pid_of a typhad)/status"; }
cat >$W/hog.py <<'P'
import signal, socket, struct, sys
# each begins a frame of 4 MiB and sends all of it but its end
held = []
for i in range(int(sys.argv[2])):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.connect(sys.argv[1])
    hello = b"\x08\x01\x12\x02\x08\x01"
    s.sendall(struct.pack(">I", len(hello)) + hello)
    s.setblocking(False)
    data = memoryview(struct.pack(">I", 4 << 20) + b"x" * ((4 << 20) - 4))
    s.settimeout(20)
    try: s.sendall(data)
    except OSError: pass
    held.append(s)
print("up", flush=True)
signal.pause()
P
before=$(rss)
python3 $W/hog.py $sock 100 >$W/hog & # 400 MiB of beginnings
hog=$!
wait_for 60 grep -q up $W/hog
grown=$(($(rss) - before))
[ "${SAN:-0}" = 1 ] && grown=0
[ $grown -lt 600000 ] && ok "100 frames of 4 MiB that are never whole cost $grown kB" || fail "memory is bounded" "$grown kB"
[ "$(counter held_bytes)" -le $((256 << 20)) ] && ok "no more than 256 MiB is held" || fail "held" "$(counter held_bytes)"
[ "$(counter clients_closed_memory)" -ge 30 ] && ok "those that held most were closed: $(counter clients_closed_memory)" ||
	fail "the worst are closed" "$(counter clients_closed_memory)"
check "others are served" $client get $sock first
quit $hog
wait_for 10 counter_is held_bytes 0 && ok "and it is given back"
stop a typhad
start a typhad --datastore-path $W/datastore.db
wait_for 10 $client get $sock first
cat >$W/tiny.py <<'P'
import socket, struct, sys
for field in (b"\x78\x01", b"\x12\x02\x08\x01", b"\x7a\x00"):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.connect(sys.argv[1])
    body = field * ((4 << 20) // len(field))
    try:
        s.sendall(struct.pack(">I", len(body)) + body)
        while s.recv(65536): pass
    except OSError: pass
P
before=$(peak)
python3 $W/tiny.py $sock
grown=$(($(peak) - before))
[ "${SAN:-0}" = 1 ] && grown=0
[ $grown -lt 20000 ] && ok "a frame of two million fields costs $grown kB" || fail "many tiny fields" "$grown kB"
check "and others are served" $client get $sock first
stop a typhad
