package storetest

import (
	"context"
	"errors"
	"reflect"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"parley/chat"
	"parley/eventlog"
)

// alike compares what engines return: nil and empty are the same, and an entry keeps its actor's id
// and name only, so a replayed event may lack the picture that the live one has.
var alike = cmp.Options{
	cmpopts.EquateEmpty(),
	cmp.FilterPath(func(p cmp.Path) bool {
		return len(p) > 2 && p.Last().String() == ".AvatarURL" && p.Index(-3).String() == ".Actor"
	}, cmp.Ignore()),
}

// same fails unless got is alike want; nil wants the zero value.
func (r rig) same(what string, got, want any) {
	r.Helper()
	if want == nil && got != nil {
		want = reflect.Zero(reflect.TypeOf(got)).Interface()
	}
	if diff := cmp.Diff(want, got, alike); diff != "" {
		r.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// verdict says in a word how a call ended, as far as callers tell errors apart.
func verdict(err error) string {
	var gap *eventlog.GapError
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, chat.ErrMoved):
		return "moved"
	case errors.Is(err, eventlog.ErrUnavailable):
		return "unavailable"
	case errors.Is(err, eventlog.ErrNoLog):
		return "no log"
	case errors.As(err, &gap):
		return "gap: " + gap.Reason.String()
	}
	return string(chat.CodeOf(err))
}

// interrupted reports whether a call ended because its time was up: by its context's error, or by the
// engine's own where that noticed first.
func interrupted(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.Is(err, eventlog.ErrUnavailable)
}

const (
	moved       = "moved"
	unavailable = "unavailable"
	noLog       = "no log"
	trimmed     = "gap: trimmed"
	historyLost = "gap: history lost"
	notFound    = string(chat.NotFound)
	conflict    = string(chat.Conflict)
)

// refused fails unless err is of the verdict given.
func (r rig) refused(what string, err error, want string) {
	r.Helper()
	if got := verdict(err); got != want {
		r.Fatalf("%s: %s (%v), want %s", what, got, err, want)
	}
}

// skew is how far the store's clock may be from the test's.
const skew = 100 * time.Millisecond

// isStoreTime reports whether a time is as stores tell them: UTC, in whole milliseconds.
func isStoreTime(at time.Time) bool {
	return at.Location() == time.UTC && at.Equal(at.Truncate(time.Millisecond)) && !at.IsZero()
}
