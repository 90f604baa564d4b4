felixd_render_src := $(patsubst %,felixd/dataplane/%.c,chain names sha3 render render_policy render_endpoint iptables_text)

$(call unit_test,felixd_dataplane_render,$(felixd_render_src),)
