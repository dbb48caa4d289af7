package resolvers

import (
	"strconv"
	"time"

	"parley/chat"
	"parley/delivery"
	"parley/eventlog"
	"parley/render"
)

// Plain are the fields of what happens in a room that are parts of the event (render.Plain).
func Plain(bytes int) *render.Plain {
	p := &render.Plain{
		Bytes: bytes,
		Roots: map[string]func(delivery.Source) render.Object{"messageAdded": plainMessage, "roomEvents": plainEvent},
		Scalars: map[string]func([]byte, any) []byte{
			"User.id":           of(func(dst []byte, u *chat.User) []byte { return appendText(dst, u.ID) }),
			"User.name":         of(func(dst []byte, u *chat.User) []byte { return appendText(dst, u.DisplayName()) }),
			"User.avatarUrl":    of(func(dst []byte, u *chat.User) []byte { return appendOptional(dst, u.AvatarURL) }),
			"Message.id":        of(func(dst []byte, m *chat.Message) []byte { return appendText(dst, m.ID()) }),
			"Message.seq":       of(func(dst []byte, m *chat.Message) []byte { return strconv.AppendUint(dst, m.Seq, 10) }),
			"Message.cursor":    of(func(dst []byte, m *chat.Message) []byte { return appendCursor(dst, m.Cursor()) }),
			"Message.type":      of(func(dst []byte, m *chat.Message) []byte { return appendText(dst, string(m.Type)) }),
			"Message.content":   of(func(dst []byte, m *chat.Message) []byte { return appendText(dst, m.Content) }),
			"Message.clientId":  of(func(dst []byte, m *chat.Message) []byte { return appendOptional(dst, m.ClientID) }),
			"Message.createdAt": of(func(dst []byte, m *chat.Message) []byte { return appendTime(dst, &m.CreatedAt) }),
			"Message.updatedAt": of(func(dst []byte, m *chat.Message) []byte { return appendTime(dst, &m.UpdatedAt) }),
			"Message.editedAt":  of(func(dst []byte, m *chat.Message) []byte { return appendTime(dst, m.EditedAt) }),
			"Message.deletedAt": of(func(dst []byte, m *chat.Message) []byte { return appendTime(dst, m.DeletedAt) }),
		},
		Objects: map[string]func(any) render.Object{
			"Message.sender": func(of any) render.Object { return render.Object{Type: "User", Value: &of.(*chat.Message).Sender} },
		},
	}
	for _, kind := range []string{"MessageSent", "MessageEdited", "MessageDeleted"} {
		p.Scalars[kind+".cursor"] = of(func(dst []byte, e *chat.Event) []byte { return appendCursor(dst, e.Cursor()) })
		p.Scalars[kind+".at"] = of(func(dst []byte, e *chat.Event) []byte { return appendTime(dst, &e.At) })
		p.Objects[kind+".message"] = func(of any) render.Object { return messageOf(of.(*chat.Event)) }
		p.Objects[kind+".actor"] = func(of any) render.Object {
			if actor := of.(*chat.Event).Actor; actor != nil {
				return render.Object{Type: "User", Value: actor}
			}
			return render.Object{}
		}
	}
	return p
}

func of[T any](field func(dst []byte, of *T) []byte) func([]byte, any) []byte {
	return func(dst []byte, of any) []byte { return field(dst, of.(*T)) }
}

func plainMessage(source delivery.Source) render.Object {
	if e, ok := source.Payload.(*chat.Event); ok {
		return messageOf(e)
	}
	return render.Object{}
}

func messageOf(e *chat.Event) render.Object {
	if e.Message == nil {
		return render.Object{}
	}
	return render.Object{Type: "Message", Value: e.Message}
}

// plainEvent leaves all but the kinds that are about messages to the resolver.
func plainEvent(source delivery.Source) render.Object {
	e, ok := source.Payload.(*chat.Event)
	if !ok {
		return render.Object{}
	}
	switch e.Kind {
	case chat.KindMessageSent:
		return render.Object{Type: "MessageSent", Value: e}
	case chat.KindMessageEdited:
		return render.Object{Type: "MessageEdited", Value: e}
	case chat.KindMessageDeleted:
		return render.Object{Type: "MessageDeleted", Value: e}
	}
	return render.Object{}
}

// The scalars as gqlgen writes them.

func appendText(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	dst = append(dst, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(dst, s[start:]...), '"')
}

func appendCursor(dst []byte, c eventlog.Cursor) []byte {
	return append(c.Append(append(dst, '"')), '"')
}

// appendOptional is null for nothing.
func appendOptional(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return appendText(dst, s)
}

// appendTime is null for none.
func appendTime(dst []byte, t *time.Time) []byte {
	if t == nil {
		return append(dst, "null"...)
	}
	return append(t.AppendFormat(append(dst, '"'), time.RFC3339Nano), '"')
}
