package eventlog

import (
	"context"
	"errors"
	"fmt"
)

// ErrNoLog says that the log doesn't exist (any more).
var ErrNoLog = errors.New("eventlog: no such log")

// ErrUnavailable says that the engine can't be reached or can't answer now; the same call may
// succeed later. Engines wrap it around their own error.
var ErrUnavailable = errors.New("eventlog: store unavailable")

// ErrReadOnly says that the store can be read, but takes no writes: they are answered ErrUnavailable.
var ErrReadOnly = errors.New("eventlog: store takes no writes")

// GapError says that a log can't be continued from the position asked for.
type GapError struct {
	Reason ResetReason
	// Tail is the log's last position, read in the same atomic step: where to go on.
	Tail Position
	// TailSeq is the domain's count at the tail, for cursors.
	TailSeq uint64
}

func (e *GapError) Error() string {
	return fmt.Sprintf("eventlog: can't continue: %s (tail at %d)", e.Reason, e.Tail.Offset)
}

// Page is a contiguous run of publications and the tail of the log, read in one atomic step.
type Page struct {
	// Publications follow the position asked for, in order, none left out.
	Publications []Publication
	Tail         Position
	// TailSeq is the domain's count at the tail, for cursors.
	TailSeq uint64
}

// Log is what an engine offers for each log it keeps. A log is named by a string: for Parley the
// room's id. Appending is the domain's (chat.Store), since an entry and what it changes are
// written in one atomic step.
//
// All methods return ErrNoLog for a log that isn't there and ErrUnavailable (wrapped) when the
// store can't answer.
type Log interface {
	// Read returns up to limit publications after the position. The entry at `after` is
	// verified first: another epoch, another check, an offset trimmed away or beyond the
	// tail is a *GapError. Where the entry at `after` was trimmed but the one after it wasn't,
	// that one's Prev decides. Offset 0 of any epoch (0 included) is the start of the log. A page
	// may span epochs, but a position in an earlier one can't be read on from.
	Read(ctx context.Context, log string, after Position, limit int) (Page, error)

	// Watch tells watcher of every publication from some moment before Watch returns, until
	// stop is called; it returns once the engine's subscription is confirmed. Publications
	// may be lost or come twice or late: the log is the truth. The context bounds the call, not
	// the watch. stop may be called once, and returns when no call to watcher is under way any
	// more.
	Watch(ctx context.Context, log string, watcher Watcher) (stop func(), err error)

	// Fence ends the epoch of a log whose history disagrees with `seen`, a position this
	// node has read from it: if the log's epoch is still seen.Epoch and the log has no entry
	// at seen.Offset with seen.Check (trimmed ones excepted), then a new epoch begins, with a
	// KindReset entry at tail + 1. Otherwise it does nothing. Atomic and idempotent.
	Fence(ctx context.Context, log string, seen Position) error
}

// Watcher is told of news of one log. Its methods are called by the engine, one at a time for
// one Watch, and must not block.
type Watcher interface {
	// Published hands over publications in the order of the log.
	Published(pubs []Publication)
	// Look says that publications may have been lost: read the log from where you are.
	Look()
}
