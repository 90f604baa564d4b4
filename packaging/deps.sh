#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Installs the Debian 12 packages that the project needs.
#   packaging/deps.sh [--check] [build] [test]     --check only tells, by its exit code and a list, what is missing
set -eu

build='gcc make pkg-config protobuf-c-compiler protobuf-compiler libprotobuf-c-dev libnl-3-dev libnl-route-3-dev
libip4tc-dev libip6tc-dev libxtables-dev libuv1-dev libyajl-dev libyaml-dev libsqlite3-dev libcap-ng-dev libcmocka-dev
libssl-dev libnghttp2-dev libzstd-dev'
test='clang libclang-rt-14-dev clang-format clang-tidy iproute2 iptables ipset iputils-ping procps socat jq bird2 gobgpd
etcd-server etcd-client containerd runc containernetworking-plugins busybox-static netcat-openbsd conntrack tcpdump python3 sqlite3 openssl nftables zsh fish groff-base'

check=0 want=
for a; do
	case $a in
	--check) check=1 ;;
	build) want="$want $build" ;;
	test) want="$want $test" ;;
	*) echo "deps.sh: '$a': not build, test or --check" >&2; exit 2 ;;
	esac
done
[ -n "$want" ] || want="$build $test"

missing=
for p in $want; do
	case $(dpkg-query -W -f '${Status}' "$p" 2>/dev/null) in
	*' installed') ;;
	*) missing="$missing $p" ;;
	esac
done
[ -n "$missing" ] || exit 0
if [ $check = 1 ]; then
	echo "missing:$missing"
	exit 1
fi
if [ "$(id -u)" != 0 ]; then
	echo "deps.sh: as root, please: apt-get install$missing" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# The daemons that come with test packages are started by the tests, not by their packages.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' > $policy
	chmod 755 $policy
	trap 'rm -f $policy' EXIT
fi
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing
