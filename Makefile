# The commands of this project. `make test` is what CI runs; `make prove` is the same at full size.

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GQLGEN      = github.com/99designs/gqlgen

PROOFS = prove-laptop prove-cluster prove-redis prove-transports prove-rendering prove-presence prove-hostile \
	prove-identity prove-limits \
	prove-clients \
	prove-single \
	prove-conformance \
	prove-trouble prove-restart prove-readers prove-idle \
	prove-playground prove-suites \
	prove-soak prove-fuzz

.PHONY: run test prove generate generated lint portable unit fuzz web docs bench bench-code bench-test install conformance $(PROOFS)

run: ## start a server on this machine
	go run .

test: install generated lint portable unit fuzz web ## everything, at reduced counts

install: ## what the tests need: redis-server, chromium, npm packages
	./.ci/install

generate: ## graph/ from schema.graphqls, the playground's build, the stock clients' types
	go run $(GQLGEN) generate
	cd web/playground && npm ci && npm run build
	cd e2e/clients && npm ci && npm run generate

generated: ## fail if graph/ isn't what gqlgen makes of the schema
	./.ci/unchanged graph -- go run $(GQLGEN) generate

lint:
	test -z "$$(gofmt -l $$(git ls-files '*.go' ':!graph/*'))" || { gofmt -l $$(git ls-files '*.go' ':!graph/*'); exit 1; }
	! git grep -nE '^(<<<<<<< |>>>>>>> )' # left over from a merge
	go vet ./...
	go mod tidy -diff
	go run $(STATICCHECK) ./...
	cd bench && go vet ./... && go mod tidy -diff && go run $(STATICCHECK) ./...

portable: ## the program builds where its raw-socket code has a twin
	GOOS=darwin go build -o /dev/null .
	GOOS=windows go build -o /dev/null .

unit: ## every Go suite under the race detector, end-to-end ones included
	go test -race -count=1 -timeout 18m -parallel 4 ./...

fuzz: ## a second for each decoder
	./.ci/fuzz 1s

web: ## lint of what is JavaScript, types and build of the playground, types of the stock clients; fail if what is committed differs
	cd web/playground && npm run lint
	cd e2e/conformance && npm run lint
	./.ci/unchanged web/playground/dist -- npm --prefix web/playground run build
	./.ci/unchanged e2e/clients/src/gql -- npm --prefix e2e/clients run generate
	cd e2e/clients && npm run check

RUNS = 3
bench: install ## Parley beside its peers, table and plots into bench/results: 35 minutes. QUICK=-quick, RUNS=1, ONLY="W1 W3" make it shorter (the first and the last only print)
	go build -o .bin/parley .
	cd bench && go build -o ../.bin/ . ./servers/...
	npm ci --prefix bench/servers/node --no-audit --no-fund --loglevel=error
	cd bench && ../.bin/bench -runs $(RUNS) -only "$(ONLY)" $(QUICK) $(if $(QUICK)$(ONLY),,-results results)

bench-code: ## benchmarks beside the hot code
	go test -run '^$$' -bench . -benchmem ./delivery ./render ./store/... ./transport/...

bench-test: install ## every workload of the benchmark for a moment; its decoders
	npm ci --prefix bench/servers/node --no-audit --no-fund --loglevel=error
	cd bench && go test -count=1 ./...

conformance: install ## how well a server keeps to the protocols: URL=http://host/graphql; with none ours, beside gqlgen's own
	$(if $(URL),node e2e/conformance/main.mjs $(URL),go test -count=1 -v -run TestConformance ./e2e)

# Each line below shows one of the promises at full size.
PROVE = PARLEY_PROVE=1 go test -race -count=1 -v -timeout 30m
PROVE_PLAIN = PARLEY_PROVE=1 PARLEY_E2E_RACE=0 go test -count=1 -v -timeout 30m

prove: install $(PROOFS)
prove-laptop: ## one command, no Redis: the README's tour; kill -9 in the middle of 5,000 messages
	$(PROVE) -run 'TestReadme|TestKillInTheMiddleOfSending' ./e2e
prove-cluster: ## two nodes on one Redis: order, healing, kill -9, outages, lost tail, FLUSHALL
	$(PROVE) -run 'TestTwoNodes|TestRedis' ./e2e
