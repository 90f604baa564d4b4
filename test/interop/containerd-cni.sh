#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Real containers: containerd's `ctr run --cni` calls the plugin itself. Two containers on one node whose IDs begin alike, one on the other: each is
# reached, a policy on labels holds for them, and nothing stays when they go.
#
#     node1: default-web1  default-web2      node2: default-web3, pod client
. "$(dirname "$0")/../integration/lib.sh"
. "$TOP/test/integration/suite.inc"
if ! command -v ctr >/dev/null || [ ! -x /usr/lib/cni/loopback ]; then
	skip "containers" "containerd or containernetworking-plugins is not installed"
	exit 0
fi
traces >$W/before
check "two nodes come up" lab up --nodes 2 || exit 1
check "a pod beside them" lab pod add node2 client --label app=client
check "and another" lab pod add node2 stranger --label app=stranger
for c in "node1 web1 tier=a" "node1 web2 tier=b" "node2 web3 tier=a"; do
	# shellcheck disable=SC2086
	set -- $c
	check "container $2 on $1" lab pod add "$1" "$2" --label app=web --label "$3" --container httpd -f -p 8080 -h /www
done
WEBS='web1 web2 web3'
page() { printf 'GET / HTTP/1.0\r\n\r\n' | in_lab "$1" nc -N -w 1 "$(address "$2")" 8080; }
in_page() { page "$1" "$2" 2>/dev/null | grep -qx percale; }
no_page() { ! in_page "$@"; }

for c in $WEBS; do
	check "$c serves its page to a pod" wait_for 5 in_page client $c
	check "$c answers pings" pings client "$(address $c)"
	id=default-$c n=$(cat $D/pod/$c/node)
	iface=cali$(printf %s $id | sha1sum | cut -c1-11)
	expect "$c has an interface and a route of its own" "$(address $c) dev $iface" \
		"$(in_lab "$n" ip route show "$(address $c)/32" | awk '{print $1, $2, $3}')"
	expect "$c has its endpoint" "cni $id $n $(address $c)/32 web" "$(ctl get workloadendpoints -A -o json |
		jq -r --arg id $id '.items[] | select(.spec.containerID == $id) | [.spec.orchestrator, .spec.containerID, .spec.node, .spec.ipNetworks[0], .metadata.labels.app] | join(" ")')"
done
check "containers reach each other on one node" in_page web1 web2
check "and across nodes" in_page web3 web1
expect "inside, the routes are those of every pod" "default via 169.254.1.1 dev eth0 169.254.1.1 dev eth0 scope link" "$(in_lab web1 ip route | xargs)"

# ---- a policy on their labels
ctl apply -f - >$W/apply.out 2>&1 <<'Y' || fail "a policy is applied" "$(cat $W/apply.out)"
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: web-a, namespace: default}
spec:
  selector: app == 'web' && tier == 'a'
  types: [Ingress]
  ingress: [{action: Allow, protocol: TCP, source: {selector: "app == 'client'"}, destination: {ports: [8080]}}]
Y
for c in web1 web3; do
	check "$c: the policy shuts strangers out" wait_for 5 no_page stranger $c
	check "$c: and lets the client in" in_page client $c
	pings client "$(address $c)" >/dev/null && fail "$c: not for pings" || ok "$c: not for pings"
done
check "web2 is not selected" in_page stranger web2

# ---- one goes, its neighbour stays
iface1=$(in_lab node1 ip route show "$(address web1)/32" | awk '{print $3}')
a1=$(address web1)
check "web1 is removed" lab pod del web1
expect "its interface is gone" "" "$(in_lab node1 ip -o link show "$iface1" 2>/dev/null)"
gone() { [ -z "$(in_lab node1 ip route show "$a1/32")" ] && ! in_lab node1 iptables-legacy-save | grep -q "$iface1"; }
check "and so are its route and chains" wait_for 5 gone
expect "and its endpoint" "default-web2 default-web3" "$(ctl get workloadendpoints -A -o json |
	jq -r '.items[].spec | select(.orchestrator == "cni").containerID' | sort | xargs)"
expect "and its address" 0 "$(lab exec node1 -- calicoctl debug ipamd dump handles | grep -c default-web1)"
check "its neighbour, whose ID begins alike, is still served" in_page client web2
check "web1 again" lab pod add node1 web1 --label app=web --label tier=a --container httpd -f -p 8080 -h /www
check "and reached" wait_for 5 in_page client web1
# What ends by itself is removed by ctr as well.
check "a container that ends at once" lab pod add node1 brief --label app=brief --container sleep 1
brief_gone() { ! ctl get workloadendpoints -A -o json | grep -q default-brief; }
check "is removed with its endpoint" wait_for 10 brief_gone
check "the lab can forget it" lab pod del brief

check "the lab goes away" lab_down
same() { traces >$W/after; diff -u $W/before $W/after; }
check "nothing is left of it" wait_for 5 same
