# The commands of the house. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Two packages at a time: several tests run a browser or a PostgreSQL beside Go.
PARALLEL ?= 2
TIMEOUT ?= 40m
FUZZTIME ?= 10s
PACKAGES ?= ./...

# The second build: keys in an HSM, with cgo, tried with SoftHSM.
HSM = ./internal/keys/pkcs11
TAGGED = $(if $(filter ./... ./internal/... ./internal/keys/... $(HSM) $(HSM)/...,$(PACKAGES)),yes)

# A third build can switch off rules of the decision point and other layers, and
# the proof must notice each.
MUTATED = $(if $(filter ./... ./web/... ./web/gateway ./web/gateway/...,$(PACKAGES)),./web/gateway) \
	$(if $(filter ./... ./cmd/... ./cmd/app ./cmd/app/...,$(PACKAGES)),./cmd/app)

.PHONY: help dev build test test-tools bench chaos attack proof fuzz lint generate verify clean

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

dev: ## run everything for development: server, sandbox, demo app
	go run ./cmd/mandate dev $(ARGS)

build: ## build the static binary ./mandate
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o mandate ./cmd/mandate

test: test-tools ## run every test; a skipped one fails
	go vet $(PACKAGES)
	$(if $(TAGGED),CGO_ENABLED=1 go vet -tags pkcs11 $(HSM) ./cmd/app)
	mkdir -p artefacts
	$(if $(TAGGED),CGO_ENABLED=1) go run ./internal/arch/testsum -count=1 -timeout=$(TIMEOUT) -p=$(PARALLEL) $(PACKAGES) \
		$(if $(TAGGED),-- -count=1 -timeout=$(TIMEOUT) -tags pkcs11 $(HSM)/...) \
		$(if $(strip $(MUTATED)),-- -count=1 -timeout=$(TIMEOUT) -tags mutation -run '^(TestEveryRuleIsProven|TestEverySafeguardIsProven|TestLayers|TestThieves)$$' $(MUTATED))

test-tools: ## install what the tests need and is missing
	@scripts/test-tools.sh

bench: ## measure a started server beside its floor; ARGS="-h" explains
	go run ./conformance/bench $(ARGS)

chaos: test-tools ## break database, disk, clock and server under load, the long form
	go test ./conformance/chaos -count=1 -timeout=45m -v -args -long

attack: ## attack a started server: guessing, sessions, APIs; list what stopped each step
	go test ./conformance/attack -count=1 -timeout=10m -v

proof: ## let the oracle judge CASES random cases (100000) of SEED (1), from case FROM on
	go test ./web/gateway -run '^TestProof$$' -count=1 -timeout=30m -v -args -proof.seed=$(or $(SEED),1) -proof.cases=$(or $(CASES),100000) -proof.from=$(or $(FROM),1)
	go test ./conformance/algorithm -count=1 -timeout=30m -v -args -algorithm.seed=$(or $(SEED),1)

fuzz: ## run each fuzz target for FUZZTIME
	@scripts/fuzz.sh $(FUZZTIME)

lint: ## run the linters, installing them into .tools/ if missing
	@scripts/lint.sh

generate: ## make the generated files again; R4=FOLDER adds the FHIR tables
	go run ./internal/arch/picture
	$(if $(R4),go run ./fhir/compartment/gen $(R4) fhir/compartment/tables.tsv)

verify: ## fail when a generated or badly formatted file is found
	go mod verify
	go run ./internal/arch/picture -check
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "run gofmt -w on:" $$unformatted; exit 1; fi
	go test -count=1 ./internal/arch

clean: ## remove what was built; tools and demo data stay
	rm -rf mandate artefacts
	go clean -testcache
