/* SPDX-License-Identifier: BSD-2-Clause */
#include "felixd/dataplane/sysctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/base/err.h"
#include "common/base/file.h"
#include "common/base/log.h"
#include "common/base/mem.h"

static int set(const char *path, const char *value, struct err *err)
{
	char now[64];

	if (sysctl_read(path, now, sizeof(now), NULL) == 0 && strcmp(now, value) == 0)
		return 0;
	return sysctl_write(path, value, err);
}

int sysctl_host(bool ipv6, struct err *err)
{
	struct err ignored;
	int rc = set("/proc/sys/net/ipv4/ip_forward", "1", err);

	if (rc == 0 && ipv6)
		rc = set("/proc/sys/net/ipv6/conf/all/forwarding", "1", err);
	/* Byte counts of connections, for those who look at them: not worth failing for. */
	if (set("/proc/sys/net/netfilter/nf_conntrack_acct", "1", &ignored) < 0)
		log_debug("no connection accounting", "why=%s", LOG_VIS(ignored.text));
	return rc;
}

void sysctl_default_rp_filter(char out[8])
{
	if (sysctl_read("/proc/sys/net/ipv4/conf/default/rp_filter", out, 8, NULL) < 0)
		memcpy(out, "1", 2);
}

int sysctl_workload(const char *interface, const char *rp_filter, bool ipv6, struct err *err)
{
	/* A pod must not be able to reconfigure its host by router advertisements, whether or not
	 * we program IPv6. */
	const struct {
		const char *fmt, *value;
		bool wanted, must;
	} settings[] = {
		{ "ipv6/conf/%s/accept_ra", "0", true, false },
		{ "ipv4/conf/%s/route_localnet", "1", true, true },
		{ "ipv4/neigh/%s/proxy_delay", "0", true,
		  false }, /* answer the pod's first question at once */
		{ "ipv4/conf/%s/proxy_arp", "1", true,
		  true }, /* 169.254.1.1 is nobody's: the host answers for it */
		{ "ipv4/conf/%s/forwarding", "1", true, true },
		{ "ipv4/conf/%s/rp_filter", rp_filter, true, true },
		{ "ipv6/conf/%s/proxy_ndp", "1", ipv6, true },
		{ "ipv6/conf/%s/forwarding", "1", ipv6, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		char path[128] = "/proc/sys/net/";
		size_t at = strlen(path);
		const char *dir = strstr(settings[i].fmt, "%s");
		int rc;

		if (!settings[i].wanted)
			continue;
		snprintf(path + at, sizeof(path) - at, "%.*s%s%s", (int)(dir - settings[i].fmt),
		         settings[i].fmt, interface, dir + 2);
		rc = set(path, settings[i].value, err);
		if (rc < 0 && settings[i].must)
			return rc;
	}
	return 0;
}
