/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/table.h"

#include <errno.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"

#define COLUMN_MIN 5
#define COLUMN_GAP 3
#define NETS_MAX 80 /* characters of a joined list of networks */

/* ---- cells */

typedef void cell_fn(const struct json *object, const struct table_style *style, struct buf *out);

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

static void put_value(const struct json *v, struct buf *out)
{
	if (v->type == JSON_STRING || v->type == JSON_NUMBER)
		buf_str(out, v->text);
	else if (v->type == JSON_BOOL)
		buf_str(out, v->boolean ? "true" : "false");
}

static void put_or(const struct json *object, const char *path, const char *otherwise,
                   struct buf *out)
{
	const struct json *v = at(object, path);

	if (v && !(v->type == JSON_STRING && v->len == 0))
		put_value(v, out);
	else
		buf_str(out, otherwise);
}

static void put_joined(const struct json *object, const char *path, struct buf *out)
{
	const struct json *v = at(object, path);

	for (size_t i = 0; v && v->type == JSON_ARRAY && i < v->len; i++) {
		if (i)
			buf_byte(out, ',');
		put_value(v->items[i], out);
	}
}

static void put_joined_short(const struct json *object, const char *path, struct buf *out)
{
	size_t start = out->len;

	put_joined(object, path, out);
	if (out->len - start > NETS_MAX) {
		out->len = start + NETS_MAX - 3;
		buf_str(out, "...");
	}
}

void table_float(double v, struct buf *out)
{
	char text[40];
	int digits = 1, exponent;
	char *e;

	/* the fewest digits that read back as the same number */
	do
		snprintf(text, sizeof(text), "%.*e", digits - 1, v);
	while (strtod(text, NULL) != v && v == v && ++digits <= 17);
	e = strchr(text, 'e');
	if (!e) { /* inf, nan */
		buf_str(out, text);
		return;
	}
	exponent = (int)strtol(e + 1, NULL, 10);
	if (exponent < -4 || exponent >= 6) {
		buf_printf(out, "%.*se%c%02d", (int)(e - text), text, exponent < 0 ? '-' : '+',
		           abs(exponent));
		return;
	}
	buf_printf(out, "%.*f", digits - 1 > exponent ? digits - 1 - exponent : 0, v);
}

static void put_float(const struct json *object, const char *path, struct buf *out)
{
	const struct json *v = at(object, path);
	double d;

	if (v && json_double(v, &d) == 0)
		table_float(d, out);
	else
		buf_str(out, "<nil>");
}

#define CELL(name)                                                                                 \
	static void name(const struct json *o,                                                     \
	                 const struct table_style *style __attribute__((unused)), struct buf *out)

CELL(cell_namespace)
{
	put_or(o, "metadata.namespace", "", out);
}
CELL(cell_name)
{
	put_or(o, "metadata.name", "", out);
}
CELL(cell_tier)
{
	put_or(o, "spec.tier", "default", out);
}
CELL(cell_order)
{
	put_float(o, "spec.order", out);
}
CELL(cell_selector)
{
	put_or(o, "spec.selector", "", out);
}
CELL(cell_nets)
{
	put_joined_short(o, "spec.nets", out);
}
CELL(cell_cidr)
{
	put_or(o, "spec.cidr", "", out);
}
CELL(cell_nat)
{
	put_or(o, "spec.natOutgoing", "false", out);
}
CELL(cell_ipip)
{
	put_or(o, "spec.ipipMode", "Never", out);
}
CELL(cell_vxlan)
{
	put_or(o, "spec.vxlanMode", "Never", out);
}
CELL(cell_disabled)
{
	put_or(o, "spec.disabled", "false", out);
}
CELL(cell_no_export)
{
	put_or(o, "spec.disableBGPExport", "false", out);
}
CELL(cell_pool_selector)
{
	put_or(o, "spec.nodeSelector", "all()", out);
}
CELL(cell_assignment)
{
	put_or(o, "spec.assignmentMode", "Automatic", out);
}
CELL(cell_log_severity)
{
	put_or(o, "spec.logSeverityScreen", "-", out);
}
CELL(cell_mesh)
{
	put_or(o, "spec.nodeToNodeMeshEnabled", "-", out);
}
CELL(cell_bgp_asn)
{
	put_or(o, "spec.asNumber", "-", out);
}
CELL(cell_peer_ip)
{
	put_or(o, "spec.peerIP", "", out);
}
CELL(cell_peer_asn)
{
	put_or(o, "spec.asNumber", "0", out);
}
CELL(cell_guid)
{
	put_or(o, "spec.clusterGUID", "", out);
}
CELL(cell_cluster_type)
{
	put_or(o, "spec.clusterType", "", out);
}
CELL(cell_calico_version)
{
	put_or(o, "spec.calicoVersion", "", out);
}
CELL(cell_ready)
{
	put_or(o, "spec.datastoreReady", "<nil>", out);
}
CELL(cell_ipv4)
{
	put_or(o, "spec.bgp.ipv4Address", "", out);
}
CELL(cell_ipv6)
{
	put_or(o, "spec.bgp.ipv6Address", "", out);
}
CELL(cell_node)
{
	put_or(o, "spec.node", "", out);
}
CELL(cell_networks)
{
	put_joined(o, "spec.ipNetworks", out);
}
CELL(cell_interface)
{
	put_or(o, "spec.interfaceName", "", out);
}
CELL(cell_profiles)
{
	put_joined(o, "spec.profiles", out);
}
CELL(cell_orchestrator)
{
	put_or(o, "spec.orchestrator", "", out);
}

