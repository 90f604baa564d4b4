/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/table.h"

#include <errno.h>
#include <string.h>

#include "calicoctl/visible.h"
#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/base/utf8.h"

#define COLUMN_MIN 5
#define COLUMN_GAP 3

/* ---- columns */

enum {
	PS = 1,
	WIDE = 2,
	BOTH = PS | WIDE
}; /* where a column shows unasked; 0: nowhere */

struct column;
typedef void cell_fn(const struct json *object, const struct column *c,
                     const struct table_style *style, struct buf *out);

struct column {
	const char *heading; /* ends the list when NULL */
	unsigned shows;
	cell_fn *cell;
	const char *path;
	const char *otherwise; /* when there is nothing there */
};

static cell_fn text, joined, count, number, labels, nats, workload, peer_node, node_asn,
        pod_selector;

struct kind_table {
	model_kind kind;
	struct column columns[10];
};

/* clang-format off */
#define NAME(shows) { "NAME", shows, text, "metadata.name", "" }
#define NAMESPACE { "NAMESPACE", 0, text, "metadata.namespace", "" }
#define POLICY_COLUMNS NAME(BOTH), \
	{ "TIER", BOTH, text, "spec.tier", "default" }, \
	{ "ORDER", WIDE, number, "spec.order", "<nil>" }, \
	{ "SELECTOR", WIDE, text, "spec.selector", "" }

