#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# How ipamd comes by blocks and what it leaves: claims and their halves, borrowing, strict affinity, limits, pools that change, other people's writes,
# a datastore that is away.
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
put() { client /run/n/n1 put "$@" || fail "put $1 $2"; }
show() { client /run/n/n1 show "$@"; }
ipamd() { run $1 ipamd --typhad /run/n/n1/typhad/api.sock --check-grace 1; }
ready() { client $1 get net.nobody | grep -q "error 4"; }
a() { client /run/n/n1 "$@"; }
b() { client /run/n/n2 "$@"; }

run n1 typhad --datastore-path $W/db
wait_for 10 test -S /run/n/n1/typhad/api.sock
ipamd n1; ipamd n2
wait_for 10 ready /run/n/n1; wait_for 10 ready /run/n/n2
expect "no Node, no address" "error 6: node 'n1' has no Node resource in the datastore yet (noded writes it): try again" "$(a assign net.a)"
put Node n1 '{"metadata":{"labels":{"zone":"a"}},"spec":{}}'
put Node n2 '{"metadata":{"labels":{"zone":"b"}},"spec":{}}'
expect "no pool" "error 2: cannot find a qualified ippool for IPv4 and use Workload: there is no pool of that family" "$(a assign net.a)"
put IPPool two '{"spec":{"cidr":"10.1.0.0/29","blockSize":30}}'
expect "an address comes with its block's length" "/30" "$(a assign net.a1 | sed 's/.*\//\//')"
expect "the affinity is confirmed" confirmed "$(show IPAMAffinity n1/ | sed 's/^[^ ]* //' | jq -r .state)"
a assign net.a2 3 >$W/a2
expect "the first block is full" 0 "$(show IPAMBlock | cut -d' ' -f2- | jq -c '.unallocated | length')"
expect "the other node claims the other block" "/30" "$(b assign net.b1 | sed 's/.*\//\//')"
expect "two blocks, two owners" "host:n1 host:n2" "$(show IPAMBlock | cut -d' ' -f2- | jq -r .affinity | sort | tr '\n' ' ' | sed 's/ $//')"

# Borrowing.
a assign net.a3 2 >$W/a3
expect "what n1 has no room for it borrows" 2 "$(show IPAMBlock | cut -d' ' -f2- |
	jq 'select(.affinity == "host:n2") | .attributes as $t | [.allocations[] | values | select($t[.].secondary.node == "n1")] | length')"
expect "a handle's addresses, borrowed ones too" "$(sort $W/a3)" "$(a get net.a3 | sort)"
expect "full is said, with how full" "error 3: Assigned 1 out of 2 requested IPv4 addresses; No IPs available in pools: [10.1.0.0/29]; pool two (10.1.0.0/29): 2 of 2 blocks taken, 1 by this node, 0 addresses free in them" "$(a assign net.a4 2)"
expect "and nothing is kept of it" "" "$(show IPAMHandle net.a4)"
expect "a borrowed address is given back" 2 "$(a release net.a3 | wc -l)"
put IPAMConfig default '{"strict_affinity":true,"auto_allocate_blocks":true}'
strict() { a assign net.a4 | grep -q "No more free affine blocks and strict affinity enabled"; }
check "strict affinity borrows nothing" wait_for 5 strict
put IPAMConfig default '{"auto_allocate_blocks":true}'

