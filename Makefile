# SPDX-License-Identifier: BSD-2-Clause
# One make, one dependency graph: every directory adds to it with a module.mk. Everything generated lives under $(BUILD).
#
#   make            build everything              make test [T=name]  unit, fuzz (briefly), integration, interop
#   make demo       a cluster on this machine     make bench [B=name] figures, as ratios against peers in the same run
#   make demo-down  ... and no trace of it        make lint format install clean deps
#
# Variables: CC, PREFIX, DESTDIR, BUILD, SAN=1 (ASan and UBSan, in a tree of its own), WERROR=1, V=1 (show commands).

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   ?= build
SAN     ?= 0
FUZZ    ?= 0
WERROR  ?= 0
V       ?= 0
Q       := $(if $(filter 1,$(V)),,@)
say      = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' $(1) $(2);)

VERSION := $(shell cat packaging/VERSION)

ifeq ($(SAN),1)
  ifeq ($(filter %/san,$(BUILD)),) # a make that this one calls has it already
    override BUILD := $(BUILD)/san
  endif
endif
export BUILD

# ---- what is missing is installed first (make deps does it again, whatever the stamp says)

ifeq ($(filter clean demo-down format,$(MAKECMDGOALS)),)
  DEPS_OK := $(shell packaging/deps.sh --check build >/dev/null 2>&1 && echo yes)
  ifneq ($(DEPS_OK),yes)
    $(info packages are missing: running packaging/deps.sh build)
    ifneq ($(shell packaging/deps.sh build >&2 && echo yes),yes)
      $(error packaging/deps.sh build failed: see above)
    endif
  endif
endif

# ---- flags

WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wpointer-arith \
        -Wwrite-strings -Wformat=2 -Wvla -Wundef -Wimplicit-fallthrough
ifeq ($(WERROR),1)
  WARN += -Werror
endif

probe = $(shell echo 'int main(void){return 0;}' | $(CC) -Werror $(1) -x c - -o /dev/null 2>/dev/null && echo $(1))

HARDEN  := -fPIE -fstack-protector-strong -fstack-clash-protection \
           $(call probe,-fcf-protection) $(call probe,-ftrivial-auto-var-init=zero)
OPT     := -O2 -g -D_FORTIFY_SOURCE=2
SANFLAGS :=
ifeq ($(SAN),1)
  SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
  OPT      := -O1 -g
endif
ifeq ($(FUZZ),1)
  SANFLAGS := -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined -fno-omit-frame-pointer
  OPT      := -O1 -g
endif
isystem  = $(patsubst -I%,-isystem %,$(shell pkg-config --cflags-only-I $(1) 2>/dev/null))
CPPFLAGS += -D_GNU_SOURCE -I. -I$(BUILD) -I$(BUILD)/proto $(call isystem,libnl-3.0 libnl-route-3.0)
# What a program does not call is left out of it: of a generated message, most.
CFLAGS   += -std=c11 -fno-strict-aliasing -fno-common -ffunction-sections -fdata-sections $(OPT) $(HARDEN) $(WARN) $(SANFLAGS)
LDFLAGS  += -pie -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed,--gc-sections $(SANFLAGS)

# ---- the rules that modules use
#
# $(call program,felixd/felixd,felixd/main.c ...,-luv -lprotobuf-c)  a program from sources and libpercale.a
# $(call unit_test,noded_detect,noded/detect.c,-lprotobuf-c)         test/unit/noded_detect_test.c with the sources it tests
# $(call fuzz_test,bgp_message,bgpd/wire.c,)                         test/fuzz/bgp_message_fuzz.c, likewise

PROGRAMS   :=
UNIT_TESTS :=
FUZZ_TESTS :=
ALL_OBJ    :=
LIB        := $(BUILD)/libpercale.a

obj = $(patsubst %.c,$(BUILD)/%.o,$(1))

define program_
PROGRAMS += $(BUILD)/$(1)
ALL_OBJ  += $(call obj,$(2))
$(BUILD)/$(1): $(call obj,$(2)) $(LIB)
	$$(call say,LD,$$@)
	$$(Q)mkdir -p $$(@D) && $$(CC) $$(LDFLAGS) -o $$@ $(call obj,$(2)) $(LIB) $(3)
endef
program = $(eval $(call program_,$(strip $(1)),$(2),$(3)))

define unit_test_
UNIT_TESTS += $(BUILD)/test/unit/$(1)_test
ALL_OBJ    += $(call obj,test/unit/$(1)_test.c $(2))
$(BUILD)/test/unit/$(1)_test: $(call obj,test/unit/$(1)_test.c $(2)) $(LIB)
	$$(call say,LD,$$@)
	$$(Q)mkdir -p $$(@D) && $$(CC) $$(LDFLAGS) -o $$@ $(call obj,test/unit/$(1)_test.c $(2)) $(LIB) -lcmocka $(3)
endef
unit_test = $(eval $(call unit_test_,$(strip $(1)),$(2),$(3)))

define fuzz_test_
FUZZ_TESTS += $(BUILD)/test/fuzz/$(1)_fuzz
ALL_OBJ    += $(call obj,test/fuzz/$(1)_fuzz.c $(2))
$(BUILD)/test/fuzz/$(1)_fuzz: $(call obj,test/fuzz/$(1)_fuzz.c $(2)) $(LIB)
	$$(call say,LD,$$@)
	$$(Q)mkdir -p $$(@D) && $$(CC) $$(LDFLAGS) -fsanitize=fuzzer -o $$@ $(call obj,test/fuzz/$(1)_fuzz.c $(2)) $(LIB) $(3)
endef
fuzz_test = $(eval $(call fuzz_test_,$(strip $(1)),$(2),$(3)))

# ---- messages

