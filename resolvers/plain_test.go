package resolvers_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"parley/chat"
	"parley/delivery"
	"parley/eventlog"
	"parley/render"
	"parley/resolvers"
)

// odd is text that JSON has to escape, or has to leave as it is.
var odd = func() string {
	var b strings.Builder
	for c := range 0x100 {
		b.WriteByte(byte(c)) // above 0x7f that isn't UTF-8
	}
	return b.String() + "é€😀\u2028</script>"
}()

func oddSource(payload any) delivery.Source {
	return delivery.Source{Payload: payload, Cursor: eventlog.Cursor{Kind: eventlog.CursorLog, Log: "r_1", Position: eventlog.Position{Epoch: 1, Offset: 2, Check: 3}, Seq: 1}}
}

func oddEvent(kind eventlog.Kind, content string) *chat.Event {
	at := time.Date(2026, 1, 2, 3, 4, 5, 60_000_000, time.UTC)
	return &chat.Event{
		RoomID: "r_1", Kind: kind, At: at, Seq: 1,
		Message: &chat.Message{
			RoomID: "r_1", Seq: 1, Salt: "salt", Sender: chat.User{ID: odd, AvatarURL: odd}, Type: chat.System,
			Content: content, CreatedAt: at, UpdatedAt: at.Add(time.Second), EditedAt: &at, ClientID: odd,
		},
	}
}

// TestPlainEvents: what is plain is written as the executor writes it, without the executor; what isn't, by it.
// (That they agree on all documents is a part of TestSharedRendering.)
func TestPlainEvents(t *testing.T) {
	const message = `... on Message @include(if: true) { id again: id seq cursor type clientId createdAt updatedAt editedAt deletedAt }
		content @skip(if: $no) sender { ...U __typename } sender { avatarUrl } `
	const messages = `subscription ($no: Boolean = false) { m: messageAdded(roomId: "{tea}") { ` + message + ` } } fragment U on User { id name }`
	const events = `subscription ($no: Boolean = false) { roomEvents(roomId: "{tea}") {
		__typename cursor ... on MessageSent { at actor { name } message { ` + message + ` } } ... on MessageDeleted { message { room { id } } }
		} } fragment U on User { id name }`
	sent, long := oddEvent(chat.KindMessageSent, odd), oddEvent(chat.KindMessageSent, strings.Repeat("long ", 1000))
	nameless := oddEvent(chat.KindMessageSent, "")
	nameless.Message.Sender = chat.User{ID: "somebody"}
	acted := oddEvent(chat.KindMessageSent, "")
	acted.Actor = &chat.User{ID: "somebody", Name: odd}
	for name, test := range map[string]struct {
		query   string
		payload any
		plain   bool
	}{
		"a message":                    {messages, sent, true},
		"by one without a name":        {messages, nameless, true},
		"longer than it may become":    {messages, long, false},
		"what the resolver refuses":    {messages, "no event", false},
		"without its message":          {messages, &chat.Event{Kind: chat.KindMessageSent}, false},
		"with what is to be resolved":  {`subscription { messageAdded(roomId: "{tea}") { content room { id } } }`, sent, false},
		"within something":             {`subscription { messageAdded(roomId: "{tea}") { content replyTo { id } } }`, sent, false},
		"an event":                     {events, sent, true},
		"an event by somebody":         {events, acted, true},
		"one without more than a type": {events, oddEvent(chat.KindMessageEdited, ""), true},
		"one of which more is asked":   {events, oddEvent(chat.KindMessageDeleted, ""), false},
		"one of another kind":          {events, &chat.Event{RoomID: "r_1", Kind: chat.KindRoomUpdated}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := tea(t)
			executed := 0
			w.exec.AroundOperations(func(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
				executed++
				return next(ctx)
			})
			written := func(plain *render.Plain) string {
				w.opener = render.NewOpener(w.schema, nil)
				w.opener.Plain = plain
				opened, errs := w.open(request{user: "ada", query: test.query})
				if errs != nil {
					t.Fatal(errs)
				}
				executed = 0
				payload, err := rendered(t.Context(), opened.Renderer, oddSource(test.payload))
				if err != nil {
					t.Fatal(err)
				}
				return string(payload)
			}
			want := written(nil)
			if executed != 1 {
				t.Fatalf("the executor was asked %d times", executed)
			}
			if got := written(resolvers.Plain(4096)); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if plain := executed == 0; plain != test.plain {
				t.Errorf("written without the executor: %v", plain)
			}
		})
	}
}

func BenchmarkRenderMessage(b *testing.B) {
	for name, plain := range map[string]*render.Plain{"plain": resolvers.Plain(4096), "executor": nil} {
		b.Run(name, func(b *testing.B) {
			w := tea(b)
			w.opener.Plain = plain
			opened, errs := w.open(request{user: "ada", query: `subscription { messageAdded(roomId: "{tea}") { id seq content createdAt sender { id name } } }`})
			if errs != nil {
				b.Fatal(errs)
			}
			event := oddEvent(chat.KindMessageSent, strings.Repeat("a message ", 10))
			event.Message.Sender.ID = "somebody"
			source := oddSource(event)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := rendered(b.Context(), opened.Renderer, source); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
