package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"

	"parley/e2e/parleytest"
	"parley/store/redis/redistest"
)

// goodbyes open a stream, by which a client follows a room, and return what waits for its end and tells the last that was said.
var goodbyes = map[string]func(*testing.T, *parleytest.Client, string) (last func() string){
	"graphql-transport-ws": func(t *testing.T, c *parleytest.Client, room string) func() string {
		return goodbyeOfWS(t, c, room, "graphql-transport-ws", "subscribe")
	},
	"graphql-ws": func(t *testing.T, c *parleytest.Client, room string) func() string {
		return goodbyeOfWS(t, c, room, "graphql-ws", "start")
	},
	"sse": func(t *testing.T, c *parleytest.Client, room string) func() string {
		return goodbyeOfStream(t, postFor(t, c, room, "text/event-stream"))
	},
	"multipart": func(t *testing.T, c *parleytest.Client, room string) func() string {
		return goodbyeOfStream(t, postFor(t, c, room, parleytest.AcceptMultipart))
	},
	"sse, single connection": func(t *testing.T, c *parleytest.Client, room string) func() string {
		single := parleytest.Reserve(t, c)
		r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, c.URL+"/graphql", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Accept": {"text/event-stream"}, "X-Graphql-Event-Stream-Token": {single.Token}, "Authorization": {"Bearer " + c.Token}}
		last := goodbyeOfStream(t, r)
		single.MustRun(t, "1", follow(messageAdded, room, ""))
		return last
	},
}

// wantGoodbye is how the last must end that a client is told, so that it comes back.
var wantGoodbye = map[string]*regexp.Regexp{
	"graphql-transport-ws":   regexp.MustCompile(`^1012 Server restarts, please reconnect$`),
	"graphql-ws":             regexp.MustCompile(`^1012 Server restarts, please reconnect$`),
	"sse":                    regexp.MustCompile(`\nretry: [23]\d{3}\n\n$`),
	"sse, single connection": regexp.MustCompile(`\nretry: [23]\d{3}\n\n$`),
	"multipart":              regexp.MustCompile(`\r\n{"payload":null,"errors":\[{[^\n]*"UNAVAILABLE"}}\]}\r\n--graphql--\r\n$`),
}

func goodbyeOfWS(t *testing.T, c *parleytest.Client, room, subprotocol, start string) func() string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	conn, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(c.URL, "http")+"/graphql", &websocket.DialOptions{Subprotocols: []string{subprotocol}})
	if err != nil {
		t.Fatal(err)
	}
	operation, err := json.Marshal(follow(messageAdded, room, ""))
	if err != nil {
		t.Fatal(err)
	}
	say := func(text string) {
		t.Helper()
		if err := conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	say(fmt.Sprintf(`{"type":"connection_init","payload":{"Authorization":"Bearer %s"}}`, c.Token))
	if _, text, err := conn.Read(ctx); err != nil || !bytes.Contains(text, []byte("connection_ack")) {
		t.Fatalf("%s, %v", text, err)
	}
	say(fmt.Sprintf(`{"type":%q,"id":"1","payload":%s}`, start, operation))
	return func() string {
		for {
			if _, _, err := conn.Read(ctx); err != nil {
				if closed, ok := errors.AsType[websocket.CloseError](err); ok {
					return fmt.Sprintf("%d %s", closed.Code, closed.Reason)
				}
				return err.Error()
			}
		}
	}
}

func postFor(t *testing.T, c *parleytest.Client, room, accept string) *http.Request {
	t.Helper()
	body, err := json.Marshal(follow(messageAdded, room, ""))
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, c.URL+"/graphql", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"Content-Type": {"application/json"}, "Accept": {accept}, "Authorization": {"Bearer " + c.Token}}
	return r
}

func goodbyeOfStream(t *testing.T, r *http.Request) func() string {
	t.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		t.Fatal(response.Status)
	}
	return func() string {
		text, err := io.ReadAll(response.Body)
		if err != nil {
			return err.Error()
		}
		if bytes.Contains(text, []byte("event: complete")) {
			return "complete"
		}
		return string(text)
	}
}

