# SPDX-License-Identifier: Apache-2.0
# What one does with this tree. `make` alone lists it.
.DEFAULT_GOAL := help
.PHONY: help run build test test-interop test-quick soak check bench format

JOBS ?= $(shell nproc)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

run: build/release/build.ninja ## build, start a server, run the first example; ONCE=1: end after it
	@scripts/setup
	@ninja -C build/release -j$(JOBS) avow
	@ONCE=$(ONCE) scripts/run-demo build/release/avow

build: build/release/build.ninja ## the release and its tests, in build/release
	@scripts/setup
	@ninja -C build/release -j$(JOBS)

test: ## everything that must hold: checks, all tests, sanitizers (long the first time, then ccache helps)
	@scripts/test

test-interop: build ## logs and receipts, given to tools of others (fetches them; docs/interop.md)
	@scripts/test-interop build/release/avow

test-quick: build ## the tests of the release alone
	@ctest --test-dir build/release -j$(JOBS) --output-on-failure

soak: build ## 10 000 kills and losses of power, and an hour of simulation (hours; scripts/soak)
	@scripts/soak build/release

check: test ## make test, and clang-tidy over every source (long)
	@tools/check_tidy.sh build/release

bench: build ## the measurements of docs/performance.md
	@scripts/bench build/release --directory build

format: ## lay out every source
	@scripts/setup --test
	@tools/check_format.sh --fix

build/release/build.ninja:
	@scripts/setup
	@cmake --preset release
