package delivery_test

import (
	"fmt"
	"slices"
	"strings"

	"parley/eventlog"
)

// history is the entries up to one, the first first.
func historyOf(e *entry) (all []*entry) {
	for ; e != nil; e = e.parent {
		all = append(all, e)
	}
	slices.Reverse(all)
	return all
}

// intervalsOf is what a principal may read of a log that ends with an entry. Everybody may at first.
func intervalsOf(last *entry, principal string) eventlog.Intervals {
	intervals := eventlog.Everything()
	for _, e := range historyOf(last) {
		for _, a := range e.Access {
			if a.Principal != principal {
				continue
			}
			if a.Change == eventlog.AccessBegins {
				intervals = append(intervals, eventlog.Interval{From: e.Offset})
			} else {
				intervals[len(intervals)-1].To = e.Offset + 1
			}
		}
	}
	return intervals
}

func mayReadAfter(last *entry, principal string) bool {
	_, open := intervalsOf(last, principal).Open()
	return open
}

// shows reports whether the listener is to see an entry, judged by the entry's own history.
func (l *listener) showsEntry(e *entry) bool {
	return l.shows.Has(e.Kind) && intervalsOf(e, l.principal).Contains(e.Offset)
}

// follows goes back from an entry to a position told before, nil being the log's beginning. It fails
// if the position isn't of the entry's history, or an entry between them should have been seen.
func (l *listener) follows(e, before *entry) error {
	for at := e; at != before; at = at.parent {
		if at == nil {
			return fmt.Errorf("%s doesn't come after %s", name(e), name(before))
		}
		if at != e && l.showsEntry(at) {
			return fmt.Errorf("%s is missing before %s", name(at), name(e))
		}
	}
	return nil
}

func name(e *entry) string {
	if e == nil {
		return "the beginning"
	}
	return fmt.Sprintf("%d/%x", e.Offset, e.Check)
}

// judge holds what a listener has seen against what has happened.
func (s *story) judge(l *listener) error {
	at, known := l.start, l.start != nil || l.startsAt.Offset == 0
	resets, done := 0, false // a listener may also have moved, untold, to what was lost since it came
	for _, line := range l.conn.read(l.name) {
		if done {
			return fmt.Errorf("%s comes after the end", line.what)
		}
		if line.what == "!done" {
			done = true
			continue
		}
		e := s.log.at(line.cursor.Position)
		if e == nil && line.cursor.Position.Offset > 0 {
			return fmt.Errorf("%s tells of a position that never was: %+v", line.what, line.cursor.Position)
		}
		follows := l.follows(e, at)
		switch {
		case strings.HasPrefix(line.what, "reset:"):
			resets++
			if follows != nil && !s.gap(at, e) && s.losses == l.losses {
				return fmt.Errorf("a reset from %s to %s: %w", name(at), name(e), follows)
			}
		case strings.HasPrefix(line.what, "failure:"):
			return fmt.Errorf("%s at %s", line.what, name(e))
		case follows != nil && known:
			return follows
		case line.what == "@" && e != at && e != nil && l.showsEntry(e):
			return fmt.Errorf("the position of %s is told before it is seen", name(e))
		case line.what != "@" && (e == at || !l.showsEntry(e)):
			return fmt.Errorf("%s is seen", name(e))
		case !l.renderedFor(line.what, e):
			return fmt.Errorf("%s is rendered by what isn't %s's right", line.what, l.principal)
		}
		at, known = e, true
	}
	if most := s.losses - l.losses + 2; resets > most {
		return fmt.Errorf("%d resets, at most %d expected", resets, most)
	}
	return s.judgeEnd(l, at, resets)
}

// gap reports whether a log that ends with an entry may refuse to be continued from a position.
func (s *story) gap(at, e *entry) bool {
	if at == nil { // a replay from there may stand in an older epoch than the log's
		return s.trimmed > 0 || slices.ContainsFunc(historyOf(e), func(older *entry) bool { return older.Epoch != e.Epoch })
	}
	for before := e; before != at; before = before.parent {
		if before == nil {
			return true
		}
	}
	return at.Epoch != e.Epoch || at.Offset < s.trimmed
}

// judgeEnd asks whether a listener's stream has rightly come to its end, or to where the log is.
func (s *story) judgeEnd(l *listener, at *entry, resets int) error {
	switch ends := l.ends(); {
	case len(ends) > 1:
		return fmt.Errorf("ended twice: %v", ends)
	case l.closed:
		return nil
	case len(ends) == 0:
		return l.follows(s.last(), at)
	case ends[0] == "revoked", ends[0] == "left":
		ended := func(e *entry) bool {
			change, ends := e.Ends(l.principal)
			return ends && (change == eventlog.AccessLeft) == (l.ends()[0] == "left") && (l.follows(e, at) == nil || e == at)
		}
		if !slices.ContainsFunc(s.everything(), ended) {
			return fmt.Errorf("ended at no end of access that it has come to: %s", name(at))
		}
	case ends[0] == "forbidden":
		if !slices.ContainsFunc(s.everything(), func(e *entry) bool { _, ends := e.Ends(l.principal); return ends }) || s.losses == 0 && s.setting.Load() == 0 {
			return fmt.Errorf("refused, though its access never ended")
		}
	case ends[0] == "unavailable":
		if s.outages == 0 {
			return fmt.Errorf("unavailable, though the store never was")
		}
	default:
		if l.resets || s.losses == 0 {
			return fmt.Errorf("ended by %q", ends[0])
		}
	}
	return nil
}

func (s *story) everything() (all []*entry) {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	for _, e := range s.log.entries {
		all = append(all, e)
	}
	return all
}
