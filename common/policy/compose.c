/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/policy/compose.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/selector.h"

#define NS_LABEL "projectcalico.org/namespace"
#define SA_LABEL "projectcalico.org/serviceaccount"
#define NS_PREFIX "pcns."
#define SA_PREFIX "pcsa."

static void selector_unref_p(struct selector **s)
{
	selector_unref(*s);
}

/* Nothing but blanks says nothing, too. */
static bool given(const char *s)
{
	return s && s[strspn(s, " \t")] != '\0';
}

static int check(const char *text, const char *field, struct err *err)
{
	CLEANUP(selector_unref_p) struct selector *s = NULL;
	int rc = selector_parse(text, &s, err);

	return rc < 0 ? err_wrap(err, rc, "%s", field) : 0;
}

/* Replaces b, with every occurrence of from replaced by to. */
static void replace_all(struct buf *b, const char *from, const char *to)
{
	struct buf out = { 0 };
	const char *at = buf_cstr(b);

	for (const char *hit; (hit = strstr(at, from)); at = hit + strlen(from)) {
		buf_add(&out, at, (size_t)(hit - at));
		buf_str(&out, to);
	}
	buf_str(&out, at);
	buf_done(b);
	*b = out;
}

/* Replaces b by "(b) && with", or by with alone when b is empty. */
static void and_with(struct buf *b, const char *with)
{
	struct buf out = { 0 };

	if (b->len)
		buf_printf(&out, "(%s) && ", buf_cstr(b));
	buf_str(&out, with);
	buf_done(b);
	*b = out;
}

static int derived(struct buf *b, struct selector **ret, struct err *err)
{
	return selector_parse_derived(buf_cstr(b), ret, err);
}

static int derived_text(struct buf *b, struct selector **ret, char **ret_text, struct err *err)
{
	int rc = derived(b, ret, err);

	if (rc == 0)
		*ret_text = xstrdup(buf_cstr(b));
	return rc;
}

/* ---- policies */

int compose_network_policy(const char *ns, const V3__NetworkPolicySpec *spec, struct selector **ret,
                           char **ret_text, struct err *err)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	CLEANUP(selector_unref_p) struct selector *sa = NULL;
	int rc;

	if (strchr(ns, '\''))
		return err_set(err, -EINVAL, "'%s' is not a namespace", ns);
	if (spec && given(spec->selector)) {
		if ((rc = check(spec->selector, "spec.selector", err)) < 0)
			return rc;
		buf_printf(&b, "(%s) && ", spec->selector);
	}
	buf_printf(&b, NS_LABEL " == '%s'", ns);
	if (spec && given(spec->serviceaccountselector)) {
		rc = selector_parse_prefixed(spec->serviceaccountselector, SA_PREFIX, &sa, err);
		if (rc < 0)
			return err_wrap(err, rc, "spec.serviceAccountSelector");
		and_with(&b, selector_str(sa));
	}
	return derived_text(&b, ret, ret_text, err);
}

/* A further selector of a global policy: for objects that have the label, whatever else is asked of
 * them. */
static int narrow(struct buf *b, const char *text, const char *prefix, const char *label_present,
                  const char *field, struct err *err)
{
	CLEANUP(selector_unref_p) struct selector *s = NULL;
	int rc;

	if (!given(text))
		return 0;
	if ((rc = selector_parse_prefixed(text, prefix, &s, err)) < 0)
		return err_wrap(err, rc, "%s", field);
	and_with(b, selector_str(s));
	replace_all(b, "all()", label_present);
	return 0;
}

int compose_global_policy(const V3__GlobalNetworkPolicySpec *spec, struct selector **ret,
                          char **ret_text, struct err *err)
{
	CLEANUP(buf_done) struct buf b = { 0 };
	int rc;

	if (spec && given(spec->selector)) {
		if ((rc = check(spec->selector, "spec.selector", err)) < 0)
			return rc;
		buf_str(&b, spec->selector);
	}
	if (spec && ((rc = narrow(&b, spec->namespaceselector, NS_PREFIX, "has(" NS_LABEL ")",
	                          "spec.namespaceSelector", err)) < 0 ||
	             (rc = narrow(&b, spec->serviceaccountselector, SA_PREFIX, "has(" SA_LABEL ")",
	                          "spec.serviceAccountSelector", err)) < 0))
		return rc;
	return derived_text(&b, ret, ret_text, err);
}

