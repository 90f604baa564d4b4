/* SPDX-License-Identifier: BSD-2-Clause */
/* How many clients are a typhad's share, and how fast to send them away: upstream's figures. */
#include "test/unit/test.h"

#include "common/base/mem.h"
#include "typhad/balance.h"

static void the_share_is_upstreams(void **state)
{
	static const struct {
		unsigned typhads, nodes, lower, upper, target;
	} cases[] = {
		{ 7, 1000, 400, 10000, 804 },
		{ 27, 5000, 400, 10000, 924 },
		{ 3, 100, 400, 10000, 400 }, /* the lower limit */
		{ 2, 5000, 400, 10000, 10000 },
		{ 1, 5000, 400, 10000, 10000 }, /* alone */
		{ 0, 5000, 400, 10000, 10000 },
		{ 7, 0, 1, 10000, 4 },
		{ 7, 0, 500, 300, 300 }, /* the upper limit goes before */
		{ 2, 4294967295u, 1, 4294967295u, 4294967295u },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(balance_target(cases[i].typhads, cases[i].nodes, cases[i].lower,
		                                cases[i].upper),
		                 cases[i].target);
}

static void draining_takes_most_of_the_time_and_no_longer(void **state)
{
	static const struct {
		unsigned clients;
		uint64_t timeout_ms, max_ms, step_ms;
	} cases[] = {
		{ 5, 300000, 1000, 1000 }, { 5, 2500, 1000, 475 }, { 10000, 300000, 1000, 28 },
		{ 0, 300000, 1000, 0 },    { 5, 0, 1000, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(balance_drain_step_ms(cases[i].clients, cases[i].timeout_ms,
		                                       cases[i].max_ms),
		                 cases[i].step_ms);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_share_is_upstreams),
		cmocka_unit_test(draining_takes_most_of_the_time_and_no_longer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
