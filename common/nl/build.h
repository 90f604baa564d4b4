/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * build: putting rtnetlink messages together, and taking them apart. Nobody outside common/nl
 * includes it.
 *
 * A builder remembers that something did not fit, so that only rt_end() need be looked at.
 */
#pragma once

#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/net/addr.h"

#define RT_MSG_BYTES 512 /* the largest of ours, a veth pair, takes 300 */

struct rt_build {
	struct nl_msg *msg;
	bool failed;
};

struct rt_build rt_begin(uint16_t type, uint16_t flags, const void *header, size_t header_len);
void rt_put(struct rt_build *b, int attr, const void *data, size_t len);
void rt_put_u32(struct rt_build *b, int attr, uint32_t v);
void rt_put_str(struct rt_build *b, int attr, const char *s);
void rt_put_addr(struct rt_build *b, int attr,
                 const struct ip_addr *a); /* nothing when a is unset */
struct nlattr *rt_nest(struct rt_build *b, int attr);
void rt_nest_end(struct rt_build *b, struct nlattr *nest);
struct nl_msg *rt_end(struct rt_build *b); /* NULL when something did not fit */

/*
 * Reads a message of one of two types with a header of header_len bytes and its attributes up to
 * max into tb[max + 1]. *ret_deleted: it was of type_del. -ENOMSG: of neither type; -EINVAL:
 * broken.
 */
int rt_open(const struct nlmsghdr *h, uint16_t type_new, uint16_t type_del, void *header,
            size_t header_len, struct nlattr **tb, int max, bool *ret_deleted);
int rt_open_nested(struct nlattr *nest, struct nlattr **tb, int max);

/* Attributes by content. The first two are false when a is NULL or of another size than its
 * content; then *ret is untouched. */
bool rt_attr_u32(const struct nlattr *a, uint32_t *ret);
bool rt_attr_addr(const struct nlattr *a, int family, struct ip_addr *ret);
bool rt_attr_mac(const struct nlattr *a, struct mac_addr *ret);
void rt_attr_str(const struct nlattr *a, char *out,
                 size_t size); /* cut to fit; "" when a is NULL */
