/* SPDX-License-Identifier: BSD-2-Clause */
#include "cni-plugin/names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/base/mem.h"
#include "common/base/sha.h"

#define HASH_DIGITS 11
#define RANDOM_DIGITS 32 /* a hexadecimal ID of that length was drawn, not made up */

static int join(const char *prefix, const char *rest, char out[IFNAMSIZ])
{
	size_t len = strlen(prefix);
	size_t more = strnlen(rest, HASH_DIGITS);

	if (len + more >= IFNAMSIZ)
		return -ENAMETOOLONG;
	memcpy(out, prefix, len);
	memcpy(out + len, rest, more);
	out[len + more] = '\0';
	return 0;
}

static int join_hash(const char *prefix, const char *text, char out[IFNAMSIZ])
{
	uint8_t sum[20];
	char hex[2 * sizeof(sum) + 1];

	sha1(text, strlen(text), sum);
	hex_lower(sum, sizeof(sum), hex);
	return join(prefix, hex, out);
}

int names_host_if_k8s(const char *prefix, const char *ns, const char *pod, char out[IFNAMSIZ])
{
	CLEANUP(free_p) char *text = xasprintf("%s.%s", ns, pod);

	return join_hash(prefix, text, out);
}

/*
 * Eleven characters tell containers apart only where they are all there are, or were drawn at
 * random. IDs that a person or a tool made up ("default-web1", "default-web2") begin alike.
 */
int names_host_if_cni(const char *prefix, const char *container, char out[IFNAMSIZ])
{
	size_t len = strlen(container);

	if (len <= HASH_DIGITS ||
	    (len >= RANDOM_DIGITS && strspn(container, "0123456789abcdefABCDEF") == len))
		return join(prefix, container, out);
	return join_hash(prefix, container, out);
}

void names_prefix(const char *s, char out[IFNAMSIZ])
{
	size_t len;

	if (!s || !*s)
		s = "cali";
	len = strcspn(s, ",");
	if (len >= IFNAMSIZ)
		len = IFNAMSIZ - 1;
	memcpy(out, s, len);
	out[len] = '\0';
}

void names_go_time(uint64_t unix_ns, char out[NAMES_TIME_MAX])
{
	time_t sec = (time_t)(unix_ns / 1000000000u);
	unsigned ns = (unsigned)(unix_ns % 1000000000u);
	char fraction[16] = "";
	struct tm tm;
	size_t len;

	(void)gmtime_r(&sec, &tm);
	if (ns) {
		len = (size_t)snprintf(fraction, sizeof(fraction), ".%09u", ns);
		while (fraction[len - 1] == '0')
			fraction[--len] = '\0';
	}
	len = strftime(out, NAMES_TIME_MAX, "%Y-%m-%d %H:%M:%S", &tm);
	(void)snprintf(out + len, NAMES_TIME_MAX - len, "%s +0000 UTC", fraction);
}
