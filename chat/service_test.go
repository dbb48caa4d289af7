package chat_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley/chat"
	"parley/eventlog"
)

// changes are all calls that decide on versions, as ada, on room r_1.
func changes(ctx context.Context, s *chat.Service) map[string]func() error {
	name := "coffee"
	return map[string]func() error{
		"update": func() error {
			_, err := s.UpdateRoom(ctx, ada, chat.UpdateRoom{RoomID: "r_1", Name: chat.Optional[string]{Set: true, Value: &name}})
			return err
		},
		"join":  func() error { _, _, err := s.JoinRoom(ctx, bob, "r_1"); return err },
		"leave": func() error { _, err := s.LeaveRoom(ctx, ada, "r_1"); return err },
		"add":   func() error { _, _, err := s.AddMember(ctx, ada, "r_1", "bob", chat.Ordinary); return err },
		"send": func() error {
			_, err := s.SendMessage(ctx, ada, chat.SendMessage{RoomID: "r_1", Content: "hi"})
			return err
		},
		"edit":      func() error { _, err := s.EditMessage(ctx, ada, "m_1_1_s", "new"); return err },
		"delete":    func() error { _, err := s.DeleteMessage(ctx, ada, "m_1_1_s"); return err },
		"mark read": func() error { _, _, err := s.MarkRead(ctx, ada, "r_1", 9); return err },
		"messages":  func() error { _, err := s.Messages(ctx, "ada", "r_1", chat.PageArgs{}); return err },
	}
}

func TestDecidesAgainAFewTimesWhenAVersionMoved(t *testing.T) {
	views, tries, movedTries := 0, 0, 0
	try := func() error {
		if tries++; tries <= movedTries {
			return fmt.Errorf("engine: %w", chat.ErrMoved)
		}
		return nil
	}
	store := &fakeStore{
		view:    func(q chat.ViewQuery) (chat.View, error) { views++; return ownerView(q) },
		roomsOf: func(string) ([]chat.Membership, error) { return nil, nil },
		message: func(seq uint64) (chat.Message, error) {
			return chat.Message{RoomID: "r_1", Seq: seq, Salt: "s", Sender: ada, Version: 1}, nil
		},
		append: func(a chat.Append) (chat.Appended, error) {
			return chat.Appended{Event: &chat.Event{Member: &chat.Member{}}, Message: &chat.Message{}}, try()
		},
		messages: func(chat.MessageQuery) (chat.MessagePage, error) { return chat.MessagePage{}, try() },
		markRead: func(string, uint64) (chat.Member, error) {
			if try() != nil {
				return chat.Member{}, chat.Errorf(chat.NotFound, "no member")
			}
			return chat.Member{}, nil
		},
	}
	for name := range changes(t.Context(), nil) {
		limit := 25
		if name == "messages" {
			limit = 50 // a page
		}
		for _, moved := range []int{0, 1, limit - 1, limit, limit + 1} {
			want := "ok"
			if moved >= limit {
				want = "CONFLICT"
			}
			t.Run(fmt.Sprintf("%s, moved %d times", name, moved), func(t *testing.T) {
				views, tries, movedTries = 0, 0, moved
				call := changes(t.Context(), chat.NewService(store, nil, chat.Limits{}))[name]
				if got := verdict(call()); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
				if want := min(moved+1, limit); views != want || tries != want {
					t.Errorf("%d views and %d tries, want %d of each", views, tries, want)
				}
			})
		}
	}
}

func TestTheAnswerToAConflictIsNobodyElses(t *testing.T) {
	store := &fakeStore{view: ownerView, append: func(chat.Append) (chat.Appended, error) { return chat.Appended{}, chat.ErrMoved }}
	_, err := chat.NewService(store, nil, chat.Limits{}).SendMessage(t.Context(), ada, chat.SendMessage{RoomID: "r_1", Content: "hi"})
	if err == error(chat.ErrMoved) {
		t.Error("the shared error came out, which callers may add a field to")
	}
}

