# The selector language is common's; its tests stand here beside the code that lives by it.
$(call unit_test,model_selector,,)
$(call fuzz_test,selector,,)

-include felixd/calc/module.mk
include felixd/dataplane/module.mk
