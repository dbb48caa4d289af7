package storetest

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"parley/chat"
	"parley/eventlog"
)

// call is one call of a store's method.
type call struct {
	name string
	do   func(ctx context.Context) error
}

// calls are one of each of a store's methods, but Watch and WatchState.
func (r rig) calls(room string, who chat.User) []call {
	return []call{
		{"CreateRoom", func(ctx context.Context) error {
			_, err := r.CreateRoom(ctx, chat.NewRoom{ID: chat.NewRoomID(), Type: chat.Group, Settings: plain, Owner: &who})
			return err
		}},
		{"View", func(ctx context.Context) error {
			_, err := r.View(ctx, chat.ViewQuery{RoomID: room, Users: []string{who.ID}})
			return err
		}},
		{"Append", func(ctx context.Context) error {
			_, err := r.Append(ctx, sending(room, who, "text"))
			return err
		}},
		{"MarkRead", func(ctx context.Context) error { _, err := r.MarkRead(ctx, room, who.ID, 1); return err }},
		{"Unread", func(ctx context.Context) error { _, err := r.Unread(ctx, room, who.ID); return err }},
		{"Message", func(ctx context.Context) error { _, err := r.Message(ctx, room, 1); return err }},
		{"Messages", func(ctx context.Context) error {
			_, err := r.Messages(ctx, chat.MessageQuery{RoomID: room, Limit: 10, Readable: eventlog.Everything()})
			return err
		}},
		{"Members", func(ctx context.Context) error { _, err := r.Members(ctx, room, "", 10); return err }},
		{"RoomsOf", func(ctx context.Context) error { _, err := r.RoomsOf(ctx, who.ID); return err }},
		{"PublicRooms", func(ctx context.Context) error { _, err := r.PublicRooms(ctx, "", "", 10); return err }},
		{"Read", func(ctx context.Context) error { _, err := r.Read(ctx, room, eventlog.Position{}, 10); return err }},
		{"Fence", func(ctx context.Context) error { return r.Fence(ctx, room, eventlog.Position{}) }},
		{"Renew", func(ctx context.Context) error { _, err := r.Renew(ctx, unique("node"), long); return err }},
		{"Connect", func(ctx context.Context) error { return r.Connect(ctx, "node", "device", shown(who)) }},
		{"Disconnect", func(ctx context.Context) error { return r.Disconnect(ctx, "node", "device", who.ID, 0) }},
		{"Sweep", func(ctx context.Context) error { _, err := r.Sweep(ctx, 0); return err }},
		{"Release", func(ctx context.Context) error { return r.Release(ctx, "node") }},
		{"Presences", func(ctx context.Context) error { _, err := r.Presences(ctx, []string{who.ID}); return err }},
		{"SetTyping", func(ctx context.Context) error { return r.SetTyping(ctx, room, shown(who), long) }},
		{"Typing", func(ctx context.Context) error { _, err := r.Typing(ctx, room); return err }},
		{"Ready", func(ctx context.Context) error { return r.Ready(ctx) }},
	}
}

// ofChat names the calls whose errors clients see.
var ofChat = map[string]bool{
	"CreateRoom": true, "View": true, "Append": true, "MarkRead": true, "Unread": true,
	"Message": true, "Messages": true, "Members": true, "RoomsOf": true, "PublicRooms": true,
}

func testCancelled(r rig) {
	ada := person("ada")
	room := r.group(ada)
	r.send(room, ada, "one")
	r.sub("before it began", func(r rig) {
		ctx, cancel := context.WithCancel(r.Context())
		cancel()
		for _, c := range r.calls(room, ada) {
			if err := c.do(ctx); !interrupted(err) {
				r.Errorf("%s with a cancelled context: %v", c.name, err)
			}
		}
	})
	r.sub("afterwards everything works", func(r rig) {
		r.renew("node", long)
		for _, c := range r.calls(room, ada) {
			r.must(c.name, c.do(r.Context()))
		}
	})
	r.sub("in the middle of appends", cancelledAppends)
}