func TestEachDecisionExpectsWhatItRestsOn(t *testing.T) {
	both := map[string]uint64{"ada": 3, "bob": 0}
	own := map[string]uint64{"ada": 3}
	want := map[string]chat.Expect{
		"update": {Room: 7, Members: own},
		"join":   {Room: 7, Members: map[string]uint64{"bob": 0}},
		"leave":  {Room: 7, Members: own},
		"add":    {Room: 7, Members: both},
		"send":   {Members: own},
		"edit":   {Room: 7, Members: own, Message: 4},
		"delete": {Room: 7, Members: own, Message: 4},
	}
	var got chat.Expect
	store := &fakeStore{
		view:    ownerView,
		roomsOf: func(string) ([]chat.Membership, error) { return nil, nil },
		message: func(seq uint64) (chat.Message, error) {
			return chat.Message{RoomID: "r_1", Seq: seq, Salt: "s", Sender: ada, Version: 4}, nil
		},
		append: func(a chat.Append) (chat.Appended, error) {
			got = a.Expect
			return chat.Appended{Event: &chat.Event{Member: &chat.Member{}}, Message: &chat.Message{}}, nil
		},
	}
	calls := changes(t.Context(), chat.NewService(store, nil, chat.Limits{}))
	for name, want := range want {
		t.Run(name, func(t *testing.T) {
			got = chat.Expect{}
			if err := calls[name](); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEveryErrorHasACode(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"unavailable", fmt.Errorf("redis: %w", eventlog.ErrUnavailable), "UNAVAILABLE"},
		{"cancelled", context.Canceled, "UNAVAILABLE"},
		{"late", fmt.Errorf("read: %w", context.DeadlineExceeded), "UNAVAILABLE"},
		{"unknown", errors.New("disk on fire"), "INTERNAL"},
		{"coded by the store", chat.Errorf(chat.RateLimited, "slowly"), "RATE_LIMITED"},
		{"wrapped around a coded one", fmt.Errorf("sqlite: %w", chat.Errorf(chat.RateLimited, "slowly")), "RATE_LIMITED"},
		{"no log", eventlog.ErrNoLog, "NOT_FOUND"},
	} {
		store := &fakeStore{
			create:  func(chat.NewRoom) (chat.Room, error) { return chat.Room{}, tt.err },
			view:    func(chat.ViewQuery) (chat.View, error) { return chat.View{}, tt.err },
			message: func(uint64) (chat.Message, error) { return chat.Message{}, tt.err },
			roomsOf: func(string) ([]chat.Membership, error) { return nil, tt.err },
		}
		log := &fakeLog{read: func(eventlog.Position, int) (eventlog.Page, error) { return eventlog.Page{}, tt.err }}
		service := chat.NewService(store, log, chat.Limits{})
		calls := changes(t.Context(), service)
		calls["create"] = func() error {
			_, err := service.CreateRoom(t.Context(), ada, privateGroup)
			return err
		}
		calls["general"] = func() error { return service.EnsureGeneral(t.Context()) }
		calls["rooms"] = func() error { _, err := service.Rooms(t.Context(), "ada", nil, nil); return err }
		calls["message"] = func() error { _, err := service.Message(t.Context(), "ada", "m_1_1_s"); return err }
		calls["company"] = func() error { _, err := service.SharesRoom(t.Context(), "ada", nil); return err }
		calls["log"] = func() error {
			store.view = ownerView
			_, err := service.Events(t.Context(), "ada", "r_1", &eventlog.Cursor{Kind: eventlog.CursorLog, Log: "r_1"}, nil)
			return err
		}
		for _, name := range []string{"create", "general", "rooms", "message", "company", "send", "messages", "mark read", "edit", "log"} {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				err := calls[name]()
				if got := verdict(err); got != tt.want {
					t.Errorf("got %s (%v), want %s", got, err, tt.want)
				}
				if tt.want != "NOT_FOUND" && !errors.Is(err, tt.err) {
					t.Errorf("the cause is lost: %v", err)
				}
			})
		}
	}
}

func TestNobodyChangesNothing(t *testing.T) {
	service := chat.NewService(&fakeStore{view: ownerView}, nil, chat.Limits{})
	for _, id := range []string{"", "r_1", "a\nb"} {
		nobody := chat.User{ID: id}
		_, create := service.CreateRoom(t.Context(), nobody, privateGroup)
		_, _, join := service.JoinRoom(t.Context(), nobody, "r_1")
		_, send := service.SendMessage(t.Context(), nobody, chat.SendMessage{RoomID: "r_1", Content: "hi"})
		for name, err := range map[string]error{"create": create, "join": join, "send": send} {
			if got := verdict(err); got != "UNAUTHENTICATED" {
				t.Errorf("%s as %q: %s", name, id, got)
			}
		}
	}
}
