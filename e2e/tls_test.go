package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/e2e/parleytest"
)

// overTLS are the ways of a subscription to a server with a certificate, and whether that is HTTP/2.
var overTLS = map[string]struct {
	subscribe parleytest.Subscriber
	http2     bool
}{
	"WebSocket":               {parleytest.OverWS, false},
	"SSE over HTTP/1.1":       {parleytest.OverSSE, false},
	"multipart over HTTP/1.1": {parleytest.OverMultipart, false},
	"SSE over HTTP/2":         {parleytest.OverSSE, true},
	"multipart over HTTP/2":   {parleytest.OverMultipart, true},
}

// TestTLS: a server with a certificate keeps its promises over every transport.
func TestTLS(t *testing.T) {
	t.Parallel()
	certificate := parleytest.NewCertificate(t)
	node := parleytest.StartTLS(t, certificate, nil)
	ada := parleytest.SignIn(t, node, "ada")
	room := ada.CreateRoom(t, "Vault")
	for name, way := range overTLS {
		t.Run(name, func(t *testing.T) {
			c := *ada
			c.HTTP = certificate.HTTP(way.http2)
			stream := parleytest.MustSubscribe(t, way.subscribe, &c, follow(messageAdded, room, ""))
			after := stream.Position(t)
			c.MustSend(t, room, "one")
			c.MustSend(t, room, "two")
			for _, want := range []string{"one", "two"} {
				if got := stream.Next(t).Result.Text("messageAdded", "content"); got != want {
					t.Fatalf("got %q, want %q", got, want)
				}
			}
			stream.Close()
			again := parleytest.MustSubscribe(t, way.subscribe, &c, follow(messageAdded, room, after))
			if got := again.Next(t).Result.Text("messageAdded", "content"); got != "one" {
				t.Fatalf("resumed by %q", got)
			}
			again.Close()
		})
	}
	t.Run("HTTP/2", func(t *testing.T) {
		response, err := certificate.HTTP(true).Get(node.URL + "/healthz")
		if err != nil || response.ProtoMajor != 2 {
			t.Fatalf("got %v, %v", response, err)
		}
		_ = response.Body.Close()
	})
	t.Run("not in the clear", func(t *testing.T) {
		response, err := http.Get(strings.Replace(node.URL, "https", "http", 1) + "/healthz")
		if err != nil || response.StatusCode != http.StatusBadRequest {
			t.Fatalf("got %v, %v", response, err)
		}
		_ = response.Body.Close()
	})
	t.Run("no old version", func(t *testing.T) {
		old := certificate.Config()
		old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		if conn, err := tls.Dial("tcp", strings.TrimPrefix(node.URL, "https://"), old); err == nil {
			_ = conn.Close()
			t.Fatal("TLS 1.1 is spoken")
		}
	})
}

// TestCertificateIsRenewed: new files serve new connections, those that there are go on, and files that don't fit
// change nothing.
func TestCertificateIsRenewed(t *testing.T) {
	t.Parallel()
	certificate := parleytest.NewCertificate(t)
	node := parleytest.StartTLS(t, certificate, nil)
	ada := parleytest.SignIn(t, node, "ada")
	room := ada.CreateRoom(t, "Vault")
	stream := parleytest.MustSubscribe(t, parleytest.OverSSE, ada, follow(messageAdded, room, ""))
	serial := func() int64 {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(node.URL, "https://"), &tls.Config{InsecureSkipVerify: true}) // any of them
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Fatalf("began with %d", got)
	}
	certificate.Renew(2)
	parleytest.Eventually(t, "the second is served", func() bool { return serial() == 2 })
	if err := os.WriteFile(certificate.Key, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	parleytest.Eventually(t, "the failure is told", func() bool {
		if got := serial(); got != 2 {
			t.Fatalf("served %d", got)
		}
		return strings.Contains(node.Log(), "can't be renewed")
	})
	certificate.Renew(3)
	parleytest.Eventually(t, "the third is served", func() bool { return serial() == 3 })
	ada.HTTP = certificate.HTTP(false) // the stream's connection is of the first one still
	ada.MustSend(t, room, "still here")
	if got := stream.Next(t).Result.Text("messageAdded", "content"); got != "still here" {
		t.Fatalf("got %q", got)
	}
	if text := node.Log(); strings.Count(text, "can't be renewed") > 2 { // the key alone, or the pair half replaced
		t.Errorf("told again and again:\n%s", text)
	}
	stream.Close()
}

