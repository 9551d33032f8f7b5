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
mandir    ?= $(datadir)/man
docdir    ?= $(datadir)/doc/virtgate
sysconfdir ?= /etc
unitdir   ?= $(prefix)/lib/systemd/system
sysusersdir ?= $(prefix)/lib/sysusers.d
PYTHON    ?= /usr/bin/python3
SAN       ?=
# Whether the page at /docs is built in, for which npm fetches Swagger UI.
DOCS      ?= yes
export DOCS
# Whether the console at /ui/ is, for which npm fetches what it is made of.
UI        ?= yes
export UI
Q         := $(if $(V),,@)

# ---- packages ------------------------------------------------------------------------------

PKGS      := libvirt libmicrohttpd jansson gnutls zlib libsystemd inih libpng libvirt-qemu libvirt-admin libxml-2.0 libxxhash libpcre2-8 libcurl libarchive libcrypt libnbd
MINIMUM   := libvirt=9.0.0 libmicrohttpd=0.9.75 jansson=2.13
TEST_PKGS := cmocka

# Set-up targets run first in a make of their own, so that pkg-config is asked afterwards.
SETUP_GOALS := run dev test bench
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

SERVER  := $(sort $(shell find server -name '*.c'))
ROUTES  := $(sort $(shell find routes -name '*.c'))
GEN     := enum_tables.c error_table.c linux_keys.c param_types.c xml_repeats.c openapi_spec.c \
  docs_files.c ui_files.c
LIB_OBJ := $(patsubst %.c,$(O)/%.o,$(filter-out server/main.c,$(SERVER)) $(ROUTES)) $(GEN:%.c=$(O)/gen/%.o)
GEN_H   := $(O)/gen/enum_tables.h
LIBVIRT_API = $(shell pkg-config --variable=libvirt_api libvirt)
# What generators find unknown fails the build, where this version is known to them.
LIBVIRT = --libvirt $(shell pkg-config --modversion libvirt) $(LIBVIRT_API)
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

$(O)/gen/enum_tables.c $(O)/gen/enum_tables.h &: server/gen/enums.py server/gen/findings.py server/gen/enum_overrides.txt
	@mkdir -p $(@D)
	@echo "  GEN   $(O)/gen/enum_tables.c"
	$(Q)$(PYTHON) server/gen/enums.py --overrides server/gen/enum_overrides.txt --out $(O)/gen $(LIBVIRT)

$(O)/gen/param_types.c: server/gen/params.py server/gen/findings.py server/gen/param_overrides.txt
	@mkdir -p $(@D)
	@echo "  GEN   $@"
	$(Q)$(PYTHON) server/gen/params.py --out $@ $(LIBVIRT)

$(O)/gen/error_table.c: server/gen/errors.py server/gen/findings.py server/gen/error-status.tsv
	@mkdir -p $(@D)
	@echo "  GEN   $@"
	$(Q)$(PYTHON) server/gen/errors.py --table server/gen/error-status.tsv --out $@ $(LIBVIRT)

$(O)/gen/linux_keys.c: server/gen/keys.py
	@mkdir -p $(@D)
	@echo "  GEN   $@"
	$(Q)echo '#include <linux/input-event-codes.h>' | $(CC) -E -dM -x c - | $(PYTHON) server/gen/keys.py --out $@

$(O)/gen/xml_repeats.c: server/gen/repeats.py server/gen/repeat_overrides.txt
	@mkdir -p $(@D)
	@echo "  GEN   $@"
	$(Q)$(PYTHON) server/gen/repeats.py --out $@ $(LIBVIRT_SCHEMAS)

$(O)/gen/openapi_spec.c: server/gen/embed.py server/gen/yaml_text.py openapi.yaml
	@mkdir -p $(@D)
	@echo "  GEN   $@"
	$(Q)$(PYTHON) server/gen/embed.py --out $@ openapi.yaml

# ---- the page at /docs ---------------------------------------------------------------------

# Fetched once for all build folders.
WEB        := build/web
SWAGGER    := $(WEB)/node_modules/swagger-ui-dist
LICENCES   := $(addprefix $(SWAGGER)/,LICENSE NOTICE swagger-ui-bundle.js.LICENSE.txt)
DOCS_FILES := docs/web/docs.js $(addprefix $(SWAGGER)/,swagger-ui-bundle.js swagger-ui.css) $(LICENCES)
ifeq ($(DOCS),yes)
DOCS_PAGE  := docs/web/index.html
DOCS_STAMP := $(WEB)/fetched
else ifeq ($(DOCS),no)
DOCS_PAGE  := docs/web/plain.html
DOCS_FILES :=
LICENCES   :=
else
$(error DOCS is yes or no, not '$(DOCS)')
endif
WITHOUT_DOCS := `make DOCS=no` builds without the page at /docs

