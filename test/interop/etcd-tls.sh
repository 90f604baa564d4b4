#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# etcd behind TLS, client certificates, users, names: who is let in, who is not and why; tokens that expire; SRV records.
#     a: etcd_client, a name server in Python ---- etcd on 127.0.0.1 and ::1
. "$(dirname "$0")/../integration/lib.sh"
. "$TOP/test/interop/etcd.inc"

# ---- certificates: one authority and another, a server's, clients', one that has expired, one for another name
ssl() { openssl "$@" >>$W/openssl.log 2>&1 || { fail "openssl $1" "$(tail -n 5 $W/openssl.log)"; exit 1; }; }
ca() { # NAME
	ssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$1" -keyout $W/$1.key -out $W/$1.crt
}
cert() { # NAME CA CN SUBJECT_ALT_NAMES [DAYS]
	printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$4" >$W/$1.ext
	ssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$3" -keyout $W/$1.key -out $W/$1.csr
	if [ "${5:-}" = expired ]; then
		touch $W/index.txt; [ -e $W/serial ] || echo 01 >$W/serial
		printf '[ca]\ndefault_ca=d\n[d]\ndatabase=%s/index.txt\nserial=%s/serial\nnew_certs_dir=%s\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n' $W $W $W >$W/ca.cnf
		ssl ca -batch -config $W/ca.cnf -cert $W/$2.crt -keyfile $W/$2.key -in $W/$1.csr -out $W/$1.crt -extfile $W/$1.ext \
			-startdate 20200101000000Z -enddate 20200201000000Z -notext
	else
		ssl x509 -req -in $W/$1.csr -CA $W/$2.crt -CAkey $W/$2.key -CAcreateserial -days 30 -extfile $W/$1.ext -out $W/$1.crt
	fi
}
ca ca; ca stranger
cert server ca etcd DNS:etcd.test,IP:127.0.0.1,IP:::1
cert root ca root DNS:root
cert old ca old DNS:old expired
cert late ca etcd DNS:etcd.test,IP:127.0.0.1 expired
cert foreign stranger root DNS:root
cert othername ca etcd DNS:elsewhere.test
printf '127.0.0.1 localhost etcd.test elsewhere.test\n::1 six.test\n' >$W/hosts
mount --bind $W/hosts /etc/hosts

secure() { # CERTIFICATE ARGS...
	_c=$1; shift
	etcd_start e --listen-client-urls https://127.0.0.1:2379,https://[::1]:2379,http://127.0.0.1:2389 --advertise-client-urls https://etcd.test:2379 \
		--cert-file $W/$_c.crt --key-file $W/$_c.key --trusted-ca-file $W/ca.crt --client-cert-auth "$@"
	wait_for 15 etcdctl --endpoints https://127.0.0.1:2379 --insecure-skip-tls-verify --cert $W/root.crt --key $W/root.key endpoint status
}
E="etcdctl --endpoints https://etcd.test:2379 --cacert $W/ca.crt --cert $W/root.crt --key $W/root.key"
with() { # OPTIONS as NAME=FILE ... -- COMMAND
	_env=
	while [ "$1" != -- ]; do _env="$_env ETCD_$1"; shift; done
	shift
	# shellcheck disable=SC2086
	env $_env $client "$@"
}
good="CA_CERT_FILE=$W/ca.crt CERT_FILE=$W/root.crt KEY_FILE=$W/root.key"
try() { with "$@" -- get IPPool p 2>&1 | grep -v ' error ' | head -n 1; }
says() { # NAME WANTED_PART OPTIONS...
	_name=$1 _want=$2; shift 2
	_got=$(try "$@")
	case $_got in *"$_want"*) ok "$_name" ;; *) fail "$_name" "expected: ... $_want
