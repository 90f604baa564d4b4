/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kind: the kinds of object in the datastore, one row each. A new kind is a message in proto/, a
 * number in enum Kind and a row here. A program knows those whose messages it links: see kind.c.
 */
#pragma once

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "proto/v3_meta.pb-c.h"

typedef V3__Kind model_kind; /* the generated enum under a name that reads */

struct kind_info {
	model_kind kind;
	const char *name;           /* "IPPool" */
	const char *plural;         /* "ippools": also the segment of the key */
	const char *const *aliases; /* what calicoctl accepts, lower case, ended by NULL: "ippool",
	                               "pool" ... */
	bool namespaced;
	bool v3; /* has kind/apiVersion/metadata/spec; false for IPAM's objects */
	const ProtobufCMessageDescriptor *message;
};

/* In a program that reads the messages of a kind and no more: makes it know the kind, of which d is
 * the descriptor. store_watch() insists on it. */
#define KIND_USE(d)                                                                                \
	static const ProtobufCMessageDescriptor *const kind_use_##d __attribute__((used)) = &(d)

const struct kind_info *kind_info(model_kind kind);       /* NULL when unknown */
const struct kind_info *kind_by_name(const char *name);   /* exact: "IPPool" */
const struct kind_info *kind_by_alias(const char *alias); /* any case */
const struct kind_info *
kind_by_message(const ProtobufCMessageDescriptor *d);         /* NULL: not the message of a kind */
const struct kind_info *kind_next(const struct kind_info *k); /* NULL starts; NULL ends */
