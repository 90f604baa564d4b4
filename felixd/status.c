/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/status.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/hmap.h"
#include "common/base/jsonw.h"
#include "common/base/list.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "felixd/calc/output.h"

#define DIRECTORY "endpoint-status"
#define NEW_FILE ".new" /* becomes the file by renaming */
#define SEGMENTS 4      /* of an endpoint's name */
#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 5000

struct entry {
	struct hmap_node node;
	struct list dirty; /* in the status's list while the file is not as it should be */
	char *name;
	char *text; /* NULL: there should be no file */
};

struct status {
	char *dir; /* NULL: nowhere */
	struct hmap entries;
	struct list dirty;
	bool in_sync, swept;
	unsigned backoff_ms;
	uv_timer_t timer;
	struct status_stats stats;
	struct log_limit limit;
};

/* ---- names and contents */

/* The next segment of a name in which "-" separates and "--" is a '-'. */
static bool next_segment(const char **at, struct buf *out)
{
	const char *s = *at;

	for (; *s; s++) {
		if (*s == '-' && s[1] != '-')
			break;
		if (*s == '-')
			s++;
		buf_byte(out, (uint8_t)*s);
	}
	*at = *s ? s + 1 : s;
	return out->len > 0;
}

/* As a segment of a URL's path. */
static void escape(const char *s, struct buf *out)
{
	for (; *s; s++) {
		bool plain = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z') ||
		             (*s >= '0' && *s <= '9') || strchr("-_.~$&+=:@", *s);

		buf_printf(out, plain ? "%c" : "%%%02X", (unsigned char)*s);
	}
}

char *status_file_name(const char *ns, const char *name)
{
	struct buf part[SEGMENTS] = { { 0 } }, out = { 0 };
	bool ok = true;

	for (unsigned i = 0; i < SEGMENTS && ok; i++)
		ok = next_segment(&name, &part[i]);
	if (ok && !*name) {
		escape(buf_cstr(&part[1]), &out);
		buf_byte(&out, ' ');
		escape(ns, &out);
		buf_str(&out, "%2F");
		escape(buf_cstr(&part[2]), &out);
		buf_byte(&out, ' ');
		escape(buf_cstr(&part[3]), &out);
	}
	for (unsigned i = 0; i < SEGMENTS; i++)
		buf_done(&part[i]);
	return out.len ? buf_take(&out) : NULL;
}

static void write_nets(struct jsonw *w, const char *key, const struct calc_endpoint *e, int family)
{
	char text[IP_PREFIX_STR_MAX];
	bool any = false;

	for (size_t i = 0; i < e->n_addrs; i++) {
		if (e->addrs[i].addr.family != family)
			continue;
		if (!any)
			jsonw_array(w, key);
		any = true;
		jsonw_str(w, NULL, ip_prefix_str(&e->addrs[i], text));
	}
	if (any)
		jsonw_end_array(w);
}

char *status_file_text(const struct calc_endpoint *e)
{
	static const struct mac_addr none;
	struct buf out = { 0 };
	struct jsonw w;
	char mac[MAC_STR_MAX];

	jsonw_init(&w, &out);
	jsonw_object(&w, NULL);
	jsonw_str(&w, "ifaceName", e->interface);
	if (memcmp(&e->mac, &none, sizeof(none)) != 0)
		jsonw_str(&w, "mac", mac_str(&e->mac, mac));
	write_nets(&w, "ipv4Nets", e, AF_INET);
	write_nets(&w, "ipv6Nets", e, AF_INET6);
	jsonw_end_object(&w);
	return buf_take(&out);
}

/* ---- files */

static int write_file(const struct status *s, const struct entry *e, struct err *err)
{
	CLEANUP(free_p) char *path = xasprintf("%s/%s", s->dir, e->name);
	CLEANUP(free_p) char *fresh = xasprintf("%s/" NEW_FILE, s->dir);
	CLEANUP(close_p) int fd = -1;
	size_t len = strlen(e->text);
	int rc = dir_make(s->dir, 0755, err);

	if (rc < 0)
		return rc;
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(err, "'%s'", fresh);
	if (write(fd, e->text, len) != (ssize_t)len || rename(fresh, path) < 0) {
		rc = err_sys(err, "'%s'", path);
		(void)unlink(fresh);
		return rc;
	}
	return 0;
}

static int remove_file(const struct status *s, const char *name, struct err *err)
{
	CLEANUP(free_p) char *path = xasprintf("%s/%s", s->dir, name);

	if (unlink(path) < 0 && errno != ENOENT && errno != EISDIR)
		return err_sys(err, "'%s'", path);
	return 0;
}

static struct entry *find(const struct status *s, const char *name)
{
	hmap_find(e, &s->entries, hash_str(name), struct entry, node, strcmp(e->name, name) == 0);
	return e;
}

static void forget(struct status *s, struct entry *e)
{
	list_unlink(&e->dirty);
	hmap_remove(&s->entries, &e->node);
	free(e->name);
	free(e->text);
	free(e);
}

