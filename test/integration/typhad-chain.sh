#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Typhads fed by typhads: whatever befalls the upstreams, the clients of a node's own typhad notice nothing: each change once, in order, none lost, none
# taken back; what they write is written, and read by them at once.
#
#     e (etcd) --- u1, u2 (typhad, TCP with mutual TLS) --- n1, n2 (typhad fed by u1 or u2; writers, watchers)
. "$(dirname "$0")/lib.sh"
client=$BUILD/test/integration/typhad_client
sock() { echo "/run/n/$1/typhad/api.sock"; }
counter() { $client counter "/run/n/$1" "$2"; }
status_is() { case $(counter "$1" status) in $2) ;; *) counter "$1" status; return 1 ;; esac }
upstream_of() { $client dump "/run/n/$1" datastore | sed -n 's/.*"path":"\([^"]*\)".*/\1/p'; }
fed_by() { upstream_of "$1"; case $(upstream_of "$1") in *.$2.*) [ "$(counter "$1" datastore_away)" = 0 ] ;; *) return 1 ;; esac } # N 1|2
value_is() { [ "$($client get "$(sock "$1")" "$2" 2>/dev/null | cut -d' ' -f1)" = "$3" ]; }
web() { _node=$1; shift; on "$_node" python3 "$TOP/test/integration/web.py" "$@"; }

for n in e u1 u2 n1 n2; do node $n; done
wire e u1 10.9.1.0/30; wire e u2 10.9.2.0/30
wire n1 u1 10.1.1.0/30; wire n1 u2 10.1.2.0/30
wire n2 u1 10.2.1.0/30; wire n2 u2 10.2.2.0/30

pki() { # NAME CN: a key and a certificate by the CA
	openssl req -newkey rsa:2048 -nodes -keyout $W/$1.key -out $W/$1.csr -subj "/CN=$2" 2>/dev/null &&
		openssl x509 -req -in $W/$1.csr -CA $W/ca.crt -CAkey $W/ca.key -CAcreateserial -days 2 -out $W/$1.crt 2>/dev/null
}
openssl req -x509 -newkey rsa:2048 -nodes -keyout $W/ca.key -out $W/ca.crt -subj /CN=ca -days 2 2>/dev/null
pki server typha-server; pki client typha-client

