#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# confd renders bgpd.conf: a node that joins or leaves shows up in every mesh soon, a block is announced, a template that makes nonsense never
# replaces a good file, and a reflector's peers follow from one BGPPeer.
#
#     r --- a, r --- b, r --- c: r forwards between them; typhad on a
. "$(dirname "$0")/lib.sh"

client() { "$BUILD/test/integration/ipam_client" /run/n/a "$@" 2>/dev/null; }
put_node() { client put Node "$1" "{\"metadata\":{\"labels\":{\"name\":\"$1\"}},\"spec\":{\"bgp\":{\"ipv4Address\":\"$2\"${3:-}}}}" >/dev/null; }
conf() { cat "/run/n/$1/bgpd/bgpd.conf"; }
has() { conf "$1" | grep -qF "$2"; }
hasnt() { conf "$1" && ! has "$1" "$2"; }
peers() { conf "$1" | sed -n 's/^peer \([^ ]*\).*/\1/p' | tr '\n' ' '; }

node r
for n in a b c; do
	node $n
	case $n in a) i=1 ;; b) i=2 ;; c) i=3 ;; esac
	wire r $n 10.9.$i.0/24
	ip -n $n route add default via 10.9.$i.1
done
start a typhad --datastore-path $W/db
wait_for 10 test -S /run/n/a/typhad/api.sock
put_node a 10.9.1.2/24
put_node b 10.9.2.2/24
for n in a b c; do start $n bgpd --config /run/n/$n/bgpd/bgpd.conf; done
for n in a b; do start $n confd --typhad /run/n/a/typhad/api.sock; done
if wait_for 10 has a "peer Mesh_10_9_2_2 {"; then ok "the mesh of two"; else fail "the mesh of two"; fi
wait_for 10 has b "peer Mesh_10_9_1_2 {"
expect "on both sides" "Mesh_10_9_1_2 " "$(peers b)"
expect "exactly one side waits" 1 "$(cat /run/n/a/bgpd/bgpd.conf /run/n/b/bgpd/bgpd.conf | grep -c passive)"
routed() { ip -n "$1" route show proto bird | grep -q "^$2 "; }
client put IPPool p1 '{"spec":{"cidr":"10.20.0.0/16"}}' >/dev/null
client put IPAMAffinity a/10.20.1.0/26 '{"state":"pending","deleted":false}' >/dev/null
client put IPAMAffinity b/10.20.2.0/26 '{"state":"confirmed","deleted":false}' >/dev/null
if wait_for 10 has b "network 10.20.2.0/26 blackhole;"; then ok "a confirmed block is announced"; else fail "a confirmed block is announced"; fi
check "a pending one is not" hasnt a 10.20.1.0
client put IPAMAffinity a/10.20.1.0/26 '{"state":"confirmed","deleted":false}' >/dev/null
if wait_for 10 has a "network 10.20.1.0/26 blackhole;"; then ok "until it is confirmed"; else fail "until it is confirmed"; fi
if wait_for 30 routed a 10.20.2.0/26; then ok "the block of b is routed on a"; else fail "the block of b is routed on a"; fi
if wait_for 5 routed b 10.20.1.0/26; then ok "the block of a is routed on b"; else fail "the block of a is routed on b"; fi

# A node joins, a node leaves: within a second in every mesh.
put_node c 10.9.3.2/24
if wait_for 10 has a "peer Mesh_10_9_3_2 {" && wait_for 10 has b "peer Mesh_10_9_3_2 {"; then ok "a node that joins is in every mesh soon"; else fail "a node that joins is in every mesh soon"; fi
start c confd --typhad /run/n/a/typhad/api.sock
client put IPAMAffinity c/10.20.3.0/26 '{"state":"confirmed"}' >/dev/null
if wait_for 30 routed a 10.20.3.0/26; then ok "and its block is routed"; else fail "and its block is routed"; fi
stop c confd
client remove Node c >/dev/null
if wait_for 10 hasnt a Mesh_10_9_3_2 && wait_for 10 hasnt b Mesh_10_9_3_2; then ok "a node that leaves is out within a second"; else fail "a node that leaves is out within a second"; fi
if wait_for 10 sh -c "! ip -n a route show proto bird | grep -q 10.20.3.0"; then ok "and so is its route"; else fail "and so is its route"; fi

