/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * selector: Calico's label selector language.
 *
 *     role == 'db' && (env in {'prod','test'} || !has(legacy)) && name starts with "a"
 *
 * Parsed once into a tree that is shared and never changes; its canonical text and the identifier
 * derived from that are what IP set names are made of.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;
struct selector;

#define SELECTOR_TEXT_MAX 65536 /* bytes; longer is refused */
#define SELECTOR_DEPTH_MAX 64   /* nesting of parentheses */
#define SELECTOR_LABEL_MAX 512  /* bytes of a label's name */
#define SELECTOR_ID_MAX 56      /* "svcnoport:", 38 characters, and room */

/* Parses text ("" and NULL are all()). -EINVAL with the position in *err. The result holds one
 * reference. */
int selector_parse(const char *text, struct selector **ret, struct err *err);
/* As above, and every label name is given prefix ("pcns."), as upstream does for namespace and
 * service account selectors. */
int selector_parse_prefixed(const char *text, const char *label_prefix, struct selector **ret,
                            struct err *err);
/* For text that was put together from selectors that each were within the limits: several times as
 * long and as deep is allowed. */
int selector_parse_derived(const char *text, struct selector **ret, struct err *err);
struct selector *selector_ref(struct selector *s);
void selector_unref(struct selector *s); /* NULL is fine */

/* The canonical text; lives as long as s. */
const char *selector_str(const struct selector *s);

/* "s:" and 38 characters, as upstream's unique ID of the canonical text; lives as long as s. */
const char *selector_id(const struct selector *s);

/* The same scheme for other things: prefix "n", content "<selector ID>,tcp,http". */
void selector_make_id(const char *prefix, const char *content, char out[SELECTOR_ID_MAX]);

/* Looks a label up: its value, or NULL when the object does not have it. */
typedef const char *selector_lookup_fn(void *arg, const char *label);
bool selector_match(const struct selector *s, selector_lookup_fn *lookup, void *arg);

/*
 * What a label index can use: a (label, values) pair such that nothing can match unless the label
 * has one of the values (n_values 0: unless the label exists). Values are sorted. Pointers live as
 * long as s.
 */
struct selector_restriction {
	const char *label;
	const char *const *values;
	size_t n_values;
};
#define SELECTOR_RESTRICTIONS_MAX 8
/* All that are known, for those who choose by their own figures. Returns how many. */
size_t selector_restrictions(const struct selector *s, const struct selector_restriction **ret);
/* The one with the fewest values. false: no restriction is known. */
bool selector_restriction(const struct selector *s, struct selector_restriction *ret);