// TestHostileHandshakes: who begins a handshake, or doesn't even, and waits, is cut off.
func TestHostileHandshakes(t *testing.T) {
	t.Parallel()
	node := parleytest.StartTLS(t, parleytest.NewCertificate(t), nil)
	before := node.Metric(t, "go_goroutines")
	ctx, cancel := context.WithTimeout(t.Context(), 2*parleytest.Patience)
	defer cancel()
	var dialer net.Dialer
	var conns []net.Conn
	for i := range parleytest.Scale(200, 2000) {
		conn, err := dialer.DialContext(ctx, "tcp", strings.TrimPrefix(node.URL, "https://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if i%2 == 0 { // a ClientHello of 512 bytes, and the first few of them
			if _, err := conn.Write([]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")); err != nil {
				t.Fatal(err)
			}
		}
		conns = append(conns, conn)
	}
	deadline := time.Now().Add(parleytest.Patience)
	for _, conn := range conns {
		_ = conn.SetReadDeadline(deadline)
		if _, err := io.Copy(io.Discard, conn); os.IsTimeout(err) {
			t.Fatal("a handshake that never went on is still waited for")
		}
	}
	parleytest.Eventually(t, "their goroutines have gone", func() bool { return node.Metric(t, "go_goroutines") <= before+10 })
	if text := node.Log(); strings.Contains(text, "handshake error") {
		t.Errorf("anybody can fill the log:\n%.1000s", text)
	}
}

// held is a client whose responses aren't read on while it is locked.
type held struct {
	sync.Mutex
	http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (h *held) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := h.RoundTripper.RoundTrip(r)
	if err == nil {
		writer, _ := response.Body.(io.Writer) // a WebSocket's
		response.Body = heldBody{response.Body, writer, h}
	}
	return response, err
}

type heldBody struct {
	io.ReadCloser
	io.Writer
	by *held
}

// Read implements io.Reader.
func (b heldBody) Read(p []byte) (int, error) {
	b.by.Lock()
	b.by.Unlock() //lint:ignore SA2001 it only waits
	return b.ReadCloser.Read(p)
}

// TestSlowReadersOverTLS: who stands still lags, alone, and then gets all of it by the same connection.
func TestSlowReadersOverTLS(t *testing.T) {
	t.Parallel()
	certificate := parleytest.NewCertificate(t)
	node := parleytest.StartTLS(t, certificate, map[string]string{"PARLEY_MAX_OUTBOX": "262144"})
	ada := parleytest.SignIn(t, node, "ada")
	room := ada.CreateRoom(t, "Vault")
	quick := parleytest.MustSubscribe(t, parleytest.OverSSE, ada, follow(messageAdded, room, ""))
	var clients []*held
	streams := map[string]*parleytest.Stream{}
	for name, way := range overTLS {
		c := *ada
		h := &held{RoundTripper: certificate.HTTP(way.http2).Transport}
		c.HTTP = &http.Client{Transport: h}
		streams[name] = parleytest.MustSubscribe(t, way.subscribe, &c, follow(messageAdded, room, ""))
		streams[name].Position(t)
		clients = append(clients, h)
	}
	for _, h := range clients {
		h.Lock()
	}
	const messages = 250 // more than clients take unread, and what waits here
	content := func(n int) string { return fmt.Sprint(n, strings.Repeat("x", 8000)) }
	for n := range messages {
		ada.MustSend(t, room, content(n))
		if got := quick.Next(t).Result.Text("messageAdded", "content"); got != content(n) {
			t.Fatalf("who reads got %.20q, want %d", got, n)
		}
	}
	if got := node.Metric(t, "parley_lagging"); got != float64(len(clients)) {
		t.Errorf("%v lag, want %d", got, len(clients))
	}
	for _, h := range clients {
		h.Unlock()
	}
	for name, stream := range streams {
		for n := range messages {
			if got := stream.Next(t).Result.Text("messageAdded", "content"); got != content(n) {
				t.Fatalf("%s: got %.20q, want %d", name, got, n)
			}
		}
	}
	ada.MustSend(t, room, "live again")
	for name, stream := range streams {
		if got := stream.Next(t).Result.Text("messageAdded", "content"); got != "live again" {
			t.Fatalf("%s: got %.20q", name, got)
		}
	}
}

// TestHostileResets: streams that are opened and reset at once, by the thousand, leave nothing.
func TestHostileResets(t *testing.T) {
	t.Parallel()
	certificate := parleytest.NewCertificate(t)
	node := parleytest.StartTLS(t, certificate, nil)
	ada := parleytest.SignIn(t, node, "ada")
	room := ada.CreateRoom(t, "Vault")
	ada.HTTP = certificate.HTTP(true)
	parleytest.MustSubscribe(t, parleytest.OverSSE, ada, follow(messageAdded, room, "")).Close()
	ada.HTTP.CloseIdleConnections()
	before := settled(t, node)
	var resetting sync.WaitGroup
	for range 8 {
		resetting.Go(func() {
			for i := range parleytest.Scale(200, 2000) {
				ctx, cancel := context.WithCancel(t.Context())
				if i%2 == 0 { // as soon as it is on its way, or when it has begun
					ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { cancel() }})
				}
				if stream, err := parleytest.OverSSE(ctx, ada, follow(messageAdded, room, "")); err == nil {
					stream.Close()
				}
				cancel()
			}
		})
	}
	resetting.Wait()
	ada.HTTP.CloseIdleConnections()
	nothingLeft(t, node, before)
	if got := parleytest.MustSubscribe(t, parleytest.OverSSE, ada, follow(messageAdded, room, "")).Position(t); got == "" {
		t.Error("no position")
	}
}