/* What an earlier run left, and is no longer so. */
static int sweep(struct status *s, struct err *err)
{
	DIR *d = opendir(s->dir);
	int rc = 0;

	if (!d)
		return errno == ENOENT ? 0 : err_sys(err, "'%s'", s->dir);
	for (const struct dirent *f; rc == 0 && (f = readdir(d));) {
		const struct entry *e = find(s, f->d_name);

		if (strcmp(f->d_name, ".") == 0 || strcmp(f->d_name, "..") == 0 ||
		    f->d_type == DT_DIR || (e && e->text))
			continue;
		rc = remove_file(s, f->d_name, err);
		s->stats.removed += rc == 0;
	}
	(void)closedir(d);
	return rc;
}

static int settle(struct status *s, struct err *err)
{
	int rc = 0;

	if (!s->swept) {
		rc = sweep(s, err);
		s->swept = rc == 0;
	}
	list_for_each_safe (it, &s->dirty) {
		struct entry *e = list_entry(it, struct entry, dirty);
		int one = e->text ? write_file(s, e, err) : remove_file(s, e->name, err);

		if (one < 0) {
			rc = one;
			continue;
		}
		list_unlink(it);
		if (e->text) {
			s->stats.written++;
		} else {
			s->stats.removed++;
			forget(s, e);
		}
	}
	return rc;
}

static void on_timer(uv_timer_t *t);

static void attend(struct status *s)
{
	struct err err = { 0 };
	unsigned held;

	if (!s->in_sync || !s->dir)
		return;
	if (settle(s, &err) == 0) {
		if (s->backoff_ms)
			log_info("endpoints' files can be written again", "dir=%s",
			         LOG_VIS(s->dir));
		s->backoff_ms = 0;
		return;
	}
	s->stats.failures++;
	if (log_limit_pass(&s->limit, &held))
		log_warn("an endpoint's file cannot be written: it is tried again",
		         "why=%s held_back=%u", LOG_VIS(err.text), held);
	s->backoff_ms = s->backoff_ms ? s->backoff_ms * 10 : BACKOFF_MIN_MS;
	if (s->backoff_ms > BACKOFF_MAX_MS)
		s->backoff_ms = BACKOFF_MAX_MS;
	(void)uv_timer_start(&s->timer, on_timer, s->backoff_ms, 0);
}

static void on_timer(uv_timer_t *t)
{
	attend(t->data);
}

/* ---- what is so */

void status_endpoint(struct status *s, const struct calc_endpoint *ep, bool up)
{
	char *name = status_file_name(ep->ns, ep->name);
	struct entry *e = name ? find(s, name) : NULL;

	if (!name || (!e && !up)) {
		free(name);
		return;
	}
	if (!e) {
		e = xcalloc(1, sizeof(*e));
		e->name = take_ptr(&name);
		list_init(&e->dirty);
		hmap_insert(&s->entries, &e->node, hash_str(e->name));
	}
	free(name);
	s->stats.up += (size_t)up - (e->text != NULL);
	free(e->text);
	e->text = up ? status_file_text(ep) : NULL;
	list_unlink(&e->dirty);
	list_push_back(&s->dirty, &e->dirty);
	if (!s->backoff_ms)
		attend(s);
}

void status_in_sync(struct status *s)
{
	if (s->in_sync)
		return;
	s->in_sync = true;
	attend(s);
}

void status_set_prefix(struct status *s, const char *prefix)
{
	char *dir = prefix && *prefix ? xasprintf("%s/" DIRECTORY, prefix) : NULL;

	if (strcmp(dir ? dir : "", s->dir ? s->dir : "") == 0) {
		free(dir);
		return;
	}
	hmap_for_each (e, &s->entries, struct entry, node) {
		if (s->dir && s->in_sync)
			(void)remove_file(s, e->name, NULL);
		list_unlink(&e->dirty);
		if (e->text)
			list_push_back(&s->dirty, &e->dirty);
		else
			forget(s, e);
	}
	free(s->dir);
	s->dir = dir;
	s->swept = false;
	s->backoff_ms = 0;
	(void)uv_timer_stop(&s->timer);
	attend(s);
}

struct status_stats status_stats(const struct status *s)
{
	return s->stats;
}

struct status *status_new(uv_loop_t *loop)
{
	struct status *s = xcalloc(1, sizeof(*s));

	list_init(&s->dirty);
	s->limit = (struct log_limit)LOG_LIMIT_INIT(2, 10000);
	(void)uv_timer_init(loop, &s->timer);
	s->timer.data = s;
	return s;
}

static void on_closed(uv_handle_t *h)
{
	free(h->data);
}

void status_free(struct status *s)
{
	if (!s)
		return;
	hmap_for_each (e, &s->entries, struct entry, node)
		forget(s, e);
	hmap_done(&s->entries);
	free(s->dir);
	s->dir = NULL;
	uv_close((uv_handle_t *)&s->timer, on_closed);
}
