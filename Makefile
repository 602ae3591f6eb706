# Everything that is built, tested or checked here is a target of this file.
# Needs Go, git and make; the race detector and NVML need a C compiler as well, and
# are skipped without one. Tools are pinned in go.tools.mod and built by Go itself.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# One step at a time: each keeps every core busy by itself.
.NOTPARALLEL:

# Without cgo in every build but those of the race detector and of the node agent, so
# that the scheduler, its tests, the API server that they run against and the
# analyser share one build cache: a cold compile of Kubernetes takes minutes.
export CGO_ENABLED := 0
# With cgo, NVML's header warns of every function that is deprecated.
export CGO_CFLAGS := -O2 -g -Wno-deprecated-declarations
# The version is passed by `make build`. Go's own stamping fails in a checkout
# that belongs to another user, as it often does in a container.
export GOFLAGS := $(strip $(filter-out -buildvcs=%,$(GOFLAGS)) -buildvcs=false)

TOOL := go tool -modfile=go.tools.mod
# go test runs a part of go vet by itself, and for that over all of Kubernetes once for
# each kind of build. `make vet` runs the whole of it, once.
GOTEST := go test -vet=off
MODULE := github.com/berth-dev/berth

# Nodes of the demo's simulated cluster.
NODES ?= 2500

# A variable that no target reads is a mistake, as NODE=300 is.
VARIABLES := COMMIT DURATION FUZZTIME FUZZWORKERS GOFLAGS GOTEST NODES PUSH RUNS SEED STEPS TOPICS VERSION
UNKNOWN := $(filter-out $(VARIABLES),$(foreach pair,$(MAKEOVERRIDES),$(if $(findstring =,$(pair)),$(firstword $(subst =, ,$(pair))))))
ifneq ($(UNKNOWN),)
$(error no target reads $(UNKNOWN); there are $(VARIABLES))
endif

# Packages whose tests start real processes (etcd, kube-apiserver). They run
# in test-integration, and not under the race detector, which does not see
# into another process and makes this one several times slower.
INTEGRATION := ^$(MODULE)/(test/integration|test/chaos|pkg/localcluster|pkg/drills|bench/perf|bench/scale)(/|$$)

##@ Use

.PHONY: help
help: ## List the targets
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

VERSION ?= $(or $(shell git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null),v0.0.0-dev$(addprefix +,$(shell git rev-parse --short --verify --quiet HEAD 2>/dev/null)))
COMMIT ?= $(shell git rev-parse --verify --quiet HEAD 2>/dev/null)
LDFLAGS = -X $(MODULE)/pkg/release.version=$(VERSION) $(if $(COMMIT),-X $(MODULE)/pkg/release.commit=$(COMMIT))

.PHONY: build
build: ## Build the commands into bin/
	@mkdir -p bin
	go build -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...
	@ln -sf berthctl bin/kubectl-berth
	@if command -v "$$(go env CC)" >/dev/null; then \
		echo "berth-agent: again with cgo, which NVML takes; it needs the C library of the node's image"; \
		CGO_ENABLED=1 go build -ldflags '$(LDFLAGS)' -o bin/ ./cmd/berth-agent; \
	else \
		echo "berth-agent: without cgo, for there is no C compiler: it plays boards (--board) and cannot read NVML"; \
	fi

# A module of its own, with what writes images and speaks to registries in it.
.PHONY: image
image: ## Build the images into bin/image, and push them (PUSH=registry.example.com/team)
	SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) go run -C manifests/image . --images berth,berth-agent \
		--version '$(VERSION)' --commit '$(COMMIT)' $(if $(PUSH),--push '$(PUSH)')

.PHONY: demo
demo: ## Run Berth against a simulated cluster on this machine (NODES=2500)
	@echo "compiling berth-local: minutes the first time"
	go run ./cmd/berth-local demo --nodes $(NODES)

.PHONY: drills
drills: ## Have nodes, racks, GPUs and the API fail under gangs, and write docs/drills.md
	go run ./cmd/berth-local drill all --report docs/drills.md

##@ Test

# In the order of what tells most soonest. All steps run, whatever fails, and
# within a step -k does the same.
STEPS := vet lint test-unit test-page test-race test-integration verify manifests-check image-check monitoring-check

.PHONY: test
test: ## Run all of the checks below, time them, and list those that failed
	@rm -rf out/test; mkdir -p out/test; \
	echo "running: $(STEPS)"; \
	failed=; \
	for step in $(STEPS); do \
		echo; echo "=== $$step"; \
		start=$$SECONDS; verdict=ok; \
		$(MAKE) -k $$step 2>&1 | tee out/test/$$step.log || { verdict=FAILED; failed="$$failed $$step"; }; \
		printf '%-18s %-6s %5d s\n' $$step $$verdict $$((SECONDS - start)) >>out/test/summary; \
		tail -n 1 out/test/summary; \
	done; \
	echo; echo "=== summary"; cat out/test/summary; \
	if [ -n "$$failed" ]; then echo "FAILED:$$failed (logs in out/test)"; exit 1; fi; \
	echo "all passed"

