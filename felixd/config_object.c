/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/config_object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/list.h"
#include "common/base/mem.h"
#include "common/model/duration.h"
#include "common/model/scalar.h"
#include "common/model/selector.h"
#include "felixd/config_param.h"
#include "proto/v3_felix.pb-c.h"
#include "proto/v3_node.pb-c.h"

#define ANNOTATION "config.projectcalico.org/"

/* One with a nodeSelector. */
struct scoped {
	struct list node;
	char *name, *created;
	struct selector *selector;
	ProtobufCMessage *msg; /* a copy: such objects are few */
};

struct label {
	char *key, *value;
};

struct felix_objects {
	char *node;
	struct felix_layers *layers;
	struct list scoped;
	struct label *labels;
	size_t n_labels;
	const struct scoped *selected;
};

/* ---- a FelixConfiguration's fields as texts */

/* Fields whose parameter has another name, beyond the case of its letters. */
static const char *name_of(const char *field)
{
	static const char *const names[][2] = {
		{ "externalNodesList", "ExternalNodesCIDRList" },
		{ "netlinkTimeout", "NetlinkTimeoutSecs" },
		{ "iptablesLockProbeInterval", "IptablesLockProbeIntervalMillis" },
		{ "iptablesPostWriteCheckInterval", "IptablesPostWriteCheckIntervalSecs" },
		{ "bpfConntrackMode", "BPFConntrackCleanupMode" },
		{ "endpointReportingDelay", "EndpointReportingDelaySecs" },
		{ "reportingInterval", "ReportingIntervalSecs" },
		{ "reportingTTL", "ReportingTTLSecs" },
		{ "ipipEnabled", "IpInIpEnabled" },
		{ "ipipMTU", "IpInIpMtu" },
		{ "wireguardKeepAlive", "WireguardPersistentKeepAlive" },
		{ "usageReportingInitialDelay", "UsageReportingInitialDelaySecs" },
		{ "usageReportingInterval", "UsageReportingIntervalSecs" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i][0], field) == 0)
			return names[i][1];
	return field;
}

static void comma(struct buf *out)
{
	if (out->len)
		buf_byte(out, ',');
}

static void ports_text(const V3__ProtoPortList *list, struct buf *out)
{
	for (size_t i = 0; i < list->n_items; i++) {
		const V3__ProtoPort *p = list->items[i];

		comma(out);
		for (const char *c = p->protocol ? p->protocol : "tcp"; *c; c++)
			buf_byte(out, (uint8_t)(*c >= 'A' && *c <= 'Z' ? *c + 'a' - 'A' : *c));
		if (p->net && *p->net)
			buf_printf(out, strchr(p->net, ':') ? ":[%s]" : ":%s", p->net);
		buf_printf(out, ":%lld", (long long)p->port);
	}
	if (!list->n_items)
		buf_str(out, "none");
}

static void timeouts_text(const V3__BpfConntrackTimeouts *t, struct buf *out)
{
	const struct {
		const char *name, *value;
	} all[] = {
		{ "CreationGracePeriod", t->creationgraceperiod },
		{ "TCPSynSent", t->tcpsynsent },
		{ "TCPEstablished", t->tcpestablished },
		{ "TCPFinsSeen", t->tcpfinsseen },
		{ "TCPResetSeen", t->tcpresetseen },
		{ "UDPTimeout", t->udptimeout },
		{ "GenericTimeout", t->generictimeout },
		{ "ICMPTimeout", t->icmptimeout },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (!all[i].value || !*all[i].value)
			continue;
		comma(out);
		buf_printf(out, "%s=%s", all[i].name, all[i].value);
	}
}

static void overrides_text(const V3__FelixConfigurationSpec *s, struct buf *out)
{
	for (size_t i = 0; i < s->n_healthtimeoutoverrides; i++) {
		const V3__HealthTimeoutOverride *o = s->healthtimeoutoverrides[i];

		comma(out);
		buf_printf(out, "%s=", o->name ? o->name : "");
		duration_str(o->timeout ? o->timeout->ns : 0, out);
	}
}

