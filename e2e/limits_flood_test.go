package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"parley/e2e/parleytest"
)

// dialFrom opens a socket from one of the loopback addresses 127.0.0.2 and on, which are somebody
// else's than the witness's.
func dialFrom(node *parleytest.Node, i int) (*net.TCPConn, error) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i%4))}}
	ctx, cancel := context.WithTimeout(context.Background(), parleytest.Patience)
	defer cancel()
	conn, err := dialer.DialContext(ctx, "tcp", strings.TrimPrefix(node.URL, "http://"))
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(parleytest.Patience))
	return conn.(*net.TCPConn), nil
}

// TestLimitsUnderFlood: four addresses open far more than they may, in waves, and send what nobody
// may send. A witness at a fifth is served meanwhile, and afterwards nothing is left.
func TestLimitsUnderFlood(t *testing.T) {
	node := startHostile(t, map[string]string{
		"PARLEY_RATE_LIMITS": "on", "PARLEY_RATE_MESSAGES_USER": "1000/s burst 1000", "PARLEY_MAX_CONNECTIONS_ADDRESS": "100", "PARLEY_INIT_TIMEOUT": "3s",
	})
	withstands(t, node, flood{"connections in waves", wavesOfConnections}, flood{"bad frames", wavesOfFrames})
	if node.Metric(t, "parley_limit_refusals_total") == 0 {
		t.Error("no limit was ever reached")
	}
}

// wavesOfConnections opens connections of every kind, stays until each has been answered, refused or
// hung up on, and goes.
func wavesOfConnections(t *testing.T, node *parleytest.Node, token string) string {
	const wave = 1000
	visits := []string{
		"", "GET /gr", upgradeRequest, upgradeRequest + string(masked(finalText, initWith(token))),
		upgradeRequest + string(masked(finalText, initWith("x"))),
		"GET /graphql?query=subscription%7Bpresence(userIds:%5B%22ada%22%5D)%7Bid%7D%7D HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nAuthorization: Bearer " + token + "\r\n\r\n",
	}
	var opened, refused, hungUp atomic.Int64
	total := parleytest.Scale(1000, 20_000)
	for begun := 0; begun < total; begun += wave {
		conns := make([]net.Conn, wave)
		crowd(wave, func(i int) {
			conn, err := dialFrom(node, i)
			if err != nil {
				hungUp.Add(1)
				return
			}
			conns[i] = conn
			visit := visits[i/4%len(visits)]
			_, _ = io.WriteString(conn, visit) // the server may have hung up
			if len(visit) < 60 {
				return // it has nothing to answer yet
			}
			switch line, err := bufio.NewReader(conn).ReadString('\n'); {
			case err != nil:
				hungUp.Add(1)
			case strings.Contains(line, " 429 ") || strings.Contains(line, " 503 "):
				refused.Add(1)
			default:
				opened.Add(1)
			}
		})
		for _, conn := range conns {
			if conn != nil {
				_ = conn.Close()
			}
		}
	}
	return fmt.Sprintf("%d connections in waves of %d: %d opened, %d refused by status, %d hung up on, the rest said too little to be answered",
		total, wave, opened.Load(), refused.Load(), hungUp.Load())
}

// wavesOfFrames sends frames that no limit allows so many of, some hundreds on each socket, until the
// server closes.
func wavesOfFrames(t *testing.T, node *parleytest.Node, token string) string {
	const each = 2000
	var mu sync.Mutex
	ends := map[string]int{}
	kinds := floodKinds()
	total := parleytest.Scale(16_000, 200_000)
	crowd(total/each, func(i int) {
		conn, err := dialFrom(node, i)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		_, _ = io.WriteString(conn, upgradeRequest+string(masked(finalText, initWith(token))))
		kind := kinds[i%len(kinds)]
		go func() { _, _ = conn.Write(bytes.Repeat(kind.frame, each)) }() // ends with the socket
		_, _ = io.Copy(io.Discard, in)
		mu.Lock()
		ends[kind.name]++
		mu.Unlock()
	})
	return fmt.Sprintf("%d frames, sockets closed by the server: %v", total, ends)
}

// awaitAck reads the first frame, which is connection_ack.
func awaitAck(t *testing.T, in *bufio.Reader) {
	t.Helper()
	//lint:ignore SA1019 the advice is for frames of strangers, which may be of any length: this peer is our own server
	if f, err := ws.ReadFrame(in); err != nil || !bytes.Contains(f.Payload, []byte("connection_ack")) {
		t.Errorf("%s, %v instead of connection_ack", f.Payload, err)
	}
}

