// Package redistest starts Redis servers for tests: private ones, on the loopback interface, that end
// with the test.
package redistest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// patience bounds how long a server may take to start or to stop.
const patience = 10 * time.Second

// Server is a redis-server process with a data folder of its own. It keeps an append-only file that is
// written before answers are sent, so that what was acknowledged survives Kill. Its methods fail the
// test where they can't do what they say.
type Server struct {
	// URL is what clients are given. It stays the same over restarts.
	URL string

	t    testing.TB
	dir  string
	port int
	// tlsPort is where it listens for TLS, 0 unless it was started with [TLS].
	tlsPort int
	args    []string
	// watches is the Sentinel's configuration, "" for a server.
	watches string

	mu      sync.Mutex
	process *process // nil while stopped
	client  *goredis.Client
}

// process is one life of a server.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended
}

// Start starts a server and stops it when the test ends. Further arguments are as on redis-server's
// command line ("--cluster-enabled", "yes").
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return launch(t, &Server{args: args})
}

// launch starts what is described on a port of its own.
func launch(t testing.TB, s *Server) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "redistest")
	if err != nil {
		t.Fatal(err)
	}
	s.t, s.dir = t, dir
	t.Cleanup(func() {
		s.Stop()
		_ = s.client.Close()
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	// A port that was free may be taken by somebody else before the server takes it.
	for try := 1; ; try++ {
		s.port = freePort(t)
		s.URL = fmt.Sprintf("redis://%s/0", s.address())
		if slices.Contains(s.args, tlsCertFile) {
			s.tlsPort = freePort(t)
			s.URL = fmt.Sprintf("rediss://%s/0", s.served())
		}
		s.client = goredis.NewClient(&goredis.Options{
			Addr: s.address(), MaxRetries: -1, DialerRetries: 1, DisableIdentity: true,
		})
		err := s.start()
		if err == nil {
			return s
		}
		_ = s.client.Close()
		if try == 3 {
			t.Fatalf("redistest: %v", err)
		}
	}
}

// Address returns the URL.
func (s *Server) Address() string { return s.URL }

const tlsCertFile = "--tls-cert-file"

// TLS returns the arguments of servers that listen for TLS too, and speak it among themselves, by files of
// a certificate that is its own authority and of its key. Their URLs are for TLS then; tests still do what
// they do behind Parley's back without.
func TLS(cert, key string) []string {
	return []string{
		tlsCertFile, cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-replication", "yes", "--tls-cluster", "yes",
	}
}

// tlsOf returns those of [TLS] among arguments.
func tlsOf(args []string) []string {
	i := slices.Index(args, tlsCertFile)
	if i < 0 {
		return nil
	}
	return args[i : i+len(TLS("", ""))]
}

// Running reports whether the server hasn't been stopped.
func (s *Server) Running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process != nil
}

// Ports for servers: none that the kernel gives to clients. Each is given out once in a long while, for until
// a server has taken it, or takes it again after a restart, it looks free to other tests.
const firstPort, ports = 10_000, 9000

var nextPort = func() *atomic.Uint32 {
	var n atomic.Uint32
	n.Store(rand.Uint32N(ports))
	return &n
}()

func freePort(t testing.TB) int {
	t.Helper()
	var l net.Listener
	err := errors.New("no port was tried")
	for range 100 {
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", firstPort+nextPort.Add(1)%ports)); err == nil {
			defer l.Close()
			return l.Addr().(*net.TCPAddr).Port
		}
	}
	t.Fatal(err)
	return 0
}

// address is where the tests come to.
func (s *Server) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// served is where clients and other servers come to.
func (s *Server) served() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.servedPort())) }

func (s *Server) servedPort() int {
	if s.tlsPort != 0 {
		return s.tlsPort
	}
	return s.port
}

// scheme is that of URLs, "redis" or "rediss".
func (s *Server) scheme() string {
	scheme, _, _ := strings.Cut(s.URL, "://")
	return scheme
}

// start starts the process and waits until it answers.
func (s *Server) start() error {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return fmt.Errorf("install redis-server 7.0 or later (apt-get install redis-server): %w", err)
	}
	args, err := s.commandLine()
	if err != nil {
		return err
	}
	p := &process{cmd: exec.Command(path, args...), ended: make(chan struct{})}
	p.cmd.SysProcAttr = withUs()
	if err := p.cmd.Start(); err != nil {
		return err
	}
	go func() {
		_ = p.cmd.Wait() // how it ended doesn't matter
		close(p.ended)
	}()
	s.mu.Lock()
	s.process = p
	s.mu.Unlock()
	return s.untilReady(p)
}

// commandLine returns the arguments to start it with. A Sentinel keeps what it learns in its file.
func (s *Server) commandLine() ([]string, error) {
	args := []string{
		"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir, "--logfile", filepath.Join(s.dir, "log"),
	}
	if s.tlsPort != 0 {
		args = append(args, "--tls-port", strconv.Itoa(s.tlsPort))
	}
	if s.watches == "" {
		return slices.Concat(args, []string{
			"--daemonize", "no", "--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--enable-debug-command", "yes",
		}, s.args), nil
	}
	var text strings.Builder
	for setting := range slices.Chunk(append(args, s.args...), 2) {
		fmt.Fprintln(&text, strings.TrimPrefix(setting[0], "--"), setting[1])
	}
	file := filepath.Join(s.dir, "sentinel.conf")
	if err := os.WriteFile(file, []byte(text.String()+s.watches), 0o600); err != nil {
		return nil, err
	}
	return []string{file, "--sentinel"}, nil
}

