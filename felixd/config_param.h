/* SPDX-License-Identifier: BSD-2-Clause */
/* config_param: the table of Felix's parameters, and what its types accept. Only config*.c and the
 * tests need it; everyone else reads struct felix_config. */
#pragma once

#include "felixd/config.h"

enum felix_type {
	/* the field is a const char *; what is kept is the text */
	FELIX_T_STRING,
	FELIX_T_ONEOF,          /* any case; kept as the list spells it */
	FELIX_T_HOSTNAME,       /* letters, digits, _.- */
	FELIX_T_HOST,           /* a host name or an address */
	FELIX_T_AUTHORITY,      /* host:port */
	FELIX_T_REGION,         /* a DNS label with room for "openstack-region-" */
	FELIX_T_REGEXP,         /* of Go's language */
	FELIX_T_IFACE,          /* an interface's name, which may end in '+' */
	FELIX_T_IFACES,         /* a comma list of beginnings of names */
	FELIX_T_IFACE_FILTERS,  /* a comma list of names, which may end in '+' */
	FELIX_T_IFACE_PATTERNS, /* a comma list of names and /regular expressions/ */
	FELIX_T_CIDRS,          /* a comma list of addresses and networks */
	FELIX_T_PORT_RANGES,    /* a comma list of n and n:m */
	FELIX_T_PAIRS,          /* a comma list of name=value */
	FELIX_T_PERIODS,        /* a comma list of name=1m30s */
	FELIX_T_TABLES,         /* ranges n-m of routing tables */
	FELIX_T_RATE,           /* N/second, minute, hour, day */
	FELIX_T_DSCP,           /* 0 to 63, or a name */
	/* the field's type is on the right */
	FELIX_T_BOOL,       /* bool */
	FELIX_T_INT,        /* int; min to max; as in Go: 0x10, 010, 16 */
	FELIX_T_MASK,       /* uint32_t; at least min bits */
	FELIX_T_SECONDS,    /* unsigned, in milliseconds; the text is a decimal number */
	FELIX_T_MILLIS,     /* unsigned; likewise */
	FELIX_T_IPV4,       /* struct ip_addr */
	FELIX_T_IPV6,       /* struct ip_addr */
	FELIX_T_PORT_RANGE, /* struct calc_port_range; n or n:m */
	FELIX_T_PORTS,      /* struct felix_ports; proto:port, proto:net:port, port */
};

enum felix_flag {
	FELIX_LOCAL = 1,    /* not taken from the datastore */
	FELIX_NOT_NONE = 2, /* "none" makes no sense here */
};

struct felix_param {
	const char *name; /* ends the table when NULL */
	enum felix_type type;
	const char *dflt;    /* NULL: none */
	const char *choices; /* of FELIX_T_ONEOF, separated by blanks */
	int min, max;        /* of FELIX_T_INT, FELIX_T_MASK */
	unsigned flags;      /* enum felix_flag */
	enum felix_effect effect;
	size_t offset;     /* in struct felix_config; FELIX_NO_FIELD: only the text is kept */
	const char *inert; /* why it has no effect; NULL: nothing to say */
};
extern const struct felix_param felix_params[];
#define FELIX_NO_FIELD SIZE_MAX
size_t felix_params_count(void);

const struct felix_param *felix_param_find(const char *name, size_t len); /* NULL: there is none */

/*
 * What text means: the field in c is set, and *ret is the text to show, the caller's. false: it
 * makes no sense; the field is as it was, and *ret_wanted says what would make sense.
 */
bool felix_param_parse(const struct felix_param *p, const char *text, struct felix_config *c,
                       char **ret, const char **ret_wanted);
