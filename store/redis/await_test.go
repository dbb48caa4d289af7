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

// TestHintsAwaitAnswers: the hint of what this node appends is read only where its answer doesn't come, or not soon, or
// another one has to be handed over before that.
func TestHintsAwaitAnswers(t *testing.T) { synctest.Test(t, testHintsAwaitAnswers) }

func testHintsAwaitAnswers(t *testing.T) {
	s := &Store{topics: newTopics(), log: slog.New(slog.DiscardHandler), looks: newPending[*topic]()}
	var mu sync.Mutex // of what follows
	var told []uint64
	reads := 0
	w := &watch{news: func(news any) {
		mu.Lock()
		defer mu.Unlock()
		for _, p := range news.([]eventlog.Publication) {
			told = append(told, p.Offset)
		}
	}}
	s.topics.add(topic{name: "r", bucket: bucketOf("r"), own: &own{}, decode: func(payload string) (any, error) {
		mu.Lock()
		reads++
		mu.Unlock()
		record, err := decodeEvent("r", payload)
		if err != nil {
			return nil, err
		}
		return []eventlog.Publication{record.publication("r")}, nil
	}}, w, bucketState{})
	n := 0
	hint := func(offset uint64) {
		n++
		s.receive(fmt.Sprintf("%d\nr\n"+`{"epoch":1,"offset":%d,"check":%d,"prev":%d,"at":1,"kind":9,"seq":0}`, n, offset, 100+offset, 99+offset))
	}
	appending := func(offset uint64) (answer func(ok bool)) {
		check := uint32(100 + offset)
		waits := s.await("r", check)
		return func(ok bool) {
			if !ok {
				s.settle(waits, check, nil)
				return
			}
			event := &chat.Event{RoomID: "r", Kind: chat.KindRoomUpdated, Position: eventlog.Position{Epoch: 1, Offset: offset, Check: check}}
			p := event.Publication(check - 1)
			s.settle(waits, check, &p)
		}
	}
	want := func(when string, read int, offsets ...uint64) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(told, offsets) || reads != read {
			t.Errorf("%s: told %v and %d hints read, want %v and %d", when, told, reads, offsets, read)
		}
		told, reads = nil, 0
	}

	hint(1)
	want("somebody else's", 1, 1)
	answer := appending(2)
	answer(true)
	want("the answer comes first", 0, 2)
	hint(2)
	want("then the hint", 0)
	answer = appending(3)
	hint(3)
	want("the hint comes first", 0)
	answer(true)
	want("then the answer", 0, 3)
	answer = appending(4)
	hint(4)
	answer(false)
	want("the answer doesn't come", 1, 4)
	answer = appending(5)
	hint(5)
	hint(6)
	want("another one comes", 2, 5, 6)
	answer(true)
	want("then the answer, too late", 0)
	first, second := appending(7), appending(8)
	hint(7)
	hint(8)
	second(true)
	want("the second answer comes first", 0)
	first(true)
	want("then the first", 1, 7, 8)
	answer = appending(10)
	answer(true)
	want("an answer ahead of somebody else's hint", 0)
	hint(9)
	hint(10)
	want("both hints", 2, 9, 10)
	for offset := uint64(11); offset < 15; offset += 2 {
		answer, next := appending(offset), appending(offset+1)
		hint(offset)
		time.Sleep(answerPatience / 2)
		hint(offset + 1)
		want("no answer yet", 0)
		time.Sleep(answerPatience / 2)
		synctest.Wait()
		want("no answer for too long", 2, offset, offset+1)
		answer(true)
		next(true)
		want("then the answers", 0)
	}
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
