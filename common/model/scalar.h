/* SPDX-License-Identifier: BSD-2-Clause */
/* scalar: the values that are one JSON value but a message in proto/: ports, protocols, AS numbers.
 * No JSON here, only text. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "proto/v3_meta.pb-c.h"

struct err;

int port_parse(const char *s, V3__Port *ret,
               struct err *err);                   /* ret->name, when set, is allocated */
void port_str(const V3__Port *p, struct buf *out); /* "80", "8000:8100", "http" */
int asn_parse(const char *s, uint32_t *ret);       /* "64512", "1.10"; -EINVAL */

/* The number of a protocol, by number or (canonical) name; -1 when unset or unknown. */
int protocol_number(const V3__Protocol *p);
int protocol_number_of_name(const char *name); /* TCP UDP ICMP ICMPv6 SCTP UDPLite, any case; -1 */
const char *protocol_name_of_number(int number); /* "TCP"; NULL when it has none */
bool protocol_has_ports(int number);             /* TCP, UDP, SCTP */
