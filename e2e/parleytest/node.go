package parleytest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Patience is how long tests wait for facts before they fail.
const Patience = 20 * time.Second

var build struct {
	once   sync.Once
	binary string
	err    error
}

// Binary builds the server once per test process, with the race detector, and returns its path.
func Binary(t testing.TB) string {
	t.Helper()
	build.once.Do(func() {
		dir, err := os.MkdirTemp("", "parley-e2e-")
		if err != nil {
			build.err = err
			return
		}
		build.binary = filepath.Join(dir, "parley")
		args := []string{"build", "-o", build.binary}
		if os.Getenv("PARLEY_E2E_RACE") != "0" {
			args = append(args, "-race")
		}
		cmd := exec.Command("go", append(args, "parley")...)
		if out, err := cmd.CombinedOutput(); err != nil {
			build.err = fmt.Errorf("building the server: %w\n%s", err, out)
		}
	})
	if build.err != nil {
		t.Fatal(build.err)
	}
	return build.binary
}

// RemoveBinary removes what Binary built; for TestMain.
func RemoveBinary() {
	if build.binary != "" {
		_ = os.RemoveAll(filepath.Dir(build.binary))
	}
}

// Node is a running server.
type Node struct {
	// URL is the server's base, http://127.0.0.1:port, and Admin that of its metrics.
	URL, Admin string
	// HTTP is a client that trusts the server.
	HTTP *http.Client

	t    testing.TB
	env  []string
	data string
	cmd  *exec.Cmd
	done chan struct{}
	out  *Output
}

// Start starts a server on free ports with settings as environment variables. Unless they name a
// PARLEY_DATA it has a data folder of its own; unless they name PARLEY_RATE_LIMITS, these are off:
// tests are more people in a hurry than one address has. It is stopped when the test ends; a race it reports
// fails the test.
func Start(t testing.TB, settings map[string]string) *Node {
	t.Helper()
	return start(t, "http://", http.DefaultClient, settings)
}

// StartTLS is Start with a certificate.
func StartTLS(t testing.TB, c *Certificate, settings map[string]string) *Node {
	t.Helper()
	all := c.Settings()
	maps.Copy(all, settings)
	return start(t, "https://", c.HTTP(false), all)
}

func start(t testing.TB, scheme string, client *http.Client, settings map[string]string) *Node {
	t.Helper()
	n := &Node{HTTP: client, t: t, data: settings["PARLEY_DATA"], out: &Output{}}
	if n.data == "" {
		n.data = t.TempDir()
	}
	main, admin := FreeAddr(t), FreeAddr(t)
	n.URL, n.Admin = scheme+main, "http://"+admin
	n.env = append(os.Environ(), "PARLEY_ADDR="+main, "PARLEY_ADMIN_ADDR="+admin, "PARLEY_DATA="+n.data, "PARLEY_RATE_LIMITS=off", "GORACE=halt_on_error=0")
	for name, value := range settings {
		if name != "PARLEY_DATA" {
			n.env = append(n.env, name+"="+value)
		}
	}
	n.Restart()
	t.Cleanup(func() {
		n.Stop()
		if bytes.Contains(n.out.Bytes(), []byte("WARNING: DATA RACE")) {
			t.Errorf("the server reported a data race:\n%s", n.out.Bytes())
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", n.out.Tail(8192))
		}
	})
	return n
}

// Restart starts the server again, on the same addresses and data, and waits until it is ready.
func (n *Node) Restart() {
	n.t.Helper()
	n.cmd = exec.Command(Binary(n.t))
	n.cmd.Env, n.cmd.Stdout, n.cmd.Stderr = n.env, n.out, n.out
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		_ = cmd.Wait()
		close(done)
	}(n.cmd, n.done)
	n.WaitReady()
}

// WaitReady waits until the server says that it is ready.
func (n *Node) WaitReady() {
	n.t.Helper()
	Eventually(n.t, "the server is ready", func() bool {
		select {
		case <-n.done:
			n.t.Fatalf("the server ended:\n%s", n.out.Tail(8192))
		default:
		}
		return n.Status("/readyz") == http.StatusOK
	})
}

// Status is the status of a GET of a path, 0 when nobody answers.
func (n *Node) Status(path string) int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, n.URL+path, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	response, err := n.HTTP.Do(r)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// Kill ends the server as a crash would (kill -9).
func (n *Node) Kill() { n.signal(syscall.SIGKILL) }

// Stop ends the server as an operator would.
func (n *Node) Stop() { n.signal(syscall.SIGTERM) }

func (n *Node) signal(sig syscall.Signal) {
	n.t.Helper()
	select {
	case <-n.done:
		return
	default:
	}
	n.Signal(sig)
	n.Wait()
}

// Signal sends a signal, and doesn't wait for what comes of it.
func (n *Node) Signal(sig syscall.Signal) { _ = n.cmd.Process.Signal(sig) } // it may have ended

// Wait waits for the server's end and returns its exit status, -1 where a signal ended it.
func (n *Node) Wait() int {
	n.t.Helper()
	select {
	case <-n.done:
	case <-time.After(Patience):
		_ = n.cmd.Process.Kill()
		<-n.done
		n.t.Errorf("the server didn't end:\n%s", n.out.Tail(8192))
	}
	return n.cmd.ProcessState.ExitCode()
}

// PID is the server's process id.
func (n *Node) PID() int { return n.cmd.Process.Pid }

// Log is what the server has printed so far.
func (n *Node) Log() string { return string(n.out.Bytes()) }

// Deadline returns a function that pauses for a moment, and reports whether Patience is over.
func Deadline() func() bool {
	begin := time.Now()
	return func() bool {
		pause(begin)
		return time.Since(begin) > Patience
	}
}

// pause passes the time between two looks at what has been waited for since begin: more the longer that is, for a
// look at the metrics costs a server under the race detector milliseconds.
func pause(begin time.Time) {
	time.Sleep(min(max(10*time.Millisecond, time.Since(begin)/20), 100*time.Millisecond))
}

// Output keeps what a process prints.
type Output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// Bytes is all that was printed.
func (o *Output) Bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.b.Bytes())
}

// Tail is the last n bytes of it.
func (o *Output) Tail(n int) []byte {
	all := o.Bytes()
	return all[max(0, len(all)-n):]
}

// Ports for servers: none that the kernel gives to clients (ip_local_port_range, from 32768). Each is given
// out once in a long while, for until a server has taken it, or takes it again after a restart, it looks free
// to other tests.
const firstPort, ports = 29_000, 3700

var nextPort = func() *atomic.Uint32 {
	var n atomic.Uint32
	n.Store(rand.Uint32N(ports))
	return &n
}()

// FreeAddr is an address of this machine that nobody listens on.
func FreeAddr(t testing.TB) string {
	t.Helper()
	var l net.Listener
	err := errors.New("no address was tried")
	for range 100 {
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", firstPort+nextPort.Add(1)%ports)); err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal(err)
	return ""
}

// Eventually waits for a fact.
func Eventually(t testing.TB, what string, fact func() bool) {
	t.Helper()
	Within(t, Patience, what, fact)
}

// Within waits for a fact that may take longer than others.
func Within(t testing.TB, patience time.Duration, what string, fact func() bool) {
	t.Helper()
	begin := time.Now()
	for !fact() {
		if time.Since(begin) > patience {
			t.Fatalf("in vain: waiting until %s", what)
		}
		pause(begin)
	}
}
