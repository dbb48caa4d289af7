package auth

import (
	"net/http"
	"strconv"
	"time"
)

const (
	corsMethods = "GET, POST, PUT, DELETE, OPTIONS"
	corsHeaders = "Content-Type, Authorization, Accept, Last-Event-ID, X-GraphQL-Event-Stream-Token"
	// corsMaxAge is how long browsers may remember a preflight. Chromium caps it there.
	corsMaxAge = 2 * time.Hour
)

// CORS lets pages of allowed origins read the answers of next, and answers their
// preflights (Fetch Standard §3.3.2) with 204. A preflight of another origin is
// answered 403 without any allow header. Other requests reach next: it is the
// browser that keeps a foreign page from reading the answer, and what such a
// page can send unasked carries no token. [Origins.Guard] refuses them too.
//
// The headers are set before next runs. A handler that hijacks the connection and
// writes its own head must write those of the [http.ResponseWriter] too.
func (o *Origins) CORS(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Add("Vary", "Origin")
		sent, allowed := r.Header.Get("Origin"), o.Allowed(r)
		if sent != "" && allowed {
			header.Set("Access-Control-Allow-Origin", o.allowOrigin(sent))
		}
		switch {
		case !isPreflight(r):
			next.ServeHTTP(w, r)
		case !allowed:
			refuseOrigin(w)
		default:
			header.Set("Access-Control-Allow-Methods", corsMethods)
			header.Set("Access-Control-Allow-Headers", corsHeaders)
			header.Set("Access-Control-Max-Age", strconv.Itoa(int(corsMaxAge.Seconds())))
			w.WriteHeader(http.StatusNoContent)
		}
	})
}

// Guard answers 403 to requests of pages that aren't allowed, whatever their
// method and however they want their answer.
func (o *Origins) Guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !o.Allowed(r) {
			refuseOrigin(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (o *Origins) allowOrigin(sent string) string {
	if o.everyone {
		return "*"
	}
	return sent
}

func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions &&
		r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

func refuseOrigin(w http.ResponseWriter) {
	writeError(w, http.StatusForbidden, codeForbidden, "this origin is not allowed")
}