# Handles that are assigned twice, and addresses by name.
first=$(a assign net.a1)
expect "the same handle gets the same address" "$first" "$(a assign net.a1)"
taken=${first%/*}
expect "an address that is taken" "error 5: Address already assigned in block" "$(a ips net.x "$taken")"
expect "an address outside of all pools" "error 2: The provided IP address is not in a configured pool: 10.9.9.9" "$(a ips net.x 10.9.9.9)"
put IPPool named '{"spec":{"cidr":"10.2.0.0/24","assignmentMode":"Manual"}}'
wait_for 5 sh -c "$BUILD/test/integration/ipam_client /run/n/n1 ips net.x 10.2.0.77 | grep -qx 10.2.0.77/32"
expect "a specific address claims its block" "n1/10.2.0.64/26" "$(show IPAMAffinity n1/10.2 | cut -d' ' -f1)"
expect "all or nothing" "error 5: Address already assigned in block" "$(a ips net.y 10.2.0.78 10.2.0.77)"
expect "the first of the two is free again" "" "$(show IPAMHandle net.y)"
expect "the other node may have one there too" "10.2.0.79/32" "$(b ips net.z 10.2.0.79)"
expect "from a named pool" "10.2.0" "$(a assign net.n 1 0 named | cut -d. -f1-3)"
expect "release by address" "10.2.0.77" "$(a release-ips 10.2.0.77 10.2.0.76)"
expect "its handle goes with it" "" "$(show IPAMHandle net.x)"
expect "a handle that is not there" "error 4: there is no such handle" "$(a release net.x)"
for bad in "assign net/x" "assign x 0" "assign x 257" "ips x nonsense"; do
	# shellcheck disable=SC2086
	case $(a $bad) in "error 1: "*) ok "refused: $bad" ;; *) fail "refused: $bad" "$(a $bad)" ;; esac
done

# The limit of blocks.
put IPPool many '{"spec":{"cidr":"10.3.0.0/24","blockSize":32,"nodeSelector":"zone == \"b\""}}'
wait_for 5 sh -c "$BUILD/test/integration/ipam_client /run/n/n2 assign net.m 3 0 many | grep -q 10.3"
put IPAMConfig default '{"strict_affinity":true,"auto_allocate_blocks":true,"maxBlocksPerHost":5}'
limit() { b assign net.limit 9 0 many | grep -q "limit of 5 blocks reached for this node"; }
check "the limit of blocks per host" wait_for 5 limit
put IPAMConfig default '{"auto_allocate_blocks":true}'

# A pool that no longer selects a node: its empty blocks are given back.
expect "the blocks of the pool" 4 "$(show IPAMAffinity n2/10.3 | wc -l)"
b release net.m >/dev/null
put IPPool many '{"spec":{"cidr":"10.3.0.0/24","blockSize":32,"nodeSelector":"zone == \"a\""}}'
given_back() { [ -z "$(show IPAMAffinity n2/10.3)" ] && [ -z "$(show IPAMBlock 10.3)" ]; }
check "empty blocks are given back when the pool turns away" wait_for 5 given_back

# Halves that a crash leaves: settled by the next start.
stop n1 ipamd KILL
put IPAMAffinity n1/10.2.0.128/26 '{"state":"pending"}'
put IPAMAffinity n1/10.2.0.192/26 '{"state":"pendingDeletion"}'
blk() { echo "{\"cidr\":\"$1\",\"affinity\":$2,\"allocations\":[null,null],\"unallocated\":[0,1],\"sequenceNumber\":5}"; }
put IPPool halves '{"spec":{"cidr":"10.4.0.0/28","blockSize":31,"assignmentMode":"Manual"}}'
put IPAMAffinity n1/10.4.0.0/31 '{"state":"pending"}'
put IPAMBlock 10.4.0.0/31 "$(blk 10.4.0.0/31 '"host:n1"')"
put IPAMBlock 10.4.0.2/31 "$(blk 10.4.0.2/31 '"host:n1"')"
put IPAMAffinity n1/10.4.0.4/31 '{"state":"confirmed"}'
put IPAMBlock 10.4.0.4/31 "$(blk 10.4.0.4/31 '"host:n2"')"
put IPAMAffinity n2/10.4.0.4/31 '{"state":"confirmed"}'
put IPAMHandle net.leaked '{"block":{"10.2.0.64/26":1},"deleted":false}'
put IPAMHandle net.n '{"block":{"10.2.0.64/26":7},"deleted":false}'
client /run/n/n1 remove IPAMHandle net.a2
ipamd n1
wait_for 10 ready /run/n/n1
expect "a claim without a block is forgotten" "" "$(show IPAMAffinity n1/10.2.0.128; show BlockAffinity n1/10.2.0.192)"
expect "a claim with its block is finished" '{"state":"confirmed","deleted":false}' "$(show IPAMAffinity n1/10.4.0.0 | cut -d' ' -f2)"
expect "its block was rewritten" 6 "$(show IPAMBlock 10.4.0.0 | cut -d' ' -f2- | jq .sequenceNumber)"
expect "a block without affinity gets one" '{"state":"confirmed","deleted":false}' "$(show IPAMAffinity n1/10.4.0.2 | cut -d' ' -f2)"
expect "a stale affinity goes" "" "$(show IPAMAffinity n1/10.4.0.4)"
handle() { show IPAMHandle "$1" | cut -d' ' -f2 | jq -c .block; }
gone() { [ -z "$(show IPAMHandle net.leaked)" ]; }
check "a handle that nobody has any more is removed" wait_for 5 gone
expect "one that counts too much is put right" '{"10.2.0.64/26":1}' "$(handle net.n)"
comes_back() { [ -n "$(handle net.a2)" ]; }
wait_for 5 comes_back
expect "one that was lost comes back" 3 "$(handle net.a2 | jq 'add')"

# A malformed block is nobody's, and everything else goes on.
put IPAMBlock 10.4.0.6/31 '{"cidr":"10.4.0.6/31","affinity":"host:n1","allocations":[5,null],"unallocated":[9]}'
if wait_for 5 grep -q 'block is malformed' $W/n1.ipamd.log; then ok "a malformed block is said"; else fail "a malformed block is said"; fi
case $(a ips net.q 10.4.0.7) in "error 1: the block is malformed") ok "and not touched" ;; *) fail "and not touched" "$(a ips net.q 10.4.0.7)" ;; esac
expect "life goes on" 10.2.0 "$(a assign net.r 1 0 named | cut -d. -f1-3)"

# A client that repeats itself without waiting: answered in order, in no more stack than one needs.
stop n1 ipamd
(ulimit -s 256; exec env CALICO_RUN_DIR=/run/n/n1 NODENAME=n1 "$BUILD/ipamd/ipamd" --typhad /run/n/n1/typhad/api.sock --check-grace 1 >>$W/n1.ipamd.log 2>&1) &
echo $! >$W/n1.ipamd.pid
wait_for 10 ready /run/n/n1
a burst net.burst 4000 >$W/burst
expect "four thousand requests of one handle, one address" 1 "$(grep -c "^10\..*/" $W/burst)"
expect "and nothing else" 1 "$(wc -l <$W/burst)"
check "ipamd lives" alive n1 ipamd
bad=$(printf 'net.\377\376')
case $(a assign "$bad") in "error 1: "*) ok "refused: a handle that is no text" ;; *) fail "refused: a handle that is no text" "$(a assign "$bad" | cat -v)" ;; esac

# The datastore away.
stop n1 typhad KILL
t0=$(date +%s%N)
case $(a assign net.s) in "error 6: "*) ok "the datastore is away: said" ;; *) fail "the datastore is away: said" "$(a assign net.s)" ;; esac
check "and at once" test $((($(date +%s%N) - t0) / 1000000)) -lt 1000
run n1 typhad --datastore-path $W/db
if wait_for 10 sh -c "$BUILD/test/integration/ipam_client /run/n/n1 assign net.s 1 0 named | grep -q ^10.2"; then ok "it comes back"; else fail "it comes back"; fi
for n in n1 n2; do stop $n ipamd; done
stop n1 typhad
