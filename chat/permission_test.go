package chat_test

import (
	"strings"
	"testing"

	"parley/chat"
)

// actors are the columns of the matrix: owner, admin and member of the room, somebody who left it,
// and a stranger.
var actors = []chat.User{{ID: "owner"}, {ID: "admin"}, {ID: "member"}, {ID: "past"}, {ID: "stranger"}}

// cast creates a room with everybody in their role, and targets of each: owner2, admin2, member2.
func (w *world) cast(visibility chat.RoomVisibility) (room chat.Room, own map[string]string) {
	w.Helper()
	in := privateGroup
	in.Visibility, in.Name = visibility, ptr("stage")
	owner := actors[0]
	room = w.create(owner, in)
	for _, user := range []struct {
		id   string
		role chat.Role
	}{
		{"admin", chat.Admin}, {"member", chat.Ordinary}, {"past", chat.Ordinary}, {"gone", chat.Ordinary},
		{"owner2", chat.Owner}, {"admin2", chat.Admin}, {"member2", chat.Ordinary},
	} {
		w.add(owner, room.ID, chat.User{ID: user.id}, user.role)
	}
	own = make(map[string]string)
	for _, id := range []string{"owner", "admin", "member", "past", "owner2"} {
		message := w.send(chat.User{ID: id}, room.ID, "by "+id)
		own[id] = message.ID()
	}
	w.remove(owner, room.ID, chat.User{ID: "past"})
	w.remove(owner, room.ID, chat.User{ID: "gone"})
	return room, own
}

// action is a row of the matrix: what is done, to a room and to messages by their senders.
type action func(w *world, actor chat.User, room string, own map[string]string) error

func adding(role chat.Role) action {
	return func(w *world, actor chat.User, room string, _ map[string]string) error {
		_, _, err := w.AddMember(w.Context(), actor, room, "new", role)
		return err
	}
}

func removing(target string) action {
	return func(w *world, actor chat.User, room string, _ map[string]string) error {
		_, err := w.RemoveMember(w.Context(), actor, room, target)
		return err
	}
}

func setting(target string, role chat.Role) action {
	return func(w *world, actor chat.User, room string, _ map[string]string) error {
		_, err := w.SetRole(w.Context(), actor, room, target, role)
		return err
	}
}

func updating(in chat.UpdateRoom) action {
	return func(w *world, actor chat.User, room string, _ map[string]string) error {
		in.RoomID = room
		_, err := w.UpdateRoom(w.Context(), actor, in)
		return err
	}
}

// mine is the message of the actor, or the owner's for those who never sent one.
func mine(actor chat.User, own map[string]string) string {
	if id, ok := own[actor.ID]; ok {
		return id
	}
	return own["owner2"]
}

// Verdicts.
const (
	allowed   = "ok"
	forbidden = "FORBIDDEN"
	none      = "NOT_FOUND"
)

