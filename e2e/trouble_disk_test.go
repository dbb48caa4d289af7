package e2e

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"parley/e2e/parleytest"
)

// readiness is what /readyz says.
func readiness(t *testing.T, n *parleytest.Node) (status int, text string) {
	t.Helper()
	response, err := http.Get(n.URL + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(body))
}

const readingOnly = "ready, but the store takes no writes"

// startRefused runs a server that is expected to end by itself, and returns what it said.
func startRefused(t *testing.T, data string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), parleytest.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, parleytest.Binary(t))
	cmd.Env = append(os.Environ(), "PARLEY_ADDR=127.0.0.1:0", "PARLEY_ADMIN_ADDR=off", "PARLEY_DATA="+data)
	out, err := cmd.CombinedOutput()
	if err == nil || ctx.Err() != nil {
		t.Fatalf("it wasn't refused: %s", out)
	}
	return string(out)
}

// TestTroubleSecondProcess: a folder belongs to one process, until that ends, however it does.
func TestTroubleSecondProcess(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	// An earlier process that ended without a word, whose pid is somebody else's by now.
	if err := os.WriteFile(filepath.Join(data, "parley.lock"), fmt.Appendln(nil, os.Getpid()), 0o600); err != nil {
		t.Fatal(err)
	}
	first := parleytest.Start(t, map[string]string{"PARLEY_DATA": data, "PARLEY_RATE_LIMITS": "off"})
	said := startRefused(t, data)
	if want := fmt.Sprintf("data folder %s is in use by process %d", data, first.PID()); !strings.Contains(said, want) {
		t.Errorf("%s doesn't say %q", said, want)
	}
	ada := parleytest.SignIn(t, first, "ada")
	room := ada.CreateRoom(t, "Mine")
	ada.MustSend(t, room, "undisturbed")
	first.Kill()
	second := parleytest.Start(t, map[string]string{"PARLEY_DATA": data, "PARLEY_RATE_LIMITS": "off"})
	ada.On(second).MustSend(t, room, "taken over")
	if said := startRefused(t, data); !strings.Contains(said, fmt.Sprintf("in use by process %d", second.PID())) {
		t.Errorf("%s doesn't name process %d", said, second.PID())
	}
}

