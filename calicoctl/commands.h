/* SPDX-License-Identifier: BSD-2-Clause */
/* commands: the table of commands. */
#pragma once

#include "calicoctl/cli.h"

extern const struct cli_command commands[];
