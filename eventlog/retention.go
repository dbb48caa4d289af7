package eventlog

import "time"

// Retention says how much of a log an engine keeps. Trimming happens in chunks: only above
// MaxEntries plus a tenth, or for entries older than MaxAge. Entries younger than MinAge are kept
// unless the log exceeds MaxBytes.
type Retention struct {
	// MaxEntries per log; 0 means 10,000.
	MaxEntries int
	// MaxAge of an entry; 0 means 7 days.
	MaxAge time.Duration
	// MinAge is how long every entry is kept in any case but MaxBytes; 0 means 5 minutes.
	MinAge time.Duration
	// MaxBytes of one log's entries, without message contents; 0 means 64 MiB.
	MaxBytes int64
}

// WithDefaults returns r with its zero fields set.
func (r Retention) WithDefaults() Retention {
	if r.MaxEntries == 0 {
		r.MaxEntries = 10_000
	}
	if r.MaxAge == 0 {
		r.MaxAge = 7 * 24 * time.Hour
	}
	if r.MinAge == 0 {
		r.MinAge = 5 * time.Minute
	}
	if r.MaxBytes == 0 {
		r.MaxBytes = 64 << 20
	}
	return r
}