static const struct kind_table kind_tables[] = {
	{ V3__KIND__KIND_BGP_CONFIGURATION, { NAME(BOTH),
		{ "LOGSEVERITY", BOTH, text, "spec.logSeverityScreen", "-" },
		{ "MESHENABLED", BOTH, text, "spec.nodeToNodeMeshEnabled", "-" },
		{ "ASNUMBER", BOTH, text, "spec.asNumber", "-" } } },
	{ V3__KIND__KIND_BGP_FILTER, { NAME(BOTH),
		{ "NUMEXPORTV4", BOTH, count, "spec.exportV4", "" },
		{ "NUMIMPORTV4", BOTH, count, "spec.importV4", "" },
		{ "NUMEXPORTV6", BOTH, count, "spec.exportV6", "" },
		{ "NUMIMPORTV6", BOTH, count, "spec.importV6", "" } } },
	{ V3__KIND__KIND_BGP_PEER, { NAME(BOTH),
		{ "PEERIP", BOTH, text, "spec.peerIP", "" },
		{ "NODE", BOTH, peer_node, "spec.node", "(global)" },
		{ "ASN", BOTH, text, "spec.asNumber", "0" } } },
	{ V3__KIND__KIND_CALICO_NODE_STATUS, { NAME(BOTH),
		{ "NODE", BOTH, text, "spec.node", "" },
		{ "CLASSES", WIDE, joined, "spec.classes", "" } } },
	{ V3__KIND__KIND_CLUSTER_INFORMATION, { NAME(BOTH),
		{ "CLUSTERGUID", BOTH, text, "spec.clusterGUID", "" },
		{ "CLUSTERTYPE", BOTH, text, "spec.clusterType", "" },
		{ "CALICOVERSION", BOTH, text, "spec.calicoVersion", "" },
		{ "DATASTOREREADY", BOTH, text, "spec.datastoreReady", "<nil>" } } },
	{ V3__KIND__KIND_FELIX_CONFIGURATION, { NAME(BOTH) } },
	{ V3__KIND__KIND_GLOBAL_NETWORK_POLICY, { POLICY_COLUMNS } },
	{ V3__KIND__KIND_GLOBAL_NETWORK_SET, { NAME(BOTH),
		{ "NETS", WIDE, joined, "spec.nets", "" } } },
	{ V3__KIND__KIND_HOST_ENDPOINT, { NAME(BOTH),
		{ "NODE", BOTH, text, "spec.node", "" },
		{ "INTERFACE", WIDE, text, "spec.interfaceName", "" },
		{ "IPS", WIDE, joined, "spec.expectedIPs", "" },
		{ "PROFILES", WIDE, joined, "spec.profiles", "" } } },
	{ V3__KIND__KIND_IPAM_CONFIGURATION, { NAME(BOTH),
		{ "STRICTAFFINITY", BOTH, text, "spec.strictAffinity", "false" },
		{ "AUTOALLOCATEBLOCKS", BOTH, text, "spec.autoAllocateBlocks", "false" },
		{ "MAXBLOCKSPERHOST", WIDE, text, "spec.maxBlocksPerHost", "0" } } },
	{ V3__KIND__KIND_IP_POOL, { NAME(BOTH),
		{ "CIDR", BOTH, text, "spec.cidr", "" },
		{ "NAT", WIDE, text, "spec.natOutgoing", "false" },
		{ "IPIPMODE", WIDE, text, "spec.ipipMode", "Never" },
		{ "VXLANMODE", WIDE, text, "spec.vxlanMode", "Never" },
		{ "DISABLED", WIDE, text, "spec.disabled", "false" },
		{ "DISABLEBGPEXPORT", WIDE, text, "spec.disableBGPExport", "false" },
		{ "SELECTOR", BOTH, text, "spec.nodeSelector", "all()" },
		{ "ASSIGNMENTMODE", WIDE, text, "spec.assignmentMode", "Automatic" } } },
	{ V3__KIND__KIND_KUBE_CONTROLLERS_CONFIGURATION, { NAME(BOTH) } },
	{ V3__KIND__KIND_IP_RESERVATION, { NAME(BOTH),
		{ "CIDRS", WIDE, joined, "spec.reservedCIDRs", "" } } },
	{ V3__KIND__KIND_NETWORK_POLICY, { POLICY_COLUMNS, NAMESPACE } },
	{ V3__KIND__KIND_NETWORK_SET, { NAME(BOTH),
		{ "NETS", WIDE, joined, "spec.nets", "" },
		NAMESPACE } },
	{ V3__KIND__KIND_NODE, { NAME(BOTH),
		{ "ASN", WIDE, node_asn, "spec.bgp.asNumber", "" },
		{ "IPV4", WIDE, text, "spec.bgp.ipv4Address", "" },
		{ "IPV6", WIDE, text, "spec.bgp.ipv6Address", "" } } },
	{ V3__KIND__KIND_PROFILE, { NAME(BOTH),
		{ "LABELS", WIDE, labels, "spec.labelsToApply", "" } } },
	{ V3__KIND__KIND_STAGED_GLOBAL_NETWORK_POLICY, { POLICY_COLUMNS } },
	{ V3__KIND__KIND_STAGED_KUBERNETES_NETWORK_POLICY, { NAME(BOTH),
		{ "PODSELECTOR", WIDE, pod_selector, "spec.podSelector", "" },
		NAMESPACE } },
	{ V3__KIND__KIND_STAGED_NETWORK_POLICY, { POLICY_COLUMNS, NAMESPACE } },
	{ V3__KIND__KIND_TIER, { NAME(BOTH),
		{ "ORDER", BOTH, number, "spec.order", "<nil>" } } },
	{ V3__KIND__KIND_WORKLOAD_ENDPOINT, { NAME(WIDE),
		{ "WORKLOAD", BOTH, workload, "spec.workload", "" },
		{ "NODE", BOTH, text, "spec.node", "" },
		{ "NETWORKS", BOTH, joined, "spec.ipNetworks", "" },
		{ "INTERFACE", BOTH, text, "spec.interfaceName", "" },
		{ "PROFILES", WIDE, joined, "spec.profiles", "" },
		{ "NATS", WIDE, nats, "spec.ipNATs", "" },
		{ "ORCHESTRATOR", 0, text, "spec.orchestrator", "" },
		NAMESPACE } },
};
/* clang-format on */

/* ---- cells */

