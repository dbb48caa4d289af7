package storetest

import (
	"encoding/json"
	"slices"
	"strings"

	"parley/chat"
	"parley/eventlog"
	"parley/presence"
)

// hostileIDs are user ids that break what joins, quotes, splits or matches carelessly. All are
// allowed by chat.IsUserID.
var hostileIDs = []string{
	`'`, `"`, "`", `\`, `'; DROP TABLE members; --`, `{}`, `{a}b{c}`, `}{`, `[]`, `*`, `?`, `%s`, `%`, `_`,
	`:`, `::`, `a:b:c`, `a/b/../c`, ` `, ` a `, `a b`, `-1`, `0`, `+inf`, `(1`, `[a`, `null`, `nil`, `true`, `1e3`,
	"🦜", "e\u0301", "é", "\u200f\u202e", "\ufeff", "日本語", "auth0|5f7c8ec7c33c6c004bbafe82", "google:113|a@b.c",
	strings.Repeat("x", chat.MaxUserID), strings.Repeat("é", chat.MaxUserID/2), strings.Repeat("🦜", chat.MaxUserID/4),
}

// hostileTexts are contents that don't survive careless encoding.
var hostileTexts = []string{
	"", " ", "\n", "\x00", "a\x00b", "\\u0000", "\\x00", "\u2028\u2029", "\ufffd", "\r\n.\r\n", `"`, `\"`, `{"a":`, `<![CDATA[`,
	"%s%n%d", "$1 :1 ?1 @p", "0", "-0", "1e999", "nan", "null", "false", "🦜🏳️‍🌈👨‍👩‍👧‍👦", "\u202eright to left", "*3\r\n$3\r\nSET\r\n",
	strings.Repeat("x", 8<<10), strings.Repeat("\x00", 8<<10), strings.Repeat("🦜", 2<<10), strings.Repeat(`\"`, 4<<10),
	strings.Repeat("\n", 8<<10), strings.Repeat("[", 8<<10),
}

var hostileMetadata = []string{
	`{}`, `[]`, `null`, `""`, `0`, `-0`, `1e400`, `{"a":{"b":[{}]}}`, `{"big":9007199254740993}`, `{"":""}`, `[1.0,1e2,-0.0]`,
	`{"nul":"\u0000","pair":"\ud83e\udd9c"}`, ` { "spaced" : [ ] } `, `{"dup":1,"dup":2}`,
	strings.Repeat("[", 100) + strings.Repeat("]", 100), `"` + strings.Repeat("x", 4<<10) + `"`,
}

func testHostile(r rig) {
	r.sub("user ids in rooms", hostileMembers)
	r.sub("user ids in presence and typing", hostilePresence)
	r.sub("contents", hostileContents)
	r.sub("client ids and fingerprints", hostileKeys)
	r.sub("metadata", hostileSettings)
	r.sub("names", hostileNames)
	r.sub("pages", hostilePages)
}

func hostileMembers(r rig) {
	owner := person("owner")
	room := r.group(owner)
	for i, id := range hostileIDs {
		if !chat.IsUserID(id) {
			r.Fatalf("%q is no user id", id)
		}
		who := chat.User{ID: id, Name: "name of " + id}
		r.append(expecting(joining(room, who), chat.Expect{Members: map[string]uint64{id: 0}}))
		r.append(expecting(sendingOnce(room, who, "hello", "key"), chat.Expect{Members: map[string]uint64{id: 1}}))
		r.markRead(room, who, uint64(i))
		r.unread(room, who, 0)
		r.append(changingRole(room, owner, who, chat.Admin))
		row := r.member(room, id)
		if row.User != who || row.Role != chat.Admin || row.Version != 2 || row.LastReadSeq != uint64(i+1) {
			r.Fatalf("the row of %q is %+v", id, row)
		}
		r.same("rooms of "+id, r.roomsOf(id), []chat.Membership{{Room: r.room(room), Member: row}})
	}
	r.same("members", len(r.members(room, "", 100).Members), len(hostileIDs)+1)
	r.same("count", r.room(room).MemberCount, len(hostileIDs)+1)
	for _, id := range hostileIDs {
		r.append(leaving(room, chat.User{ID: id}))
		r.same("rooms of "+id, r.roomsOf(id), nil)
	}
	r.same("members left", memberIDs(r.members(room, "", 100).Members), []string{owner.ID})
	log := r.history(room)
	for i, p := range log[len(log)-len(hostileIDs):] {
		if _, ended := p.Ends(hostileIDs[i]); !ended {
			r.Fatalf("the entry %+v doesn't end the access of %q", p, hostileIDs[i])
		}
	}
}

