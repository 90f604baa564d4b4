#!/bin/sh
# What typhad has acknowledged survives kill -9 and the loss of power, however often and in the midst of whatever: four writers create, change and delete
# and keep a record of what they ask for and what they are promised, while typhad is killed at random instants and started again. After each kill what lies
# on the disk is looked at: as it is, and as it could be if the power had gone, that is with any part of what was not yet synced missing. 20 kills; 200 with
# LONG=1.            a: typhad, writers
. "$(dirname "$0")/lib.sh"
[ -z "${LONG:-}" ] || KILLS=${KILLS:-200}
KILLS=${KILLS:-20}
client=$BUILD/test/integration/typhad_client
sock=/run/n/a/typhad/api.sock
ds=$W/ds/datastore.db
mkdir $W/ds $W/synced
node a
run_typhad() {
	# Compaction and checkpoints shall be hit, too: a short log.
	LD_PRELOAD=$BUILD/test/integration/powerloss.so ASAN_OPTIONS=verify_asan_link_order=0 POWERLOSS_FROM=$W/ds POWERLOSS_TO=$W/synced \
		TYPHA_DATASTOREKEEPCHANGES=500 start a typhad --datastore-path $ds
}
run_typhad
wait_for 10 $client put $sock warm 1 || fail "typhad starts"

# What the disk may hold after a loss of power: each sector of each file as it was synced, or as it was written since.
cat >$W/lose.py <<'P'
import os, random, sys
synced, live, out, seed = sys.argv[1:5]
rnd = random.Random(int(seed))
share = rnd.choice([0, 0, 0.1, 0.5, 0.9])
for name in ("datastore.db", "datastore.db-wal"):
    a = open(synced + "/" + name, "rb").read() if os.path.exists(synced + "/" + name) else b""
    b = open(live + "/" + name, "rb").read() if os.path.exists(live + "/" + name) else b""
    size = rnd.choice([len(a), len(b)]) if share else len(a)
    image = bytearray(a[:size].ljust(size, b"\0"))
    for at in range(0, size, 512):
        if rnd.random() < share:
            piece = b[at:at + 512]
            image[at:at + len(piece)] = piece
    open(out + "/" + name, "wb").write(image[:size])
P

# A line of a record is "name ! value" (asked for) or "name value" (promised). What is there must be the last promise, or what was asked for since.
cat >$W/judge.awk <<'A'
FNR == NR { value[$1] = $2; next }
$2 == "!" { may[$1] = may[$1] " " $3 " "; next }
{ may[$1] = " " $2 " "; kept[$1] = 1; promised++ }
END {
	for (n in may) {
		seen = (n in value) ? value[n] : "deleted"
		objects++
		if (index(may[n], " " seen " ") || (seen == "deleted" && !(n in kept))) continue
		print n " is " seen ", may be" may[n]; bad++
	}
	print promised + 0 " promises for " objects + 0 " objects, " bad + 0 " broken"
	exit bad > 0
}
A

image_is_good() { # DIRECTORY RECORD: whole, every change in the log once, no promise broken
	sqlite3 $1/datastore.db >$1/seen <<'S' || return 1
PRAGMA integrity_check;
SELECT 'a revision without its change: ' || key FROM object
	WHERE modified > (SELECT compacted FROM meta) AND NOT EXISTS (SELECT 1 FROM change c WHERE c.revision = modified AND c.key = object.key);
SELECT 'a change without its object: ' || key FROM change c WHERE NOT deleted
	AND revision = (SELECT max(revision) FROM change d WHERE d.key = c.key)
	AND NOT EXISTS (SELECT 1 FROM object o WHERE o.key = c.key AND o.modified = c.revision);
SELECT 'deleted, and yet there: ' || key FROM change c WHERE deleted AND key != ''
	AND revision = (SELECT max(revision) FROM change d WHERE d.key = c.key) AND EXISTS (SELECT 1 FROM object o WHERE o.key = c.key);
SELECT 'a gap in the log' FROM (SELECT max(revision) - min(revision) + 1 AS wanted, count(*) AS there FROM change) WHERE wanted != there;
S
	[ "$(cat $1/seen)" = ok ] || { cat $1/seen; return 1; }
	sqlite3 -separator ' ' $1/datastore.db "SELECT replace(key, rtrim(key, replace(key, '/', '')), ''),
		json_extract(value, '\$.metadata.annotations.v') FROM object WHERE key LIKE '%/globalnetworksets/w%'" >$1/values || return 1
	awk -f $W/judge.awk $1/values $2
}

for i in 1 2 3 4; do
	$client writer $sock $i 3600 $W/record.$i &
	echo $! >$W/writer.$i.pid
done
promises() { cat $W/record.* 2>/dev/null | grep -vc ' ! '; }
killed=0 bad=0
while [ $killed -lt "$KILLS" ]; do
	before=$(promises)
	more() { [ "$(promises)" -gt $((before + 150)) ]; }
	wait_for 20 more || { fail "writers get on after kill $killed"; break; }
	sleep "0.0$(shuf -i 10-59 -n 1)" # an instant that nothing else chooses
	stop a typhad KILL
	killed=$((killed + 1))
	for image in killed unpowered; do
		rm -rf $W/image
		mkdir $W/image
		if [ $image = killed ]; then
			cp $ds $ds-wal $W/image
		else
			python3 $W/lose.py $W/synced $W/ds $W/image $killed
		fi
		cat $W/record.* >$W/record
		out=$(image_is_good $W/image $W/record 2>&1) || { bad=$((bad + 1)); fail "after kill $killed, the image '$image' is good" "$(echo "$out" | tail -n 20)"; }
	done
	run_typhad
done
[ $killed = "$KILLS" ] && ok "killed $killed times under load"
[ $bad = 0 ] && ok "what was on the disk was whole each time, with and without power; at last: $(echo "$out" | tail -n 1)"
[ "$(promises)" -gt 2500 ] && ok "and there was something to lose" || fail "there was something to lose" "$(promises) promises"
wait_for 10 $client put $sock warm 2
for i in 1 2 3 4; do kill -TERM "$(cat $W/writer.$i.pid)"; done # they wait for what is under way
for i in 1 2 3 4; do wait "$(cat $W/writer.$i.pid)" || fail "writer $i ends cleanly"; done
stop a typhad KILL
run_typhad
wait_for 10 $client get $sock warm
$client list $sock >$W/there
cat $W/record.* >$W/record
out=$(awk -f $W/judge.awk $W/there $W/record) && ok "no acknowledged write is lost: $(echo "$out" | tail -n 1)" || fail "no acknowledged write is lost" "$(echo "$out" | tail -n 20)"
[ "$(sqlite3 $ds 'SELECT compacted FROM meta')" -gt 1000 ] && ok "the log was compacted meanwhile" || fail "the log was compacted meanwhile"

# What a killed process leaves behind is taken over: the -wal by the next one, and a -shm of nonsense, too.
stop a typhad KILL
[ -s $ds-wal ] && ok "a killed typhad leaves a -wal file" || fail "a killed typhad leaves a -wal file"
head -c 32768 /dev/urandom >$ds-shm
run_typhad
wait_for 10 $client get $sock warm && ok "the next one goes on from it"
expect "with all that was there" "$(cat $W/there)" "$($client list $sock)"
stop a typhad
[ ! -e $ds-wal ] && ok "one that stops leaves the file alone" || fail "one that stops leaves the file alone" "$(ls -l $W/ds)"
expect "the datastore is whole" ok "$(sqlite3 $ds 'PRAGMA integrity_check')"
