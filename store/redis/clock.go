package redis

import "time"

// Scripts tell times as unix milliseconds, by the server's clock; 0 is none.

func timeOf(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func optionalTime(ms int64) *time.Time {
	if ms == 0 {
		return nil
	}
	t := timeOf(ms)
	return &t
}
