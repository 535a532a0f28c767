# Piranha: the commands of daily work. `make` lists them.

# Directories of an installation; `scripts/install-files` says what goes where.
export PREFIX ?= /usr
export SBINDIR ?= $(PREFIX)/sbin
export SYSCONFDIR ?= /etc
export MANDIR ?= $(PREFIX)/share/man
export DOCDIR ?= $(PREFIX)/share/doc/piranha
export UNITDIR ?= $(PREFIX)/lib/systemd/system
export INITDIR ?= $(SYSCONFDIR)/init.d
export DESTDIR ?=

.DEFAULT_GOAL := help
.PHONY: help packages build test unit sanitise lab-check scenarios soak fuzz coverage miri audit demo fmt lint dependencies doc man-lint install uninstall deb rpm bench

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

packages: ## install the Debian packages that test, demo and lint use
	@scripts/install-packages

build: ## build the suite into target/release
	cargo build --release

test: packages build unit sanitise lab-check scenarios ## run all tests; the scenarios in a kernel with IPVS

unit: ## run the tests that need no IPVS
	cargo test --workspace --exclude testbed --no-fail-fast
	cargo test -p testbed --lib
	tests/admin/run

sanitise: ## run unsafe code and the daemons under the address sanitizer and valgrind
	tests/sanitised/run
	tests/sanitised/memcheck

lab-check: ## check that the lab boots a kernel with IPVS and keeps its promises
	tests/lab/check

scenarios: ## run the end-to-end scenarios against target/release (SCENARIOS="nat crash" for some)
	tests/lab/run-scenarios $(SCENARIOS)
	$(if $(SCENARIOS),,tests/lab/in-ipvs-kernel tests/admin/run systemd)

soak: packages build ## a thousand steps of chaos (CHAOS_SEED=N repeats a run, CHAOS_STEPS=N shortens it)
	CHAOS_SEED=$(or $(CHAOS_SEED),$(shell date +%s)) CHAOS_STEPS=$(or $(CHAOS_STEPS),1000) CHAOS_SECONDS=86400 \
		LAB_TIME_LIMIT=86400 tests/lab/run-scenarios --live chaos

fuzz: ## feed nonsense to everything that reads bytes, FUZZ_SECONDS each (FUZZ="options load" for some)
	tests/fuzz/run $(or $(FUZZ_SECONDS),60) $(FUZZ)

coverage: ## say how many lines of each crate the tests run that need no IPVS
	scripts/coverage

miri: ## run the deciding crates in miri; needs a nightly toolchain
	scripts/miri

audit: ## check dependencies with cargo-deny and cargo-audit; fetches advisories
	scripts/audit

demo: packages build ## show the suite at work in the terminal (KEEP=1 leaves it up to look around)
	cargo build -p testbed --bin demo
	KEEP=$(KEEP) LAB_TERMINAL=$(KEEP) LAB_TIME_LIMIT=$(if $(KEEP),86400,300) tests/lab/in-ipvs-kernel target/debug/demo

fmt: ## format the code
	cargo fmt

lint: packages ## what continuous integration demands besides the tests
	cargo fmt --check
	cargo clippy --workspace --all-targets -- -D warnings
	$(MAKE) --no-print-directory dependencies doc man-lint

dependencies: ## check licences, what the daemons are linked with, and where unsafe code is
	scripts/check-dependencies

doc: ## build the documentation of the code
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

man-lint: ## check the manual pages
	$(if $(wildcard man/*),mandoc -T lint -W warning $(wildcard man/*))

install: build ## install everything below DESTDIR; PREFIX, SBINDIR, SYSCONFDIR, MANDIR, DOCDIR, UNITDIR, INITDIR
	scripts/install-files install

uninstall: ## remove it again; a configuration that was changed stays
	scripts/install-files uninstall

deb: build ## build the Debian package, in target/packages
	scripts/build-deb

rpm: build ## build the RPM package, in target/packages
	scripts/build-rpm

bench: build ## measure the suite beside keepalived and ipvsadm (ROWS="1 2" for some, SAVE=1 writes docs/benchmarks.*)
	@scripts/install-packages keepalived
	cargo build --release -p bench
	BENCH_SAVE=$(SAVE) BENCH_RUNS=$(RUNS) target/release/bench $(ROWS)
