package storetest

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"parley/chat"
	"parley/eventlog"
)

// patience is how long a test waits for a fact before it fails. Engines heal lost hints in about a
// second.
const patience = 15 * time.Second

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	rapid.TB
	Context() context.Context
	Cleanup(func())
}

// rig is a store under test, with short words for what tests do to it: those in lower case fail the
// test where the store returns an error.
type rig struct {
	tester
	Store
}

// sub runs a named subtest on the same store.
func (r rig) sub(name string, test func(r rig)) {
	r.tester.(*testing.T).Run(name, func(t *testing.T) { test(rig{tester: t, Store: r.Store}) })
}

// property checks a property of the store on random cases.
func (r rig) property(reduced, full int, prop func(r rig, t *rapid.T)) {
	r.Helper()
	property(r, reduced, full, func(t *rapid.T) { prop(rig{tester: t, Store: r.Store}, t) })
}

// serial makes names unique, so that the tests on one store don't see each other.
var serial atomic.Uint64

func unique(name string) string { return fmt.Sprintf("%s-%d", name, serial.Add(1)) }

// person returns somebody whose id nobody else has.
func person(name string) chat.User {
	return chat.User{ID: unique(name), Name: "The " + name, AvatarURL: "https://pictures.test/" + name}
}

var plain = chat.RoomSettings{Name: "A room", Visibility: chat.Private, History: chat.HistoryAll}

// create creates a room.
func (r rig) create(room chat.NewRoom) chat.Room {
	r.Helper()
	created, err := r.CreateRoom(r.Context(), room)
	r.must("CreateRoom", err)
	return created
}

// group creates a private group and returns its id.
func (r rig) group(owner chat.User, members ...chat.User) string {
	r.Helper()
	return r.create(chat.NewRoom{
		ID: chat.NewRoomID(), Type: chat.Group, Settings: plain, Owner: &owner, Members: members,
	}).ID
}

func (r rig) append(a chat.Append) chat.Appended {
	r.Helper()
	done, err := r.Append(r.Context(), a)
	r.must("Append", err)
	if a.Kind == chat.KindMessageSent { // it needn't be told
		done.Room = r.room(a.RoomID)
	}
	return done
}

// send sends a text and returns the message.
func (r rig) send(room string, by chat.User, content string) *chat.Message {
	r.Helper()
	return r.append(sending(room, by, content)).Message
}

// sendMany sends n short texts.
func (r rig) sendMany(room string, by chat.User, n int) {
	r.Helper()
	for i := range n {
		r.send(room, by, fmt.Sprint("text ", i))
	}
}

func (r rig) view(room string, users ...string) chat.View {
	r.Helper()
	view, err := r.View(r.Context(), chat.ViewQuery{RoomID: room, Users: users})
	r.must("View", err)
	return view
}

// room reads a room.
func (r rig) room(id string) chat.Room {
	r.Helper()
	return r.view(id).Room
}

// member reads a membership row that must be there.
func (r rig) member(room, user string) chat.Member {
	r.Helper()
	row := r.view(room, user).Members[user]
	if row == nil {
		r.Fatalf("%s has no row in %s", user, room)
	}
	return *row
}

func (r rig) message(room string, seq uint64) chat.Message {
	r.Helper()
	message, err := r.Message(r.Context(), room, seq)
	r.must("Message", err)
	return message
}

func (r rig) messages(q chat.MessageQuery) chat.MessagePage {
	r.Helper()
	page, err := r.Messages(r.Context(), q)
	r.must("Messages", err)
	return page
}

func (r rig) read(log string, after eventlog.Position, limit int) eventlog.Page {
	r.Helper()
	page, err := r.Read(r.Context(), log, after, limit)
	r.must("Read", err)
	return page
}

// history reads a whole log that nothing was trimmed from, in pages, each entry following the one
// before. (A fenced log can be read on from its start and from positions after the fence only.)
func (r rig) history(log string) []eventlog.Publication {
	r.Helper()
	var all []eventlog.Publication
	var at eventlog.Position
	for {
		page := r.read(log, at, 1000)
		all = append(all, r.contiguous(at, page.Publications)...)
		if len(all) > 0 {
			at = all[len(all)-1].Position
		}
		if at.Offset >= page.Tail.Offset {
			return all
		}
		if len(page.Publications) == 0 {
			r.Fatalf("the log ends at %d, before its tail at %d", at.Offset, page.Tail.Offset)
		}
	}
}

// contiguous fails unless the publications follow one another from a position on.
func (r rig) contiguous(after eventlog.Position, pubs []eventlog.Publication) []eventlog.Publication {
	r.Helper()
	at := after
	for i := range pubs {
		p := &pubs[i]
		if at.Offset == 0 {
			at = eventlog.Position{Epoch: p.Epoch}
		}
		if !p.Follows(at) {
			r.Fatalf("the entry %+v (prev %d, kind %d) doesn't follow %+v", p.Position, p.Prev, p.Kind, at)
		}
		at = p.Position
	}
	return pubs
}

// must fails the test where a call that has to succeed didn't.
func (r rig) must(what string, err error) {
	r.Helper()
	if err != nil {
		r.Fatalf("%s: %v", what, err)
	}
}

// eventually waits until fact holds.
func (r rig) eventually(what string, fact func() bool) {
	r.Helper()
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.Now().Add(patience); !fact(); <-poll.C {
		if time.Now().After(deadline) {
			r.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// tick waits until the store's clock shows another millisecond, so that times that ought to move can be
// told from those that stay.
func (r rig) tick() {
	r.Helper()
	now := func() time.Time {
		return r.create(chat.NewRoom{ID: chat.NewRoomID(), Type: chat.Group, Settings: plain}).CreatedAt
	}
	start := now()
	r.eventually("a millisecond passes by the store's clock", func() bool { return now().After(start) })
}

// together runs n goroutines that start as one, and waits for all of them. They may call Errorf, but
// none of the words in lower case, which end the test.
func together(n int, work func(i int)) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		all.Go(func() {
			<-start
			work(i)
		})
	}
	close(start)
	all.Wait()
}

// meanwhile has n goroutines work, round after round, until stop, which waits for them. They may call
// Errorf, but none of the words in lower case.
func meanwhile(n int, work func(worker, round int)) (stop func()) {
	var all sync.WaitGroup
	var stopped atomic.Bool
	for worker := range n {
		all.Go(func() {
			for round := 0; !stopped.Load(); round++ {
				work(worker, round)
			}
		})
	}
	return func() {
		stopped.Store(true)
		all.Wait()
	}
}

// appends makes an append of those that may be called from goroutines.
func (r rig) appends(a chat.Append) {
	if _, err := r.Append(r.Context(), a); err != nil {
		r.Errorf("Append: %v", err)
	}
}
