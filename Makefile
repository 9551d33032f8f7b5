# SPDX-License-Identifier: LGPL-2.1-or-later
# virtgate: an HTTP/JSON gateway to libvirt. `make help` lists the targets.

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all

VERSION   := 0.1.0
O         ?= build
CC        ?= cc
ifeq ($(origin CC),default)
CC        := cc
endif
CFLAGS    ?= -O2 -g
WERROR    ?= -Werror
PREFIX    ?= /usr/local
prefix    ?= $(PREFIX)
sbindir   ?= $(prefix)/sbin
datadir   ?= $(prefix)/share
sysconfdir ?= /etc
unitdir   ?= $(prefix)/lib/systemd/system
PYTHON    ?= /usr/bin/python3
SAN       ?=
Q         := $(if $(V),,@)

# ---- packages ------------------------------------------------------------------------------

PKGS      := libvirt libmicrohttpd jansson gnutls zlib libsystemd inih libpng libvirt-qemu libxml-2.0 libxxhash
MINIMUM   := libvirt=9.0.0 libmicrohttpd=0.9.75 jansson=2.13
TEST_PKGS := cmocka libcurl

# Set-up targets run first in a make of their own, so that pkg-config is asked afterwards.
SETUP_GOALS := run test bench
ifeq ($(filter help clean setup $(SETUP_GOALS),$(MAKECMDGOALS)),)
ifneq ($(shell pkg-config --exists $(PKGS) && echo ok),ok)
$(error missing libraries: $(shell pkg-config --print-errors --exists $(PKGS) 2>&1 | tr '\n' ' ')- `make setup` installs them)
endif
$(foreach m,$(MINIMUM),$(if $(shell pkg-config --atleast-version=$(lastword $(subst =, ,$(m))) \
  $(firstword $(subst =, ,$(m))) && echo ok),,$(error $(firstword $(subst =, ,$(m))) is older than $(lastword $(subst =, ,$(m))))))
endif

# ---- flags ---------------------------------------------------------------------------------

WARN := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
  -Wformat=2 -Wundef -Wvla -Wcast-qual -Wwrite-strings -Wno-gnu-statement-expression $(WERROR)
HARDEN := -fPIE -fstack-protector-strong -fstack-clash-protection -fcf-protection
ifeq ($(SAN),)
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
else
HARDEN += -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
endif
CPPFLAGS += -D_GNU_SOURCE -DVG_VERSION='"$(VERSION)"' -Iinclude -I. -I$(O)/gen
ALL_CFLAGS = -std=gnu17 $(WARN) $(HARDEN) $(CFLAGS) -pthread $(shell pkg-config --cflags $(PKGS))
ALL_LDFLAGS = -pie -pthread -Wl,-z,relro,-z,now -Wl,--as-needed -rdynamic $(if $(SAN),-fsanitize=$(SAN)) $(LDFLAGS)
# Debian ships no .pc file for wslay.
LIBS = $(shell pkg-config --libs $(PKGS)) -lwslay -ldl

# ---- sources -------------------------------------------------------------------------------

SERVER  := $(sort $(wildcard server/*.c))
ROUTES  := $(sort $(wildcard routes/*.c))
GEN     := enum_tables.c error_table.c linux_keys.c param_types.c xml_repeats.c openapi_spec.c
LIB_OBJ := $(patsubst %.c,$(O)/%.o,$(filter-out server/main.c,$(SERVER)) $(ROUTES)) $(GEN:%.c=$(O)/gen/%.o)
GEN_H   := $(O)/gen/enum_tables.h
LIBVIRT_API = $(shell pkg-config --variable=libvirt_api libvirt)
LIBVIRT_SCHEMAS ?= $(dir $(LIBVIRT_API))../schemas

all: $(O)/virtgate ## build the gateway

$(O)/virtgate: $(O)/server/main.o $(LIB_OBJ)
	@echo "  LINK  $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

$(O)/%.o: %.c | $(GEN_H)
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/gen/%.o: $(O)/gen/%.c | $(GEN_H)
	@echo "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(O)/gen/enum_tables.c $(O)/gen/enum_tables.h &: server/gen/enums.py server/gen/enum_overrides.txt
	@mkdir -p $(@D)
	@echo "  GEN   $(O)/gen/enum_tables.c"
	$(Q)$(PYTHON) server/gen/enums.py --overrides server/gen/enum_overrides.txt --out $(O)/gen $(LIBVIRT_API)

$(O)/gen/param_types.c: server/gen/params.py server/gen/param_overrides.txt
	@mkdir -p $(@D)
	@echo "  GEN   $@"
	$(Q)$(PYTHON) server/gen/params.py --out $@ $(LIBVIRT_API)

$(O)/gen/error_table.c: server/gen/errors.py server/gen/error-status.tsv
	@mkdir -p $(@D)
	@echo "  GEN   $@"
	$(Q)$(PYTHON) server/gen/errors.py --table server/gen/error-status.tsv --out $@ $(LIBVIRT_API)

$(O)/gen/linux_keys.c: server/gen/keys.py
	@mkdir -p $(@D)
	@echo "  GEN   $@"
	$(Q)echo '#include <linux/input-event-codes.h>' | $(CC) -E -dM -x c - | $(PYTHON) server/gen/keys.py --out $@

$(O)/gen/xml_repeats.c: server/gen/repeats.py
	@mkdir -p $(@D)
	@echo "  GEN   $@"
	$(Q)$(PYTHON) server/gen/repeats.py --out $@ $(LIBVIRT_SCHEMAS)

$(O)/gen/openapi_spec.c: server/gen/openapi.py openapi.yaml
	@mkdir -p $(@D)
	@echo "  GEN   $@"
	$(Q)$(PYTHON) server/gen/openapi.py --out $@ openapi.yaml

-include $(shell find $(O) -name '*.d' -type f 2>/dev/null)

.PHONY: all help setup run install uninstall clean

help: ## list the targets
	@sed -n 's/^\([a-z_.-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26
	@echo "Variables: O=build  CC=gcc|clang  SAN=address,undefined  V=1  DESTDIR  prefix  WERROR="

setup: ## install missing Debian packages: for building, tests and lint
	@tests/setup.sh build test lint

run: ## set up, build, and serve libvirt's mock hypervisor on 127.0.0.1:8080 (RUN_ARGS: options)
	@tests/setup.sh build
	@$(MAKE) --no-print-directory all
	$(O)/virtgate --connect test:///default $(RUN_ARGS)

include tests/rules.mk

# ---- install -------------------------------------------------------------------------------

install: all ## install into $(DESTDIR)$(prefix)
	install -D -m 755 $(O)/virtgate $(DESTDIR)$(sbindir)/virtgate
	install -D -m 644 openapi.yaml $(DESTDIR)$(datadir)/virtgate/openapi.yaml
	install -d $(DESTDIR)$(unitdir)
	sed 's|@sbindir@|$(sbindir)|; s|@sysconfdir@|$(sysconfdir)|' docs/virtgate.service \
	  >$(DESTDIR)$(unitdir)/virtgate.service

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(sbindir)/virtgate $(DESTDIR)$(unitdir)/virtgate.service
	rm -rf $(DESTDIR)$(datadir)/virtgate

clean: ## remove what was built
	rm -rf $(O) build-asan build-tsan build-fuzz compile_commands.json
