package redis_test

import (
	"testing"

	"go.uber.org/goleak"

	"parley/store/redis"
	"parley/store/redis/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens a store on a server; it is closed when the test ends.
func open(t testing.TB, server *redistest.Server, o redis.Options) *redis.Store {
	t.Helper()
	o.URL = server.URL
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