# No script of a package runs.
$(WEB)/fetched: docs/web/package.json docs/web/package-lock.json
	@command -v npm >/dev/null || { \
	  echo 'npm is missing: `make setup` installs it (nodejs, npm); $(WITHOUT_DOCS)' >&2; exit 1; }
	@mkdir -p $(@D) && cp docs/web/package*.json $(@D)/
	@echo "  NPM   $(SWAGGER)"
	$(Q)cd $(@D) && npm ci --loglevel=error --no-audit --no-fund --ignore-scripts >/dev/null || { \
	  echo 'npm could not fetch Swagger UI; $(WITHOUT_DOCS)' >&2; exit 1; }
	@touch $@

# Remembers what DOCS was.
$(O)/gen/docs-$(DOCS):
	@mkdir -p $(@D) && rm -f $(@D)/docs-* && touch $@

$(O)/gen/docs_files.c: server/gen/docs.py server/gen/embed.py $(DOCS_PAGE) docs/web/docs.js \
  $(DOCS_STAMP) $(O)/gen/docs-$(DOCS)
	@echo "  GEN   $@"
	$(Q)$(PYTHON) server/gen/docs.py --out $@ $(DOCS_PAGE) $(DOCS_FILES)

# ---- the console at /ui/ -------------------------------------------------------------------

UI_WEB    := build/ui
UI_DIST   := $(UI_WEB)/dist
UI_SOURCE := $(shell find ui -name '*.js' -o -name '*.css' -o -name '*.mjs')
ifeq ($(UI),yes)
UI_PAGE   := ui/index.html
UI_FILES  := $(addprefix $(UI_DIST)/,app.js app.css terminal.js terminal.css display.js tus.js licences.txt)
UI_STAMP  := $(UI_DIST)/built
else ifeq ($(UI),no)
UI_PAGE   := ui/plain.html
UI_FILES  :=
UI_STAMP  :=
else
$(error UI is yes or no, not '$(UI)')
endif
WITHOUT_UI := `make UI=no` builds without the console at /ui/

$(UI_WEB)/fetched: ui/package.json ui/package-lock.json
	@command -v npm >/dev/null || { \
	  echo 'npm is missing: `make setup` installs it (nodejs, npm); $(WITHOUT_UI)' >&2; exit 1; }
	@mkdir -p $(@D) && cp ui/package*.json $(@D)/
	@echo "  NPM   $(UI_WEB)"
	$(Q)cd $(@D) && npm ci --loglevel=error --no-audit --no-fund --ignore-scripts >/dev/null || { \
	  echo 'npm could not fetch what the console is made of; $(WITHOUT_UI)' >&2; exit 1; }
	@touch $@

$(UI_DIST)/built: $(UI_WEB)/fetched $(UI_SOURCE)
	@echo "  UI    $(UI_DIST)"
	$(Q)node ui/build.mjs $(UI_WEB)/node_modules $(UI_DIST)
	@touch $@

# Remembers what UI was.
$(O)/gen/ui-$(UI):
	@mkdir -p $(@D) && rm -f $(@D)/ui-* && touch $@

$(O)/gen/ui_files.c: server/gen/docs.py server/gen/embed.py $(UI_PAGE) $(UI_STAMP) $(O)/gen/ui-$(UI)
	@echo "  GEN   $@"
	$(Q)$(PYTHON) server/gen/docs.py --name ui --out $@ $(UI_PAGE) $(UI_FILES)

-include $(shell find $(O) -name '*.d' -type f 2>/dev/null)

.PHONY: all help setup run dev openapi install uninstall deb clean

help: ## list the targets
	@sed -n 's/^\([a-z_.-]*\):.*## \(.*\)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 26
	@echo "Variables: O=build  CC=gcc|clang  SAN=address,undefined  V=1  DESTDIR  prefix  WERROR=  DOCS=no  UI=no"

setup: ## install missing Debian packages: for building, tests and lint
	@tests/setup.sh build test lint

run: ## set up, build, and serve libvirt's mock hypervisor on 127.0.0.1:8080 (RUN_ARGS: options)
	@tests/setup.sh build
	@$(MAKE) --no-print-directory all
	$(O)/virtgate --connect test:///default $(RUN_ARGS)

dev: ## build with sanitizers and serve the mock hypervisor, its files in build-asan/files (RUN_ARGS)
	@tests/setup.sh build
	@+$(MAKE) --no-print-directory O=build-asan SAN=address,undefined WERROR= CFLAGS='-O1 -g' all
	@mkdir -p build-asan/files
	ASAN_OPTIONS=detect_leaks=1 LSAN_OPTIONS=suppressions=tests/harness/lsan.supp \
	  build-asan/virtgate --connect test:///default --local-dir $(CURDIR)/build-asan/files $(RUN_ARGS)

