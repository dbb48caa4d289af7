// Package eventlog holds the words in which the rest of Parley speaks about logs and latest
// values: positions, cursors, publications, and the two interfaces every storage engine offers,
// [Log] and [State]. It imports nothing of ours and knows neither rooms nor GraphQL.
package eventlog

import "slices"

// Position names one entry of a log, or the state of a reader that has seen everything up to and
// including it. The zero Position is the start of a log, before its first entry.
type Position struct {
	// Epoch is a random mark of one unbroken life of the log. It changes when a fence ends a
	// life whose tail was lost, and it is never 0 in a log that exists.
	Epoch uint32
	// Offset counts the entries of a log: 1, 2, 3, … contiguous, across epochs too.
	Offset uint64
	// Check is the random mark of the entry at Offset, 0 at offset 0. Two histories that
	// share offsets differ in checks.
	Check uint32
}

// Interval is a range of offsets, From included, To excluded. To 0 means: still open.
type Interval struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to,omitempty"`
}

// Contains reports whether offset lies in the interval.
func (i Interval) Contains(offset uint64) bool {
	return offset >= i.From && (i.To == 0 || offset < i.To)
}

// Intervals are the parts of a log that a viewer may read, ascending and disjoint.
type Intervals []Interval

// Contains reports whether any interval contains offset.
func (is Intervals) Contains(offset uint64) bool {
	return slices.ContainsFunc(is, func(i Interval) bool { return i.Contains(offset) })
}

// Open returns the start of the interval that is still open, and whether there is one: only then
// may entries to come be read.
func (is Intervals) Open() (from uint64, ok bool) {
	if n := len(is); n > 0 && is[n-1].To == 0 {
		return is[n-1].From, true
	}
	return 0, false
}

// Everything is the right to read all of a log.
func Everything() Intervals { return Intervals{{From: 0}} }

// Until returns what of the intervals lies up to and including offset.
func (is Intervals) Until(offset uint64) Intervals {
	var until Intervals
	for _, i := range is {
		if i.From > offset {
			break
		}
		if i.To == 0 || i.To > offset+1 {
			i.To = offset + 1
		}
		until = append(until, i)
	}
	return until
}
