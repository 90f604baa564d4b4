/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The first byte chooses a kind by its number, the rest is an object of it: as JSON, or (the byte's
 * highest bit) as a packed message. What JSON was read is written and read as itself, and survives
 * packing; what was unpacked is written as JSON. Defaults and validation see both.
 */
#include <assert.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "common/model/mapper.h"
#include "common/model/resource.h"
#include "common/model/validate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct kind_info *choose(uint8_t n)
{
	const struct kind_info *k = kind_info((model_kind)n);

	if (k)
		return k;
	k = kind_next(NULL);
	while (n-- > 0)
		if (!(k = kind_next(k)))
			k = kind_next(NULL);
	return k;
}

static void check_round_trips(const ProtobufCMessage *m)
{
	CLEANUP(buf_done) struct buf text = { 0 }, packed = { 0 };
	ProtobufCMessage *again = NULL;

	mapper_write_text(m, 0, &text);
	assert(mapper_read_text(m->descriptor, buf_cstr(&text), text.len, MAPPER_KEEP, &again,
	                        NULL) == 0);
	assert(msg_equal(m, again));
	msg_free(again);
	msg_pack(m, &packed);
	again = msg_unpack(m->descriptor, packed.data, packed.len);
	assert(again && msg_equal(m, again));
	msg_free(again);
}

static void check_json(const ProtobufCMessage *m)
{
	struct json *j = mapper_write(m);

	assert(j->type == JSON_OBJECT);
	json_free(j);
}

static void check_rules(const struct kind_info *k, ProtobufCMessage *m)
{
	CLEANUP(buf_done) struct buf text = { 0 };
	struct resource *r = NULL;
	struct violations v;

	(void)model_validate(k->kind, m, &v);
	violations_done(&v);
	model_default(k->kind, m);
	if (model_validate(k->kind, m, &v) > 0)
		violations_str(&v, &text);
	violations_done(&v);
	if (resource_from_msg(m, &r, NULL) == 0)
		resource_free(r);
	else
		msg_free(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct kind_info *k;
	ProtobufCMessage *m = NULL;
	struct err err = { 0 };

	if (len == 0)
		return 0;
	k = choose(data[0] & 0x7f);
	if (data[0] & 0x80) {
		m = msg_unpack(k->message, data + 1, len - 1);
	} else if (mapper_read_text(k->message, (const char *)data + 1, len - 1, MAPPER_KEEP, &m,
	                            &err) < 0) {
		assert(err.text[0] != '\0');
		m = NULL;
	} else {
		check_round_trips(m);
	}
	if (!m)
		return 0;
	check_json(m);
	check_rules(k, m);
	return 0;
}
