package redis

import (
	"context"
	"strconv"

	"parley/chat"
	"parley/eventlog"
)

// maxPageBytes bounds a page of the log; a single entry may be larger.
const maxPageBytes = 4 << 20

// keepRecord is the retention, as scripts know it.
type keepRecord struct {
	Entries int   `json:"entries"`
	Bytes   int64 `json:"bytes"`
	MaxAge  int64 `json:"maxAge"`
	MinAge  int64 `json:"minAge"`
}

func keepOf(r eventlog.Retention) keepRecord {
	r = r.WithDefaults()
	return keepRecord{
		Entries: r.MaxEntries, Bytes: r.MaxBytes, MaxAge: r.MaxAge.Milliseconds(), MinAge: r.MinAge.Milliseconds(),
	}
}

// Read implements [eventlog.Log].
func (s *Store) Read(ctx context.Context, log string, after eventlog.Position, limit int) (eventlog.Page, error) {
	keys := entityOf(log).owns("room", "log", "members", "messages", "receipts")
	args := append(positionArgs(after), clamp(limit), maxPageBytes)
	got, err := s.run(ctx, readScript, keys, args...)
	if err != nil {
		return eventlog.Page{}, err
	}
	tail := eventlog.Position{Epoch: uint32(got.number(1)), Offset: got.number(2), Check: uint32(got.number(3))}
	seq := got.number(4)
	switch got.word() {
	case "missing":
		return eventlog.Page{}, eventlog.ErrNoLog
	case "trimmed":
		return eventlog.Page{}, &eventlog.GapError{Reason: eventlog.Trimmed, Tail: tail, TailSeq: seq}
	case "lost":
		return eventlog.Page{}, &eventlog.GapError{Reason: eventlog.HistoryLost, Tail: tail, TailSeq: seq}
	}
	page := eventlog.Page{Tail: tail, TailSeq: seq}
	for _, text := range got.from(5) {
		event, err := decodeEvent(log, text)
		if err != nil {
			return eventlog.Page{}, err
		}
		page.Publications = append(page.Publications, event.publication(log))
	}
	return page, nil
}

// Fence implements [eventlog.Log].
func (s *Store) Fence(ctx context.Context, log string, seen eventlog.Position) error {
	e := entityOf(log)
	keys := append(e.owns("room", "log"), e.keys("bucket", "recent")...)
	args := append([]any{log}, positionArgs(seen)...)
	args = append(args, mark(), mark(), e.channel(), s.publish, encode(s.keep))
	got, err := s.run(ctx, fenceScript, keys, args...)
	if err != nil {
		return err
	}
	if got.word() == "missing" {
		return eventlog.ErrNoLog
	}
	return nil
}

func positionArgs(p eventlog.Position) []any {
	return []any{
		strconv.FormatUint(uint64(p.Epoch), 10), strconv.FormatUint(p.Offset, 10),
		strconv.FormatUint(uint64(p.Check), 10),
	}
}

var (
	_ chat.Store   = (*Store)(nil)
	_ eventlog.Log = (*Store)(nil)
)
