/* SPDX-License-Identifier: BSD-2-Clause */
/* conn: what the files of common/nl share about a connection. Nobody else includes it. */
#pragma once

#include <linux/netlink.h>
#include <netlink/msg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/nl/nl.h"

struct err;

/*
 * Larger than any datagram that the kernel sends us: dumps fill what recvmsg() offers up to 32 KiB,
 * single replies (a link with many virtual functions) are larger than a page but far from this.
 */
#define NL_RECV_MAX 65536u

struct nl_conn {
	int fd;
	uint32_t seq; /* of the last message sent */
	uint8_t *in;  /* NL_RECV_MAX bytes */
};

/* A socket of the protocol, bound, with extended acknowledgements and strict checking on where the
 * kernel has them. */
int nl_socket_open(int protocol, int flags, int *ret_fd, struct err *err);

/* Gives msg the next sequence number and NLM_F_REQUEST | flags. Returns the number. */
uint32_t nl_stamp(struct nl_conn *c, struct nl_msg *msg, uint16_t flags);

/* Sends n vectors as one datagram, whole or not at all. */
int nl_conn_send(struct nl_conn *c, struct iovec *iov, size_t n, struct err *err);

/* Receives one datagram from the kernel (others' are dropped). *ret_len: its length. -ENOBUFS,
 * -EAGAIN (nonblock), -ETIMEDOUT, -EMSGSIZE. */
int nl_datagram(int fd, void *buf, size_t size, bool nonblock, size_t *ret_len);

/*
 * The verdict in an NLMSG_ERROR or NLMSG_DONE message: 0 or the kernel's negative errno (-EPROTO
 * when the message is malformed). *ret_text: the extended acknowledgement's text, borrowed from the
 * message, or NULL.
 */
int nl_verdict(const struct nlmsghdr *h, const char **ret_text);

/* The next whole message of a datagram, or NULL; *at and *left move behind it. */
const struct nlmsghdr *nl_next(const uint8_t **at, size_t *left);
