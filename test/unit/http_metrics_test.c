/* SPDX-License-Identifier: BSD-2-Clause */
#include "test/unit/test.h"

#include <math.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/http/health.h"
#include "common/http/metrics.h"

static void samples_are_written_as_prometheus_reads_them(void **state)
{
	CLEANUP(buf_done) struct buf out = { 0 };

	(void)state;
	metrics_family(&out, "a_total", METRICS_COUNTER, "One\\two\nthree \"four\".");
	metrics_sample(&out, "a_total", 3, NULL);
	metrics_sample(&out, "a_total", 0.25, "x", "q\"b\\n\n", "y", "", NULL);
	metrics_one(&out, "b", METRICS_GAUGE, "B.", NAN);
	metrics_one(&out, "c", METRICS_GAUGE, "C.", 1234567890123.0);
	assert_string_equal(buf_cstr(&out), "# HELP a_total One\\\\two\\nthree \"four\".\n"
	                                    "# TYPE a_total counter\n"
	                                    "a_total 3\n"
	                                    "a_total{x=\"q\\\"b\\\\n\\n\",y=\"\"} 0.25\n"
	                                    "# HELP b B.\n# TYPE b gauge\nb NaN\n"
	                                    "# HELP c C.\n# TYPE c gauge\nc 1234567890123\n");
}

static void near(double got, double want)
{
	if (!(fabs(got - want) <= want * 0.04))
		fail_msg("%g, not about %g", got, want);
}

static struct mono_ms at(uint64_t sec)
{
	return (struct mono_ms){ 1000000 + sec * 1000 };
}

static void quantiles_are_those_of_the_last_minute(void **state)
{
	struct summary s = { 0 };

	(void)state;
	assert_true(isnan(summary_quantile(&s, 0.5, at(0))));
	for (int i = 1; i <= 1000; i++)
		summary_observe(&s, i / 1000.0, at(0));
	near(summary_quantile(&s, 0.5, at(0)), 0.5);
	near(summary_quantile(&s, 0.9, at(0)), 0.9);
	near(summary_quantile(&s, 0.99, at(0)), 0.99);
	assert_int_equal(s.count, 1000);
	near(s.sum, 500.5);
	for (int i = 0; i < 1000; i++)
		summary_observe(&s, 100, at(30));
	near(summary_quantile(&s, 0.25, at(30)), 0.5);
	near(summary_quantile(&s, 0.9, at(30)), 100);
	/* the first thousand are forgotten, then the second */
	near(summary_quantile(&s, 0.25, at(70)), 100);
	assert_true(isnan(summary_quantile(&s, 0.5, at(100))));
	summary_observe(&s, 7, at(10000));
	near(summary_quantile(&s, 0.01, at(10000)), 7);
	assert_int_equal(s.count, 2001);
	/* what is no quantity is not counted; what is too small or large is, at the end */
	summary_observe(&s, NAN, at(10000));
	summary_observe(&s, -1, at(10000));
	assert_int_equal(s.count, 2001);
	summary_observe(&s, 0, at(10000));
	summary_observe(&s, 1e300, at(10000));
	assert_true(summary_quantile(&s, 0.1, at(10000)) == 0);
	assert_true(summary_quantile(&s, 1, at(10000)) > 1e6);
	summary_done(&s);
}

static void a_summary_is_written_with_its_quantiles(void **state)
{
	CLEANUP(buf_done) struct buf out = { 0 };
	struct summary s = { 0 };

	(void)state;
	summary_observe(&s, 0, at(0));
	metrics_summary(&out, "s", &s, at(0), "syncer", "bgp");
	assert_string_equal(buf_cstr(&out), "s{syncer=\"bgp\",quantile=\"0.5\"} 0\n"
	                                    "s{syncer=\"bgp\",quantile=\"0.9\"} 0\n"
	                                    "s{syncer=\"bgp\",quantile=\"0.99\"} 0\n"
	                                    "s_sum{syncer=\"bgp\"} 0\n"
	                                    "s_count{syncer=\"bgp\"} 1\n");
	buf_clear(&out);
	metrics_summary(&out, "s", &s, at(0), NULL, NULL);
	assert_string_equal(buf_cstr(&out), "s{quantile=\"0.5\"} 0\ns{quantile=\"0.9\"} 0\n"
	                                    "s{quantile=\"0.99\"} 0\ns_sum 0\ns_count 1\n");
	summary_done(&s);
}

static double value_of(const char *text, const char *name)
{
	CLEANUP(free_p) char *line = xasprintf("\n%s ", name);
	const char *found = strstr(text, line);

	if (!found)
		fail_msg("%s is missing", name);
	return strtod(found + strlen(line), NULL);
}

static void the_process_is_measured(void **state)
{
	CLEANUP(buf_done) struct buf a = { 0 };
	CLEANUP(buf_done) struct buf b = { 0 };
	int fds[2];
	double start;

	(void)state;
	metrics_process(&a);
	assert_int_equal(pipe(fds), 0);
	for (volatile unsigned i = 0; i < 100000000u; i++)
		;
	metrics_process(&b);
	(void)close(fds[0]);
	(void)close(fds[1]);
	assert_true(value_of(buf_cstr(&b), "process_open_fds") ==
	            value_of(buf_cstr(&a), "process_open_fds") + 2);
	assert_true(value_of(buf_cstr(&b), "process_cpu_seconds_total") >
	            value_of(buf_cstr(&a), "process_cpu_seconds_total"));
	start = value_of(buf_cstr(&a), "process_start_time_seconds");
	assert_true(start <= (double)time(NULL) + 1 && start > (double)time(NULL) - 600);
	assert_true(value_of(buf_cstr(&a), "process_resident_memory_bytes") > 100000);
	assert_true(value_of(buf_cstr(&a), "process_virtual_memory_bytes") >
	            value_of(buf_cstr(&a), "process_resident_memory_bytes"));
}

static void health_is_a_table_by_name(void **state)
{
	const struct health_component all[] = {
		{ "cache", 20000, 10, true, true, "12 objects" },
		{ "SyncServer", 0, 0, true, false, NULL },
		{ "a", 1000, 1001, true, true, NULL },
	};
	CLEANUP(buf_done) struct buf out = { 0 };

	(void)state;
	health_table(all, 3, &out);
	assert_string_equal(
	        buf_cstr(&out),
	        "+------------+---------+----------------+---------------------+------------+\n"
	        "| COMPONENT  | TIMEOUT | LIVENESS       | READINESS           | DETAIL     |\n"
	        "+------------+---------+----------------+---------------------+------------+\n"
	        "| SyncServer | -       | reporting live | reporting non-ready |            |\n"
	        "| a          | 1s      | timed out      | timed out           |            |\n"
	        "| cache      | 20s     | reporting live | reporting ready     | 12 objects |\n"
	        "+------------+---------+----------------+---------------------+------------+\n");
	assert_true(health_live(all, 2));
	assert_false(health_live(all, 3));
	assert_true(health_ready(all, 1));
	assert_false(health_ready(all, 2));
	assert_true(health_live(all, 0) && health_ready(all, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_are_written_as_prometheus_reads_them),
		cmocka_unit_test(quantiles_are_those_of_the_last_minute),
		cmocka_unit_test(a_summary_is_written_with_its_quantiles),
		cmocka_unit_test(the_process_is_measured),
		cmocka_unit_test(health_is_a_table_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
