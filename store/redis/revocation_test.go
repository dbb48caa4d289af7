package redis_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"parley/auth"
	"parley/store/redis"
	"parley/store/redis/redistest"
)

func kept(t *testing.T, store *redis.Store) map[string]auth.Revocation {
	t.Helper()
	page, err := store.Revocations(t.Context(), 0, 10_000)
	must(t, err)
	all := map[string]auth.Revocation{}
	for _, one := range page.Revocations {
		all[one.User+one.Token] = one
	}
	return all
}

// TestRevocationsBeforeTheyWereScheduled: a list as Parley kept it without the key revocations-due, and
// goes on keeping it on an older node.
func TestRevocationsBeforeTheyWereScheduled(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, server, redis.Options{})
	bucket := redis.Prefixes()[0]
	record := func(what string, mark, made, until int64) {
		server.Do("ZADD", bucket+"revocations", mark, what)
		server.Do("HSET", bucket+"revoked", what, fmt.Sprintf("%d %d", made, until))
	}
	record("u:eternal", 1, 1, 0)
	for i := range int64(250) {
		record(fmt.Sprint("t:over-", i), 2+i, 2+i, 1000)
	}
	live := time.Now().Add(time.Hour).UnixMilli()
	record("u:live", 1000, 1000, live)
	revoke := func(user string, most int) error {
		_, err := store.Revoke(t.Context(), auth.Revocation{User: user}, time.Hour, most)
		return err
	}
	must(t, revoke("ada", 3))
	if err := revoke("bob", 3); !errors.Is(err, auth.ErrRevocationsFull) {
		t.Errorf("beyond the bound: %v", err)
	}
	must(t, revoke("cyd", 4))
	if all := kept(t, store); len(all) != 4 || all["eternal"].User == "" || all["live"].User == "" {
		t.Errorf("after three sweeps these are kept: %+v", all)
	}

	// ada's is prolonged on an older node, eternal's ended, and live's swept there.
	record("u:ada", live, 2000, 0)
	record("u:eternal", live+1, 2000, 3000)
	server.Do("ZADD", bucket+"revocations-due", 2000, "u:ada")
	server.Do("ZREM", bucket+"revocations", "u:live")
	server.Do("HDEL", bucket+"revoked", "u:live")
	server.Do("ZADD", bucket+"revocations-due", 2000, "u:live")
	must(t, revoke("dan", 3))
	if all := kept(t, store); len(all) != 3 || all["ada"].User == "" || !all["ada"].Until.IsZero() {
		t.Errorf("beside an older node these are kept: %+v", all)
	}
	server.Do("ZADD", bucket+"revocations-due", 3000, "u:ada") // which its mark didn't tell
	must(t, revoke("dan", 3))
	if all := kept(t, store); len(all) != 3 || all["ada"].User == "" {
		t.Errorf("after ada's was due, these are kept: %+v", all)
	}
	if due := server.Do("ZCARD", bucket+"revocations-due"); due != int64(3) {
		t.Errorf("%v are scheduled", due)
	}
}

// TestRevocationsOfAnOlderSnapshot: what a store loses among leftovers, its nodes record again.
func TestRevocationsOfAnOlderSnapshot(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, server, redis.Options{})
	node := auth.NewRevocations(store, auth.RevocationOptions{Log: slog.New(slog.DiscardHandler)})
	for i := range 5 {
		_, err := store.Revoke(t.Context(), auth.Revocation{Token: fmt.Sprint(i)}, time.Millisecond, 10)
		must(t, err)
	}
	_, err := node.Revoke(t.Context(), auth.Revocation{User: ada.ID})
	must(t, err, node.Load(t.Context()))
	snapshot := server.Snapshot()
	again, err := node.Revoke(t.Context(), auth.Revocation{User: ada.ID})
	must(t, err)
	one, err := node.Revoke(t.Context(), auth.Revocation{User: bob.ID})
	must(t, err, node.Load(t.Context()))
	server.RestoreSnapshot(snapshot)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = node.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	eventually(t, "what was lost is recorded again", func() bool {
		page, err := store.Revocations(t.Context(), 0, 100)
		if err != nil {
			return false // it has just started
		}
		found := map[auth.Revocation]bool{}
		for _, one := range page.Revocations {
			found[one] = true
		}
		return found[again] && found[one]
	})
}
