/* SPDX-License-Identifier: BSD-2-Clause */
/* delegate: runs another IPAM plugin, found in CNI_PATH, with this program's input and environment.
 */
#pragma once

#include "cni-plugin/attach.h"

/* ADD; *ret is what it answered. A failure is the delegate's own error, or what became of it. */
int delegate_add(struct attach *a, struct cni_result *ret, struct cni_error *e);
int delegate_del(struct attach *a, struct cni_error *e);
int delegate_check(struct attach *a, struct cni_error *e);
