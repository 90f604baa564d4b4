/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * validate_rule: what the parts of validate share: the tables of rules, one row for each message,
 * and the tools for checks that see several fields.
 *
 * Upstream looks at an object in three ways, one after the other, and names what is wrong
 * differently in each; so do we, so that its messages and ours are the same:
 *
 *     PHASE_GO      tags on single fields and checks of whole structs, in its client: by the name
 *                   of the field in Go (InterfaceName, Source.Ports), with the value
 *     PHASE_SCHEMA  the CRD's schema: by JSON path (spec.ports[0].port), without the value
 *     PHASE_CEL     the CRD's rules: by the JSON path of the object that they look at
 *
 * One file for each subject has the rows and checks of its messages (validate_policy.c ...).
 */
#pragma once

#include <stdbool.h>

#include "common/model/path.h"
#include "common/model/validate.h"

enum phase {
	PHASE_GO,
	PHASE_SCHEMA,
	PHASE_CEL,
};

/* Reports something wrong at p, by its JSON path. value may be NULL. Beyond VIOLATIONS_MAX, nothing
 * is added: nobody reads that far. */
#define VIOLATIONS_MAX 64
void violate(struct violations *v, const struct path *p, const char *value, const char *fmt, ...)
        __attribute__((format(printf, 4, 5)));

