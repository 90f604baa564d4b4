/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/calc/wep.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/scalar.h"

void label_list_done(struct label_list *l)
{
	free(l->v);
	*l = (struct label_list){ 0 };
}

void label_list_add(struct label_list *l, const char *key, const char *value)
{
	/* Labels of an object come sorted: each is behind the last one, and need not be looked for.
	 */
	bool behind = l->n == 0 || (!l->unsorted && strcmp(l->v[l->n - 1].key, key) < 0);

	for (size_t i = 0; !behind && i < l->n; i++) {
		if (strcmp(l->v[i].key, key) == 0) {
			l->v[i].value = value;
			return;
		}
	}
	if (l->n == 0 || (l->n >= 8 && (l->n & (l->n - 1)) == 0))
		l->v = xrealloc(l->v, (l->n ? l->n * 2 : 8) * sizeof(*l->v));
	l->v[l->n++] = (struct index_kv){ key, value };
	l->unsorted |= !behind;
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

static bool begins_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

static void read_labels(const struct resource *r, const V3__ObjectMeta *meta,
                        const V3__WorkloadEndpointSpec *spec, struct wep *ret)
{
	for (size_t i = 0; meta && i < meta->n_labels; i++) {
		const char *key = or_empty(meta->labels[i]->key);

		/* Only profiles say what namespace and account an endpoint has: not the workload
		 * itself. */
		if (!begins_with(key, "pcns.") && !begins_with(key, "pcsa."))
			label_list_add(&ret->labels, key, or_empty(meta->labels[i]->value));
	}
	if (r->ns)
		label_list_add(&ret->labels, "projectcalico.org/namespace", r->ns);
	if (spec->orchestrator && *spec->orchestrator)
		label_list_add(&ret->labels, "projectcalico.org/orchestrator", spec->orchestrator);
	if (spec->serviceaccountname && *spec->serviceaccountname)
		label_list_add(&ret->labels, "projectcalico.org/serviceaccount",
		               spec->serviceaccountname);
}

static int read_nets(const V3__WorkloadEndpointSpec *spec, struct wep *ret, struct err *err)
{
	struct contribution *c = &ret->contribution;

	if (spec->n_ipnetworks == 0)
		return err_set(err, -EINVAL, "spec.ipNetworks: the endpoint has no address");
	c->nets = xcalloc(spec->n_ipnetworks, sizeof(*c->nets));
	for (size_t i = 0; i < spec->n_ipnetworks; i++) {
		struct ip_prefix p;

		if (ip_prefix_parse(spec->ipnetworks[i], &p) < 0)
			return err_set(err, -EINVAL,
			               "spec.ipNetworks[%zu]: '%.64s' is not an address", i,
			               spec->ipnetworks[i]);
		c->nets[c->n_nets++] = ip_prefix_host(&p.addr);
	}
	return 0;
}

/* Ports without a name are nothing that a policy could refer to; neither are those of protocols
 * without ports. */
static void add_port(struct wep *ret, const char *name, const V3__Protocol *of, uint32_t port)
{
	struct contribution *c = &ret->contribution;
	int protocol = of ? protocol_number(of) : -1;

	if (!name || !*name || !protocol_has_ports(protocol) || port > UINT16_MAX)
		return;
	c->ports[c->n_ports++] = (struct named_port){
		.protocol = (uint8_t)protocol,
		.port = (uint16_t)port,
		.name = xstrdup(name),
	};
}

static void read_ports(const V3__WorkloadEndpointSpec *spec, struct wep *ret)
{
	ret->contribution.ports =
	        spec->n_ports ? xcalloc(spec->n_ports, sizeof(*ret->contribution.ports)) : NULL;
	for (size_t i = 0; i < spec->n_ports; i++)
		add_port(ret, spec->ports[i]->name, spec->ports[i]->protocol, spec->ports[i]->port);
}

/* By name; of one name, the first that stands in the list. */
static int by_name(const void *a, const void *b)
{
	char *const *x = *(char *const *const *)a, *const *y = *(char *const *const *)b;
	int c = strcmp(*x, *y);

	return c ? c : (x > y) - (x < y);
}

/* Each once, in the order in which they are named first. */
static void read_profiles(char **profiles, size_t n, struct wep *ret)
{
	CLEANUP(free_p) char ***sorted = NULL;
	CLEANUP(free_p) bool *again = NULL;

	if (n == 0)
		return;
	sorted = xcalloc(n, sizeof(*sorted));
	again = xcalloc(n, sizeof(*again));
	for (size_t i = 0; i < n; i++)
		sorted[i] = &profiles[i];
	qsort(sorted, n, sizeof(*sorted), by_name);
	for (size_t i = 1; i < n; i++)
		again[sorted[i] - profiles] = strcmp(*sorted[i - 1], *sorted[i]) == 0;
	ret->profiles = xcalloc(n, sizeof(*ret->profiles));
	for (size_t i = 0; i < n; i++)
		if (!again[i])
			ret->profiles[ret->n_profiles++] = profiles[i];
}

/* The name becomes part of paths below /proc/sys and of rules: what the kernel would not take is
 * refused here. */
static bool is_interface_name(const char *s)
{
	size_t n = strlen(s);

	if (n == 0 || n >= IFNAMSIZ || strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] <= ' ' || (unsigned char)s[i] >= 0x7f ||
		    strchr("/:+", s[i]))
			return false;
	return true;
}

