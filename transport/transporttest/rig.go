// Package transporttest is what the tests of all transports share: a server with a small schema
// over logs in memory ([Rig]), and the scenarios that every transport for subscriptions must pass
// ([Run]).
package transporttest

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/prometheus/client_golang/prometheus"

	"parley/delivery"
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
}

// NewRig starts a server with the transports constructed, over HTTP/1.1; the options' Hub and Open are the
// rig's. Unless the options say otherwise, the viewer is named by the "viewer" member of
// connection_init or by the header Viewer, and "bad" is refused. The rig ends with the test, after
// a check that nothing is left.
func NewRig(t testing.TB, options transport.Options, transports ...func(*transport.Service) graphql.Transport) *Rig {
	t.Helper()
	return NewRigOver(t, httptest.NewServer, options, transports...)
}

// NewRigOver is NewRig with a server that serve starts, such as [TLS].
func NewRigOver(t testing.TB, serve func(http.Handler) *httptest.Server, options transport.Options, transports ...func(*transport.Service) graphql.Transport) *Rig {
	t.Helper()
	rig := &Rig{
		Logs: newLogs(), states: newStates(), registry: prometheus.NewRegistry(), Log: &Buffer{},
		Began: make(chan struct{}, 1000), Finish: make(chan struct{}),
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
		options.Connected = func(context.Context) func() {
			r.Present.Add(1)
			return func() { r.Present.Add(-1) }
		}
	}
}

// Tick publishes a tick with a text.
func (r *Rig) Tick(log, text string) string { return r.Logs.Publish(log, KindTick, text).String() }

// SetState sets the value of a state topic.
func (r *Rig) SetState(key, value string) { r.states.set(key, value) }

// Metric returns the sum of a metric over its labels.
func (r *Rig) Metric(t testing.TB, name string) (sum float64) {
	t.Helper()
	families, err := r.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			sum += m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return sum
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

// WaitUntilIdle waits until no connection and no topic is left.
func (r *Rig) WaitUntilIdle(t testing.TB) {
	t.Helper()
	Wait(t, "no connection is left", func() bool { return r.Service.Len() == 0 && r.Metric(t, "parley_connections") == 0 })
	Wait(t, "no topic is left", func() bool { return r.Metric(t, "parley_topics") == 0 })
	Wait(t, "no watcher is left", func() bool { return r.Logs.Watched() == 0 })
	Wait(t, "nobody is present", func() bool { return r.Present.Load() == 0 })
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
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := r.Server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}
