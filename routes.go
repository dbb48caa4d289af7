package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/handler"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"parley/auth"
	"parley/document"
	"parley/eventlog"
	"parley/resolvers"
	"parley/transport/graphqlhttp"
	"parley/transport/graphqlws"
	"parley/transport/multipart"
	"parley/transport/sse"
	"parley/web"
)

const (
	headerTimeout = 10 * time.Second
	// requestTimeout bounds a request and its answer, apart from streams: longer than any
	// operation takes, but no peer holds a connection by sending or reading slowly.
	requestTimeout   = 45 * time.Second
	idleTimeout      = 2 * time.Minute
	drainPatience    = 5 * time.Second
	readyTimeout     = 2 * time.Second
	pollAfterSeconds = 10
	// plainBytes is how long an event may become that is written without the executor.
	plainBytes = 64 << 10
)

// graphql is the endpoint of every transport.
func (s *server) graphql(schema graphql.ExecutableSchema) http.Handler {
	h, introspection := handler.New(schema), s.config.introspection()
	h.AddTransport(graphqlws.Transport{Service: s.connections, Legacy: s.config.LegacyWS, Compress: s.config.Compression == "on"})
	h.AddTransport(sse.Single{
		Service: s.connections, Book: s.book,
		Holder: s.identity.holder, Admit: s.identity.admit, Renew: s.identity.renewHolder,
	})
	h.AddTransport(sse.Transport{Service: s.connections})
	h.AddTransport(multipart.Transport{Service: s.connections})
	h.AddTransport(graphqlhttp.Transport{Service: s.connections})
	h.SetErrorPresenter(resolvers.PresentError(s.log))
	h.SetRecoverFunc(resolvers.RecoverPanic(s.log))
	h.SetQueryCache(s.gate.Cache())
	h.SetParserTokenLimit(s.config.Documents.Tokens)
	h.SetValidationRulesFn(func() *rules.Rules { return document.Rules(introspection) })
	h.SetDisableSuggestion(!introspection)
	h.Use(s.gate)
	h.Use(resolvers.Documents{Introspection: introspection})
	return h
}

// routes are what clients see.
func (s *server) routes(endpoint http.Handler) http.Handler {
	identity := s.identity
	mux := http.NewServeMux()
	mux.Handle("/graphql", identity.origins.Guard(auth.Authenticate(identity.verifier, s.identityFailed)(endpoint)))
	mux.Handle("/playground", web.Playground())
	mux.Handle("/playground/", web.Playground())
	mux.Handle("GET /{$}", http.RedirectHandler("/playground", http.StatusFound))
	mux.HandleFunc("GET /schema.graphqls", serveSchema)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	if identity.signer != nil {
		mux.Handle("/dev/token", auth.DevSignIn(identity.signer, identity.origins))
	}
	return identity.origins.CORS(s.part(mux))
}

// part has a node that stops end HTTP connections behind what they are answered: their clients' next requests go elsewhere.
func (s *server) part(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

func (s *server) identityFailed(r *http.Request, err error) {
	s.log.InfoContext(r.Context(), "a token was refused", "remote", r.RemoteAddr, "error", err)
}

func serveSchema(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/graphql; charset=utf-8")
	_, _ = w.Write(schemaSource)
}

// ready tells a load balancer whether to send clients here: not while draining, nor while the
// store doesn't answer or is too long out of sight, nor before there are keys to verify tokens with. A
// store that can be read but takes no writes is told of, but clients are better off here than nowhere.
func (s *server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	if s.draining.Load() {
		answer(w, http.StatusServiceUnavailable, "draining")
		return
	}
	switch err := s.store.Ready(ctx); {
	case errors.Is(err, eventlog.ErrReadOnly):
		answer(w, http.StatusOK, "ready, but the store takes no writes")
	case err == nil && time.Since(s.store.Confirmed("")) > s.config.Cutoff:
		answer(w, http.StatusServiceUnavailable, "cut off from the store")
	case err != nil:
		s.log.WarnContext(ctx, "not ready", "error", err)
		answer(w, http.StatusServiceUnavailable, "the store doesn't answer")
	case !s.identity.ready():
		answer(w, http.StatusServiceUnavailable, "tokens can't be verified now")
	default:
		answer(w, http.StatusOK, "ready")
	}
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}

// adminRoutes are what operators see.
func (s *server) adminRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{Registry: s.metrics}))
	mux.Handle("/revocations", auth.RevokeHandler(s.identity.revocations, s.log))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
