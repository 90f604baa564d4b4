/* SPDX-License-Identifier: BSD-2-Clause */
/* test: what every unit test includes first. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