prove-redis: ## Sentinel and Cluster under sending: failovers, a slot move, kill -9, a lagging replica; WAIT, TLS, ACL
	$(PROVE) -run 'TestClusterUnder|TestClusterMaster|TestSentinel|TestLaggingReplica' ./e2e
	$(PROVE) -run 'TestStoreOnCluster|TestWait|TestACLRules|TestTLS|TestOpenRefuses' ./store/redis
prove-transports: ## the scenarios of every transport: cuts anywhere, kick and expiry in the middle, slow readers, 10,000 storms each
	$(PROVE) -timeout 90m -run 'Scenarios' ./transport/...
prove-trouble: ## a node cut off, Redis paused, slow or silent; SQLite's disk full, its file held or taken; a second process
	$(PROVE) -run 'TestTrouble' ./e2e
prove-rendering: ## one execution per event and audience for 1,000 subscribers; shared and per-viewer bytes equal for 10,000 random documents (without the race detector, under which they would take an hour: make test has it for some)
	$(PROVE) -run 'TestRenderedOnce|TestTooManyAudiences|TestNothingIsLeftBehind' ./e2e
	$(PROVE_PLAIN) -run 'TestSharedRendering' ./resolvers
prove-presence: ## typing and presence across nodes; a killed node's users go OFFLINE once
	$(PROVE) -run 'TestPresence|TestTyping|TestOnlyMembers' ./e2e
prove-hostile: ## bad input of every kind, over every transport; all abuses, and each transport's word for them, in one table
	$(PROVE) -run 'TestHostile' ./e2e
prove-identity: ## 10,000 revocations and 10,000 expiries under traffic at two nodes; refresh, tickets, an issuer that rotates, fails and stalls
	$(PROVE) -timeout 90m -run 'TestIdentity' ./e2e
	$(PROVE) -run 'TestKeySet|TestRevo|TestTicket' ./auth
prove-restart: ## three nodes restarted in turn under 5,000 connections and 200 messages a second: nothing lost, nobody comes in a herd (of the program as it is; make test has it under the race detector, with fewer)
	$(PROVE_PLAIN) -run 'TestRollingRestart' ./e2e
prove-readers: ## 500 readers stand still for a minute under traffic: flat memory, nobody waits, and woken they get everything once (of the program as it is, too: memory is the point)
	$(PROVE_PLAIN) -run 'TestStoppedReaders' ./e2e
prove-idle: ## 2,000 connections to whom nothing is sent, by every transport, with and without TLS: no goroutine, and what memory (of the program as it is)
	$(PROVE_PLAIN) -run 'TestIdle' ./e2e
prove-limits: ## each limit by every transport; 20,000 connections and 200,000 bad frames leave nothing behind
	$(PROVE) -run 'TestLimits' ./e2e
	$(PROVE) -run 'TestStore/rates|TestStoreAcross/rates|TestRate' ./store/redis ./store/sqlite
prove-playground: ## sign in, subscribe, send and receive in headless Chromium
	$(PROVE) -run 'TestPlayground' ./e2e
prove-clients: ## 50 forced reconnects of each stock client under traffic: no gap, no duplicate
	$(PROVE) -run 'TestStockClient' ./e2e
prove-single: ## graphql-sse's single connection mode: three nodes behind HAProxy, the owner killed at every step and under traffic; hostile clients
	$(PROVE) -run 'TestSingleConnection|TestHostileSingle' ./e2e
	$(PROVE) -run 'TestSingle|TestChecklist(Res|Stream|Op|Late)' -skip Scenarios ./transport/sse
prove-conformance: ## every line of the protocols' checklists, ours and gqlgen's side by side; the draft's statuses
	$(PROVE) -run 'TestConformance|TestDraft2026' ./e2e
	$(PROVE) -run 'TestChecklist' ./transport/...
prove-suites: ## every other suite at full counts under the race detector, and longer fuzzing
	PARLEY_PROVE=1 go test -race -count=1 -timeout 60m -skip "TestSoak|Scenarios|TestSharedRendering" ./...
prove-soak: ## 30 minutes of mixed traffic on two nodes: nothing lost, nothing grows
	PARLEY_PROVE=1 go test -race -count=1 -v -timeout 60m -run 'TestSoak' ./e2e
prove-fuzz: ## an hour of fuzzing, divided over every decoder
	./.ci/fuzz all 3600
