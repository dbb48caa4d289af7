package chat_test

import (
	"context"
	"errors"

	"parley/chat"
	"parley/eventlog"
)

// fakeStore answers by its functions; a call that a test doesn't expect panics.
type fakeStore struct {
	chat.Store
	create   func(chat.NewRoom) (chat.Room, error)
	view     func(chat.ViewQuery) (chat.View, error)
	append   func(chat.Append) (chat.Appended, error)
	message  func(seq uint64) (chat.Message, error)
	messages func(chat.MessageQuery) (chat.MessagePage, error)
	markRead func(user string, seq uint64) (chat.Member, error)
	roomsOf  func(user string) ([]chat.Membership, error)
}

func (f *fakeStore) CreateRoom(_ context.Context, room chat.NewRoom) (chat.Room, error) {
	return f.create(room)
}

func (f *fakeStore) View(_ context.Context, q chat.ViewQuery) (chat.View, error) { return f.view(q) }

func (f *fakeStore) Append(_ context.Context, a chat.Append) (chat.Appended, error) {
	return f.append(a)
}

func (f *fakeStore) Message(_ context.Context, _ string, seq uint64) (chat.Message, error) {
	return f.message(seq)
}

func (f *fakeStore) Messages(_ context.Context, q chat.MessageQuery) (chat.MessagePage, error) {
	return f.messages(q)
}

func (f *fakeStore) MarkRead(_ context.Context, _, user string, seq uint64) (chat.Member, error) {
	return f.markRead(user, seq)
}

func (f *fakeStore) RoomsOf(_ context.Context, user string) ([]chat.Membership, error) {
	return f.roomsOf(user)
}

func (f *fakeStore) RoomCount(_ context.Context, user string) (int, error) {
	rooms, err := f.roomsOf(user)
	return len(rooms), err
}

// fakeLog reads by its function.
type fakeLog struct {
	eventlog.Log
	read func(after eventlog.Position, limit int) (eventlog.Page, error)
}

func (f *fakeLog) Read(_ context.Context, _ string, after eventlog.Position, limit int) (eventlog.Page, error) {
	return f.read(after, limit)
}

// ownerView is the view of a room of ada's, at version 7 of the room and 3 of her row.
func ownerView(chat.ViewQuery) (chat.View, error) {
	return chat.View{
		Room: chat.Room{
			ID: "r_1", Type: chat.Group, Version: 7, MemberCount: 1, OwnerCount: 1, LastSeq: 9,
			RoomSettings: chat.RoomSettings{Name: "tea", Visibility: chat.Public, History: chat.HistoryAll},
		},
		Members: map[string]*chat.Member{"ada": {
			RoomID: "r_1", User: chat.User{ID: "ada"}, Role: chat.Owner, Active: true, Version: 3,
			Intervals: eventlog.Everything(),
		}},
	}, nil
}

var (
	ada = chat.User{ID: "ada", Name: "Ada"}
	bob = chat.User{ID: "bob", Name: "Bob"}
	cyd = chat.User{ID: "cyd", Name: "Cyd"}
	eve = chat.User{ID: "eve", Name: "Eve"}
)

// verdict is how a call ended: "ok", or the code and the field at fault.
func verdict(err error) string {
	if err == nil {
		return "ok"
	}
	own, ok := errors.AsType[*chat.Error](err)
	switch {
	case !ok || error(own) != err:
		return "not a chat.Error: " + err.Error()
	case own.Field != "":
		return string(own.Code) + " " + own.Field
	}
	return string(own.Code)
}
