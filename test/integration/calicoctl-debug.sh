#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What calicoctl says of a node's daemons: node status with a session that is up and two that are not; debug of a daemon that is there, and of
# one that is not.        a 10.0.0.1 --- 10.0.0.2 b
. "$(dirname "$0")/lib.sh"

node a; node b; wire a b 10.0.0.0/30
ctl() { on a "$BUILD/calicoctl/calicoctl" "$@"; }

ctl node status >$W/out 2>&1
expect "without felixd there is no node" "1 Calico process is not running." "$? $(head -n 1 $W/out)"

start a typhad --datastore-path $W/db
start a felixd
ready() { ctl debug "$1" health | jq -e .ready; }
wait_for 10 ready typhad
listens() { ctl debug "$1" who; }
wait_for 10 listens felixd || fail "felixd answers"
expect "without bgpd that is told" "Calico process is running.
The BGP backend process (bgpd) is not running." "$(ctl node status)"

cat >$W/a.conf <<'E'
router-id 10.0.0.1;
local-as 64512;
peer Mesh_10_0_0_2 { remote-as 64512; address 10.0.0.2; }
peer Global_192_0_2_1 { remote-as 64999; address 192.0.2.1; }
peer Node_fd00__9 { remote-as 64512; address fd00::9; }
E
sed 's/Mesh_10_0_0_2/Mesh_10_0_0_1/; s/address 10.0.0.2/address 10.0.0.1/; /Global/d; /Node/d; s/router-id 10.0.0.1/router-id 10.0.0.2/' $W/a.conf >$W/b.conf
start a bgpd --config $W/a.conf
start b bgpd --config $W/b.conf
up() { ctl node status | grep -q '10.0.0.2 .* up .* Established '; }
wait_for 15 up && ok "a session is up" || fail "a session is up" "$(ctl node status 2>&1)"
ctl node status >$W/out
expect "the table as upstream draws it" "| 10.0.0.2 | node-to-node mesh | up | TIME | Established |" \
	"$(grep 10.0.0.2 $W/out | sed -E 's/[0-9]{2}:[0-9]{2}:[0-9]{2}/TIME/; s/ +/ /g')"
check "a global peer that does not answer" grep -Eq '^\| 192\.0\.2\.1 .*\| global +\| start \|' $W/out
check "peers of the other family have a table of their own" sh -c "sed -n '/IPv6 BGP status/,\$p' $W/out | grep -Eq '^\| fd00::9 .*\| node specific'"
expect "every line of a table is equally wide" 1 "$(sed -n '/IPv4/,/^$/p' $W/out | grep '^[+|]' | awk '{ print length }' | sort -u | wc -l)"

# ---- debug
expect "who" "bgpd" "$(ctl debug bgpd who | jq -r .program)"
expect "who, as the process itself" "$(pid_of a typhad)" "$(ctl debug typhad who | jq .pid)"
expect "both without a verb" "health who" "$(echo $(ctl debug typhad | jq -r 'keys[]'))"
check "counters are numbers" sh -c "env CALICO_RUN_DIR=/run/n/a '$BUILD/calicoctl/calicoctl' debug typhad health | jq -e '.counters | map(type == \"number\") | all'"
expect "a dump is an object of lists" '["array"]' "$(ctl debug typhad dump | jq -c '[.[] | type] | unique')"
expect "a section alone" '["kinds"]' "$(ctl debug typhad dump kinds | jq -c keys)"
ctl debug typhad dump nothing >$W/out 2>&1
expect "a section that there is not" "1 debug typhad: no section 'nothing'" "$? $(cut -d';' -f1 $W/out)"
check "a log level" ctl debug typhad log-level debug
check "... was set" grep -q 'log level changed.* level=debug' $W/a.typhad.log
ctl debug typhad log-level loud >$W/out 2>&1 && fail "a log level that there is not"
ok "a log level that there is not is refused"
check "--run-dir" "$BUILD/calicoctl/calicoctl" --run-dir /run/n/b debug bgpd health
ctl debug confd >$W/out 2>&1
expect "a daemon that is not there" "1 debug confd: confd is not reachable: connect to '/run/n/a/confd/ctl.sock': No such file or directory" "$? $(cat $W/out)"
ctl debug ../../x >$W/out 2>&1
expect "a name that is none" "1 debug: '../../x' is not a daemon's name" "$? $(cat $W/out)"
ctl debug typhad frob >$W/out 2>&1 && fail "a verb that is none"
check "a verb that is none names those that are" grep -q 'who, health, dump .SECTION., watch' $W/out

# ---- watch: events arrive as lines, while they happen
ctl debug bgpd watch >$W/events 2>&1 &
watcher=$!
watched() { [ "$(ctl debug bgpd dump 2>/dev/null | wc -c)" -gt 0 ] && stop b bgpd KILL && wait_for 10 [ -s $W/events ]; }
watched && ok "an event is a line of JSON" || fail "an event is a line of JSON" "$(cat $W/events)"
check "with its section" sh -c "head -n 1 $W/events | jq -e .section"
stop a bgpd
wait $watcher && fail "the end of the daemon is an error"
check "the end of the daemon ends the watch" grep -q 'debug bgpd: bgpd closed the connection' $W/events

# ---- versions
check "version" ctl version
expect "client and cluster" "Client Version: Git commit: Cluster Version: Cluster Type:" "$(echo $(ctl version | cut -d: -f1 | sed 's/$/:/'))"
expect "values stand in column 20" 4 "$(ctl version | grep -c '^.\{19\}[^ ]')"
sqlite3 $W/db "SELECT value FROM object WHERE key LIKE '%clusterinformations/default'" >$W/info
stop a typhad
sqlite3 $W/db "UPDATE object SET value = CAST(json_set('$(cat $W/info)', '\$.spec.calicoVersion', 'v9.8.7-x') AS BLOB) WHERE key LIKE '%clusterinformations/default'"
"$BUILD/calicoctl/calicoctl" --datastore $W/db get nodes >$W/out 2>&1 && fail "another version is refused"
expect "another version is refused" "version mismatch.
Client Version:   $("$BUILD/calicoctl/calicoctl" version --client | sed -n 's/Client Version: *//p')
Cluster Version:  9.8.7
Use --allow-version-mismatch to override" "$(cat $W/out)"
check "unless the operator insists" "$BUILD/calicoctl/calicoctl" --datastore $W/db get nodes --allow-version-mismatch
