package redis_test

import (
	"testing"

	"go.uber.org/goleak"

	"parley/store/redis"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// servers is what a store can be opened on.
type servers interface{ Address() string }

// open opens a store on a server, a master with Sentinels, or a cluster; it is closed when the test ends.
func open(t testing.TB, on servers, o redis.Options) *redis.Store {
	t.Helper()
	o.URL = on.Address()
	store, err := redis.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}
