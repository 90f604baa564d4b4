/* SPDX-License-Identifier: BSD-2-Clause */
#include "bgpd/bgp.h"

#include <stdio.h>

#include "common/base/mem.h"

static const struct word {
	uint8_t code, subcode;
	const char *text;
} words[] = {
	{ BGP_ERR_HEADER, 0, "message header error" },
	{ BGP_ERR_HEADER, BGP_HEADER_SYNC, "connection not synchronised" },
	{ BGP_ERR_HEADER, BGP_HEADER_LENGTH, "bad message length" },
	{ BGP_ERR_HEADER, BGP_HEADER_TYPE, "bad message type" },
	{ BGP_ERR_OPEN, 0, "OPEN message error" },
	{ BGP_ERR_OPEN, BGP_OPEN_VERSION, "unsupported version number" },
	{ BGP_ERR_OPEN, BGP_OPEN_AS, "bad peer AS" },
	{ BGP_ERR_OPEN, BGP_OPEN_ID, "bad BGP identifier" },
	{ BGP_ERR_OPEN, BGP_OPEN_PARAMETER, "unsupported optional parameter" },
	{ BGP_ERR_OPEN, BGP_OPEN_HOLD, "unacceptable hold time" },
	{ BGP_ERR_OPEN, BGP_OPEN_CAPABILITY, "unsupported capability" },
	{ BGP_ERR_OPEN, 11, "role mismatch" },
	{ BGP_ERR_UPDATE, 0, "UPDATE message error" },
	{ BGP_ERR_UPDATE, BGP_UPDATE_LIST, "malformed attribute list" },
	{ BGP_ERR_UPDATE, BGP_UPDATE_WELL_KNOWN, "unrecognised well-known attribute" },
	{ BGP_ERR_UPDATE, 3, "missing well-known attribute" },
	{ BGP_ERR_UPDATE, 4, "attribute flags error" },
	{ BGP_ERR_UPDATE, 5, "attribute length error" },
	{ BGP_ERR_UPDATE, 6, "invalid ORIGIN attribute" },
	{ BGP_ERR_UPDATE, 8, "invalid NEXT_HOP attribute" },
	{ BGP_ERR_UPDATE, BGP_UPDATE_OPTIONAL, "optional attribute error" },
	{ BGP_ERR_UPDATE, BGP_UPDATE_NETWORK, "invalid network field" },
	{ BGP_ERR_UPDATE, 11, "malformed AS_PATH" },
	{ BGP_ERR_HOLD, 0, "hold timer expired" },
	{ BGP_ERR_FSM, 0, "finite state machine error" },
	{ BGP_ERR_FSM, BGP_FSM_OPENSENT, "unexpected message in OpenSent" },
	{ BGP_ERR_FSM, BGP_FSM_OPENCONFIRM, "unexpected message in OpenConfirm" },
	{ BGP_ERR_FSM, BGP_FSM_ESTABLISHED, "unexpected message in Established" },
	{ BGP_ERR_CEASE, 0, "cease" },
	{ BGP_ERR_CEASE, BGP_CEASE_MAX_PREFIXES, "maximum number of prefixes reached" },
	{ BGP_ERR_CEASE, BGP_CEASE_SHUTDOWN, "administrative shutdown" },
	{ BGP_ERR_CEASE, BGP_CEASE_DECONFIGURED, "peer de-configured" },
	{ BGP_ERR_CEASE, BGP_CEASE_RESET, "administrative reset" },
	{ BGP_ERR_CEASE, BGP_CEASE_REJECTED, "connection rejected" },
	{ BGP_ERR_CEASE, BGP_CEASE_CONFIG, "other configuration change" },
	{ BGP_ERR_CEASE, BGP_CEASE_COLLISION, "connection collision resolution" },
	{ BGP_ERR_CEASE, BGP_CEASE_RESOURCES, "out of resources" },
	{ BGP_ERR_CEASE, 9, "hard reset" },
	{ BGP_ERR_CEASE, 10, "BFD down" },
	{ BGP_ERR_REFRESH, 0, "ROUTE-REFRESH message error" },
	{ BGP_ERR_REFRESH, 1, "invalid ROUTE-REFRESH length" },
	{ BGP_ERR_SEND_HOLD, 0, "send hold timer expired" },
};

const char *bgp_notice_str(const struct bgp_notice *n, char *out, unsigned size)
{
	const char *general = "unknown error", *text = NULL;

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		if (words[i].code != n->code)
			continue;
		if (words[i].subcode == 0)
			general = words[i].text;
		if (words[i].subcode == n->subcode)
			text = words[i].text;
	}
	(void)snprintf(out, size, "%u/%u %s", n->code, n->subcode, text ? text : general);
	return out;
}

const char *bgp_message_name(unsigned type)
{
	static const char *const names[] = { "?",         "OPEN",         "UPDATE", "NOTIFICATION",
		                             "KEEPALIVE", "ROUTE-REFRESH" };

	return names[type < ARRAY_SIZE(names) ? type : 0];
}
