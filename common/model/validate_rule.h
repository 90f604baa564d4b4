/* SPDX-License-Identifier: BSD-2-Clause */
/* validate_rule: what the parts of validate share: the table of rules for single fields, and the
 * checks that see several. */
#pragma once

#include <stdbool.h>

#include "common/model/path.h"
#include "common/model/validate.h"

/* Reports something wrong at p. value may be NULL. Beyond VIOLATIONS_MAX, nothing is added: nobody
 * reads that far. */
#define VIOLATIONS_MAX 64
void violate(struct violations *v, const struct path *p, const char *value, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));

/* The same of a value that does not fit its schema: "spec.listenPort in body should be ...". */
void violate_body(struct violations *v, const struct path *p, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

/* What is wrong with a text: NULL when nothing, else a sentence, in why or static. */
struct why {
	char text[600];
};
typedef const char *text_check(const char *s, struct why *why);

enum field_flag {
	FIELD_REQUIRED = 1,
	FIELD_SET = 2,      /* a list without duplicates */
	FIELD_ANY_CASE = 4, /* of words */
	FIELD_EMPTY = 8     /* a text that is there is looked at though it is empty */
};

/* Of one field of one message; of each element when it is a list. Zero means: no such rule. */
struct field_rule {
	const ProtobufCMessageDescriptor *message;
	const char *field;
	unsigned flags; /* enum field_flag */
	text_check *text;
	const char *pattern;      /* what text looks for, as upstream's schema has it: the reason */
	const char *const *words; /* all that is allowed, ended by NULL */
	int64_t min, max;         /* of an integer; max also of a string's length */
	size_t items;             /* a list's length at most */
};
const struct field_rule *field_rule(const ProtobufCMessageDescriptor *d,
                                    const char *field); /* NULL: none */

/* Checks of a whole message, run wherever it stands. p is its place. */
typedef void message_check(const ProtobufCMessage *m, const struct path *p, struct violations *v);
message_check *message_rule(const ProtobufCMessageDescriptor *d); /* NULL: none */

/* Checks of metadata, by kind. */
void check_metadata(const struct kind_info *k, const V3__ObjectMeta *meta, struct violations *v);

/* Texts: see validate_text.c */
text_check text_label, text_name, text_label_value, text_label_key, text_cidr, text_net,
        text_any_net, text_not_all_net, text_host_net, text_ip, text_ipv4, text_ipv6,
        text_node_ipv4, text_node_ipv6, text_mac, text_interface, text_selector, text_pool_selector,
        text_namespace_selector, text_any_selector, text_duration, text_peer_ip, text_guid,
        text_port_name, text_regexp;
bool text_is_name(const char *s, size_t len);  /* label(.label)*, at most 253 */
bool text_is_label(const char *s, size_t len); /* at most 63 */

/* One label of the map at labels: its key and its value (NULL: none). */
void check_label(const struct path *labels, const char *key, const char *value,
                 struct violations *v);