/* What path leads to; NULL when there is nothing, or null. */
static const struct json *at(const struct json *j, const char *path)
{
	char key[64];

	while (j && *path) {
		size_t n = strcspn(path, ".");

		snprintf(key, sizeof(key), "%.*s", (int)n, path);
		j = json_get(j, key);
		path += n + (path[n] == '.');
	}
	return j && j->type != JSON_NULL ? j : NULL;
}

static bool is_empty(const struct json *v)
{
	return !v || (v->type == JSON_STRING && v->len == 0);
}

static void put(const struct json *v, const char *otherwise, struct buf *out)
{
	if (is_empty(v))
		buf_str(out, otherwise);
	else if (v->type == JSON_STRING || v->type == JSON_NUMBER)
		buf_str(out, v->text);
	else if (v->type == JSON_BOOL)
		buf_str(out, v->boolean ? "true" : "false");
}

/* What happened to the object, when a watch shows that. */
static cell_fn event;
static const struct column event_column = { "EVENT", 0, event, "", "" };

#define CELL(name)                                                                                 \
	static void name(const struct json *o, const struct column *c,                             \
	                 const struct table_style *style __attribute__((unused)), struct buf *out)

static void event(const struct json *o, const struct column *c, const struct table_style *style,
                  struct buf *out)
{
	(void)o;
	(void)c;
	buf_str(out, style->event);
}

CELL(text)
{
	put(at(o, c->path), c->otherwise, out);
}

CELL(count)
{
	const struct json *v = at(o, c->path);

	buf_printf(out, "%zu", v && v->type == JSON_ARRAY ? v->len : 0);
}

CELL(joined)
{
	const struct json *v = at(o, c->path);

	for (size_t i = 0; v && v->type == JSON_ARRAY && i < v->len; i++) {
		if (i)
			buf_byte(out, ',');
		put(v->items[i], "", out);
	}
}

void table_float(double v, struct buf *out)
{
	char s[40];
	int digits = 1, exponent;
	char *e;

	/* the fewest digits that read back as the same number */
	do
		snprintf(s, sizeof(s), "%.*e", digits - 1, v);
	while (strtod(s, NULL) != v && v == v && ++digits <= 17);
	e = strchr(s, 'e');
	if (!e) { /* inf, nan */
		buf_str(out, s);
		return;
	}
	exponent = (int)strtol(e + 1, NULL, 10);
	if (exponent < -4 || exponent >= 6) {
		buf_printf(out, "%.*se%c%02d", (int)(e - s), s, exponent < 0 ? '-' : '+',
		           abs(exponent));
		return;
	}
	buf_printf(out, "%.*f", digits - 1 > exponent ? digits - 1 - exponent : 0, v);
}

CELL(number)
{
	double d;

	if (json_double(at(o, c->path), &d) == 0)
		table_float(d, out);
	else
		buf_str(out, c->otherwise);
}

CELL(peer_node)
{
	const struct json *node = at(o, c->path);

	put(is_empty(node) ? at(o, "spec.nodeSelector") : node, c->otherwise, out);
}

CELL(workload)
{
	const struct json *v = at(o, c->path);

	put(is_empty(v) ? at(o, "spec.pod") : v, c->otherwise, out);
}

/* In parentheses when it is the cluster's. */
CELL(node_asn)
{
	const struct json *v = at(o, c->path);

	if (v)
		put(v, "", out);
	else if (at(o, "spec.bgp"))
		buf_printf(out, "(%s)", style->node_asn ? style->node_asn : "unknown");
}

