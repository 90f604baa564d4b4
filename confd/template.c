/* SPDX-License-Identifier: BSD-2-Clause */
/* template: where bgpd.conf's template is: an operator's own, the installed one, or the copy that
 * is built in. */
#include <errno.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "confd/confd.h"

#define TEMPLATE "bgpd.conf.mustache"

static const char built_in[] =
#include "confd/template.inc"
        ;

int template_load(struct confd *c, struct err *err)
{
	const char *given = daemon_opt(c->d, "template-dir");
	const char *const dirs[] = { given && *given ? given : NULL, "/etc/calico/confd/templates",
		                     CONFD_TEMPLATE_DIR };
	CLEANUP(free_p) char *text = NULL, *from = NULL;
	struct mustache *m;
	size_t len = 0;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(dirs) && !text; i++) {
		if (!dirs[i])
			continue;
		free(from);
		from = xasprintf("%s/" TEMPLATE, dirs[i]);
		r = file_read(from, MUSTACHE_TEXT_MAX, &text, &len, err);
		/* One that is there and cannot be read must not be passed over in silence; nor the
		 * directory that was asked for. */
		if (r < 0 && (r != -ENOENT || i == 0))
			return r;
	}
	if (!text) {
		free(from);
		from = xstrdup("built in");
		text = xstrdup(built_in);
		len = strlen(text);
	}
	r = mustache_parse(text, len, &m, err);
	if (r < 0)
		return err_wrap(err, r, "template %s", from);
	mustache_free(c->template);
	c->template = m;
	free(c->template_from);
	c->template_from = take_ptr(&from);
	log_info("template read", "template=%s", c->template_from);
	return 0;
}