PROTOS  := $(wildcard proto/*.proto)
PROTO_C := $(patsubst %.proto,$(BUILD)/%.pb-c.c,$(PROTOS))
PROTO_H := $(PROTO_C:.c=.h)
PROTO_O := $(PROTO_C:.c=.o)
protos: $(PROTO_C) $(PROTO_H) # named here, the files are no intermediates: make keeps them
.PHONY: protos

$(BUILD)/proto/%.pb-c.c $(BUILD)/proto/%.pb-c.h &: proto/%.proto $(PROTOS)
	$(call say,PROTOC,$<)
	$(Q)mkdir -p $(@D) && protoc-c --proto_path=proto --c_out=$(BUILD)/proto $(notdir $<)

$(BUILD)/proto/%.pb-c.o: $(BUILD)/proto/%.pb-c.c $(PROTO_H)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -w -MMD -MP -c -o $@ $<

# ---- objects

$(BUILD)/%.o: %.c | $(PROTO_H)
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# ---- modules

include $(wildcard */module.mk test/*/module.mk)

$(LIB): $(call obj,$(COMMON_SRC)) $(PROTO_O)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^
ALL_OBJ += $(call obj,$(COMMON_SRC))

.PHONY: all deps test test-unit test-integration test-interop fuzz bench lint format install demo demo-down clean compile_commands.json
all: $(PROGRAMS) compile_commands.json

deps:
	$(Q)packaging/deps.sh build test

# ---- tests: test/run prints a line per test and ends with "N passed, N failed"

T ?=
B ?=
# A test that is named needs the fuzz targets, which clang builds, only when it is one of them.
test: all unit-binaries $(if $(T),$(if $(findstring $(T),$(wildcard test/fuzz/*_fuzz.c)),fuzz-binaries),fuzz-binaries)
test-unit: all unit-binaries
test-integration test-interop: all
test test-unit test-integration test-interop:
	$(Q)packaging/deps.sh --check test >/dev/null 2>&1 || packaging/deps.sh test
	$(Q)BUILD=$(BUILD) SAN=$(SAN) test/run $(patsubst test-%,--only %,$(filter-out test,$@)) $(T)

fuzz: fuzz-binaries
	$(Q)BUILD=$(BUILD) test/run --only fuzz $(T)

bench: all
	$(Q)packaging/deps.sh --check test >/dev/null 2>&1 || packaging/deps.sh test
	$(Q)BUILD=$(BUILD) test/bench/run $(B)

.PHONY: unit-binaries fuzz-binaries fuzz-binaries-here
unit-binaries: $(UNIT_TESTS)
# libFuzzer is clang's: the targets and what they link are built once more, by clang, in a tree of their own.
fuzz-binaries:
	$(Q)$(MAKE) --no-print-directory CC=clang FUZZ=1 SAN=0 BUILD=$(BUILD)/fuzz fuzz-binaries-here
fuzz-binaries-here: $(FUZZ_TESTS)

# ---- looks

C_FILES = $(shell git ls-files '*.c' '*.h' 2>/dev/null)
lint:
	$(Q)test/lint
format:
	$(Q)clang-format -i $(C_FILES)

compile_commands.json: $(BUILD)/compile_commands.json
$(BUILD)/compile_commands.json: $(MAKEFILE_LIST)
	$(Q)mkdir -p $(@D) && { echo '['; sep=; for o in $(sort $(ALL_OBJ)); do src=$${o#$(BUILD)/}; src=$${src%.o}.c; \
	  printf '%s{"directory":"%s","file":"%s","output":"%s","command":"%s"}' "$$sep" '$(CURDIR)' "$$src" "$$o" \
	  '$(CC) $(subst ",\",$(CPPFLAGS) $(CFLAGS)) -c -o '"$$o $$src"; sep=',\n'; sep=$$(printf ',\n.'); sep=$${sep%.}; done; echo; echo ']'; } > $@
	$(Q)ln -sf $@ compile_commands.json

# ---- the lab

demo:
	$(Q)packaging/deps.sh --check build test >/dev/null 2>&1 || packaging/deps.sh build test
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) all
	$(Q)BUILD=$(BUILD) test/lab/demo
demo-down:
	$(Q)BUILD=$(BUILD) test/lab/demo --down

# ---- installation

SBIN    := $(DESTDIR)$(PREFIX)/sbin
BIN     := $(DESTDIR)$(PREFIX)/bin
CNIBIN  := $(DESTDIR)/opt/cni/bin
MANDIR  := $(DESTDIR)$(PREFIX)/share/man
install: all
	$(Q)install -d $(SBIN) $(BIN) $(CNIBIN) $(MANDIR)/man1 $(MANDIR)/man5 $(MANDIR)/man8 $(DESTDIR)$(PREFIX)/share/percale/templates
	$(Q)for d in typhad felixd bgpd confd ipamd noded; do install -m 755 $(BUILD)/$$d/$$d $(SBIN)/$$d; done
	$(Q)install -m 755 $(BUILD)/calicoctl/calicoctl $(BIN)/calicoctl
	$(Q)install -m 755 $(BUILD)/cni-plugin/calico $(CNIBIN)/calico
	$(Q)ln -sf calico $(CNIBIN)/calico-ipam
	$(Q)install -m 644 $(BUILD)/calicoctl/calicoctl.1 $(MANDIR)/man1/
	$(Q)install -m 644 confd/templates/* $(DESTDIR)$(PREFIX)/share/percale/templates/
	$(Q)for s in 5 8; do for m in $$(git ls-files "*.$$s" 2>/dev/null || ls */*.$$s); do install -m 644 $$m $(MANDIR)/man$$s/; done; done

clean:
	$(Q)rm -rf build compile_commands.json

-include $(ALL_OBJ:.o=.d) $(PROTO_O:.o=.d)
