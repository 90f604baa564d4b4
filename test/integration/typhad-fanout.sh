#!/bin/sh
# 150 watchers are told the same by one typhad; each update is packed once, however many there are; one who does not read delays nobody, costs
# little, and ends up with the same picture.        a: typhad; b: a second node that reaches it through a symbolic link
. "$(dirname "$0")/lib.sh"
client=$BUILD/test/integration/typhad_client
sock=/run/n/a/typhad/api.sock
node a; node b
start a typhad --datastore-path $W/datastore.db
wait_for 10 $client fill $sock before 500 200

mkdir -p /run/n/b/typhad
ln -s $sock /run/n/b/typhad/api.sock
check "a symbolic link in another node's run directory leads to it" $client get /run/n/b/typhad/api.sock before1

counter() { $client counter /run/n/a "$1"; }
rss() { awk '/VmRSS/ { print $2 }' "/proc/$(pid_of a typhad)/status"; }

# ---- many
$client watchers $sock 150 1 >$W/many &
many=$!
watching() { [ "$(counter watchers)" -ge "$1" ]; }
wait_for 20 watching 150
packed=$(counter updates_packed) updates=$(counter updates) sent=$(counter updates_sent)
$client fill $sock more 1000 200 >/dev/null
$client fill $sock before 250 100 >/dev/null
for i in 1 2 3 4 5; do $client del $sock more$i; done
$client put $sock end 1 >/dev/null
wait $many
expect "150 watchers end with one and the same picture" "1 done=150 objects=1496" \
	"$(sed 's/ [0-9a-f]\{16\}//' $W/many)"
packed=$(($(counter updates_packed) - packed)) updates=$(($(counter updates) - updates)) sent=$(($(counter updates_sent) - sent))
expect "1256 updates were packed 1256 times" "1256 1256" "$updates $packed"
[ $sent -ge $((150 * 1200)) ] && ok "and sent $sent times" || fail "and sent to all" "sent $sent"
wait_for 10 watching 0
expect "no tombstone is kept for nobody" 0 "$(counter tombstones)"

# ---- one who sleeps while 60 MB of changes go by
before=$(rss)
$client sleepy $sock 100000 2 >$W/sleepy & # woken below
sleepy=$!
wait_for 10 watching 1
$client watchers $sock 20 2 >$W/awake &
awake=$!
wait_for 10 watching 21
for round in 1 2 3 4 5 6; do $client fill $sock large 1000 10000 >/dev/null; done
for i in 10 11 12 13; do $client del $sock more$i; done
$client put $sock end 2 >/dev/null
wait $awake && ok "the others are not delayed by one who sleeps" || fail "the others are not delayed by one who sleeps" "$(cat $W/awake)"
grown=$(($(rss) - before))
[ "${SAN:-0}" = 1 ] && grown=0 # a sanitizer keeps what was freed
[ $grown -lt 40000 ] && ok "10 MB of objects, changed six times, cost $grown kB while one sleeps" ||
	fail "memory stays bounded while one sleeps" "grown by $grown kB"
$client dump /run/n/a clients >$W/clients
check "the dump shows who is slow" grep -q '"program":"sleepy".*"slow":true' $W/clients
kill -USR1 $sleepy
wait $sleepy && ok "the sleeper wakes and catches up" || fail "the sleeper wakes and catches up" "$(cat $W/sleepy)"
expect "to the same picture" "$(awk '{ print $2 }' $W/awake)" "$(awk '{ print $1 }' $W/sleepy)"
updates=$(awk '{ print $2 }' $W/sleepy)
[ "$updates" -lt 6000 ] && ok "with $updates updates where 7500 happened" || fail "with fewer updates than happened" "$updates"

# ---- one who sleeps until deletions have been forgotten: a new snapshot says what is gone
stop a typhad
start a typhad --datastore-path $W/mortal.db
wait_for 10 $client fill $sock mortal 9000 2000
$client sleepy $sock 100000 3 >$W/sleepy &
sleepy=$!
stalled() { $client dump /run/n/a clients | grep -q '"program":"sleepy".*"slow":true'; }
wait_for 10 stalled
$client drain $sock mortal 9000 >/dev/null
[ "$(counter tombstones)" -le 8192 ] && ok "the memory of deletions is bounded" || fail "tombstones" "$(counter tombstones)"
$client put $sock end 3 >/dev/null
kill -USR1 $sleepy
wait $sleepy && ok "who slept through 9000 deletions wakes" || fail "who slept through 9000 deletions wakes" "$(cat $W/sleepy)"
expect "is given a second snapshot" 2 "$(awk '{ print $3 }' $W/sleepy)"
expect "which is counted" 1 "$(counter snapshots_for_laggards)"
$client watchers $sock 1 3 >$W/fresh
expect "and ends with the picture of one who has just come" "$(awk '{ print $2 }' $W/fresh)" "$(awk '{ print $1 }' $W/sleepy)"
stop a typhad
