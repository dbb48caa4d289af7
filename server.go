// Parley is a GraphQL subscriptions server for chat: rooms, messages, typing and presence over
// graphql-ws and SSE, on SQLite alone or on Redis with many nodes.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"parley/auth"
	"parley/chat"
	"parley/delivery"
	"parley/document"
	"parley/eventlog"
	"parley/graph"
	"parley/presence"
	"parley/render"
	"parley/reservation"
	"parley/resolvers"
	"parley/store/redis"
	"parley/store/sqlite"
	"parley/transport"
)

//go:embed schema.graphqls
var schemaSource []byte

func main() {
	c, err := parseConfig(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "parley: these settings don't fit:\n"+err.Error())
		os.Exit(2)
	}
	log := newLogger(c)
	slog.SetDefault(log)
	if err := run(c, log); err != nil {
		log.Error("stopped", "error", err)
		os.Exit(1)
	}
}

func newLogger(c *config) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}

// run builds the server, serves until a signal, and drains. A second signal ends at once.
func run(c *config, log *slog.Logger) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := build(ctx, c, log)
	if err != nil {
		return err
	}
	if err := s.listen(); err != nil {
		return errors.Join(err, s.close())
	}
	failed := s.serve()
	log.Info("parley is up", "url", s.url(), "settings", c)
	if c.development() {
		log.Warn("DEVELOPMENT MODE: /dev/token signs a token for anybody who asks. Set PARLEY_AUTH_SECRET or PARLEY_AUTH_JWKS_URL for anything real.")
	}
	select {
	case <-ctx.Done():
		log.Info("stopping: connections are closed over a while; a second signal ends at once", "window", c.DrainWindow)
	case err = <-failed:
	}
	stop()
	return errors.Join(err, s.drain())
}

// engine is what both stores offer.
type engine interface {
	chat.Store
	eventlog.Log
	eventlog.State
	presence.Store
	auth.Store
	reservation.Store
	// Confirmed returns a moment up to which watchers of a log ("": of anything) have been told of all
	// there is, or to look for it: how old that is tells a node that is cut off from the store.
	Confirmed(log string) time.Time
	Ready(context.Context) error
	Close() error
}

// server is the running parts, in the order of the layers.
type server struct {
	config      *config
	log         *slog.Logger
	metrics     *prometheus.Registry
	store       engine
	identity    *identity
	tracker     *presence.Tracker
	hub         *delivery.Hub
	gate        *document.Gate
	connections *transport.Service
	book        *reservation.Book
	main, admin *http.Server
	listeners   []net.Listener
	draining    atomic.Bool

	background sync.WaitGroup
	stopping   context.CancelFunc
}

// build makes the parts, each from those before it.
func build(ctx context.Context, c *config, log *slog.Logger) (s *server, err error) {
	s = &server{config: c, log: log, metrics: prometheus.NewRegistry()}
	s.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	if s.store, err = openStore(ctx, c, log, s.metrics); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.store.Close())
		}
	}()
	limits, err := newLimits(c, s.metrics)
	if err != nil {
		return nil, err
	}
	rooms := chat.NewService(s.store, s.store, chat.Limits{
		ContentBytes: c.MaxContent, NameChars: c.MaxName, MetadataBytes: c.MaxMetadata,
		RoomsPerUser: c.MaxRooms, MembersPerRoom: c.MaxMembers, Rates: limits.rates(),
	})
	s.metrics.MustRegister(rooms.Collectors()...)
	if s.tracker, err = presence.NewTracker(s.store, presence.Options{
		TTL: c.PresenceTTL, Grace: c.PresenceGrace, Log: log, Registerer: s.metrics,
	}); err != nil {
		return nil, err
	}
	if s.identity, err = newIdentity(c, s.store, log, s.metrics); err != nil {
		return nil, err
	}
	if err := s.identity.revocations.Load(ctx); err != nil {
		return nil, err
	}
	if c.development() {
		if err := rooms.EnsureGeneral(ctx); err != nil {
			return nil, err
		}
	}
	s.hub = delivery.NewHub(s.store, delivery.Options{
		MaxAudiences: c.MaxAudiences, Confirmed: s.store.Confirmed, Cutoff: c.Cutoff, Log: log, Registerer: s.metrics,
	})
	schema := graph.NewExecutableSchema(graph.Config{Resolvers: &resolvers.Resolver{
		RefreshSession: s.identity.refresh, Tickets: s.identity.tickets, Validate: transport.Validate,
		Chat: rooms, Tracker: s.tracker, Presence: s.store, State: s.store, Log: s.store, CutOff: s.hub.CutOff,
		PollAfterSeconds: pollAfterSeconds, MaxPresence: c.MaxPresence, TypingRate: limits.typing, Logger: log,
	}})
	if s.gate, err = newGate(c, schema.Schema()); err != nil {
		return nil, err
	}
	opener := render.NewOpener(schema.Schema(), s.metrics)
	opener.Afford, opener.Plain = s.gate.Afford, resolvers.Plain(min(c.Documents.ResponseBytes, plainBytes))
	s.connections = transport.NewService(transport.Options{
		Hub: s.hub, Open: opener.Open,
		Heartbeat: c.Heartbeat, InitTimeout: c.InitTimeout, WriteTimeout: c.StallTimeout,
		HighWater: c.MaxOutbox, MaxAnswers: c.MaxAnswers, MaxFrame: c.MaxFrame, MaxBody: c.MaxBody, MaxOperations: c.MaxOperations,
		Operations: limits.RateOperationsConnection, Frames: limits.RateFramesConnection,
		Charge: limits.charge, Counts: limits.connections, Refusals: limits.refusals,
		Draft2026:   c.Draft2026,
		BaseContext: s.identity.keep, Authenticate: s.identity.fromPayload, Refresh: s.identity.refreshFromPayload, Redeem: limits.redeem(s.identity.redeem),
		Expires:   s.identity.expires,
		Connected: s.connected, OriginAllowed: s.identity.origins.Allowed,
		Log: log, Registerer: s.metrics,
	})
	s.book = reservation.NewBook(s.store, reservation.Options{
		TTL: c.ReservationTTL, Most: c.MaxReservations, Operations: c.MaxOperations, Bytes: c.MaxReservationBytes,
	})
	s.main = &http.Server{
		Addr: c.Addr, Handler: limits.locate(s.routes(s.graphql(schema))), ConnState: limits.socket,
		ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, WriteTimeout: requestTimeout, IdleTimeout: idleTimeout,
	}
	if err := secure(s.main, c, log, s.metrics); err != nil {
		return nil, err
	}
	s.admin = &http.Server{Addr: c.AdminAddr, Handler: s.adminRoutes(), ReadHeaderTimeout: headerTimeout}
	return s, nil
}

