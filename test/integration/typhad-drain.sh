#!/bin/sh
# TERM: a typhad with remote clients lets nobody new in, asks them one after the other to go elsewhere, and ends when they have; they do not
# notice. Local clients are served to the end. A second TERM ends it at once.
#        a, b: typhads of one datastore, 10.9.0.1 and 10.9.0.2; both plain, on port 5473
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/typhad.inc"
sock=/run/n/a/typhad/api.sock
node a; node b
wire a b 10.9.0.0/30
TYPHA_SERVERPORT=5473; export TYPHA_SERVERPORT
now() { echo $(($(date +%s%N) / 1000000)); }
run() { start a typhad --datastore-path $W/datastore.db; wait_for 10 $client put $sock first 1; }
ended() { ! kill -0 "$1" 2>/dev/null; }

# ---- five clients, 2.5 s: half a second apart
TYPHA_SHUTDOWNTIMEOUTSECS=2.5; export TYPHA_SHUTDOWNTIMEOUTSECS
run
start b typhad --datastore-path $W/datastore.db
wait_for 10 $client get /run/n/b/typhad/api.sock first
p=$(pid_of a typhad)
CLIENT_DOWNS=1 on b timeout 60 $client watchers 10.9.0.1:5473 1 1 >$W/one &
wait_for 10 counter_is clients_remote 1
# the others know both, and prefer the one that is there: b is stopped while they connect
stop b typhad
CLIENT_DOWNS=1 on b timeout 60 $client watchers 10.9.0.1:5473,10.9.0.2:5473 4 1 >$W/four &
four=$!
wait_for 10 counter_is clients_remote 5
start b typhad --datastore-path $W/datastore.db
wait_for 10 $client get /run/n/b/typhad/api.sock first
begin=$(now)
kill -TERM $p
wait_for 5 grep -q 'draining.*remote_clients=5 interval_ms=475' $W/a.typhad.log && ok "five clients in 2.5 s: one every 475 ms"
out=$(on b timeout 10 $client hello 10.9.0.1:5473 2 1 '' 2>&1)
case $out in *refused*) ok "nobody new is let in" ;; *) fail "nobody new" "$out" ;; esac
check "local clients are served meanwhile" $client get $sock first
wait_for 10 ended $p
took=$(($(now) - begin))
wait $p; expect "it ends cleanly" 0 $?
[ $took -ge 1400 ] && [ $took -lt 3500 ] && ok "after $took ms" || fail "in time" "$took ms"
expect "all were asked to go" 5 "$(grep -c 'a client is sent away.*about to stop' $W/a.typhad.log)"
wait_for 10 counter_is clients_remote 4 b && ok "the four that know another went there"
$client put /run/n/b/typhad/api.sock end 1 >/dev/null
wait $four && ok "and see what happens afterwards"
expect "without a word to their users" "downs=0" "$(grep downs $W/four)"
stop b typhad

# ---- writes that are under way when GoAway comes are answered
TYPHA_SHUTDOWNTIMEOUTSECS=5 TYPHA_SHUTDOWNCONNECTIONDROPINTERVALMAXSECS=0.2
export TYPHA_SHUTDOWNTIMEOUTSECS TYPHA_SHUTDOWNCONNECTIONDROPINTERVALMAXSECS
run
start b typhad --datastore-path $W/datastore.db
wait_for 10 $client get /run/n/b/typhad/api.sock first
on b timeout 60 $client writer 10.9.0.1:5473,10.9.0.2:5473 x 4 $W/record &
writer=$!
on b timeout 60 $client writer 10.9.0.1:5473,10.9.0.2:5473 y 4 $W/record &
writer2=$!
wait_for 10 test -s $W/record
kill -TERM "$(pid_of a typhad)"
wait $writer; wait $writer2
expect "no answer was lost" 0 "$(grep -c ' ? ' $W/record)"
[ "$(wc -l <$W/record)" -gt 100 ] && ok "of $(wc -l <$W/record) writes" || fail "writes" "$(wc -l <$W/record)"
wait "$(pid_of a typhad)"; rm -f $W/a.typhad.pid
stop b typhad

# ---- nobody remote: at once. A second TERM: at once. A client that does not go: when time is up.
run
begin=$(now); stop a typhad; took=$(($(now) - begin))
[ $took -lt 1000 ] && ok "without remote clients it ends within $took ms" || fail "at once" "$took ms"

TYPHA_SHUTDOWNTIMEOUTSECS=60; export TYPHA_SHUTDOWNTIMEOUTSECS
: >$W/a.typhad.log
TYPHA_HEALTHENABLED=true TYPHA_HEALTHPORT=19098 TYPHA_HEALTHHOST=127.0.0.1 run
on b $client crowd 10.9.0.1:5473 200 >$W/crowd &
crowd=$!
wait_for 10 grep -q '200 in' $W/crowd
kill -TERM "$(pid_of a typhad)"
wait_for 5 grep -q 'draining.*remote_clients=200 interval_ms=200' $W/a.typhad.log && ok "200 clients: not more than 0.2 s apart"
probe() { on a python3 "$(dirname "$0")/web.py" 19098 /readiness | sed -n 1p; }
expect "meanwhile it is not ready" 503 "$(probe)"
mv $W/datastore.db $W/away # writes fail, which is told
$client put $sock x 1 >/dev/null 2>&1
mv $W/away $W/datastore.db
check "whatever happens then" [ "$(grep 'status=' $W/a.typhad.log | grep -vc draining)" = "$(grep 'status=' $W/a.typhad.log | sed '/draining/,$d' | wc -l)" ]
begin=$(now); stop a typhad; took=$(($(now) - begin))
[ $took -lt 1500 ] && ok "a second TERM ends it within $took ms" || fail "a second TERM" "$took ms"
quit $crowd

TYPHA_SHUTDOWNTIMEOUTSECS=1.5; export TYPHA_SHUTDOWNTIMEOUTSECS
run
on b timeout 30 $client silent 10.9.0.1:5473 >$W/silent &
wait_for 10 counter_is clients_remote 1
begin=$(now); stop a typhad; took=$(($(now) - begin))
[ $took -ge 1200 ] && [ $took -lt 3000 ] && ok "one that does not go is waited for until time is up: $took ms" || fail "time is up" "$took ms"
