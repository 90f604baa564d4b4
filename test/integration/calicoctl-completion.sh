#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# What bash, zsh and fish themselves make of calicoctl's completions: commands, kinds, names out of the datastore, flags, files; and that
# a datastore that does not answer is not waited for.
. "$(dirname "$0")/lib.sh"

node a
start a typhad --datastore-path $W/db
wait_for 10 [ -S /run/n/a/typhad/api.sock ]
mkdir $W/bin $W/files
ln -s "$(realpath "$BUILD/calicoctl/calicoctl")" $W/bin/calicoctl
: >$W/files/one.yaml; : >$W/files/two.yaml
export HOME=$W/home
mkdir $HOME
PATH=$W/bin:$PATH
on a calicoctl apply -f - >/dev/null <<'E'
{"apiVersion": "projectcalico.org/v3", "kind": "List", "items": [
 {"apiVersion": "projectcalico.org/v3", "kind": "IPPool", "metadata": {"name": "pool-one"}, "spec": {"cidr": "10.0.0.0/16"}},
 {"apiVersion": "projectcalico.org/v3", "kind": "IPPool", "metadata": {"name": "pool-two"}, "spec": {"cidr": "10.1.0.0/16"}},
 {"apiVersion": "projectcalico.org/v3", "kind": "NetworkPolicy", "metadata": {"name": "web", "namespace": "shop"}, "spec": {}}]}
E
# names that only somebody who goes past calicoctl gives
for name in 'set;reboot' 'set$(reboot)' 'set`reboot`' 'set one' 'set|x' "set'" 'set*' ':file' '-rf'; do
	$BUILD/test/integration/typhad_client put /run/n/a/typhad/api.sock "$name" 1 >/dev/null
done
$BUILD/test/integration/typhad_client put /run/n/a/typhad/api.sock set-1.x 1 >/dev/null

# Each asks a shell for the candidates of a command line, which come sorted, a line each, without what explains them.
ask_bash() {
	on a bash --norc -c '
		source <(calicoctl completion bash)
		COMP_LINE=$1 COMP_POINT=${#1}
		# as readline cuts words: at blanks, and around "=" and ":"
		read -ra COMP_WORDS <<<"$(sed -E "s/([=:]+)/ \1 /g" <<<"$1")"
		[[ $1 == *[\ =] ]] && COMP_WORDS+=("")
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		_calicoctl calicoctl "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
		printf "%s\n" "${COMPREPLY[@]}" | sort' bash "$1" 2>/dev/null
}
ask_fish() { on a fish --no-config -c 'calicoctl completion fish | source; complete -C "$argv[1]"' "$1" 2>/dev/null | cut -f1 | sort; }
# zsh completes in its line editor only: it gets a terminal, a tab, and is asked to list.
ask_zsh() {
	cat >$W/ask.zsh <<'E'
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1= RPS1= PATH=$PATH; unsetopt prompt_cr zle_bracketed_paste 2>/dev/null; autoload -Uz compinit; compinit -u -D; source <(calicoctl completion zsh)"
zpty -w z 'zstyle ":completion:*" list-colors ""; LISTMAX=0; setopt no_always_last_prompt no_list_beep list_rows_first'
zpty -w z 'comppostfuncs=(show); show() { compstate[insert]=; compstate[list]=; }'
zpty -w z 'compadd() { builtin compadd -A __got "$@"; print -rl -- "<${^__got}>" >>$OUT; builtin compadd "$@"; }; print ready'
zpty -r -m z line '*ready*' 
zpty -w -n z "$1"$'\t'
for i in {1..200}; do [[ -s $OUT ]] && break; zpty -r -t z line; sleep 0.02; done
zpty -d z
E
	rm -f $W/zout
	OUT=$W/zout on a timeout 10 zsh -f $W/ask.zsh "$1" >/dev/null 2>&1
	[ -e $W/zout ] && sed -n 's/^<\(..*\)>$/\1/p' $W/zout | sort -u
}

for shell in bash zsh fish; do
	if ! command -v $shell >/dev/null; then skip "$shell" "not installed"; continue; fi
	says() { # NAME LINE WANT...
		_name=$1 _line=$2; shift 2
		expect "$shell: $_name" "$*" "$(ask_$shell "$_line" | tr '\n' ' ' | sed 's/ $//')"
	}
	says "a command" "calicoctl expl" explain
	says "commands of a group" "calicoctl node s" status
	says "a kind" "calicoctl get ippo" ippools
	says "names" "calicoctl get ippools pool-" pool-one pool-two
	says "names in a namespace" "calicoctl get networkpolicies -n shop w" web
	says "a namespace" "calicoctl get networkpolicies -n sh" shop
	says "an output format" "calicoctl get ippools -o js" json
	if [ $shell = bash ]; then # of "--output=js", bash completes what is behind the '='
		says "an output format behind =" "calicoctl get ippools --output=js" json
	else
		says "an output format behind =" "calicoctl get ippools --output=js" --output=json
	fi
	says "a flag" "calicoctl apply --recur" --recursive
	says "a field" "calicoctl explain ippools.spec.blockS" ippools.spec.blockSize
	says "nothing" "calicoctl get frobs x"
	says "no name that is more than a word to a shell" "calicoctl get globalnetworksets " set-1.x
done
expect "bash: files" "$W/files/one.yaml $W/files/two.yaml" "$(ask_bash "calicoctl apply -f $W/files/" | tr '\n' ' ' | sed 's/ $//')"
expect "fish: files" "$W/files/one.yaml $W/files/two.yaml" "$(ask_fish "calicoctl apply -f $W/files/" | tr '\n' ' ' | sed 's/ $//')"

# ---- the man page, of the same table
page=$BUILD/calicoctl/calicoctl.1
missing=
for c in $(calicoctl --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\)  .*/\1/p'); do
	grep -q "^.Cm $c" $page || missing="$missing $c"
	for f in $(calicoctl $c --help | sed -n 's/^  \(-., \|    \)--\([a-z-]*\).*/\2/p'); do
		grep -qF -- "Fl \\-$f" $page || missing="$missing $c:$f"
	done
done
expect "man page: every command and flag" "" "$missing"
expect "man page: nothing to complain about" "" "$(groff -mandoc -Tutf8 -ww -z $page 2>&1)"

# somebody who listens but never answers
stop a typhad
mkdir -p $W/mute/typhad
socat UNIX-LISTEN:$W/mute/typhad/api.sock,fork EXEC:'sleep 60' &
mute=$!
wait_for 10 [ -S $W/mute/typhad/api.sock ]
before=$(date +%s%N)
on a calicoctl __complete -- --run-dir $W/mute get ippools '' >$W/out
took=$((($(date +%s%N) - before) / 1000000))
kill $mute
check "a mute datastore costs a second" [ $took -lt 2000 ]
check "and gives no names" [ ! -s $W/out ]
finish
