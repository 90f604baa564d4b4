#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# calicoctl policy explain against the kernel: random policies of every sort, random packets sent for real; both must say the same of each.
# Every run is another: its seed is printed, and SEED=... repeats it. ROUNDS=... sets of policies, PACKETS=... packets for each.
#
#     a 10.65.0.11 b 10.65.0.12 in default     c 10.65.0.13 d 10.65.0.14 in other     m n: tell when a round is in the kernel
. "$(dirname "$0")/lib.sh"
. "$TOP/test/integration/felixd.inc"
SEED=${SEED:-$(($(date +%s) % 100000))} ROUNDS=${ROUNDS:-12} PACKETS=${PACKETS:-8}
echo "# SEED=$SEED ROUNDS=$ROUNDS PACKETS=$PACKETS"
host
pod a 10.65.0.11; pod b 10.65.0.12; pod c 10.65.0.13; pod d 10.65.0.14; pod m 10.65.0.21; pod n 10.65.0.22

endpoint() { # NAMESPACE NAME ADDRESS LABELS PORTS
	cat <<-Y
	---
	apiVersion: projectcalico.org/v3
	kind: WorkloadEndpoint
	metadata: {name: h-k8s-$2-eth0, namespace: $1, labels: {$4}}
	spec: {orchestrator: k8s, node: h, pod: $2, endpoint: eth0, interfaceName: cali$2, ipNetworks: [$3/32], mac: "02:00:00:00:00:${3##*.}", serviceAccountName: sa$2, profiles: [kns.$1, ksa.$2], ports: [$5]}
	Y
}
profile() { # NAME LABELS RULES
	cat <<-Y
	---
	apiVersion: projectcalico.org/v3
	kind: Profile
	metadata: {name: $1}
	spec: {labelsToApply: {$2}, $3}
	Y
}
set_of() { # NAME LABELS NETS
	cat <<-Y
	---
	apiVersion: projectcalico.org/v3
	kind: GlobalNetworkSet
	metadata: {name: $1, labels: {$2}}
	spec: {nets: [$3]}
	Y
}
{
	profile kns.default 'pcns.env: p' 'ingress: [{action: Allow}], egress: [{action: Allow}]'
	profile kns.other 'pcns.env: q' 'ingress: [{action: Deny, protocol: UDP, destination: {ports: [53]}}, {action: Allow}], egress: [{action: Allow}]'
	profile kns.marks '' 'ingress: [{action: Allow}], egress: [{action: Allow}]'
	for p in a b c d m n; do profile ksa.$p "pcsa.account: $p" ''; done
	endpoint default a 10.65.0.11 'app: a, role: x' '{name: web, protocol: TCP, port: 80}'
	endpoint default b 10.65.0.12 'app: b, role: y' '{name: web, protocol: TCP, port: 81}, {name: dns, protocol: UDP, port: 53}'
	endpoint other c 10.65.0.13 'app: c, role: x' '{name: web, protocol: TCP, port: 80}'
	endpoint other d 10.65.0.14 'app: d, role: y' '{name: dns, protocol: UDP, port: 53}'
	endpoint marks m 10.65.0.21 '' ''
	endpoint marks n 10.65.0.22 '' ''
	set_of some 'app: s' '10.65.0.12/31, 10.65.0.11/32'
} | apply
check "six endpoints reach the kernel" wait_for 20 up 6

