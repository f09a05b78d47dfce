# Short names; CMake builds (CMakePresets.json has the variants), scripts/ does the rest.
PREFIX ?= /usr/local
DESTDIR ?=

.PHONY: all run test test-vm bench format install clean

all:
	@scripts/setup --check
	@cmake --preset release -DCMAKE_INSTALL_PREFIX=$(PREFIX) >/dev/null
	@cmake --build build

run:
	@scripts/setup
	@$(MAKE) --no-print-directory all
	@scripts/demo

test:
	@scripts/setup test
	@scripts/test

test-vm:
	@scripts/setup vm
	@cmake --preset test >/dev/null
	@cmake --build --preset test
	@tests/vm/image
	@tests/vm/run

bench:
	@scripts/setup test
	@$(MAKE) --no-print-directory all
	@bench/run

format:
	@scripts/lint format --fix

install: all
	DESTDIR=$(DESTDIR) cmake --install build

clean:
	rm -rf build build-clang build-test build-asan build-fuzz build-vm
