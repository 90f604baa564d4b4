/* SPDX-License-Identifier: BSD-2-Clause */
/* every_kind: makes the test that includes it know every kind, as the mapper would. */
#pragma once

#include "proto/v3_bgp.pb-c.h"
#include "proto/v3_config.pb-c.h"
#include "proto/v3_felix.pb-c.h"
#include "proto/v3_staged.pb-c.h"
#include "proto/v3_status.pb-c.h"

static const ProtobufCMessageDescriptor *const every_kind[] __attribute__((used)) = {
	&v3__bgpconfiguration__descriptor,
	&v3__felix_configuration__descriptor,
	&v3__kube_controllers_configuration__descriptor,
	&v3__staged_network_policy__descriptor,
	&v3__felix_status__descriptor,
};
