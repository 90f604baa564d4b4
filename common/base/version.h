/* SPDX-License-Identifier: BSD-2-Clause */
/* version: what packaging/VERSION says. */
#pragma once

extern const char percale_version[];