// TestDrain: a node that is told to stop isn't ready any more, takes no new streams and says so, and closes those that it has one
// by one over the window, each with the word that its clients come back for. What is asked by POST meanwhile is answered.
func TestDrain(t *testing.T) {
	const window, each = 3 * time.Second, 6
	node := parleytest.Start(t, map[string]string{"PARLEY_DRAIN_WINDOW": window.String(), "PARLEY_LEGACY_WS": "true"})
	ada := parleytest.SignIn(t, node, "ada")
	room := ada.CreateRoom(t, "Drain")
	var mu sync.Mutex
	var ends []time.Time
	var streams sync.WaitGroup
	for name, open := range goodbyes {
		for range each {
			last := open(t, ada, room)
			streams.Go(func() {
				said := last()
				mu.Lock()
				defer mu.Unlock()
				ends = append(ends, time.Now())
				if !wantGoodbye[name].MatchString(said) {
					t.Errorf("%s: the last is %q, want %s", name, said, wantGoodbye[name])
				}
			})
		}
	}
	begin := time.Now()
	node.Signal(syscall.SIGTERM)
	parleytest.Eventually(t, "it isn't ready", func() bool { return node.Status("/readyz") == http.StatusServiceUnavailable })
	if status := node.Status("/healthz"); status != http.StatusOK {
		t.Errorf("healthz: %d", status)
	}
	refusesStreams(t, ada, room)
	streams.Wait()
	if status := node.Wait(); status != 0 {
		t.Errorf("ended with status %d:\n%s", status, node.Log())
	}
	slices.SortFunc(ends, time.Time.Compare)
	if spread := ends[len(ends)-1].Sub(ends[0]); spread < window/2 {
		t.Errorf("%d streams were closed within %v", len(ends), spread)
	}
	if all := ends[len(ends)-1].Sub(begin); all > window+3*time.Second {
		t.Errorf("the last was closed after %v", all)
	}
}

// refusesStreams asks a node that stops for streams, and by POST for an answer.
func refusesStreams(t *testing.T, c *parleytest.Client, room string) {
	t.Helper()
	put, err := http.NewRequestWithContext(t.Context(), http.MethodPut, c.URL+"/graphql", nil)
	if err != nil {
		t.Fatal(err)
	}
	put.Header.Set("Authorization", "Bearer "+c.Token)
	upgrade, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.URL+"/graphql", nil)
	if err != nil {
		t.Fatal(err)
	}
	upgrade.Header = http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Sec-Websocket-Protocol": {"graphql-transport-ws"},
	}
	for name, request := range map[string]*http.Request{
		"sse": postFor(t, c, room, "text/event-stream"), "multipart": postFor(t, c, room, parleytest.AcceptMultipart),
		"reservation": put, "websocket": upgrade,
	} {
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		text, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" || !bytes.Contains(text, []byte("UNAVAILABLE")) {
			t.Errorf("%s: %s %v %s", name, response.Status, response.Header, text)
		}
	}
	query, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.URL+"/graphql", strings.NewReader(`{"query":"{ __typename }"}`))
	if err != nil {
		t.Fatal(err)
	}
	query.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(query)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK || !response.Close {
		t.Errorf("a query: %s, the connection closes: %v", response.Status, response.Close)
	}
}

// TestDrainAnswers: what was asked for when a node is told to stop is done, and its client told, over a socket and by POST.
func TestDrainAnswers(t *testing.T) {
	a, b, way := behindProxy(t, map[string]string{"PARLEY_DRAIN_WINDOW": "0s"})
	ada := parleytest.SignIn(t, a, "ada")
	room := ada.CreateRoom(t, "Drain")
	seen := parleytest.MustSubscribe(t, parleytest.OverWS, ada.On(b), follow(messageAdded, room, ""))
	seen.Position(t)
	socket := parleytest.MustSubscribe(t, parleytest.OverWS, ada, parleytest.Operation{Query: `{ viewer { id } }`})
	if first := socket.Next(t); first.Result.Text("viewer", "id") != "ada" {
		t.Fatalf("got %+v", first)
	}
	way.Delay(700 * time.Millisecond) // of answers: what is written is known at b before a knows it
	send := parleytest.Operation{Query: parleytest.SendQuery, Variables: map[string]any{"room": room, "content": "over the socket", "key": "1"}}
	sending := parleytest.MustSubscribe(t, parleytest.OverWS, ada, send)
	posted := make(chan error, 1)
	go func() {
		result, err := ada.Send(context.Background(), room, "by POST", "2")
		if err == nil && result.Text("sendMessage", "message", "content") != "by POST" {
			err = fmt.Errorf("answered %s %v", result.Data, result.Errors)
		}
		posted <- err
	}()
	for range 2 {
		if f := seen.Next(t); f.End {
			t.Fatalf("got %+v", f)
		}
	}
	a.Signal(syscall.SIGTERM)
	if f := sending.Next(t); f.Result.Text("sendMessage", "message", "content") != "over the socket" {
		t.Errorf("over the socket: %s %+v", f.Result.Data, f)
	}
	if err := <-posted; err != nil {
		t.Errorf("by POST: %v", err)
	}
	if status := a.Wait(); status != 0 {
		t.Errorf("ended with status %d", status)
	}
}