CELL(nats)
{
	const struct json *v = at(o, c->path);

	for (size_t i = 0; v && v->type == JSON_ARRAY && i < v->len; i++) {
		buf_str(out, i ? ",{" : "{");
		put(at(v->items[i], "internalIP"), "", out);
		buf_byte(out, ' ');
		put(at(v->items[i], "externalIP"), "", out);
		buf_byte(out, '}');
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "a=1,b=2": sorted, with a text between key and value, and one between or behind the pairs. */
static void put_map(const struct json *v, const char *is, const char *between, const char *behind,
                    struct buf *out)
{
	CLEANUP(free_p) char **sorted = NULL;

	if (!v || v->type != JSON_OBJECT || v->len == 0)
		return;
	sorted = xcalloc(v->len, sizeof(*sorted));
	memcpy(sorted, v->keys, v->len * sizeof(*sorted));
	qsort(sorted, v->len, sizeof(*sorted), by_text);
	for (size_t i = 0; i < v->len; i++) {
		buf_printf(out, "%s%s%s", i ? between : "", sorted[i], is);
		put(json_get(v, sorted[i]), "", out);
		buf_str(out, behind);
	}
}

CELL(labels)
{
	put_map(at(o, c->path), "=", ",", "", out);
}

/* Upstream prints Kubernetes' LabelSelector as its Go type prints itself. */
CELL(pod_selector)
{
	const struct json *v = at(o, c->path);
	const struct json *expressions = v ? at(v, "matchExpressions") : NULL;

	buf_str(out, "&LabelSelector{MatchLabels:map[string]string{");
	put_map(v ? at(v, "matchLabels") : NULL, ": ", "", ",", out);
	buf_str(out, "},MatchExpressions:[]LabelSelectorRequirement{");
	for (size_t i = 0; expressions && expressions->type == JSON_ARRAY && i < expressions->len;
	     i++) {
		const struct json *e = expressions->items[i], *values = at(e, "values");

		buf_str(out, "LabelSelectorRequirement{Key:");
		put(at(e, "key"), "", out);
		buf_str(out, ",Operator:");
		put(at(e, "operator"), "", out);
		buf_str(out, ",Values:[");
		for (size_t k = 0; values && values->type == JSON_ARRAY && k < values->len; k++) {
			buf_str(out, k ? " " : "");
			put(values->items[k], "", out);
		}
		buf_str(out, "],},");
	}
	buf_str(out, "},}");
}

/* ---- choosing columns */

static const struct column *columns_of(const struct kind_info *kind)
{
	/* a kind without a row shows its names */
	static const struct column plain[] = { NAME(BOTH),
		                               NAMESPACE,
		                               { NULL, 0, NULL, NULL, NULL } };

	for (size_t i = 0; i < ARRAY_SIZE(kind_tables); i++)
		if (kind_tables[i].kind == kind->kind)
			return kind_tables[i].columns;
	return plain;
}

static const struct column *find_column(const struct column *all, const char *name, size_t len)
{
	for (; all->heading; all++)
		if (strlen(all->heading) == len && memcmp(all->heading, name, len) == 0)
			return all;
	return NULL;
}

/* Returns how many columns there are, or -EINVAL. */
static int choose(const struct kind_info *kind, const struct table_style *style,
                  const struct column *chosen[TABLE_COLUMNS_MAX], struct err *err)
{
	const struct column *all = columns_of(kind), *c;
	int n = 0;

	if (style->event)
		chosen[n++] = &event_column;
	if (!style->columns) {
		if (style->namespaces && kind->namespaced)
			chosen[n++] = find_column(all, "NAMESPACE", 9);
		for (c = all; c->heading; c++)
			if (c->shows & (style->wide ? WIDE : PS))
				chosen[n++] = c;
		return n;
	}
	for (const char *p = style->columns; *p;) {
		size_t len = strcspn(p, ",");

		c = find_column(all, p, len);
		if (!c) {
			CLEANUP(buf_done) struct buf valid = { 0 };

			for (c = all; c->heading; c++)
				buf_printf(&valid, "%s%s", c == all ? "" : ", ", c->heading);
			return err_set(err, -EINVAL, "unknown heading %.*s, valid values are: %s",
			               (int)len, p, buf_cstr(&valid));
		}
		if (n == TABLE_COLUMNS_MAX)
			return err_set(err, -EINVAL, "more than %d columns", TABLE_COLUMNS_MAX);
		chosen[n++] = c;
		p += len + (p[len] == ',');
	}
	return n;
}

/* ---- layout */

static char *printable(const char *s)
{
	struct buf out = { 0 };

	visible_add(&out, s, false);
	return out.len ? buf_take(&out) : xstrdup("");
}

static void write_cell(const char *text, size_t width, struct buf *out)
{
	buf_str(out, text);
	for (size_t n = utf8_columns(text); n < width; n++)
		buf_byte(out, ' ');
}

/* No order is the last. */
static double tier_order(const struct json *o)
{
	const struct json *v = at(o, "spec.order");
	double d;

	return v && json_double(v, &d) == 0 ? d : __builtin_inf();
}

static const char *name_of(const struct json *o)
{
	const char *name = json_str(at(o, "metadata.name"));

	return name ? name : "";
}

static int by_tier_order(const void *a, const void *b)
{
	double x = tier_order(*(struct json *const *)a), y = tier_order(*(struct json *const *)b);

	if (x != y)
		return x < y ? -1 : 1;
	return strcmp(name_of(*(struct json *const *)a), name_of(*(struct json *const *)b));
}

void table_sort(const struct kind_info *kind, struct json **objects, size_t n)
{
	if (kind->kind == V3__KIND__KIND_TIER && n)
		qsort(objects, n, sizeof(struct json *), by_tier_order);
}

/* The cells of a table, row by row, as they are shown. */
static char **make_cells(const struct column *const *columns, size_t nc, struct json *const *rows,
                         size_t n, const struct table_style *style)
{
	char **cells = xcalloc(n * nc + 1, sizeof(*cells));

	for (size_t i = 0; i < n * nc; i++) {
		CLEANUP(buf_done) struct buf cell = { 0 };
		const struct column *c = columns[i % nc];

		c->cell(rows[i / nc], c, style, &cell);
		cells[i] = printable(buf_cstr(&cell));
	}
	return cells;
}

static void widen(size_t *width, const char *text)
{
	size_t w = utf8_columns(text) + COLUMN_GAP;

	if (w < COLUMN_MIN)
		w = COLUMN_MIN;
	if (w > *width)
		*width = w;
}

int table_write(const struct kind_info *kind, struct json *const *objects, size_t n,
                const struct table_style *style, struct buf *out, struct err *err)
{
	const struct column *columns[TABLE_COLUMNS_MAX];
	CLEANUP(free_p) struct json **rows = xcalloc(n + 1, sizeof(struct json *));
	CLEANUP(free_p) char **cells = NULL;
	size_t own[TABLE_COLUMNS_MAX] = { 0 }, *width = style->widths ? style->widths : own;
	int n_columns = choose(kind, style, columns, err);
	size_t nc = n_columns < 0 ? 0 : (size_t)n_columns;

	if (n_columns < 0)
		return n_columns;
	if (n)
		memcpy(rows, objects, n * sizeof(*rows));
	table_sort(kind, rows, n);

	cells = make_cells(columns, nc, rows, n, style);
	for (size_t i = 0; i < nc && !style->no_headings; i++)
		widen(&width[i], columns[i]->heading);
	for (size_t i = 0; i < n * nc; i++)
		widen(&width[i % nc], cells[i]);
	if (!style->no_headings) {
		buf_str(out, style->color ? "\x1b[1m" : "");
		for (size_t c = 0; c < nc; c++)
			write_cell(columns[c]->heading, width[c], out);
		buf_str(out, style->color ? "\x1b[0m\n" : "\n");
	}
	for (size_t i = 0; i < n * nc; i++) {
		write_cell(cells[i], width[i % nc], out);
		if (i % nc == nc - 1)
			buf_byte(out, '\n');
		free(cells[i]);
	}
	if (!style->no_gap)
		buf_byte(out, '\n');
	return 0;
}
