package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"parley/e2e/parleytest"
)

// scriptTime is how long a script may run.
var scriptTime = time.Duration(parleytest.Scale(8, 15)) * time.Minute

// script is a program of browser/ or clients/ that Node runs beside a test. They talk in lines of JSON: the test
// gives settings first, the script tells facts, and waits for a line when it asks for something.
type script struct {
	t testing.TB
	// asks is what the test should do, and then answer; closed when the script says no more.
	asks <-chan string
	in   io.WriteCloser
	end  func() error
}

// fact is one line of a script.
type fact struct {
	// Ask is what the test should do.
	Ask string
	// Result is what a subscription brought.
	Result *parleytest.Result
	// Returned: a connection is back after an interruption.
	Returned bool
	// Extensions are what was agreed on for a WebSocket.
	Extensions string
}

// startScript starts a script, which ends with the test at the latest. What the script tells is
// given to told, unless it is an ask.
func startScript(t testing.TB, path string, settings any, told func(fact)) *script {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), scriptTime)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, installed(t, "node"), path)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // so that it ends its browser
	cmd.WaitDelay = 5 * time.Second
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	asks := make(chan string)
	go listen(t, out, asks, told)
	s := &script{t: t, asks: asks, in: in, end: sync.OnceValue(func() error {
		for range asks {
		}
		if err := cmd.Wait(); err != nil {
			return fmt.Errorf("%s: %w\n%s", path, err, stderr.Bytes())
		}
		return nil
	})}
	t.Cleanup(func() {
		cancel()
		_ = s.end()
	})
	s.say(settings)
	return s
}

// listen reads what a script says, to its end.
func listen(t testing.TB, out io.Reader, asks chan<- string, told func(fact)) {
	defer close(asks)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var f fact
		switch err := json.Unmarshal(lines.Bytes(), &f); {
		case err != nil:
			t.Errorf("%v in what the script said: %s", err, lines.Bytes())
		case f.Ask != "":
			asks <- f.Ask
		default:
			told(f)
		}
	}
}

// say sends a line.
func (s *script) say(what any) {
	s.t.Helper()
	line, err := json.Marshal(what)
	if err == nil {
		_, err = s.in.Write(append(line, '\n'))
	}
	if err != nil {
		s.t.Errorf("speaking to the script: %v", err)
	}
}

// finish ends the conversation and waits for the script's own end, which must be a good one.
func (s *script) finish() {
	s.t.Helper()
	_ = s.in.Close() // it may have ended already
	if err := s.end(); err != nil {
		s.t.Fatal(err)
	}
}

// installed finds a program, and the npm package that drives browsers.
func installed(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%v: run make install", err)
	}
	if _, err := os.Stat(filepath.Join("node_modules", "playwright-core", "package.json")); err != nil {
		t.Fatalf("an npm package of e2e/ is missing (%v): run make install", err)
	}
	return path
}
