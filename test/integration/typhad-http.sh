#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# typhad over HTTP: probes and metrics follow what is; whoever sends nonsense, or nothing, disturbs nobody.
#
#   a: typhad (embedded datastore), Unix socket; health on 127.0.0.1:19098, metrics on 127.0.0.1:19093
. "$(dirname "$0")/lib.sh"
node a
client=$BUILD/test/integration/typhad_client
sock=/run/n/a/typhad/api.sock
health=19098 metrics=19093

export TYPHA_HEALTHENABLED=true TYPHA_HEALTHPORT=$health TYPHA_HEALTHHOST=127.0.0.1
export TYPHA_SERVERPINGINTERVALSECS=0.3 TYPHA_PROMETHEUSMETRICSENABLED=yes TYPHA_PROMETHEUSMETRICSPORT=$metrics

web() { on a python3 "$TOP/test/integration/web.py" "$@"; }   # PORT PATH [--tls CA [CERT KEY]]: prints the status, then the body
status() { web "$@" | sed -n 1p; }
metric() { web $metrics /metrics | sed -n "s/^$1 //p"; }
has() { [ "$(metric "$1")" = "$2" ]; }
counter() { $client counter /run/n/a "$1"; }

start a typhad --datastore-path $W/db
wait_for 10 eval '[ "$(status $health /readiness 2>/dev/null)" = 200 ]' && ok "it becomes ready"
expect "and is alive" 200 "$(status $health /liveness)"
body=$(web $health /readiness)
case $body in *"| COMPONENT "*"| TIMEOUT "*"| LIVENESS "*"| READINESS "*"| DETAIL "*) ok "the probe shows upstream's table" ;;
*) fail "the probe shows upstream's table" "$body" ;; esac
for c in cache datastore SyncServer; do
	case $body in *"| $c "*"reporting live"*"reporting ready"*) ok "component $c reports" ;; *) fail "component $c reports" "$body" ;; esac
done
expect "another path is not there" 404 "$(status $health /metrics)"
expect "metrics have their own port" 404 "$(status $metrics /liveness)"

# ---- values follow reality
before=$(metric 'typha_requests_total{request="write"}')
check "a write" $client put $sock one 1
check "another" $client put $sock two 1
expect "writes are counted" $((before + 2)) "$(metric 'typha_requests_total{request="write"}')"
$client del $sock nobody >/dev/null 2>&1
expect "those that were not done, too" 1 "$(metric typha_writes_not_done_total)"
expect "the revision is the datastore's" "$($client get $sock two | awk '{print $2}')" "$(metric typha_datastore_revision)"
expect "nobody is connected" 0 "$(metric typha_connections_active)"
for i in 1 2 3; do
	socat -u "UNIX-CONNECT:$sock" "CREATE:$W/idle$i" & idle="${idle:-} $!"
done
wait_for 5 has typha_connections_active 3 && ok "three connections are seen"
kill $idle
wait_for 5 has typha_connections_active 0 && ok "and that they have left"
size=$(metric 'typha_cache_size{syncer="felix"}') total=$(metric 'typha_updates_total{syncer="felix"}') bgp=$(metric 'typha_cache_size{syncer="bgp"}')
check "ten objects" $client fill $sock more 10
expect "the cache has ten more for felix" $((size + 10)) "$(metric 'typha_cache_size{syncer="felix"}')"
expect "none for bgp" "$bgp" "$(metric 'typha_cache_size{syncer="bgp"}')"
expect "updates are counted" $((total + 10)) "$(metric 'typha_updates_total{syncer="felix"}')"
check "and gone" $client drain $sock more 10
expect "the cache is as it was" "$size" "$(metric 'typha_cache_size{syncer="felix"}')"
expect "but there were updates" $((total + 20)) "$(metric 'typha_updates_total{syncer="felix"}')"
$client follow $sock >$W/follow & follower=$!
CLIENT_TYPE=bgp $client watchers $sock 3 never >/dev/null 2>&1 & watchers=$!
wait_for 5 has 'typha_connections_streaming{syncer="all"}' 1 && ok "who watches everything is seen"
wait_for 5 has 'typha_connections_streaming{syncer="bgp"}' 3 && ok "and three of bgp"
expect "snapshots were timed" 3 "$(metric 'typha_client_snapshot_send_secs_count{syncer="bgp"}')"
check "a change" $client put $sock seen 1
wait_for 5 grep -q '+ seen' $W/follow
expect "how late it was told is known" 1 "$(metric 'typha_client_latency_secs_count{syncer="all"}')"
late=$(metric 'typha_client_latency_secs{syncer="all",quantile="0.99"}')
awk "BEGIN { exit !($late > 0 && $late < 2) }" && ok "in seconds" || fail "in seconds" "$late"
pinged() { [ "$(metric 'typha_ping_latency_count{syncer="bgp"}')" -ge 3 ]; }
wait_for 5 pinged && ok "answers to pings are timed"
kill $follower $watchers
wait_for 5 has 'typha_connections_streaming{syncer="bgp"}' 0 && ok "who has left is not counted"
pid=$(pid_of a typhad)
expect "open files are those of the process" "$(($(ls /proc/$pid/fd | wc -l) + 1))" "$(metric process_open_fds)" # and the connection that asks
rss=$(metric process_resident_memory_bytes) kernel=$(($(awk '/^VmRSS/ {print $2}' /proc/$pid/status) * 1024))
[ $((rss > kernel ? rss - kernel : kernel - rss)) -le $((kernel / 4)) ] && ok "memory is about what the kernel says" ||
	fail "memory is about what the kernel says" "$rss, not $kernel"