/* The same under upstream's name for the field; "": the reason says it all. */
void violate_as(struct violations *v, const struct path *p, const char *name, const char *value,
                const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* By JSON path, of a value that does not fit its schema: "spec.listenPort in body should be ...".
 */
void violate_body(struct violations *v, const struct path *p, const char *fmt, ...)
        __attribute__((format(printf, 3, 4)));

/* What is wrong with a text: NULL when nothing, else a sentence, in why or static. */
struct why {
	char text[600];
};
typedef const char *text_check(const char *s, struct why *why);

/* One of upstream's tags: whether a text is right. Which: see validate_tag.c. */
struct tag {
	const char *name;
	bool (*ok)(const char *s);
};
extern const struct tag tag_name, tag_interface, tag_selector, tag_port_name, tag_container_id,
        tag_mac, tag_net, tag_cidr, tag_cidrv4, tag_cidrv6, tag_ip, tag_ipv4, tag_ipv6,
        tag_wireguard_key, tag_regexp;

/* A tag that sees a whole list, or a whole map of strings. */
struct list_tag {
	const char *name;
	bool (*ok)(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f);
};
extern const struct list_tag list_tag_cidrs, list_tag_unique, list_tag_labels;

enum field_flag {
	FIELD_REQUIRED = 1 << 0,     /* our own: must be there */
	FIELD_TAG_REQUIRED = 1 << 1, /* upstream's tag for the same */
	FIELD_TAG_EMPTY = 1 << 2,    /* the tag is for the empty text too */
	FIELD_ONEOF = 1 << 3,        /* upstream has a tag for the words as well */
	FIELD_ANY_CASE = 1 << 4,     /* of words, in the schema */
	FIELD_GT_0 = 1 << 5,         /* upstream's tag: not 0 */
	FIELD_GTE_LTE = 1 << 6,      /* upstream has tags for min and max as well */
	FIELD_LT = 1 << 7,           /* with it: the tag for max is lt, of one more */
	FIELD_NO_SCHEMA = 1 << 8,    /* min and max are in tags alone */
	FIELD_CIDR = 1 << 9,         /* the schema's format */
	FIELD_ALWAYS =
	        1 << 10, /* upstream always writes it: its schema sees it though it is empty */
	FIELD_EMPTY =
	        1 << 11, /* of a pointer: a text that is there is looked at though it is empty */
	FIELD_NULL = 1 << 12, /* absent, upstream writes null, which its schema refuses */
};

/* Of one field of one message; of each element when it is a list. Zero means: no such rule. */
struct field_rule {
	const char *field; /* in JSON; NULL ends a table */
	const char *go;    /* upstream's name, unless it is the one in JSON with a capital */
	const struct tag *tag;
	const struct list_tag *list_tag;
	unsigned flags;            /* enum field_flag */
	text_check *text;          /* our own, told by path */
	const struct tag *pattern; /* the schema's: the name is the regular expression */
	const char *range_tag;     /* upstream's tag for min and max, when it has one of its own */
	const char *const *words;  /* all that is allowed, ended by NULL; of a number in decimal */
	int64_t min, max;          /* of an integer; max also of a string's length in characters */
	size_t items;              /* a list's length at most */
};

#define FIELDS(...)                                                                                \
	.fields = (const struct field_rule[])                                                      \
	{                                                                                          \
		__VA_ARGS__,                                                                       \
		{                                                                                  \
			.field = NULL                                                              \
		}                                                                                  \
	}
#define WORDS(...)                                                                                 \
	.words = (const char *const[])                                                             \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

/* Checks of a whole message, run wherever it stands. p is its place. */
typedef void message_check(const ProtobufCMessage *m, const struct path *p, struct violations *v);

struct message_rule {
	const ProtobufCMessageDescriptor *message;
	const struct field_rule *fields; /* NULL: none */
	message_check *first; /* of a kind: before all else, which is not looked at if this fails */
	message_check *check; /* PHASE_GO, after the fields */
	message_check *schema; /* PHASE_SCHEMA, likewise */
	message_check *cel;    /* PHASE_CEL, before what is inside */
	message_check *last;   /* of a kind: when all else is right */
};
const struct message_rule *message_rule(const ProtobufCMessageDescriptor *d); /* NULL: none */
const struct field_rule *field_rule(const struct message_rule *m,
                                    const char *field); /* NULL: none */

/* The subjects' tables, ended by a row without message. */
extern const struct message_rule policy_rules[], traffic_rules[], staged_rules[], endpoint_rules[],
        pool_rules[], node_rules[], bgp_rules[], felix_rules[], config_rules[], ipam_rules[],
        meta_rules[];

/* Checks of metadata (NULL: none): what kinds ask for beyond what every object has to pass. */
void check_namespace(const struct kind_info *k, const V3__ObjectMeta *meta, struct violations *v);
void check_meta_of_policy(const V3__ObjectMeta *meta, struct violations *v);
void check_meta_of_global_policy(const V3__ObjectMeta *meta, struct violations *v);
void check_meta_of_kubernetes_policy(const V3__ObjectMeta *meta, struct violations *v);
void check_meta_of_tier(const V3__ObjectMeta *meta, struct violations *v);
void check_annotations(V3__ObjectMeta__LabelsEntry *const *entries, size_t n, const struct path *p,
                       struct violations *v);

/* Lists as Go prints them: "[a b]". */
void list_str(char *const *list, size_t n, struct buf *out);

/* Texts: see validate_text.c */
text_check text_label, text_name, text_cidr, text_net, text_any_selector, text_duration, text_guid,
        text_regexp;
bool text_given(const char *s);                /* not NULL, not empty */
bool text_is(const char *s, const char *word); /* NULL is no word */
/* Of letters, digits and what is in more; 1 to max bytes. */
bool text_all_of(const char *s, const char *more, size_t max);
bool text_is_subdomain(const char *s, size_t len); /* label(.label)*, none of them limited */
bool text_is_name(const char *s, size_t len);      /* the same, at most 253 */
bool text_is_label(const char *s, size_t len);     /* at most 63 */
bool text_has_global(const char *selector);        /* the words global() are in it */

/* What is wrong with a label's key (or an annotation's), or its value, as Kubernetes words it: up
 * to QUALIFIED_MAX sentences. Returns how many. */
#define QUALIFIED_MAX 4
size_t text_qualified_name(const char *s, const char *ret_wrong[QUALIFIED_MAX]);
size_t text_label_value(const char *s, const char *ret_wrong[QUALIFIED_MAX]);
