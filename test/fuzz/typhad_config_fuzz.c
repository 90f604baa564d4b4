/* SPDX-License-Identifier: BSD-2-Clause */
/* The file of parameters: any text is read whole or refused with a sentence. */
#include <stdint.h>
#include <stdlib.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "typhad/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note(void *arg, enum config_note n, const char *name, const char *value,
                 const char *why)
{
	(void)arg;
	(void)n;
	(void)value;
	if (!name || !why)
		abort();
}

static void each(void *arg, const char *name, const char *value, enum config_source source)
{
	(void)value;
	(void)source;
	*(size_t *)arg += name != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const env[] = { NULL };
	CLEANUP(free_p) char *text = xstrndup((const char *)data, size);
	struct typhad_config c;
	struct err err = { 0 };
	size_t n = 0;

	if (typhad_config_read(NULL, env, text, &c, note, NULL, &err) < 0 && !err.text[0])
		abort();
	typhad_config_each(&c, each, &n);
	typhad_config_done(&c);
	return 0;
}
