/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * etcd_endpoint: where members of an etcd cluster are: a list as text, or the SRV records of a
 * domain.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define ETCD_PORT 2379u
#define ETCD_ENDPOINTS_MAX 128u

struct etcd_endpoint {
	bool tls;
	char *host; /* a name, or an address without brackets */
	uint16_t port;
	char *text; /* "https://[fd00::1]:2379" */
};

struct etcd_endpoints {
	struct etcd_endpoint *items;
	size_t n;
};

void etcd_endpoints_done(struct etcd_endpoints *e);

/* "https://10.0.0.1:2379,http://etcd.example": appended to *e. tls: of one without a scheme. The
 * port defaults to 2379. -EINVAL with a sentence that names the endpoint. */
int etcd_endpoints_parse(const char *list, bool tls, struct etcd_endpoints *e, struct err *err);

/* What the SRV records of _etcd-client-ssl._tcp.<domain> and _etcd-client._tcp.<domain> say, in
 * their order. Asks the resolver: blocks, from a worker thread only. */
int etcd_endpoints_discover(const char *domain, struct etcd_endpoints *e, struct err *err);

/* The endpoints in a DNS message, appended in the order of their priority. false: not a DNS message
 * with an answer. */
bool etcd_endpoints_of_srv(const void *message, size_t len, bool tls, struct etcd_endpoints *e);
