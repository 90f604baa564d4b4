# The datastore daemon, and the tests of common/store.
typhad_src := $(patsubst %,typhad/%.c,main options datastore config config_param cache page fanout client door balance api init dump http health metrics meter)
typhad_libs := -luv -lprotobuf-c -lsqlite3 -lyajl -lcap-ng -lnghttp2 -lssl -lcrypto -lresolv -lzstd -lm
$(call program,typhad/typhad,$(typhad_src),$(typhad_libs))
$(call program,test/integration/typhad_client,test/integration/typhad_client.c,-luv -lprotobuf-c -lssl -lcrypto -lzstd)
PRELOADS := $(patsubst %,$(BUILD)/test/integration/%.so,powerloss clockskew)
PROGRAMS += $(PRELOADS)
$(PRELOADS): $(BUILD)/test/integration/%.so: test/integration/%.c
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) -D_GNU_SOURCE -std=c11 -O2 -g -Wall -Wextra -fPIC -shared -o $@ $< -ldl
store_libs := -luv -lprotobuf-c -lsqlite3 -lyajl
$(call unit_test,store_seen,,-lprotobuf-c)
$(call unit_test,store_kv,,-lsqlite3 -lprotobuf-c)
$(call unit_test,store_backup,,-lsqlite3 -lprotobuf-c)
$(call unit_test,store_object,,$(store_libs))
$(call unit_test,store_embedded,,$(store_libs))
$(call unit_test,store_typha,,-luv -lprotobuf-c -lzstd)
$(call unit_test,typhad_page,typhad/page.c typhad/cache.c,-lprotobuf-c -lzstd)
$(call unit_test,typhad_balance,typhad/balance.c,)
$(call unit_test,store_sync,,-lprotobuf-c -lzstd)
$(call unit_test,typhad_cache,typhad/cache.c,-lprotobuf-c)
$(call fuzz_test,frame,,-lprotobuf-c)
$(call fuzz_test,sync_frame,,-lprotobuf-c -lzstd)
$(call fuzz_test,store_value,,-lprotobuf-c -lyajl)
$(call unit_test,typhad_config,typhad/config.c typhad/config_param.c,)
$(call fuzz_test,typhad_config,typhad/config.c typhad/config_param.c,)

# ---- the driver for etcd
etcd_libs := -luv -lprotobuf-c -lyajl -lnghttp2 -lssl -lcrypto -lresolv
$(call program,test/interop/etcd_client,test/interop/etcd_client.c,$(etcd_libs))
$(call unit_test,store_grpc,,$(etcd_libs))
$(call unit_test,store_h2,,$(etcd_libs))
$(call unit_test,store_etcd_endpoint,,-lresolv)
$(call unit_test,store_etcd_feed,,-lprotobuf-c -lyajl)
$(call fuzz_test,etcd_reply,,$(etcd_libs))
$(call fuzz_test,etcd_endpoint,,-lresolv)
$(call program,test/bench/typhad_bench,test/bench/typhad_bench.c,-luv -lprotobuf-c -lyajl -lm)
