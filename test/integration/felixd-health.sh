#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What felixd says of itself: probes and metrics over HTTP follow what is, and a file stands for each endpoint while it is up.
#
#      a 10.65.0.11 --calia-- h --calib-- b 10.65.0.12      h: probes on 127.0.0.1:19099, metrics on 127.0.0.1:19091
. "$(dirname "$0")/lib.sh"
. "$TOP/test/integration/felixd.inc"
A=10.65.0.11 B=10.65.0.12
export FELIX_HEALTHENABLED=true FELIX_HEALTHPORT=19099
host
pod a $A; pod b $B
web() { on h python3 "$TOP/test/integration/web.py" "$@" 2>/dev/null; } # PORT PATH: prints the status, then the body
status() { web "$@" | sed -n 1p; }
answers() { [ "$(status "$1" "$2")" = "$3" ]; }
metric() { web 19091 /metrics | sed -n "s/^$1 //p"; }
has() { [ "$(metric "$1")" = "$2" ] || { metric "$1"; return 1; }; }
config() { echo "{apiVersion: projectcalico.org/v3, kind: FelixConfiguration, metadata: {name: default}, spec: {$1}}" | apply; }
files=/run/n/h/endpoint-status
file() { # POD
	cat "$files/k8s default%2F$1 eth0"
}

# ---- probes
check "felixd becomes ready" wait_for 10 answers 19099 /readiness 200
expect "and is alive" 200 "$(status 19099 /liveness)"
body=$(web 19099 /readiness)
for c in FelixStartup CalculationGraph InternalDataplaneMainLoop; do
	case $body in *"| $c "*"reporting live"*"reporting ready"*) ok "component $c reports" ;; *) fail "component $c reports" "$body" ;; esac
done
expect "another path is not there" 404 "$(status 19099 /metrics)"
expect "metrics are not served unless that is asked for" "" "$(status 19091 /metrics)"
stop h typhad
check "without the datastore it is not ready" wait_for 10 answers 19099 /readiness 503
expect "but alive" 200 "$(status 19099 /liveness)"
start h typhad --datastore-path "$W/ds/datastore.db"
check "with it, it is again" wait_for 15 answers 19099 /readiness 200

# ---- files
expect "no endpoint, no file" "" "$(ls $files 2>/dev/null)"
{ open_profile; wep a $A 'app: a'; wep b $B 'app: b'; cat <<E; } | apply
---
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: t, namespace: default}
spec: {selector: "app == 'b'", types: [Ingress], ingress: [{action: Allow}]}
E
check "a file for an endpoint that is up" wait_for 10 file a
expect "says what there is" '{"ifaceName":"calia","mac":"02:00:00:00:00:11","ipv4Nets":["10.65.0.11/32"]}' "$(file a)"
check "and for the other" wait_for 10 file b
expect "everybody may read it" 644 "$(stat -c %a "$files/k8s default%2Fb eth0")"
ip -n h link set calib down
check "none while the interface is down" wait_for 10 not file b
ip -n h link set calib up
check "again when it is up" wait_for 10 file b
stop h felixd
check "they stay while felixd is away" file a
: >"$files/k8s default%2Fgone eth0"
start h felixd
check "what is no longer so goes when it is back" wait_for 10 not file gone
check "... and that alone" file a
ctl delete workloadendpoint h-k8s-b-eth0 -n default >/dev/null
check "the endpoint goes, and so does the file" wait_for 10 not file b
config "endpointStatusPathPrefix: $W/elsewhere"
check "they are where they should be" wait_for 5 [ -e "$W/elsewhere/endpoint-status/k8s default%2Fa eth0" ]
check "... and nowhere else" not file a
mkdir -p $W/full && mount -t tmpfs -o size=4k tmpfs $W/full && mkdir $W/full/endpoint-status && head -c 100000 /dev/zero >$W/full/fill 2>/dev/null
config "endpointStatusPathPrefix: $W/full"
failing() { [ "$(counter status_files_failures)" -gt 0 ]; }
check "a full disk is noticed" wait_for 5 failing
check "... no matter for the kernel" tcp a $A 7
rm $W/full/fill
check "... and once it is not full the file is there" wait_for 10 [ -s "$W/full/endpoint-status/k8s default%2Fa eth0" ]
config 'endpointStatusPathPrefix: none'
check "no directory, no files" wait_for 5 not [ -e "$W/full/endpoint-status/k8s default%2Fa eth0" ]

