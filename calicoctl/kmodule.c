/* SPDX-License-Identifier: BSD-2-Clause */
#include "calicoctl/kmodule.h"

#include <stdlib.h>
#include <string.h>

/* The length of name at s, or 0. */
static size_t matches(const char *s, const char *name)
{
	size_t n = 0;

	for (; name[n]; n++) {
		char a = s[n] == '-' ? '_' : s[n], b = name[n] == '-' ? '_' : name[n];

		if (a != b) /* the end of s, too */
			return 0;
	}
	return n;
}

bool kmodule_in_list(const char *text, const char *name)
{
	while (text && *text) {
		size_t n = matches(text, name);

		if (n && (text[n] == ' ' || text[n] == '\n' || text[n] == '\t' || !text[n]))
			return true;
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return false;
}

bool kmodule_in_paths(const char *text, const char *name)
{
	for (; text && (text = strchr(text, '/')) != NULL; text++) {
		size_t n = matches(text + 1, name);

		if (n && strncmp(text + 1 + n, ".ko", 3) == 0)
			return true;
	}
	return false;
}

bool kmodule_in_config(const char *text, const char *option)
{
	size_t len = strlen(option);

	while (text && *text) {
		if (strncmp(text, option, len) == 0 && text[len] == '=' &&
		    (text[len + 1] == 'y' || text[len + 1] == 'm'))
			return true;
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return false;
}

bool kernel_at_least(const char *release, unsigned major, unsigned minor, unsigned patch)
{
	const unsigned wanted[] = { major, minor, patch };

	for (int i = 0; i < 3; i++) {
		char *end;
		unsigned long v = strtoul(release, &end, 10);

		if (end == release)
			return wanted[i] == 0; /* "6.1" is 6.1.0 */
		if (v != wanted[i])
			return v > wanted[i];
		release = *end == '.' ? end + 1 : "";
	}
	return true;
}
