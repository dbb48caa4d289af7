package sqlite

import (
	"context"
	"slices"

	"parley/chat"
	"parley/eventlog"
)

// span is a run of messages by seq, both ends included.
type span struct{ first, last uint64 }

// Messages implements chat.Store.
func (s *Store) Messages(ctx context.Context, q chat.MessageQuery) (chat.MessagePage, error) {
	q.Limit = clampLimit(q.Limit)
	page, err := read(ctx, s, func(ctx context.Context, c *conn) (chat.MessagePage, error) { return c.messages(ctx, q) })
	return page, chatError(err)
}

func (c *conn) messages(ctx context.Context, q chat.MessageQuery) (page chat.MessagePage, err error) {
	r, err := c.room(ctx, q.RoomID)
	if err != nil {
		return page, err
	}
	if err := expect(ctx, r, q.Expect, c.member); err != nil {
		return page, err
	}
	readable, err := c.spans(ctx, r, q.Readable)
	if err != nil {
		return page, err
	}
	taken, before, after := paginate(readable, q, r.LastSeq)
	page = chat.MessagePage{HasBefore: before, HasAfter: after, Room: r.Room}
	for _, s := range taken {
		err := c.each(ctx, func(from row) error {
			var s scannedMessage
			err := from.Scan(s.dest()...)
			page.Messages = append(page.Messages, *s.decoded(r.ID))
			return err
		}, `SELECT `+messageColumns+` FROM message WHERE room = ? AND seq BETWEEN ? AND ? ORDER BY seq`,
			r.no, s.first, s.last)
		if err != nil {
			return page, err
		}
	}
	return page, nil
}

// spans returns the messages whose sent entries lie in the intervals. Messages are never removed
// and sent in the order of the log, so that each interval is one span.
func (c *conn) spans(ctx context.Context, r *room, readable eventlog.Intervals) ([]span, error) {
	var spans []span
	next := uint64(1)
	for _, i := range readable {
		first, err := c.firstSeq(ctx, r, i.From, next)
		if err != nil {
			return nil, err
		}
		next = r.LastSeq + 1
		if i.To != 0 {
			if next, err = c.firstSeq(ctx, r, i.To, first); err != nil {
				return nil, err
			}
		}
		if first < next {
			spans = append(spans, span{first, next - 1})
		}
	}
	return spans, nil
}

// firstSeq returns the first seq, not below low, of a message sent at an offset or later; the last
// seq plus one if there is none. It halves the range in which that message can lie.
func (c *conn) firstSeq(ctx context.Context, r *room, offset, low uint64) (uint64, error) {
	high := max(low, min(r.LastSeq+1, offset)) // n messages need n entries
	for low < high {
		middle := low + (high-low)/2
		var sent uint64
		_, err := c.get(ctx, into(&sent), `SELECT sent FROM message WHERE room = ? AND seq = ?`, r.no, middle)
		if err != nil {
			return 0, err
		}
		if sent < offset {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, nil
}

// paginate takes a query's page out of the readable spans, and says whether there are readable
// messages before and after it.
func paginate(readable []span, q chat.MessageQuery, lastSeq uint64) (taken []span, before, after bool) {
	end := lastSeq + 1
	if q.Before != 0 {
		end = min(q.Before, end)
	}
	start := min(q.After, lastSeq) // the page lies between start and end, both excluded
	if q.FromEnd {
		taken = takeLast(readable, start, end, uint64(q.Limit))
	} else {
		taken = takeFirst(readable, start, end, uint64(q.Limit))
	}
	edge := span{start + 1, end - 1}
	if len(taken) > 0 {
		edge = span{taken[0].first, taken[len(taken)-1].last}
	}
	if len(readable) > 0 {
		before = readable[0].first < edge.first
		after = readable[len(readable)-1].last > edge.last
	}
	return taken, before, after
}

// takeFirst takes the first messages between start and end, both excluded.
func takeFirst(readable []span, start, end, limit uint64) (taken []span) {
	for _, s := range readable {
		s = span{max(s.first, start+1), min(s.last, end-1)}
		if limit == 0 || s.first > s.last {
			continue
		}
		s.last = min(s.last, s.first+limit-1)
		limit -= s.last - s.first + 1
		taken = append(taken, s)
	}
	return taken
}

// takeLast takes the last messages between start and end, both excluded.
func takeLast(readable []span, start, end, limit uint64) (taken []span) {
	for _, s := range slices.Backward(readable) {
		s = span{max(s.first, start+1), min(s.last, end-1)}
		if limit == 0 || s.first > s.last {
			continue
		}
		s.first = max(s.first, s.last-min(limit, s.last)+1)
		limit -= s.last - s.first + 1
		taken = append(taken, s)
	}
	slices.Reverse(taken)
	return taken
}
