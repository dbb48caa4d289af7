package redis_test

import (
	"strconv"
	"testing"
	"time"

	"parley/ratelimit"
	"parley/store/redis"
	"parley/store/redis/redistest"
)

// TestRateKeys: what is kept of a rate expires with it, and a state that the clock left far ahead is
// nobody's burden.
func TestRateKeys(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, server, redis.Options{})
	cost := ratelimit.Cost{Name: "test", Key: "k", Limit: ratelimit.Limit{Count: 1, Period: 10 * time.Second, Burst: 3}}
	rateKey := func() string {
		for _, key := range server.Do("KEYS", "*:rate:k").([]any) {
			return key.(string)
		}
		t.Fatal("there is no key")
		return ""
	}
	for n := int64(1); n <= 3; n++ {
		must(t, store.Take(t.Context(), cost))
		if ttl := server.Do("PTTL", rateKey()).(int64); ttl > n*10_000 || ttl < n*10_000-5000 {
			t.Errorf("after %d the key lives for %d ms", n, ttl)
		}
	}
	if store.Take(t.Context(), cost) == nil {
		t.Error("a fourth is covered")
	}
	server.Do("SET", rateKey(), strconv.FormatInt(time.Now().Add(time.Hour).UnixMicro(), 10))
	must(t, store.Take(t.Context(), cost))
	if ttl := server.Do("PTTL", rateKey()).(int64); ttl < 0 || ttl > 10_000 {
		t.Errorf("the key lives for %d ms", ttl)
	}
}
