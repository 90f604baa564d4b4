#!/bin/sh
# The embedded datastore as something to live with: backed up while it is written to, restored under a typhad with watchers, checked at start, refused when
# damaged or read-only; objects that go by themselves.        a: typhad, writers, calicoctl
. "$(dirname "$0")/lib.sh"
client=$BUILD/test/integration/typhad_client
ctl="$BUILD/calicoctl/calicoctl --run-dir /run/n/a datastore"
sock=/run/n/a/typhad/api.sock
mkdir $W/ds
ds=$W/ds/datastore.db
node a
counter() { $client counter /run/n/a "$1"; }
start a typhad --datastore-path $ds
wait_for 10 $client put $sock end start || fail "typhad starts"
$client fill $sock big 3000 500 >/dev/null

# ---- a backup of what is being written to
$client writer $sock 1 3600 $W/record &
writer=$!
wrote() { [ "$(wc -l <$W/record)" -gt "$1" ]; }
wait_for 10 wrote 50
cp $W/record $W/before
check "a backup while writers write" on a $ctl backup $W/backup
lines=$(wc -l <$W/record)
wait_for 10 wrote $((lines + 50)) && ok "they go on meanwhile and afterwards"
kill -TERM $writer
wait $writer
expect "it is private" 600 "$(stat -c %a $W/backup)"
expect "and one file" "$W/backup" "$(ls $W/backup*)"
expect "and whole" ok "$(sqlite3 $W/backup 'PRAGMA integrity_check')"
expect "the many objects are in it" 3000 "$(sqlite3 $W/backup "SELECT count(*) FROM object WHERE key LIKE '%/globalnetworksets/big%'")"
# What was promised before it began is in it, or what was written later.
sqlite3 -separator ' ' $W/backup "SELECT replace(key, rtrim(key, replace(key, '/', '')), ''),
	json_extract(value, '\$.metadata.annotations.v') FROM object WHERE key LIKE '%/globalnetworksets/w%'" >$W/values
awk 'FNR == NR { value[$1] = $2; next }
	$2 != "!" && $2 != "deleted" { last[$1] = $2 } $2 == "deleted" { delete last[$1] }
	END { for (n in last) if ((n in value) && value[n] + 0 < last[n] + 0) { print n, value[n], last[n]; bad = 1 } exit bad }' $W/values $W/before &&
	ok "with all that was promised before" || fail "with all that was promised before"
out=$(on a $ctl backup $W/backup 2>&1) && fail "a backup overwrites nothing" "$out" ||
	case $out in *"exists already; --force replaces it"*) ok "a backup overwrites nothing" ;; *) fail "a backup overwrites nothing" "$out" ;; esac
check "unless it is told to" on a $ctl backup --force $W/backup

# ---- back, under a typhad that runs and clients that watch
$client put $sock end backed-up >/dev/null
on a $ctl backup --force $W/backup >/dev/null
for i in 1 2 3; do $client put $sock big$i changed >/dev/null; done
for i in 4 5; do $client del $sock big$i; done
$client put $sock surplus 1 >/dev/null
revision=$($client put $sock end later)
$client watchers $sock 5 backed-up >$W/digest &
watchers=$!
watching() { [ "$(counter watchers)" = 5 ]; }
wait_for 10 watching
updates=$(counter updates)
out=$(on a $ctl restore $W/backup 2>&1) && fail "what would be lost is not overwritten" "$out" ||
	case $out in *"--force"*) ok "what would be lost is not overwritten" ;; *) fail "what would be lost is not overwritten" "$out" ;; esac
expect "restored: the differences" \
	"Restored '$ds' from '$W/backup': 6 object(s) written, 1 deleted" "$(on a $ctl restore --force $W/backup 2>&1 | sed 's/deleted, .*/deleted/')"
