package auth_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
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
	mu       sync.Mutex
	list     []recorded    // what is over stays in it
	slow     time.Duration // how far the store's clock is behind
	fails    bool
	refusals int  // of recording, yet to come
	deaf     bool // tells nobody
	looks    map[*func()]bool
}

type recorded struct {
	auth.Revocation
	mark uint64
}

var errDown = errors.New("the store is down")

func (s *registry) now() time.Time { return time.Now().Add(-s.slow).UTC() }

// sweep drops what is over.
func (s *registry) sweep() {
	now := s.now()
	s.list = slices.DeleteFunc(s.list, func(one recorded) bool { return !one.Until.IsZero() && !one.Until.After(now) })
}

func (s *registry) Revoke(_ context.Context, r auth.Revocation, keep time.Duration, most int) (auth.Revocation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.fails:
		return r, errDown
	case s.refusals > 0:
		s.refusals--
		return r, errDown
	case len(s.list) >= most:
		return r, auth.ErrRevocationsFull
	}
	now := s.now()
	if r.At.IsZero() {
		r.At = now
	}
	if keep > 0 {
		r.Until = r.At.Add(keep)
	}
	mark := uint64(now.UnixMilli())
	if n := len(s.list); n > 0 {
		mark = max(mark, s.list[n-1].mark+1)
	}
	same := func(one recorded) bool { return one.User == r.User && one.Token == r.Token }
	if i := slices.IndexFunc(s.list, same); i >= 0 {
		if !s.list[i].At.Before(r.At) {
			return s.list[i].Revocation, nil
		}
		s.list = slices.Delete(s.list, i, i+1)
	}
	s.list = append(s.list, recorded{r, mark})
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
	page := auth.RevocationPage{First: after, Next: after, Now: s.now()}
	for _, one := range s.list {
		if one.mark <= after || len(page.Revocations) == limit {
			continue
		}
		if page.Next = one.mark; len(page.Revocations) == 0 {
			page.First = one.mark
		}
		page.Revocations = append(page.Revocations, one.Revocation)
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
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
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

// lose takes the last n away.
func (s *registry) lose(n int) {
	s.set(func(s *registry) { s.list = slices.Clone(s.list[:len(s.list)-n]) })
}

// revoker revokes users one second after another, and knows when that was last.
type revoker struct {
	*auth.Revocations
	last map[string]time.Time
}

func (r revoker) revoke(t *testing.T, users ...string) {
	t.Helper()
	for _, user := range users {
		made, err := r.Revoke(t.Context(), auth.Revocation{User: user})
		if err != nil {
			t.Fatal(err)
		}
		r.last[user] = made.At
		time.Sleep(time.Second)
	}
}

func TestRevocationsThatAreLost(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, s *registry, r revoker){
		"all":                    func(_ *testing.T, s *registry, _ revoker) { s.lose(len(s.list)) },
		"one, some are over":     func(_ *testing.T, s *registry, _ revoker) { s.lose(1) },
		"one, then another came": func(t *testing.T, s *registry, r revoker) { s.lose(1); r.revoke(t, "eve") },
		"one made again": func(t *testing.T, s *registry, r revoker) {
			before := slices.Clone(s.list)
			r.revoke(t, "bob")
			s.set(func(s *registry) { s.list = before })
		},
		"one made again, then another came": func(t *testing.T, s *registry, r revoker) {
			before := slices.Clone(s.list)
			r.revoke(t, "bob")
			s.set(func(s *registry) { s.list = before })
			r.revoke(t, "eve")
		},
		"to a clock that is behind": func(t *testing.T, s *registry, r revoker) {
			s.lose(2)
			s.set(func(s *registry) { s.slow = 2 * time.Second })
			r.revoke(t, "eve", "fay")
		},
		"and at first not taken again": func(_ *testing.T, s *registry, _ revoker) {
			s.lose(2)
			s.set(func(s *registry) { s.refusals = 2 })
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &registry{}
				for _, token := range []string{"1", "2", "3", "4", "5"} {
					if _, err := s.Revoke(t.Context(), auth.Revocation{Token: token}, time.Second, 10); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(2 * time.Second)
				r := revoker{nodeOf(t, s, auth.RevocationOptions{Keep: time.Hour}), map[string]time.Time{}}
				r.revoke(t, "ada", "bob", "cyd")
				lose(t, s, r)
				time.Sleep(2 * time.Second)
				fresh := nodeOf(t, s, auth.RevocationOptions{})
				for user, last := range r.last {
					wantCheck(t, r.Revocations, &auth.Viewer{ID: user, IssuedAt: last}, auth.ErrRevoked)
					wantCheck(t, fresh, &auth.Viewer{ID: user, IssuedAt: last}, auth.ErrRevoked)
				}
				time.Sleep(time.Hour)
				wantCheck(t, r.Revocations, &auth.Viewer{ID: "ada"}, nil)
				if r.Len() != 0 {
					t.Errorf("%d are remembered", r.Len())
				}
			})
		})
	}
}

// TestRevocationsEndByTheStoresClock: a node whose clock is behind misses nothing that the store dropped, and
// one whose clock is ahead forgets nothing before.
func TestRevocationsEndByTheStoresClock(t *testing.T) {
	for name, slow := range map[string]time.Duration{"behind": -time.Hour, "ahead": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				s := &registry{slow: slow}
				r := nodeOf(t, s, auth.RevocationOptions{Keep: 30 * time.Minute, Log: slog.New(slog.NewTextHandler(&log, nil))})
				if _, err := r.Revoke(t.Context(), auth.Revocation{User: "ada"}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(29 * time.Minute)
				wantCheck(t, r, &auth.Viewer{ID: "ada"}, auth.ErrRevoked)
				time.Sleep(2 * time.Minute)
				s.set((*registry).sweep)
				time.Sleep(10 * time.Second)
				wantCheck(t, r, &auth.Viewer{ID: "ada"}, nil)
				if n := len(s.list); r.Len() != 0 || n != 0 {
					t.Errorf("%d are remembered, %d recorded", r.Len(), n)
				}
				if log.Len() > 0 {
					t.Errorf("said: %s", &log)
				}
			})
		})
	}
}

// TestLostRevocationsAreToldOnce: however often it is tried to record them again.
func TestLostRevocationsAreToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := &registry{}
		r := revoker{
			nodeOf(t, s, auth.RevocationOptions{Log: slog.New(slog.NewTextHandler(&log, nil))}), map[string]time.Time{},
		}
		r.revoke(t, "ada", "bob")
		for times := range 2 {
			s.lose(2)
			s.set(func(s *registry) { s.refusals = 20 })
			time.Sleep(time.Minute)
			synctest.Wait()
			if told := strings.Count(log.String(), "has lost revocations"); told != times+1 {
				t.Fatalf("lost %d times, told %d times:\n%s", times+1, told, &log)
			}
			if len(s.list) != 2 {
				t.Fatalf("%d are recorded", len(s.list))
			}
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