func hostilePresence(r rig) {
	room, node := r.group(person("owner")), r.node()
	for _, id := range hostileIDs {
		u := presence.User{ID: id, Name: id, AvatarURL: id}
		rec, stop := r.record(eventlog.PresenceTopic(id))
		r.connect(node, "device of "+id, u)
		r.same("online", r.is(u, presence.Online, 1).User, u)
		r.typing(room, u, long)
		r.same("typing", r.typists(room), []presence.User{u})
		r.disconnect(node, "device of "+id, u, 0)
		r.is(u, presence.Offline, 2)
		r.same("typing no more", r.typists(room), nil)
		rec.story(status, offline, online, offline)
		stop()
	}
	all, err := r.Presences(r.Context(), hostileIDs)
	r.must("Presences", err)
	for i, p := range all {
		r.same("presence", p.User.ID, hostileIDs[i])
	}
	instance, device, ada := "{node}:'1' 🦜", `de"vi"ce {}:*`, visitor("ada")
	r.renew(instance, long)
	r.connect(instance, device, ada)
	r.is(ada, presence.Online, 1)
	r.must("Release", r.Release(r.Context(), instance))
	r.sweepOffline(ada, 0)
}

func hostileContents(r rig) {
	ada := person("ada")
	room := r.group(ada)
	f, _ := r.follow(room, r.room(room).Tail)
	for i, text := range hostileTexts {
		seq := uint64(i + 1)
		r.same("answered", r.send(room, ada, text).Content, text)
		r.same("read", r.message(room, seq).Content, text)
		told := f.until(r.room(room).Tail.Offset)
		r.same("told", told[0].Payload.(*chat.Event).Message.Content, text)
		r.same("edited", r.append(editing(room, ada, seq, text+"!")).Message.Content, text+"!")
		f.until(r.room(room).Tail.Offset)
	}
	page := r.messages(chat.MessageQuery{RoomID: room, Limit: 1000, Readable: eventlog.Everything()})
	for i, text := range hostileTexts {
		r.same("paged", page.Messages[i].Content, text+"!")
	}
}

func hostileKeys(r rig) {
	ada := person("ada")
	room := r.group(ada)
	for _, text := range hostileTexts[1:] {
		key := text[:min(len(text), 200)]
		a := sendingOnce(room, ada, "hello", key)
		a.Message.Fingerprint = text
		first := r.append(a)
		if first.Repeat {
			r.Fatalf("%q is taken for an earlier key", key)
		}
		r.same("client id", first.Message.ClientID, key)
		r.repeated(a, *first.Message)
		a.Message.Fingerprint = text + "'"
		_, err := r.Append(r.Context(), a)
		r.refused("another fingerprint", err, conflict)
		if a.Message.ClientID = "{" + key + "}:" + ada.ID; r.append(a).Repeat {
			r.Fatalf("%q is taken for an earlier key", a.Message.ClientID)
		}
	}
}

func hostileSettings(r rig) {
	ada := person("ada")
	for _, text := range hostileMetadata {
		settings := plain
		settings.Metadata = json.RawMessage(text)
		room := r.create(chat.NewRoom{ID: chat.NewRoomID(), Type: chat.Group, Settings: settings, Owner: &ada})
		r.same("created", room.RoomSettings, settings)
		r.same("read", r.room(room.ID).RoomSettings, settings)
		settings.Topic = "changed"
		r.same("updated", r.append(updating(room.ID, ada, settings)).Room.RoomSettings, settings)
		settings.Metadata = nil
		r.append(updating(room.ID, ada, settings))
		r.same("without", r.room(room.ID).RoomSettings, settings)
	}
}

func hostileNames(r rig) {
	for _, text := range hostileTexts {
		name := strings.ReplaceAll(text, "\x00", "\x01") // the one that Room.PublicKey uses itself
		u := person("ada")
		u.Name, u.AvatarURL = name, text
		room := r.create(chat.NewRoom{ID: chat.NewRoomID(), Type: chat.Group, Owner: &u, Settings: chat.RoomSettings{
			Name: name, Topic: text, Visibility: chat.Public, History: chat.HistoryAll,
		}})
		r.same("name", r.room(room.ID).RoomSettings, room.RoomSettings)
		r.same("user", r.member(room.ID, u.ID).User, u)
		r.same("sender", r.send(room.ID, u, "hello").Sender, u)
		found := r.publicRooms(name, "", 1000) // of the few of this concern
		if !slices.ContainsFunc(found, func(f chat.Room) bool { return f.ID == room.ID }) {
			r.Fatalf("a room isn't found by its name %.40q", name)
		}
	}
}

func hostilePages(r rig) {
	ada := person("ada")
	room := r.group(ada)
	r.sendMany(room, ada, 3)
	const most = 1<<64 - 1
	for _, q := range []chat.MessageQuery{
		{After: most, Limit: 10}, {Before: most, Limit: 10, FromEnd: true}, {After: most - 1, Before: most, Limit: 10},
		{After: 3, Before: 2, Limit: 10}, {After: 2, Before: 2, Limit: 10, FromEnd: true},
		{Limit: 10, Readable: eventlog.Intervals{{From: most}}}, {Limit: 10, Readable: eventlog.Intervals{{From: most - 1, To: most}}},
	} {
		if q.RoomID = room; q.Readable == nil {
			q.Readable = eventlog.Everything()
		}
		page := r.messages(q)
		all := q.Before == most && q.After == 0
		if all != (len(page.Messages) == 3) || !all && len(page.Messages) > 0 {
			r.Fatalf("%+v: %v", q, seqs(page.Messages))
		}
	}
	r.same("members", len(r.members(room, "", 1<<30).Members), 1)
	row := r.markRead(room, ada, most)
	r.same("read", row.LastReadSeq, uint64(3))
}
