/* SPDX-License-Identifier: BSD-2-Clause */
/* Where etcd is: a DNS answer, or a list as text, by the first byte. What a list says reads again.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/store/etcd_endpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct etcd_endpoints e = { 0 }, again = { 0 };

	if (len == 0)
		return 0;
	if (data[0] & 1) {
		(void)etcd_endpoints_of_srv(data + 1, len - 1, true, &e);
	} else {
		CLEANUP(free_p) char *list = xstrndup((const char *)data + 1, len - 1);

		(void)etcd_endpoints_parse(list, data[0] & 2, &e, NULL);
		for (size_t i = 0; i < e.n; i++)
			if (etcd_endpoints_parse(e.items[i].text, !e.items[i].tls, &again, NULL) <
			    0)
				abort();
	}
	etcd_endpoints_done(&e);
	etcd_endpoints_done(&again);
	return 0;
}
