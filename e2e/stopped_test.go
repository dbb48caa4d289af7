package e2e

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"parley/e2e/parleytest"
)

// stoppedBuffer is the receive buffer of who stops, in bytes: as little as may be, for what it holds tells
// nothing of the server.
const stoppedBuffer = 16 << 10

// stoppable is a WebSocket that follows a room and reads only when asked to.
type stoppable struct {
	*net.TCPConn
	in *bufio.Reader
}

// stopped opens one whose receive buffer was small before it connected.
func stopped(t *testing.T, node *parleytest.Node, as *parleytest.Client, room string) stoppable {
	t.Helper()
	dialer := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		return raw.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, stoppedBuffer)
		})
	}}
	conn, err := dialer.Dial("tcp", strings.TrimPrefix(node.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	s := stoppable{conn.(*net.TCPConn), bufio.NewReaderSize(conn, 1<<10)}
	_, _ = s.Write([]byte(upgradeRequest)) // that it failed shows when reading
	response, err := http.ReadResponse(s.in, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("the handshake failed: %v, %v", response, err)
	}
	_, _ = s.Write(masked(finalText, initWith(as.Token)))
	if got := s.read(t, "connection_ack"); got == "" {
		t.Fatal("not acknowledged")
	}
	_, _ = s.Write(masked(finalText, startOf("1", follow(messageAdded, room, ""))))
	s.read(t, "cursors") // where it starts
	return s
}

// read reads up to a message that has a word in it; "" at the end.
func (s stoppable) read(t testing.TB, word string) string {
	for {
		//lint:ignore SA1019 the advice is for frames of strangers, which may be of any length: this peer is our own server
		f, err := ws.ReadFrame(s.in)
		if err != nil {
			t.Errorf("reading up to %q: %v", word, err)
			return ""
		}
		if f.Header.OpCode == ws.OpClose {
			t.Errorf("closed: %.100q", f.Payload)
			return ""
		}
		switch { // answers to what asks whether it is there
		case f.Header.OpCode == ws.OpPing:
			_, _ = s.Write(masked(finalPong, string(f.Payload)))
		case strings.HasPrefix(string(f.Payload), `{"type":"ping"`):
			_, _ = s.Write(masked(finalText, `{"type":"pong"}`))
		}
		if strings.Contains(string(f.Payload), word) {
			return string(f.Payload)
		}
	}
}

var numbered = regexp.MustCompile(`"content":"#(\d+) `)

// tcpMemory is what the kernel holds for all TCP sockets, in bytes.
func tcpMemory(t testing.TB) float64 {
	t.Helper()
	text, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		t.Fatalf("this system doesn't tell of its sockets: %v", err)
	}
	_, rest, _ := strings.Cut(string(text), "TCP:")
	_, rest, _ = strings.Cut(rest, " mem ")
	pages, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return float64(pages * os.Getpagesize())
}

// latencies is how long messages took to reach somebody who reads, sorted.
type latencies []time.Duration

func (l latencies) at(share float64) time.Duration { return l[int(share*float64(len(l)-1))] }

// sendAndRead sends numbered messages at a pace for a while, each of which somebody reads at once.
func sendAndRead(t *testing.T, as *parleytest.Client, room string, reads *parleytest.Stream, first, n int, pace time.Duration, each func()) latencies {
	t.Helper()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	var all latencies
	for i := first; i < first+n; i++ {
		<-tick.C
		content := fmt.Sprintf("#%d %s", i, strings.Repeat("x", 1000))
		begin := time.Now()
		as.MustSend(t, room, content)
		if got := reads.Next(t).Result.Text("messageAdded", "content"); got != content {
			t.Fatalf("who reads got %.20q instead of message %d", got, i)
		}
		all = append(all, time.Since(begin))
		each()
	}
	slices.Sort(all)
	return all
}

// TestStoppedReaders: many readers stand still for a minute under traffic and then read on. They cost the process
// and the kernel no more with time, nobody else waits for them, and on the same connections they get
// everything, once and in order.
func TestStoppedReaders(t *testing.T) {
	const perSecond = 50
	count, seconds := parleytest.Scale(30, 500), parleytest.Scale(6, 60)
	node := startHostile(t, map[string]string{"PARLEY_MAX_OUTBOX": "131072", "PARLEY_MAX_FRAME": "65536"})
	ada := person(t, node, "ada")
	room := ada.CreateRoom(t, "Pond")
	reads := parleytest.MustSubscribe(t, parleytest.OverWS, ada, follow(messageAdded, room, ""))
	reads.Position(t)
	var all []stoppable
	for range count {
		all = append(all, stopped(t, node, ada, room))
	}
	n := perSecond * seconds
	var resident, kernel []float64
	standing := sendAndRead(t, ada, room, reads, 0, n, time.Second/perSecond, func() {
		if len(resident) == 0 || time.Now().UnixMilli()%10 == 0 {
			resident = append(resident, node.Metric(t, "process_resident_memory_bytes")/(1<<20))
			kernel = append(kernel, tcpMemory(t)/(1<<20))
		}
	})
	third := len(resident) / 3
	t.Logf("%d readers stood still for %d s and %d messages of 1 KiB. Resident memory, MiB: %.0f after a third, %.0f at the end; the kernel's for TCP: %.0f, %.0f. %.0f lags. "+
		"Who read got them after %v (p50), %v (p99)", count, seconds, n, resident[third], resident[len(resident)-1], kernel[third], kernel[len(kernel)-1],
		node.Metric(t, "parley_lags_total"), standing.at(0.5), standing.at(0.99))
	if lags := node.Metric(t, "parley_lags_total"); lags < float64(count) {
		t.Errorf("only %.0f fell behind", lags)
	}
	for what, grew := range map[string][]float64{"resident memory": resident, "the kernel's": kernel} {
		if before, after := grew[third], grew[len(grew)-1]; after > 1.25*before+32 { // MiB
			t.Errorf("%s grew from %.0f to %.0f MiB", what, before, after)
		}
	}

	var waking sync.WaitGroup
	begin := time.Now()
	for _, s := range all {
		_ = s.SetDeadline(time.Now().Add(3 * time.Minute))
		waking.Go(func() {
			for want := range n {
				m := numbered.FindStringSubmatch(s.read(t, `"next"`))
				if m == nil || m[1] != strconv.Itoa(want) {
					t.Errorf("woken, it got %v instead of message %d", m, want)
					return
				}
			}
		})
	}
	waking.Wait()
	t.Logf("woken, each got all %d, once and in order, on the same connection, within %v", n, time.Since(begin).Round(time.Millisecond))
	if lagging := node.Metric(t, "parley_lagging"); lagging > 0 {
		parleytest.Eventually(t, "all are live again", func() bool { return node.Metric(t, "parley_lagging") == 0 })
	}
	moving := sendAndRead(t, ada, room, reads, n, 2*perSecond, time.Second/perSecond, func() {})
	t.Logf("with all of them reading: %v (p50), %v (p99)", moving.at(0.5), moving.at(0.99))
}