seen:     $_got" ;; esac
}
secure server
# shellcheck disable=SC2086
{
	echo '{"metadata":{"name":"p"},"spec":{"cidr":"10.0.0.0/16"}}' | with ENDPOINTS=https://etcd.test:2379 $good -- create IPPool p >$W/out 2>&1
	check "a client certificate and a name" grep -q '^ok' $W/out
	says "an IPv4 address" "ok revision" ENDPOINTS=https://127.0.0.1:2379 $good
	says "an IPv6 address" "ok revision" ENDPOINTS=https://[::1]:2379 $good
	says "the authority of somebody else" "certificate" ENDPOINTS=https://etcd.test:2379 CA_CERT_FILE=$W/stranger.crt CERT_FILE=$W/root.crt KEY_FILE=$W/root.key
	says "no authority: the system's do not know it" "certificate" ENDPOINTS=https://etcd.test:2379 CERT_FILE=$W/root.crt KEY_FILE=$W/root.key
	says "a name that the certificate is not for" "six.test" ENDPOINTS=https://six.test:2379 $good
	says "no client certificate" "etcd cannot be reached: https://etcd.test:2379: " ENDPOINTS=https://etcd.test:2379 CA_CERT_FILE=$W/ca.crt
	says "a client certificate of a stranger" "etcd cannot be reached: https://etcd.test:2379: " ENDPOINTS=https://etcd.test:2379 CA_CERT_FILE=$W/ca.crt CERT_FILE=$W/foreign.crt KEY_FILE=$W/foreign.key
	says "a client certificate that has expired" "etcd cannot be reached: https://etcd.test:2379: " ENDPOINTS=https://etcd.test:2379 CA_CERT_FILE=$W/ca.crt CERT_FILE=$W/old.crt KEY_FILE=$W/old.key
	says "TLS where there is none" "etcd cannot be reached: https://etcd.test:2389: " ENDPOINTS=https://etcd.test:2389 $good
	says "no TLS where there is some" "etcd cannot be reached: http://etcd.test:2379: " ENDPOINTS=http://etcd.test:2379
	says "a file that is not there" "refused: " ENDPOINTS=https://etcd.test:2379 CA_CERT_FILE=$W/nothing
	says "a key that is not the certificate's" "refused: " ENDPOINTS=https://etcd.test:2379 CA_CERT_FILE=$W/ca.crt CERT_FILE=$W/root.crt KEY_FILE=$W/old.key
	says "one endpoint of several serves" "ok revision" "ENDPOINTS=https://elsewhere.test:2379,https://127.0.0.1:1,https://nobody.invalid:2379,https://etcd.test:2379" $good
	socat TCP-LISTEN:2390,fork,reuseaddr EXEC:'sleep 60' & mute=$!
	socat TCP-LISTEN:2391,fork,reuseaddr SYSTEM:'printf "HTTP/1.1 400 Bad Request\r\n\r\n"' & web=$!
	socat TCP-LISTEN:2392,fork,reuseaddr SYSTEM:'head -c 100000 /dev/urandom' & noise=$!
	wait_for 5 sh -c 'for p in 2390 2391 2392; do ss -Hltn sport = :$p | grep -q . || exit 1; done'
	says "one that accepts and is silent" "etcd cannot be reached: http://127.0.0.1:2390: HTTP/2: Connection timed out" ENDPOINTS=http://127.0.0.1:2390
	says "... behind TLS" "etcd cannot be reached: https://127.0.0.1:2390: TLS handshake: Connection timed out" ENDPOINTS=https://127.0.0.1:2390 $good
	says "a web server" "etcd cannot be reached: http://127.0.0.1:2391: " ENDPOINTS=http://127.0.0.1:2391
	says "noise" "etcd cannot be reached: http://127.0.0.1:2392: " ENDPOINTS=http://127.0.0.1:2392
	kill $mute $web $noise
	# calicoctl, with what its configuration file has inline
	{
		printf 'apiVersion: projectcalico.org/v3\nkind: CalicoAPIConfig\nspec:\n  datastoreType: etcdv3\n  etcdEndpoints: https://etcd.test:2379\n'
		for f in etcdCACert:ca.crt etcdCert:root.crt etcdKey:root.key; do
			echo "  ${f%%:*}: |"; sed 's/^/    /' $W/${f#*:}
		done
	} >$W/calicoctl.cfg
	check "calicoctl with certificates in its configuration" "$BUILD/calicoctl/calicoctl" --config=$W/calicoctl.cfg get ippool p
	echo "  etcdKeyFile: /x" >>$W/calicoctl.cfg
	expect "files and inline do not mix" "Cannot mix inline certificate-key and certificate / key files" \
		"$("$BUILD/calicoctl/calicoctl" --config=$W/calicoctl.cfg get ippool p 2>&1 | grep -o 'Cannot mix.*')"
}

# ---- certificates that are renewed: those in memory have run out, those in the files have not
mkfifo $W/fifo
cp $W/old.crt $W/mine.crt; cp $W/old.key $W/mine.key
with ENDPOINTS=https://etcd.test:2379 CA_CERT_FILE=$W/ca.crt CERT_FILE=$W/mine.crt KEY_FILE=$W/mine.key -- watch <$W/fifo >$W/watch 2>$W/watch.log &
exec 3>$W/fifo
wait_for 10 grep -q 'cannot be reached' $W/watch.log || fail "an expired certificate is refused"
cp $W/root.key $W/mine.key; cp $W/root.crt $W/mine.crt
wait_for 10 grep -qx in-sync $W/watch && ok "a renewed certificate is used without a restart"
echo >&3; exec 3>&-

# ---- a server whose certificate is for another name, and one that has expired
etcd_stop e
secure othername
# shellcheck disable=SC2086
says "a server that shows another's certificate" "etcd.test" ENDPOINTS=https://etcd.test:2379 $good
# shellcheck disable=SC2086
says "... and its own by its own name" "ok revision" ENDPOINTS=https://elsewhere.test:2379 $good
etcd_stop e
secure late
# shellcheck disable=SC2086
says "a server's certificate that has expired" "expired" ENDPOINTS=https://etcd.test:2379 $good
etcd_stop e

# ---- users and tokens
E="etcdctl --endpoints http://127.0.0.1:2379"
rm -rf "$W/e"
single e --auth-token-ttl 2
$E user add root:rootpw >/dev/null; $E user grant-role root root >/dev/null
$E user add felix:secret >/dev/null; $E role add calico >/dev/null
$E role grant-permission calico --prefix=true readwrite /calico/ >/dev/null; $E user grant-role felix calico >/dev/null
$E auth enable >/dev/null
R="$E --user root:rootpw"
user="ENDPOINTS=http://127.0.0.1:2379 USERNAME=felix PASSWORD=secret"
# shellcheck disable=SC2086
{
	echo '{"metadata":{"name":"p"},"spec":{"cidr":"10.0.0.0/16"}}' | with $user -- create IPPool p >$W/out 2>&1
	check "a user and a password" grep -q '^ok' $W/out
	says "a wrong password" "etcdserver: authentication failed, invalid user ID or password" ENDPOINTS=http://127.0.0.1:2379 USERNAME=felix PASSWORD=wrong
	says "no user" "revision=0: etcdserver: user name is empty" ENDPOINTS=http://127.0.0.1:2379
	check "the password is in no message" sh -c "! grep -rq -e 'secret' $W/out"
	rm -f $W/fifo; mkfifo $W/fifo
	with $user -- stress 2 2 1 <$W/fifo >$W/stress 2>$W/stress.log &
	stress=$!
}
exec 3>$W/fifo
wait_for 10 grep -qx running $W/stress || fail "writers run with a user"
# Tokens become invalid when the table of users changes, and when they are not used.
$R user add another:x >/dev/null
$R role grant-permission calico --prefix=true read /other/ >/dev/null
etcd_stop e KILL; single_auth() { etcd_start e --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 --auth-token-ttl 2; }
single_auth # tokens of the simple kind do not outlive the server
wait_for 15 $R get nothing
progress() { [ "$($R get -w json nothing | jq .header.revision)" -gt $(($1 + 20)) ]; }
r=$($R get -w json nothing | jq .header.revision)
wait_for 15 progress "$r" && ok "writers go on with a new token"
kill -STOP $stress
t=$(date +%s); passed_3s() { [ $(($(date +%s) - t)) -ge 4 ]; }
wait_for 6 passed_3s # a token that nobody uses expires
kill -CONT $stress
r=$($R get -w json nothing | jq .header.revision)
wait_for 15 progress "$r" && ok "and after theirs have expired"
echo >&3; exec 3>&-
wait $stress
expect "nothing is lost over it" 0 $?
grep -q faults=0 $W/stress || sed 's/^/# /' $W/stress
etcd_stop e

# ---- SRV records
rm -rf "$W/e"
cat >$W/dns.py <<'PY'
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.53", 53))
def name(n): return b"".join(bytes([len(p)]) + p.encode() for p in n.split(".")) + b"\0"
zone = {"_etcd-client._tcp.cluster.test": [(10, 0, 1, "dead.test"), (20, 0, 2379, "etcd.test")]}
while True:
    q, peer = s.recvfrom(512)
    at, labels = 12, []
    while q[at]:
        labels.append(q[at + 1:at + 1 + q[at]].decode()); at += 1 + q[at]
    kind = struct.unpack(">H", q[at + 1:at + 3])[0]
    found = zone.get(".".join(labels).lower(), []) if kind == 33 else []
    rr = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", 33, 1, 5, 6 + len(name(t))) + struct.pack(">HHH", p, w, port) + name(t) for p, w, port, t in found)
    s.sendto(q[:2] + struct.pack(">HHHHH", 0x8180 if found else 0x8183, 1, len(found), 0, 0) + q[12:at + 5] + rr, peer)
PY
printf 'nameserver 127.0.0.53\noptions timeout:1 attempts:1\n' >$W/resolv.conf
mount --bind $W/resolv.conf "$(readlink -f /etc/resolv.conf)"
printf '127.0.0.1 localhost etcd.test dead.test\n' >$W/hosts
python3 $W/dns.py &
dns=$!
single e
unset ETCD_ENDPOINTS
asked() { with DISCOVERY_SRV=cluster.test -- get IPPool p 2>&1 | grep -q 'resource does not exist'; }
wait_for 10 asked && ok "members are found by SRV records, and the one that serves is taken"
says "a domain without records" "failed to discover etcd endpoints through SRV discovery: domain nothing.test" DISCOVERY_SRV=nothing.test
says "not both ways" "refused: multiple discovery or bootstrap options specified" DISCOVERY_SRV=cluster.test ENDPOINTS=http://127.0.0.1:2379
says "neither" "refused: no etcd endpoints specified"
kill $dns
etcd_stop e
