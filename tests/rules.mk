# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The Makefile's targets for tests, fuzzing, torture, benchmarks and lint; included by it.

# ---- tests ---------------------------------------------------------------------------------

SOURCES   := $(SERVER) $(ROUTES)
HARNESS   := $(sort $(wildcard tests/harness/*.c) $(wildcard tests/qemu/guest.c))
UNIT_SRC  := $(sort $(shell find tests/unit -name 'test_*.c'))
HTTP_SRC  := $(sort $(shell find tests/api tests/qemu -name 'test_*.c'))
HARN_OBJ  := $(HARNESS:%.c=$(O)/%.o)
UNIT_BIN  := $(UNIT_SRC:%.c=$(O)/%)
HTTP_BIN  := $(HTTP_SRC:%.c=$(O)/%)
SCRIPTS   := $(wildcard .ci/run tests/*.sh tests/*/*.sh examples/*.sh examples/*/*.sh)
FORMATTED := $(sort $(shell find include server routes tests -name '*.[ch]'))
RUN       := O=$(O) tests/run.sh
.SECONDARY: $(UNIT_BIN:%=%.o) $(HTTP_BIN:%=%.o)

# Rows of tests leave out what does not matter to them.
$(O)/tests/%.o: ALL_CFLAGS += -Wno-missing-field-initializers $(shell pkg-config --cflags $(TEST_PKGS) 2>/dev/null)

$(UNIT_BIN): $(O)/tests/unit/%: $(O)/tests/unit/%.o $(LIB_OBJ)
	@echo "  LINK  $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) $(shell pkg-config --libs cmocka)

$(HTTP_BIN): $(O)/tests/%: $(O)/tests/%.o $(HARN_OBJ)
	@echo "  LINK  $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# The gateway as the tests run it: it notes which functions of libvirt each operation calls.
TRACED := $(O)/tests/trace/virtgate
$(O)/gen/calls.c $(O)/gen/calls.ld &: tests/trace/calls.py tests/contract/acl.tsv tests/contract/api-coverage.tsv $(LIB_OBJ)
	@echo "  GEN   $(O)/gen/calls.c"
	$(Q)$(PYTHON) tests/trace/calls.py --out $(O)/gen/calls.c --link $(O)/gen/calls.ld \
	  $(LIBVIRT_API) $(LIB_OBJ)
$(TRACED): $(O)/virtgate $(O)/server/main.o $(LIB_OBJ) $(O)/gen/calls.o $(O)/tests/trace/trace.o $(O)/gen/calls.ld
	@echo "  LINK  $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) @$(O)/gen/calls.ld $(LIBS)

.PHONY: test tests check check-changed check-unit check-api check-qemu check-contract check-browser \
  check-fleet check-packages check-asan check-tsan check-debian cover mutants valgrind bench bench-run \
  bench-peers bench-peers-run lint compile_commands.json

test: ## set up, build, and pass all tests
	@tests/setup.sh build test
	@$(MAKE) --no-print-directory check

tests: $(O)/virtgate $(TRACED) $(UNIT_BIN) $(HTTP_BIN) ## build the tests

check: tests ## all tests
	@$(RUN) unit api qemu contract
check-unit: $(UNIT_BIN) ## tests of single functions
	@$(RUN) unit
check-api: tests ## API scenarios on test:///default
	@$(RUN) api
check-qemu: tests ## the same on a real libvirtd with QEMU guests (needs root)
	@$(RUN) qemu
check-contract: tests ## openapi.yaml, layers, coverage of libvirt's API (after check-api)
	@$(RUN) contract
check-browser: ## pages in a real browser, with real guests (needs root)
	@tests/setup.sh build test browser
	@$(MAKE) --no-print-directory $(O)/virtgate
	@$(RUN) browser

check-fleet: ## examples/: 300 hosts behind HAProxy, a gateway lost; TypeScript, Kubernetes
	@tests/setup.sh build test
	@$(MAKE) --no-print-directory $(O)/virtgate
	@O=$(O) VIRTGATE_BIN=$(CURDIR)/$(O)/virtgate tests/fleet/fleet.py

check-changed: tests ## only what the uncommitted change touches (SINCE=COMMIT: since then)
	@tests/changed.sh $(SINCE)

# The same tests once more, in German, are not for the sanitizers.
check-asan: ## all test programs under AddressSanitizer and UBSan, in build-asan
	@+$(MAKE) --no-print-directory O=build-asan SAN=address,undefined WERROR= CFLAGS='-O1 -g' tests
	@O=build-asan ASAN_OPTIONS=detect_leaks=1:abort_on_error=1 UBSAN_OPTIONS=print_stacktrace=1 \
	  LSAN_OPTIONS=suppressions=$(CURDIR)/tests/harness/lsan.supp VG_CHANGES=100 VG_PAIRS=50 \
	  VG_TEST='!(language.py)' tests/run.sh unit api qemu

check-tsan: ## API tests under ThreadSanitizer, in build-tsan
	@+$(MAKE) --no-print-directory O=build-tsan SAN=thread WERROR= CFLAGS='-O1 -g' tests
	@O=build-tsan TSAN_OPTIONS=halt_on_error=0:exitcode=66:suppressions=$(CURDIR)/tests/harness/tsan.supp \
	  tests/run.sh api

# QEMU's suite by SUITES="unit api qemu contract", without those of its tests that take long and go by
# no release, unless VG_TEST names others.
ELSEWHERE := !(*language.py|*coherence.py|*texts.py|*test_chaos|*watch.py)
check-debian: ## build and test on another Debian, in build-debian-SUITE: SUITE=trixie (needs root)
	@tests/setup.sh debian
	@VG_TEST='$(or $(VG_TEST),$(ELSEWHERE))' tests/debian.sh $(or $(SUITE),trixie) \
	  $(or $(SUITES),unit api contract)

check-packages: ## build the Debian packages on 12 and 13; install, use, upgrade, purge them (needs root)
	@tests/setup.sh debian package
	@tests/packages/check.sh $(SUITE)

# As the compiler finds the lines, without optimization. A gateway that is killed counts nothing.
cover: ## lines and branches that the tests enter, by folder, in build-cover (SUITES="unit api qemu")
	@tests/setup.sh build test cover
	@find build-cover -name '*.gcda' -delete 2>/dev/null || true
	@+$(MAKE) --no-print-directory O=build-cover HARDEN=-fPIE WERROR= \
	  CFLAGS='-O0 -g --coverage -fprofile-update=atomic' LDFLAGS=--coverage tests
	@O=build-cover tests/run.sh $(or $(SUITES),unit api qemu); tests/cover.py build-cover --functions

mutants: ## whether the tests see small faults in FILE="server/... ..." (TESTS="unit/core/test_*" COUNT=20 SEED=1 LIST=...)
	@tests/setup.sh build test
	@O=$(O) tests/mutants.py $(FILE) $(if $(TESTS),--tests $(TESTS)) $(if $(COUNT),--count $(COUNT)) \
	  $(if $(SEED),--seed $(SEED)) $(if $(LIST),--list $(LIST))

VALGRIND := valgrind -q --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=99 \
  --suppressions=tests/harness/valgrind.supp
valgrind: tests ## API scenarios under valgrind: no definite leak, no error
	@VG_WRAP='$(VALGRIND)' $(RUN) api

# ---- fuzzing, torture ----------------------------------------------------------------------

FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BIN := $(FUZZ_SRC:%.c=$(O)/%)
FUZZ_MAKE = $(MAKE) --no-print-directory O=build-fuzz CC=clang \
  SAN=fuzzer-no-link,address,undefined CFLAGS='-O1 -g' WERROR=
.SECONDARY: $(FUZZ_BIN:%=%.o) $(O)/tests/fuzz/common.o
.PHONY: fuzz check-fuzz fuzz-targets torture

$(FUZZ_BIN): $(O)/tests/fuzz/%: $(O)/tests/fuzz/%.o $(O)/tests/fuzz/common.o $(LIB_OBJ)
	@echo "  LINK  $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -Wl,--wrap=vg_log -o $@ $^ $(LIBS)

fuzz-targets: $(FUZZ_BIN)

check-fuzz: ## fuzz targets on what is known, then FUZZ_SECONDS=5 each on new inputs
	@+$(FUZZ_MAKE) fuzz-targets
	@FUZZ_SECONDS=$(or $(FUZZ_SECONDS),5) tests/fuzz/run.sh $(FUZZ_TARGETS)

fuzz: ## the same for longer: FUZZ_SECONDS=600, FUZZ_TARGETS="xml json"
	@+$(MAKE) --no-print-directory check-fuzz FUZZ_SECONDS=$(or $(FUZZ_SECONDS),600)

$(O)/tests/torture/%.so: tests/torture/%.c
	@mkdir -p $(@D)
	@echo "  LINK  $@"
	$(Q)$(CC) $(CPPFLAGS) -std=gnu17 $(WARN) $(CFLAGS) -fPIC -shared -o $@ $< -ldl

$(O)/tests/torture/torture: $(O)/tests/torture/torture.o $(O)/tests/torture/rows.o $(HARN_OBJ)
	@echo "  LINK  $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS) $(shell pkg-config --libs libcurl)

torture: $(O)/virtgate $(O)/tests/torture/torture $(O)/tests/torture/fail.so ## each allocation fails once (TORTURE_STEP=7: every 7th)
	@VIRTGATE_BIN=$(O)/virtgate TORTURE_PRELOAD=$(abspath $(O))/tests/torture/fail.so \
	  TORTURE_STEP=$(TORTURE_STEP) $(O)/tests/torture/torture

BENCH_BIN := $(patsubst %.c,$(O)/%,$(wildcard tests/bench/*.c))
$(BENCH_BIN): $(O)/%: $(O)/%.o
	@echo "  LINK  $@"
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

bench-run: $(O)/virtgate $(BENCH_BIN)
	@O=$(O) tests/bench/run.sh
bench: ## measure beside libvirt's C API and bare libmicrohttpd (root; BENCH_SECONDS=1)
	@tests/setup.sh build test bench
	@$(MAKE) --no-print-directory bench-run

bench-peers-run: $(O)/virtgate
	@O=$(O) tests/bench/peers.sh
bench-peers: ## measure beside nginx and an application of Flask (root; BENCH_SECONDS=1)
	@tests/setup.sh build test bench
	@$(MAKE) --no-print-directory bench-peers-run

# ---- lint ----------------------------------------------------------------------------------

LINTS := format tidy cppcheck shell openapi ui
.PHONY: format $(LINTS:%=lint-%)

lint: ## every static check; each counts as one
	@tests/setup.sh build lint
	@good=0; bad=0; for l in $(LINTS); do echo "lint-$$l"; \
	  if $(MAKE) --no-print-directory lint-$$l; then good=$$((good + 1)); else bad=$$((bad + 1)); fi; \
	done; echo "$$good passed, $$bad failed"; [ $$bad = 0 ]

format: ## let clang-format rewrite the sources
	@clang-format -i $(FORMATTED)

lint-format: # clang-format has nothing to change
	@clang-format --dry-run -Werror $(FORMATTED)

lint-tidy: compile_commands.json # clang-tidy by .clang-tidy
	@printf '%s\n' $(SOURCES) $(UNIT_SRC) $(HTTP_SRC) $(HARNESS) | \
	  xargs -P "$$(nproc)" -n 4 clang-tidy --quiet -p . 2>/dev/null

# It does not see that what a scope owns is freed at its end; check-asan and valgrind do.
lint-cppcheck: $(GEN_H) # cppcheck
	@cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
	  --error-exitcode=1 --library=posix \
	  --library=tests/harness/cppcheck.cfg --suppress=missingInclude --suppress=memleak \
	  --suppress=invalidFunctionArg:server/core/content.c \
	  --suppress=resourceLeak -j "$$(nproc)" -D_GNU_SOURCE -DVG_VERSION='""' \
	  -Iinclude -I. -I$(O)/gen $(SOURCES) $(HARNESS) $(HTTP_SRC)

lint-shell: # shellcheck
	@shellcheck $(SCRIPTS)

LINT_NPM := $(O)/npm/node_modules
$(LINT_NPM)/fetched: tests/contract/package.json tests/contract/package-lock.json
	@mkdir -p $(O)/npm && cp tests/contract/package*.json $(O)/npm/
	@cd $(O)/npm && npm ci --silent --no-audit --no-fund --ignore-scripts && touch node_modules/fetched

lint-openapi: $(LINT_NPM)/fetched # the linter of tests/contract/package.json on openapi.yaml
	@cd tests/contract && NODE_PATH=$(abspath $(O))/npm/node_modules \
	  $(abspath $(O))/npm/node_modules/.bin/redocly lint $(CURDIR)/openapi.yaml

ifeq ($(UI),yes)
UI_TYPES := $(UI_WEB)/types/api.d.ts
$(UI_TYPES): openapi.yaml $(LINT_NPM)/fetched
	@mkdir -p $(@D) && $(LINT_NPM)/.bin/openapi-typescript $< --default-non-nullable=false -o $@ >/dev/null

lint-ui: $(UI_TYPES) $(UI_WEB)/fetched # tsc on the console: what it calls is in openapi.yaml
	@$(LINT_NPM)/.bin/tsc -p ui
else
lint-ui: # there is no console
endif

compile_commands.json: export COMMAND = clang $(CPPFLAGS) $(ALL_CFLAGS) -Wno-missing-field-initializers
compile_commands.json: $(GEN_H) ## for clang-tidy and editors
	@for f in $(SOURCES) $(UNIT_SRC) $(HTTP_SRC) $(HARNESS); do \
	  jq -n --arg d '$(CURDIR)' --arg f "$$f" --arg c "$$COMMAND -c $$f" \
	  '{directory: $$d, file: $$f, command: $$c}'; done | jq -s . >$@