func openStore(ctx context.Context, c *config, log *slog.Logger, metrics prometheus.Registerer) (engine, error) {
	retention := eventlog.Retention{MaxEntries: c.LogMaxEntries, MaxAge: c.LogMaxAge}
	if c.RedisURL != "" {
		return redis.Open(ctx, redis.Options{
			URL:  c.RedisURL,
			TLS:  redis.TLS{CA: c.Redis.TLSCA, Cert: c.Redis.TLSCert, Key: c.Redis.TLSKey, ServerName: c.Redis.TLSName},
			Wait: redis.Wait{Replicas: c.Redis.Wait, Timeout: c.Redis.WaitTimeout},

			Retention: retention, Queue: c.StoreQueue, Log: log, Registerer: metrics,
		})
	}
	return sqlite.Open(ctx, sqlite.Options{
		Dir: c.Data, Synchronous: c.SQLiteSync, Retention: retention, Queue: c.StoreQueue, Log: log, Registerer: metrics,
	})
}

// connected registers an authenticated stream as its viewer's: one that ends with the right to it,
// and a presence device.
func (s *server) connected(ctx context.Context) (release func()) {
	viewer := auth.ViewerFrom(ctx)
	if viewer == nil {
		return nil
	}
	neglect := s.identity.attend(ctx, transport.ConnFrom(ctx), viewer)
	user, _ := resolvers.PresenceUser(ctx)
	leave := s.tracker.Device(ctx, user)
	return func() {
		neglect()
		leave()
	}
}

// listen takes the addresses, so that whatever is wrong with them is said before anything runs.
func (s *server) listen() error {
	for _, h := range []*http.Server{s.main, s.admin} {
		if h.Addr == "off" {
			continue
		}
		l, err := net.Listen("tcp", h.Addr)
		if err != nil {
			return err
		}
		h.Addr = l.Addr().String()
		if h.TLSConfig != nil {
			l = transport.Listener(l, s.config.StallTimeout)
		}
		s.listeners = append(s.listeners, l)
	}
	return nil
}

// url is where clients find the server.
func (s *server) url() string {
	if s.config.TLSCert != "" { // net/http has a TLS configuration of its own by now
		return "https://" + s.main.Addr
	}
	return "http://" + s.main.Addr
}

// serve starts what runs in the background. Failed tells of the first part that gave up.
func (s *server) serve() (failed <-chan error) {
	ctx, cancel := context.WithCancel(context.Background())
	s.stopping = cancel
	failures := make(chan error, 4+len(s.listeners))
	s.background.Go(func() {
		if err := s.tracker.Run(ctx); err != nil && ctx.Err() == nil {
			failures <- fmt.Errorf("presence: %w", err)
		}
	})
	for name, run := range s.identity.parts() {
		s.background.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				failures <- fmt.Errorf("%s: %w", name, err)
			}
		})
	}
	for i, l := range s.listeners {
		h := []*http.Server{s.main, s.admin}[i]
		serve := h.Serve
		if h.TLSConfig != nil {
			serve = func(l net.Listener) error { return h.ServeTLS(l, "", "") }
		}
		s.background.Go(func() {
			if err := serve(l); !errors.Is(err, http.ErrServerClosed) {
				failures <- err
			}
		})
	}
	return failures
}

// drain stops in the order of use: no new connections, connections closed over the window, then
// presence, the hub and the store.
func (s *server) drain() error {
	s.draining.Store(true)
	limit, cancel := context.WithTimeout(context.Background(), s.config.DrainWindow+drainPatience)
	defer cancel()
	errs := []error{
		s.connections.Drain(limit, s.config.DrainWindow),
		s.main.Shutdown(limit),
		s.admin.Shutdown(limit),
	}
	return errors.Join(append(errs, s.close())...)
}

func (s *server) close() error {
	s.connections.Close()
	if s.stopping != nil {
		s.stopping()
	}
	s.background.Wait()
	s.hub.Close()
	return s.store.Close()
}
