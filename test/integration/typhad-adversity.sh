#!/bin/sh
# What goes wrong around typhad: a full disk, a file that is no datastore, one from tomorrow, one that is taken away, broken values, garbage on its sockets,
# the socket of a killed process.        a: typhad
. "$(dirname "$0")/lib.sh"
client=$BUILD/test/integration/typhad_client
sock=/run/n/a/typhad/api.sock
node a
counter() { $client counter /run/n/a "$1"; }
serving() { $client get $sock "$1"; }

# ---- files that are no datastore: refused with a sentence, untouched
refused() { # NAME FILE SENTENCE
	sum=$(sha256sum "$2"; ls -A "$(dirname "$2")")
	out=$(timeout 10 "$BUILD/typhad/typhad" --run-dir /run/n/a --datastore-path "$2" 2>&1) &&
		{ fail "$1 is refused" "it was taken"; return; }
	case $out in *"$3"*) ok "$1 is refused: $3" ;; *) fail "$1 is refused" "$out" ;; esac
	expect "$1 is left as it was" "$sum" "$(sha256sum "$2"; ls -A "$(dirname "$2")")"
}
mkdir $W/odd
echo "this is my diary" >$W/odd/diary
refused "a text file" $W/odd/diary "is not a datastore"
head -c 100000 /dev/urandom >$W/odd/noise
refused "noise" $W/odd/noise "is not a datastore"
sqlite3 $W/odd/other.db 'CREATE TABLE t (x)'
refused "another program's database" $W/odd/other.db "is not a datastore"
out=$(timeout 10 "$BUILD/typhad/typhad" --run-dir /run/n/a --datastore-path /proc/nowhere/db 2>&1) &&
	fail "a place where nothing can be made" "taken" || ok "a place where nothing can be made is refused"
out=$(timeout 10 "$BUILD/typhad/typhad" --run-dir /run/n/a --datastore-type kubernetes 2>&1) &&
	fail "a datastore type that is not there yet" "taken" ||
	case $out in *"'kubernetes' is not supported"*) ok "a datastore type that is not there yet is refused" ;; *) fail "datastore type" "$out" ;; esac

# ---- a full disk
mkdir $W/small
mount -t tmpfs -o size=3m tmpfs $W/small
start a typhad --datastore-path $W/small/datastore.db
wait_for 10 $client put $sock first 1
out=$($client fill $sock big 400 20000)
case $out in *"no space is left for the datastore '$W/small/datastore.db'"*) ok "a full disk is told in a sentence" ;; *) fail "a full disk is told" "$out" ;; esac
acked=$(echo "$out" | head -n 1)
alive a typhad && ok "typhad lives on"
check "reads go on" $client get $sock first
case $(counter status) in *"writes fail"*) ok "its status says so" ;; *) fail "its status says so" "$(counter status)" ;; esac
expect "what was acknowledged is there" "$acked" "$($client list $sock | grep -c '^big')"
stop a typhad KILL
start a typhad --datastore-path $W/small/datastore.db
wait_for 10 serving first || fail "it starts on a full disk and serves what there is"
expect "after kill -9 on a full disk, too" "$acked" "$($client list $sock | grep -c '^big')"
mount -o remount,size=64m $W/small
wait_for 10 $client put $sock second 2 && ok "with space again, writes work again"
out=$($client fill $sock big 400 20000)
expect "all of them" 400 "$out"
expect "and the status is good" serving "$(counter status)"
expect "the datastore is whole" ok "$(sqlite3 $W/small/datastore.db 'PRAGMA integrity_check')"
stop a typhad

# ---- one that is newer than we are
sqlite3 $W/small/datastore.db 'PRAGMA user_version = 9; PRAGMA journal_mode = DELETE' >/dev/null
refused "a datastore of a newer version" $W/small/datastore.db "a newer version"
sqlite3 $W/small/datastore.db 'PRAGMA user_version = 2'

# ---- broken values
root=/calico/resources/v3/projectcalico.org
sqlite3 $W/small/datastore.db "UPDATE object SET value = '{\"kind\":' WHERE key = '$root/globalnetworksets/big7';
	INSERT INTO object (key, created, modified, value) VALUES ('$root/nodes/n', 9, 9, '[]'), ('/calico/elsewhere', 9, 9, 'x')"
