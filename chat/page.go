package chat

import "parley/eventlog"

// PageArgs are the arguments of a Relay connection. At most one of First and Last may be given,
// from 0 to MaxPage; neither means the last DefaultPage.
type PageArgs struct {
	First, Last *int
	// After and Before bound the rows the page is taken from, both excluded; nil, or the zero
	// cursor, for no bound.
	After, Before *eventlog.Cursor
	// Until is, for messages, the offset of the last entry whose message may be on the page; 0 for
	// no bound.
	Until uint64
}

const (
	// DefaultPage is how many rows a page has where nothing is said.
	DefaultPage = 50
	// MaxPage is how many rows a page may have.
	MaxPage = 100
)

// run is how many rows to take, and from which end.
type run struct {
	limit   int
	fromEnd bool
}

func (p PageArgs) run() (run, error) {
	if p.First != nil && p.Last != nil {
		return run{}, Errorf(BadInput, "give first or last, not both").InField("first")
	}
	if p.First != nil {
		limit, err := pageSize("first", p.First)
		return run{limit: limit}, err
	}
	limit, err := pageSize("last", p.Last)
	return run{limit: limit, fromEnd: true}, err
}

// none reports whether the page is asked to hold nothing.
func (p PageArgs) none() bool {
	size, err := p.run()
	return err == nil && size.limit == 0
}

func pageSize(field string, size *int) (int, error) {
	switch {
	case size == nil:
		return DefaultPage, nil
	case *size < 0:
		return 0, Errorf(BadInput, "%s can't be negative", field).InField(field)
	case *size > MaxPage:
		return 0, Errorf(BadInput, "%s is at most %d", field, MaxPage).InField(field)
	}
	return *size, nil
}

// given reports whether there is a cursor; the zero one is none.
func given(cursor *eventlog.Cursor) bool { return cursor != nil && *cursor != (eventlog.Cursor{}) }

// belongs returns BAD_INPUT for a cursor of another list or room.
func belongs(cursor *eventlog.Cursor, field string, kind eventlog.CursorKind, log string) error {
	if err := cursor.Of(kind, log); err != nil {
		return &Error{Code: BadInput, Message: err.Error(), Field: field, Cause: err}
	}
	return nil
}

// keyOf returns the sort key that a page of a list begins after; "" for no cursor.
func keyOf(after *eventlog.Cursor, kind eventlog.CursorKind, log string) (string, error) {
	if !given(after) {
		return "", nil
	}
	return after.Key, belongs(after, "after", kind, log)
}