// permissions are who may do what.
var permissions = []struct {
	name string
	do   action
	// owner, admin, member; the past member and the stranger see a public room as outsider
	// says, and never a private one.
	owner, admin, member, outsider string
}{
	{"rename", updating(chat.UpdateRoom{Name: set("new")}), allowed, allowed, forbidden, forbidden},
	{"change the topic", updating(chat.UpdateRoom{Topic: set("new")}), allowed, allowed, forbidden, forbidden},
	{"change history", updating(chat.UpdateRoom{History: set(chat.HistorySinceJoined)}), allowed, forbidden, forbidden, forbidden},
	{"add a member", adding(chat.Ordinary), allowed, allowed, forbidden, forbidden},
	{"add an admin", adding(chat.Admin), allowed, forbidden, forbidden, forbidden},
	{"add an owner", adding(chat.Owner), allowed, forbidden, forbidden, forbidden},
	{"remove a member", removing("member2"), allowed, allowed, forbidden, forbidden},
	{"remove an admin", removing("admin2"), allowed, forbidden, forbidden, forbidden},
	{"remove an owner", removing("owner2"), allowed, forbidden, forbidden, forbidden},
	{"remove a past member", removing("gone"), allowed, allowed, forbidden, forbidden},
	{"promote a member", setting("member2", chat.Admin), allowed, forbidden, forbidden, forbidden},
	{"demote an admin", setting("admin2", chat.Ordinary), allowed, forbidden, forbidden, forbidden},
	{"demote an owner", setting("owner2", chat.Ordinary), allowed, forbidden, forbidden, forbidden},
	{"make an owner", setting("member2", chat.Owner), allowed, forbidden, forbidden, forbidden},
	{"join", func(w *world, actor chat.User, room string, _ map[string]string) error {
		_, _, err := w.JoinRoom(w.Context(), actor, room)
		return err
	}, allowed, allowed, allowed, allowed},
	{"leave", func(w *world, actor chat.User, room string, _ map[string]string) error {
		_, err := w.LeaveRoom(w.Context(), actor, room)
		return err
	}, allowed, allowed, allowed, allowed},
	{"send", func(w *world, actor chat.User, room string, _ map[string]string) error {
		_, err := w.SendMessage(w.Context(), actor, chat.SendMessage{RoomID: room, Content: "hi"})
		return err
	}, allowed, allowed, allowed, forbidden},
	{"edit one's own", func(w *world, actor chat.User, _ string, own map[string]string) error {
		_, err := w.EditMessage(w.Context(), actor, mine(actor, own), "new")
		return err
	}, allowed, allowed, allowed, none},
	{"edit another's", func(w *world, actor chat.User, _ string, own map[string]string) error {
		_, err := w.EditMessage(w.Context(), actor, own["owner2"], "new")
		return err
	}, forbidden, forbidden, forbidden, none},
	{"delete one's own", func(w *world, actor chat.User, _ string, own map[string]string) error {
		_, err := w.DeleteMessage(w.Context(), actor, mine(actor, own))
		return err
	}, allowed, allowed, allowed, none},
	{"delete another's", func(w *world, actor chat.User, _ string, own map[string]string) error {
		_, err := w.DeleteMessage(w.Context(), actor, own["owner2"])
		return err
	}, allowed, allowed, forbidden, none},
	{"mark read", func(w *world, actor chat.User, room string, _ map[string]string) error {
		_, _, err := w.MarkRead(w.Context(), actor, room, 5)
		return err
	}, allowed, allowed, allowed, forbidden},
	{"read the room", func(w *world, actor chat.User, room string, _ map[string]string) error {
		_, err := w.Room(w.Context(), actor.ID, room)
		return err
	}, allowed, allowed, allowed, allowed},
	{"read messages", func(w *world, actor chat.User, room string, _ map[string]string) error {
		_, err := w.Messages(w.Context(), actor.ID, room, chat.PageArgs{})
		return err
	}, allowed, allowed, allowed, forbidden},
	{"read a message", func(w *world, actor chat.User, _ string, own map[string]string) error {
		_, err := w.Message(w.Context(), actor.ID, own["owner"])
		return err
	}, allowed, allowed, allowed, none},
	{"read members", func(w *world, actor chat.User, room string, _ map[string]string) error {
		_, err := w.Members(w.Context(), actor.ID, room, nil, nil)
		return err
	}, allowed, allowed, allowed, forbidden},
	{"poll", func(w *world, actor chat.User, room string, _ map[string]string) error {
		_, err := w.Events(w.Context(), actor.ID, room, ptr(logCursor(room)), nil)
		return err
	}, allowed, allowed, allowed, forbidden},
	{"count unread", func(w *world, actor chat.User, room string, _ map[string]string) error {
		_, err := w.Unread(w.Context(), actor.ID, room)
		return err
	}, allowed, allowed, allowed, allowed},
}

func TestWhoMayDoWhat(t *testing.T) {
	for _, tt := range permissions {
		for _, visibility := range []chat.RoomVisibility{chat.Public, chat.Private} {
			outsider := tt.outsider
			if visibility == chat.Private {
				outsider = none
			}
			wanted := []string{tt.owner, tt.admin, tt.member, outsider, outsider}
			t.Run(tt.name+", "+strings.ToLower(string(visibility)), func(t *testing.T) {
				w := newWorld(t)
				room, own := w.cast(visibility)
				for i, actor := range actors {
					before := w.store.appends.Load()
					w.refused(actor.ID, tt.do(w, actor, room.ID, own), wanted[i])
					if w.store.appends.Load() != before {
						room, own = w.cast(visibility)
					}
				}
			})
		}
	}
}

func TestARoomOfNobodyHasNoAdmins(t *testing.T) {
	w := newWorld(t)
	w.must(w.EnsureGeneral(t.Context()))
	for _, user := range []chat.User{ada, bob} {
		_, _, err := w.JoinRoom(t.Context(), user, chat.GeneralRoomID)
		w.must(err)
	}
	message := w.send(bob, chat.GeneralRoomID, "hi")
	own := map[string]string{"owner2": message.ID()}
	for name, do := range map[string]action{
		"update": updating(chat.UpdateRoom{Topic: set("mine")}), "add": adding(chat.Ordinary),
		"remove": removing("bob"), "set a role": setting("ada", chat.Owner),
		"delete": func(w *world, actor chat.User, _ string, own map[string]string) error {
			_, err := w.DeleteMessage(w.Context(), actor, own["owner2"])
			return err
		},
	} {
		w.refused(name, do(w, ada, chat.GeneralRoomID, own), "FORBIDDEN")
	}
}

func TestADirectRoomStaysTheTwos(t *testing.T) {
	w := newWorld(t)
	room := w.direct(ada, bob)
	for name, do := range map[string]action{
		"add": adding(chat.Ordinary), "remove": removing("bob"), "set a role": setting("bob", chat.Owner),
	} {
		w.refused(name, do(w, ada, room.ID, nil), "CONFLICT")
	}
	for _, user := range []chat.User{ada, bob} {
		_, err := w.LeaveRoom(t.Context(), user, room.ID)
		w.refused("leave", err, "CONFLICT")
		_, err = w.SendMessage(t.Context(), user, chat.SendMessage{RoomID: room.ID, Content: "hi"})
		w.refused("send", err, "ok")
	}
	_, _, err := w.JoinRoom(t.Context(), eve, room.ID)
	w.refused("join", err, "NOT_FOUND")
}