// floodKind is a frame that does no harm once.
type floodKind struct {
	name  string
	frame []byte
	// end is the word for how a socket ends that sends many.
	end string
}

func floodKinds() []floodKind {
	return []floodKind{
		{"pings", masked(finalText, `{"type":"ping"}`), "close 1013"},
		{"pongs", masked(finalText, `{"type":"pong"}`), "close 1013"},
		{"completes of nothing", masked(finalText, `{"type":"complete","id":"nobody"}`), "close 1013"},
		{"pings of RFC 6455", masked(0x89, "x"), "close 1013"},
		{"pongs of RFC 6455", masked(0x8a, ""), "close 1013"},
		{"subscriptions at once completed", append(masked(finalText, subscribeViewer), masked(finalText, `{"type":"complete","id":"1"}`)...), "close 1013"},
		{"empty fragments", masked(0, ""), "close 1002"},
		{"messages of no kind", masked(finalText, `{"type":"x"}`), "close 4400"},
	}
}

// floodsOfOneSocket are those kinds, and one of a message that never ends.
func floodsOfOneSocket() []floodKind {
	return append(floodKinds(), floodKind{
		"empty fragments of a message", append(masked(0x01, "{"), bytes.Repeat(masked(0, ""), 1500)...), "close 1009",
	})
}

// flood sends 2,000 of the kind on one socket, and returns how that ends.
func (k floodKind) flood(t *testing.T, node *parleytest.Node, as *parleytest.Client) string {
	t.Helper()
	conn, in := rawSocket(t, node)
	defer conn.Close()
	_, _ = conn.Write(masked(finalText, initWith(as.Token)))
	awaitAck(t, in)
	go func() { _, _ = conn.Write(bytes.Repeat(k.frame, 2000)) }() // ends with the socket
	return endOf(in)
}

// TestLimitsOfOneSocket: what floods a socket ends it, by a code after which stock clients come back
// unless what they send is wrong in itself.
func TestLimitsOfOneSocket(t *testing.T) {
	t.Parallel()
	node := startHostile(t, map[string]string{"PARLEY_RATE_LIMITS": "on"})
	ada := person(t, node, "ada")
	before := settled(t, node)
	seen := newTable("2,000 of", "end")
	kinds := floodsOfOneSocket()
	ends := make([]string, len(kinds))
	crowd(len(kinds), func(i int) { ends[i] = kinds[i].flood(t, node, ada) })
	for i, kind := range kinds {
		seen.row(kind.name, ends[i])
		if ends[i] != kind.end {
			t.Errorf("%s: %s, want %s", kind.name, ends[i], kind.end)
		}
	}
	t.Log(seen)
	nothingLeft(t, node, before)
}

// TestLimitsOfChurn: who subscribes too often on one connection is told so for each operation too
// many, and served on the same connection afterwards.
func TestLimitsOfChurn(t *testing.T) {
	t.Parallel()
	node := startHostile(t, map[string]string{"PARLEY_RATE_LIMITS": "on", "PARLEY_RATE_OPERATIONS_CONNECTION": "10/s burst 20"})
	ada := person(t, node, "ada")
	s, err := dialSocket(t.Context(), node, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.CloseNow()
	s.mustInit(t, ada)
	const churn = 200
	for i := range churn {
		s.say(fmt.Sprintf(`{"type":"subscribe","id":"%d","payload":{"query":"{ viewer { id } }"}}`, i))
	}
	ended := map[string]int{}
	for ends := 0; ends < churn; {
		m, end := s.next()
		if end != "" {
			t.Fatalf("the connection ended: %s", end)
		}
		switch m.Type {
		case "error":
			var errs []parleytest.Error
			if err := json.Unmarshal(m.Payload, &errs); err != nil || len(errs) != 1 || errs[0].Extensions.RetryAfter <= 0 {
				t.Fatalf("%s: %v", m.Payload, err)
			}
			ended[errs[0].Extensions.Code]++
			ends++
		case "complete":
			ended["ok"]++
			ends++
		}
	}
	t.Logf("%d operations at once: %v", churn, ended)
	if ended["RATE_LIMITED"] < churn/2 || ended["ok"] < 20 {
		t.Errorf("%v", ended)
	}
	parleytest.Eventually(t, "an operation is served again", func() bool {
		s.say(subscribeViewer)
		m, end := s.next()
		if end != "" {
			t.Fatal(end)
		}
		if m.Type == "error" {
			time.Sleep(linger) // what was asked for: less often
		}
		return m.Type == "next"
	})
}
