package redis_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley/eventlog"
	"parley/store/redis"
	"parley/store/redis/redistest"
)

const secret = "s3cret"

// refused opens a store that can't be opened, and returns what is said, which never is the password.
func refused(t *testing.T, url string, words ...string) error {
	t.Helper()
	store, err := redis.Open(t.Context(), redis.Options{URL: url})
	if err == nil {
		t.Error(store.Close())
		t.Fatal("it was opened")
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q isn't said in: %v", word, err)
		}
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("the password is in: %v", err)
	}
	return err
}

func TestOpenRefuses(t *testing.T) {
	t.Run("URLs that are none", func(t *testing.T) {
		for _, url := range []string{
			"", "localhost:6379", "http://localhost", "redis://:" + secret + "@host:port/0",
			"redis://:" + secret + "@localhost/one",
			"redis://:a%" + secret + "@localhost/0", "redis://:/" + secret + "@localhost",
		} {
			refused(t, url, "redis://user:password@host:port/db")
		}
	})
	t.Run("a server that isn't there", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		address := l.Addr().String()
		must(t, l.Close())
		start := time.Now()
		err = refused(t, "redis://:"+secret+"@"+address+"/0", "can't reach", address)
		if took := time.Since(start); !errors.Is(err, eventlog.ErrUnavailable) || took > 5*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
	})
	t.Run("with a context that has ended", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := redis.Open(ctx, redis.Options{URL: "redis://127.0.0.1:1"}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	server := redistest.Start(t)
	t.Run("a wrong password", func(t *testing.T) {
		server.Do("CONFIG", "SET", "requirepass", "another")
		defer server.Do("CONFIG", "SET", "requirepass", "")
		refused(t, strings.Replace(server.URL, "//", "//:"+secret+"@", 1), "can't reach", "WRONGPASS")
		refused(t, server.URL, "can't reach", "NOAUTH")
	})
	t.Run("a server that evicts", func(t *testing.T) {
		server.Do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
		defer server.Do("CONFIG", "SET", "maxmemory-policy", "noeviction")
		refused(t, server.URL, "allkeys-lru", "CONFIG SET maxmemory-policy noeviction")
	})
	t.Run("a URL of the wrong kind", func(t *testing.T) {
		host := strings.TrimSuffix(strings.TrimPrefix(server.URL, "redis://"), "/0")
		refused(t, "redis+cluster://:"+secret+"@"+host, "can't reach")
		refused(t, "redis+cluster://"+host, "isn't in cluster mode", "redis://")
		refused(t, "redis+sentinel://"+host+"/parley", "is no Sentinel")
		watched := redistest.StartSentinels(t, 1)
		refused(t, strings.TrimSuffix(watched.URL, "parley")+"other", "knows no master", `"other"`)
		refused(t, watched.Servers[1].URL, "is a replica of 127.0.0.1", "name the master")
		refused(t, redistest.StartCluster(t, 1, 0).Servers[0].URL, "redis+cluster://")
	})
	record := redis.Prefixes()[0] + "record"
	for name, fields := range map[string][]any{
		"a later format":       {"version", "2", "buckets", "64"},
		"another bucket count": {"version", "1", "buckets", "128"},
		"a broken record":      {"version", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			server.Do(append([]any{"HSET", record}, fields...)...)
			defer server.Do("DEL", record)
			refused(t, server.URL, "format version", "another database")
		})
	}
}

func TestOpen(t *testing.T) {
	t.Run("with a password", func(t *testing.T) {
		server := redistest.Start(t)
		server.Do("CONFIG", "SET", "requirepass", secret)
		store, err := redis.Open(t.Context(), redis.Options{URL: strings.Replace(server.URL, "//", "//:"+secret+"@", 1)})
		must(t, err)
		must(t, store.Ready(t.Context()), store.Close())
	})
	t.Run("by a unix socket, in another database", func(t *testing.T) {
		server := redistest.Start(t)
		socket := filepath.Join(server.Dir(), "socket")
		server.Restart("--unixsocket", socket)
		store, err := redis.Open(t.Context(), redis.Options{URL: "unix://" + socket + "?db=3"})
		must(t, err)
		must(t, store.Ready(t.Context()), store.Close())
		if keyspace := server.Do("INFO", "keyspace"); !strings.Contains(keyspace.(string), "db3:keys=1,") {
			t.Errorf("the record isn't in database 3: %v", keyspace)
		}
	})
	t.Run("keeps the record", func(t *testing.T) {
		server := redistest.Start(t)
		for range 2 {
			store, err := redis.Open(t.Context(), redis.Options{URL: server.URL})
			must(t, err)
			must(t, store.Close())
		}
		if server.Do("HGET", redis.Prefixes()[0]+"record", "version") != "1" {
			t.Error("there is no record of version 1")
		}
	})
}

func TestRecordReplaced(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, server, redis.Options{})
	record := redis.Prefixes()[0] + "record"
	server.Do("HSET", record, "version", "2")
	eventually(t, "the store isn't ready any more", func() bool { return store.Ready(t.Context()) != nil })
	server.Do("HSET", record, "version", "1")
	eventually(t, "the store is ready again", func() bool { return store.Ready(t.Context()) == nil })
}

func TestServerGone(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, server, redis.Options{})
	room := newRoom(t, store, ada)
	f := follow(t, store, room)
	server.Stop()
	for name, call := range map[string]func() error{
		"Ready":   func() error { return store.Ready(t.Context()) },
		"Append":  func() error { _, err := store.Append(t.Context(), sending(room, ada, "lost")); return err },
		"Read":    func() error { _, err := store.Read(t.Context(), room, eventlog.Position{}, 1); return err },
		"Watch":   func() error { _, err := store.Watch(t.Context(), room, f); return err },
		"Sweep":   func() error { _, err := store.Sweep(t.Context(), 0); return err },
		"RoomsOf": func() error { _, err := store.RoomsOf(t.Context(), ada.ID); return err },
		"Typing":  func() error { return store.SetTyping(t.Context(), room, visitor(ada), time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			err := call()
			if took := time.Since(start); !errors.Is(err, eventlog.ErrUnavailable) || took > 3*time.Second {
				t.Errorf("after %v: %v", took, err)
			}
		})
	}
	server.Restart()
	insist(t, store, room, "back")
	must(t, f.until(2), store.Ready(t.Context()))
}

func TestMetrics(t *testing.T) {
	server := redistest.Start(t)
	registry := prometheus.NewRegistry()
	store, err := redis.Open(t.Context(), redis.Options{URL: server.URL, Registerer: registry})
	must(t, err)
	newRoom(t, store, ada)
	names := func() (names string) {
		families, err := registry.Gather()
		must(t, err)
		for _, family := range families {
			names += family.GetName() + " "
		}
		return names
	}
	const want = "parley_redis_batch_size parley_redis_pool_connections parley_redis_pool_requests_total parley_redis_pool_stale_total " +
		"parley_redis_pubsub_reconnects_total parley_redis_refusing_servers parley_redis_script_seconds parley_redis_tail_check_looks_total " +
		"parley_redis_wait_unsatisfied_total parley_store_shed_total parley_store_waiting "
	if got := names(); got != want {
		t.Errorf("got %s", got)
	}
	t.Run("a registry takes one store's", func(t *testing.T) {
		if _, err := redis.Open(t.Context(), redis.Options{URL: server.URL, Registerer: registry}); err == nil {
			t.Error("it took two")
		}
		if got := names(); got != want {
			t.Errorf("the first one's are %s", got)
		}
	})
	must(t, store.Close())
	if got := names(); got != "" {
		t.Errorf("after Close: %s", got)
	}
}
