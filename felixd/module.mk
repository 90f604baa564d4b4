# felixd: policy and route programmer
felixd_calc_src := $(wildcard felixd/calc/*.c)
felixd_config   := config config_param config_value config_object
felixd_libs     := -luv -lprotobuf-c -lyajl -lip4tc -lnl-3 -lnl-route-3 -lcap-ng -lm
felixd_src      := $(patsubst %,felixd/%.c,main felixd api ctl settings status http health metrics $(felixd_config)) $(felixd_calc_src) $(wildcard felixd/dataplane/*.c)
$(call program,felixd/felixd,$(felixd_src),$(felixd_libs))

$(call program,test/integration/felixd_client,test/integration/felixd_client.c,-lprotobuf-c -lyajl)
$(call unit_test,felixd_config,$(felixd_config:%=felixd/%.c),-lprotobuf-c -lm)
$(call unit_test,felixd_status,felixd/status.c,-luv)
$(call unit_test,felixd_api,felixd/api.c,-luv -lprotobuf-c)
$(call unit_test,felixd_calc,$(felixd_calc_src),-lprotobuf-c -lyajl -lm)
$(call unit_test,felixd_calc_rules,$(felixd_calc_src),-lprotobuf-c -lyajl -lm)
$(call unit_test,felixd_calc_model,$(felixd_calc_src),-lprotobuf-c -lyajl -lm)
$(call unit_test,felixd_calc_replay,$(felixd_calc_src),-lprotobuf-c -lyajl -lm)

# The selector language is common's; its tests stand here beside the code that lives by it.
$(call unit_test,model_selector,,)
$(call fuzz_test,selector,,)
$(call fuzz_test,felixd_config,$(felixd_config:%=felixd/%.c),-lprotobuf-c -lm)
$(call fuzz_test,felixd_calc,$(felixd_calc_src),-lprotobuf-c -lyajl -lm)

include felixd/dataplane/module.mk
