package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"

	"parley/eventlog"
	"parley/store/sqlite"
)

const (
	// childVariable names the data folder and makes the test binary the child that sends there.
	childVariable = "PARLEY_SQLITE_TEST_CHILD"
	childRoom     = "r_child"
	childSenders  = 4
)

// childMain sends messages, each sender one after the other, until it is killed, and writes a line
// for each once it is acknowledged.
func childMain(dir string) int {
	if err := sendForEver(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return 1
}

func sendForEver(ctx context.Context, dir string) error {
	s, err := sqlite.Open(ctx, sqlite.Options{Dir: dir})
	if err != nil {
		return err
	}
	if _, err := s.CreateRoom(ctx, newGroup(childRoom)); err != nil {
		return err
	}
	var senders sync.WaitGroup
	errs := make([]error, childSenders)
	for i := range childSenders {
		senders.Go(func() {
			for n := 0; errs[i] == nil; n++ {
				errs[i] = sendAndTell(ctx, s, fmt.Sprintf("%d-%d", i, n))
			}
		})
	}
	senders.Wait()
	return errors.Join(errs...)
}

func sendAndTell(ctx context.Context, s *sqlite.Store, clientID string) error {
	done, err := s.Append(ctx, sending(childRoom, "text", clientID))
	if err != nil {
		return err
	}
	_, err = fmt.Println(acknowledged{clientID, done.Message.Seq, done.Event.Position})
	return err
}

// acknowledged is what a sender knows of a message.
type acknowledged struct {
	clientID string
	seq      uint64
	position eventlog.Position
}

func (a acknowledged) String() string {
	return fmt.Sprintf("%s %d %d %d %d", a.clientID, a.seq, a.position.Epoch, a.position.Offset, a.position.Check)
}

// child is the process of childMain.
type child struct {
	*exec.Cmd
	out io.Reader
}

// startChild starts a child that is killed with the test at the latest.
func startChild(t *testing.T, dir string) *child {
	t.Helper()
	c := &child{Cmd: exec.CommandContext(t.Context(), os.Args[0])}
	c.Env = append(os.Environ(), childVariable+"="+dir)
	c.Stderr = t.Output()
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewReader(out)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Wait() })
	return c
}

// next reads the next acknowledgement, false at the end of them.
func (c *child) next() (a acknowledged, ok bool) {
	n, err := fmt.Fscanln(c.out, &a.clientID, &a.seq, &a.position.Epoch, &a.position.Offset, &a.position.Check)
	return a, err == nil && n == 5
}

// end kills the child as the kernel does, and reads what it said before.
func (c *child) end(t *testing.T) (rest []acknowledged) {
	t.Helper()
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for a, ok := c.next(); ok; a, ok = c.next() {
		rest = append(rest, a)
	}
	if err := c.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
	return rest
}
