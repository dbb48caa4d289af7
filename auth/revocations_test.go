package auth_test

import (
	"context"
	"errors"
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
	"testing/synctest"
	"time"

	"parley/auth"
)

// registry is a store of revocations that nodes share, and that fails or forgets when told to.
type registry struct {
	mu    sync.Mutex
	list  []auth.Revocation
	lost  uint64 // entries that the list began with once
	fails bool
	deaf  bool // tells nobody
	looks map[*func()]bool
}

var errDown = errors.New("the store is down")

func (s *registry) Revoke(_ context.Context, r auth.Revocation, keep time.Duration, most int) (auth.Revocation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.fails:
		return r, errDown
	case len(s.list) >= most:
		return r, auth.ErrRevocationsFull
	}
	if r.At.IsZero() {
		r.At = time.Now().UTC()
	}
	if keep > 0 {
		r.Until = r.At.Add(keep)
	}
	s.list = append(s.list, r)
	for look := range s.looks {
		if !s.deaf {
			(*look)()
		}
	}
	return r, nil
}

func (s *registry) Revocations(_ context.Context, after uint64, limit int) (auth.RevocationPage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails {
		return auth.RevocationPage{}, errDown
	}
	first := int(max(after, s.lost) - s.lost)
	list := s.list[min(first, len(s.list)):]
	list = list[:min(limit, len(list))]
	page := auth.RevocationPage{Revocations: slices.Clone(list), Next: after, Count: len(s.list)}
	if len(list) > 0 {
		page.Next = s.lost + uint64(first+len(list))
	}
	return page, nil
}

func (s *registry) WatchRevocations(_ context.Context, look func()) (stop func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.looks == nil {
		s.looks = map[*func()]bool{}
	}
	s.looks[&look] = true
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.looks, &look)
	}, nil
}

func (s *registry) set(change func(*registry)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// nodeOf returns a node's copy of the list, kept current until the bubble's test ends.
func nodeOf(t *testing.T, s *registry, o auth.RevocationOptions) *auth.Revocations {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	r := auth.NewRevocations(s, o)
	if err := r.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = r.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	return r
}

func wantCheck(t *testing.T, r *auth.Revocations, v *auth.Viewer, want error) {
	t.Helper()
	if err := r.Check(v); !errors.Is(err, want) {
		t.Errorf("%+v: %v instead of %v", v, err, want)
	}
}

func TestRevocationsCover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := nodeOf(t, &registry{}, auth.RevocationOptions{})
		time.Sleep(1500 * time.Millisecond) // in the middle of a second
		second := time.Now().Truncate(time.Second)
		for _, what := range []auth.Revocation{{User: "ada"}, {Token: "t1"}} {
			if _, err := r.Revoke(t.Context(), what); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		for _, c := range []struct {
			name   string
			viewer auth.Viewer
			want   error
		}{
			{"issued before", auth.Viewer{ID: "ada", IssuedAt: second.Add(-time.Hour)}, auth.ErrRevoked},
			{"issued in the same second", auth.Viewer{ID: "ada", IssuedAt: second}, auth.ErrRevoked},
			{"issued who knows when", auth.Viewer{ID: "ada"}, auth.ErrRevoked},
			{"issued after", auth.Viewer{ID: "ada", IssuedAt: second.Add(time.Second)}, nil},
			{"another user's", auth.Viewer{ID: "bob"}, nil},
			{"the token", auth.Viewer{ID: "bob", TokenID: "t1", IssuedAt: second.Add(time.Hour)}, auth.ErrRevoked},
			{"another token", auth.Viewer{ID: "bob", TokenID: "t2"}, nil},
		} {
			if err := r.Check(&c.viewer); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", c.name, err)
			}
		}
	})
}

func TestRevocationsEndConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &registry{}
		here, there := nodeOf(t, s, auth.RevocationOptions{}), nodeOf(t, s, auth.RevocationOptions{})
		ended := map[string]*atomic.Int64{}
		hold := func(owner string, v auth.Viewer) {
			n := ended[owner]
			if n == nil {
				n = &atomic.Int64{}
				ended[owner] = n
			}
			there.Hold(owner, &v, func() { n.Add(1) })
		}
		hold("ada", auth.Viewer{ID: "ada", TokenID: "a1"})
		hold("ada too", auth.Viewer{ID: "ada", TokenID: "a2"})
		hold("bob", auth.Viewer{ID: "bob", TokenID: "b1"})
		hold("bob, renewed", auth.Viewer{ID: "bob", TokenID: "b2"})
		hold("bob, renewed", auth.Viewer{ID: "bob", TokenID: "b3"})
		hold("gone", auth.Viewer{ID: "ada", TokenID: "a3"})
		there.Drop("gone")
		there.Drop("nobody")
		want := func(owners ...string) {
			t.Helper()
			synctest.Wait()
			for owner, n := range ended {
				if n.Load() == 1 != slices.Contains(owners, owner) {
					t.Errorf("%s ended %d times", owner, n.Load())
				}
			}
		}
		revoke := func(what auth.Revocation) {
			t.Helper()
			if _, err := here.Revoke(t.Context(), what); err != nil {
				t.Fatal(err)
			}
		}
		want()
		revoke(auth.Revocation{Token: "b2"}) // not theirs any more
		want()
		revoke(auth.Revocation{Token: "b3"})
		want("bob, renewed")
		revoke(auth.Revocation{User: "ada"})
		want("bob, renewed", "ada", "ada too")
		hold("late", auth.Viewer{ID: "ada"}) // verified before, connected after
		want("bob, renewed", "ada", "ada too", "late")

		s.set(func(s *registry) { s.deaf = true })
		begin := time.Now()
		revoke(auth.Revocation{Token: "b1"})
		for ended["bob"].Load() == 0 {
			time.Sleep(10 * time.Millisecond)
			synctest.Wait()
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("a lost hint was made up for after %v", took)
		}
	})
}

func TestRevocationsWhenCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &registry{}
		r := nodeOf(t, s, auth.RevocationOptions{})
		ada := &auth.Viewer{ID: "ada"}
		s.set(func(s *registry) { s.fails = true })
		time.Sleep(9 * time.Second)
		wantCheck(t, r, ada, nil)
		time.Sleep(2 * time.Second)
		wantCheck(t, r, ada, auth.ErrUnavailable)
		if _, err := r.Revoke(t.Context(), auth.Revocation{User: "ada"}); !errors.Is(err, errDown) {
			t.Errorf("revoking: %v", err)
		}
		s.set(func(s *registry) { s.fails = false })
		time.Sleep(time.Second)
		wantCheck(t, r, ada, nil)
	})
}

func TestRevocationsThatAreLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &registry{}
		r := nodeOf(t, s, auth.RevocationOptions{Keep: time.Hour})
		for _, user := range []string{"ada", "bob", "cyd"} {
			if _, err := r.Revoke(t.Context(), auth.Revocation{User: user}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		before := slices.Clone(s.list)
		s.set(func(s *registry) { s.lost, s.list = s.lost+3, nil })
		time.Sleep(2 * time.Second)
		wantCheck(t, r, &auth.Viewer{ID: "ada"}, auth.ErrRevoked)
		wantCheck(t, nodeOf(t, s, auth.RevocationOptions{}), &auth.Viewer{ID: "ada"}, auth.ErrRevoked)
		set := func(list []auth.Revocation) map[auth.Revocation]bool {
			set := map[auth.Revocation]bool{}
			for _, one := range list {
				set[one] = true
			}
			return set
		}
		if !maps.Equal(set(before), set(s.list)) || len(s.list) != 3 {
			t.Errorf("restored %+v of %+v", s.list, before)
		}
		time.Sleep(time.Hour)
		wantCheck(t, r, &auth.Viewer{ID: "ada"}, nil)
		if r.Len() != 0 {
			t.Errorf("%d are remembered", r.Len())
		}
	})
}

func TestRevokeHandler(t *testing.T) {
	s := &registry{}
	revocations := auth.NewRevocations(s, auth.RevocationOptions{Most: 3})
	handler := auth.RevokeHandler(revocations, slog.New(slog.DiscardHandler))
	ask := func(method, contentType, body string, header ...string) *http.Response {
		r := httptest.NewRequestWithContext(t.Context(), method, "/revocations", strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Result()
	}
	for _, c := range []struct {
		name, method, contentType, body string
		status                          int
	}{
		{"a user", "POST", "application/json", `{"user":"ada"}`, 200},
		{"a token", "POST", "application/json; charset=utf-8", `{"token":"t: ö"}`, 200},
		{"both", "POST", "application/json", `{"user":"ada","token":"t"}`, 400},
		{"neither", "POST", "application/json", `{}`, 400},
		{"a user like a room", "POST", "application/json", `{"user":"r_1"}`, 400},
		{"a user of 129 bytes", "POST", "application/json", `{"user":"` + strings.Repeat("u", 129) + `"}`, 400},
		{"a token with a line break", "POST", "application/json", `{"token":"a\nb"}`, 400},
		{"a time of one's own", "POST", "application/json", `{"user":"ada","revokedAt":"2026-01-01T00:00:00Z"}`, 400},
		{"a number", "POST", "application/json", `{"user":7}`, 400},
		{"no JSON", "POST", "application/json", `user=ada`, 400},
		{"two objects", "POST", "application/json", `{"user":"ada"}{}`, 400},
		{"too long", "POST", "application/json", `{"user":"ada","pad":"` + strings.Repeat("x", 5000) + `"}`, 400},
		{"a form", "POST", "application/x-www-form-urlencoded", `user=ada`, 415},
		{"plain text", "POST", "text/plain", `{"user":"ada"}`, 415},
		{"a deletion", "DELETE", "application/json", `{"user":"ada"}`, 405},
		{"the count", "GET", "", "", 200},
	} {
		if got := ask(c.method, c.contentType, c.body); got.StatusCode != c.status {
			t.Errorf("%s: status %d instead of %d", c.name, got.StatusCode, c.status)
		}
	}
	if got := ask("POST", "application/json", `{"user":"ada"}`, "Origin", "http://127.0.0.1:9464"); got.StatusCode != 403 {
		t.Errorf("a page's: status %d", got.StatusCode)
	}
	if len(s.list) != 2 {
		t.Errorf("recorded: %+v", s.list)
	}
	answer, err := io.ReadAll(ask("POST", "application/json", `{"user":"bob"}`).Body)
	if err != nil || !strings.HasPrefix(string(answer), `{"user":"bob","revokedAt":"20`) {
		t.Errorf("%s, %v", answer, err)
	}
	if got := ask("POST", "application/json", `{"user":"cyd"}`); got.StatusCode != 507 {
		t.Errorf("beyond the bound: status %d", got.StatusCode)
	}
	s.set(func(s *registry) { s.fails = true })
	if got := ask("POST", "application/json", `{"user":"ada"}`); got.StatusCode != 503 || got.Header.Get("Retry-After") == "" {
		t.Errorf("while the store is down: status %d", got.StatusCode)
	}
}