# bgpd is killed: the new one is told what to run.
stop a bgpd KILL
start a bgpd --config /run/n/a/nothing
put_node c 10.9.3.2/24
if wait_for 30 routed a 10.20.2.0/26; then ok "a bgpd that starts anew is told"; else fail "a bgpd that starts anew is told"; fi
if wait_for 5 has a "peer Mesh_10_9_3_2 {"; then ok "with what changed meanwhile"; else fail "with what changed meanwhile"; fi

# An operator's template.
mkdir -p $W/tpl
sed 's/^local-as .*/&\n# mine: {{#blocks}}{{cidr}} {{\/blocks}}/' confd/templates/bgpd.conf.mustache >$W/tpl/bgpd.conf.mustache
stop b confd
start b confd --typhad /run/n/a/typhad/api.sock --template-dir $W/tpl
if wait_for 5 has b "# mine: 10.20.2.0/26"; then ok "an operator's template"; else fail "an operator's template"; fi
before=$(conf b)
echo 'router-id nonsense;' >$W/tpl/bgpd.conf.mustache
kill -HUP "$(pid_of b confd)"
if wait_for 5 grep -q 'bgpd refuses the rendered file' $W/b.confd.log; then ok "bgpd refuses a bad file, and says why"; else fail "bgpd refuses a bad file, and says why"; fi
expect "a good file is never replaced" "$before" "$(conf b)"
check "the refused one is kept aside" grep -q nonsense /run/n/b/bgpd/bgpd.conf.refused
echo '{{#open}}' >$W/tpl/bgpd.conf.mustache
kill -HUP "$(pid_of b confd)"
if wait_for 5 grep -q "section 'open' is never closed\|section \\\\\?.open" $W/b.confd.log; then ok "a template that does not parse is refused"; else fail "a template that does not parse is refused"; fi
stop b confd; start b confd --typhad /run/n/a/typhad/api.sock

# A reflector instead of the mesh: its BGPPeer is written once, and both ends know.
client put BGPConfiguration default '{"spec":{"nodeToNodeMeshEnabled":false}}' >/dev/null
if wait_for 10 sh -c "! grep -q ^peer /run/n/a/bgpd/bgpd.conf"; then ok "no mesh"; else fail "no mesh"; fi
put_node c 10.9.3.2/24 ',"routeReflectorClusterID":"1.0.0.1"'
client put BGPPeer rr '{"spec":{"nodeSelector":"name != \"c\"","peerSelector":"name == \"c\""}}' >/dev/null
start c confd --typhad /run/n/a/typhad/api.sock
if wait_for 10 has a "peer Node_10_9_3_2 {" && wait_for 5 has c "peer Node_10_9_1_2 {"; then ok "a reflector's sessions from both ends"; else fail "a reflector's sessions from both ends"; fi
expect "all of them" "Node_10_9_1_2 Node_10_9_2_2 " "$(peers c)"
client put BGPPeer tor '{"spec":{"peerIP":"10.9.1.1:1179","asNumber":65010,"nextHopMode":"Self","maxRestartTime":"1m30s","sourceAddress":"None"}}' >/dev/null
if wait_for 10 has a "peer Global_10_9_1_1_port_1179 {"; then ok "a global peer"; else fail "a global peer"; fi
expect "with its settings" "address 10.9.1.1; export to-external; multihop; next-hop self; port 1179; remote-as 65010; restart-time 90; " \
	"$(conf a | sed -n '/^peer Global/,/^}/p' | grep -o '[a-z][a-z-]* [^{]*;\|multihop;' | sort | tr '\n' ' ' | sed 's/graceful-restart { *//')"
for n in a b c; do stop $n confd; done
