package graphqlws_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"

	"parley/transport"
	"parley/transport/graphqlws"
	"parley/transport/transporttest"
)

func TestChecklistHandshake(t *testing.T) {
	rig := newRig(t, transport.Options{})
	upgrade := func(change func(http.Header)) *http.Response {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, rig.Server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{
			"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Version": {"13"},
			"Sec-Websocket-Key": {"MDEyMzQ1Njc4OWFiY2RlZg=="}, "Sec-Websocket-Protocol": {graphqlws.Subprotocol},
		}
		change(h)
		response, _ := rig.Do(t, request, h)
		return response
	}
	for name, test := range map[string]struct {
		change func(http.Header)
		status int
	}{
		"foreign origin is 403":  {func(h http.Header) { h.Set("Origin", "https://evil.example") }, 403},
		"opaque origin is 403":   {func(h http.Header) { h.Set("Origin", "null") }, 403},
		"other version is 426":   {func(h http.Header) { h.Set("Sec-WebSocket-Version", "8") }, 426},
		"no version is 400":      {func(h http.Header) { h.Del("Sec-WebSocket-Version") }, 400},
		"bad key is 400":         {func(h http.Header) { h.Set("Sec-WebSocket-Key", "x") }, 400},
		"another upgrade is 400": {func(h http.Header) { h.Set("Upgrade", "h2c") }, 400},
	} {
		t.Run(name, func(t *testing.T) {
			if got := upgrade(test.change).StatusCode; got != test.status {
				t.Fatalf("got %d", got)
			}
		})
	}
	t.Run("own origin is welcome", func(t *testing.T) {
		conn, response, err := websocket.Dial(t.Context(), strings.Replace(rig.Server.URL, "http", "ws", 1), &websocket.DialOptions{
			Subprotocols: []string{graphqlws.Subprotocol}, HTTPHeader: http.Header{"Origin": {rig.Server.URL}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if response.Body != nil {
			_ = response.Body.Close()
		}
		_ = conn.CloseNow()
	})
	t.Run("while draining is 503, to be tried again", func(t *testing.T) {
		rig.Service.Close()
		response := upgrade(func(http.Header) {})
		if response.StatusCode != 503 || response.Header.Get("Retry-After") == "" {
			t.Fatalf("got %d, %v", response.StatusCode, response.Header)
		}
	})
}

func TestTLS(t *testing.T) {
	rig := newRig(t, transport.Options{})
	server := httptest.NewTLSServer(rig.Server.Config.Handler)
	defer server.Close()
	conn, response, err := websocket.Dial(t.Context(), strings.Replace(server.URL, "http", "ws", 1), &websocket.DialOptions{
		Subprotocols: []string{graphqlws.Subprotocol}, HTTPClient: server.Client(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if response.Body != nil {
		_ = response.Body.Close()
	}
	c := &client{t: t, conn: conn, positions: map[string]string{}}
	c.send(initMessage(""))
	c.next()
	c.subscribe("1", ticks)
	transporttest.Wait(t, "watched", func() bool { return rig.Logs.Watched() == 1 })
	for _, text := range []string{"x", strings.Repeat("y", 20_000)} {
		rig.Tick("a", text)
		if value, _ := c.wantNext("1"); value != text {
			t.Fatalf("got %.50s", value)
		}
	}
	rig.Service.Close()
	c.wantClose(1012)
}

func TestChecklistBadInitsAreFreed(t *testing.T) {
	rig := newRig(t, transport.Options{})
	for range 200 {
		c := dialRaw(t, rig)
		c.write(c.text(initMessage(`"x"`)))
		c.wantClose(4400)
		_ = c.socket.Close()
	}
	rig.WaitUntilIdle(t)
}

func TestClientsThatVanish(t *testing.T) {
	rig := newRig(t, transport.Options{})
	for name, begin := range map[string]func(*rawClient){
		"before init":                func(*rawClient) {},
		"while subscribed":           func(c *rawClient) { c.init(); c.write(c.text(subscribeMessage("1", ticks))) },
		"in the middle of a message": func(c *rawClient) { c.init(); c.write(c.text(ping)[:5]) },
		"in the middle of a query":   func(c *rawClient) { c.init(); c.write(c.text(subscribeMessage("1", "{ slow }"))); <-rig.Began },
	} {
		t.Run(name, func(t *testing.T) {
			c := dialRaw(t, rig)
			begin(c)
			_ = c.socket.Close()
			rig.WaitUntilIdle(t)
		})
	}
}

func subscribeMessage(id, query string) string {
	return `{"type":"subscribe","id":"` + id + `","payload":{"query":"` + strings.ReplaceAll(query, `"`, `\"`) + `"}}`
}

func TestSilence(t *testing.T) {
	const heartbeat = 400 * time.Millisecond
	rig := newRig(t, transport.Options{Heartbeat: heartbeat})
	t.Run("a silent peer is cut after two intervals", func(t *testing.T) {
		c := dialRaw(t, rig)
		c.init()
		begin := time.Now()
		pings := 0
		for op, _ := c.readFrame(); op != ws.OpClose; op, _ = c.readFrame() {
			pings++
		}
		if took := time.Since(begin); took < 2*heartbeat-10*time.Millisecond || pings < 1 {
			t.Fatalf("cut after %v and %d pings", took, pings)
		}
		c.wantEOF()
	})
	t.Run("in the middle of a message too", func(t *testing.T) {
		c := dialRaw(t, rig)
		c.write(c.text(ping)[:5])
		c.wantClose(1001)
	})
	t.Run("a peer that answers pings stays", func(t *testing.T) {
		connect(t, rig, "").answerPings(4)
	})
}

// A client that sends, but doesn't read, must not fill the server's memory.
func TestFloodOfPings(t *testing.T) {
	rig := newRig(t, transport.Options{WriteTimeout: 300 * time.Millisecond, HighWater: 64 << 10})
	c := dialRaw(t, rig)
	flood := strings.Repeat(string(c.text(`{"type":"ping","payload":{"x":"`+strings.Repeat("y", 1000)+`"}}`)), 50)
	sent := 0
	for {
		n, err := c.socket.Write([]byte(flood))
		sent += n
		if err != nil {
			break // the server has given up: it neither reads nor can write
		}
	}
	if sent < 64<<10 {
		t.Fatalf("given up after %d bytes", sent)
	}
	rig.WaitUntilIdle(t)
}

func TestChecklistExpiry(t *testing.T) {
	rig := newRig(t, transport.Options{Expires: func(ctx context.Context) (time.Time, bool) {
		return time.Now().Add(100 * time.Millisecond), transporttest.ViewerFrom(ctx) == "ada"
	}})
	t.Run("a viewer's connection is closed 4403", func(t *testing.T) {
		c := connect(t, rig, `{"viewer":"ada"}`)
		c.subscribe("1", ticks)
		c.wantClose(4403)
	})
	t.Run("nobody's isn't", func(t *testing.T) { connect(t, rig, "").wantNothing() })
}

func TestPresence(t *testing.T) {
	rig := newRig(t, transport.Options{})
	c := dial(t, rig, graphqlws.Subprotocol)
	c.wantNothing()
	if rig.Present.Load() != 0 {
		t.Fatal("present before init")
	}
	c.send(initMessage(""))
	c.next()
	if rig.Present.Load() != 1 {
		t.Fatal("not present")
	}
	_ = c.conn.Close(websocket.StatusNormalClosure, "")
	rig.WaitUntilIdle(t)
}

// TestDrainAnswers: a node that stops answers what it was asked for, before it sends its client off; who takes too long is sent
// off all the same.
func TestDrainAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		patience time.Duration
		finishes bool
	}{
		"in time":     {transporttest.Patience, true},
		"not in time": {100 * time.Millisecond, false},
	} {
		t.Run(name, func(t *testing.T) {
			rig := newRig(t, transport.Options{CloseTimeout: test.patience})
			c := connect(t, rig, "")
			c.subscribe("ticks", ticks)
			c.subscribe("slow", `{ slow }`)
			<-rig.Began
			transporttest.Wait(t, "both run", func() bool { return rig.Logs.Watched() == 1 })
			drained := make(chan error)
			go func() { drained <- rig.Service.Drain(t.Context(), 0) }()
			transporttest.Wait(t, "nobody else is let in", func() bool {
				response, _ := rig.Post(t, `{}`, http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}})
				return response.StatusCode == http.StatusServiceUnavailable
			})
			if test.finishes {
				rig.Finish <- struct{}{}
				c.want(`{"type":"next","id":"slow","payload":{"data":{"slow":"slow"}}}`)
				c.want(`{"type":"complete","id":"slow"}`)
			}
			c.wantClose(1012)
			if err := <-drained; err != nil {
				t.Error(err)
			}
		})
	}
}