started=$(metric process_start_time_seconds) now=$(date +%s)
[ "${started%.*}" -le "$now" ] && [ "${started%.*}" -ge $((now - 120)) ] && ok "the start is in the recent past" || fail "the start" "$started, now $now"
check "every line is of the format" sh -c "cat >$W/m && ! grep -vE '^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\\{[a-z]+=\"[^\"]*\"(,[a-z]+=\"[^\"]*\")*\\})? (NaN|[-+0-9.e]+|\\+Inf))\$' $W/m" < <(web $metrics /metrics | tail -n +2)
expect "every family has one type" "" "$(sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' $W/m | sort | uniq -d)"

# ---- nonsense
say() { printf "$1" | on a timeout 5 nc -N 127.0.0.1 $health | head -n 1 | tr -d '\r'; }
expect "no HTTP" "HTTP/1.1 400 Bad Request" "$(say 'hello\r\n\r\n')"
expect "TLS where there is none" "HTTP/1.1 400 Bad Request" "$(say '\x16\x03\x01\x02\x00\x01\x00\n')"
expect "POST" "HTTP/1.1 405 Method Not Allowed" "$(say 'POST /liveness HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n')"
expect "a body" "HTTP/1.1 413 Content Too Large" "$(say 'GET /liveness HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n')"
expect "no Host" "HTTP/1.1 400 Bad Request" "$(say 'GET /liveness HTTP/1.1\r\n\r\n')"
expect "a path without end" "HTTP/1.1 414 URI Too Long" "$(say "GET /$(head -c 3000 /dev/zero | tr '\0' a)")"
expect "a head without end" "HTTP/1.1 431 Request Header Fields Too Large" "$(say "GET / HTTP/1.1\r\nX: $(head -c 20000 /dev/zero | tr '\0' a)")"
head -c 1000000 /dev/urandom | on a timeout 5 nc -N 127.0.0.1 $health >/dev/null
expect "after all that it is well" 200 "$(status $health /liveness)"
expect "two requests at once get two answers" 2 "$(printf 'GET /liveness HTTP/1.1\r\nHost: a\r\n\r\nGET /liveness HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' |
	on a timeout 5 nc -N 127.0.0.1 $health | grep -c '^HTTP/1.1 200')"
expect "HEAD has no body" "0" "$(printf 'HEAD /liveness HTTP/1.0\r\n\r\n' | on a timeout 5 nc -N 127.0.0.1 $health | sed '1,/^\r$/d' | wc -c)"

# ---- those who hold connections open, and send a byte now and then
on a python3 "$TOP/test/integration/web.py" --slow 200 $health >$W/slow.out 2>&1 &
slow=$!
wait_for 10 grep -q open $W/slow.out
expect "200 that say nothing do not keep a probe out" 200 "$(status $health /liveness)"
[ "$(metric process_open_fds)" -lt 120 ] && ok "and do not have as many descriptors" || fail "descriptors" "$(metric process_open_fds)"
wait_for 15 grep -q 'closed 200' $W/slow.out && ok "they are closed in time"
wait $slow

