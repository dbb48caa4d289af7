// Package transporttest is what the tests of all transports share: a server with a small schema
// over logs in memory ([Rig]), and the scenarios that every transport for subscriptions must pass
// ([Run]).
package transporttest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/prometheus/client_golang/prometheus"

	"parley/delivery"
	"parley/eventlog"
	"parley/transport"
)

// Patience is how long tests wait for what must happen.
const Patience = 10 * time.Second

// Rig is a server to test a transport with.
type Rig struct {
	Service *transport.Service
	Hub     *delivery.Hub
	Logs    *Logs
	Server  *httptest.Server
	// Began is sent to when the field "slow" begins; it ends by Finish, or by its context.
	Began, Finish chan struct{}
	// Present counts the connections that the presence callback knows of.
	Present atomic.Int64
	// Log is what operators were told.
	Log *Buffer

	states   *states
	registry *prometheus.Registry

	mu     sync.Mutex
	conns  map[*transport.Conn]string // present, and their viewers
	kicked map[string]bool            // viewers and logs
}

// NewRig starts a server with the transports constructed, over HTTP/1.1; the options' Hub and Open are the
// rig's. Unless the options say otherwise, the viewer is named by the "viewer" member of
// connection_init or by the header Viewer, and "bad" is refused. The rig ends with the test, after
// a check that nothing is left.
func NewRig(t testing.TB, options transport.Options, transports ...func(*transport.Service) graphql.Transport) *Rig {
	t.Helper()
	return NewRigOver(t, serve, options, transports...)
}

// NewRigOver is NewRig with a server that serve starts, such as [TLS].
func NewRigOver(t testing.TB, serve func(http.Handler) *httptest.Server, options transport.Options, transports ...func(*transport.Service) graphql.Transport) *Rig {
	t.Helper()
	return newRig(t, serve, newLogs(), options, transports...)
}

// newRig starts another node over logs.
func newRig(t testing.TB, serve func(http.Handler) *httptest.Server, logs *Logs, options transport.Options, transports ...func(*transport.Service) graphql.Transport) *Rig {
	t.Helper()
	rig := &Rig{
		Logs: logs, states: newStates(), registry: prometheus.NewRegistry(), Log: &Buffer{},
		Began: make(chan struct{}, 1000), Finish: make(chan struct{}),
		conns: map[*transport.Conn]string{}, kicked: map[string]bool{},
	}
	logger := slog.New(slog.NewTextHandler(rig.Log, nil))
	rig.Hub = delivery.NewHub(rig.Logs, delivery.Options{Log: logger, Registerer: rig.registry})
	options.Hub, options.Open, options.Log, options.Registerer = rig.Hub, rig.open, logger, rig.registry
	rig.setDefaults(&options)
	rig.Service = transport.NewService(options)
	gql := handler.New(executable{rig})
	gql.SetErrorPresenter(present)
	for _, construct := range transports {
		gql.AddTransport(construct(rig.Service))
	}
	rig.Server = serve(gql)
	t.Cleanup(func() { rig.close(t) })
	return rig
}

type viewerKey struct{}

// ViewerFrom returns the name of the viewer; "" for nobody.
func ViewerFrom(ctx context.Context) string {
	viewer, _ := ctx.Value(viewerKey{}).(string)
	return viewer
}

// WithViewer returns a context with another viewer.
func WithViewer(ctx context.Context, viewer string) context.Context {
	return context.WithValue(ctx, viewerKey{}, viewer)
}

func (r *Rig) setDefaults(options *transport.Options) {
	if options.Heartbeat == 0 {
		options.Heartbeat = time.Minute
	}
	if options.BaseContext == nil {
		options.BaseContext = func(r *http.Request) context.Context {
			return context.WithValue(context.Background(), viewerKey{}, r.Header.Get("Viewer"))
		}
	}
	if options.Authenticate == nil {
		options.Authenticate = func(ctx context.Context, payload map[string]any) (context.Context, error) {
			switch viewer := payload["viewer"]; viewer {
			case nil:
				return ctx, nil
			case "bad":
				return nil, errors.New("the token is refused")
			case "later":
				return nil, transport.ErrTryLater
			default:
				return context.WithValue(ctx, viewerKey{}, viewer), nil
			}
		}
	}
	if options.Connected == nil {
		options.Connected = r.connected
	}
}