// TestTroubleFullDisk: as long as the disk is full, writes are answered UNAVAILABLE and operators are told
// why; reading goes on, and so does all else once there is room. Nothing acknowledged is lost.
func TestTroubleFullDisk(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", data).CombinedOutput(); err != nil {
		t.Skipf("a small file system can't be mounted here: %s", out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", data).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	node := parleytest.Start(t, map[string]string{"PARLEY_DATA": data, "PARLEY_RATE_LIMITS": "off"})
	ada := parleytest.SignIn(t, node, "ada")
	room := ada.CreateRoom(t, "Attic")
	s := parleytest.MustSubscribe(t, parleytest.OverWS, ada, follow(messageAdded, room, ""))
	s.Position(t)
	l := &ledger{acked: map[string]string{}}
	fill := func() { // send until nothing more goes in
		for i := 0; ; i++ {
			content := fmt.Sprintf("%d %s", len(l.acked), strings.Repeat("x", 8000))
			result, err := ada.Send(t.Context(), room, content, "")
			if err != nil || i > 2000 {
				t.Fatal(i, err)
			}
			if len(result.Errors) > 0 {
				if result.Code() != "UNAVAILABLE" {
					t.Errorf("%+v", result.Errors)
				}
				return
			}
			l.acked[content] = result.Text("sendMessage", "message", "id")
		}
	}
	ballast := filepath.Join(data, "ballast")
	for round := range 2 {
		// As much as fits: in the second round the database has grown.
		if err := os.WriteFile(ballast, make([]byte, 4<<20), 0o600); err != nil && !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		fill()
		full := len(l.acked)
		if status, text := readiness(t, node); status != 200 || text != readingOnly {
			t.Errorf("with a full disk /readyz says %d %s", status, text)
		}
		checkStored(t, ada, room, l)
		if round == 1 { // the checkpoint at the end finds no room either
			node.Stop()
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		if round == 1 {
			node.Restart()
		}
		parleytest.Eventually(t, "the store takes writes", func() bool { _, text := readiness(t, node); return text == "ready" })
		checkStored(t, ada, room, l)
		t.Logf("the disk was full after %d messages of 8 KiB", full)
	}
	for i := range len(l.acked) {
		if got := s.Next(t); got.Result.Text("messageAdded", "id") == "" {
			if i == 0 {
				t.Errorf("%+v", got)
			}
			break // the server was stopped
		}
	}
	if log := node.Log(); !strings.Contains(log, "commits fail") || !strings.Contains(log, "full") || !strings.Contains(log, "commits work again") {
		t.Error("the log doesn't say so")
	}
	node.Stop()
	db, err := sql.Open("sqlite", filepath.Join(data, "parley.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("the database is %s, %v", verdict, err)
	}
}

// TestTroubleHeldDatabase: another tool holds the database's write lock for a while.
func TestTroubleHeldDatabase(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	node := parleytest.Start(t, map[string]string{"PARLEY_DATA": data, "PARLEY_STORE_QUEUE": "20", "PARLEY_RATE_LIMITS": "off"})
	ada := parleytest.SignIn(t, node, "ada")
	room := ada.CreateRoom(t, "Queue")
	before := settled(t, node)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(data, "parley.db")+"?_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	held, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	n := parleytest.Scale(100, 2000)
	answers := make(chan string, n)
	begun := time.Now()
	for range n {
		go func() {
			result, err := ada.Send(context.Background(), room, "held", "")
			answers <- fmt.Sprint(result.Code(), err)
		}()
	}
	parleytest.Eventually(t, "the server says that it is ready for reading only", func() bool {
		status, text := readiness(t, node)
		return status == 200 && text == readingOnly
	})
	for range n {
		if got := <-answers; got != "UNAVAILABLE<nil>" {
			t.Errorf("sending answered %s", got)
		}
	}
	took := time.Since(begun)
	if shed := node.Metric(t, "parley_store_shed_total"); took > 15*time.Second || shed == 0 {
		t.Errorf("%d sends were refused within %v, %.0f of them at once", n, took, shed)
	}
	if err := held.Rollback(); err != nil {
		t.Fatal(err)
	}
	parleytest.Eventually(t, "the store takes writes", func() bool { _, text := readiness(t, node); return text == "ready" })
	ada.MustSend(t, room, "free")
	nothingLeft(t, node, before)
}

// TestTroubleDatabaseTaken: the database is deleted under the running server. What can't be kept isn't
// acknowledged.
func TestTroubleDatabaseTaken(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	node := parleytest.Start(t, map[string]string{"PARLEY_DATA": data, "PARLEY_RATE_LIMITS": "off"})
	ada := parleytest.SignIn(t, node, "ada")
	room := ada.CreateRoom(t, "Rug")
	path, away := filepath.Join(data, "parley.db"), filepath.Join(data, "elsewhere")
	if err := os.Rename(path, away); err != nil {
		t.Fatal(err)
	}
	parleytest.Eventually(t, "sending is refused", func() bool {
		result, err := ada.Send(t.Context(), room, "lost?", "")
		return err == nil && result.Code() == "UNAVAILABLE"
	})
	if status := node.Status("/readyz"); status != 503 {
		t.Errorf("/readyz answered %d", status)
	}
	if !strings.Contains(node.Log(), "was deleted or replaced under the running server") {
		t.Error("the log doesn't say so")
	}
	if err := os.Rename(away, path); err != nil {
		t.Fatal(err)
	}
	node.WaitReady()
	ada.MustSend(t, room, "back")
}

// TestTroubleReadOnlyFolder: a folder that can't be written is refused at start, with a reason.
func TestTroubleReadOnlyFolder(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1m,ro", "tmpfs", data).CombinedOutput(); err != nil {
		t.Skipf("a read-only file system can't be mounted here: %s", out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", data).Run() })
	if said := startRefused(t, data); !strings.Contains(said, "read-only file system") || !strings.Contains(said, data) {
		t.Errorf("it says %s", said)
	}
}
