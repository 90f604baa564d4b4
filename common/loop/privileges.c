/* SPDX-License-Identifier: BSD-2-Clause */
#include <cap-ng.h>
#include <errno.h>
#include <sys/prctl.h>

#include "common/base/err.h"
#include "common/base/log.h"
#include "common/loop/daemon.h"

int daemon_drop_privileges(const int *caps, struct err *err)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, "set no_new_privs");
	if (capng_get_caps_process() < 0)
		return err_set(err, -EPERM, "cannot read the process's capabilities");
	if (capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE) {
		log_debug("no privileges to drop", "%s", "");
		return 0;
	}
	/* The bounding set can only shrink while CAP_SETPCAP is there; without it, it stays as the
	 * supervisor made it. */
	int select = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) ? CAPNG_SELECT_BOTH
	                                                                 : CAPNG_SELECT_CAPS;

	capng_clear(CAPNG_SELECT_BOTH);
	for (; *caps >= 0; caps++)
		(void)capng_update(CAPNG_ADD,
		                   CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
		                   (unsigned)*caps);
	if (capng_apply((capng_select_t)select) < 0)
		return err_set(err, -EPERM, "cannot give up capabilities");
	return 0;
}

void daemon_capability(int cap, bool on)
{
	if (capng_get_caps_process() < 0 || !capng_have_capability(CAPNG_PERMITTED, (unsigned)cap))
		return;
	(void)capng_update(on ? CAPNG_ADD : CAPNG_DROP, CAPNG_EFFECTIVE, (unsigned)cap);
	(void)capng_apply(CAPNG_SELECT_CAPS);
}

void daemon_keep_capabilities(void)
{
	if (capng_get_caps_process() < 0)
		return;
	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (capng_have_capability(CAPNG_PERMITTED, cap))
			(void)capng_update(CAPNG_ADD, CAPNG_INHERITABLE, cap);
	(void)capng_apply(CAPNG_SELECT_CAPS);
	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (capng_have_capability(CAPNG_PERMITTED, cap))
			(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
}
