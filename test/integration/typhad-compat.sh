#!/bin/sh
# Versions of the sync protocol: what both speak is agreed on; where there is nothing, each side is told, in a sentence, who must be
# upgraded; a client of the oldest version is served, and not sent what it does not know.        a: typhad
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/typhad.inc"
sock=/run/n/a/typhad/api.sock
node a
TYPHA_SERVERPINGINTERVALSECS=0.2 TYPHA_SERVERPONGTIMEOUTSECS=1; export TYPHA_SERVERPINGINTERVALSECS TYPHA_SERVERPONGTIMEOUTSECS
start a typhad --datastore-path $W/datastore.db
wait_for 10 $client put $sock first 1

hello() { $client hello $sock "$@" 2>&1; }
expect "the same version" "hello 2" "$(hello 2 1 '')"
expect "an older one" "hello 1" "$(hello 1 1 '')"
expect "one that does not say what its oldest is" "hello 1" "$(hello 1 0 '')"
expect "a newer one that still speaks ours" "hello 2" "$(hello 7 2 '')"
out=$(hello 7 3 '')
case $out in "error 6: this typhad speaks versions 1 to 2 of the sync protocol, the client 3 to 7: upgrade typhad") ok "a client that is too new is told so" ;;
*) fail "a client that is too new" "$out" ;; esac
out=$(hello 0 0 '')
case $out in "error 6: this typhad speaks versions 1 to 2 of the sync protocol, the client 0 to 0: upgrade the client") ok "one that is too old, too" ;;
*) fail "a client that is too old" "$out" ;; esac
out=$(hello 2 1 etcd)
case $out in "error 4: there is no sync type 'etcd': there are felix, bgp, tunnel-ip-allocation, node-status") ok "a sync type that there is not is refused" ;;
*) fail "sync type" "$out" ;; esac
check "who is refused is logged" grep -q 'a client is refused.*upgrade typhad' $W/a.typhad.log

# ---- a server from tomorrow, and what our client makes of it
cat >$W/tomorrow.py <<'P'
import os, socket, struct, sys
path, answer = sys.argv[1], bytes.fromhex(sys.argv[2])
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.bind(path); s.listen(8)
while True:
    c, _ = s.accept()
    c.recv(65536)
    c.sendall(struct.pack(">I", len(answer)) + answer)
    try: c.recv(65536)
    except OSError: pass
    c.close()
P
python3 $W/tomorrow.py $W/t.sock 0801120408092805 & # Hello: version 9, oldest 5
tomorrow=$!
wait_for 10 test -S $W/t.sock
out=$(timeout 20 $client get $W/t.sock first)
case $out in *"it speaks version 9 of the sync protocol, we 1 to 2: upgrade the older side"*) ok "our client tells a server that is too new" ;; *) fail "a server that is too new" "$out" ;; esac
kill $tomorrow

# ---- pings: a version 2 client that answers nothing is given up; one of version 1 is not asked; one that answers stays
$client watchers $sock 1 9 >$W/lives &
lives=$!
$client sleepy $sock 100000 9 >$W/sleepy & # version 1: reads nothing, says nothing
sleepy=$!
wait_for 10 counter_is watchers 2
set -- $($client silent $sock)
[ "${1:-0}" -ge 4 ] && [ "${2:-0}" -ge 1000 ] && [ "$2" -lt 4000 ] && ok "a silent client was asked $1 times and given up after $2 ms" ||
	fail "a silent client" "asked $1 times, kept $2 ms"
expect "that is counted" 1 "$(counter clients_closed_dead)"
check "and logged" grep -q 'a client is given up.*program=by-hand.*it does not answer' $W/a.typhad.log
expect "the other two are still there" 2 "$(counter watchers)"
$client put $sock end 9 >/dev/null
wait $lives && ok "one that answers stays"
kill -USR1 $sleepy
wait $sleepy && ok "one of version 1 is not asked" || fail "version 1" "$(cat $W/sleepy)"
stop a typhad
