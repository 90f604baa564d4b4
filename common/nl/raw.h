/* SPDX-License-Identifier: BSD-2-Clause */
/* raw: a message for nl_request() or nl_batch_add() whose payload the caller has put together
 * (netfilter's protocols). */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct nl_msg;

/* flags: NLM_F_... beside NLM_F_REQUEST. payload is what follows the nlmsghdr; it is copied. NULL
 * only when memory is gone. */
struct nl_msg *nl_raw(uint16_t type, uint16_t flags, const void *payload, size_t len);
