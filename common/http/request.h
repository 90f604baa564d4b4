/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * request: the head of an HTTP/1.x request (RFC 9112), for servers that only give things out.
 *
 * Strict: lines end in CRLF, names are tokens, one Host where HTTP/1.1 wants one, no folded lines,
 * no body. What is not understood is answered with the status that RFC 9110 has for it. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define HTTP_LINE_MAX 2048u  /* bytes of the request line */
#define HTTP_HEAD_MAX 16384u /* bytes of all of the head */
#define HTTP_FIELDS_MAX 64u
#define HTTP_PATH_MAX 256u

struct http_request {
	bool head;                /* HEAD: as GET, without the body */
	bool keep_alive;          /* the connection stays open */
	char path[HTTP_PATH_MAX]; /* as sent, without the query; begins with '/' */
};

/*
 * Looks at the len bytes at data. 0: the head is not whole yet; 200: *ret is filled and *ret_used
 * says how many bytes the head has; anything else: answer with that status and close.
 */
unsigned http_request_parse(const char *data, size_t len, struct http_request *ret,
                            size_t *ret_used);

/* "Not Found" */
const char *http_reason(unsigned status);