start a typhad --datastore-path $W/small/datastore.db
wait_for 10 serving first
expect "broken values are counted" 2 "$(counter datastore_bad_values)"
expect "and shown by key" "\"key\":\"$root/globalnetworksets/big7\"" "$($client dump /run/n/a bad-values | grep -o '"key":"[^"]*big7"')"
out=$("$BUILD/calicoctl/calicoctl" --allow-version-mismatch --run-dir /run/n/a get globalnetworkset big7 2>&1; echo "exit $?")
case $out in
"the value of '$root/globalnetworksets/big7' cannot be read: "*"exit 1") ok "a get says that it cannot be read, and why" ;;
*) fail "a get says that it cannot be read, and why" "$out" ;;
esac
expect "the others are served" 399 "$($client list $sock | grep -c '^big')"
check "a broken value can be replaced" $client put $sock big7 1
expect "then it is counted no more" 1 "$(counter datastore_bad_values)"

# ---- a datastore that is taken away while in use
mv $W/small/datastore.db $W/small/elsewhere.db
out=$($client put $sock third 3)
case $out in *"was removed or replaced"*) ok "a write to a datastore that was taken away is refused" ;; *) fail "a datastore taken away" "$out" ;; esac
mv $W/small/elsewhere.db $W/small/datastore.db
check "once it is back, writes work again" $client put $sock third 3

# ---- garbage on the sockets
cat >$W/attack.py <<'P'
import random, socket, struct, sys
path, rnd = sys.argv[1], random.Random(5)
def attack(data):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(12)
    s.connect(path)
    try:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        while s.recv(65536): pass
    except (BrokenPipeError, ConnectionResetError): pass
    s.close()
frame = lambda b: struct.pack(">I", len(b)) + b
attack(b""); attack(b"\0"); attack(b"\0\0\0\x40half a frame"); attack(b"\xff" * 4096)
attack(struct.pack(">I", (4 << 20) + 1) + b"x" * 100000)
hello = b"\x08\x01\x12\x02\x08\x01"
attack(frame(b"\x08\x01\x12\x02\x08\x63"))                # a version of tomorrow
attack(frame(b"\x08\x01\x52\x00"))                         # Ping before Hello
attack(frame(hello) + frame(hello))                        # Hello twice
attack(frame(hello) + frame(b"\x08\x02\x1a\x00"))         # Get of nothing
attack(frame(hello) + frame(b"\x08\x02\x22\x00"))         # List of nothing
for tag in (0x2a, 0x32, 0x3a, 0x42):                       # writes of nothing
    attack(frame(hello) + frame(b"\x08\x02" + bytes([tag, 0])))
attack(frame(hello) + frame(b"\x08\x02\x2a\x0d\x0a\x0b\x08\x0a\x1a\x01a\x2a\x04\xff\xff\xff\xff"))  # a body that is none
attack(frame(hello) + frame(b"\x08\x02\x4a\x00") * 3)     # Watch three times
for i in range(300):
    b = bytearray(frame(hello) + frame(b"\x08\x02\x2a\x10\x0a\x0e\x08\x0a\x1a\x01a\x2a\x07\x1a\x05\x0a\x01a\x12\x00"))
    for k in range(rnd.randrange(1, 4)): b[rnd.randrange(len(b))] = rnd.randrange(256)
    attack(bytes(b))
for i in range(100): attack(bytes(rnd.randrange(256) for _ in range(rnd.randrange(2000))))
P
for s in api ctl; do
	check "garbage on $s.sock" python3 $W/attack.py /run/n/a/typhad/$s.sock
	alive a typhad && check "others are served" $client get $sock first
done
[ "$(counter clients_closed_for_garbage)" -gt 100 ] && ok "garbage is counted"
closed=$(counter clients_closed_without_hello)
[ "$closed" -gt 0 ] && ok "clients without a Hello are counted"

# ---- leftovers
stop a typhad KILL
[ -S $sock ] && ok "a killed typhad leaves its socket behind"
start a typhad --datastore-path $W/small/datastore.db
wait_for 10 serving first && ok "the next one takes its place"
out=$(CALICO_RUN_DIR=/run/n/a timeout 10 "$BUILD/typhad/typhad" --datastore-path $W/second.db 2>&1) &&
	fail "a second typhad on the same socket is refused" "it ran" || ok "a second typhad on the same socket is refused"
check "and the first goes on" $client put $sock last 1
stop a typhad
[ -e $sock ] && fail "a typhad that stops takes its socket along" || ok "a typhad that stops takes its socket along"
