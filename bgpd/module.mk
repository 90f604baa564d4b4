# SPDX-License-Identifier: BSD-2-Clause
bgpd_wire := bgpd/wire.c bgpd/wire_update.c bgpd/wire_build.c bgpd/bgp.c bgpd/attrs.c
bgpd_config := bgpd/config.c bgpd/parse.c bgpd/parse_timing.c bgpd/parse_policy.c bgpd/parse_peer.c bgpd/token.c \
	bgpd/policy.c
bgpd_rib := bgpd/rib.c bgpd/best.c bgpd/trie.c bgpd/attrs.c

$(call program,bgpd/bgpd,$(sort $(bgpd_wire) $(bgpd_config) $(bgpd_rib) bgpd/main.c bgpd/speaker.c bgpd/peer.c \
	bgpd/session.c bgpd/fsm.c bgpd/listener.c bgpd/export.c bgpd/fib.c bgpd/kernel.c bgpd/api.c bgpd/ctl.c),\
	-luv -lprotobuf-c -lnl-route-3 -lnl-3 -lcap-ng)
$(call program,test/integration/bgpd_client,test/integration/bgpd_client.c,-lprotobuf-c)
$(call unit_test,bgpd_wire,$(bgpd_wire),-lprotobuf-c)
$(call unit_test,bgpd_fsm,bgpd/fsm.c bgpd/bgp.c,-lprotobuf-c)
$(call unit_test,bgpd_rib,$(bgpd_rib),-lprotobuf-c)
$(call unit_test,bgpd_config,$(bgpd_config),-lprotobuf-c)
$(call fuzz_test,bgp_message,$(bgpd_wire),-lprotobuf-c)
$(call fuzz_test,bgpd_config,$(bgpd_config),-lprotobuf-c)
$(call unit_test,bgpd_fib,bgpd/fib.c $(bgpd_rib),-lprotobuf-c)
$(call unit_test,bgpd_export,bgpd/export.c bgpd/fib.c bgpd/policy.c $(sort $(bgpd_rib) $(bgpd_wire)),-lprotobuf-c)