CELL(cell_peer_node)
{
	const struct json *node = at(o, "spec.node");

	if (node && node->len)
		put_value(node, out);
	else
		put_or(o, "spec.nodeSelector", "(global)", out);
}

CELL(cell_workload)
{
	const struct json *workload = at(o, "spec.workload");

	if (workload && workload->len)
		put_value(workload, out);
	else
		put_or(o, "spec.pod", "", out);
}

/* In parentheses when it is the cluster's. */
CELL(cell_node_asn)
{
	if (!at(o, "spec.bgp"))
		return;
	if (at(o, "spec.bgp.asNumber"))
		put_or(o, "spec.bgp.asNumber", "", out);
	else
		buf_printf(out, "(%s)", style->node_asn ? style->node_asn : "unknown");
}

CELL(cell_nats)
{
	const struct json *nats = at(o, "spec.ipNATs");

	for (size_t i = 0; nats && nats->type == JSON_ARRAY && i < nats->len; i++) {
		buf_str(out, i ? ",{" : "{");
		put_or(nats->items[i], "internalIP", "", out);
		buf_byte(out, ' ');
		put_or(nats->items[i], "externalIP", "", out);
		buf_byte(out, '}');
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

CELL(cell_labels)
{
	const struct json *labels = at(o, "metadata.labels");
	CLEANUP(free_p) char **sorted = NULL;

	if (!labels || labels->type != JSON_OBJECT || labels->len == 0)
		return;
	sorted = xcalloc(labels->len, sizeof(*sorted));
	memcpy(sorted, labels->keys, labels->len * sizeof(*sorted));
	qsort(sorted, labels->len, sizeof(*sorted), by_text);
	for (size_t i = 0; i < labels->len; i++) {
		buf_printf(out, "%s%s=", i ? "," : "", sorted[i]);
		put_value(json_get(labels, sorted[i]), out);
	}
}

/* ---- kinds */

enum {
	PS = 1,
	WIDE = 2,
	BOTH = PS | WIDE
}; /* where a column shows without being asked for; 0: nowhere */

struct column {
	const char *heading; /* ends the list when NULL */
	unsigned shows;
	cell_fn *cell;
};

struct kind_table {
	model_kind kind;
	struct column columns[12];
};

/* clang-format off */
#define POLICY_COLUMNS { "NAME", BOTH, cell_name }, { "TIER", BOTH, cell_tier }, \
	{ "ORDER", WIDE, cell_order }, { "SELECTOR", WIDE, cell_selector }
#define NAMESPACED { "NAMESPACE", 0, cell_namespace }

static const struct kind_table kind_tables[] = {
	{ V3__KIND__KIND_BGP_CONFIGURATION, { { "NAME", BOTH, cell_name }, { "LOGSEVERITY", BOTH, cell_log_severity },
		{ "MESHENABLED", BOTH, cell_mesh }, { "ASNUMBER", BOTH, cell_bgp_asn } } },
	{ V3__KIND__KIND_BGP_PEER, { { "NAME", BOTH, cell_name }, { "PEERIP", BOTH, cell_peer_ip },
		{ "NODE", BOTH, cell_peer_node }, { "ASN", BOTH, cell_peer_asn } } },
	{ V3__KIND__KIND_CLUSTER_INFORMATION, { { "NAME", BOTH, cell_name }, { "CLUSTERGUID", BOTH, cell_guid },
		{ "CLUSTERTYPE", BOTH, cell_cluster_type }, { "CALICOVERSION", BOTH, cell_calico_version },
		{ "DATASTOREREADY", BOTH, cell_ready } } },
	{ V3__KIND__KIND_GLOBAL_NETWORK_POLICY, { POLICY_COLUMNS } },
	{ V3__KIND__KIND_GLOBAL_NETWORK_SET, { { "NAME", BOTH, cell_name }, { "NETS", WIDE, cell_nets } } },
	{ V3__KIND__KIND_IP_POOL, { { "NAME", BOTH, cell_name }, { "CIDR", BOTH, cell_cidr }, { "NAT", WIDE, cell_nat },
		{ "IPIPMODE", WIDE, cell_ipip }, { "VXLANMODE", WIDE, cell_vxlan }, { "DISABLED", WIDE, cell_disabled },
		{ "DISABLEBGPEXPORT", WIDE, cell_no_export }, { "SELECTOR", BOTH, cell_pool_selector },
		{ "ASSIGNMENTMODE", WIDE, cell_assignment } } },
	{ V3__KIND__KIND_NETWORK_POLICY, { POLICY_COLUMNS, NAMESPACED } },
	{ V3__KIND__KIND_NETWORK_SET, { { "NAME", BOTH, cell_name }, { "NETS", WIDE, cell_nets }, NAMESPACED } },
	{ V3__KIND__KIND_NODE, { { "NAME", BOTH, cell_name }, { "ASN", WIDE, cell_node_asn }, { "IPV4", WIDE, cell_ipv4 },
		{ "IPV6", WIDE, cell_ipv6 } } },
	{ V3__KIND__KIND_PROFILE, { { "NAME", BOTH, cell_name }, { "LABELS", WIDE, cell_labels } } },
	{ V3__KIND__KIND_TIER, { { "NAME", BOTH, cell_name }, { "ORDER", BOTH, cell_order } } },
	{ V3__KIND__KIND_WORKLOAD_ENDPOINT, { { "NAME", WIDE, cell_name }, { "WORKLOAD", BOTH, cell_workload },
		{ "NODE", BOTH, cell_node }, { "NETWORKS", BOTH, cell_networks }, { "INTERFACE", BOTH, cell_interface },
		{ "PROFILES", WIDE, cell_profiles }, { "NATS", WIDE, cell_nats }, { "ORCHESTRATOR", 0, cell_orchestrator },
		NAMESPACED } },
};
/* clang-format on */

static const struct column *columns_of(const struct kind_info *kind)
{
	/* a kind without a row shows its names */
	static const struct column plain[] = { { "NAME", BOTH, cell_name }, { NULL, 0, NULL } };
	static const struct column plain_namespaced[] = { { "NAME", BOTH, cell_name },
		                                          NAMESPACED,
		                                          { NULL, 0, NULL } };

	for (size_t i = 0; i < ARRAY_SIZE(kind_tables); i++)
		if (kind_tables[i].kind == kind->kind)
			return kind_tables[i].columns;
	return kind->namespaced ? plain_namespaced : plain;
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

/* What would break the line, or reach the terminal as a command, is shown as \n, \t or \x1b. */
static char *printable(const char *s)
{
	struct buf out = { 0 };

	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '\n')
			buf_str(&out, "\\n");
		else if (c == '\t')
			buf_str(&out, "\\t");
		else if (c < 0x20 || c == 0x7f)
			buf_printf(&out, "\\x%02x", c);
		else
			buf_byte(&out, c);
	}
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

			columns[c]->cell(rows[r], style, &cell);
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