# A round's policies. m and n have no label app, and stay out of it.
policies() { # ROUND, and 1 for the tiers that they are in
	awk -v seed="$SEED" -v round="$1" -v tiers="${2:-0}" '
	function any(list,  v, n) { n = split(list, v, "|"); return v[int(rand() * n) + 1] }
	function chance(p) { return rand() < p }
	function selector(  s) {
		s = one()
		return chance(0.1) ? s " || " one() : s
	}
	function one() {
		return any("app == \"a\"|app == \"b\"|app in {\"a\", \"c\"}|role == \"x\"|role == \"y\"|has(app)|has(app) && app != \"a\"|app not in {\"b\"} && has(app)|app == \"s\"|!(app == \"a\") && has(app)")
	}
	function quoted(s) { return "\x27" s "\x27" }
	function nets() { return any("[10.65.0.11/32]|[10.65.0.12/31]|[10.65.0.0/24]|[10.65.0.13/32, 10.65.0.14/32]|[192.0.2.0/24]|[10.65.0.8/29, 10.65.0.12/32]") }
	function entity(ns, source, proto,  e) {
		e = ""
		if (chance(0.35)) e = e ", selector: " quoted(selector())
		if (chance(0.12)) e = e ", notSelector: " quoted(selector())
		if (chance(0.15)) e = e ", namespaceSelector: " quoted(any("env == \"p\"|env == \"q\"|all()|global()"))
		if (chance(0.10)) e = e ", serviceAccounts: " any("{names: [saa, sab]}|{names: [sac]}|{selector: \"account == \x27a\x27\"}|{selector: \"has(account)\"}")
		if (!v6 && chance(0.20)) e = e ", nets: " nets()
		if (!v6 && chance(0.12)) e = e ", notNets: " nets()
		if (!source && (proto == "TCP" || proto == "UDP")) {
			if (chance(0.5)) e = e ", ports: " any("[80]|[81, 53]|[\"50:90\"]|[web]|[dns]|[web, 53]|[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,80]")
			if (chance(0.1)) e = e ", notPorts: " any("[80]|[\"80:90\"]|[web]")
		}
		return substr(e, 3)
	}
	function rule(ns,  r, proto, s) {
		r = "{action: " any("Allow|Allow|Allow|Allow|Deny|Deny|Pass|Pass|Log")
		v6 = chance(0.04)
		proto = v6 ? any("TCP|none") : any("TCP|TCP|UDP|ICMP|none|none")
		if (proto != "none") r = r ", protocol: " proto
		else if (chance(0.15)) r = r ", notProtocol: " any(v6 ? "TCP|UDP" : "TCP|UDP|ICMP")
		if (proto == "ICMP" && chance(0.6)) r = r ", " any("icmp: {type: 8}|icmp: {type: 13}|notICMP: {type: 8}|icmp: {type: 8, code: 0}")
		if (v6 || chance(0.05)) r = r ", ipVersion: " (v6 ? 6 : 4)
		if ((s = entity(ns, 1, proto)) != "") r = r ", source: {" s "}"
		if ((s = entity(ns, 0, proto)) != "") r = r ", destination: {" s "}"
		return r "}"
	}
	function rules(ns,  n, i, t) {
		n = int(rand() * 4)
		for (i = 0; i < n; i++) t = t (i ? ", " : "") rule(ns)
		return "[" t "]"
	}
	BEGIN {
		srand(seed * 1000 + round)
		if (tiers) for (i = 1; i <= 2; i++) {
			printf "---\napiVersion: projectcalico.org/v3\nkind: Tier\nmetadata: {name: t%d}\n", i
			printf "spec: {%sdefaultAction: %s}\n", chance(0.8) ? "order: " any("1|2|2000000") ", " : "", any("Pass|Pass|Deny")
		}
		if (tiers) exit
		n = 4 + int(rand() * 4)
		for (i = 0; i < n; i++) {
			kind = any("NetworkPolicy|NetworkPolicy|GlobalNetworkPolicy|GlobalNetworkPolicy|StagedNetworkPolicy|StagedGlobalNetworkPolicy")
			ns = index(kind, "Global") ? "" : any("default|other")
			tier = any("default|default|t1|t2")
			name = (tier == "default" ? "" : tier ".") "p" i
			printf "---\napiVersion: projectcalico.org/v3\nkind: %s\nmetadata: {name: %s%s}\n", kind, name, ns == "" ? "" : ", namespace: " ns
			s = "tier: " tier ", selector: " quoted(selector()) ", types: " any("[Ingress]|[Ingress]|[Egress]|[Ingress, Egress]")
			if (chance(0.7)) s = s ", order: " any("1|1|2|3.5|100")
			if (ns == "" && chance(0.2)) s = s ", namespaceSelector: " quoted(any("env == \"p\"|env == \"q\"|all()"))
			if (chance(0.1)) s = s ", serviceAccountSelector: " quoted(any("account == \"a\"|has(account)"))
			has_in = match(s, /types: \[Ingress/); has_out = index(s, "Egress]")
			if (has_in) s = s ", ingress: " rules(ns)
			if (has_out) s = s ", egress: " rules(ns)
			printf "spec: {%s}\n", s
		}
	}'
}
# Random packets: FROM NAMESPACE TO NAMESPACE PROTOCOL PORT.
packets() { # ROUND
	awk -v seed="$SEED" -v round="$1" -v n="$PACKETS" 'BEGIN {
		srand(seed * 1000 + round + 500)
		split("a b c d", pod); split("default default other other", ns); split("TCP TCP UDP ICMP", proto); split("80 81 53 16 99", port)
		for (i = 0; i < n; i++) {
			f = int(rand() * 4) + 1; t = (f + int(rand() * 3)) % 4 + 1
			print pod[f], ns[f], pod[t], ns[t], proto[int(rand() * 4) + 1], port[int(rand() * 5) + 1]
		}
	}'
}
address_of() { case $1 in a) echo 10.65.0.11 ;; b) echo 10.65.0.12 ;; c) echo 10.65.0.13 ;; d) echo 10.65.0.14 ;; esac; }
send() { # FROM TO PROTOCOL PORT
	case $3 in
	TCP) tcp "$1" "$(address_of "$2")" "$4" ;;
	UDP) udp "$1" "$(address_of "$2")" "$4" ;;
	*) icmp "$1" "$(address_of "$2")" >/dev/null ;;
	esac
}
# The last of what is applied: once it is felt, all else is in the kernel.
mark() { # ROUND
	printf -- '---\napiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: mark, namespace: marks}\n'
	printf 'spec: {order: 1, types: [Ingress], ingress: [{action: Allow, protocol: TCP, destination: {ports: [%d]}}]}\n' $((1000 + $1))
}

