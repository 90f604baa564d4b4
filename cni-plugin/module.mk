# One program with two names.
cni_pure := cni-plugin/config.c cni-plugin/env.c cni-plugin/error.c cni-plugin/names.c cni-plugin/result.c
# Static libraries but for the C library: three fewer to look for and relocate are half of what starting this program takes.
cni_libs := -Wl,-Bstatic -lnl-3 -lyajl_s -lprotobuf-c -Wl,-Bdynamic
$(call program,cni-plugin/calico,$(cni_pure) $(patsubst %,cni-plugin/%.c,main attach add del check ipam delegate pod endpoint),$(cni_libs))

PROGRAMS += $(BUILD)/cni-plugin/calico-ipam
$(BUILD)/cni-plugin/calico-ipam: $(BUILD)/cni-plugin/calico
	$(Q)ln -sf calico $@

$(call unit_test,cni_config,$(cni_pure),-lyajl)
$(call fuzz_test,cni_config,$(cni_pure),-lyajl)
$(call program,test/bench/cni_time,test/bench/cni_time.c,-lnl-3)
