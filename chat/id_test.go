package chat_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"parley/chat"
)

func TestIDsCarryWhatTheyName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		room := "r_" + rapid.StringMatching(`[a-z0-9]{1,64}`).Draw(t, "room")
		seq := rapid.Uint64Range(1, 1<<53-1).Draw(t, "seq")
		user := rapid.StringN(1, 32, 128).Filter(chat.IsUserID).Draw(t, "user")
		salt := chat.NewSalt()
		if r, s, x, ok := chat.ParseMessageID(chat.MessageID(room, seq, salt)); !ok || r != room || s != seq || x != salt {
			t.Fatalf("message: %s %d %s %t", r, s, x, ok)
		}
		if r, u, ok := chat.ParseMemberID(chat.MemberID(room, user)); !ok || r != room || u != user {
			t.Fatalf("member: %s %s %t", r, u, ok)
		}
	})
}

func TestNewIDs(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		id := chat.NewRoomID()
		if !chat.IsRoomID(id) || seen[id] {
			t.Fatalf("got %q", id)
		}
		seen[id] = true
	}
	if a, b := chat.DirectRoomID("ada", "bob"), chat.DirectRoomID("bob", "ada"); a != b || !chat.IsRoomID(a) {
		t.Errorf("two direct rooms: %s and %s", a, b)
	}
	if chat.DirectRoomID("ad", "abob") == chat.DirectRoomID("ada", "bob") {
		t.Error("one direct room for four people")
	}
}

func TestUserIDs(t *testing.T) {
	for id, want := range map[string]bool{
		"ada": true, "Ada Lovelace": true, "auth0|12": true, "é": true, "m": true, "room_1": true,
		strings.Repeat("x", 128): true, strings.Repeat("x", 129): false, "": false,
		"r_1": false, "m_1": false, "rm_1": false, "a\x00": false, "a\u0085": false, "\xff": false,
	} {
		if chat.IsUserID(id) != want {
			t.Errorf("%q: %t", id, !want)
		}
	}
}

func FuzzParseMessageID(f *testing.F) {
	for _, id := range []string{"", "m_", "m_1_1_s", "m_1_01_s", "m_1_1_s_", "m_A_1_s", "m_1_-1_s", "m_1_3w5e11264sgsg_s"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		room, seq, salt, ok := chat.ParseMessageID(id)
		if !ok {
			return
		}
		if !chat.IsRoomID(room) || seq == 0 || seq >= 1<<53 || chat.MessageID(room, seq, salt) != id {
			t.Errorf("%q is %q %d %q", id, room, seq, salt)
		}
	})
}

func FuzzParseMemberID(f *testing.F) {
	for _, id := range []string{"", "rm_", "rm_1_YWRh", "rm_1_YWRh=", "rm_1_YWR\n", "rm_1_", "rm_1_cl8x"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		room, user, ok := chat.ParseMemberID(id)
		if !ok {
			return
		}
		if !chat.IsRoomID(room) || !chat.IsUserID(user) || chat.MemberID(room, user) != id {
			t.Errorf("%q is %q %q", id, room, user)
		}
	})
}

// FuzzInput holds that whatever is sent to the service, what reaches the store is text within the
// limits.
func FuzzInput(f *testing.F) {
	f.Add("hi", "key", "m_1_1_s", "tea", "about tea", []byte(`{"a":1}`))
	f.Add(" ", "\n", "r_1", "\x00", "\xff", []byte("\"\xff\""))
	f.Fuzz(func(t *testing.T, content, clientID, replyTo, name, topic string, metadata []byte) {
		limits := chat.Limits{}.WithDefaults()
		text := func(what, s string, bytes int) {
			if len(s) > bytes || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
				t.Errorf("%s %q reached the store", what, s)
			}
		}
		store := &fakeStore{
			view:    ownerView,
			roomsOf: func(string) ([]chat.Membership, error) { return nil, nil },
			message: func(seq uint64) (chat.Message, error) {
				return chat.Message{RoomID: "r_1", Seq: seq, Salt: "s"}, nil
			},
			create: func(room chat.NewRoom) (chat.Room, error) {
				text("name", room.Settings.Name, 4*limits.NameChars)
				text("topic", room.Settings.Topic, 4*limits.TopicChars)
				text("metadata", string(room.Settings.Metadata), limits.MetadataBytes)
				if m := room.Settings.Metadata; m != nil && !json.Valid(m) || strings.TrimSpace(room.Settings.Name) == "" {
					t.Errorf("%+v reached the store", room.Settings)
				}
				return chat.Room{}, nil
			},
			append: func(a chat.Append) (chat.Appended, error) {
				text("content", a.Message.Content, limits.ContentBytes)
				text("clientId", a.Message.ClientID, limits.ClientIDBytes)
				if strings.TrimSpace(a.Message.Content) == "" || a.Message.ReplyToSeq != 0 && replyTo == "" {
					t.Errorf("%+v reached the store", a.Message)
				}
				return chat.Appended{Message: &chat.Message{}}, nil
			},
		}
		service := chat.NewService(store, nil, limits)
		_, sent := service.SendMessage(t.Context(), ada, chat.SendMessage{RoomID: "r_1", Content: content, ClientID: clientID, ReplyToID: replyTo})
		_, created := service.CreateRoom(t.Context(), ada, chat.CreateRoom{
			Name: &name, Type: chat.Group, Visibility: chat.Public, History: chat.HistoryAll, Topic: &topic, Metadata: metadata,
		})
		for _, err := range []error{sent, created} {
			if code := chat.CodeOf(err); err != nil && code != chat.BadInput {
				t.Errorf("refused with %v", err)
			}
		}
	})
}
