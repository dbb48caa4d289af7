package redis_test

import (
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"parley/eventlog"
	"parley/store/redis"
	"parley/store/redis/redistest"
)

// readOnly waits until the store is ready for reading only, or for writing too.
func readOnly(t *testing.T, store *redis.Store, want bool) {
	t.Helper()
	eventually(t, "the store tells whether it takes writes", func() bool {
		return errors.Is(store.Ready(t.Context()), eventlog.ErrReadOnly) == want
	})
}

// TestRefusingServers: one server of a cluster takes no writes, whatever the others say, until it does
// again or another one has taken over.
func TestRefusingServers(t *testing.T) {
	cluster := redistest.StartCluster(t, 2, 1)
	registry := prometheus.NewRegistry()
	store := open(t, cluster, redis.Options{TailCheck: 50 * time.Millisecond, Registerer: registry})
	refused := newRoom(t, store, ada)
	server := cluster.MasterOf(redis.PrefixOf(refused))
	taken := newRoom(t, store, ada)
	for cluster.MasterOf(redis.PrefixOf(taken)) == server {
		taken = newRoom(t, store, ada)
	}
	refuse := func(replicas int) {
		t.Helper()
		server.Do("CONFIG", "SET", "min-replicas-to-write", replicas)
		if replicas == 0 {
			return
		}
		if _, err := store.Append(t.Context(), sending(refused, ada, "refused")); !errors.Is(err, eventlog.ErrUnavailable) {
			t.Fatalf("a write without enough replicas: %v", err)
		}
		readOnly(t, store, true)
	}
	count := func(want float64) {
		t.Helper()
		eventually(t, "the metric says so", func() bool { return gauge(t, registry, "parley_redis_refusing_servers") == want })
	}

	refuse(2)
	for range 3 { // what another one takes, and checks that find all else in order, change nothing
		_, err := store.Append(t.Context(), sending(taken, ada, "taken"))
		must(t, err)
		began := time.Now()
		eventually(t, "all is checked", func() bool { return store.Confirmed("").After(began) })
		if err := store.Ready(t.Context()); !errors.Is(err, eventlog.ErrReadOnly) {
			t.Fatalf("while one server takes no writes: %v", err)
		}
	}
	count(1)
	refuse(0)
	readOnly(t, store, false) // though nobody wrote to it
	count(0)

	refuse(2)
	cluster.Failover(server)
	readOnly(t, store, false)
	count(0)
}

// gauge reads a metric.
func gauge(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	must(t, err)
	for _, family := range families {
		if family.GetName() == name {
			return family.GetMetric()[0].GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}
