package delivery

import (
	"slices"

	"parley/eventlog"
)

// item is something that waits in an outbox.
type item struct {
	// shared are the frame's bytes but for the lane's suffix, which only events and values have.
	shared []byte
	lane   *Lane // nil for control items of the connection
	kind   itemKind
	// before is where the lane's reader stands as long as the item waits; only of events and positions.
	before *eventlog.Cursor
	// value holds the bytes instead, where a newer value may replace them.
	value *waitingValue
}

type itemKind uint8

const (
	controlItem itemKind = iota
	eventItem
	positionItem
	stateItem
)

// waitingValue is a state item's bytes, the newest of its lane and key.
type waitingValue struct {
	key    string
	shared []byte
}

func (i *item) bytes() []byte {
	if i.value != nil {
		return i.value.shared
	}
	return i.shared
}

func (i *item) size() int {
	n := len(i.bytes())
	if i.suffixed() {
		n += len(i.lane.suffix)
	}
	return n
}

// suffixed reports whether the lane's suffix follows the shared bytes.
func (i *item) suffixed() bool { return i.kind == eventItem || i.kind == stateItem }

// droppable reports whether the log can tell later what the item tells.
func (i *item) droppable() bool { return i.kind == eventItem || i.kind == positionItem }

func (i *item) appendTo(dst []byte) []byte {
	if i.lane != nil && i.lane.stamp != nil {
		return i.lane.stamp(dst, i.bytes())
	}
	dst = append(dst, i.bytes()...)
	if i.suffixed() {
		dst = append(dst, i.lane.suffix...)
	}
	return dst
}

// forget tells the item's lane that it waits no more.
func (i *item) forget() {
	if i.lane == nil {
		return
	}
	i.lane.waiting--
	if i.value != nil {
		delete(i.lane.values, i.value.key)
	}
}

// queue is a first-in first-out list of items.
type queue struct {
	items []item
	head  int // of items, those before are gone
}

// maxIdleItems bounds the room that an empty queue keeps.
const maxIdleItems = 4

func (q *queue) push(i item) {
	if len(q.items) == cap(q.items) && q.head > len(q.items)/2 {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, i)
}

func (q *queue) pop() (item, bool) {
	if q.head == len(q.items) {
		return item{}, false
	}
	i := q.items[q.head]
	q.items[q.head] = item{}
	q.head++
	if q.head == len(q.items) {
		q.reset()
	}
	return i, true
}

func (q *queue) reset() {
	if cap(q.items) > maxIdleItems {
		q.items = nil
	}
	q.items, q.head = q.items[:0], 0
}

// drop takes out the items that are to go and returns how many bytes they were.
func (q *queue) drop(goes func(*item) bool) (bytes int) {
	kept := slices.DeleteFunc(q.items[q.head:], func(i item) bool {
		if !goes(&i) {
			return false
		}
		bytes += i.size()
		return true
	})
	q.items = q.items[:q.head+len(kept)]
	if len(kept) == 0 {
		q.reset()
	}
	return bytes
}
