package presence

import (
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	ms := time.Millisecond
	for name, test := range map[string]struct {
		failures int
		chance   float64
		want     time.Duration
	}{
		"first":                {1, 0, 100 * ms},
		"second":               {2, 0, 200 * ms},
		"fifth":                {5, 0, 1600 * ms},
		"at most":              {6, 0, 2000 * ms},
		"after very many":      {1 << 40, 0, 2000 * ms},
		"by chance, a quarter": {2, 0.5, 150 * ms},
		"by chance, a half":    {2, 1, 100 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			if got := backoff(test.failures, 2*time.Second, test.chance); got != test.want {
				t.Fatalf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestAround(t *testing.T) {
	for chance, want := range map[float64]time.Duration{0: 750, 0.5: 1000, 1: 1250} {
		if got := around(1000, chance); got != want {
			t.Errorf("chance %v: got %d, want %d", chance, got, want)
		}
	}
}
