/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config: bgpd.conf as a struct. bgpd.conf(5) has the grammar.
 *
 * Parsing is pure: text in, a whole configuration or an error with its line out. What is running is
 * never changed by half: the speaker compares the new configuration with the old one and swaps
 * (speaker.c).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bgpd/bgp.h"
#include "bgpd/policy.h"

struct err;

#define CONFIG_SIZE_MAX (16u << 20) /* bytes of text */
#define CONFIG_PRIORITY_DEFAULT 1024u
#define CONFIG_LOCAL_PREF_MAX 2147483647u /* LOCAL_PREF = this - priority, as upstream has it */

enum next_hop_mode {
	NEXT_HOP_AUTO,
	NEXT_HOP_SELF,
	NEXT_HOP_KEEP
};

struct config_timers {
	uint16_t hold_sec, keepalive_sec, connect_retry_sec; /* keepalive 0: a third of hold */
};

struct config_graceful {
	bool on;
	uint16_t restart_sec, stale_sec, deferral_sec;
};

struct config_peer {
	char *name;
	char *description;              /* or NULL */
	struct ip_addr address, source; /* source unset: the kernel chooses */
	uint16_t port;
	uint32_t remote_as;
	bool passive, disabled;
	uint8_t ttl;      /* 0: 1 for external peers, 64 for internal ones */
	uint8_t families; /* mask */
	enum next_hop_mode next_hop;
	uint32_t max_prefixes;
	const struct policy *import, *export; /* NULL: what bgpd.conf(5) says about their absence */
	struct config_timers timers;
	struct config_graceful graceful;

	/* the parser's */
	char *import_name, *export_name;
	unsigned import_line, export_line, line;
	bool has_timers[3], has_graceful_off, has_graceful[3];
};

struct config_network {
	struct ip_prefix prefix;
	bool blackhole;
	unsigned line;
};

struct config {
	uint32_t router_id, local_as, priority;
	bool listen_on;
	struct ip_addr listen[BGP_FAMILIES]; /* unset: any; see listen_given */
	bool listen_given; /* an address was given: only the families that have one */
	uint16_t port;
	struct config_timers timers;
	struct config_graceful graceful;
	bool kernel_on;
	const struct policy *program, *learn; /* NULL: everything, nothing */
	bool has_metric;
	uint32_t metric;
	struct prefix_list **lists;
	unsigned n_lists;
	struct policy **policies;
	unsigned n_policies;
	struct config_network *networks;
	unsigned n_networks;
	struct config_peer **peers;
	unsigned n_peers;
	char *program_name, *learn_name;
	unsigned program_line, learn_line;
};

/* Parses len bytes. 0, or -EINVAL with *ret_line (0: none) and a sentence that begins with "line N:
 * ". */
int config_parse(const char *text, size_t len, struct config **ret, unsigned *ret_line,
                 struct err *err);
/* Reads and parses a file; the sentence names it. */
int config_load(const char *path, struct config **ret, unsigned *ret_line, struct err *err);
void config_free(struct config *c); /* NULL is fine */

const struct config_peer *config_peer_find(const struct config *c, const char *name);
/* A change from a to b needs a new session. */
bool config_peer_needs_reset(const struct config_peer *a, const struct config_peer *b);
