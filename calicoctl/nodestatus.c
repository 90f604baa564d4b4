/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/nodestatus.h"

#include <string.h>

#include "calicoctl/boxtable.h"
#include "calicoctl/visible.h"
#include "common/base/mem.h"

#define BGP_PORT 179
#define COLUMNS 5
#define TODAY_SEC (20 * 3600) /* what BIRD's default time format calls recent */

/* confd names a peer for where it comes from; what a person named in a file of their own is
 * neither. */
static const char *type_of(const char *name)
{
	if (strncmp(name, "Mesh_", 5) == 0)
		return "node-to-node mesh";
	if (strncmp(name, "Node_", 5) == 0)
		return "node specific";
	if (strncmp(name, "Global_", 7) == 0)
		return "global";
	return "other";
}

static char *since_str(uint64_t since, time_t now)
{
	time_t at = (time_t)since;
	char text[32] = "";
	struct tm tm;

	if (since == 0 || !localtime_r(&at, &tm))
		return xstrdup("");
	strftime(text, sizeof(text), now - at < TODAY_SEC ? "%H:%M:%S" : "%Y-%m-%d", &tm);
	return xstrdup(text);
}

/* The state, and, of a session that is not up, what went wrong last. */
static char *info_str(const Bgp__V1__Peer *p)
{
	const char *state = p->state ? p->state : "";

	if (strcmp(state, "Established") == 0 || !p->last_error || !*p->last_error)
		return xstrdup(state);
	return xasprintf("%s %s", state, visible(p->last_error));
}

static char *address_str(const Bgp__V1__Peer *p)
{
	const char *address = p->address ? p->address : "";

	if (!p->has_port || p->port == 0 || p->port == BGP_PORT)
		return xstrdup(address);
	return xasprintf(strchr(address, ':') ? "[%s]:%u" : "%s:%u", address, p->port);
}

static bool is_family(const Bgp__V1__Peer *p, int family)
{
	return p->address && (strchr(p->address, ':') ? 6 : 4) == family;
}

static void write_family(const Bgp__V1__Peers *peers, int family, time_t now, struct buf *out)
{
	static const char *const heading[COLUMNS] = { "PEER ADDRESS", "PEER TYPE", "STATE", "SINCE",
		                                      "INFO" };
	CLEANUP(free_p)
	const char **cells = xcalloc((peers->n_peers + 1) * COLUMNS, sizeof(*cells));
	size_t rows = 1;

	memcpy(cells, heading, sizeof(heading));
	for (size_t i = 0; i < peers->n_peers; i++) {
		const Bgp__V1__Peer *p = peers->peers[i];
		const char **row = cells + rows * COLUMNS;

		if (!is_family(p, family))
			continue;
		row[0] = address_str(p);
		row[1] = xstrdup(type_of(p->name ? p->name : ""));
		row[2] = xstrdup(p->state && strcmp(p->state, "Established") == 0 ? "up" : "start");
		row[3] = since_str(p->since_unix_sec, now);
		row[4] = info_str(p);
		rows++;
	}
	buf_printf(out, "IPv%d BGP status\n", family);
	if (rows == 1)
		buf_printf(out, "No IPv%d peers found.\n", family);
	else
		boxtable_write(cells, COLUMNS, rows, 0, out);
	for (size_t i = COLUMNS; i < rows * COLUMNS; i++)
		free((char *)cells[i]);
}

void nodestatus_write(const Bgp__V1__Peers *peers, time_t now, struct buf *out)
{
	buf_byte(out, '\n');
	write_family(peers, 4, now, out);
	buf_byte(out, '\n');
	write_family(peers, 6, now, out);
}
