#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Manifests that are too large are refused at once, by name and limit; one that is just small enough takes bounded memory and time.
. "$(dirname "$0")/lib.sh"
cd $W || exit 1
ctl="$BUILD/calicoctl/calicoctl --datastore $W/db"
[ "${SAN:-0}" = 1 ] && factor=4 || factor=1 # the sanitizers' own memory
lists() { # BYTES: documents, so many bytes of them
	awk -v bytes=$1 'BEGIN { while (n < bytes) {
		s = sprintf("---\napiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata: {name: s%d}\nspec: {nets: [10.0.0.0/8]}\n%s", i++, pad)
		printf "%s", s; n += length(s)
		if (pad == "") pad = sprintf("# %0200d\n", 0) } }'
}
# The peak of its memory in KiB, its time in seconds, and its exit status.
measure() { # COMMAND...
	python3 -c 'import os, resource, subprocess, sys, time
t = time.time(); rc = subprocess.run(sys.argv[1:], stdout=open("out", "w"), stderr=subprocess.STDOUT).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, int(time.time() - t), rc)' "$@"
}

lists 52428800 >fifty.yaml
set -- $(measure $BUILD/calicoctl/calicoctl validate -f fifty.yaml)
expect "50 MB of documents: exit status" 1 $3
expect "50 MB of documents: the reason" "failed to execute command: 'fifty.yaml' is larger than 16777216 bytes" "$(cat out)"
check "50 MB of documents: memory" [ $1 -lt $((200000 * factor)) ]
set -- $(measure sh -c "cat fifty.yaml | $ctl apply -f -")
expect "50 MB of standard input: exit status" 1 $3
expect "50 MB of standard input: the reason" "failed to execute command: stdin, document 1, more than 16 MiB of text" "$(cat out)"
check "50 MB of standard input: memory" [ $1 -lt $((200000 * factor)) ]
check "nothing was made of it" [ ! -e db ]

{ printf '{"apiVersion":"projectcalico.org/v3","kind":"GlobalNetworkSet","metadata":{"name":"x"},"spec":{"nets":["10.0.0.0/8"'
	awk 'BEGIN { for (i = 0; i < 4000000; i++) printf ",\"10.0.0.0/8\"" }'; echo ']}}'; } >one.json
set -- $(measure $BUILD/calicoctl/calicoctl validate -f one.json)
expect "50 MB of one object: the reason" "failed to execute command: 'one.json' is larger than 16777216 bytes" "$(cat out)"

lists 16000000 >sixteen.yaml
n=$(grep -c '^kind' sixteen.yaml)
set -- $(measure $BUILD/calicoctl/calicoctl validate -f sixteen.yaml)
expect "16 MB of documents: exit status" 0 $3
expect "16 MB of documents: each is looked at" "Successfully validated $n 'GlobalNetworkSet' resource(s)" "$(cat out)"
check "16 MB of documents: memory ($1 KiB)" [ $1 -lt $((600000 * factor)) ]
check "16 MB of documents: time ($2 s)" [ $2 -lt 60 ]

# one list, nested or flat, has a limit of its own
awk 'BEGIN { print "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkSet\nmetadata: {name: x}\nspec:\n  nets:"; for (i = 0; i < 600000; i++) print "  - 10.0.0.0/8" }' >long.yaml
set -- $(measure $BUILD/calicoctl/calicoctl validate -f long.yaml)
expect "too many values: exit status" 1 $3
check "too many values: told" grep -q "long.yaml, document 1, line [0-9]*: too many values in one document" out
finish