etcd_start() { # DATA
	nsenter --net=/run/netns/e etcd --name e --data-dir $1 --listen-client-urls http://0.0.0.0:2379 --advertise-client-urls http://10.9.1.1:2379 \
		--initial-cluster e=http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 --listen-peer-urls http://127.0.0.1:2380 \
		--logger zap >>$W/etcd.log 2>&1 &
	echo $! >$W/etcd.pid
}
etcd_start $W/etcd
upstream() { # N
	TYPHA_DATASTORETYPE=etcdv3 TYPHA_ETCDENDPOINTS=http://10.9.${1#u}.1:2379 TYPHA_SERVERKEYFILE=$W/server.key TYPHA_SERVERCERTFILE=$W/server.crt \
		TYPHA_CAFILE=$W/ca.crt TYPHA_CLIENTCN=typha-client start $1 typhad
}
downstream() { # N [CN]
	TYPHA_UPSTREAMADDRS=10.${1#n}.1.2,10.${1#n}.2.2:5473 TYPHA_TYPHAKEYFILE=$W/client.key TYPHA_TYPHACERTFILE=$W/client.crt TYPHA_TYPHACAFILE=$W/ca.crt \
		TYPHA_TYPHACN=${2:-typha-server} TYPHA_TYPHAREADTIMEOUT=2 TYPHA_HEALTHENABLED=true TYPHA_HEALTHHOST=127.0.0.1 start $1 typhad --datastore-type typha
}

# ---- no upstream yet; the wrong one; the right ones
downstream n1
wait_for 10 status_is n1 "waiting for the datastore: *" && ok "without an upstream it waits, and says why"
expect "and is alive" 200 "$(web n1 9098 /liveness | sed -n 1p)"
expect "but not ready" 503 "$(web n1 9098 /readiness | sed -n 1p)"
upstream u1; upstream u2
for n in u1 u2; do wait_for 20 status_is $n serving; done
wait_for 10 status_is n1 serving && ok "it serves as soon as one is there"
wait_for 5 sh -c "[ \"\$(nsenter --net=/run/netns/n1 python3 $TOP/test/integration/web.py 9098 /readiness | sed -n 1p)\" = 200 ]" && ok "and is ready"
downstream n2 somebody-else
wait_for 10 status_is n2 "*typha-server*somebody-else*" && ok "an upstream with another name is refused, and both names are said"
stop n2 typhad
downstream n2
wait_for 10 status_is n2 serving

# ---- write-through: revision, error, words and object are those of the datastore
rev=$($client create $(sock n1) one 1 | cut -d' ' -f2)
expect "what is written below stands above" "1 $rev" "$($client get $(sock u1) one)"
expect "'already exists' has the words and the object of above" "$($client create $(sock u2) one 2)" "$($client create $(sock n1) one 2)"
$client update $(sock n1) one 2 $rev >/dev/null || fail "a swap"
expect "a conflict, too" "$($client update $(sock u1) one 3 $rev)" "$($client update $(sock n2) one 3 $rev)"
case $($client update $(sock n2) one 3 $rev) in conflict:*) ok "it is one" ;; *) fail "a conflict" "$($client update $(sock n2) one 3 $rev)" ;; esac
expect "so has 'not found'" "$($client del $(sock u1) nobody)" "$($client del $(sock n1) nobody)"
missed=0
for i in $(seq 100); do
	r=$($client put $(sock n1) own $i)
	[ "$($client get $(sock n1) own)" = "$i $r" ] || missed=$((missed + 1))
done
expect "who has the answer reads what he wrote, 100 times" 0 $missed
$client del $(sock n1) own
expect "and that it is gone" "not found" "$($client get $(sock n1) own | cut -d: -f1)"

check "a backup is made of etcd" on e env ETCDCTL_API=3 etcdctl --endpoints http://127.0.0.1:2379 snapshot save $W/backup

# ---- watchers and writers on both nodes, while upstreams are killed, stopped and cut off
for n in 1 2; do
	$client follow $(sock n$n) >$W/seen.$n &
	echo $! >$W/follow.$n.pid
	$client writer $(sock n$n) $n 3600 $W/record.$n &
	echo $! >$W/writer.$n.pid
done
promises() { cat $W/record.* 2>/dev/null | grep -vc ' ! '; }
more() { [ "$(promises)" -gt $((base + 200)) ]; }
go_on() { base=$(promises); wait_for 20 more || fail "writers get on: $1"; }
go_on "at the beginning"
for round in 1 2 3; do
	for u in 1 2; do
		other=$((3 - u))
		stop u$u typhad KILL
		for n in 1 2; do wait_for 10 fed_by n$n $other || fail "n$n goes to u$other after kill -9"; done
		go_on "after u$u was killed"
		upstream u$u
		wait_for 20 status_is u$u serving
	done
done
ok "six times kill -9: the other one takes over"
for u in 1 2; do
	other=$((3 - u))
	# both are brought to u
	stop u$other typhad KILL
	for n in 1 2; do wait_for 10 fed_by n$n $u; done
	upstream u$other
	wait_for 20 status_is u$other serving
	go_on "all on u$u"
	kill -STOP $(pid_of u$u typhad)
	for n in 1 2; do wait_for 10 fed_by n$n $other || fail "n$n leaves u$u, which is stopped"; done
	go_on "while u$u is stopped"
	kill -CONT $(pid_of u$u typhad)
