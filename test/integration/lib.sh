# SPDX-License-Identifier: BSD-2-Clause
# lib.sh: what integration tests are written with. A test begins with a sentence of what it shows, a drawing of its
# topology, and
#
#     . "$(dirname "$0")/lib.sh"
#
# and is from then on alone: re-executed in mount, network and PID namespaces of its own, with a private /run and /tmp. It
# may run beside any other test and needs no cleanup: when it ends, the kernel takes back every process, namespace, interface and file.
#
#   node N                     a host: a network namespace with its own run directory
#   wire A B PREFIX            a cable between two nodes: A gets .1, B gets .2; interfaces are named after the other end
#   on N COMMAND...            runs COMMAND in the node's namespace
#   start N DAEMON ARGS...     starts a daemon of the build tree on the node; its log is $W/N.DAEMON.log
#   stop N DAEMON [SIGNAL]     ends it (TERM; a clean exit is demanded) or kills it (KILL), and waits
#   wait_for SECONDS COMMAND...  until COMMAND succeeds; says what it waited for when it did not
#   ok NAME / fail NAME [WHY] / skip NAME WHY
#   check NAME COMMAND...      ok or fail by COMMAND's exit status; on failure its output is shown
#   expect NAME WANTED SEEN    ok when equal; on failure both are shown
#
# Nothing sleeps: things are waited for, with a deadline.

set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-build}
case $BUILD in /*) ;; *) BUILD=$TOP/$BUILD ;; esac
TEST=$(basename "$0" .sh)
export BUILD TOP

if [ -z "${PERCALE_SANDBOX:-}" ]; then
	exec env PERCALE_SANDBOX=1 unshare --mount --net --pid --fork --kill-child --propagation private "$0" "$@"
fi
unset PERCALE_SANDBOX
mount -t proc proc /proc
# A checkout or build tree below /tmp stays where it is when the private /tmp is laid over it.
mount -t tmpfs -o mode=755 tmpfs /mnt
mkdir -p /mnt/top /mnt/build
mount --bind "$TOP" /mnt/top
[ ! -d "$BUILD" ] || mount --bind "$BUILD" /mnt/build
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp
[ -d "$TOP" ] || { mkdir -p "$TOP"; mount --bind /mnt/top "$TOP"; }
[ -d "$BUILD" ] || { mkdir -p "$BUILD"; mount --bind /mnt/build "$BUILD"; }
umount -R /mnt
mkdir -p /run/netns /run/lock /run/n
ip link set lo up
W=/tmp/w
mkdir -p $W
cd "$TOP" || exit 1
SECONDS_DEFAULT=15
passed=0 failed=0 skipped=0 vain=0

ok() { passed=$((passed + 1)); printf '%s\n' "ok - $TEST: $1"; } # echo would interpret backslashes
fail() {
	failed=$((failed + 1))
	printf '%s\n' "not ok - $TEST: $1"
	[ $# -lt 2 ] || printf '%s\n' "$2" | sed 's/^/#   /'
}
skip() { skipped=$((skipped + 1)); echo "ok - $TEST: $1 # SKIP $2"; }

check() {
	_name=$1; shift
	if _out=$("$@" 2>&1); then ok "$_name"; else fail "$_name" "failed: $*
$_out"; return 1; fi
}

expect() {
	if [ "$2" = "$3" ]; then ok "$1"; else fail "$1" "expected: $2
seen:     $3"; return 1; fi
}

wait_for() {
	_secs=$1; shift
	_end=$(($(date +%s%N) / 1000000 + _secs * 1000))
	until "$@" >$W/wait.out 2>&1; do
		if [ $(($(date +%s%N) / 1000000)) -ge $_end ]; then
			echo "#   waited $_secs s in vain for: $*"
			sed 's/^/#   /' $W/wait.out | tail -n 20
			vain=$((vain + 1))
			return 1
		fi
		sleep 0.02
	done
}

node() {
	ip netns add "$1"
	ip -n "$1" link set lo up
	mkdir -p "/run/n/$1"
	on "$1" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
		net.ipv6.conf.all.disable_ipv6=0
}

wire() {
	_net=${3%.*}; _len=${3#*/}; _last=${3%/*}; _last=${_last##*.}
	ip -n "$1" link add dev "$2" type veth peer name "$1" netns "$2"
	ip -n "$1" addr add "$_net.$((_last + 1))/$_len" dev "$2"
	ip -n "$2" addr add "$_net.$((_last + 2))/$_len" dev "$1"
	ip -n "$1" link set dev "$2" up
	ip -n "$2" link set dev "$1" up
}

on() { _n=$1; shift; nsenter --net="/run/netns/$_n" env CALICO_RUN_DIR="/run/n/$_n" NODENAME="$_n" "$@"; }

start() {
	_n=$1 _d=$2; shift 2
	nsenter --net="/run/netns/$_n" env CALICO_RUN_DIR="/run/n/$_n" NODENAME="$_n" \
		"$BUILD/$_d/$_d" "$@" >>"$W/$_n.$_d.log" 2>&1 &
	echo $! >"$W/$_n.$_d.pid"
}

pid_of() { cat "$W/$1.$2.pid"; }

stop() {
	_p=$(pid_of "$1" "$2"); _sig=${3:-TERM}
	kill -"$_sig" "$_p" 2>/dev/null
	wait "$_p"
	_rc=$?
	rm -f "$W/$1.$2.pid"
	[ "$_sig" = KILL ] || [ $_rc = 0 ] || fail "$2 on $1 ends cleanly on $_sig" "exit status $_rc
$(tail -n 30 "$W/$1.$2.log")"
}

alive() { kill -0 "$(pid_of "$1" "$2")"; }

# Is there a frame-speaking server behind this socket?
listening() { [ -S "$1" ] && socat -u OPEN:/dev/null "UNIX-CONNECT:$1"; }

finish() {
	_rc=$?
	[ -z "${LAB_DIR:-}" ] || cp "$LAB_DIR"/*/log/*.log "$W/" 2>/dev/null # of a lab that is still up
	for _l in "$W"/*.log; do
		[ -e "$_l" ] || continue
		if grep -qE 'ERROR: (Address|Leak)Sanitizer|runtime error:|Assertion .* failed' "$_l"; then
			fail "no sanitizer report in $(basename "$_l")" "$(grep -nE -A25 'ERROR: |runtime error:|Assertion' "$_l" | head -n 60)"
		fi
	done
	[ $vain = 0 ] || [ $failed -gt 0 ] || fail "all that was waited for came" "$vain times it did not"
	[ $_rc = 0 ] || [ $failed -gt 0 ] || fail "runs to its end" "the script ended with status $_rc"
	if [ $failed -gt 0 ] && [ -n "${PERCALE_TEST_LOGS-1}" ]; then
		for _l in "$W"/*.log; do
			[ -e "$_l" ] && { echo "# ---- $(basename "$_l") (last lines)"; tail -n 15 "$_l" | sed 's/^/#   /'; }
		done
	fi
	echo "# $TEST: $passed passed, $failed failed, $skipped skipped"
	[ $failed = 0 ]
	exit $?
}
trap finish EXIT