// TestDrainHandsOver: whoever a node that stops sends off goes on at another one, without a gap or a duplicate, and is known to be
// gone from the first long before its lease would have lapsed.
func TestDrainHandsOver(t *testing.T) {
	settings := map[string]string{
		"PARLEY_REDIS_URL": redistest.Start(t).URL, "PARLEY_DATA": t.TempDir(), "PARLEY_DRAIN_WINDOW": "1s",
		"PARLEY_PRESENCE_TTL": "5m", "PARLEY_PRESENCE_GRACE": "1s",
	}
	a, b := parleytest.Start(t, settings), parleytest.Start(t, settings)
	ada, bob := parleytest.SignIn(t, a, "ada"), parleytest.SignIn(t, a, "bob")
	room := ada.CreateRoom(t, "Drain", "bob")
	watch := parleytest.MustSubscribe(t, parleytest.OverWS, ada.On(b), parleytest.Operation{Query: presenceOfRoom, Variables: map[string]any{"room": room}})
	waitForStatus(t, watch, "bob", "OFFLINE")
	goes := parleytest.MustSubscribe(t, parleytest.OverWS, bob, follow(messageAdded, room, ""))
	goes.Position(t)
	waitForStatus(t, watch, "bob", "ONLINE")

	single := parleytest.Reserve(t, ada)
	stream, _, err := single.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	single.MustRun(t, "1", follow(messageAdded, room, ""))
	streams, cursors, heard := map[string]*parleytest.Stream{}, map[string]string{}, map[string][]string{}
	for name, subscribe := range transports {
		streams[name] = parleytest.MustSubscribe(t, subscribe, ada, follow(messageAdded, room, ""))
		cursors[name] = streams[name].Position(t)
	}
	want := []string{"before", "meanwhile", "after"}
	ada.MustSend(t, room, want[0])
	a.Signal(syscall.SIGTERM)
	ada.On(b).MustSend(t, room, want[1])
	if status := a.Wait(); status != 0 {
		t.Errorf("ended with status %d", status)
	}
	waitForStatus(t, watch, "bob", "OFFLINE")
	ada.On(b).MustSend(t, room, want[2])
	for name, s := range streams {
		for f := s.Next(t); !f.End; f = s.Next(t) {
			heard[name], cursors[name] = append(heard[name], f.Result.Text("messageAdded", "content")), f.Cursor
		}
		again := parleytest.MustSubscribe(t, transports[name], ada.On(b), follow(messageAdded, room, cursors[name]))
		for len(heard[name]) < len(want) {
			heard[name] = append(heard[name], again.Next(t).Result.Text("messageAdded", "content"))
		}
	}
	last := ""
	hear := func(events <-chan parleytest.SingleEvent) {
		for e := range events {
			if last = e.ID; e.Event == "next" {
				heard["single"] = append(heard["single"], e.Result.Text("messageAdded", "content"))
			}
			if len(heard["single"]) == len(want) {
				return
			}
		}
	}
	hear(stream.Events)
	single.Client = ada.On(b)
	if stream, _, err = single.Open(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	hear(stream.Events)
	stream.Close()
	for name, got := range heard {
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestSecondSignal: whoever can't wait sends another one.
func TestSecondSignal(t *testing.T) {
	node := parleytest.Start(t, map[string]string{"PARLEY_DRAIN_WINDOW": "1h"})
	ada := parleytest.SignIn(t, node, "ada")
	parleytest.MustSubscribe(t, parleytest.OverWS, ada, follow(messageAdded, ada.CreateRoom(t, "Drain"), "")).Position(t)
	node.Signal(syscall.SIGTERM)
	parleytest.Eventually(t, "it isn't ready", func() bool { return node.Status("/readyz") == http.StatusServiceUnavailable })
	begin := time.Now()
	node.Signal(syscall.SIGINT)
	if status := node.Wait(); status != -1 || time.Since(begin) > 5*time.Second {
		t.Errorf("ended after %v with status %d", time.Since(begin), status)
	}
}
