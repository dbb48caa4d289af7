package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// clockTick is what /proc counts CPU time in (USER_HZ, which is 100 on every Linux that Go runs on).
const clockTick = 10 * time.Millisecond

// process is a program that bench has started.
type process struct {
	cmd *exec.Cmd
	log lockedBuffer
}

// start starts a program with some variables beside the environment's. It ends with the context, or by stop.
func start(ctx context.Context, env []string, name string, args ...string) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, name, args...)}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	return p, p.cmd.Start()
}

func (p *process) stop() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // it says that it was killed
}

// answers waits until somebody listens at the process's address.
func (p *process) answers(ctx context.Context, addr string) error {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err == nil {
			return conn.Close()
		}
		if ctx.Err() != nil {
			break
		}
	}
	return fmt.Errorf("%s doesn't answer at %s: %s", p.cmd.Path, addr, p.log.String())
}

// usage is what a process has used since it started.
type usage struct {
	// cpu is in user and kernel mode together.
	cpu time.Duration
	// writes are calls of write and writev: of whatever it sent, since files are hardly written here.
	writes int64
}

func (u usage) since(before usage) usage { return usage{u.cpu - before.cpu, u.writes - before.writes} }

func (p *process) usage() (usage, error) {
	cpu, err := cpuOf(p.cmd.Process.Pid)
	if err != nil {
		return usage{}, err
	}
	writes, err := p.field("io", "syscw:")
	return usage{cpu, writes}, err
}

// cpuOf is the CPU time that a process has used.
func cpuOf(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return cpuIn(stat)
}

// cpuIn reads user and kernel time out of /proc/PID/stat, proc(5).
func cpuIn(stat []byte) (time.Duration, error) {
	// The name, in parentheses, may hold anything; utime and stime are the 12th and 13th after it.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/PID/stat: %q", stat)
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * clockTick, errors.Join(err, err2)
}

// resident is the process's resident memory (VmRSS), in KiB.
func (p *process) resident() (float64, error) {
	kib, err := p.field("status", "VmRSS:")
	return float64(kib), err
}

func (p *process) field(file, name string) (int64, error) {
	return field(fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, file), name)
}

// field is the number behind a name in a file of /proc.
func field(file, name string) (int64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	_, rest, found := strings.Cut("\n"+string(text), "\n"+name)
	words := strings.Fields(rest)
	if !found || len(words) == 0 {
		return 0, fmt.Errorf("no %s in %s", name, file)
	}
	return strconv.ParseInt(words[0], 10, 64)
}

// socketMemory is what the kernel holds in buffers of all TCP sockets of this machine, in KiB.
func socketMemory() (float64, error) {
	text, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), "TCP: ")
	line, _, _ := strings.Cut(rest, "\n")
	_, pages, found := strings.Cut(line, " mem ")
	if !found {
		return 0, fmt.Errorf("/proc/net/sockstat: %q", text)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(pages), 10, 64)
	return float64(n) * float64(os.Getpagesize()) / 1024, err
}

// freeAddr is an address of this machine that nobody listens at: below the ports that the system gives to clients.
func freeAddr() (string, error) {
	for port := 21_000; port < 32_000; port++ {
		addr := fmt.Sprintf("127.0.0.1:%d", port)
		if listener, err := net.Listen("tcp", addr); err == nil {
			return addr, listener.Close()
		}
	}
	return "", errors.New("no port from 21000 to 32000 is free")
}

// startRedis starts a Redis that keeps nothing on disk, and returns its address.
func startRedis(ctx context.Context) (*process, string, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, "", err
	}
	_, port, _ := net.SplitHostPort(addr)
	p, err := start(ctx, nil, "redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no", "--dir", os.TempDir())
	if err != nil {
		return nil, "", err
	}
	if err := p.answers(ctx, addr); err != nil {
		p.stop()
		return nil, "", err
	}
	return p, addr, nil
}

// lockedBuffer keeps the first of what is written to it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const maxLog = 64 << 10

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.buf.Len() < maxLog {
		b.buf.Write(p)
	}
	return len(p), nil
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