/* Lists and maps whose only field is called items. */
static void items_text(const ProtobufCMessage *m, struct buf *out)
{
	if (m->descriptor == &v3__string_list__descriptor) {
		const V3__StringList *l = (const V3__StringList *)m;

		for (size_t i = 0; i < l->n_items; i++) {
			comma(out);
			buf_str(out, l->items[i]);
		}
	} else if (m->descriptor == &v3__string_map__descriptor) {
		const V3__StringMap *l = (const V3__StringMap *)m;

		for (size_t i = 0; i < l->n_items; i++)
			buf_printf(out, "%s=%s,", l->items[i]->key, l->items[i]->value);
	} else if (m->descriptor == &v3__port_list__descriptor) {
		const V3__PortList *l = (const V3__PortList *)m;

		for (size_t i = 0; i < l->n_items; i++) {
			comma(out);
			port_str(l->items[i], out);
		}
	} else if (m->descriptor == &v3__route_table_id_range_list__descriptor) {
		const V3__RouteTableIdRangeList *l = (const V3__RouteTableIdRangeList *)m;

		for (size_t i = 0; i < l->n_items; i++) {
			comma(out);
			buf_printf(out, "%lld-%lld", (long long)l->items[i]->min,
			           (long long)l->items[i]->max);
		}
	} else if (m->descriptor == &v3__proto_port_list__descriptor) {
		ports_text((const V3__ProtoPortList *)m, out);
	}
}

static void message_text(const ProtobufCMessage *m, bool millis, struct buf *out)
{
	if (m->descriptor == &v3__duration__descriptor) {
		buf_printf(out, "%.12g",
		           (double)((const V3__Duration *)m)->ns / (millis ? 1e6 : 1e9));
	} else if (m->descriptor == &v3__port__descriptor) {
		port_str((const V3__Port *)m, out);
	} else if (m->descriptor == &v3__dscp__descriptor) {
		const V3__Dscp *d = (const V3__Dscp *)m;

		if (d->name && *d->name)
			buf_str(out, d->name);
		else
			buf_printf(out, "%u", d->number);
	} else if (m->descriptor == &v3__route_table_range__descriptor) {
		const V3__RouteTableRange *t = (const V3__RouteTableRange *)m;

		buf_printf(out, "%lld-%lld", (long long)t->min, (long long)t->max);
	} else if (m->descriptor == &v3__bpf_conntrack_timeouts__descriptor) {
		timeouts_text((const V3__BpfConntrackTimeouts *)m, out);
	} else {
		items_text(m, out);
	}
}

/* The text of a field; nothing when it is not there. */
static void field_text(const V3__FelixConfigurationSpec *s, const ProtobufCFieldDescriptor *f,
                       const char *name, struct buf *out)
{
	const char *at = (const char *)s + f->offset;
	bool there = f->label == PROTOBUF_C_LABEL_OPTIONAL &&
	             *(const protobuf_c_boolean *)((const char *)s + f->quantifier_offset);

	if (f->label == PROTOBUF_C_LABEL_REPEATED) {
		overrides_text(s, out); /* the only one */
		return;
	}
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		if (*(char *const *)at)
			buf_str(out, *(char *const *)at);
		break;
	case PROTOBUF_C_TYPE_MESSAGE:
		if (*(ProtobufCMessage *const *)at)
			message_text(*(ProtobufCMessage *const *)at,
			             strcmp(name, "IptablesLockProbeIntervalMillis") == 0, out);
		break;
	case PROTOBUF_C_TYPE_BOOL:
		if (there)
			buf_str(out, *(const protobuf_c_boolean *)at ? "true" : "false");
		break;
	case PROTOBUF_C_TYPE_INT64:
		if (there)
			buf_printf(out, "%lld", (long long)*(const int64_t *)at);
		break;
	default:
		break;
	}
}

