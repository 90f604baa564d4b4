felixd_dp = $(patsubst %,felixd/dataplane/%.c,$(1))
felixd_render_src   := $(call felixd_dp,chain names sha3 render render_policy render_endpoint render_host iptables_text)
felixd_iptables_src := $(call felixd_dp,iptables wanted iptables_sync iptables_encode xtables_lock)
felixd_ipset_src    := $(call felixd_dp,ipset ipset_msg memberset nf_attr)

felixd_nft_src      := $(call felixd_dp,wanted nft_text nft_encode nft_msg nft_link nft_sets nft_rules nf_attr memberset)

$(call unit_test,felixd_nft,$(felixd_render_src) $(felixd_nft_src),-luv -lnl-3)
$(call unit_test,felixd_dataplane_render,$(felixd_render_src),)
$(call unit_test,felixd_dataplane_sets,$(felixd_ipset_src) $(call felixd_dp,conntrack forget names sha3),-lnl-3)
$(call unit_test,felixd_iptables,$(felixd_render_src) $(felixd_iptables_src) $(felixd_ipset_src),-lip4tc -lnl-3)
$(call fuzz_test,netfilter,$(call felixd_dp,conntrack iptables_encode iptables_text chain ipset_msg nf_attr nft_msg nft_text),-lnl-3)
$(call program,test/bench/policy_change,test/bench/policy_change.c $(felixd_render_src) $(felixd_iptables_src) $(felixd_ipset_src) $(filter-out $(felixd_ipset_src) $(felixd_iptables_src),$(felixd_nft_src)),-luv -lip4tc -lnl-3)
