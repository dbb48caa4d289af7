package ratelimit_test

import (
	"testing"
	"time"

	"parley/ratelimit"
)

func TestParseLimit(t *testing.T) {
	for text, want := range map[string]ratelimit.Limit{
		"off":             {},
		"10/s":            {Count: 10, Period: time.Second, Burst: 10},
		"10/s burst 50":   {Count: 10, Period: time.Second, Burst: 50},
		"600/m burst 1":   {Count: 600, Period: time.Minute, Burst: 1},
		"5/h":             {Count: 5, Period: time.Hour, Burst: 5},
		"1/10s burst 5":   {Count: 1, Period: 10 * time.Second, Burst: 5},
		"3/100ms burst 9": {Count: 3, Period: 100 * time.Millisecond, Burst: 9},
	} {
		got, err := ratelimit.ParseLimit(text)
		if err != nil || got != want {
			t.Errorf("%q is %+v, %v", text, got, err)
		}
		if again, err := ratelimit.ParseLimit(got.String()); err != nil || again != got {
			t.Errorf("%q is written %q, which is %+v, %v", text, got, again, err)
		}
	}
	for _, text := range []string{
		"", "10", "0/s", "-1/s", "10/", "10/x", "10/0s", "10/-1s", "1.5/s", "10/s burst", "10/s burst 0", "10/s  burst 5",
		"10/s burst -5", "2000000/s", "1/h burst 25", "1/48h", "OFF", "10/s burst 99999999999999999999", "1/h burst 9000000000000000000",
	} {
		if got, err := ratelimit.ParseLimit(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

func FuzzParseLimit(f *testing.F) {
	for _, text := range []string{"10/s burst 50", "off", "1/10s", "3/h burst 2"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		limit, err := ratelimit.ParseLimit(text)
		if err != nil {
			return
		}
		if again, err := ratelimit.ParseLimit(limit.String()); err != nil || again != limit {
			t.Fatalf("%q is %+v, written %q, which is %+v, %v", text, limit, limit, again, err)
		}
		if !limit.Unlimited() && (limit.Spacing() <= 0 || limit.Depth() < limit.Spacing()) {
			t.Fatalf("%q has the spacing %d and the depth %d", text, limit.Spacing(), limit.Depth())
		}
	})
}