allowed=0 denied=0 wrong=0
decide() { # ROUND FROM NAMESPACE TO NAMESPACE PROTOCOL PORT
	_port="--port $7"; [ "$6" != ICMP ] || _port=
	# shellcheck disable=SC2086
	ctl policy explain --from "$3/$2" --to "$(address_of "$4")" --proto "$6" $_port >"$W/said" 2>"$W/said.err"
	_said=$?
	case $_said in
	0) allowed=$((allowed + 1)); wait_for 5 send "$2" "$4" "$6" "$7" && return ;;
	1) denied=$((denied + 1)); send "$2" "$4" "$6" "$7" || return ;;
	*) cat "$W/said.err" >>"$W/said" ;;
	esac
	wrong=$((wrong + 1))
	fail "round $1: $2 to $4, $6 $7: explain says $_said, the kernel does not" "$(cat "$W/said" "$W/policies")"
}

round=0
while [ $round -lt "$ROUNDS" ]; do
	round=$((round + 1))
	[ $round = 1 ] || ctl delete --skip-not-exists -f "$W/policies" >>"$W/apply.log" 2>&1 || fail "the last round's policies go" "$(tail -n 3 "$W/apply.log")"
	policies $round >"$W/policies"
	{ policies $round 1; cat "$W/policies"; mark $round; } | apply || break
	check "round $round reaches the kernel" wait_for 10 tcp n 10.65.0.21 $((1000 + round))
	packets $round >"$W/packets"
	while read -r f fns t tns proto port; do decide $round "$f" "$fns" "$t" "$tns" "$proto" "$port" </dev/null; done <"$W/packets"
done
expect "explain and the kernel agree on every packet (SEED=$SEED; $allowed allowed, $denied denied)" 0 "$wrong"
check "of both sorts there were some" [ $((ROUNDS * PACKETS)) -lt 60 -o \( "$allowed" -ge 5 -a "$denied" -ge 5 \) ]
expect "all packets were looked at" $((ROUNDS * PACKETS)) $((allowed + denied))

