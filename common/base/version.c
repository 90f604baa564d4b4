/* SPDX-License-Identifier: BSD-2-Clause */
#include "common/base/version.h"

const char percale_version[] = PERCALE_VERSION;
