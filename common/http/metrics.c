/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/http/metrics.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "common/base/file.h"
#include "common/base/mem.h"

static void add_escaped(struct buf *out, const char *s, bool quotes)
{
	for (; *s; s++) {
		if (*s == '\\')
			buf_str(out, "\\\\");
		else if (*s == '\n')
			buf_str(out, "\\n");
		else if (*s == '"' && quotes)
			buf_str(out, "\\\"");
		else
			buf_byte(out, (uint8_t)*s);
	}
}

static void add_value(struct buf *out, double v)
{
	if (isnan(v))
		buf_str(out, " NaN\n");
	else if (isinf(v))
		buf_str(out, v > 0 ? " +Inf\n" : " -Inf\n");
	else if (v == floor(v) && fabs(v) < 9007199254740992.0)
		buf_printf(out, " %.0f\n", v);
	else
		buf_printf(out, " %.15g\n", v);
}

void metrics_family(struct buf *out, const char *name, enum metrics_type type, const char *help)
{
	static const char *const types[] = { "counter", "gauge", "summary" };

	buf_printf(out, "# HELP %s ", name);
	add_escaped(out, help, false);
	buf_printf(out, "\n# TYPE %s %s\n", name, types[type]);
}

static void add_label(struct buf *out, const char *label, const char *value, bool *first)
{
	buf_printf(out, "%s%s=\"", *first ? "{" : ",", label);
	add_escaped(out, value, true);
	buf_byte(out, '"');
	*first = false;
}

void metrics_sample(struct buf *out, const char *name, double value, ...)
{
	const char *label;
	bool first = true;
	va_list ap;

	buf_str(out, name);
	va_start(ap, value);
	while ((label = va_arg(ap, const char *)))
		add_label(out, label, va_arg(ap, const char *), &first);
	va_end(ap);
	if (!first)
		buf_byte(out, '}');
	add_value(out, value);
}

void metrics_summary(struct buf *out, const char *name, const struct summary *s, struct mono_ms now,
                     const char *label, const char *label_value)
{
	static const struct {
		double q;
		const char *text;
	} quantiles[] = { { 0.5, "0.5" }, { 0.9, "0.9" }, { 0.99, "0.99" } };
	static const char *const parts[] = { "_sum", "_count" };
	bool first;

	for (size_t i = 0; i < ARRAY_SIZE(quantiles); i++) {
		first = true;
		buf_str(out, name);
		if (label)
			add_label(out, label, label_value, &first);
		add_label(out, "quantile", quantiles[i].text, &first);
		buf_byte(out, '}');
		add_value(out, summary_quantile(s, quantiles[i].q, now));
	}
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		first = true;
		buf_printf(out, "%s%s", name, parts[i]);
		if (label)
			add_label(out, label, label_value, &first);
		if (!first)
			buf_byte(out, '}');
		add_value(out, i ? (double)s->count : s->sum);
	}
}

void metrics_one(struct buf *out, const char *name, enum metrics_type type, const char *help,
                 double value)
{
	metrics_family(out, name, type, help);
	metrics_sample(out, name, value, NULL);
}

/* ---- the process */

static bool open_files(double *ret)
{
	DIR *d = opendir("/proc/self/fd");
	double n = 0;

	if (!d)
		return false;
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.';
	(void)closedir(d);
	*ret = n - 1; /* without the one that looked */
	return true;
}

/* The n-th field of /proc/self/stat, counted as proc(5) does. */
static bool stat_field(const char *stat, unsigned n, double *ret)
{
	const char *at = strrchr(stat, ')'); /* the name before it may hold blanks */
	unsigned long long v;

	for (unsigned i = 2; at && i < n; i++)
		at = strchr(at + 1, ' ');
	if (!at || sscanf(at, "%llu", &v) != 1)
		return false;
	*ret = (double)v;
	return true;
}

static double boot_time(void)
{
	struct timespec wall, since;

	(void)clock_gettime(CLOCK_REALTIME, &wall);
	(void)clock_gettime(CLOCK_BOOTTIME, &since);
	return (double)(wall.tv_sec - since.tv_sec) + (double)(wall.tv_nsec - since.tv_nsec) / 1e9;
}

void metrics_process(struct buf *out)
{
	CLEANUP(free_p) char *stat = NULL;
	struct rusage usage;
	struct rlimit lim;
	double v;

	if (getrusage(RUSAGE_SELF, &usage) == 0)
		metrics_one(out, "process_cpu_seconds_total", METRICS_COUNTER,
		            "Total user and system CPU time spent in seconds.",
		            (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		                    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) /
		                            1e6);
	if (open_files(&v))
		metrics_one(out, "process_open_fds", METRICS_GAUGE,
		            "Number of open file descriptors.", v);
	if (getrlimit(RLIMIT_NOFILE, &lim) == 0)
		metrics_one(out, "process_max_fds", METRICS_GAUGE,
		            "Maximum number of open file descriptors.",
		            lim.rlim_cur == RLIM_INFINITY ? (double)INFINITY
		                                          : (double)lim.rlim_cur);
	if (file_read("/proc/self/stat", 4096, &stat, NULL, NULL) < 0)
		return;
	if (stat_field(stat, 23, &v))
		metrics_one(out, "process_virtual_memory_bytes", METRICS_GAUGE,
		            "Virtual memory size in bytes.", v);
	if (stat_field(stat, 24, &v))
		metrics_one(out, "process_resident_memory_bytes", METRICS_GAUGE,
		            "Resident memory size in bytes.", v * (double)sysconf(_SC_PAGESIZE));
	if (stat_field(stat, 22, &v))
		metrics_one(out, "process_start_time_seconds", METRICS_GAUGE,
		            "Start time of the process since unix epoch in seconds.",
		            boot_time() + v / (double)sysconf(_SC_CLK_TCK));
}
