package redis_test

import (
	"testing"

	"parley/store/redis"
	"parley/store/redis/redistest"
	"parley/store/storetest"
)

func TestStore(t *testing.T) {
	server := redistest.Start(t)
	storetest.Run(t, func(t *testing.T, o storetest.Options) storetest.Store {
		server.Flush()
		return open(t, server, redis.Options{Retention: o.Retention})
	})
}
