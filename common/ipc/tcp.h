/* SPDX-License-Identifier: BSD-2-Clause */
/* tcp: TCP sockets by host and port. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct err;

#define TCP_HOST_MAX 254    /* a DNS name with its NUL */
#define TCP_ADDR_STR_MAX 64 /* "[fd00::1%eth0]:65535" */

/* "10.0.0.1:5473", "[fd00::1]:5473", "typha.example.org:5473". -EINVAL. */
int tcp_addr_split(const char *s, char host[TCP_HOST_MAX], uint16_t *ret_port, struct err *err);
/* false: the host is a name that must be looked up. */
bool tcp_addr_numeric(const char *host, uint16_t port, struct sockaddr_storage *ret,
                      socklen_t *ret_len);
const char *tcp_addr_str(const struct sockaddr *sa, char out[TCP_ADDR_STR_MAX]);

/* Looks a name up, which blocks: before the loop runs. An address stays as it is. */
int tcp_lookup(const char *host, char out[TCP_ADDR_STR_MAX], struct err *err);

/* Listens, non-blocking. host NULL or "": on every address of either family; a name is looked up,
 * which blocks: at the start only. port 0: any. ret_port may be NULL. */
int tcp_listen(const char *host, uint16_t port, int *ret_fd, uint16_t *ret_port, struct err *err);

/* Begins to connect, non-blocking: writable when that has ended, SO_ERROR says how. */
int tcp_connect(const struct sockaddr *sa, socklen_t len, int *ret_fd, struct err *err);

/* Small messages leave at once; a peer that is silently gone is noticed: at rest after a minute,
 * with data that it does not take or acknowledge after user_timeout_ms (0: the kernel's 15
 * minutes). */
void tcp_tune(int fd, unsigned user_timeout_ms);