# ---- a reader that does not read
on a python3 "$TOP/test/integration/web.py" --deaf $metrics >$W/deaf.out 2>&1 &
deaf=$!
wait_for 10 grep -q open $W/deaf.out
expect "a reader that reads nothing keeps nobody waiting" 200 "$(status $metrics /metrics)"
wait_for 20 grep -q closed $W/deaf.out && ok "and is closed"
wait $deaf
stop a typhad

# ---- HTTPS, with and without certificates of clients
pki() { # NAME CN: a key and a certificate by the CA
	openssl req -newkey rsa:2048 -nodes -keyout $W/$1.key -out $W/$1.csr -subj "/CN=$2" 2>/dev/null &&
		openssl x509 -req -in $W/$1.csr -CA $W/ca.crt -CAkey $W/ca.key -CAcreateserial -days 2 -out $W/$1.crt 2>/dev/null
}
openssl req -x509 -newkey rsa:2048 -nodes -keyout $W/ca.key -out $W/ca.crt -subj /CN=ca -days 2 2>/dev/null
openssl req -x509 -newkey rsa:2048 -nodes -keyout $W/other.key -out $W/other.crt -subj /CN=other -days 2 2>/dev/null
pki server metrics; pki scraper prometheus
export TYPHA_PROMETHEUSMETRICSCERTFILE=$W/server.crt TYPHA_PROMETHEUSMETRICSKEYFILE=$W/server.key TYPHA_PROMETHEUSMETRICSCAFILE=$W/ca.crt
tls() { status $metrics /metrics --tls "$@" 2>/dev/null; }
for auth in NoClientCert:200:200:200 VerifyClientCertIfGiven:200:200: RequireAnyClientCert::200:200 RequireAndVerifyClientCert::200:; do
	IFS=: read -r mode without ours others <<<"$auth"
	TYPHA_PROMETHEUSMETRICSCLIENTAUTH=$mode start a typhad --datastore-path $W/db
	wait_for 10 $client get $sock one >/dev/null
	expect "$mode: without a certificate" "$without" "$(tls $W/ca.crt)"
	expect "$mode: with one of the CA" "$ours" "$(tls $W/ca.crt $W/scraper.crt $W/scraper.key)"
	expect "$mode: with another" "$others" "$(tls $W/ca.crt $W/other.crt $W/other.key)"
	expect "$mode: plain HTTP gets nothing" "" "$(status $metrics /metrics 2>/dev/null)"
	expect "$mode: probes are plain" 200 "$(status $health /readiness)"
	[ $mode = NoClientCert ] || stop a typhad
	[ $mode = NoClientCert ] || continue
	# a new certificate, of another CA, is taken up while it runs; one that is broken is not
	cp $W/other.crt $W/server.crt; cp $W/other.key $W/server.key
	expect "a new certificate is shown without a restart" 200 "$(tls $W/other.crt)"
	echo broken >$W/server.crt
	expect "a broken one is not" 200 "$(tls $W/other.crt)"
	grep -q "new certificate is no use" $W/a.typhad.log && ok "which is logged" || fail "a broken certificate is logged"
	stop a typhad
	pki server metrics
done
if out=$(TYPHA_PROMETHEUSMETRICSKEYFILE=$W/nokey on a timeout 10 "$BUILD/typhad/typhad" --datastore-path $W/db 2>&1); then fail "a key that is not there" "$out"; else
	case $out in *"$W/nokey"*) ok "a key that is not there ends it with its name" ;; *) fail "a key that is not there" "$out" ;; esac
fi
unset TYPHA_PROMETHEUSMETRICSCERTFILE TYPHA_PROMETHEUSMETRICSKEYFILE TYPHA_PROMETHEUSMETRICSCAFILE
on a nc -lk 127.0.0.1 $health >/dev/null & holder=$!
wait_for 5 sh -c "nsenter --net=/run/netns/a ss -ltn | grep -q ':$health '"
if out=$(on a timeout 10 "$BUILD/typhad/typhad" --datastore-path $W/db 2>&1); then fail "a port that is taken" "$out"; else
	case $out in *"$health"*"in use"*) ok "a port that is taken is told in a sentence" ;; *) fail "a port that is taken" "$out" ;; esac
fi
kill $holder
