# confd: bgpd.conf from the datastore
confd_model := confd/model.c confd/peers.c confd/objects.c
$(call program,confd/confd,confd/main.c confd/apply.c confd/template.c confd/mustache.c $(confd_model),-luv -lyajl -lprotobuf-c -lcap-ng -lm)

# The shipped template is also built in, so that confd runs from any tree.
$(BUILD)/confd/template.inc: confd/templates/bgpd.conf.mustache
	$(Q)mkdir -p $(@D) && sed 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$$/\\n"/' $< >$@
$(BUILD)/confd/template.o: $(BUILD)/confd/template.inc
$(BUILD)/confd/template.o: CPPFLAGS += -DCONFD_TEMPLATE_DIR='"$(PREFIX)/share/percale/templates"'
$(call unit_test,confd_mustache,confd/mustache.c,-lyajl -lprotobuf-c -lm)
$(call fuzz_test,mustache,confd/mustache.c,-lyajl -lprotobuf-c -lm)
$(call unit_test,confd_model,$(confd_model),-lyajl -lprotobuf-c)
