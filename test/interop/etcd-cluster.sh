#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Three members of etcd are killed, stopped, cut off and robbed of their leadership at random while writers write, by the driver and through a typhad, and
# watches look at what comes: no update is lost, none told twice, none out of order.  SEED=N repeats a run's choices; LONG=1 goes on for longer.
#
#     c (typhad, writers, watches) 10.0.0.10 ---- sw (a bridge) ---- m1, m2, m3 (etcd) 10.0.0.1 .3
. "$(dirname "$0")/../integration/lib.sh"
. "$TOP/test/interop/etcd.inc"
SEED=${SEED:-$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')}
echo "# SEED=$SEED"
LONG=${LONG:-0}
[ "$LONG" = 0 ] && rounds=6 || rounds=${ROUNDS:-80}
node sw
ip -n sw link add name bridge0 type bridge
ip -n sw link set bridge0 up
plug() { # NODE ADDRESS
	node "$1"
	ip -n sw link add "$1" type veth peer name eth0 netns "$1"
	ip -n sw link set "$1" master bridge0 up
	ip -n "$1" addr add "$2/24" dev eth0
	ip -n "$1" link set eth0 up
}
plug c 10.0.0.10
for i in 1 2 3; do plug m$i 10.0.0.$i; done
member() { # I
	ETCD_ON=m$1 etcd_start m$1 --listen-client-urls http://10.0.0.$1:2379 --advertise-client-urls http://10.0.0.$1:2379 \
		--listen-peer-urls http://10.0.0.$1:2380 --initial-advertise-peer-urls http://10.0.0.$1:2380 --initial-cluster-state "${NEW:-existing}" \
		--initial-cluster m1=http://10.0.0.1:2380,m2=http://10.0.0.2:2380,m3=http://10.0.0.3:2380
}
NEW=new
for i in 1 2 3; do member $i; done
NEW=existing
export ETCD_ENDPOINTS=http://10.0.0.1:2379,http://10.0.0.2:2379,http://10.0.0.3:2379
ctl() { on c etcdctl --endpoints "$ETCD_ENDPOINTS" --command-timeout 3s "$@"; }
healthy() { ctl endpoint health; }
wait_for 20 healthy || { fail "three members come up"; exit 1; }

DATASTORE_TYPE=etcdv3 start c typhad
sock=/run/n/c/typhad/api.sock
wait_for 10 listening $sock || { fail "typhad serves"; exit 1; }
mkfifo $W/fifo
ETCD_CLIENT_VERBOSE=1 on c $client stress 6 6 "$SEED" -- $sock <$W/fifo >$W/stress.out 2>$W/stress.log &
stress=$!
exec 3>$W/fifo
wait_for 10 grep -qx running $W/stress.out || fail "writers run"

state=$SEED
chance() { # N: from 0 on
	state=$(((state * 1103515245 + 12345) & 0x7fffffff))
	drawn=$(((state >> 8) % $1))
}
pause() { # MILLISECONDS: writers go on meanwhile
	_until=$(($(date +%s%N) / 1000000 + $1))
	while [ "$(($(date +%s%N) / 1000000))" -lt $_until ]; do sleep 0.05; done
}
links() { ip -n sw link set dev "m$1" "$2"; }
deaf() { on "m$1" iptables -"$2" INPUT -s 10.0.0.10 -j DROP; }
round=0 done=
while [ $round -lt $rounds ]; do
	round=$((round + 1))
	chance 3; m=$((drawn + 1))
	if [ "$LONG" = 0 ]; then what=$round; else chance 7; what=$drawn; fi # the short run has one of each
	chance 2500; ms=$((500 + drawn))
	chance 4; [ $drawn -gt 0 ] || ms=$((ms + 10000))
	[ "$LONG" != 0 ] || ms=$((ms > 3000 ? 3000 : ms))
	case $what in
	1) done="$done killed:m$m"; etcd_stop m$m KILL; pause $ms; member $m ;;
	2) done="$done stopped:m$m"; etcd_stop m$m STOP; pause $((ms + 3000)); etcd_stop m$m CONT ;;
	3) done="$done cut-off:m$m"; links $m down; pause $((ms + 4000)); links $m up ;;
	4) done="$done deaf-to-clients:m$m"; deaf $m I; pause $((ms + 4000)); deaf $m D ;;
	5)
		done="$done leader-moved"
		# Names of members are not their numbers: the first one that is not the leader.
		leader=$(ctl endpoint status -w json 2>/dev/null | jq -r '.[0].Status.leader' 2>/dev/null)
		for e in 1 2 3; do
			to=$(on c etcdctl --endpoints http://10.0.0.$e:2379 endpoint status 2>/dev/null | cut -d, -f2 | tr -d ' ')
			for f in 1 2 3; do
				[ -z "$to" ] || on c etcdctl --endpoints http://10.0.0.$f:2379 --command-timeout 2s move-leader "$to" >/dev/null 2>&1 && break 2
			done
		done
		: "${leader:=}"
		pause 500 ;;
	*) # without a majority
		other=$((m % 3 + 1))
		done="$done stopped:m$m+m$other"
		etcd_stop m$m STOP; etcd_stop m$other STOP; pause $ms; etcd_stop m$m CONT; etcd_stop m$other CONT ;;
	esac
	chance 1000
	pause $((500 + drawn))
	kill -0 $stress 2>/dev/null || break
done
echo "# rounds:$done"
wait_for 30 healthy && ok "all members are healthy in the end"
echo >&3; exec 3>&-
wait $stress
rc=$?
grep -v running $W/stress.out | sed 's/^/# /'
expect "no update lost, none told twice, none out of order, none written twice" 0 $rc
acknowledged=$(sed -n 's/^acknowledged=\([0-9]*\).*/\1/p' $W/stress.out)
[ "${acknowledged:-0}" -gt 500 ] && ok "there was load" || fail "there was load" "acknowledged: ${acknowledged:-0}"
# Of three members each of the eight connections is with one, by chance.
grep -q 'connection to etcd lost' $W/stress.log $W/c.typhad.log || echo "# nobody was connected to a member that failed"
check "typhad is alive" alive c typhad
expect "it never had to read everything anew" 0 "$(on c "$BUILD/calicoctl/calicoctl" debug typhad health | jq -r '[.. | .datastore_resyncs? // empty][0]')"
stop c typhad
