/* SPDX-License-Identifier: BSD-2-Clause */
/* The file of parameters: any text is read whole or refused with a sentence; every parameter ends
 * up with a value. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/mem.h"
#include "felixd/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void note(void *arg, enum felix_note what, const char *name, const char *value,
                 const char *why, enum felix_source source)
{
	(void)arg;
	(void)value;
	if (!name || !why || source != FELIX_FILE || (what == FELIX_UNKNOWN && value))
		abort();
}

static void each(void *arg, const char *name, const char *value, enum felix_source source,
                 const char *inert)
{
	(void)inert;
	(void)arg;
	if (!name || (source != FELIX_DEFAULT && !value))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(free_p) char *text = xstrndup((const char *)data, size);
	struct felix_layers l = { .report = note };
	struct felix_config c;
	struct err err = { 0 };

	if (felix_layer_read_file(&l, text, &err) < 0 && !err.text[0])
		abort();
	felix_config_resolve(&l, NULL, &c);
	felix_config_each(&c, each, NULL);
	felix_config_done(&c);
	felix_layers_done(&l);
	return 0;
}
