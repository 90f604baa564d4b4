#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Felix's parameters come from FelixConfigurations, a file and the environment, by upstream's precedence; a change takes effect while packets flow.
#
#      a 10.65.0.11 --calia-- h 172.16.0.1 --calib-- b 10.65.0.12
. "$(dirname "$0")/lib.sh"
. "$TOP/test/integration/felixd.inc"
A=10.65.0.11 B=10.65.0.12 H=172.16.0.1
host
on h socat TCP-LISTEN:80,fork,reuseaddr EXEC:cat 2>/dev/null &
pod a $A; pod b $B
{ open_profile; wep a $A 'app: a'; wep b $B 'app: b'; cat <<E; } | apply
---
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {name: t, namespace: default}
spec: {selector: "app == 'b'", types: [Ingress], ingress: [{action: Log, protocol: TCP, destination: {ports: [80]}}, {action: Deny, protocol: TCP, destination: {ports: [80]}}, {action: Allow}]}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: h, labels: {rack: r1}}
spec: {bgp: {ipv4Address: 172.16.0.1/24}}
E
check "two endpoints reach the kernel" wait_for 10 up 2

config() { # NAME SPEC [ANNOTATIONS]
	echo "{apiVersion: projectcalico.org/v3, kind: FelixConfiguration, metadata: {name: $1, annotations: {${3:-}}}, spec: {$2}}" | apply
}
value() { ctl debug felixd dump parameters 2>/dev/null | jq -r ".. | select(.name? == \"$1\") | .value + \" by \" + .source"; }
is() { [ "$(value "$1")" = "$2" ] || { value "$1"; return 1; }; }
has_rule() { on h iptables-legacy-save | grep -q -- "$@"; }
says() { grep -q "$@" $W/h.felixd.log; }

flood() { on a sh -c "echo \$\$ >$W/ping.pid; exec ping -q -i 0.01 $B" >$W/ping.out 2>&1 & flood=$!; wait_for 5 test -s $W/ping.pid; }
no_loss() { kill -INT "$(cat $W/ping.pid)"; wait $flood; rm $W/ping.pid; check "$1" grep ' 0% packet loss' $W/ping.out || cat $W/ping.out; }

# ---- at run time, by rendering anew
pid=$(pid_of h felixd)
closes "a pod does not reach its host" tcp a $H 80
flood
config default 'defaultEndpointToHostAction: Accept, iptablesFilterDenyAction: Reject, logPrefix: other'
opens "a FelixConfiguration lets it, at once" tcp a $H 80
check "what policy denies is refused" wait_for 5 has_rule '-j REJECT'
check "the prefix of Log is another" wait_for 5 has_rule '--log-prefix "other'
check "the value's source is known" is LogPrefix 'other by FelixConfiguration default'
config default 'chainInsertMode: Append, iptablesFilterAllowAction: Return, disableConntrackInvalidCheck: true, allowVXLANPacketsFromWorkloads: true, natPortRange: "1000:2000"'
check "what it no longer says is as before" wait_for 5 is LogPrefix 'calico-packet by default'
check "... in the kernel, too" wait_for 5 has_rule '--log-prefix "calico-packet'
check "packets that are invalid are let through to policy" wait_for 5 not has_rule '--ctstate INVALID'
check "VXLAN of pods is let through" wait_for 5 not has_rule 'VXLAN encapped'
check "IPIP is not" has_rule 'IPinIP encapped'
on h iptables-legacy -A FORWARD -p tcp --dport 82 -j DROP
closes "others' rules come first" tcp a $B 82
on h iptables-legacy -D FORWARD -p tcp --dport 82 -j DROP
closes "a pod does not reach its host any more" tcp a $H 80
ctl delete felixconfiguration default >/dev/null
check "without it all is as it was" wait_for 5 has_rule '--ctstate INVALID'
no_loss "no packet was lost meanwhile"
expect "it is the same process" "$pid" "$(pid_of h felixd)"
check "... that did not start anew" not says 'starts anew'
config default 'logSeverityScreen: Error'
check "the log's level is another" wait_for 5 is LogSeverityScreen 'ERROR by FelixConfiguration default'
config default 'logSeverityScreen: Error, logPrefix: quiet'
check "a change is carried out" wait_for 5 has_rule '--log-prefix "quiet'
check "... and not told of" not says 'is=quiet'
config default 'iptablesRefreshInterval: 0.5s, logSeverityScreen: Info'
check "the level is back" wait_for 5 is LogSeverityScreen 'INFO by FelixConfiguration default'
config default 'iptablesRefreshInterval: 0.5s, logPrefix: loud'
check "... and changes are told of" wait_for 5 says 'LogPrefix.*is=loud'
on h iptables-legacy -F cali-FORWARD
check "chains are read back more often" wait_for 10 has_rule '-A cali-FORWARD'

