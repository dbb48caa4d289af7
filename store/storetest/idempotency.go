package storetest

import (
	"fmt"
	"sync"

	"parley/chat"
)

func testIdempotency(r rig) {
	r.sub("the same again is the same message", repeatSame)
	r.sub("something else under the key is CONFLICT", repeatOther)
	r.sub("is answered before versions are compared", repeatBeforeVersions)
	r.sub("shows the message as it stands now", repeatAsItStands)
	r.sub("a key is its sender's and its room's", repeatScope)
	r.sub("a refused send doesn't use up its key", repeatRefused)
	r.sub("no key, no idempotency", repeatNone)
	r.sub("50 at once make one message", repeatAtOnce)
	r.sub("50 at once of two contents make one message", repeatAtOnceOfTwo)
}

// repeated fails unless the append is answered with the message given, and nothing written.
func (r rig) repeated(a chat.Append, want chat.Message) {
	r.Helper()
	before := r.room(a.RoomID)
	done := r.append(a)
	if !done.Repeat || done.Event != nil || done.Message == nil {
		r.Fatalf("%+v, want a repeat with a message and no event", done)
	}
	r.same("message", *done.Message, want)
	r.same("room", done.Room, before)
	r.same("room as read", r.room(a.RoomID), before)
	view, err := r.View(r.Context(), chat.ViewQuery{
		RoomID: a.RoomID, Sender: a.Actor.ID, ClientID: a.Message.ClientID,
	})
	r.must("View", err)
	r.same("view's repeat", view.Repeat, &want)
	r.same("view's fingerprint", view.RepeatFingerprint, a.Message.Fingerprint)
}

func repeatSame(r rig) {
	ada := person("ada")
	room := r.group(ada)
	first := r.append(sendingOnce(room, ada, "hello", "key"))
	if first.Repeat || first.Event == nil {
		r.Fatalf("%+v, want an event", first)
	}
	r.sendMany(room, ada, 3)
	for range 3 { // each with a salt of its own
		r.repeated(sendingOnce(room, ada, "hello", "key"), *first.Message)
	}
}

func repeatOther(r rig) {
	ada := person("ada")
	room := r.group(ada)
	r.append(sendingOnce(room, ada, "hello", "key"))
	before := r.room(room)
	for _, a := range []chat.Append{
		sendingOnce(room, ada, "other", "key"),
		expecting(sendingOnce(room, ada, "other", "key"), chat.Expect{Room: 99}),
	} {
		_, err := r.Append(r.Context(), a)
		r.refused("another content", err, conflict)
	}
	r.same("room", r.room(room), before)
}

func repeatBeforeVersions(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada, bob)
	a := expecting(sendingOnce(room, bob, "hello", "key"), chat.Expect{Room: 1, Members: map[string]uint64{bob.ID: 1}})
	first := r.append(a)
	r.append(updating(room, ada, ornate))
	r.append(removing(room, ada, bob))
	r.repeated(a, *first.Message)
}

func repeatAsItStands(r rig) {
	ada := person("ada")
	room := r.group(ada)
	a := sendingOnce(room, ada, "hello", "key")
	r.append(a)
	r.append(editing(room, ada, 1, "edited"))
	r.repeated(a, r.message(room, 1))
	r.append(deleting(room, ada, 1))
	r.repeated(a, r.message(room, 1))
}

func repeatScope(r rig) {
	ada, bob := person("ada"), person("bob")
	room, other := r.group(ada, bob), r.group(ada, bob)
	for i, a := range []chat.Append{
		sendingOnce(room, ada, "hello", "key"), sendingOnce(room, bob, "hello", "key"),
		sendingOnce(other, ada, "hello", "key"), sendingOnce(room, ada, "hello", "KEY"),
		sendingOnce(room, ada, "hello", "key "),
		// Two pairs that run together where sender and key are joined without care.
		sendingOnce(room, chat.User{ID: "a"}, "hello", "b:c"), sendingOnce(room, chat.User{ID: "a:b"}, "hello", "c"),
		sendingOnce(room, chat.User{ID: "a"}, "hello", "1\x00b"), sendingOnce(room, chat.User{ID: "a1"}, "hello", "\x00b"),
	} {
		if r.append(a).Repeat {
			r.Fatalf("send %d, of %q under %q, is taken for a repeat", i, a.Actor.ID, a.Message.ClientID)
		}
	}
	view, err := r.View(r.Context(), chat.ViewQuery{RoomID: room, Sender: ada.ID, ClientID: "unused"})
	r.must("View", err)
	if view.Repeat != nil || view.RepeatFingerprint != "" {
		r.Fatalf("an unused key has a repeat: %+v", view)
	}
}

func repeatRefused(r rig) {
	ada := person("ada")
	room := r.group(ada)
	_, err := r.Append(r.Context(), expecting(sendingOnce(room, ada, "hello", "key"), chat.Expect{Room: 2}))
	r.refused("a stale send", err, moved)
	if r.append(sendingOnce(room, ada, "something else", "key")).Repeat {
		r.Fatalf("the key of a refused send is used up")
	}
}

func repeatNone(r rig) {
	ada := person("ada")
	room := r.group(ada)
	a := sending(room, ada, "hello")
	a.Message.Fingerprint = "a fingerprint without a key"
	r.append(a)
	if done := r.append(a); done.Repeat || done.Message.Seq != 2 {
		r.Fatalf("%+v, want a second message", done)
	}
	view, err := r.View(r.Context(), chat.ViewQuery{RoomID: room, Sender: ada.ID})
	r.must("View", err)
	if view.Repeat != nil {
		r.Fatalf("no key has a repeat: %+v", view.Repeat)
	}
}

func repeatAtOnce(r rig) {
	ada := person("ada")
	for range scaled(3, 30) {
		room := r.group(ada)
		var mu sync.Mutex
		var fresh int
		ids := map[string]bool{}
		together(50, func(int) {
			done, err := r.Append(r.Context(), sendingOnce(room, ada, "hello", "key"))
			if err != nil {
				r.Errorf("Append: %v", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids[done.Message.ID()] = true
			if !done.Repeat {
				fresh++
			}
		})
		if now := r.room(room); fresh != 1 || len(ids) != 1 || now.LastSeq != 1 || now.Tail.Offset != 2 {
			r.Fatalf("%d were written, %d ids answered, seq %d, tail %d", fresh, len(ids), now.LastSeq, now.Tail.Offset)
		}
	}
}

func repeatAtOnceOfTwo(r rig) {
	ada := person("ada")
	room := r.group(ada)
	var mu sync.Mutex
	answers := map[string]int{}
	together(50, func(i int) {
		content := fmt.Sprint("content ", i%2)
		done, err := r.Append(r.Context(), sendingOnce(room, ada, content, "key"))
		if err == nil && done.Message.Content != content {
			r.Errorf("%q was answered with %q", content, done.Message.Content)
		}
		mu.Lock()
		defer mu.Unlock()
		answers[verdict(err)]++
	})
	if answers["ok"] != 25 || answers[conflict] != 25 || r.room(room).LastSeq != 1 {
		r.Fatalf("%v and seq %d, want 25 ok, 25 CONFLICT and one message", answers, r.room(room).LastSeq)
	}
}
