/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * completion: the scripts by which the shells complete calicoctl's command lines. They know nothing
 * of commands and flags: at each tab they ask the program that is being called, which asks
 * complete.c.
 */
#include <stdio.h>
#include <string.h>

#include "calicoctl/commands.h"
#include "calicoctl/complete.h"
#include "calicoctl/db.h"
#include "calicoctl/visible.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/kind.h"

#define ANSWER_MS 1000 /* who waits at a prompt does not wait long */
#define NAMES_MAX 5000

static const char bash[] =
        "# bash completion of calicoctl: source <(calicoctl completion bash)\n"
        "_calicoctl() {\n"
        "	local words=() i word line how='' glued=0 cur lead\n"
        "	# bash cuts words at '=' and ':', too: they are put together again\n"
        "	for ((i = 1; i <= COMP_CWORD; i++)); do\n"
        "		word=${COMP_WORDS[i]}\n"
        "		if ((i > 1)) && { ((glued)) || [[ $word == [=:]* ]]; }; then\n"
        "			words[${#words[@]} - 1]+=$word\n"
        "		else\n"
        "			words+=(\"$word\")\n"
        "		fi\n"
        "		glued=0\n"
        "		[[ $word == *[=:] ]] && glued=1\n"
        "	done\n"
        "	cur=${words[${#words[@]} - 1]}\n"
        "	lead=${cur%\"${cur##*[=:]}\"}\n"
        "	COMPREPLY=()\n"
        "	while IFS= read -r line; do\n"
        "		if [[ $line == :* ]]; then\n"
        "			how=${line#:}\n"
        "		else\n"
        "			line=${line%%$'\\t'*}\n"
        "			COMPREPLY+=(\"${line#\"$lead\"}\")\n"
        "		fi\n"
        "	done < <(\"$1\" __complete -- \"${words[@]}\" 2>/dev/null)\n"
        "	cur=${cur#\"$lead\"}\n"
        "	case $how in\n"
        "	file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "
        "\"$cur\") ;;\n"
        "	dir) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "
        "\"$cur\") ;;\n"
        "	nospace) compopt -o nospace 2>/dev/null ;;\n"
        "	esac\n"
        "}\n"
        "complete -F _calicoctl calicoctl\n";

static const char zsh[] =
        "#compdef calicoctl\n"
        "# zsh completion of calicoctl: a file _calicoctl in $fpath, or source <(calicoctl "
        "completion zsh)\n"
        "_calicoctl() {\n"
        "	local line how\n"
        "	local -a found space\n"
        "	for line in \"${(@f)$(${(Q)words[1]} __complete -- \"${(@Q)words[2,CURRENT]}\" "
        "2>/dev/null)}\"; do\n"
        "		case $line in\n"
        "		'') ;;\n"
        "		:*) how=${line#:} ;;\n"
        "		*$'\\t'*) found+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\") ;;\n"
        "		*) found+=(\"${line//:/\\\\:}\") ;;\n"
        "		esac\n"
        "	done\n"
        "	case $how in\n"
        "	file) compset -P '*='; _files; return ;;\n"
        "	dir) compset -P '*='; _files -/; return ;;\n"
        "	nospace) space=(-S '') ;;\n"
        "	esac\n"
        "	_describe -t values calicoctl found $space\n"
        "}\n"
        "if [ \"$funcstack[1]\" = _calicoctl ]; then\n"
        "	_calicoctl \"$@\"\n"
        "else\n"
        "	compdef _calicoctl calicoctl\n"
        "fi\n";

static const char fish[] =
        "# fish completion of calicoctl: calicoctl completion fish | source\n"
        "function __calicoctl_complete\n"
        "	set -l words (commandline -opc)\n"
        "	set -l program $words[1]\n"
        "	set -e words[1]\n"
        "	set -l current (commandline -ct)\n"
        "	for line in ($program __complete -- $words \"$current\" 2>/dev/null)\n"
        "		switch $line\n"
        "			case ':file'\n"
        "				__fish_complete_path \"$current\"\n"
        "			case ':dir'\n"
        "				__fish_complete_directories \"$current\"\n"
        "			case ':*'\n"
        "			case '*'\n"
        "				echo $line\n"
        "		end\n"
        "	end\n"
        "end\n"
        "complete -c calicoctl -f -a '(__calicoctl_complete)'\n";

static const struct {
	const char *name, *script;
} shells[] = {
	{ "bash", bash },
	{ "zsh", zsh },
	{ "fish", fish },
};

int cmd_completion(const struct options *o)
{
	for (size_t i = 0; i < ARRAY_SIZE(shells); i++)
		if (strcmp(shells[i].name, o->args[0]) == 0) {
			fputs(shells[i].script, stdout);
			return 0;
		}
	fprintf(stderr, "completion: there is one for bash, zsh and fish, not for '%s'\n",
	        visible(o->args[0]));
	return 1;
}

/* ---- names */

/* Whether s is one word to a shell, which puts it on the command line as it is. Whoever writes to
 * the datastore past us may have named an object "a;reboot". */
static bool is_plain(const char *s)
{
	size_t n = strspn(
	        s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:@%+,/");

	return *s && *s != '-' && *s != ':' && s[n] == '\0';
}

static void add_line(struct buf *out, const char *s)
{
	CLEANUP(free_p) char *line = xasprintf("\n%s\n", s);

	if (!is_plain(s))
		return;
	if (out->len == 0)
		buf_printf(out, "%s\n", s);
	else if (!strstr(buf_cstr(out), line) &&
	         strncmp(buf_cstr(out), line + 1, strlen(line + 1)) != 0)
		buf_str(out, line + 1);
}

/* Namespaces are those of the objects that there are few of. */
static void namespaces(struct db *db, struct buf *out)
{
	static const model_kind kinds[] = { V3__KIND__KIND_NETWORK_POLICY,
		                            V3__KIND__KIND_NETWORK_SET, V3__KIND__KIND_PROFILE };

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		CLEANUP(result_p) struct store_result *r = db_list(db, kinds[k], NULL, NULL);

		for (size_t i = 0; r->status == STORE_OK && i < r->n && i < NAMES_MAX; i++) {
			const struct resource *object = r->items[i];

			if (object->ns)
				add_line(out, object->ns);
			else if (strncmp(object->name, "kns.", 4) == 0)
				add_line(out, object->name + 4);
		}
	}
}

static void ask_names(void *arg, const struct options *o, const char *kind, struct buf *out)
{
	const struct kind_info *k = kind ? kind_by_alias(kind) : NULL;
	CLEANUP(result_p) struct store_result *r = NULL;
	const char *ns = o->ns ? o->ns : o->all_namespaces ? NULL : "default";
	struct db *db;
	struct err err;

	(void)arg;
	if ((kind && !k) || db_open(o, false, &db, &err) != 0)
		return;
	db_hurry(db, ANSWER_MS);
	if (!k) {
		namespaces(db, out);
	} else {
		r = db_list(db, k->kind, k->namespaced ? ns : NULL, NULL);
		for (size_t i = 0; r->status == STORE_OK && i < r->n && i < NAMES_MAX; i++)
			if (is_plain(r->items[i]->name))
				buf_printf(out, "%s\n", r->items[i]->name);
	}
	db_close(db);
}

int cmd_complete(const struct options *o)
{
	const struct complete_env env = { .names = ask_names };
	CLEANUP(buf_done) struct buf out = { 0 };

	complete(commands, o->args, o->n_args, &env, &out);
	fputs(buf_cstr(&out), stdout);
	return 0;
}
