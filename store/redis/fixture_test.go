package redis_test

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley/chat"
	"parley/eventlog"
	"parley/presence"
	"parley/store/redis"
	"parley/store/redis/redistest"
)

// The fixture is what a store of format version 1 holds, key by key, and what it answers. It is never
// written anew, unless by the release that introduces another version, under another name.
const fixtureFile = "testdata/version1.json"

var writeFixture = flag.Bool("write-fixture", false, "write "+fixtureFile+" before testing it")

type fixture struct {
	// Keys maps keys to their values as DUMP tells them, in base64.
	Keys map[string]string `json:"keys"`
	// Answers is what answers returned.
	Answers json.RawMessage `json:"answers"`
}

const fixtureRoom = "r_fixture"

func TestVersion1(t *testing.T) {
	if *writeFixture {
		makeFixture(t)
	}
	text, err := os.ReadFile(fixtureFile)
	must(t, err)
	var saved fixture
	must(t, json.Unmarshal(text, &saved))
	server := redistest.Start(t)
	for key, value := range saved.Keys {
		dump, err := base64.StdEncoding.DecodeString(value)
		must(t, err)
		server.Do("RESTORE", key, 0, dump)
	}
	store := open(t, server, redis.Options{})
	t.Run("is read", func(t *testing.T) {
		var want any
		must(t, json.Unmarshal(saved.Answers, &want))
		var got any
		must(t, json.Unmarshal(answers(t, store), &got))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-then +now):\n%s", diff)
		}
	})
	t.Run("is written", func(t *testing.T) {
		tail := tailOf(t, store, fixtureRoom)
		done, err := store.Append(t.Context(), chat.Append{
			RoomID: fixtureRoom, Kind: chat.KindMessageSent, Actor: ada,
			Message: &chat.NewMessage{Salt: "salt", Type: chat.Text, Content: "four"},
		})
		must(t, err)
		if done.Message.Seq != 4 || done.Event.Position.Offset != tail.Offset+1 || done.Event.Position.Epoch != tail.Epoch {
			t.Errorf("after %+v came %+v with message %+v", tail, done.Event.Position, done.Message)
		}
		_, err = store.Sweep(t.Context(), 0)
		must(t, err)
		presences, err := store.Presences(t.Context(), []string{bob.ID})
		must(t, err)
		if presences[0].Status != presence.Offline || presences[0].Version != 2 {
			t.Errorf("a device whose node is long gone: %+v", presences[0])
		}
	})
}

// fixtureStory fills a store with something of everything.
func fixtureStory(t *testing.T, store *redis.Store) {
	t.Helper()
	settings := chat.RoomSettings{Name: "Fixture", Topic: "v1", Visibility: chat.Public, History: chat.HistorySinceJoined}
	_, err := store.CreateRoom(t.Context(), chat.NewRoom{
		ID: fixtureRoom, Type: chat.Group, Settings: settings, Owner: &ada, Members: []chat.User{bob},
	})
	must(t, err)
	send := func(content, key string) chat.Append {
		return chat.Append{RoomID: fixtureRoom, Kind: chat.KindMessageSent, Actor: ada, Message: &chat.NewMessage{
			Salt: "s" + key, Type: chat.Text, Content: content, ClientID: key, Fingerprint: "of " + content,
		}}
	}
	settings.Metadata = json.RawMessage(`{"icon": "<&>"}`)
	carol := chat.User{ID: "carol: {ü}/%", Name: "Carol", AvatarURL: "https://pictures.test/carol"}
	for _, a := range []chat.Append{
		send("one \"quoted\" <b> \u2028 🦜\x00", "1"), send("two", "2"), send("three", "3"),
		{RoomID: fixtureRoom, Kind: chat.KindMessageEdited, Actor: ada, Seq: 2, Content: "2"},
		{RoomID: fixtureRoom, Kind: chat.KindMessageDeleted, Actor: ada, Seq: 3},
		{RoomID: fixtureRoom, Kind: chat.KindMemberJoined, Actor: carol, Target: carol, Role: chat.Ordinary},
		{RoomID: fixtureRoom, Kind: chat.KindMemberRoleChanged, Actor: ada, Target: bob, Role: chat.Admin},
		{RoomID: fixtureRoom, Kind: chat.KindMemberLeft, Actor: carol, Target: carol},
		{RoomID: fixtureRoom, Kind: chat.KindRoomUpdated, Actor: ada, Settings: &settings},
	} {
		_, err := store.Append(t.Context(), a)
		must(t, err)
	}
	_, err = store.MarkRead(t.Context(), fixtureRoom, bob.ID, 1)
	must(t, err)
	seen := tailOf(t, store, fixtureRoom)
	seen.Offset++
	must(t, store.Fence(t.Context(), fixtureRoom, seen))
	_, err = store.Renew(t.Context(), "node", time.Millisecond)
	must(t, err)
	must(t, store.Connect(t.Context(), "node", "device", visitor(ada)),
		store.Disconnect(t.Context(), "node", "device", ada.ID, 0),
		store.Connect(t.Context(), "node", "device", visitor(bob)),
		store.SetTyping(t.Context(), fixtureRoom, visitor(ada), 100*365*24*time.Hour))
}

// answers is what a store says of the fixture, as JSON.
func answers(t *testing.T, store *redis.Store) []byte {
	t.Helper()
	view, err := store.View(t.Context(), chat.ViewQuery{
		RoomID: fixtureRoom, Users: []string{ada.ID, bob.ID, "carol: {ü}/%"}, Sender: ada.ID, ClientID: "2",
	})
	must(t, err)
	messages, err := store.Messages(t.Context(), chat.MessageQuery{
		RoomID: fixtureRoom, Limit: 10, Readable: eventlog.Everything(),
	})
	must(t, err)
	unread, err := store.Unread(t.Context(), fixtureRoom, bob.ID)
	must(t, err)
	members, err := store.Members(t.Context(), fixtureRoom, "", 10)
	must(t, err)
	rooms, err := store.RoomsOf(t.Context(), bob.ID)
	must(t, err)
	public, err := store.PublicRooms(t.Context(), "fix", "", 10)
	must(t, err)
	log, err := store.Read(t.Context(), fixtureRoom, eventlog.Position{}, 100)
	must(t, err)
	presences, err := store.Presences(t.Context(), []string{ada.ID, bob.ID})
	must(t, err)
	typing, err := store.Typing(t.Context(), fixtureRoom)
	must(t, err)
	text, err := json.Marshal(map[string]any{
		"view": view, "messages": messages, "unread": unread, "members": members, "rooms": rooms, "public": public,
		"log": log, "presences": presences, "typing": typing,
	})
	must(t, err)
	return text
}

// makeFixture writes the fixture by telling its story to an empty store.
func makeFixture(t *testing.T) {
	t.Helper()
	server := redistest.Start(t)
	store := open(t, server, redis.Options{})
	fixtureStory(t, store)
	made := fixture{Keys: map[string]string{}, Answers: answers(t, store)}
	for _, key := range server.Do("KEYS", "*").([]any) {
		made.Keys[key.(string)] = base64.StdEncoding.EncodeToString([]byte(server.Do("DUMP", key).(string)))
	}
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", " ")
	must(t, encoder.Encode(made))
	must(t, os.MkdirAll("testdata", 0o755), os.WriteFile(fixtureFile, []byte(text.String()), 0o644))
}
