# `make run` starts a server, `make test` proves it. Needed beforehand: Go,
# Python 3 and Node; everything else is installed by `make setup`.

GO ?= go
# The end-to-end tests build the binary and drive it with real clients; they
# are no unit tests and run by themselves.
PACKAGES = $$($(GO) list ./... | grep -v /test/e2e)
E2E = E2E_REQUIRE_CLIENTS=1 $(GO) test -count=1 -timeout 20m ./test/e2e

.PHONY: run build setup test check e2e bench ops torture generate

run: build ## a server with all defaults, in ./thingd-data
	./bin/thingd serve

build: ## bin/thingd
	$(GO) build -o bin/thingd ./cmd/thingd

setup: ## what the tests need and this machine lacks
	@tools/setup/setup.sh

test: setup ## everything: check, then the end-to-end tests
	@$(MAKE) --no-print-directory check
	$(E2E)

# go vet has run before: the tests need not run it again.
check: ## format, vet, staticcheck, all unit tests with the race detector
	@unformatted=$$(gofmt -l $$(find . -path ./.setup -prune -o -name '*.go' -print)); \
	if [ -n "$$unformatted" ]; then echo "gofmt wants to change:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) run honnef.co/go/tools/cmd/staticcheck ./...
	$(GO) test -race -vet=off -timeout 12m $(PACKAGES)

e2e: setup ## the built binary with real clients
	$(E2E)

bench: ## figures of speed and size, beside mosquitto
	tools/setup/setup.sh bench
	$(GO) test -run '^$$' -bench . -benchtime 200ms $(PACKAGES)
	tools/bench/run.sh

ops: ## docs/operations.md anew, and its table
	$(GO) run ./tools/ops > docs/operations.md.new
	@mv docs/operations.md.new docs/operations.md
	@sed -n '/^| service/,/^$$/p' docs/operations.md

torture: setup ## kill -9 under load, again and again, for E2E_TORTURE (10m)
	E2E_TORTURE=$${E2E_TORTURE:-10m} $(E2E) -v -timeout 0 -run TestNothingAcknowledgedIsLostInACrash

generate: ## the code that is made from AWS's service models
	$(GO) generate ./...
