package storetest

import "parley/chat"

// The appends that tests make, without expectations; expecting adds them.

func sending(room string, by chat.User, content string) chat.Append {
	return chat.Append{
		RoomID: room, Kind: chat.KindMessageSent, Actor: by,
		Message: &chat.NewMessage{Salt: chat.NewSalt(), Type: chat.Text, Content: content},
	}
}

// sendingOnce sends under an idempotency key. The fingerprint stands for what is asked for.
func sendingOnce(room string, by chat.User, content, clientID string) chat.Append {
	a := sending(room, by, content)
	a.Message.ClientID, a.Message.Fingerprint = clientID, "of "+content
	return a
}

func editing(room string, by chat.User, seq uint64, content string) chat.Append {
	return chat.Append{RoomID: room, Kind: chat.KindMessageEdited, Actor: by, Seq: seq, Content: content}
}

func deleting(room string, by chat.User, seq uint64) chat.Append {
	return chat.Append{RoomID: room, Kind: chat.KindMessageDeleted, Actor: by, Seq: seq}
}

func joining(room string, who chat.User) chat.Append {
	return chat.Append{RoomID: room, Kind: chat.KindMemberJoined, Actor: who, Target: who, Role: chat.Ordinary}
}

func leaving(room string, who chat.User) chat.Append {
	return chat.Append{RoomID: room, Kind: chat.KindMemberLeft, Actor: who, Target: who}
}

func removing(room string, by, who chat.User) chat.Append {
	return chat.Append{RoomID: room, Kind: chat.KindMemberRemoved, Actor: by, Target: who}
}

func changingRole(room string, by, who chat.User, role chat.Role) chat.Append {
	return chat.Append{RoomID: room, Kind: chat.KindMemberRoleChanged, Actor: by, Target: who, Role: role}
}

func updating(room string, by chat.User, settings chat.RoomSettings) chat.Append {
	return chat.Append{RoomID: room, Kind: chat.KindRoomUpdated, Actor: by, Settings: &settings}
}

func expecting(a chat.Append, e chat.Expect) chat.Append {
	a.Expect = e
	return a
}