.PHONY: vet
vet: ## Compile every package and its tests, and run go vet on them
	go vet ./...

.PHONY: lint
lint: gofmt staticcheck ## Check the formatting and run staticcheck

.PHONY: staticcheck
staticcheck:
	$(TOOL) staticcheck ./...

.PHONY: test-unit
test-unit: ## Run the tests that start no other process
	$(GOTEST) $$(go list ./... | grep -vE '$(INTEGRATION)|/test/page$$')

# Playwright comes from npm; without it, Node.js or Chromium the test says that it is skipped.
# With LIMITS=1 the page must be fast enough too, which asks for an idle machine.
.PHONY: test-page
test-page: ## Open the scheduler's web page in Chromium, if that is installed
	@if ! command -v npm >/dev/null; then echo "page: no npm to install what drives the browser"; \
	elif [ ! -d test/page/node_modules ]; then (cd test/page && npm ci --no-audit --no-fund) || echo "page: npm could not install what drives the browser"; fi
	$(GOTEST) -count=1 -v ./test/page

.PHONY: pictures
pictures: ## Take the screenshots in docs/, and the output of berthctl there, from runs
	SCREENSHOTS=$(CURDIR)/docs/images $(MAKE) test-page
	go test -count=1 ./test/integration -run '^TestWhyAtAPrompt$$' -write-prompts

.PHONY: test-race
test-race: ## Run the unit tests of pkg/ under the race detector
	@packages=$$(go list ./pkg/... | grep -vE '$(INTEGRATION)'); \
	if ! command -v "$$(go env CC)" >/dev/null; then \
		echo "race: skipped, no C compiler; running without"; \
		exec $(GOTEST) $$packages; \
	fi; \
	CGO_ENABLED=1 $(GOTEST) -race -timeout 20m $$packages

# Two packages at a time: each has an API server of its own, and waits more than it works.
# The longest comes first.
.PHONY: test-integration
test-integration: ## Run the tests against a real etcd and API server, the benchmarks' among them
	$(GOTEST) -count=1 -p 2 -timeout 50m ./test/integration $$(go list ./... | grep -E '$(INTEGRATION)' | grep -v '/test/integration$$')

.PHONY: test-operators
test-operators: ## Play the scenarios of all operators, and write docs/compatibility.md; and those of Karpenter
	go test -count=1 -timeout 90m -parallel 1 ./test/integration -run '^(TestOperators|TestAutoscaler)$$' -v -operators=all -operators-page=$(CURDIR)/docs/compatibility.md -karpenter

# KEDA's scalers come with the clients of every cloud: the first build takes a quarter of an hour.
.PHONY: test-keda
test-keda: ## Have KEDA's Prometheus scaler take the number of the example in manifests/monitoring
	go test -count=1 -timeout 60m ./test/integration -run '^TestPrometheus$$' -v -keda

# How long make chaos goes on, and the seed of its first round; 0 for another each time.
DURATION ?= 10m
SEED ?= 0

.PHONY: chaos
chaos: NODES = 24
chaos: ## Play faults of requests and processes against Berth (DURATION=1h SEED=7 NODES=256)
	go test -count=1 -timeout 0 ./test/chaos -run '^TestChaos$$' -v -chaos.duration=$(DURATION) -chaos.seed=$(SEED) -chaos.nodes=$(NODES)

# How long make fuzz runs each target, and how many workers it has; one a core if empty.
FUZZTIME ?= 1m
FUZZWORKERS ?=

