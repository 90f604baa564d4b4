/* SPDX-License-Identifier: BSD-2-Clause */
#include "cni-plugin/env.h"

#include <ctype.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"

#define CONTAINER_ID_MAX 256 /* runtimes use 64 */
#define ARGS_MAX 65536

bool cni_name_valid(const char *s, bool first_alnum)
{
	if (!*s || (first_alnum && !isalnum((unsigned char)*s)))
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("_.-", *s))
			return false;
	return true;
}

static bool ifname_valid(const char *s)
{
	if (!*s || strlen(s) >= IFNAMSIZ || strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
		return false;
	for (; *s; s++)
		if (*s == '/' || *s == ':' || isspace((unsigned char)*s))
			return false;
	return true;
}

/* "K=V;K2=V2": every element is one key and one value. */
static int read_args(const char *args, struct cni_env *ret, struct cni_error *e)
{
	const struct {
		const char *key;
		char **value;
	} known[] = {
		{ "K8S_POD_NAMESPACE", &ret->pod_namespace },
		{ "K8S_POD_NAME", &ret->pod_name },
		{ "IP", &ret->ip },
	};

	if (strlen(args) > ARGS_MAX)
		return cni_fail(e, CNI_INVALID_ENVIRONMENT, "CNI_ARGS is longer than %d bytes",
		                ARGS_MAX);
	while (*args) {
		size_t len = strcspn(args, ";");
		const char *equals = memchr(args, '=', len);

		if (!equals || memchr(equals + 1, '=', len - (size_t)(equals + 1 - args)))
			return cni_fail(e, CNI_INVALID_ENVIRONMENT, "CNI_ARGS: invalid pair \"%s\"",
			                str_vis(args, len));
		for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
			size_t key_len = strlen(known[i].key);

			if ((size_t)(equals - args) != key_len ||
			    memcmp(args, known[i].key, key_len) != 0)
				continue;
			free(*known[i].value);
			*known[i].value = xstrndup(equals + 1, len - key_len - 1);
		}
		args += len;
		args += *args == ';';
	}
	return 0;
}

static int read_command(const char *s, enum cni_command *ret, struct cni_error *e)
{
	static const char *const names[] = {
		[CNI_ADD] = "ADD",
		[CNI_DEL] = "DEL",
		[CNI_CHECK] = "CHECK",
		[CNI_VERSION] = "VERSION",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(s, names[i]) == 0) {
			*ret = (enum cni_command)i;
			return 0;
		}
	return cni_fail(e, CNI_INVALID_ENVIRONMENT, "unknown CNI_COMMAND: %s", LOG_VIS(s));
}

static const char *value(cni_lookup_fn *lookup, const char *name)
{
	const char *v = lookup(name);

	return v ? v : "";
}

/* Which variables the command cannot do without, and are not there. */
static int need(cni_lookup_fn *lookup, enum cni_command command, struct cni_error *e)
{
	static const struct {
		const char *name;
		unsigned commands;
	} variables[] = {
		{ "CNI_CONTAINERID", 1 << CNI_ADD | 1 << CNI_DEL | 1 << CNI_CHECK },
		{ "CNI_NETNS", 1 << CNI_ADD | 1 << CNI_CHECK },
		{ "CNI_IFNAME", 1 << CNI_ADD | 1 << CNI_DEL | 1 << CNI_CHECK },
		{ "CNI_PATH", 1 << CNI_ADD | 1 << CNI_DEL | 1 << CNI_CHECK },
	};
	CLEANUP(buf_done) struct buf missing = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		if ((variables[i].commands & 1u << command) && !*value(lookup, variables[i].name))
			buf_printf(&missing, "%s%s", missing.len ? "," : "", variables[i].name);
	if (missing.len == 0)
		return 0;
	return cni_fail(e, CNI_INVALID_ENVIRONMENT, "required env variables [%s] missing",
	                buf_cstr(&missing));
}

int cni_env_read(cni_lookup_fn *lookup, struct cni_env *ret, struct cni_error *e)
{
	struct cni_env env = {
		.container = value(lookup, "CNI_CONTAINERID"),
		.netns = value(lookup, "CNI_NETNS"),
		.ifname = value(lookup, "CNI_IFNAME"),
		.path = value(lookup, "CNI_PATH"),
	};

	if (read_command(value(lookup, "CNI_COMMAND"), &env.command, e) < 0 ||
	    need(lookup, env.command, e) < 0)
		return -1;
	if (env.command != CNI_VERSION) {
		if (strlen(env.container) > CONTAINER_ID_MAX ||
		    !cni_name_valid(env.container, true))
			return cni_fail(e, CNI_INVALID_ENVIRONMENT,
			                "CNI_CONTAINERID: invalid characters or length in '%s'",
			                LOG_VIS(env.container));
		if (!ifname_valid(env.ifname))
			return cni_fail(e, CNI_INVALID_ENVIRONMENT,
			                "CNI_IFNAME: '%s' is not an interface name",
			                LOG_VIS(env.ifname));
	}
	env.pod_namespace = xstrdup("");
	env.pod_name = xstrdup("");
	env.ip = xstrdup("");
	if (env.command != CNI_VERSION && read_args(value(lookup, "CNI_ARGS"), &env, e) < 0) {
		cni_env_done(&env);
		return -1;
	}
	*ret = env;
	return 0;
}

void cni_env_done(struct cni_env *env)
{
	free(env->pod_namespace);
	free(env->pod_name);
	free(env->ip);
	env->pod_namespace = env->pod_name = env->ip = NULL;
}