wait $watchers && ok "those who watch have heard of it" || fail "those who watch have heard of it" "$(cat $W/digest)"
expect "of the true differences" 7 $(($(counter updates) - updates))
$client watchers $sock 1 backed-up >$W/fresh
expect "and believe what one believes that comes now" "$(cut -d' ' -f2 $W/fresh)" "$(cut -d' ' -f2 $W/digest)"
expect "by one voice" 1 "$(cut -d' ' -f1 $W/digest)"
[ "$(counter datastore_revision)" -gt "$revision" ] && ok "the revision has gone on" || fail "the revision has gone on" "$revision, $(counter datastore_revision)"
# ---- another process writes, on a slow disk: its write is noticed before its commit is there, and nothing tells of the commit
$client put $sock own 1 >/dev/null
slow() { # writes NAME, 100 ms a sync; ms from the commit until typhad knows
	LD_PRELOAD=$BUILD/test/integration/powerloss.so ASAN_OPTIONS=verify_asan_link_order=0 SLOW_FSYNC_MS=100 \
		$BUILD/calicoctl/calicoctl --datastore $ds apply -f - >/dev/null <<-E
		{"apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkSet", "metadata": {"name": "$1"}, "spec": {}}
	E
	_begin=$(date +%s%N)
	wait_for 10 $client get $sock "$1"
	echo $((($(date +%s%N) - _begin) / 1000000))
}
took=$(slow slow1)
[ "$took" -lt 600 ] && ok "typhad knows it $took ms later" || fail "typhad knows what another process wrote" "$took ms"

out=$(on a $ctl restore $W/nothing 2>&1) && fail "a backup that is not there" || ok "a backup that is not there is told"
stop a typhad

# ---- damage: told at start, the file left, the way out works
start a typhad --datastore-path $ds # so that there is no -wal when it stops
wait_for 10 $client get $sock end
last=$($client put $sock lost 1)
stop a typhad
size=$(stat -c %s $ds)
dd if=/dev/urandom of=$ds bs=4096 seek=$((size / 8192)) count=4 conv=notrunc 2>/dev/null
sum=$(sha256sum $ds)
out=$(timeout 10 "$BUILD/typhad/typhad" --run-dir /run/n/a --datastore-path $ds 2>&1) && fail "a damaged datastore is refused" "it was taken"
case $out in *"the datastore '$ds' is damaged"*"datastore restore"*) ok "a damaged datastore is refused, and what to do is said" ;; *) fail "a damaged datastore is refused" "$out" ;; esac
expect "it is left as it was" "$sum" "$(sha256sum $ds)"
out=$("$BUILD/calicoctl/calicoctl" datastore backup --datastore $ds $W/no 2>&1) && fail "it is not backed up" "$out" || ok "it is not backed up"
mkdir $W/damaged
mv $ds* $W/damaged
check "the backup is restored where it was" "$BUILD/calicoctl/calicoctl" datastore restore --datastore $ds $W/backup
start a typhad --datastore-path $ds
wait_for 10 $client get $sock end
expect "typhad serves it" "backed-up" "$($client get $sock end | cut -d' ' -f1)"
[ "$(counter datastore_revision)" -gt "$last" ] && ok "and no revision is used twice" || fail "no revision is used twice" "$last, $(counter datastore_revision)"

# ---- what goes by itself
expect "nothing has expired yet" 0 "$(counter datastore_expired)"
$client put $sock goes 1 0 2 >/dev/null
$client put $sock stays 1 0 2 >/dev/null
$client put $sock stays 2 >/dev/null
check "an object with two seconds to live" $client get $sock goes
stop a typhad KILL
start a typhad --datastore-path $ds
wait_for 10 $client get $sock stays
gone() { [ "$($client list $sock | grep -c '^goes')" = 0 ]; }
wait_for 10 gone && ok "goes by itself, though typhad was killed meanwhile"
expect "one that was written again stays" 2 "$($client get $sock stays | cut -d' ' -f1)"
log_has() { sqlite3 $ds "SELECT count(*) FROM change WHERE deleted AND key LIKE '%/goes'"; }
expect "its end is a deletion like any other" 1 "$(log_has)"
stop a typhad

# ---- a wall clock that jumps
log_size() { sqlite3 $ds 'SELECT count(*) FROM change'; }
echo 0 >$W/skew
LD_PRELOAD=$BUILD/test/integration/clockskew.so ASAN_OPTIONS=verify_asan_link_order=0 CLOCKSKEW=$W/skew TYPHA_DATASTOREKEEPSECONDS=600 \
	start a typhad --datastore-path $ds