.PHONY: fuzz
fuzz: ## Run every fuzz target for a while, one after the other (FUZZTIME=10m FUZZWORKERS=1)
	@rm -rf out/fuzz; mkdir -p out/fuzz; \
	targets=$$(grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' bench cmd manifests pkg test | sed -E 's|/[^/]*:func | |' | sort); \
	total=$$(wc -l <<<"$$targets"); n=0; failed=; \
	while read -r package target; do \
		n=$$((n + 1)); verdict=ok; log=out/fuzz/$${package//\//.}.$$target.log; \
		echo; echo "=== $$n of $$total: $$target of ./$$package, for $(FUZZTIME)"; \
		go test ./$$package -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $(if $(FUZZWORKERS),-parallel=$(FUZZWORKERS)) </dev/null 2>&1 | tee $$log || { verdict=FAILED; failed="$$failed $$target"; }; \
		printf '%-22s %-6s %s\n' $$target $$verdict "$$(grep -o 'execs: [0-9]*' $$log | tail -n 1)" >>out/fuzz/summary; \
	done <<<"$$targets"; \
	echo; echo "=== summary"; cat out/fuzz/summary; \
	if [ -n "$$failed" ]; then echo "FAILED:$$failed (the inputs are under testdata/fuzz; commit them with what mends them)"; exit 1; fi; \
	echo "all passed"

.PHONY: manifests-check
manifests-check: ## Render the manifests and check every object in them
	$(GOTEST) -count=1 ./manifests/...

.PHONY: image-check
image-check: ## Make the images, and start what is in them
	cd manifests/image && go vet ./... && $(GOTEST) -count=1 ./...

# A module of its own, with Prometheus in it. promtool is built into bin/, once.
.PHONY: monitoring-check
monitoring-check: ## Check the dashboards and alerts, and unit-test each alert with promtool
	cd test/monitoring && go vet ./... && $(GOTEST) -count=1 ./...

##@ Measure

# A part of the benchmarks: make bench TOPICS=gpu-single,gangs-64 RUNS=1
TOPICS ?=
RUNS ?= 3

.PHONY: bench
bench: ## Measure schedulers at 2,500 nodes (TOPICS=gpu-single RUNS=1 for a part)
	go run ./bench/perf $(if $(TOPICS),--topics '$(TOPICS)') --runs $(RUNS)
ifeq ($(TOPICS),)
	go run ./bench/cycle --runs $(RUNS)
	go run ./bench/topology
endif
	go run ./bench/render

.PHONY: bench-cycle
bench-cycle: ## Measure scheduling cycles without an API server, at 2,500 to 25,000 nodes
	go run ./bench/cycle --runs $(RUNS)
	go run ./bench/render

.PHONY: bench-topology
bench-topology: ## Measure what it is worth to know how GPUs are linked
	go run ./bench/topology
	go run ./bench/render

.PHONY: bench-fragmentation
bench-fragmentation: ## Measure over how many racks gangs are spread: hours; goes on where it was stopped
	go run ./bench/fragmentation --continue
	go run ./bench/render

.PHONY: bench-scale
bench-scale: ## Measure schedulers as processes of their own (NODES=10000); goes on where it was stopped
	go run ./bench/scale --nodes $(NODES) --rounds $(RUNS)
	go run ./bench/render

.PHONY: bench-tables
bench-tables: ## Write the tables of bench/README.md from the results that are checked in
	go run ./bench/render --report bench/results/report.json --readme bench/README.md

##@ Maintain

.PHONY: generate
generate: ## Regenerate the generated code
	go generate ./...

.PHONY: gofmt
gofmt:
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; fi

.PHONY: verify
verify: gofmt verify-generated verify-tables verify-tidy verify-sums verify-versions ## Check generated code, formatting and modules

# Whatever `make generate` changes is stale by definition, so no list of
# generated files is kept here. On failure the tree has the fresh ones.
CHECKSUMS = find . -type f -not -path './.git/*' -not -path './bin/*' -not -path './out/*' -not -path './bench/out/*' -exec sha256sum {} + | sort -k 2

.PHONY: verify-generated
verify-generated:
	@before=$$($(CHECKSUMS)); \
	$(MAKE) generate; \
	if ! diff <(echo "$$before") <($(CHECKSUMS)); then echo "generated code was stale: commit what make generate wrote"; exit 1; fi

.PHONY: verify-tables
verify-tables:
	@go run ./bench/render --report bench/results/report.json --readme bench/README.md --check

.PHONY: verify-tidy
verify-tidy:
	@go mod tidy -diff || { echo "run go mod tidy"; exit 1; }
	@cd test/monitoring && go mod tidy -diff || { echo "run go mod tidy in test/monitoring"; exit 1; }
	@cd manifests/image && go mod tidy -diff || { echo "run go mod tidy in manifests/image"; exit 1; }

# That the downloaded modules are what go.sum says. Those of the tools are
# checked when they are downloaded; a second pass over them is slow.
.PHONY: verify-sums
verify-sums:
	@go mod verify

# A module that both go.mod and go.tools.mod build from must have one version
# in both: otherwise kube-apiserver shares nothing with the scheduler's build,
# and compiles Kubernetes a second time.
MODULE_VERSIONS := -m -f '{{.Path}} {{with .Replace}}{{.Version}}{{else}}{{.Version}}{{end}}' all

.PHONY: verify-versions
verify-versions:
	@main=$$(go list $(MODULE_VERSIONS)); \
	tools=$$(go list -modfile=go.tools.mod $(MODULE_VERSIONS)); \
	differing=$$(join <(sort <<<"$$main") <(sort <<<"$$tools") | \
		awk '$$1 ~ /^(golang\.org\/x|google\.golang\.org|go\.etcd\.io|k8s\.io)\// && $$2 != $$3 { print "  " $$1 ": " $$2 ", tools " $$3 }'); \
	if [ -n "$$differing" ]; then echo "go.mod and go.tools.mod disagree:"; echo "$$differing"; exit 1; fi
