/* SPDX-License-Identifier: BSD-2-Clause */
/* config_param: the table of typhad's parameters, and what its types accept. Only config.c and the
 * tests need it; everyone else reads struct typhad_config. */
#pragma once

#include "typhad/config.h"

enum param_type {
	PARAM_STRING,
	PARAM_SECRET, /* a string that is never shown */
	PARAM_ONEOF,  /* any case; kept as the list spells it */
	PARAM_FILE,
	PARAM_FILE_EXISTS,
	PARAM_BOOL,
	PARAM_INT,       /* min to max; as in Go: 0x10, 010, 16 */
	PARAM_SECONDS,   /* a decimal number, kept in milliseconds */
	PARAM_HOST,      /* a host name or an address */
	PARAM_AUTHORITY, /* host:port */
	PARAM_URLS,      /* a comma list of http(s)://host:port, all of one scheme */
	PARAM_ADDRS,     /* a comma list of host, host:port, [address]:port, path */
};

struct param {
	const char *name; /* ends the table when NULL */
	enum param_type type;
	const char *dflt;    /* NULL: none */
	const char *choices; /* of PARAM_ONEOF, separated by blanks */
	unsigned min, max;   /* of PARAM_INT */
	bool never_none;     /* "none" makes no sense here */
	bool must;           /* a value that makes no sense ends the process */
	const char *alias;   /* another environment variable for it, or NULL */
	size_t offset;       /* in struct typhad_config */
	const char *help;    /* sentences */
	const char *inert;   /* why it has no effect; NULL: it has */
};
extern const struct param params[];
size_t params_count(void);

const struct param *param_find(const char *name, size_t len); /* NULL: there is none */

/* Sets the field from text, which is not empty. false: it makes no sense, and the field is as it
 * was. ret_why: what would make sense. */
bool param_set(struct typhad_config *c, const struct param *p, const char *text,
               const char **ret_why);
void param_set_default(struct typhad_config *c, const struct param *p);
/* The value in force: NULL: none; good until the next call. */
const char *param_value(const struct typhad_config *c, const struct param *p);
void param_done(struct typhad_config *c, const struct param *p);