include tests/rules.mk

# ---- the API's description -----------------------------------------------------------------

# The route tables are the program's, so it is built first, with the description of before.
openapi: all ## write openapi.yaml, from routes/**/*.yaml, docs/openapi/ and the route tables
	$(O)/virtgate --dump-routes | $(PYTHON) server/gen/openapi.py -
	@$(MAKE) --no-print-directory all

# ---- install -------------------------------------------------------------------------------

install: all ## install into $(DESTDIR)$(prefix)
	install -D -m 755 $(O)/virtgate $(DESTDIR)$(sbindir)/virtgate
	install -D -m 644 openapi.yaml $(DESTDIR)$(datadir)/virtgate/openapi.yaml
	$(if $(LICENCES),install -D -m 644 -t $(DESTDIR)$(docdir)/swagger-ui $(LICENCES))
	$(if $(UI_FILES),install -D -m 644 -t $(DESTDIR)$(docdir)/ui $(UI_DIST)/licences.txt)
	install -d $(DESTDIR)$(unitdir)
	sed 's|@sbindir@|$(sbindir)|; s|@sysconfdir@|$(sysconfdir)|' docs/virtgate.service \
	  >$(DESTDIR)$(unitdir)/virtgate.service
	install -m 644 docs/virtgate.socket $(DESTDIR)$(unitdir)/virtgate.socket
	install -D -m 644 docs/virtgate.sysusers $(DESTDIR)$(sysusersdir)/virtgate.conf
	install -d $(O)/man
	$(O)/virtgate --dump-options | $(PYTHON) server/gen/manual.py $(VERSION) $(O)/man $(sysconfdir)
	install -D -m 644 $(O)/man/virtgate.8 $(DESTDIR)$(mandir)/man8/virtgate.8
	install -D -m 644 $(O)/man/virtgate.conf.5 $(DESTDIR)$(mandir)/man5/virtgate.conf.5
	install -D -m 644 $(O)/man/virtgate.bash $(DESTDIR)$(datadir)/bash-completion/completions/virtgate
	install -D -m 644 $(O)/man/_virtgate $(DESTDIR)$(datadir)/zsh/vendor-completions/_virtgate
	test -e $(DESTDIR)$(sysconfdir)/virtgate/virtgate.conf || \
	  install -D -m 644 $(O)/man/virtgate.conf $(DESTDIR)$(sysconfdir)/virtgate/virtgate.conf

# Debian's builders have no network: what npm fetches goes into a package whose profile says so.
DEB := $(O)/deb
DEB_PROFILE := $(if $(filter yes,$(DOCS) $(UI)),pkg.virtgate.console)
DEB_FETCHED := $(strip $(if $(filter yes,$(DOCS)),$(WEB)) $(if $(filter yes,$(UI)),$(UI_WEB)))
deb: $(DOCS_STAMP) $(UI_STAMP) ## build the Debian packages, into build/deb
	rm -rf $(DEB) && mkdir -p $(DEB)/virtgate
	tar -c --exclude=./.git --exclude='./build*' --exclude=./node_modules . | tar -x -C $(DEB)/virtgate
	$(if $(DEB_FETCHED),tar -c $(DEB_FETCHED) | tar -x -C $(DEB)/virtgate)
	cd $(DEB)/virtgate && env -u MAKEFLAGS -u MAKELEVEL -u O CC='$(CC)' \
	  dpkg-buildpackage --no-sign --no-pre-clean --build=binary $(DEB_FLAGS) -j$(shell nproc) $(DEB_PROFILE:%=--build-profiles=%)
	@ls $(DEB)/*.deb

uninstall: ## remove what install put there
	rm -f $(DESTDIR)$(sbindir)/virtgate $(DESTDIR)$(unitdir)/virtgate.service \
	  $(DESTDIR)$(unitdir)/virtgate.socket $(DESTDIR)$(sysusersdir)/virtgate.conf \
	  $(DESTDIR)$(mandir)/man8/virtgate.8 \
	  $(DESTDIR)$(mandir)/man5/virtgate.conf.5 \
	  $(DESTDIR)$(datadir)/bash-completion/completions/virtgate \
	  $(DESTDIR)$(datadir)/zsh/vendor-completions/_virtgate
	rm -rf $(DESTDIR)$(datadir)/virtgate $(DESTDIR)$(docdir)

clean: ## remove what was built
	rm -rf $(O) $(WEB) $(UI_WEB) build-asan build-tsan build-fuzz build-debian-* compile_commands.json
