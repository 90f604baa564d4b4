/* SPDX-License-Identifier: BSD-2-Clause */
/* balance: how many clients are this typhad's share, and how fast to send the others away. Pure. */
#pragma once

#include <stdint.h>

/* Upstream's formula. typhads 0 or 1: it is alone, and takes up to upper. */
unsigned balance_target(unsigned typhads, unsigned nodes, unsigned lower, unsigned upper);

/* From one client that is sent away to the next, when all are to be gone in time. */
uint64_t balance_drain_step_ms(unsigned clients, uint64_t timeout_ms, uint64_t step_max_ms);
