package e2e

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"parley/e2e/parleytest"
)

// conformanceTime bounds all probes of all servers together.
const conformanceTime = 5 * time.Minute

// TestConformance asks the server how well it keeps to the protocols, line by line (conformance/), and
// beside it gqlgen's own transports and the protocols' reference servers, over the same schema. All of
// ours must be right; what the others do is told.
func TestConformance(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(filepath.Join("conformance", "node_modules", "graphql-http")); err != nil {
		t.Fatalf("%v: run make install", err)
	}
	node := installed(t, "node")
	times := append(os.Environ(), "INIT_TIMEOUT=2", "HEARTBEAT=2", "PATIENCE=20")
	ours := parleytest.Start(t, map[string]string{"PARLEY_HEARTBEAT": "2s", "PARLEY_INIT_TIMEOUT": "2s"})
	gqlgen := startPeer(t, func(host, port string) *exec.Cmd {
		return exec.Command(buildGqlgen(t), "-addr", net.JoinHostPort(host, port))
	})
	reference := startPeer(t, func(_, port string) *exec.Cmd {
		cmd := exec.Command(node, filepath.Join("conformance", "reference.mjs"), port)
		cmd.Env = times
		return cmd
	})

	ctx, cancel := context.WithTimeout(t.Context(), conformanceTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, filepath.Join("conformance", "main.mjs"), "--strict",
		"parley="+ours.URL+"/graphql", "gqlgen="+gqlgen, "reference="+reference)
	cmd.Env = times
	table, err := cmd.CombinedOutput()
	t.Logf("\n%s", table)
	if err != nil {
		t.Errorf("not every line of ours is right: %v", err)
	}
}

// buildGqlgen builds conformance/stockgqlgen.
func buildGqlgen(t *testing.T) (binary string) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), "stockgqlgen")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./conformance/stockgqlgen").CombinedOutput(); err != nil {
		t.Fatalf("building gqlgen's server: %v\n%s", err, out)
	}
	return binary
}

// startPeer starts another server, which ends with the test, and returns the URL of its endpoint.
func startPeer(t *testing.T, command func(host, port string) *exec.Cmd) (url string) {
	t.Helper()
	addr := parleytest.FreeAddr(t)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	cmd := command(host, port)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the log of %s:\n%s", cmd.Path, log.Bytes())
		}
	})
	url = "http://" + addr + "/graphql"
	parleytest.Eventually(t, cmd.Path+" listens", func() bool {
		response, err := http.Get(url)
		if err == nil {
			_ = response.Body.Close()
		}
		return err == nil
	})
	return url
}

// TestDraft2026 switches the server to the statuses of GraphQL over HTTP's draft of August 2026.
func TestDraft2026(t *testing.T) {
	t.Parallel()
	draft := parleytest.Start(t, map[string]string{"PARLEY_DRAFT2026": "true"})
	audited := parleytest.Start(t, nil)
	const accept = "application/graphql-response+json"
	for name, test := range map[string]struct {
		query          string
		audited, draft int
	}{
		"data":                 {`{"query":"{ __typename }"}`, 200, 200},
		"data and errors":      {`{"query":"{ rooms { edges { cursor } } }"}`, 200, 294},
		"document not parsed":  {`{"query":"{"}`, 400, 400},
		"document not valid":   {`{"query":"{ nothing }"}`, 400, 422},
		"variable not coerced": {`{"query":"query($id: ID!) { room(id: $id) { id } }","variables":{"id":null}}`, 400, 422},
		"query missing":        {`{}`, 400, 422},
	} {
		t.Run(name, func(t *testing.T) {
			for n, want := range map[*parleytest.Node]int{audited: test.audited, draft: test.draft} {
				ctx, cancel := context.WithTimeout(t.Context(), parleytest.Patience)
				response, err := sendHTTP(ctx, n, attempt{body: test.query}, http.MethodPost, accept)
				cancel()
				if err != nil {
					t.Fatal(err)
				}
				_ = response.Body.Close()
				if response.StatusCode != want {
					t.Errorf("got %d, want %d", response.StatusCode, want)
				}
			}
		})
	}
}
