# The build's commit is named by `calicoctl version`; it changes with the log of the checked-out branch, if there is one.
$(BUILD)/calicoctl/commit.h: $(wildcard .git/logs/HEAD)
	$(Q)mkdir -p $(@D) && printf '#define CALICOCTL_COMMIT "%s"\n' "$$(git rev-parse --short=12 HEAD 2>/dev/null)" > $@
$(BUILD)/calicoctl/version.o: $(BUILD)/calicoctl/commit.h

# The comments of the resources' fields, for `calicoctl explain`.
$(BUILD)/calicoctl/fields.c: calicoctl/fields.awk $(wildcard proto/v3_*.proto)
	$(Q)mkdir -p $(@D) && awk -f calicoctl/fields.awk $(sort $(wildcard proto/v3_*.proto)) > $@
calicoctl_fields := $(BUILD)/calicoctl/fields.o
$(calicoctl_fields): $(BUILD)/calicoctl/fields.c calicoctl/fields.h
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

calicoctl_src := $(wildcard calicoctl/*.c)
$(BUILD)/calicoctl/calicoctl: $(calicoctl_fields)
$(call program,calicoctl/calicoctl,$(calicoctl_src),$(calicoctl_fields) -luv -lprotobuf-c -lyaml -lyajl -lsqlite3 -lm -lnghttp2 -lssl -lcrypto -lresolv)

# The man page: what the table of commands knows is put in place of two lines.
PROGRAMS += $(BUILD)/calicoctl/calicoctl.1
$(BUILD)/calicoctl/calicoctl.1: calicoctl/calicoctl.1.in $(BUILD)/calicoctl/calicoctl
	$(Q)awk -v calicoctl=$(BUILD)/calicoctl/calicoctl '/^\.\\" @/ { system(calicoctl " __man " tolower(substr($$2, 2))); next } { print }' \
		$< > $@.new && grep -q '^.Ss get' $@.new && mv $@.new $@

calicoctl_yaml := $(patsubst %,calicoctl/%.c,yaml yaml_scalar typed visible)
$(call unit_test,calicoctl_yaml,$(calicoctl_yaml),-lyaml -lyajl -lprotobuf-c -lm)
$(call unit_test,calicoctl_table,calicoctl/table.c calicoctl/output.c $(calicoctl_yaml),-lyaml -lyajl -lprotobuf-c -lm)
$(call fuzz_test,yaml,$(calicoctl_yaml),-lyaml -lyajl -lprotobuf-c -lm)
$(call unit_test,calicoctl_nodestatus,calicoctl/nodestatus.c calicoctl/boxtable.c calicoctl/visible.c,-lprotobuf-c)
$(call unit_test,calicoctl_cli,calicoctl/cli.c calicoctl/help.c calicoctl/settings.c $(calicoctl_yaml),-lyaml -lyajl -lprotobuf-c -lm)
$(call unit_test,calicoctl_manifest,calicoctl/manifest.c $(calicoctl_yaml),-lyaml -lyajl -lprotobuf-c -lm)
calicoctl_ipam := $(patsubst %,calicoctl/%.c,usage split report check blockcheck boxtable)
$(call unit_test,calicoctl_ipam,$(calicoctl_ipam),-lyajl -lprotobuf-c -lm)
$(call fuzz_test,report,calicoctl/report.c,-lyajl -lprotobuf-c)

calicoctl_template := $(patsubst %,calicoctl/%.c,template template_run template_func template_value table visible)
$(call unit_test,calicoctl_template,$(calicoctl_template),-lyajl -lprotobuf-c -lm)
$(call fuzz_test,template,$(calicoctl_template),-lyajl -lprotobuf-c -lm)
$(call unit_test,calicoctl_select,calicoctl/select.c calicoctl/visible.c,-lyajl -lprotobuf-c -lm)
$(call unit_test,calicoctl_node,calicoctl/kmodule.c calicoctl/redact.c,)
$(call fuzz_test,redact,calicoctl/redact.c,)
$(call fuzz_test,export,calicoctl/migrate.c,-lyajl -lprotobuf-c)
$(call unit_test,calicoctl_patch,calicoctl/patch.c calicoctl/visible.c,-lyajl)
$(call fuzz_test,patch,calicoctl/patch.c calicoctl/visible.c,-lyajl)
$(call unit_test,calicoctl_textdiff,calicoctl/textdiff.c,)
$(BUILD)/test/unit/calicoctl_explain_test: $(calicoctl_fields)
$(call unit_test,calicoctl_explain,calicoctl/explain.c calicoctl/visible.c,$(calicoctl_fields) -lprotobuf-c)
$(BUILD)/test/unit/calicoctl_complete_test: $(calicoctl_fields)
$(call unit_test,calicoctl_complete,$(patsubst %,calicoctl/%.c,complete cli explain visible),$(calicoctl_fields) -lprotobuf-c)
