#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# calicoctl ipam on addresses that two ipamds gave out: shown, checked, released, the configuration changed, a pool split under pods that keep
# their addresses. Leaks of every sort are planted: the check finds each, and a report releases them, unless somebody was quicker.
#
#     n1: typhad ipamd      n2: ipamd
. "$(dirname "$0")/lib.sh"

mkdir -p /run/n/n1 /run/n/n2
client() { "$BUILD/test/integration/ipam_client" "$@" 2>/dev/null; }
run() { # NODE DAEMON ARGS...
	_n=$1 _d=$2; shift 2
	env CALICO_RUN_DIR=/run/n/$_n NODENAME=$_n "$BUILD/$_d/$_d" "$@" >>$W/$_n.$_d.log 2>&1 &
	echo $! >$W/$_n.$_d.pid
}
ctl() { "$BUILD/calicoctl/calicoctl" --run-dir /run/n/n1 --allow-version-mismatch "$@"; }
a() { client /run/n/n1 "$@"; }
b() { client /run/n/n2 "$@"; }
ready() { client $1 get net.nobody | grep -q "error 4"; }
same() { # NAME COMMAND... ; the wanted output on standard input
	_name=$1; shift
	cat >$W/want
	ctl "$@" >$W/out 2>&1
	echo "exit $?" >>$W/out
	if cmp -s $W/want $W/out; then ok "$_name"; else fail "$_name" "$(diff $W/want $W/out)"; fi
}
wep() { # NODE POD ADDRESS: an endpoint that uses the address
	printf 'apiVersion: projectcalico.org/v3\nkind: WorkloadEndpoint\nmetadata: {namespace: default}\nspec: {orchestrator: k8s, node: %s, pod: %s, endpoint: eth0, interfaceName: cali%s, ipNetworks: ["%s"]}\n' \
		"$1" "$2" "$2" "$3" | ctl apply -f - >$W/wep.out 2>&1 || fail "endpoint $2" "$(cat $W/wep.out)"
}
pod() { # NODE POD HANDLE: takes an address, uses it, and says it
	_ip=$(client /run/n/$1 assign $3); _ip=${_ip%/*}
	wep $1 $2 $_ip
	echo $_ip
}
last() { tail -n 1 $W/out; }
joined() { paste -sd';' $W/out; }

run n1 typhad --datastore-path $W/db
wait_for 10 test -S /run/n/n1/typhad/api.sock
cat >$W/cluster.yaml <<'E'
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: pool1}
spec: {cidr: 10.1.0.0/28, blockSize: 30}
---
apiVersion: projectcalico.org/v3
kind: IPPool
metadata: {name: pool6}
spec: {cidr: 'fd00:1::/108'}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: n1}
spec: {bgp: {ipv4Address: 172.16.0.1/24}}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: n2}
spec: {bgp: {ipv4Address: 172.16.0.2/24}}
E
check "a cluster" ctl apply -f $W/cluster.yaml
for n in n1 n2; do run $n ipamd --typhad /run/n/n1/typhad/api.sock; wait_for 10 ready /run/n/$n; done

same "nothing is used yet" ipam show <<'E'
+----------+--------------+------------+------------+--------------+-------------------+
| GROUPING | CIDR         | IPS TOTAL  | IPS IN USE | IPS RESERVED | IPS FREE          |
+----------+--------------+------------+------------+--------------+-------------------+
| IP Pool  | 10.1.0.0/28  |         16 |     0 (0%) |       0 (0%) |         16 (100%) |
| IP Pool  | fd00:1::/108 | 1.0486e+06 |     0 (0%) |       0 (0%) | 1.0486e+06 (100%) |
+----------+--------------+------------+------------+--------------+-------------------+
exit 0
E
same "and nothing borrowed" ipam show --show-borrowed <<'E'
+----+----------------+-------+-------------+------+--------------+
| IP | BORROWING-NODE | BLOCK | BLOCK OWNER | TYPE | ALLOCATED-TO |
+----+----------------+-------+-------------+------+--------------+
+----+----------------+-------+-------------+------+--------------+
exit 0
E

# ---- the configuration
same "the configuration that holds when there is none" ipam show --show-configuration <<'E'
+------------------------------+---------+
| PROPERTY                     | VALUE   |
+------------------------------+---------+
| StrictAffinity               | false   |
| AutoAllocateBlocks           | true    |
| MaxBlocksPerHost             | 0       |
| KubeVirtVMAddressPersistence | Enabled |
| IPCooldownSeconds            | 0       |
+------------------------------+---------+
exit 0
E
same "configure" ipam configure --strictaffinity=true --max-blocks-per-host 5 --kubevirt-ip-persistence=Disabled --ip-cooldown-seconds=30 <<'E'
Successfully set StrictAffinity to: true
Successfully set MaxBlocksPerHost to: 5
Successfully set KubeVirtVMAddressPersistence to: Disabled
Successfully set IPCooldownSeconds to: 30
exit 0
E
stored() { client /run/n/n1 show IPAMConfig | cut -d' ' -f2-; }
expect "as upstream stores it" '{"strict_affinity":true,"auto_allocate_blocks":true,"maxBlocksPerHost":5,"kubeVirtVMAddressPersistence":"Disabled","ipCooldownSeconds":30}' "$(stored)"
same "a limit needs strict affinity" ipam configure --strictaffinity false <<'E'
error: MaxBlocksPerHost requires StrictAffinity to be enabled
exit 1
E
same "what is not named stays" ipam configure --max-blocks-per-host 0 --strictaffinity=F --ip-cooldown-seconds 0 <<'E'
Successfully set StrictAffinity to: false
Successfully set MaxBlocksPerHost to: 0
Successfully set IPCooldownSeconds to: 0
exit 0
E
expect "zeros are not written" '{"auto_allocate_blocks":true,"kubeVirtVMAddressPersistence":"Disabled"}' "$(stored)"
expect "nothing to configure" "at least one configuration option must be specified" "$(ctl ipam configure 2>&1)"
expect "a wrong word" "invalid value. Use true or false to set strictaffinity" "$(ctl ipam configure --strictaffinity=yes 2>&1)"
expect "a wrong number" "invalid value for maxblockhost. Use a valid number" "$(ctl ipam configure --max-blocks-per-host=-1 2>&1)"

# ---- pods: n1 fills a block and begins a second one, n2 has two of its own
for i in 1 2 3 4 5; do eval a$i=$(pod n1 pod$i net.a$i); done
for i in 1 2; do eval b$i=$(pod n2 other$i net.b$i); done
six=$(a assign net.six 0 1); wep n1 six ${six%/*}
expect "the pool's row counts" "10.1.0.0/28 | 16 | 7 (44%) | 0 (0%) | 9 (56%) |" \
	"$(ctl ipam show | grep 10.1.0.0/28 | sed 's/^| IP Pool *| //; s/  *|/ |/g; s/|  */| /g')"
ctl ipam show --show-blocks >$W/out 2>&1
expect "blocks stand below their pool" "IP Pool;Block;Block;Block;IP Pool;Block" \
	"$(sed -n 's/^| \(IP Pool\|Block\) .*/\1/p' $W/out | paste -sd';')"
expect "a full one, one that is half full, one with one address" "1 (25%) 2 (50%) 4 (100%)" \
	"$(grep '^| Block .*10\.1\.' $W/out | awk -F'|' '{ gsub(/^ +| +$/, "", $5); print $5 }' | sort | paste -sd' ')"
expect "one that is in use" "IP $a1 is in use;Handle ID: net.a1;Active Owner Attributes:;  node: n1" "$(ctl ipam show --ip=$a1 | paste -sd';' | sed 's/;  [a-mo-z][^;]*//g')"
expect "one that nobody has" "10.1.0.200 is not assigned" "$(ctl ipam show --ip 10.1.0.200)"
expect "one that is none" "Error executing command: invalid IP address specified: 10.1.0" "$(ctl ipam show --ip 10.1.0 2>&1)"
ctl ipam check >$W/out 2>&1
expect "all is well" "Check complete; found 0 problems." "$(last)"
expect "and counted" "Found 4 IPAM blocks.;IPAM blocks record 8 allocations.;Found 2 active IP pools.;Found 0 node tunnel IPs.;Found 8 workload IPs.;Workloads and nodes are using 8 IPs.;Node with most allocations has 6; median is 2;Found 0 invalid IPAMBlocks." \
	"$(grep -e '^Found . IPAM blocks' -e '^IPAM blocks' -e '^Found . active' -e '^Found . node' -e '^Found . workload' -e '^Workloads' -e '^Node with' -e '^Found . invalid' $W/out | paste -sd';')"

# n2 runs out of its own and borrows n1's
for i in 3 4 5 6; do eval b$i=$(pod n2 other$i net.b$i); done
for i in 7 8 9; do eval b$i=$(pod n2 other$i net.b$i); done
expect "a borrowed address" "$b9 n2 n1" "$(ctl ipam show --show-borrowed | grep " $b9 " | awk '{ print $2, $4, $8 }')"

# ---- cool-down
ctl ipam configure --ip-cooldown-seconds 600 >/dev/null
ctl delete wep n2-k8s-other8-eth0 >$W/out 2>&1 || fail "delete" "$(cat $W/out)"
ctl ipam release --ip $b8 >$W/out 2>&1
expect "released" "Successfully released IP address $b8" "$(cat $W/out)"
expect "it cools down" "address $b8 is in cooldown" "$(ctl ipam show --ip $b8 2>&1)"
expect "and cannot be released again" "IP address $b8 is not assigned" "$(ctl ipam release --ip $b8 2>&1)"
expect "which is no leak" "Check complete; found 0 problems." "$(ctl ipam check | tail -n 1)"
expect "its handle is gone" "" "$(a show IPAMHandle net.b8)"
ctl ipam configure --ip-cooldown-seconds 0 >/dev/null
expect "over" "$b8 is not assigned" "$(ctl ipam show --ip $b8)"
expect "nothing to release: as upstream has it" "0" "$(ctl ipam release 2>&1; echo $?)"

# ---- leaks: an address whose endpoint is gone; a handle that nothing refers to; a handle that is not there; an endpoint whose
#      address nobody gave out; one outside of all pools
a put IPAMHandle net.lost '{"block":{"10.1.0.0/30":1},"deleted":false}'
printf 'apiVersion: projectcalico.org/v3\nkind: WorkloadEndpoint\nmetadata: {namespace: default}\nspec: {orchestrator: k8s, node: n1, pod: pod1, endpoint: eth0, interfaceName: calipod1}\n' | ctl apply -f - >/dev/null
wep n2 stray $b8
wep n2 alien 192.0.2.7
a remove IPAMHandle net.a2
ctl ipam check --show-problem-ips -o $W/report1 >$W/out 2>&1
expect "the check finds all" "Check complete; found 4 problems." "$(last)"
check "the leaked address" grep -q "^  $a1 leaked; attrs Main:net.a1 Extra:.*node=n1" $W/out
check "the one outside of all pools" grep -qx "  192.0.2.7 in use by Workload(default/n2-k8s-alien-eth0) is not in any active IP pool." $W/out
check "the one that nobody gave out" grep -qx "  $b8 in use by Workload(default/n2-k8s-stray-eth0) and in active IPAM pool but has no IPAM allocation." $W/out
check "the handle" grep -qx "Found 1 handles with no matching IPs (and 13 handles with matches)." $W/out
check "the missing handle" grep -qx "  net.a2 is in use in a block but doesn't exist." $W/out
expect "the report says it" "net.a1 n1 false null" "$(jq -r ".allocations[\"$a1\"][0] | [.handle, .node, (.inUse|tostring), (.owners|tostring)] | join(\" \")" $W/report1)"
expect "and the handle" net.lost "$(jq -r '.leakedHandles[0].ID' $W/report1)"
expect "and who uses the others" '["Workload(default/n1-k8s-pod2-eth0)"]' "$(jq -c ".allocations[\"$a2\"][0].owners" $W/report1)"
number=$(grep -A3 "\"ip\": \"$a1\"" $W/report1 | sed -n 's/.*"sequenceNumber": \([0-9]*\).*/\1/p')
check "sequence numbers are exact" sh -c "$BUILD/test/integration/ipam_client /run/n/n1 show IPAMBlock | grep net.a1 | grep -q ':$number[,}]'"
expect "of 19 digits" 19 "$(printf %s $number | wc -c)"

# ---- what a release refuses
expect "the datastore must be locked" "data store is not locked. Either lock the data store, or re-run with --force" \
	"$(ctl ipam release --from-report $W/report1 2>&1)"
sed 's/"clusterGUID": ".*"/"clusterGUID": "0123"/' $W/report1 >$W/alien
expect "of another cluster, even by force" "cluster does not match the provided report ($W/alien): mismatched cluster GUID. Refusing to release" \
	"$(ctl ipam release --force --from-report=$W/alien 2>&1)"
sed 's/"version": ".*"/"version": "v0.1"/' $W/report1 >$W/old
expect "of another version" "the provided report ($W/old) was produced using a different version (v0.1) of calicoctl. Refusing to release" \
	"$(ctl ipam release --from-report=$W/old 2>&1)"
head -c 300 $W/report1 >$W/cut
check "half a report" sh -c "$BUILD/calicoctl/calicoctl --run-dir /run/n/n1 --allow-version-mismatch ipam release --from-report=$W/cut 2>&1 | grep -q '^$W/cut: '"
expect "nothing has happened" "IP $a1 is in use" "$(ctl ipam show --ip $a1 | head -n 1)"
expect "lock" "Datastore locked." "$(ctl datastore migrate lock)"
expect "a report from before the lock is stale" "the provided reports are all stale - at least one should be up-to-date. Please generate a new report while the data store is locked and try again" \
	"$(ctl ipam release --from-report $W/report1 2>&1)"

# ---- what it does
ctl ipam check -o $W/report2 >$W/out 2>&1
expect "the report says that it is locked" true "$(jq .datastoreLocked $W/report2)"
ctl ipam release --from-report $W/report1 --from-report $W/report2 >$W/out 2>&1
expect "two reports: what both show" "Releasing 1 old IPs...;Released 1 IPs successfully;Deleting 1 handles...;Key: '.' = Deleted OK; 'x' = skip, handle missing/changed.;.;Released 1 handles; 0 skipped; 0 errors.;You may now unlock the data store." "$(joined)"
expect "the address is free" "$a1 is not assigned" "$(ctl ipam show --ip $a1)"
expect "its handle is gone" "" "$(a show IPAMHandle net.a1)"
ctl ipam release --from-report $W/report2 >$W/out 2>&1
expect "again: nothing is left to do" "Releasing 1 old IPs...;Released 0 IPs successfully;1 addresses marked as leaked in the report had already been cleaned up.;Deleting 1 handles...;Key: '.' = Deleted OK; 'x' = skip, handle missing/changed.;x;Released 0 handles; 1 skipped; 0 errors.;You may now unlock the data store." "$(joined)"

# The report says that nobody uses b1; before it is released, the address goes to somebody else.
jq ".allocations |= with_entries(select(.key == \"$b1\")) | del(.leakedHandles)" $W/report2 | sed 's/"inUse": true/"inUse": false/' >$W/raw
line=$(grep -A3 "\"ip\": \"$b1\"" $W/report2 | grep sequenceNumber)
sed "s/.*\"sequenceNumber\".*/$line/" $W/raw >$W/late # jq rounds numbers of 19 digits
b release net.b1 >/dev/null
again=$(b ips net.anew $b1)
expect "the address goes to somebody else" "$b1" "${again%/*}"
ctl ipam release --from-report $W/late >$W/out 2>&1
check "what has changed since the report" grep -q "An error occurred while releasing some IPs: $b1: the given .* does not match (.*) when attempting to release IP.  Problems are often caused by an out-of-date IPAM report.  Try regenerating the IPAM report and retry." $W/out
expect "stays whose it is" "Handle ID: net.anew" "$(ctl ipam show --ip $b1 | grep Handle)"
grep -v '"handle":' $W/late >$W/nameless
ctl ipam release --from-report $W/nameless >$W/out 2>&1
check "the sequence number alone tells" grep -q "$b1: the given sequence number ([0-9]*) does not match ([0-9]*) when attempting to release IP" $W/out
expect "too" "Handle ID: net.anew" "$(ctl ipam show --ip $b1 | grep Handle)"
jq "del(.allocations[][].sequenceNumber)" $W/late >$W/numberless
ctl ipam release --from-report $W/numberless >$W/out 2>&1
check "and so does the handle" grep -q "$b1: the given handle (net.b1) does not match (net.anew) when attempting to release IP" $W/out
expect "alone" "Handle ID: net.anew" "$(ctl ipam show --ip $b1 | grep Handle)"

# ---- a damaged block
name=$(a show IPAMBlock | head -n 1 | cut -d' ' -f1)
a show IPAMBlock "$name" | cut -d' ' -f2- >$W/whole
a put IPAMBlock "$name" "$(sed 's/"unallocated":\[/"unallocated":[77,/; s/77,\]/77]/' $W/whole)"
ctl ipam check >$W/out 2>&1
check "a damaged block is named" grep -qx "  IPAMBlock BlockKey(cidr=$name) is invalid: ordinal 77 appears in the Unallocated array but is out of the block" $W/out
check "and the table still drawn" ctl ipam show --show-blocks
a put IPAMBlock "$name" "$(cat $W/whole)"

# ---- a pool is split under its pods
expect "a number" "error reading number to split IP pools into. x is not a valid number" "$(ctl ipam split x --name pool1 2>&1)"
expect "which pool" "no name or CIDR provided. Provide a name or CIDR to denote the IP pool to split" "$(ctl ipam split 2 2>&1)"
expect "of no power" "error splitting the CIDR 10.1.0.0/28 into 3 CIDRs: number to split CIDR into is not a valid power of 2: 3" "$(ctl ipam split 3 --name pool1 2>&1)"
check "smaller than its blocks" sh -c "$BUILD/calicoctl/calicoctl --run-dir /run/n/n1 --allow-version-mismatch ipam split 8 --name pool1 2>&1 | grep -q 'IP pool split-pool1-0 would not be valid'"
expect "no such pool" "unable to find IP pool covering the specified CIDR 10.9.0.0/16" "$(ctl ipam split 2 --cidr 10.9.0.0/16 2>&1)"
ctl get ippools -o json | jq -S 'del(.metadata) | del(.items[].metadata.resourceVersion)' >$W/pools.before
ctl datastore migrate unlock >$W/out
expect "unlocked" "Datastore unlocked." "$(cat $W/out)"
expect "must be locked" "datastore is not locked. Run the \`calicoctl datastore migrate lock\` command in order split the IP pools" "$(ctl ipam split 4 --name pool1 2>&1)"
ctl get ippools -o json | jq -S 'del(.metadata) | del(.items[].metadata.resourceVersion)' >$W/pools.after
check "refusals change nothing" cmp $W/pools.before $W/pools.after
ctl datastore migrate lock >/dev/null
ctl ipam show --show-blocks | grep '^| Block' | sort >$W/blocks.before
same "split" ipam split 4 --cidr 10.1.0.0/28 <<'E'
IP Pool pool1 was successfully split into 4 smaller pools.
Created split-pool1-0 with CIDR 10.1.0.0/30.
Created split-pool1-1 with CIDR 10.1.0.4/30.
Created split-pool1-2 with CIDR 10.1.0.8/30.
Created split-pool1-3 with CIDR 10.1.0.12/30.
Please refer to the documentation for final steps.
exit 0
E
expect "the pools" "pool6 10.1.0.0/30 10.1.0.4/30 10.1.0.8/30 10.1.0.12/30" "$(ctl get ippools -o json | jq -r '[(.items[] | select(.metadata.name == "pool6") | .metadata.name), (.items[] | select(.metadata.name | startswith("split")) | .spec.cidr)] | join(" ")')"
ctl ipam show --show-blocks | grep '^| Block' | sort >$W/blocks.after
check "the blocks are as they were" cmp $W/blocks.before $W/blocks.after
ctl datastore migrate unlock >/dev/null
expect "a pod keeps its address" "$a2/30" "$(a get net.a2)"
expect "a repeated request too" "$a3/30" "$(a assign net.a3)"
check "and a new one gets one" a assign net.new
