/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/table.h"

#include <errno.h>
#include <string.h>

#include "calicoctl/visible.h"
#include "common/base/err.h"
#include "common/base/mem.h"

#define COLUMN_MIN 5
#define COLUMN_GAP 3
#define NETS_MAX 80 /* characters of a joined list of networks */

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

static cell_fn text, count, joined, joined_short, number, labels, nats, workload, peer_node,
        node_asn;

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
		{ "NETS", WIDE, joined_short, "spec.nets", "" } } },
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
	{ V3__KIND__KIND_NETWORK_POLICY, { POLICY_COLUMNS, NAMESPACE } },
	{ V3__KIND__KIND_NETWORK_SET, { NAME(BOTH),
		{ "NETS", WIDE, joined_short, "spec.nets", "" },
		NAMESPACE } },
	{ V3__KIND__KIND_NODE, { NAME(BOTH),
		{ "ASN", WIDE, node_asn, "spec.bgp.asNumber", "" },
		{ "IPV4", WIDE, text, "spec.bgp.ipv4Address", "" },
		{ "IPV6", WIDE, text, "spec.bgp.ipv6Address", "" } } },
	{ V3__KIND__KIND_PROFILE, { NAME(BOTH),
		{ "LABELS", WIDE, labels, "metadata.labels", "" } } },
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

#define CELL(name)                                                                                 \
	static void name(const struct json *o, const struct column *c,                             \
	                 const struct table_style *style __attribute__((unused)), struct buf *out)

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

CELL(joined_short)
{
	size_t start = out->len;

	joined(o, c, style, out);
	if (out->len - start > NETS_MAX) {
		out->len = start + NETS_MAX - 3;
		buf_str(out, "...");
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

CELL(labels)
{
	const struct json *v = at(o, c->path);
	CLEANUP(free_p) char **sorted = NULL;

	if (!v || v->type != JSON_OBJECT || v->len == 0)
		return;
	sorted = xcalloc(v->len, sizeof(*sorted));
	memcpy(sorted, v->keys, v->len * sizeof(*sorted));
	qsort(sorted, v->len, sizeof(*sorted), by_text);
	for (size_t i = 0; i < v->len; i++) {
		buf_printf(out, "%s%s=", i ? "," : "", sorted[i]);
		put(json_get(v, sorted[i]), "", out);
	}
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

#define COLUMNS_MAX 16

static const struct column *find_column(const struct column *all, const char *name, size_t len)
{
	for (; all->heading; all++)
		if (strlen(all->heading) == len && memcmp(all->heading, name, len) == 0)
			return all;
	return NULL;
}

/* Returns how many columns there are, or -EINVAL. */
static int choose(const struct kind_info *kind, const struct table_style *style,
                  const struct column *chosen[COLUMNS_MAX], struct err *err)
{
	const struct column *all = columns_of(kind), *c;
	int n = 0;

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
		if (n == COLUMNS_MAX)
			return err_set(err, -EINVAL, "more than %d columns", COLUMNS_MAX);
		chosen[n++] = c;
		p += len + (p[len] == ',');
	}
	return n;
}

/* ---- layout */

/* Characters, not bytes. */
static size_t width_of(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static char *printable(const char *s)
{
	struct buf out = { 0 };

	visible_add(&out, s, false);
	return out.len ? buf_take(&out) : xstrdup("");
}

static void write_cell(const char *text, size_t width, struct buf *out)
{
	buf_str(out, text);
	for (size_t n = width_of(text); n < width; n++)
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

int table_write(const struct kind_info *kind, struct json *const *objects, size_t n,
                const struct table_style *style, struct buf *out, struct err *err)
{
	const struct column *columns[COLUMNS_MAX];
	CLEANUP(free_p) struct json **rows = xcalloc(n + 1, sizeof(struct json *));
	CLEANUP(free_p) char **cells = NULL;
	size_t width[COLUMNS_MAX];
	int n_columns = choose(kind, style, columns, err);
	size_t nc = n_columns < 0 ? 0 : (size_t)n_columns;

	if (n_columns < 0)
		return n_columns;
	if (n)
		memcpy(rows, objects, n * sizeof(*rows));
	if (kind->kind == V3__KIND__KIND_TIER) /* as they are evaluated */
		qsort(rows, n, sizeof(*rows), by_tier_order);

	cells = xcalloc(n * nc + 1, sizeof(*cells));
	for (size_t c = 0; c < nc; c++) {
		width[c] = width_of(columns[c]->heading) + COLUMN_GAP;
		if (width[c] < COLUMN_MIN)
			width[c] = COLUMN_MIN;
		for (size_t r = 0; r < n; r++) {
			CLEANUP(buf_done) struct buf cell = { 0 };
			size_t w;

			columns[c]->cell(rows[r], columns[c], style, &cell);
			cells[r * nc + c] = printable(buf_cstr(&cell));
			w = width_of(cells[r * nc + c]) + COLUMN_GAP;
			if (w > width[c])
				width[c] = w;
		}
	}
	for (size_t c = 0; c < nc; c++)
		write_cell(columns[c]->heading, width[c], out);
	buf_byte(out, '\n');
	for (size_t i = 0; i < n * nc; i++) {
		write_cell(cells[i], width[i % nc], out);
		if (i % nc == nc - 1)
			buf_byte(out, '\n');
		free(cells[i]);
	}
	buf_byte(out, '\n');
	return 0;
}
