#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# A watch on etcd that was away: a restart of etcd, a compaction of what was missed, compactions in the midst of reading, a datastore that was restored
# from a backup. It is told the true differences, each once.           etcd_client watch ---- etcd ---- etcdctl
. "$(dirname "$0")/../integration/lib.sh"
. "$TOP/test/interop/etcd.inc"
single e
fill 20 "$SETS/s%02d" '{"metadata":{"name":"s%02d"}}'
again() { single e; }
put() { $E put "$SETS/$1" "{\"metadata\":{\"name\":\"$1\",\"labels\":{\"v\":\"$2\"}}}" >/dev/null; }
lines() { wc -l <$W/watch; }
seen() { grep -qE "$1" $W/watch; }
since() { tail -n +$((mark + 1)) $W/watch; } # what has come since mark was set
since_has() { since | grep -qE "$1"; }
told() { since | grep -v '^down' | sed 's/ GlobalNetworkSet//; s/ {.*//; s/^update/+/; s/^remove/-/' | cut -d' ' -f1,2 | LC_ALL=C sort | xargs; }

mkfifo $W/fifo
$client watch <$W/fifo >$W/watch 2>$W/watch.log &
watcher=$!
exec 3>$W/fifo
wait_for 10 seen '^in-sync$' || fail "the watch is in sync"
expect "everything is told once" 20 "$(grep -c ^update.GlobalNetworkSet $W/watch)"

# ---- a restart
mark=$(lines)
put s01 a
wait_for 5 since_has 's01' || fail "a change comes"
mark=$(lines)
etcd_stop e KILL
wait_for 5 since_has '^down' && ok "a lost connection is told"
again
put s02 b
wait_for 10 since_has '^in-sync$' && wait_for 5 since_has s02 && ok "it is in sync again after a restart"
expect "what has changed meanwhile is told, and nothing else" "+ s02 in-sync" "$(told)"

# ---- missed, and compacted
mark=$(lines)
etcd_stop e KILL
wait_for 5 since_has '^down' || fail "the watch knows"
kill -STOP $watcher
again
put s03 c; put s03 d; put s04 e; put new f; put gone g
$E del $SETS/s05 >/dev/null; $E del $SETS/gone >/dev/null
revision=$($E get -w json nothing | jq .header.revision)
$E compact --physical "$revision" >/dev/null || fail "etcd is compacted"
kill -CONT $watcher
wait_for 15 since_has '^in-sync$' && ok "it is in sync again after a compaction"
expect "the true differences are told, each once" "+ new + s03 + s04 - s05 in-sync" "$(told)"
mark=$(lines)
put s06 h
wait_for 5 since_has s06 && ok "it goes on with deltas"

# ---- restored from a backup: revisions go back, and are given out again
$E snapshot save $W/backup >/dev/null 2>&1 || fail "a backup is made"
put s07 i; put s08 j; put extra k; $E del $SETS/s09 >/dev/null
wait_for 5 since_has '^remove.*s09' || fail "changes after the backup come"
mark=$(lines)
etcd_stop e KILL
kill -STOP $watcher
rm -rf "$W/e"
$E snapshot restore $W/backup --data-dir $W/e --name e --initial-cluster e=http://localhost:2380 --initial-cluster-token other \
	--initial-advertise-peer-urls http://localhost:2380 >$W/restore.log 2>&1 || fail "the backup is restored" "$(cat $W/restore.log)"
chmod 700 "$W/e"
again
i=0
while [ $i -lt 10 ]; do put s10 $i; i=$((i + 1)); done # the same numbers for other changes
kill -CONT $watcher
wait_for 15 since_has '^in-sync$' && ok "it is in sync with a datastore that went back in time"
expect "what was made after the backup goes" "- extra" "$(since | sed -n 's/^remove GlobalNetworkSet /- /p')"
expect "the rest is what it is in the datastore" "" "$($E get --prefix $SETS/ -w json | jq -r '.kvs[] | (.key | @base64d | sub(".*/"; "")) + " " + (.mod_revision | tostring)' | LC_ALL=C sort >$W/truth
	awk '$1 == "update" && $2 == "GlobalNetworkSet" { r[$3] = $4 } $1 == "remove" { delete r[$3] } END { for (n in r) print n, r[n] }' $W/watch | LC_ALL=C sort | diff - $W/truth)"
echo >&3; exec 3>&-
wait $watcher
expect "it read everything anew twice" "resyncs=2" "$(sed -n 's/^stats .*\(resyncs=[0-9]*\).*/\1/p' $W/watch)"

# ---- compactions while pages are being read
fill 4000 "$SETS/p%04d" '{"metadata":{"name":"p%04d"}}'
(
	n=0
	while :; do
		n=$((n + 1))
		put p0001 $n
		$E compact "$($E get -w json nothing | jq .header.revision)" >/dev/null
	done
) &
compacter=$!
bad=0 i=0
while [ $i -lt 5 ]; do
	(wait_for 20 grep -qx in-sync $W/watch.$i; echo) | $client watch >$W/watch.$i 2>&1
	n=$(awk '$1 == "update" && $2 == "GlobalNetworkSet" { if (++r[$3] > 1 && $3 != "p0001") twice++ } END { print length(r), twice + 0 }' $W/watch.$i)
	[ "$n" = "$(wc -l <$W/truth | awk '{ print $1 + 4000 }') 0" ] || bad=$((bad + 1))
	i=$((i + 1))
done
kill $compacter
wait $compacter 2>/dev/null
expect "snapshots are whole, and nothing is told twice, while etcd is being compacted" 0 $bad
n=$($client list GlobalNetworkSet p | sed 1d | wc -l)
expect "a list is whole" 4000 "$n"
