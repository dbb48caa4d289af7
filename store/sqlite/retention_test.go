package sqlite

import (
	"testing"
	"time"

	"parley/eventlog"
)

func TestCrop(t *testing.T) {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	limits := eventlog.Retention{MaxEntries: 100, MaxAge: time.Hour, MinAge: time.Minute, MaxBytes: 1000}
	// oldest are entries of 10 bytes, by their ages.
	oldest := func(ages ...time.Duration) (list []kept) {
		for i, age := range ages {
			list = append(list, kept{pos: uint64(i + 1), at: at.Add(-age).UnixMilli(), size: 10})
		}
		return list
	}
	for _, c := range []struct {
		name    string
		oldest  []kept
		entries int
		bytes   int64
		want    int
	}{
		{"within all bounds", oldest(30*time.Minute, time.Minute), 100, 1000, 0},
		{"too many", oldest(30*time.Minute, 20*time.Minute, 10*time.Minute), 102, 1000, 2},
		{"too many, all of a portion", oldest(30*time.Minute, 20*time.Minute), 110, 1000, 2},
		{"too many, but young", oldest(2*time.Minute, time.Second), 110, 1000, 1},
		{"too old", oldest(3*time.Hour, time.Hour+time.Millisecond, time.Hour), 3, 30, 2},
		{"too heavy, young as they are", oldest(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 50, 1001, 11},
		{"heavy, not too heavy", oldest(0, 0), 50, 950, 0},
		{"empty", nil, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := crop(c.oldest, c.entries, c.bytes, limits, at); got != c.want {
				t.Errorf("%d go, want %d", got, c.want)
			}
		})
	}
}
