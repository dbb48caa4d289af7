package chat_test

import (
	"context"
	"sync/atomic"
	"testing"

	"parley/chat"
	"parley/eventlog"
)

var (
	privateGroup = chat.CreateRoom{Type: chat.Group, Visibility: chat.Private, History: chat.HistoryAll}
	publicGroup  = chat.CreateRoom{Name: ptr("tea"), Type: chat.Group, Visibility: chat.Public, History: chat.HistoryAll}
	sinceJoined  = chat.CreateRoom{Type: chat.Group, Visibility: chat.Private, History: chat.HistorySinceJoined}
)

func ptr[T any](v T) *T { return &v }

func set[T any](v T) chat.Optional[T] { return chat.Optional[T]{Set: true, Value: &v} }

// world is a service over a real engine, with shorthands that fail the test where something goes
// wrong.
type world struct {
	*testing.T
	*chat.Service
	store *hooked
}

func newWorld(t *testing.T) *world { return limitedWorld(t, chat.Limits{}) }

func limitedWorld(t *testing.T, limits chat.Limits) *world {
	t.Helper()
	store, log := openEngine(t)
	hooks := &hooked{Store: store, Log: log}
	return &world{T: t, Service: chat.NewService(hooks, hooks, limits), store: hooks}
}

// hooked runs functions between the calls of a service, where others would come in between.
type hooked struct {
	chat.Store
	eventlog.Log
	// appends counts entries written or refused, written the former; the hooks run once, before or after the
	// call they name.
	appends        atomic.Int64
	written        atomic.Int64
	views          atomic.Int64
	beforeAppend   func()
	afterRead      func()
	afterMessage   func()
	afterMembers   func()
	beforeMessages func()
}

func once(hook *func()) {
	if run := *hook; run != nil {
		*hook = nil
		run()
	}
}

func (h *hooked) Append(ctx context.Context, a chat.Append) (chat.Appended, error) {
	once(&h.beforeAppend)
	h.appends.Add(1)
	done, err := h.Store.Append(ctx, a)
	if err == nil && !done.Repeat {
		h.written.Add(1)
	}
	return done, err
}

func (h *hooked) Read(ctx context.Context, log string, after eventlog.Position, limit int) (eventlog.Page, error) {
	page, err := h.Log.Read(ctx, log, after, limit)
	once(&h.afterRead)
	return page, err
}

func (h *hooked) Message(ctx context.Context, room string, seq uint64) (chat.Message, error) {
	message, err := h.Store.Message(ctx, room, seq)
	once(&h.afterMessage)
	return message, err
}

func (h *hooked) Messages(ctx context.Context, q chat.MessageQuery) (chat.MessagePage, error) {
	once(&h.beforeMessages)
	return h.Store.Messages(ctx, q)
}

func (h *hooked) Members(ctx context.Context, room, after string, limit int) (chat.MemberPage, error) {
	page, err := h.Store.Members(ctx, room, after, limit)
	once(&h.afterMembers)
	return page, err
}

func (h *hooked) View(ctx context.Context, q chat.ViewQuery) (chat.View, error) {
	h.views.Add(1)
	return h.Store.View(ctx, q)
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// refused fails unless err is of the code and field wanted.
func (w *world) refused(what string, err error, want string) {
	w.Helper()
	if got := verdict(err); got != want {
		w.Errorf("%s: %s (%v), want %s", what, got, err, want)
	}
}

// quiet fails if anything is appended while call runs.
func (w *world) quiet(what string, call func()) {
	w.Helper()
	before := w.store.written.Load()
	call()
	if n := w.store.written.Load() - before; n != 0 {
		w.Errorf("%s: %d entries written, want none", what, n)
	}
}

func (w *world) create(owner chat.User, in chat.CreateRoom) chat.Room {
	w.Helper()
	room, err := w.CreateRoom(w.Context(), owner, in)
	w.must(err)
	return room
}

func (w *world) add(actor chat.User, room string, user chat.User, role chat.Role) {
	w.Helper()
	_, _, err := w.AddMember(w.Context(), actor, room, user.ID, role)
	w.must(err)
}

func (w *world) remove(actor chat.User, room string, user chat.User) {
	w.Helper()
	_, err := w.RemoveMember(w.Context(), actor, room, user.ID)
	w.must(err)
}

func (w *world) send(sender chat.User, room, content string) chat.Message {
	w.Helper()
	message, err := w.SendMessage(w.Context(), sender, chat.SendMessage{RoomID: room, Content: content})
	w.must(err)
	return message.Message
}

// tail is a cursor at the end of the room's log.
func (w *world) tail(room string) *eventlog.Cursor {
	w.Helper()
	found, err := w.RoomByID(w.Context(), room)
	w.must(err)
	return ptr(found.Cursor())
}

// contents are the messages of a page by their content.
func contents(messages []chat.Message) []string {
	var all []string
	for _, message := range messages {
		all = append(all, message.Content)
	}
	return all
}

// direct is the room of two, which nothing in the service opens yet.
func (w *world) direct(a, b chat.User) chat.Room {
	w.Helper()
	room, err := w.store.CreateRoom(w.Context(), chat.NewRoom{
		ID: chat.DirectRoomID(a.ID, b.ID), Type: chat.Direct, Owner: &a, Members: []chat.User{b},
		Settings: chat.RoomSettings{Visibility: chat.Private, History: chat.HistoryAll},
	})
	w.must(err)
	return room
}

// logCursor is a cursor at the start of a room's log.
func logCursor(room string) eventlog.Cursor {
	return eventlog.Cursor{Kind: eventlog.CursorLog, Log: room}
}