// TestHostileRequestsOfHTTP2: an address can't have more requests at a time by having them share a connection.
func TestHostileRequestsOfHTTP2(t *testing.T) {
	t.Parallel()
	certificate := parleytest.NewCertificate(t)
	node := parleytest.StartTLS(t, certificate, map[string]string{
		"PARLEY_RATE_LIMITS": "on", "PARLEY_RATE_OPERATIONS_ADDRESS": "off", "PARLEY_MAX_CONNECTIONS_ADDRESS": "10", "PARLEY_INIT_TIMEOUT": "3s",
	})
	client := certificate.HTTP(true)
	ask := func(body io.Reader) (int, error) {
		response, err := client.Post(node.URL+"/graphql", "application/json", body)
		if err != nil {
			return 0, err
		}
		return response.StatusCode, response.Body.Close()
	}
	if status, err := ask(strings.NewReader(`{"query":"{ __typename }"}`)); err != nil || status != http.StatusOK { // by the connection of all
		t.Fatalf("before: %d, %v", status, err)
	}
	var waiting sync.WaitGroup
	for range 20 {
		waiting.Go(func() {
			status, err := http.StatusTooManyRequests, error(nil)
			for status == http.StatusTooManyRequests { // the place was taken by who asks below
				body, writer := io.Pipe() // it never comes
				status, err = ask(body)
				_ = writer.Close()
			}
			if err != nil || status != http.StatusRequestTimeout {
				t.Errorf("half a request: %d, %v", status, err)
			}
		})
	}
	parleytest.Eventually(t, "one more is refused", func() bool {
		status, err := ask(strings.NewReader(`{"query":"{ __typename }"}`))
		return err == nil && status == http.StatusTooManyRequests
	})
	waiting.Wait()
	if status, err := ask(strings.NewReader(`{"query":"{ __typename }"}`)); err != nil || status != http.StatusOK {
		t.Errorf("afterwards: %d, %v", status, err)
	}
}
