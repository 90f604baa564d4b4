/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a server may send in gRPC frames: answers of the watch and pages of a snapshot, by the first
 * byte of each message. Revisions that were told never go back, per object.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "common/store/etcd_feed.h"
#include "common/store/grpc.h"

static bool in_page;

static void on_update(void *arg, const struct resource *r)
{
	struct etcd_feed *f = arg;

	if (f->delivered && r->revision <= f->delivered && r->revision != 1 && !in_page)
		abort();
}

static void on_remove(void *arg, model_kind kind, const char *ns, const char *name)
{
	(void)arg;
	if (!kind_info(kind) || !name || (ns && !kind_info(kind)->namespaced))
		abort();
}

static const struct store_watch_ops ops = { .on_update = on_update, .on_remove = on_remove };

static bool on_message(void *arg, const void *message, size_t len)
{
	struct etcd_feed *f = arg;
	const uint8_t *m = message;

	if (len && m[0] == 1) { /* a page */
		Etcd__RangeResponse *page = (Etcd__RangeResponse *)msg_unpack(
		        &etcd__range_response__descriptor, m + 1, len - 1);

		in_page = true;
		etcd_feed_snapshot(f);
		for (size_t i = 0; page && i < page->n_kvs; i++)
			etcd_feed_item(f, page->kvs[i]);
		etcd_feed_snapshot_end(f, page && page->header ? (uint64_t)page->header->revision
		                                               : f->delivered);
		in_page = false;
		msg_free(page ? &page->base : NULL);
	} else {
		Etcd__WatchResponse *w = (Etcd__WatchResponse *)msg_unpack(
		        &etcd__watch_response__descriptor, m, len);

		if (w)
			etcd_feed_events(f, w);
		msg_free(w ? &w->base : NULL);
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct grpc_reader reader = { { 0 } };
	struct etcd_feed f;
	char text[32];
	size_t cut = len ? data[0] % len : 0;

	log_set_level(LOG_ERROR);
	etcd_feed_init(&f, NULL, 0, &ops, &f);
	if (grpc_reader_feed(&reader, data, cut, on_message, &f) == 0)
		(void)grpc_reader_feed(&reader, data + cut, len - cut, on_message, &f);
	grpc_text_decode((const char *)data, len, text, sizeof(text));
	grpc_reader_done(&reader);
	etcd_feed_done(&f);
	return 0;
}