/* ---- rules */

static int entity_namespace(const char *ns, const V3__EntityRule *e, struct buf *out,
                            struct err *err)
{
	CLEANUP(selector_unref_p) struct selector *s = NULL;
	int rc;

	if (!given(e->namespaceselector)) {
		if (*ns)
			buf_printf(out, NS_LABEL " == '%s'", ns);
		return 0;
	}
	if ((rc = selector_parse_prefixed(e->namespaceselector, NS_PREFIX, &s, err)) < 0)
		return err_wrap(err, rc, "namespaceSelector");
	buf_str(out, selector_str(s));
	replace_all(out, "all()", "has(" NS_LABEL ")");
	replace_all(out, "global()", "!has(" NS_LABEL ")");
	return 0;
}

static int entity_account(const V3__ServiceAccountMatch *m, struct buf *out, struct err *err)
{
	CLEANUP(selector_unref_p) struct selector *s = NULL;
	CLEANUP(buf_done) struct buf names = { 0 };
	int rc;

	if (!m)
		return 0;
	if (given(m->selector) &&
	    (rc = selector_parse_prefixed(m->selector, SA_PREFIX, &s, err)) < 0)
		return err_wrap(err, rc, "serviceAccounts.selector");
	for (size_t i = 0; i < m->n_names; i++) {
		if (strchr(m->names[i], '"'))
			return err_set(err, -EINVAL,
			               "serviceAccounts.names[%zu] is not a service account's name",
			               i);
		buf_printf(&names, "%s\"%s\"", i ? ", " : SA_LABEL " in {", m->names[i]);
	}
	if (names.len)
		buf_byte(&names, '}');

	if (s && names.len)
		buf_printf(out, "(%s) && (%s)", selector_str(s), buf_cstr(&names));
	else
		buf_str(out, s ? selector_str(s) : buf_cstr(&names));
	return 0;
}

/* The wanted selector's text; empty when nothing is asked for. */
static int entity_want(const char *ns, const V3__EntityRule *e, struct buf *out, struct err *err)
{
	CLEANUP(buf_done) struct buf space = { 0 };
	CLEANUP(buf_done) struct buf account = { 0 };
	CLEANUP(buf_done) struct buf endpoint = { 0 };
	int rc;

	if ((rc = entity_namespace(ns, e, &space, err)) < 0 ||
	    (rc = entity_account(e->serviceaccounts, &account, err)) < 0)
		return rc;
	if (given(e->selector) && (rc = check(e->selector, "selector", err)) < 0)
		return rc;

	if (account.len && given(e->selector))
		buf_printf(&endpoint, "(%s) && (%s)", buf_cstr(&account), e->selector);
	else
		buf_str(&endpoint, account.len          ? buf_cstr(&account)
		                   : given(e->selector) ? e->selector
		                                        : "");

	/* A rule that names nobody stays one that matches anything, not one for the policy's
	 * namespace. */
	bool asks = endpoint.len || given(e->notselector) || given(e->namespaceselector);
	if (!space.len || !asks)
		buf_str(out, buf_cstr(&endpoint));
	else if (endpoint.len)
		buf_printf(out, "(%s) && (%s)", buf_cstr(&space), buf_cstr(&endpoint));
	else
		buf_str(out, buf_cstr(&space));
	return 0;
}

int compose_entity(const char *ns, const V3__EntityRule *e, struct selector **ret_want,
                   struct selector **ret_not, struct err *err)
{
	CLEANUP(buf_done) struct buf want = { 0 };
	int rc;

	*ret_want = *ret_not = NULL;
	if (!e)
		return 0;
	if ((rc = entity_want(ns, e, &want, err)) < 0)
		return rc;
	if (given(e->notselector)) {
		if ((rc = check(e->notselector, "notSelector", err)) < 0)
			return rc;
		if (!want.len) /* stays a set of its own: sources that no endpoint is are not in it,
		                  and so match */
			return selector_parse(e->notselector, ret_not, err);
		and_with(&want, "(!(");
		buf_printf(&want, "%s))", e->notselector);
	}
	return want.len ? derived(&want, ret_want, err) : 0;
}