static void fill(struct felix_layers *l, enum felix_source source, const V3__FelixConfiguration *c)
{
	const ProtobufCMessageDescriptor *d = &v3__felix_configuration_spec__descriptor;

	felix_layer_clear(l, source);
	for (unsigned i = 0; c->spec && i < d->n_fields; i++) {
		CLEANUP(buf_done) struct buf text = { 0 };
		const char *name = name_of(d->fields[i].name);

		if (strcmp(name, "nodeSelector") == 0)
			continue;
		field_text(c->spec, &d->fields[i], name, &text);
		if (text.len)
			felix_layer_set(l, source, name, strlen(name), buf_cstr(&text), text.len);
	}
	for (size_t i = 0; c->metadata && i < c->metadata->n_annotations; i++) {
		const char *key = c->metadata->annotations[i]->key;
		const char *value = c->metadata->annotations[i]->value;

		if (strncmp(key, ANNOTATION, strlen(ANNOTATION)) != 0)
			continue;
		key += strlen(ANNOTATION);
		felix_layer_set(l, source, key, strlen(key), value, strlen(value));
	}
}

/* ---- those with a nodeSelector */

static const char *label_of(void *arg, const char *key)
{
	const struct felix_objects *o = arg;

	for (size_t i = 0; i < o->n_labels; i++)
		if (strcmp(o->labels[i].key, key) == 0)
			return o->labels[i].value;
	return NULL;
}

static int age_order(const struct scoped *a, const struct scoped *b)
{
	int c = strcmp(a->created, b->created);

	return c ? c : strcmp(a->name, b->name);
}

static const struct scoped *choose(struct felix_objects *o)
{
	const struct scoped *best = NULL;

	list_for_each (it, &o->scoped) {
		const struct scoped *s = list_entry(it, struct scoped, node);

		if (selector_match(s->selector, label_of, o) && (!best || age_order(s, best) < 0))
			best = s;
	}
	return best;
}

static bool select_again(struct felix_objects *o)
{
	const struct scoped *was = o->selected;

	o->selected = choose(o);
	if (o->selected)
		fill(o->layers, FELIX_SELECTED, (const V3__FelixConfiguration *)o->selected->msg);
	else
		felix_layer_clear(o->layers, FELIX_SELECTED);
	return was || o->selected;
}

static void scoped_free(struct felix_objects *o, struct scoped *s)
{
	if (o->selected == s)
		o->selected = NULL;
	list_unlink(&s->node);
	selector_unref(s->selector);
	msg_free(s->msg);
	free(s->name);
	free(s->created);
	free(s);
}

static bool scoped_remove(struct felix_objects *o, const char *name)
{
	bool selected;

	list_for_each_safe (it, &o->scoped) {
		struct scoped *s = list_entry(it, struct scoped, node);

		if (strcmp(s->name, name) != 0)
			continue;
		selected = o->selected == s;
		scoped_free(o, s);
		return selected;
	}
	return false;
}

static bool scoped_update(struct felix_objects *o, const char *name,
                          const V3__FelixConfiguration *c)
{
	bool was = scoped_remove(o, name);
	struct scoped *s;
	struct selector *selector;

	/* Without a selector it fits nowhere, and so with one that makes no sense. */
	if (c->spec && c->spec->nodeselector && *c->spec->nodeselector &&
	    selector_parse(c->spec->nodeselector, &selector, NULL) == 0) {
		const char *created = c->metadata ? c->metadata->creationtimestamp : NULL;

		s = xcalloc(1, sizeof(*s));
		s->name = xstrdup(name);
		s->created = xstrdup(created ? created : "");
		s->selector = selector;
		s->msg = msg_copy(&c->base);
		list_push_back(&o->scoped, &s->node);
	}
	return select_again(o) || was;
}

/* ---- objects */

static void labels_free(struct felix_objects *o)
{
	for (size_t i = 0; i < o->n_labels; i++) {
		free(o->labels[i].key);
		free(o->labels[i].value);
	}
	free(o->labels);
	o->labels = NULL;
	o->n_labels = 0;
}

static void set_text(struct felix_layers *l, enum felix_source s, const char *name,
                     const char *value)
{
	if (value && *value)
		felix_layer_set(l, s, name, strlen(name), value, strlen(value));
}