func (s *Server) untilReady(p *process) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	poll := time.NewTicker(5 * time.Millisecond)
	defer poll.Stop()
	for {
		select {
		case <-p.ended:
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			return fmt.Errorf("redis-server has ended: %s", tail(string(log)))
		case <-ctx.Done():
			return fmt.Errorf("redis-server doesn't answer within %v", patience)
		case <-poll.C:
			if s.client.Ping(ctx).Err() == nil {
				return nil
			}
		}
	}
}

func tail(log string) string {
	lines := strings.Split(strings.TrimSpace(log), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], "; ")
}

// Client returns a client of the server, for what a test wants to do behind Parley's back.
func (s *Server) Client() *goredis.Client { return s.client }

// Do runs a command.
func (s *Server) Do(args ...any) any {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	got, err := s.client.Do(ctx, args...).Result()
	if err != nil {
		s.t.Fatalf("redistest: %v: %v", args[0], err)
	}
	return got
}

// Stop ends the server as its operator would; nothing is lost. It does nothing to one that is stopped.
func (s *Server) Stop() { s.end(os.Interrupt) }

// Kill ends the server with SIGKILL.
func (s *Server) Kill() { s.end(os.Kill) }

func (s *Server) end(signal os.Signal) {
	s.t.Helper()
	s.mu.Lock()
	p := s.process
	s.process = nil
	s.mu.Unlock()
	if p == nil {
		return
	}
	if err := p.cmd.Process.Signal(signal); err != nil {
		s.t.Errorf("redistest: %v", err)
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		s.t.Errorf("redistest: the server doesn't end within %v", patience)
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// Dir returns the server's data folder.
func (s *Server) Dir() string { return s.dir }

// Freeze stops the server's process in its tracks, as a machine that hangs, until Thaw. Connections stay
// open and answer nothing.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(signal os.Signal) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		s.t.Fatal("redistest: the server isn't running")
	}
	if err := s.process.cmd.Process.Signal(signal); err != nil {
		s.t.Fatalf("redistest: %v", err)
	}
}

// CutReplicas ends replication from this server, and lets no replica in again: what is written from now
// on is here only.
func (s *Server) CutReplicas() {
	s.t.Helper()
	s.Do("ACL", "SETUSER", replicaUser, "off")
	s.Do("CLIENT", "KILL", "TYPE", "replica")
	eventually(s.t, "no replica is connected", func() bool { return s.info("INFO", "replication")["connected_slaves"] == "0" })
}

// Restart starts the server again, with the data it had, after ending it if it is running. Further
// arguments come after those it was started with.
func (s *Server) Restart(args ...string) {
	s.t.Helper()
	s.Stop()
	s.args = append(s.args, args...)
	if err := s.start(); err != nil {
		s.t.Fatalf("redistest: %v", err)
	}
}

// Flush empties the server under its clients' feet.
func (s *Server) Flush() {
	s.t.Helper()
	s.Do("FLUSHALL")
}

// KillPubSub closes all pub/sub connections and returns how many there were.
func (s *Server) KillPubSub() int64 {
	s.t.Helper()
	n, _ := s.Do("CLIENT", "KILL", "TYPE", "pubsub").(int64)
	return n
}

// quiet drops what go-redis writes to standard error of servers that tests have ended.
type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

func init() { goredis.SetLogger(quiet{}) }

// Snapshot is the data of a server at some moment.
type Snapshot struct{ dir string }

// Snapshot copies what the server has now; at least all that has been acknowledged.
func (s *Server) Snapshot() Snapshot {
	s.t.Helper()
	// While a slow disk syncs, "everysec" keeps what it acknowledged in memory for up to two seconds.
	s.Do("CONFIG", "SET", "appendfsync", "always")
	defer s.Do("CONFIG", "SET", "appendfsync", "everysec")
	snapshot := Snapshot{dir: s.t.TempDir()}
	if err := os.CopyFS(filepath.Join(snapshot.dir, appendOnly), os.DirFS(filepath.Join(s.dir, appendOnly))); err != nil {
		s.t.Fatalf("redistest: %v", err)
	}
	return snapshot
}

// appendOnly is the folder in which redis-server keeps its append-only file.
const appendOnly = "appendonlydir"

// RestoreSnapshot ends the server and starts it again with the data of a snapshot: what was written
// since is lost.
func (s *Server) RestoreSnapshot(snapshot Snapshot) {
	s.t.Helper()
	s.Kill()
	own := filepath.Join(s.dir, appendOnly)
	if err := os.RemoveAll(own); err != nil {
		s.t.Fatalf("redistest: %v", err)
	}
	if err := os.CopyFS(own, os.DirFS(filepath.Join(snapshot.dir, appendOnly))); err != nil {
		s.t.Fatalf("redistest: %v", err)
	}
	s.Restart()
}
