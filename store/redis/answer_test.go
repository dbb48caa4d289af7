package redis

import (
	"encoding/json"
	"testing"

	"parley/chat"
)

// answerOf makes of JSON what go-redis makes of an answer: lists, texts, integers, nils.
func answerOf(text string) answer {
	var value any
	if json.Unmarshal([]byte(text), &value) != nil {
		return nil
	}
	list, _ := replied(value).([]any)
	return list
}

func replied(value any) any {
	switch v := value.(type) {
	case []any:
		for i := range v {
			v[i] = replied(v[i])
		}
		return v
	case float64:
		return int64(v)
	case string:
		return v
	}
	return nil
}

// FuzzAnswers: whatever a script answers, it is read or refused, and what is read is whole.
func FuzzAnswers(f *testing.F) {
	const (
		room = `["GROUP","{\"name\":\"Tea\",\"visibility\":\"PRIVATE\"}",1,2,0,3,1,2,1,7,"9","8","7"]`
		sent = `"{\"offset\":2,\"kind\":2,\"message\":{\"seq\":1,\"sent\":[1,2,3],\"sender\":{\"id\":\"ada\"}}}"`
		row  = `"{\"id\":\"ada\",\"row\":{\"intervals\":[[1,0]]},\"receipts\":[0,0,0]}"`
		text = `"{\"seq\":1,\"sent\":[1,2,3],\"sender\":{\"id\":\"ada\"}}"`
	)
	for _, seed := range []string{
		`["ok",` + sent + `,` + room + `]`, `["repeat",` + text + `,` + room + `]`, `["conflict"]`, `["moved"]`, `["missing"]`, `[]`, `[null]`,
		`["ok",` + room + `,[` + text + `,"print"],` + row + `]`, `["ok",` + room + `,1,0,` + text + `]`, `["ok"]`, `[[` + room + `,` + row + `]]`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := answerOf(text)
		if done, err := decodeAppended("r_1", got); err == nil && done.Event == nil && done.Message == nil {
			t.Errorf("%s: nothing was appended", text)
		}
		if view, err := decodeView("r_1", got); err == nil {
			for id, m := range view.Members {
				if m == nil || m.User.ID != id {
					t.Errorf("%s: %+v under %q", text, m, id)
				}
			}
		}
		if page, err := decodeMessagePage("r_1", got); err == nil && len(page.Messages) != len(got.from(4)) {
			t.Errorf("%s: a page of %d messages", text, len(page.Messages))
		}
		found, err := appendMemberships(nil, []string{"r_1", "r_2"}, append(answer{"ok"}, got...))
		if err == nil && len(found) > 2 {
			t.Errorf("%s: %d memberships of two rooms", text, len(found))
		}
		decodeBucketState(got)
	})
}

// FuzzRows: a stored row is read or refused.
func FuzzRows(f *testing.F) {
	f.Add(`{"id":"ada","row":{"intervals":[[1,0]],"role":"OWNER"},"receipts":[1,2,3]}`)
	f.Add(`{"id":"ada","row":{"intervals":[[1,5],[7,0]]}}`)
	f.Add(`{"seq":1,"sent":[1,2,3],"sender":{"id":"ada"},"type":"TEXT","content":"hi"}`)
	f.Add(`{"name":"Tea","metadata":{"a":1}}`)
	f.Fuzz(func(t *testing.T, text string) {
		if m, err := decodeMember("r_1", text); err == nil && m.RoomID != "r_1" {
			t.Errorf("%s: %+v", text, m)
		}
		if m, err := decodeMessage("r_1", text); err == nil && m.RoomID != "r_1" {
			t.Errorf("%s: %+v", text, m)
		}
		room, err := decodeRoom("r_1", answer{string(chat.Group), text})
		if err == nil && room.Metadata != nil && !json.Valid(room.Metadata) {
			t.Errorf("%s: metadata %q", text, room.Metadata)
		}
	})
}

// FuzzInfo: whatever a server says of itself, it is fit for us or there is a word why not.
func FuzzInfo(f *testing.F) {
	f.Add("# Server\r\nredis_version:7.4.1\r\nmaxmemory_policy:noeviction\r\n")
	f.Add("redis_version:6.2\nmaxmemory_policy:allkeys-lru")
	f.Add("redis_version:\n:\nx")
	f.Fuzz(func(t *testing.T, text string) {
		info := parseInfo(text)
		if err := checkServer(info, single); err == nil && info["maxmemory_policy"] != "noeviction" {
			t.Errorf("%q was accepted", text)
		}
	})
}
