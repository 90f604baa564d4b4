/* SPDX-License-Identifier: BSD-2-Clause */
/* kmodule: whether the kernel can do something, by the lists that it and its package keep. Pure. */
#pragma once

#include <stdbool.h>

/* /proc/modules, /proc/net/ip_tables_matches: a name begins a line. '-' and '_' are the same. */
bool kmodule_in_list(const char *text, const char *name);

/* modules.dep, modules.builtin: "/name.ko", compressed or not, anywhere in a line. */
bool kmodule_in_paths(const char *text, const char *name);

/* The kernel's configuration: "CONFIG_X=y" or "=m". */
bool kmodule_in_config(const char *text, const char *option);

/* "6.1.0-18-amd64" is at least major.minor.patch. */
bool kernel_at_least(const char *release, unsigned major, unsigned minor, unsigned patch);
