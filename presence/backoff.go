package presence

import "time"

const firstBackoff = 100 * time.Millisecond

// backoff is how long to wait after so many failures in a row (at least 1): doubling from 100 ms
// up to most, less a part of up to a half, by chance (0 ≤ chance < 1), so that nodes which failed
// together don't come back together.
func backoff(failures int, most time.Duration, chance float64) time.Duration {
	wait := most
	if doublings := failures - 1; doublings < 20 {
		wait = min(most, firstBackoff<<doublings)
	}
	return wait - time.Duration(chance*float64(wait/2))
}

// around is a wait of d on average, a quarter shorter or longer by chance (0 ≤ chance < 1).
func around(d time.Duration, chance float64) time.Duration {
	return d*3/4 + time.Duration(chance*float64(d/2))
}