static bool node_update(struct felix_objects *o, const V3__Node *n)
{
	const V3__NodeSpec *s = n ? n->spec : NULL;

	labels_free(o);
	if (n && n->metadata && n->metadata->n_labels) {
		o->n_labels = n->metadata->n_labels;
		o->labels = xcalloc(o->n_labels, sizeof(*o->labels));
		for (size_t i = 0; i < o->n_labels; i++) {
			o->labels[i].key = xstrdup(n->metadata->labels[i]->key);
			o->labels[i].value = xstrdup(n->metadata->labels[i]->value);
		}
	}
	felix_layer_clear(o->layers, FELIX_NODE);
	if (s) {
		set_text(o->layers, FELIX_NODE, "IPv4VXLANTunnelAddr", s->ipv4vxlantunneladdr);
		set_text(o->layers, FELIX_NODE, "IPv6VXLANTunnelAddr", s->ipv6vxlantunneladdr);
		set_text(o->layers, FELIX_NODE, "VXLANTunnelMACAddr", s->vxlantunnelmacaddr);
		set_text(o->layers, FELIX_NODE, "VXLANTunnelMACAddrV6", s->vxlantunnelmacaddrv6);
		if (s->bgp)
			set_text(o->layers, FELIX_NODE, "IpInIpTunnelAddr",
			         s->bgp->ipv4ipiptunneladdr);
	}
	(void)select_again(o);
	return true;
}

static bool cluster_update(struct felix_objects *o, const V3__ClusterInformation *c)
{
	felix_layer_clear(o->layers, FELIX_CLUSTER);
	if (c && c->spec) {
		set_text(o->layers, FELIX_CLUSTER, "ClusterGUID", c->spec->clusterguid);
		set_text(o->layers, FELIX_CLUSTER, "ClusterType", c->spec->clustertype);
		set_text(o->layers, FELIX_CLUSTER, "CalicoVersion", c->spec->calicoversion);
		set_text(o->layers, FELIX_CLUSTER, "Variant", c->spec->variant);
	}
	return true;
}

static bool felix_update(struct felix_objects *o, const char *name, const V3__FelixConfiguration *c)
{
	static const char per_node[] = "node.";
	enum felix_source source = FELIX_GLOBAL;

	if (strncmp(name, per_node, strlen(per_node)) == 0) {
		if (strcmp(name + strlen(per_node), o->node) != 0)
			return false;
		source = FELIX_HOST;
	} else if (strcmp(name, "default") != 0) {
		return c ? scoped_update(o, name, c)
		         : (scoped_remove(o, name) && (select_again(o), true));
	}
	if (c)
		fill(o->layers, source, c);
	else
		felix_layer_clear(o->layers, source);
	return true;
}

bool felix_objects_update(struct felix_objects *o, const struct resource *r)
{
	switch (r->kind) {
	case V3__KIND__KIND_FELIX_CONFIGURATION:
		return felix_update(o, r->name, (const V3__FelixConfiguration *)r->msg);
	case V3__KIND__KIND_NODE:
		return strcmp(r->name, o->node) == 0 && node_update(o, (const V3__Node *)r->msg);
	case V3__KIND__KIND_CLUSTER_INFORMATION:
		return cluster_update(o, (const V3__ClusterInformation *)r->msg);
	default:
		return false;
	}
}

bool felix_objects_remove(struct felix_objects *o, model_kind kind, const char *name)
{
	struct resource r = { .kind = kind, .name = (char *)(uintptr_t)name };

	return felix_objects_update(o, &r);
}

const char *felix_objects_selected(const struct felix_objects *o)
{
	return o->selected ? o->selected->name : NULL;
}

struct felix_objects *felix_objects_new(const char *node, struct felix_layers *layers)
{
	struct felix_objects *o = xcalloc(1, sizeof(*o));

	o->node = xstrdup(node);
	o->layers = layers;
	list_init(&o->scoped);
	return o;
}

void felix_objects_free(struct felix_objects *o)
{
	if (!o)
		return;
	list_for_each_safe (it, &o->scoped)
		scoped_free(o, list_entry(it, struct scoped, node));
	labels_free(o);
	free(o->node);
	free(o);
}
