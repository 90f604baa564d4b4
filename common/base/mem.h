/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mem: allocation and cleanup.
 *
 * The x-functions are for small allocations whose size no stranger decides: when memory is gone
 * they end the process, which loses nothing, because kernel and datastore survive and are read
 * back. What a stranger can size is checked against a named limit first and allocated with plain
 * malloc().
 */
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s); /* NULL gives NULL */
char *xstrndup(const char *s, size_t n);
void *xmemdup(const void *p, size_t len);
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* CLEANUP(close_p) int fd = ...; runs close_p(&fd) when fd leaves its scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

void free_p(void *p);  /* p: pointer to any pointer; frees it */
void close_p(int *fd); /* closes if >= 0; errno is kept */

int take_fd(int *fd);      /* returns *fd and leaves -1 behind */
void *take_ptr_(void **p); /* returns *p and leaves NULL behind */
#define take_ptr(pp) ((__typeof__(*(pp)))take_ptr_((void **)(pp)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
