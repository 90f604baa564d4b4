# The shared library: one archive; a program takes from it only what it calls.
COMMON_SRC := $(wildcard common/*/*.c)

# The version reaches the code in one object.
$(BUILD)/common/base/version.o: packaging/VERSION
$(BUILD)/common/base/version.o: CPPFLAGS += -DPERCALE_VERSION='"$(VERSION)"'

# ---- model and json
$(call unit_test,model_key,,-lprotobuf-c)
$(call unit_test,model_scalar,,-lprotobuf-c)
$(call unit_test,model_duration,,)
$(call unit_test,model_regexp,,-lprotobuf-c)
$(call unit_test,model_resource,,-lprotobuf-c)
$(call unit_test,model_block,,-lyajl -lprotobuf-c)
$(call unit_test,json_json,,-lyajl)
$(call unit_test,model_mapper,,-lyajl -lprotobuf-c)
$(call unit_test,model_validate,,-lyajl -lprotobuf-c)
$(call unit_test,model_kinds,,-lyajl -lprotobuf-c)
$(call fuzz_test,json,,-lyajl)
$(call fuzz_test,mapper,,-lyajl -lprotobuf-c)
$(call fuzz_test,key,,-lprotobuf-c)
$(call fuzz_test,duration,,)
$(call fuzz_test,regexp,,-lprotobuf-c)
$(call fuzz_test,ipam_block,,-lyajl -lprotobuf-c)

# ---- policy
$(call unit_test,policy_walk,,-lyajl -lprotobuf-c -lm)

# ---- nl
$(call unit_test,nl_rt,,-lnl-3)
$(call unit_test,nl_conn,,-lnl-3)
$(call unit_test,nl_watch,,-luv -lnl-3)
$(call fuzz_test,netlink,,-lnl-3)

# ---- base, net, ipc, loop
$(call unit_test,base_text,,)
$(call unit_test,base_data,,)
$(call unit_test,net_addr,,)
$(call unit_test,loop_ipc,,-luv -lprotobuf-c)

# ---- tls
$(call unit_test,tls_tls,,-lssl -lcrypto)
$(call unit_test,loop_tls,,-luv -lprotobuf-c -lssl -lcrypto)

# ---- http
$(call unit_test,http_request,,)
$(call unit_test,http_metrics,,-lm)
$(call fuzz_test,http_request,,)
