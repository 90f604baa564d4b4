/* SPDX-License-Identifier: BSD-2-Clause */
/* link: the host's network interfaces, as netlink last told. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/nl/rt.h"

struct err;
struct links;

struct link_change {
	char name[IFNAMSIZ];
	int ifindex;
	bool was_up, up; /* IFF_UP; false when the interface is not there */
	bool moved;      /* the name now stands for another interface */
};

struct links *links_new(void);
void links_free(struct links *l);

/* Reads all interfaces; fn hears of each that differs from what was known, also of those that are
 * gone. */
typedef void link_change_fn(void *arg, const struct link_change *c);
int links_read(struct links *l, struct nl_conn *conn, link_change_fn *fn, void *arg,
               struct err *err);
/* One message of the monitor; others than link messages are ignored. */
void links_event(struct links *l, const struct nlmsghdr *h, link_change_fn *fn, void *arg);

/* 0: no such interface. *ret_up may be NULL. */
int link_index(const struct links *l, const char *name, bool *ret_up);
const char *link_name(const struct links *l, int ifindex); /* NULL: no such interface */