wait_for 10 $client put $sock stays 1 0 1000
[ "$(log_size)" -gt 3000 ] || fail "there is history" "$(log_size) changes"
revision=$($client put $sock before 1)
expired=$(counter datastore_expired)
echo 86400 >$W/skew # a day ahead
$client put $sock after 1 >/dev/null
year() { sqlite3 $ds "SELECT substr(json_extract(value, '\$.metadata.creationTimestamp'), 1, 10) FROM object WHERE key LIKE '%/after'"; }
expect "typhad's clock has jumped" "$(date -u -d '+1 day' +%F)" "$(year)"
small() { $client put $sock tick 1 >/dev/null && [ "$(log_size)" -lt 100 ]; }
wait_for 10 small && ok "a clock that jumps ahead costs the history of the log"
check "and no object its life" $client get $sock stays
expect "none has expired" "$expired" "$(counter datastore_expired)"
echo -86400 >$W/skew # two days back
[ "$($client put $sock back 1)" -gt "$revision" ] && ok "after one that jumps back revisions go on"
$client put $sock goes 1 0 1 >/dev/null
wait_for 10 gone && ok "and what has a second to live goes when it has passed"
check "while the others stay" $client get $sock stays
stop a typhad

# ---- a typhad that sleeps while others change and compact: it reads everything again, and tells what differs
start a typhad --datastore-path $ds
wait_for 10 $client put $sock end asleep
$client watchers $sock 3 awake >$W/digest &
watchers=$!
three() { [ "$(counter watchers)" = 3 ]; }
wait_for 10 three
updates=$(counter updates) there=$($client list $sock | grep -c '^big')
kill -STOP "$(pid_of a typhad)"
sqlite3 $ds <<'S'
BEGIN;
CREATE TEMP TABLE gone AS SELECT key FROM object WHERE key LIKE '%/globalnetworksets/big77%';
INSERT INTO change SELECT (SELECT max(revision) FROM change) + rowid, key, 1 FROM gone;
DELETE FROM object WHERE key IN (SELECT key FROM gone);
INSERT INTO change SELECT max(revision) + 1, (SELECT key FROM object WHERE key LIKE '%/end'), 0 FROM change;
UPDATE object SET modified = (SELECT max(revision) FROM change), value = replace(value, '"v":"asleep"', '"v":"awake"') WHERE key LIKE '%/end';
UPDATE meta SET compacted = (SELECT max(revision) - 1 FROM change);
DELETE FROM change WHERE revision <= (SELECT compacted FROM meta);
COMMIT;
S
kill -CONT "$(pid_of a typhad)"
wait $watchers && ok "a typhad that slept through a compaction reads everything again" || fail "a typhad that slept through a compaction" "$(cat $W/digest)"
expect "what went meanwhile is gone" $((there - 11)) "$($client list $sock | grep -c '^big')"
expect "and it tells the true differences" 12 $(($(counter updates) - updates))
stop a typhad

# ---- no room for a backup, none for what is restored
mkdir $W/small
mount -t tmpfs -o size=400k tmpfs $W/small
out=$("$BUILD/calicoctl/calicoctl" datastore backup --datastore $ds $W/small/backup 2>&1) && fail "a backup without room is refused" "$out" ||
	case $out in *"no space"*) ok "a backup without room is refused" ;; *) fail "a backup without room is refused" "$out" ;; esac
expect "and nothing is left of it" "" "$(ls -A $W/small)"
mount -o remount,size=1500k $W/small
start a typhad --datastore-path $W/small/datastore.db
wait_for 10 $client put $sock kept 1
revision=$(counter datastore_revision)
out=$(on a $ctl restore --force $W/backup 2>&1) && fail "a restore without room is refused" "$out" ||
	case $out in *"no space"*) ok "a restore without room is refused" ;; *) fail "a restore without room is refused" "$out" ;; esac
expect "whole" "$revision 1" "$(counter datastore_revision) $($client list $sock | grep -vc '^big')"
mount -o remount,size=64m $W/small
check "with room it is done" on a $ctl restore --force $W/backup
restored() { [ "$($client list $sock | grep -c '^big')" = 3000 ]; }
wait_for 10 restored && ok "and typhad has it all"
stop a typhad

# ---- a file system that is read-only
mkdir $W/ro
mount -t tmpfs tmpfs $W/ro
cp $W/backup $W/ro/datastore.db
mount -o remount,ro $W/ro
out=$(timeout 10 "$BUILD/typhad/typhad" --run-dir /run/n/a --datastore-path $W/ro/datastore.db 2>&1) && fail "one that cannot be written is refused" ||
	case $out in *"'$W/ro/datastore.db'"*) ok "one that cannot be written is refused in a sentence" ;; *) fail "read-only at start" "$out" ;; esac