static int read_local(const V3__WorkloadEndpointSpec *spec, struct wep *ret, struct err *err)
{
	if (!is_interface_name(or_empty(spec->interfacename)))
		return err_set(err, -EINVAL,
		               "spec.interfaceName: '%.32s' is not the name of an interface",
		               or_empty(spec->interfacename));
	if (spec->mac && *spec->mac && mac_parse(spec->mac, &ret->mac) < 0)
		return err_set(err, -EINVAL, "spec.mac: '%.32s' is not a MAC address", spec->mac);
	/* WorkloadSourceSpoofing is Disabled, which upstream takes as: not such an endpoint. */
	if (spec->n_allowspoofedsourceprefixes)
		return err_set(
		        err, -EINVAL,
		        "spec.allowSpoofedSourcePrefixes: source spoofing is not enabled here");
	ret->interface = spec->interfacename;
	return 0;
}

int wep_read(const struct resource *r, const char *this_node, struct wep *ret, struct err *err)
{
	const V3__WorkloadEndpoint *msg = (const V3__WorkloadEndpoint *)r->msg;
	const V3__WorkloadEndpointSpec *spec = msg ? msg->spec : NULL;
	int rc;

	*ret = (struct wep){ 0 };
	if (!spec)
		return err_set(err, -EINVAL, "spec: missing");
	ret->node = or_empty(spec->node);
	ret->container = or_empty(spec->containerid);
	if ((rc = read_nets(spec, ret, err)) < 0 ||
	    (strcmp(ret->node, this_node) == 0 && (rc = read_local(spec, ret, err)) < 0)) {
		wep_done(ret);
		return rc;
	}
	read_ports(spec, ret);
	read_profiles(spec->profiles, spec->n_profiles, ret);
	read_labels(r, msg->metadata, spec, ret);
	return 0;
}

/* ---- host endpoints */

static int read_expected(const V3__HostEndpointSpec *spec, struct wep *ret, struct err *err)
{
	struct contribution *c = &ret->contribution;

	c->nets = spec->n_expectedips ? xcalloc(spec->n_expectedips, sizeof(*c->nets)) : NULL;
	for (size_t i = 0; i < spec->n_expectedips; i++) {
		struct ip_prefix p;

		if (ip_prefix_parse(spec->expectedips[i], &p) < 0)
			return err_set(err, -EINVAL,
			               "spec.expectedIPs[%zu]: '%.64s' is not an address", i,
			               spec->expectedips[i]);
		c->nets[c->n_nets++] = ip_prefix_host(&p.addr);
	}
	return 0;
}

static int read_host_interface(const V3__HostEndpointSpec *spec, struct wep *ret, struct err *err)
{
	ret->interface = or_empty(spec->interfacename);
	if (!*ret->interface && spec->n_expectedips == 0)
		return err_set(err, -EINVAL,
		               "spec: neither interfaceName nor expectedIPs says which interface");
	if (*ret->interface && strcmp(ret->interface, "*") != 0 &&
	    !is_interface_name(ret->interface))
		return err_set(err, -EINVAL,
		               "spec.interfaceName: '%.32s' is not the name of an interface",
		               ret->interface);
	return 0;
}

int hep_read(const struct resource *r, const char *this_node, struct wep *ret, struct err *err)
{
	const V3__HostEndpoint *msg = (const V3__HostEndpoint *)r->msg;
	const V3__HostEndpointSpec *spec = msg ? msg->spec : NULL;
	int rc;

	*ret = (struct wep){ .container = "" };
	if (!spec)
		return err_set(err, -EINVAL, "spec: missing");
	ret->node = or_empty(spec->node);
	if ((rc = read_expected(spec, ret, err)) < 0 ||
	    (strcmp(ret->node, this_node) == 0 && (rc = read_host_interface(spec, ret, err)) < 0)) {
		wep_done(ret);
		return rc;
	}
	ret->contribution.ports =
	        spec->n_ports ? xcalloc(spec->n_ports, sizeof(*ret->contribution.ports)) : NULL;
	for (size_t i = 0; i < spec->n_ports; i++)
		add_port(ret, spec->ports[i]->name, spec->ports[i]->protocol, spec->ports[i]->port);
	read_profiles(spec->profiles, spec->n_profiles, ret);
	for (size_t i = 0; msg->metadata && i < msg->metadata->n_labels; i++)
		label_list_add(&ret->labels, or_empty(msg->metadata->labels[i]->key),
		               or_empty(msg->metadata->labels[i]->value));
	return 0;
}

void wep_done(struct wep *w)
{
	label_list_done(&w->labels);
	contribution_done(&w->contribution);
	free(w->profiles);
	*w = (struct wep){ 0 };
}

void netset_read(const char *ns, const V3__ObjectMeta *meta, const V3__NetworkSetSpec *spec,
                 struct label_list *ret_labels, struct contribution *ret)
{
	*ret_labels = (struct label_list){ 0 };
	*ret = (struct contribution){ 0 };
	for (size_t i = 0; meta && i < meta->n_labels; i++)
		label_list_add(ret_labels, or_empty(meta->labels[i]->key),
		               or_empty(meta->labels[i]->value));
	if (ns)
		label_list_add(ret_labels, "projectcalico.org/namespace", ns);
	if (!spec || spec->n_nets == 0)
		return;
	ret->nets = xcalloc(spec->n_nets, sizeof(*ret->nets));
	for (size_t i = 0; i < spec->n_nets; i++) {
		struct ip_prefix p;

		if (ip_prefix_parse(spec->nets[i], &p) == 0)
			ret->nets[ret->n_nets++] = ip_prefix_network(&p);
	}
}
