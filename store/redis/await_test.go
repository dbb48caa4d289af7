package redis

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/chat"
	"parley/eventlog"
)

// appender is a node that appends to a log which it watches, its answers and hints coming when a test says.
type appender struct {
	*testing.T
	store *Store
	hints int

	mu    sync.Mutex
	told  []uint64
	reads int
}

func newAppender(t *testing.T) *appender {
	a := &appender{T: t, store: &Store{topics: newTopics(), log: slog.New(slog.DiscardHandler), looks: newPending[*topic]()}}
	w := &watch{news: func(news any) {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, p := range news.([]eventlog.Publication) {
			a.told = append(a.told, p.Offset)
		}
	}}
	a.store.topics.add(topic{name: "r", bucket: bucketOf("r"), own: &own{}, decode: func(payload string) (any, error) {
		a.mu.Lock()
		a.reads++
		a.mu.Unlock()
		record, err := decodeEvent("r", payload)
		if err != nil {
			return nil, err
		}
		return []eventlog.Publication{record.publication("r")}, nil
	}}, w, bucketState{})
	return a
}

// hint has the hint of an entry come.
func (a *appender) hint(offset uint64) {
	a.hints++
	a.store.receive(fmt.Sprintf("%d\nr\n"+`{"epoch":1,"offset":%d,"check":%d,"prev":%d,"at":1,"kind":9,"seq":0}`, a.hints, offset, 100+offset, 99+offset))
}

// append begins to append an entry; answer has its answer come, or fail.
func (a *appender) append(offset uint64) (answer func(ok bool)) {
	check := uint32(100 + offset)
	waits := a.store.await("r", check)
	return func(ok bool) {
		if !ok {
			a.store.settle(waits, check, nil)
			return
		}
		event := &chat.Event{RoomID: "r", Kind: chat.KindRoomUpdated, Position: eventlog.Position{Epoch: 1, Offset: offset, Check: check}}
		p := event.Publication(check - 1)
		a.store.settle(waits, check, &p)
	}
}

// want fails unless so many hints were read since the last call, and these entries were told of.
func (a *appender) want(when string, read int, offsets ...uint64) {
	a.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.Equal(a.told, offsets) || a.reads != read {
		a.Errorf("%s: told %v and %d hints read, want %v and %d", when, a.told, a.reads, offsets, read)
	}
	a.told, a.reads = nil, 0
}

// TestHintsAwaitAnswers: the hint of what this node appends is read only where its answer doesn't come, or another one has
// to be handed over before that.
func TestHintsAwaitAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAppender(t)
		a.hint(1)
		a.want("somebody else's", 1, 1)
		answer := a.append(2)
		answer(true)
		a.want("the answer comes first", 0, 2)
		a.hint(2)
		a.want("then the hint", 0)
		answer = a.append(3)
		a.hint(3)
		a.want("the hint comes first", 0)
		answer(true)
		a.want("then the answer", 0, 3)
		answer = a.append(4)
		a.hint(4)
		answer(false)
		a.want("the answer doesn't come", 1, 4)
		answer = a.append(5)
		a.hint(5)
		a.hint(6)
		a.want("another one comes", 2, 5, 6)
		answer(true)
		a.want("then the answer, too late", 0)
		first, second := a.append(7), a.append(8)
		a.hint(7)
		a.hint(8)
		second(true)
		a.want("the second answer comes first", 0)
		first(true)
		a.want("then the first", 1, 7, 8)
		answer = a.append(10)
		answer(true)
		a.want("an answer ahead of somebody else's hint", 0)
		a.hint(9)
		a.hint(10)
		a.want("both hints", 2, 9, 10)
	})
}

// TestHintsAwaitNoLonger: a hint is read whose answer doesn't come soon, for what carries it may stand still.
func TestHintsAwaitNoLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAppender(t)
		a.hint(10)
		a.want("somebody else's", 1, 10)
		for offset := uint64(11); offset < 15; offset += 2 {
			answer, next := a.append(offset), a.append(offset+1)
			a.hint(offset)
			time.Sleep(answerPatience / 2)
			a.hint(offset + 1)
			a.want("no answer yet", 0)
			time.Sleep(answerPatience / 2)
			synctest.Wait()
			a.want("no answer for too long", 2, offset, offset+1)
			answer(true)
			next(true)
			a.want("then the answers", 0)
		}
	})
}

func TestPositionIn(t *testing.T) {
	for payload, want := range map[string]eventlog.Position{
		`{"epoch":4294967295,"offset":18446744073709551615,"check":7,"prev":8}`: {Epoch: 1<<32 - 1, Offset: 1<<64 - 1, Check: 7},
		`{"offset":3}`: {}, ``: {}, `{"epoch":`: {}, `[]`: {},
	} {
		if got := positionIn(payload); got != want {
			t.Errorf("%s: %+v", payload, got)
		}
	}
}