# ---- what goes first
config default 'logPrefix: global'
check "default" wait_for 5 is LogPrefix 'global by FelixConfiguration default'
config rack 'nodeSelector: "rack == '"'r1'"'", logPrefix: rack'
check "by the node's labels" wait_for 5 is LogPrefix 'rack by FelixConfiguration by nodeSelector'
ctl label nodes h rack=r2 --overwrite >/dev/null
check "... when those fit" wait_for 5 is LogPrefix 'global by FelixConfiguration default'
config node.h 'logPrefix: host'
check "the node's own" wait_for 5 is LogPrefix 'host by FelixConfiguration of the node'
check "... is in the kernel" wait_for 5 has_rule '--log-prefix "host'
config node.other 'logPrefix: stranger'
config default 'logPrefix: global' 'config.projectcalico.org/ChainInsertMode: append, config.projectcalico.org/DefaultEndpointToHostAction: sideways'
check "an annotation counts" wait_for 5 is ChainInsertMode 'append by FelixConfiguration default'
check "a value that makes no sense is told" wait_for 5 says 'cannot be used.*DefaultEndpointToHostAction value=sideways'
check "... and the default used" is DefaultEndpointToHostAction 'DROP by default'
printf '[global]\nLogPrefix = file\n' >$W/felix.cfg
stop h felixd; start h felixd --config-file $W/felix.cfg; wait_for 10 up 2
check "the file" wait_for 5 is LogPrefix 'file by file'
printf '[global]\nLogPrefix = again\n' >$W/felix.cfg
kill -HUP "$(pid_of h felixd)"
check "... is read again on HUP" wait_for 5 is LogPrefix 'again by file'
export FELIX_LOGPREFIX=env FELIX_WIREGUARDENABLED=true
stop h felixd; start h felixd --config-file $W/felix.cfg; wait_for 10 up 2
check "the environment" wait_for 5 is LogPrefix 'env by environment'
check "... is in the kernel" wait_for 5 has_rule '--log-prefix "env'
check "a parameter without effect is told so" says 'has no effect.*WireguardEnabled'
expect "once" 1 "$(grep -c 'has no effect.*WireguardEnabled' $W/h.felixd.log)"
unset FELIX_LOGPREFIX FELIX_WIREGUARDENABLED
echo nonsense >$W/bad.cfg
if out=$(on h timeout 10 "$BUILD/felixd/felixd" --run-dir $W/other --config-file $W/bad.cfg 2>&1); then fail "a file that is none" "$out"; else
	case $out in *'line 1'*) ok "a file that is none is told with its line" ;; *) fail "a file that is none" "$out" ;; esac
fi

# ---- at run time, by starting anew in place
stop h felixd; start h felixd; wait_for 10 up 2
pid=$(pid_of h felixd)
counted() { on h iptables-legacy -t filter -L cali-FORWARD -v -n -x | awk '$3 ~ /^cali-|ACCEPT/ { n += $1 } END { print n }'; }
flood
before=$(counted)
config node.h 'logPrefix: host, deviceRouteProtocol: 80'
check "felixd starts anew" wait_for 10 says 'DeviceRouteProtocol.*felixd starts anew'
other_proto() { [ "$(ip -n h route show proto 80 | grep -c cali)" = 2 ]; }
check "... and carries out what is new" wait_for 10 other_proto
check "... and is ready again" wait_for 10 up 2
no_loss "no packet was lost meanwhile"
expect "no chain was written" 0 "$(counter iptables_writes)"
[ "$(counted)" -gt "$before" ] && ok "rules have kept their counters" || fail "rules have kept their counters" "$before, now $(counted)"
check "in the same process" alive h felixd
expect "once" 1 "$(grep -c 'felixd starts anew' $W/h.felixd.log)"
expect "the capabilities are what they were" 0000000000003000 "$(awk '/^CapEff/ { print $2 }' "/proc/$pid/status")"
flood
config node.h 'logPrefix: host, deviceRouteProtocol: 80, interfacePrefix: "cali,tap"'
check "another prefix" wait_for 10 has_rule '-i tap+'
check "all endpoints are there" wait_for 10 up 2
no_loss "no packet was lost meanwhile"
check "policy is as it was" not tcp a $B 80
opens "... to both sides" tcp a $B 81
expect "the kernel refused nothing" 0 "$(counter failures)"