# ---- counters: of the rule of the policy, though one before it is in no IPv4 chain
ctl delete --skip-not-exists -f "$W/policies" >>"$W/apply.log" 2>&1 || fail "the last policies go"
cat <<-Y | apply
	apiVersion: projectcalico.org/v3
	kind: GlobalNetworkPolicy
	metadata: {name: counted}
	spec: {selector: "app == 'b'", types: [Ingress], ingress: [{action: Allow, ipVersion: 6}, {action: Log, protocol: TCP}, {action: Allow, protocol: TCP, destination: {ports: [80, 90]}}, {action: Deny}]}
Y
closes "a policy that counts" tcp a 10.65.0.12 81
for _ in 1 2 3; do opens "a connection" tcp a 10.65.0.12 80; done
said() { ctl policy explain --from default/a --to default/b --port "$1" -o json; }
check "the rule that allows has counted them" sh -c 'echo "$1" | jq -e ".walks[1].decidedBy | .index == 2 and .packets >= 3 and .bytes >= 120"' - "$(said 80)"
check "the one that denies, the others" sh -c 'echo "$1" | jq -e ".walks[1].decidedBy | .index == 3 and .packets >= 1"' - "$(said 81)"
check "the one that logs, all" sh -c 'echo "$1" | jq -e ".walks[1].steps | map(select(.index == 1)) | .[0].packets >= 4"' - "$(said 81)"
check "and for people, too" sh -c 'echo "$1" | grep -q "matches: Allow ([1-9][0-9]* packets, [0-9]* bytes so far)"' - "$(ctl policy explain --from default/a --to default/b --port 80)"

# ---- what it says besides
expect "a pod that is not there is named" "--from: there is no pod default/zz" "$(ctl policy explain --from default/zz --to default/b --port 80 2>&1)"
ctl policy explain --from default/zz --to default/b --port 80 >/dev/null 2>&1
expect "that is a failure, not a verdict" 2 $?
ctl policy explain --from default/a --to h --proto ICMP >/dev/null 2>&1
expect "a node without addresses is one, too" 2 $?
ctl policy effective -n default b >"$W/effective"
expect "what applies to b begins with b" "pod default/b on h" "$(head -n 1 "$W/effective")"
expect "and ends with its profiles" "  Profile kns.default;  Profile ksa.b;  Deny" "$(tail -n 3 "$W/effective" | paste -sd';')"

# ---- the host itself, behind a host endpoint: policy, failsafe ports, and what is between it and its pods
for _p in 22 80 81; do on h socat TCP-LISTEN:$_p,fork,reuseaddr EXEC:cat 2>/dev/null & done
cat <<-Y | apply
	apiVersion: projectcalico.org/v3
	kind: Node
	metadata: {name: h}
	spec: {bgp: {ipv4Address: 172.16.0.1/24}}
	---
	apiVersion: projectcalico.org/v3
	kind: HostEndpoint
	metadata: {name: eth, labels: {host: "yes"}}
	spec: {node: h, interfaceName: o, expectedIPs: [172.16.0.1]}
	---
	apiVersion: projectcalico.org/v3
	kind: GlobalNetworkPolicy
	metadata: {name: hosts}
	spec: {selector: has(host), types: [Ingress], ingress: [{action: Allow, protocol: TCP, source: {nets: [172.16.0.2/32]}, destination: {ports: [80]}}]}
Y
alike() { # NAME WANTED FROM ADDRESS END END PORT: what explain says and what becomes of a connection
	ctl policy explain --from "$5" --to "$6" --port "$7" >"$W/said" 2>&1
	expect "$1: explain" "$2" $?
	if [ "$2" = 0 ]; then opens "$1: the kernel" tcp "$3" "$4" "$7"; else closes "$1: the kernel" tcp "$3" "$4" "$7"; fi
}
alike "a port that no policy allows" 1 o 172.16.0.1 172.16.0.2 h 81
alike "one that a policy allows" 0 o 172.16.0.1 172.16.0.2 h 80
alike "a failsafe port" 0 o 172.16.0.1 172.16.0.2 eth 22
alike "a pod to its host" 1 a 172.16.0.1 default/a h 80
alike "a host to its pod" 0 h 10.65.0.11 h default/a 80
