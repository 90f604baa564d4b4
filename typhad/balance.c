/* SPDX-License-Identifier: BSD-2-Clause */
#include "typhad/balance.h"

/* Each node has up to four connections upstream: felix, bgp, tunnel addresses, node status. */
#define CONNECTIONS_PER_NODE 4u

unsigned balance_target(unsigned typhads, unsigned nodes, unsigned lower, unsigned upper)
{
	uint64_t target;

	if (typhads <= 1)
		return upper;
	/* A fifth more than the share when one typhad is away: so that a rolling upgrade does not
	 * have everybody sent to and fro. */
	target = CONNECTIONS_PER_NODE * (1 + (uint64_t)nodes * 120 / (typhads - 1) / 100);
	if (target < lower)
		target = lower;
	return target < upper ? (unsigned)target : upper;
}

uint64_t balance_drain_step_ms(unsigned clients, uint64_t timeout_ms, uint64_t step_max_ms)
{
	uint64_t step = clients ? timeout_ms * 95 / 100 / clients : 0;

	return step < step_max_ms ? step : step_max_ms;
}