# ---- metrics, switched on at run time
config 'prometheusMetricsEnabled: true, prometheusMetricsHost: 127.0.0.1, prometheusMetricsPort: 19091'
check "metrics are served once that is asked for" wait_for 5 answers 19091 /metrics 200
expect "endpoints here" 1 "$(metric felix_active_local_endpoints)"
wep b $B 'app: b' | apply
check "one more" wait_for 5 has felix_active_local_endpoints 2
expect "policies" 1 "$(metric felix_cluster_num_policies)"
check "active ones" wait_for 5 has felix_active_local_policies 1
expect "routes" 2 "$(metric 'felix_route_table_num_routes{table="IPv4:254"}')"
chains() { on h iptables-legacy-save -t "$1" | grep -c '^:cali-'; }
rules() { on h iptables-legacy-save -t "$1" | grep -c '^-A .*cali:'; }
for t in raw mangle nat filter; do
	check "chains of $t are those of the kernel" wait_for 5 has "felix_iptables_chains{ip_version=\"4\",table=\"$t\"}" "$(chains $t)"
	expect "rules of $t are those of the kernel" "$(rules $t)" "$(metric "felix_iptables_rules{ip_version=\"4\",table=\"$t\"}")"
done
expect "sets are those of the kernel" "$(on h ipset list -n | grep -c '^cali40')" "$(metric 'felix_ipsets_calico{ip_version="inet"}')"
expect "in sync" 3 "$(metric felix_resync_state)"
expect "the host" 1 "$(metric 'felix_host{host="h"}')"
[ "$(metric felix_int_dataplane_apply_time_seconds_count)" -gt 0 ] && ok "applies are timed" || fail "applies are timed"
before=$(metric felix_int_dataplane_apply_time_seconds_count)
ctl delete networkpolicy t -n default >/dev/null
check "... each of them" wait_for 5 sh -c "! [ $before = \"\$(nsenter --net=/run/netns/h python3 $TOP/test/integration/web.py 19091 /metrics | sed -n 's/^felix_int_dataplane_apply_time_seconds_count //p')\" ]"
check "a policy less" wait_for 5 has felix_cluster_num_policies 0
web 19091 /metrics | tail -n +2 >$W/m
check "every line is of the format" not grep -vE '^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? (NaN|[-+0-9.e]+|\+Inf))$' $W/m
expect "every family has one type" "" "$(sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' $W/m | sort | uniq -d)"
check "the process is among it" grep -q '^process_resident_memory_bytes ' $W/m
config 'prometheusMetricsEnabled: true, prometheusMetricsPort: 19091, prometheusMetricsHost: 127.0.0.1, prometheusProcessMetricsEnabled: false'
check "... unless that is not wanted" wait_for 5 sh -c "! nsenter --net=/run/netns/h python3 $TOP/test/integration/web.py 19091 /metrics | grep -q '^process_'"
config 'prometheusMetricsEnabled: true, prometheusMetricsPort: 19091, prometheusMetricsHost: 127.0.0.1, prometheusMetricsCertFile: /x, prometheusMetricsKeyFile: /y'
check "who asks for TLS does not get plain text" wait_for 5 answers 19091 /metrics ""
check "... and is told" grep -q 'metrics are not served' $W/h.felixd.log

# ---- a port that is taken
nsenter --net=/run/netns/h socat TCP-LISTEN:19092,bind=127.0.0.1,fork,reuseaddr EXEC:cat & holder=$!
wait_for 5 on h socat -u OPEN:/dev/null TCP:127.0.0.1:19092
config 'prometheusMetricsEnabled: true, prometheusMetricsPort: 19092, prometheusMetricsHost: 127.0.0.1'
check "a port that is taken is told" wait_for 5 grep -q 'cannot serve over HTTP.*metrics.*19092' $W/h.felixd.log
expect "probes go on" 200 "$(status 19099 /readiness)"
kill $holder
check "... and had as soon as it is free" wait_for 10 answers 19092 /metrics 200
