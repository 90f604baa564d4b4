#!/bin/sh
# What typhad has acknowledged survives kill -9, however often and in the midst of whatever: four writers create, change and delete and keep a record of what
# they were promised, while typhad is killed and started again.            a: typhad, writers
. "$(dirname "$0")/lib.sh"
KILLS=${KILLS:-25}
client=$BUILD/test/integration/typhad_client
sock=/run/n/a/typhad/api.sock
node a
run_typhad() { start a typhad --datastore-path $W/ds/datastore.db; }
run_typhad
wait_for 10 $client put $sock warm 1 || fail "typhad starts"

for i in 1 2 3 4; do
	$client writer $sock $i 600 $W/promised.$i &
	echo $! >$W/writer.$i.pid
done
killed=0
while [ $killed -lt "$KILLS" ]; do
	before=$(cat $W/promised.* 2>/dev/null | wc -l)
	more() { [ "$(cat $W/promised.* 2>/dev/null | wc -l)" -gt $((before + 200)) ]; }
	wait_for 20 more || { fail "writers get on after kill $killed"; break; }
	stop a typhad KILL
	killed=$((killed + 1))
	run_typhad
done
[ $killed = "$KILLS" ] && ok "killed $killed times under load"
wait_for 10 $client put $sock warm 2
for i in 1 2 3 4; do kill -TERM "$(cat $W/writer.$i.pid)"; done # they wait for what is under way
for i in 1 2 3 4; do wait "$(cat $W/writer.$i.pid)" || fail "writer $i ends cleanly"; done
stop a typhad KILL
run_typhad
wait_for 10 $client get $sock warm

# A line of the record is "name value" (promised), or "name ? value" (perhaps). What is there must be the last promise or a later perhaps.
$client list $sock >$W/there
cat $W/promised.* >$W/promised
awk '
	FNR == NR { value[$1] = $2; next }
	$2 == "?" { may[$1] = may[$1] " " $3 " "; next }
	{ may[$1] = " " $2 " "; kept[$1] = 1; promised++ }
	END {
		for (n in may) {
			seen = (n in value) ? value[n] : "deleted"
			objects++
			if (index(may[n], " " seen " ") || (seen == "deleted" && !(n in kept))) continue
			print n " is " seen ", promised was" may[n]; bad++
		}
		print promised + 0 " promises for " objects + 0 " objects, " bad + 0 " broken"
		exit bad > 0 || promised < 5000
	}' $W/there $W/promised >$W/verdict && ok "no acknowledged write is lost: $(tail -n 1 $W/verdict)" ||
	fail "no acknowledged write is lost" "$(tail -n 20 $W/verdict)"
expect "the datastore is whole" ok "$(sqlite3 $W/ds/datastore.db 'PRAGMA integrity_check')"
# Revisions never go back and never repeat.
expect "each change has a revision of its own" 0 \
	"$(sqlite3 $W/ds/datastore.db 'SELECT count(*) FROM object WHERE modified > (SELECT max(revision) FROM change)')"