// cancelledAppends gives appends too little time: each is written wholly or not at all, and what was
// acknowledged is there.
func cancelledAppends(r rig) {
	ada := person("ada")
	room := r.group(ada)
	var acks acknowledged
	together(8, func(i int) {
		random := rand.New(rand.NewPCG(uint64(i), 0))
		for range scaled(40, 500) {
			ctx, cancel := context.WithTimeout(r.Context(), time.Duration(random.IntN(3000))*time.Microsecond)
			done, err := r.Append(ctx, sending(room, ada, "text"))
			switch {
			case err == nil:
				acks.add(done.Event)
			case !interrupted(err):
				r.Errorf("Append: %v", err)
			}
			cancel()
		}
	})
	// Those given up may still be on their way: the log may grow while it is looked at.
	log := r.history(room)
	if now := r.room(room); now.LastSeq != now.Tail.Offset-1 || now.Tail.Offset < uint64(len(log)) {
		r.Fatalf("%d entries, tail at %d, seq %d", len(log), now.Tail.Offset, now.LastSeq)
	}
	for i, p := range log[1:] {
		if m := r.message(room, uint64(i+1)); m.Sent != p.Position {
			r.Fatalf("message %d was sent at %+v, the log has it at %+v", m.Seq, m.Sent, p.Position)
		}
	}
	for _, e := range acks.events {
		if log[e.Position.Offset-1].Position != e.Position {
			r.Fatalf("the acknowledged %+v isn't in the log", e.Position)
		}
	}
}

func testClosed(r rig) {
	ada := person("ada")
	room := r.group(ada)
	r.connect(r.node(), "device", shown(ada))
	f := newFollower(r, room, r.room(room).Tail)
	unwatch, err := r.Watch(r.Context(), room, f)
	r.must("Watch", err)
	rec := &recorder{rig: r, topic: eventlog.TypingTopic(room)}
	unwatchState, err := r.WatchState(r.Context(), rec.topic, rec.sink)
	r.must("WatchState", err)

	r.closeAmongCalls(room, ada)
	for _, c := range r.calls(room, ada) {
		err := c.do(r.Context())
		r.unavailable(c.name+" after Close", err)
		if ofChat[c.name] && chat.CodeOf(err) != chat.Unavailable {
			r.Errorf("%s after Close has the code %s", c.name, chat.CodeOf(err))
		}
	}
	_, err = r.Watch(r.Context(), room, f)
	r.unavailable("Watch after Close", err)
	_, err = r.WatchState(r.Context(), rec.topic, rec.sink)
	r.unavailable("WatchState after Close", err)
	f.end(unwatch)
	rec.end(unwatchState)
}

// closeAmongCalls closes the store while others use it: each call is answered, or Unavailable.
func (r rig) closeAmongCalls(room string, who chat.User) {
	r.Helper()
	ctx, giveUp := context.WithTimeout(r.Context(), patience)
	defer giveUp()
	var calls atomic.Int64
	var users sync.WaitGroup
	for range 8 {
		users.Go(func() {
			for ctx.Err() == nil {
				calls.Add(1)
				if _, err := r.Append(ctx, sending(room, who, "until the end")); err != nil {
					r.unavailable("Append while closing", err)
					return
				}
				if _, err := r.Read(ctx, room, eventlog.Position{}, 10); err != nil {
					r.unavailable("Read while closing", err)
					return
				}
			}
			r.Errorf("calls are answered for ever after Close")
		})
	}
	r.eventually("the store is busy", func() bool { return calls.Load() >= 50 })
	err := r.Close()
	users.Wait()
	r.must("Close", err)
}

func (r rig) unavailable(what string, err error) {
	r.Helper()
	if !errors.Is(err, eventlog.ErrUnavailable) {
		r.Errorf("%s: %v, want Unavailable", what, err)
	}
}
