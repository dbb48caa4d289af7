package parleytest

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// StartHAProxy starts HAProxy before nodes, each request for the next of them that is ready, and returns its URL.
func StartHAProxy(t testing.TB, nodes ...*Node) (url string) {
	t.Helper()
	program, err := exec.LookPath("haproxy")
	if err != nil {
		t.Fatalf("%v: run make install", err)
	}
	addr := FreeAddr(t)
	var config strings.Builder
	fmt.Fprintf(&config, `global
  maxconn 1000
defaults
  mode http
  balance roundrobin
  retries 3
  option redispatch
  timeout connect 1s
  timeout client 1m
  timeout server 1m
listen parley
  bind %s
  option httpchk GET /readyz
`, addr)
	for i, n := range nodes {
		fmt.Fprintf(&config, "  server node%d %s check inter 100ms fall 1 rise 1\n", i, strings.TrimPrefix(n.URL, "http://"))
	}
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(file, []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, out := exec.Command(program, "-db", "-f", file), &Output{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("HAProxy's log:\n%s", out.Tail(4096))
		}
	})
	url = "http://" + addr
	Eventually(t, "HAProxy finds a node that is ready", func() bool {
		response, err := http.Get(url + "/readyz")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return url
}
