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

// TestStoreAcross: every call goes to the next of three nodes in turn.
func TestStoreAcross(t *testing.T) {
	server := redistest.Start(t)
	storetest.Run(t, func(t *testing.T, o storetest.Options) storetest.Store {
		server.Flush()
		options := redis.Options{Retention: o.Retention}
		return storetest.Across(open(t, server, options), open(t, server, options), open(t, server, options))
	})
}

// TestStoreOnCluster: the same on a cluster of three masters.
func TestStoreOnCluster(t *testing.T) {
	cluster := redistest.StartCluster(t, 3, 0)
	storetest.Run(t, func(t *testing.T, o storetest.Options) storetest.Store {
		cluster.Flush()
		return open(t, cluster, redis.Options{Retention: o.Retention})
	})
}
