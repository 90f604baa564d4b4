/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/tls/layer.h"

#include <stdint.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/tls/tls.h"

struct tls_transport {
	struct transport base;
	struct tls *tls;
	char *cn, *uri_san;
};

static struct tls_transport *transport_of(const struct transport *t)
{
	return container_of((struct transport *)(uintptr_t)t, struct tls_transport, base);
}

static int layer_handshake(struct transport *base, struct err *err)
{
	struct tls_transport *t = transport_of(base);
	int r = tls_handshake(t->tls, err);

	return r < 0 ? r : tls_check_peer(t->tls, t->cn, t->uri_san, err);
}

static ssize_t layer_read(struct transport *t, void *to, size_t len, struct err *err)
{
	return tls_read(transport_of(t)->tls, to, len, err);
}

static ssize_t layer_write(struct transport *t, const struct iovec *iov, int n, struct err *err)
{
	return tls_write(transport_of(t)->tls, iov, n, err);
}

static short layer_events(const struct transport *t)
{
	return tls_events(transport_of(t)->tls);
}

static bool layer_pending(const struct transport *t)
{
	return tls_pending(transport_of(t)->tls);
}

static const char *layer_peer(const struct transport *t)
{
	return tls_peer_cn(transport_of(t)->tls);
}

static void layer_free(struct transport *base)
{
	struct tls_transport *t = transport_of(base);

	tls_free(t->tls);
	free(t->cn);
	free(t->uri_san);
	free(t);
}

static const struct transport_ops transport_ops = {
	.handshake = layer_handshake,
	.read = layer_read,
	.write = layer_write,
	.events = layer_events,
	.pending = layer_pending,
	.peer = layer_peer,
	.free = layer_free,
};

static struct transport *layer_open(struct transport_layer *base, int fd, const char *host)
{
	struct tls_layer *l = container_of(base, struct tls_layer, base);
	struct tls *tls = tls_new(l->context, fd, l->check_host ? host : NULL);
	struct tls_transport *t;

	if (!tls)
		return NULL;
	t = xcalloc(1, sizeof(*t));
	t->base.ops = &transport_ops;
	t->tls = tls;
	t->cn = xstrdup(l->cn);
	t->uri_san = xstrdup(l->uri_san);
	return &t->base;
}

void tls_layer_init(struct tls_layer *l, struct tls_context *context, const char *cn,
                    const char *uri_san, bool check_host)
{
	l->base.open = layer_open;
	l->context = tls_context_ref(context);
	l->cn = cn && *cn ? xstrdup(cn) : NULL;
	l->uri_san = uri_san && *uri_san ? xstrdup(uri_san) : NULL;
	l->check_host = check_host;
}

void tls_layer_done(struct tls_layer *l)
{
	tls_context_unref(l->context);
	free(l->cn);
	free(l->uri_san);
	*l = (struct tls_layer){ 0 };
}
