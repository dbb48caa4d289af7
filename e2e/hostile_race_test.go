package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"parley/e2e/parleytest"
	"parley/store/redis/redistest"
)

// TestHostileRaces: a member is removed in the midst of sending. What they were told is the log up
// to that entry, and nothing after it; so for one node, and for another node than the one where it
// happens.
func TestHostileRaces(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) (at, elsewhere *parleytest.Node){
		"SQLite": func(t *testing.T) (at, elsewhere *parleytest.Node) {
			node := startHostile(t, nil)
			return node, node
		},
		"two nodes on Redis": func(t *testing.T) (at, elsewhere *parleytest.Node) {
			settings := map[string]string{"PARLEY_REDIS_URL": redistest.Start(t).URL}
			return startHostile(t, settings), startHostile(t, settings)
		},
	} {
		t.Run(name, func(t *testing.T) {
			at, elsewhere := start(t)
			before := settled(t, elsewhere)
			for transport, subscribe := range transports {
				for field, query := range map[string]string{"messageAdded": messageAdded, "roomEvents": roomEvents} {
					t.Run(field+" over "+transport, func(t *testing.T) {
						r := &kickRace{subscribe: subscribe, query: query, field: field, bob: person(t, elsewhere, "bob")}
						for _, name := range []string{"ada", "cyd", "dan"} {
							r.others = append(r.others, person(t, at, name))
						}
						r.run(t)
					})
				}
			}
			nothingLeft(t, elsewhere, before)
		})
	}
}

// kickRace is rounds of one member being removed while others send.
type kickRace struct {
	subscribe    parleytest.Subscriber
	query, field string
	bob          *parleytest.Client
	others       []*parleytest.Client // the first is the owner
	room         string
}

func (r *kickRace) run(t *testing.T) {
	r.room = r.others[0].CreateRoom(t, "Brawl", "cyd", "dan")
	rounds, told, later := parleytest.Scale(10, 100), 0, 0
	for round := range rounds {
		seen, missed := r.round(t, round)
		told, later = told+seen, later+missed
		if t.Failed() {
			return
		}
	}
	t.Logf("%d rounds: %d messages were told before the removals, none of the %d sent after them", rounds, told, later)
}

// round has bob follow from now on, or, every other time, from the start of the round, so that he
// may still be catching up when he is removed. It returns how many messages were sent before and
// after his removal.
func (r *kickRace) round(t *testing.T, round int) (before, after int) {
	t.Helper()
	owner := r.others[0]
	start := owner.MustSend(t, r.room, "start").Text("sendMessage", "message", "cursor")
	owner.Must(t, addMember, map[string]any{"room": r.room, "user": "bob"})
	stop := r.sendOn(t)
	defer stop()
	resume := ""
	if round%2 == 1 {
		time.Sleep(rand.N(20 * time.Millisecond)) // so that there is something to catch up with
		resume = start
	}
	stream, err := r.subscribe(t.Context(), r.bob, follow(r.query, r.room, resume))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	from := stream.Position(t)
	polled := make(chan []string, 1)
	go func() { polled <- r.poll(t, from) }()
	time.Sleep(rand.N(20 * time.Millisecond)) // at any moment
	owner.Must(t, removeMember, map[string]any{"room": r.room, "user": "bob"})
	told := r.read(t, stream)
	stop()
	log, later := r.log(t, from)
	if !slices.Equal(told, log) {
		t.Errorf("round %d: told of %d messages, of %d in the log before the removal:\n%q\n%q", round, len(told), len(log), told, log)
	}
	if p := <-polled; len(p) > len(log) || !slices.Equal(p, log[:len(p)]) {
		t.Errorf("round %d: polled %q of %q", round, p, log)
	}
	return len(log), later
}

// sendOn has the others send until stop, which may be called twice, and a few messages more.
func (r *kickRace) sendOn(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	for _, c := range r.others {
		sending.Go(func() {
			for i := 0; i < 3 || ctx.Err() == nil; i++ {
				if result, err := c.Send(t.Context(), r.room, fmt.Sprint(i), ""); err != nil || len(result.Errors) > 0 {
					t.Errorf("sending: %+v, %v", result.Errors, err)
					return
				}
			}
		})
	}
	return sync.OnceFunc(func() {
		time.Sleep(5 * time.Millisecond) // a few more come after the removal
		cancel()
		sending.Wait()
	})
}

// read reads a stream to its end, which must be FORBIDDEN, and returns the ids of the messages.
func (r *kickRace) read(t *testing.T, s *parleytest.Stream) (ids []string) {
	t.Helper()
	for {
		f := s.Next(t)
		if f.End || f.Result.Code() != "" {
			if f.Result.Code() != "FORBIDDEN" {
				t.Errorf("the stream ended with %+v", f)
			}
			break
		}
		id := f.Result.Text("messageAdded", "id")
		if r.field == "roomEvents" {
			id = f.Result.Text("roomEvents", "message", "id")
		}
		if id != "" {
			ids = append(ids, id)
		}
	}
	for f := range s.Frames {
		if f.Result.Data != nil {
			t.Errorf("after the end: %s", f.Result.Data)
		}
		if f.End {
			break
		}
	}
	return ids
}

const pollQuery = `query($room: ID!, $after: Cursor) { roomEvents(roomId: $room, after: $after, first: 100) {
  cursor events { __typename ... on MessageSent { message { id } } ... on MemberRemoved { member { user { id } } } } } }`

// poll asks, as bob, for what happened, until he may no more.
func (r *kickRace) poll(t *testing.T, after string) (ids []string) {
	for {
		result, err := r.bob.Do(t.Context(), parleytest.Operation{Query: pollQuery, Variables: map[string]any{"room": r.room, "after": after}})
		if err != nil || result.Code() != "" {
			if result.Code() != "NOT_FOUND" {
				t.Errorf("polling ended with %+v, %v", result.Errors, err)
			}
			return ids
		}
		messages, _ := eventsOf(result)
		ids = append(ids, messages...)
		after = result.Text("roomEvents", "cursor")
	}
}

// log reads, as the owner, the ids of the messages up to bob's removal, and counts those after it.
func (r *kickRace) log(t *testing.T, after string) (ids []string, later int) {
	t.Helper()
	removed := false
	for {
		result := r.others[0].Must(t, pollQuery, map[string]any{"room": r.room, "after": after})
		messages, at := eventsOf(result)
		switch {
		case removed:
			later += len(messages)
		case at >= 0:
			removed = true
			ids, later = append(ids, messages[:at]...), len(messages)-at
		default:
			ids = append(ids, messages...)
		}
		if after == result.Text("roomEvents", "cursor") {
			return ids, later
		}
		after = result.Text("roomEvents", "cursor")
	}
}

// eventsOf returns the messages of a page of events, and how many of them precede a removal; -1
// for no removal.
func eventsOf(result parleytest.Result) (ids []string, removal int) {
	removal = -1
	events, _ := result.At("roomEvents", "events").([]any)
	for _, e := range events {
		switch event := e.(map[string]any); event["__typename"] {
		case "MessageSent":
			ids = append(ids, event["message"].(map[string]any)["id"].(string))
		case "MemberRemoved":
			removal = len(ids)
		}
	}
	return ids, removal
}
