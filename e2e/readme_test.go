package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"parley/e2e/parleytest"
)

// block is a block of shell code of the README, with the directions that stand before it in a
// comment, separated by semicolons:
//
//	ctrl-c in NAME     what runs in that terminal is interrupted first
//	terminal NAME      the block is typed there, word for word
//	NAME shows: TEXT   that terminal then shows a text it hasn't shown before
type block struct{ directions, code string }

var readmeBlock = regexp.MustCompile("(?s)(?:<!-- ([^\n]*?) -->\n)?```sh\n(.*?)```")

func readReadme(t *testing.T) []block {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var blocks []block
	for _, m := range readmeBlock.FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, block{directions: m[1], code: m[2]})
	}
	return blocks
}

// TestReadmeTour types the README's blocks into terminals, from top to bottom, as a newcomer would.
// It uses the ports the README names.
func TestReadmeTour(t *testing.T) {
	t.Setenv("PARLEY_DATA", filepath.Join(t.TempDir(), "data"))
	for _, port := range []int{8080, 8081, 9464, 6399} {
		free, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port))
		if err != nil {
			t.Fatal("something else has a port that the README's commands take: ", err)
		}
		_ = free.Close()
	}
	terminals := map[string]*terminal{}
	for _, b := range readReadme(t) {
		if b.code == "make test\n" {
			continue // this test is part of it
		}
		typed := false
		for direction := range strings.SplitSeq(b.directions, "; ") {
			if name, ok := strings.CutPrefix(direction, "ctrl-c in "); ok {
				terminals[name].interrupt()
			} else if name, ok := strings.CutPrefix(direction, "terminal "); ok {
				if terminals[name] == nil {
					terminals[name] = newTerminal(t, name)
				}
				terminals[name].typeIn(b.code)
				typed = true
			} else if name, text, ok := strings.Cut(direction, " shows: "); ok {
				terminals[name].waitFor(text)
			}
		}
		if !typed {
			t.Errorf("nobody says where to type:\n%s", b.code)
		}
	}
	if n := bytes.Count(terminals["ada"].out.Bytes(), []byte(`"Hello, Ada"`)); n != 1 {
		t.Errorf("Ada saw the first message %d times", n)
	}
}

// terminal is a shell in the repository's folder, with what it showed.
type terminal struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *parleytest.Output
	from int // what was shown before has been waited for
}

func newTerminal(t *testing.T, name string) *terminal {
	t.Helper()
	term := &terminal{t: t, name: name, cmd: exec.Command("bash"), out: &parleytest.Output{}}
	folder, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	term.cmd.Dir, term.cmd.Stdout, term.cmd.Stderr = folder, term.out, term.out
	if term.in, err = term.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := term.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = term.in.Close()
		term.interrupt()
		_ = term.cmd.Wait()
		if t.Failed() {
			t.Logf("terminal %s showed:\n%s", name, term.out.Bytes())
		}
	})
	return term
}

func (term *terminal) typeIn(code string) {
	term.t.Helper()
	if _, err := io.WriteString(term.in, code); err != nil {
		term.t.Fatal(err)
	}
}

// waitFor waits until the terminal shows a text that it hasn't shown before.
func (term *terminal) waitFor(text string) {
	term.t.Helper()
	for range 10 { // the first `go run .` compiles
		if term.shows(text) {
			return
		}
	}
	term.t.Fatalf("terminal %s never showed %s", term.name, text)
}

func (term *terminal) shows(text string) bool {
	deadline := parleytest.Deadline()
	for !deadline() {
		if i := bytes.Index(term.out.Bytes()[term.from:], []byte(text)); i >= 0 {
			term.from += i + len(text)
			return true
		}
	}
	return false
}

// interrupt is Ctrl-C: it ends what runs in the terminal, not the terminal.
func (term *terminal) interrupt() {
	term.t.Helper()
	parleytest.Eventually(term.t, "what runs in the terminal has ended", func() bool {
		running := descendants(term.cmd.Process.Pid)
		for _, pid := range running {
			_ = syscall.Kill(pid, syscall.SIGINT)
		}
		return len(running) == 0
	})
}

// descendants are the processes that a process has started, directly or not.
func descendants(pid int) []int {
	var all []int
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, task := range tasks {
		list, err := os.ReadFile(task)
		if err != nil {
			continue
		}
		words := bufio.NewScanner(bytes.NewReader(list))
		words.Split(bufio.ScanWords)
		for words.Scan() {
			child, err := strconv.Atoi(words.Text())
			if err == nil {
				all = append(all, child)
				all = append(all, descendants(child)...)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