done
ok "an upstream that is stopped is left"
for u in 2 1; do
	other=$((3 - u))
	stop u$other typhad KILL
	for n in 1 2; do wait_for 10 fed_by n$n $u; done
	upstream u$other
	wait_for 20 status_is u$other serving
	for n in 1 2; do ip -n n$n link set u$u down; done
	for n in 1 2; do wait_for 10 fed_by n$n $other || fail "n$n leaves u$u, which is cut off"; done
	go_on "while u$u is cut off"
	for n in 1 2; do ip -n n$n link set u$u up; done
done
ok "an upstream that is cut off is left"
stop u1 typhad
for n in 1 2; do wait_for 10 fed_by n$n 2 || fail "n$n goes to u2 when u1 is stopped cleanly"; done
go_on "after u1 had stopped"
ok "an upstream that stops is left"
upstream u1
wait_for 20 status_is u1 serving

# ---- one that is behind: nothing goes back
stop u1 typhad KILL
for n in 1 2; do wait_for 10 fed_by n$n 2; done
upstream u1
wait_for 20 status_is u1 serving
stop u2 typhad KILL # both are on u1 now
for n in 1 2; do wait_for 10 fed_by n$n 1; done
upstream u2
wait_for 20 status_is u2 serving
ip -n e link set u2 down # u2 lives, and hears nothing any more
go_on "on u1, while u2 hears nothing"
stop u1 typhad KILL
wait_for 10 status_is n1 "serving what is known: *is behind: it knows revision*" && ok "an upstream that is behind is waited for, and it is said"
expect "reads go on" 2 "$($client get $(sock n1) one | cut -d' ' -f1)"
expect "readiness says it" 503 "$(web n1 9098 /readiness | sed -n 1p)"
case $(web n1 9098 /readiness) in *datastore*"is behind"*) ok "with the reason" ;; *) fail "with the reason" "$(web n1 9098 /readiness)" ;; esac
left() { [ "$(counter n1 upstreams_left_behind)" -gt 0 ]; }
wait_for 10 left && ok "but not for ever: it is left for the next"
ip -n e link set u2 up
wait_for 30 fed_by n1 2 && wait_for 30 status_is n1 serving && ok "when it has caught up it feeds"
wait_for 30 status_is n2 serving
go_on "on u2"
upstream u1
wait_for 20 status_is u1 serving

# ---- the end: what was seen, against what was promised and what is there
for n in 1 2; do kill -TERM $(cat $W/writer.$n.pid); done
for n in 1 2; do wait $(cat $W/writer.$n.pid) || fail "writer $n ends cleanly"; done
$client put $(sock n1) end 1 >/dev/null
for n in 1 2; do wait_for 10 grep -q '^+ end 1' $W/seen.$n || fail "watcher $n sees the end"; done
cat >$W/order.awk <<'A'
$1 == "snapshot" { snapshots++; next }
$1 == "closed" { print "closed"; bad++ }
$1 == "+" {
	if (($2 in last) && $4 <= last[$2]) { print "again or back: " $0 " after " last[$2]; bad++ }
	last[$2] = $4; value[$2] = $3; n++
}
# Made and removed again before anybody could be told: the removal is told a second time.
$1 == "-" {
	if ($3 < last[$2]) { print "removed in the past: " $0 " after " last[$2]; bad++ }
	delete value[$2]; n++
}
END {
	if (snapshots != 1) { print snapshots " snapshots"; bad++ }
	for (k in value) print k, value[k], last[k] | "sort >" final
	print n " events, " bad + 0 " wrong"
	exit bad > 0
}
A
for n in 1 2; do
	out=$(awk -v final=$W/final.$n -f $W/order.awk $W/seen.$n) && ok "watcher $n: one connection, one snapshot, each change once and in order: $(echo "$out" | tail -n 1)" ||
		fail "watcher $n" "$(echo "$out" | tail -n 20)"
	$client list $(sock u1) | sort >$W/truth
	cmp -s $W/final.$n $W/truth && ok "watcher $n believes what is" || fail "watcher $n believes what is" "$(diff $W/final.$n $W/truth | head)"
	expect "and so does its typhad" "$(cat $W/truth)" "$($client list $(sock n$n) | sort)"
