#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What the README of each daemon tells its reader to type, typed: every `calicoctl debug ...` and every socat pipeline, read from the pages themselves, against a
# node of the lab. In them /run/calico is the node's run directory. An example is indented by four spaces, or, for calicoctl debug, stands in backquotes too.
. "$(dirname "$0")/lib.sh"
. "$TOP/test/integration/suite.inc"

cat >$W/examples.py <<'P'
import re, sys
page = open(sys.argv[1]).read()
seen = []
def say(kind, command):
    if (kind, command) not in seen:
        seen.append((kind, command))
        print(kind + "\t" + command)
code = [l[4:] if l.startswith("    ") else None for l in page.split("\n")]
# A pipeline goes on over lines that end in | or \.
i = 0
while i < len(code):
    if code[i] is None:
        i += 1
        continue
    text, j = code[i], i
    while text.rstrip().endswith(("|", "\\")) and j + 1 < len(code) and code[j + 1] is not None:
        j += 1
        text = text.rstrip().rstrip("\\") + " " + code[j].strip()
    if "socat" in text:
        # What is prepared for it in the line above belongs to it.
        if code[i - 1] and ">/tmp/" in code[i - 1]:
            text = code[i - 1] + "; " + text
        say("socat", text)
    i = j + 1
# "dump kinds | objects" stands for two commands.
for m in re.finditer(r"calicoctl debug ([a-z]+) (dump|health|who)((?: \w[\w-]*)?(?: \| [a-z][\w-]*)*)", page):
    daemon, verb, rest = m.groups()
    # after several spaces comes what it is for
    for word in ([w.strip() for w in rest.split("|")] if verb == "dump" else [""]):
        say("debug", " ".join(("calicoctl debug", daemon, verb, word)).strip())
P

check "two nodes come up" lab up --nodes 2 || exit 1
check "a pod" lab pod add node1 p1
run=$D/n/node1
type_it() { lab exec node1 -- sh -c "cd $TOP; $(printf '%s' "$1" | sed "s|/run/calico|$run|g")"; }
for d in typhad felixd ipamd bgpd confd noded calicoctl cni-plugin; do
	python3 $W/examples.py $d/README.md >$W/examples || fail "$d/README.md is read"
	case $d in
	calicoctl | cni-plugin) ;;
	*)
		for kind in socat debug; do
			grep -q "^$kind" $W/examples && ok "$d/README.md shows how, by $kind" || fail "$d/README.md shows how, by $kind"
		done ;;
	esac
	while IFS='	' read -r kind command; do
		if ! type_it "$command" >$W/out 2>$W/err || [ -s $W/err ]; then
			fail "$d/README.md: $command" "$(cat $W/err $W/out | head -n 20)"
			continue
		fi
		case $kind in
		debug) jq -e . $W/out >/dev/null 2>&1 && ok "$d/README.md: $command" || fail "$d/README.md: $command: prints JSON" "$(head -n 20 $W/out)" ;;
		# A decoded answer: to request 1, with something in it, and nothing that the .proto does not know.
		socat) grep -q '^request_id: 1$' $W/out && [ "$(wc -l <$W/out)" -gt 2 ] && ! grep -qE '^ *[0-9]+[:{ ]' $W/out &&
			ok "$d/README.md: $command" || fail "$d/README.md: $command: prints an answer" "$(head -n 20 $W/out)" ;;
		esac
	done <$W/examples
done
# The database's own view, as typhad's page shows it.
example=$(grep -o "sqlite3 -readonly .*" typhad/README.md | sed "s|/var/lib/calico/datastore.db|$D/datastore.db|")
check "typhad/README.md: sqlite3" sh -c "$example | grep -q '^/calico/resources/v3/projectcalico.org/'"
check "the lab goes away" lab_down