func (r *Rig) connected(ctx context.Context) func() {
	conn := transport.ConnFrom(ctx)
	r.Present.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns[conn] = ViewerFrom(ctx)
	return func() {
		r.Present.Add(-1)
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.conns, conn)
	}
}

// expire has the right of a viewer's connections end now, and waits until they close.
func (r *Rig) expire(t testing.TB, viewer string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for conn, of := range r.conns {
		if of == viewer {
			conn.CloseAt(time.Now(), transport.ReasonExpired)
			Wait(t, "it closes", conn.Closing)
		}
	}
}

// kick ends a viewer's access to a log, by a tick that is the last it may see.
func (r *Rig) kick(log, viewer, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kicked[viewer+" "+log] = true
	r.Logs.Publish(log, KindTick, text, eventlog.AccessChange{Principal: viewer, Change: eventlog.AccessRevoked})
}

// access is what a viewer may read of a log.
func (r *Rig) access(log, viewer string) (delivery.Access, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.kicked[viewer+" "+log] {
		return delivery.Access{}, delivery.ErrAccessRevoked
	}
	return delivery.Access{Readable: eventlog.Everything()}, nil
}

// Tick publishes a tick with a text.
func (r *Rig) Tick(log, text string) string { return r.Logs.Publish(log, KindTick, text).String() }

// SetState sets the value of a state topic.
func (r *Rig) SetState(key, value string) { r.states.set(key, value) }

// Metric returns the sum of a metric over its labels.
func (r *Rig) Metric(t testing.TB, name string) float64 {
	t.Helper()
	return r.metrics(t)[name]
}

func (r *Rig) metrics(t testing.TB) map[string]float64 {
	t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			sums[family.GetName()] += m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return sums
}

// Wait waits until a condition holds.
func Wait(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("still not so after %v: %s", Patience, what)
		}
		time.Sleep(time.Millisecond) // between two looks
	}
}

// WaitUntilIdle waits until no connection is left, nor anything that there is for subscriptions.
func (r *Rig) WaitUntilIdle(t testing.TB) {
	t.Helper()
	left := ""
	deadline := time.Now().Add(Patience)
	for left = r.left(t); left != "" && time.Now().Before(deadline); left = r.left(t) {
		time.Sleep(time.Millisecond) // between two looks
	}
	if left != "" {
		t.Fatalf("left after %v: %s", Patience, left)
	}
}

// left says what there is that ends with connections and subscriptions.
func (r *Rig) left(t testing.TB) string {
	t.Helper()
	counts := map[string]int{"connections": r.Service.Len(), "watchers": r.Logs.Watched(), "present": int(r.Present.Load())}
	for name, sum := range r.metrics(t) {
		if slices.Contains([]string{"parley_connections", "parley_topics", "parley_groups", "parley_lagging"}, name) {
			counts[name] = int(sum)
		}
	}
	maps.DeleteFunc(counts, func(_ string, count int) bool { return count == 0 })
	if len(counts) == 0 {
		return ""
	}
	return fmt.Sprint(counts)
}

func (r *Rig) close(t testing.TB) {
	r.Service.Close()
	r.WaitUntilIdle(t)
	r.Server.Close()
	r.Hub.Close()
	if log := r.Log.String(); strings.Contains(log, "secret") {
		t.Errorf("the log tells a secret:\n%s", log)
	}
}

// Post posts a JSON body and returns the response, its body read.
func (r *Rig) Post(t testing.TB, body string, header http.Header) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.Server.URL, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	return r.Do(t, request, header)
}

// Do sends a request with more headers and returns the response, its body read.
func (r *Rig) Do(t testing.TB, request *http.Request, header http.Header) (*http.Response, string) {
	t.Helper()
	response, body, err := r.TryDo(request, header)
	if err != nil {
		t.Fatal(err)
	}
	return response, body
}

// TryDo is Do where the network may fail.
func (r *Rig) TryDo(request *http.Request, header http.Header) (*http.Response, string, error) {
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := r.Server.Client().Do(request)
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response, string(body), err
}