done
cat >$W/judge.awk <<'A'
FNR == NR { value[$1] = $2; next }
$2 == "!" { may[$1] = may[$1] " " $3 " "; next }
{ may[$1] = " " $2 " "; kept[$1] = 1; promised++ }
END {
	for (n in may) {
		seen = (n in value) ? value[n] : "deleted"
		if (index(may[n], " " seen " ") || (seen == "deleted" && !(n in kept))) continue
		print n " is " seen ", may be" may[n]; bad++
	}
	print promised + 0 " promises, " bad + 0 " broken"
	exit bad > 0
}
A
cat $W/record.1 $W/record.2 >$W/record
out=$(awk -f $W/judge.awk $W/truth $W/record) && ok "no promise is broken: $(echo "$out" | tail -n 1)" || fail "no promise is broken" "$(echo "$out" | tail -n 20)"
expect "no answer came before its change" 0 "$(counter n1 writes_answered_unseen)"

# ---- a circle: x is fed by u1, y by x, and then x would be by y
node x; wire x u1 10.3.1.0/30; node y
circle() { TYPHA_TYPHAKEYFILE=$W/client.key TYPHA_TYPHACERTFILE=$W/client.crt TYPHA_TYPHACAFILE=$W/ca.crt TYPHA_TYPHACN=typha-server TYPHA_TYPHAREADTIMEOUT=2 \
	start "$@" --datastore-type typha; }
# Of the two addresses of its name, nobody is at one.
{ cat /etc/hosts; echo "127.0.0.9 typhas.example"; echo "10.3.1.2 typhas.example"; } >$W/hosts
mount --bind $W/hosts /etc/hosts
circle x typhad --upstream unix:/run/n/y/typhad/api.sock,typhas.example
wait_for 10 status_is x serving && ok "a name with several addresses"
circle y typhad --upstream /run/n/x/typhad/api.sock
wait_for 10 status_is y serving && ok "a chain of three"
$client put $(sock y) far 1 >/dev/null
expect "through which is written and read" 1 "$($client get $(sock u2) far | cut -d' ' -f1)"
ip -n x link set u1 down
in_circle() { [ "$(counter x upstreams_fed_by_us)" -gt 0 ]; }
wait_for 10 in_circle && ok "who is fed by us does not feed us"
expect "what is known is still served" 1 "$($client get $(sock y) far | cut -d' ' -f1)"
ip -n x link set u1 up
wait_for 20 status_is x serving && ok "the way back is found"
$client put $(sock u1) far 2 >/dev/null
wait_for 10 value_is y far 2 && ok "and news come through it"

# ---- the datastore goes back in time, which nobody below would believe of an upstream alone
$client put $(sock n1) one 9 >/dev/null
kill -KILL $(cat $W/etcd.pid)
wait $(cat $W/etcd.pid) 2>/dev/null
check "the backup is restored" on e env ETCDCTL_API=3 etcdctl snapshot restore $W/backup --name e --initial-cluster e=http://127.0.0.1:2380 \
	--initial-advertise-peer-urls http://127.0.0.1:2380 --data-dir $W/etcd2
etcd_start $W/etcd2
for n in u1 u2 n1 n2 x y; do wait_for 30 value_is $n one 2 || fail "$n has what was restored"; done
ok "everyone has what was restored"
for n in n1 x y; do expect "$n has nothing else" "$($client list $(sock u1))" "$($client list $(sock $n))"; done
[ "$(counter n1 datastore_rewinds)" -ge 1 ] && ok "and knows that it is older" || fail "n1 knows that it is older" "$(counter n1 datastore_rewinds)"
$client put $(sock y) one 3 >/dev/null
for n in n1 n2 u2; do wait_for 20 value_is $n one 3 || fail "$n hears of what is new"; done
ok "writes and news go on from there"
for n in y x n1 n2 u1 u2; do stop $n typhad; done
