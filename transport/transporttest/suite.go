package transporttest

import (
	"fmt"
	"testing"

	"github.com/99designs/gqlgen/graphql"

	"parley/transport"
)

// Client subscribes over one transport. It finds the server at the rig's Server.URL, which some
// scenarios have lead there by a line that fails.
type Client interface {
	// Construct makes the transport.
	Construct(*transport.Service) graphql.Transport
	// Subscribe opens a connection as the viewer with one subscription on it, resuming from a
	// cursor if that isn't "". Where the network or the server doesn't let it, the stream is one
	// that has ended.
	Subscribe(t testing.TB, rig *Rig, viewer, query, resume string) Stream
}

// Stream is a subscription as its client sees it.
type Stream interface {
	// Next reads what comes next.
	Next() Item
	// Close hangs up.
	Close()
}

// Multiplexed is a Stream of a transport whose connections take more than one operation.
type Multiplexed interface {
	Stream
	// Start asks for another operation under an id, resuming from a cursor if that isn't "".
	Start(id, query, resume string)
	// Stop ends an operation, whose id is free for another one then; "" is Subscribe's.
	Stop(id string)
}

// Polite is a Stream of a transport whose clients can take their leave.
type Polite interface {
	Stream
	// Leave ends the connection as the protocol has it.
	Leave()
}

// Item is what comes by a stream.
type Item struct {
	Kind Kind
	// Operation is the id given to Start; "" for Subscribe's.
	Operation string
	// Value is an event's first field.
	Value string
	// Cursor is an event's, or the position told.
	Cursor string
	// Code is the first error's.
	Code string
	// Retry says, at the end, whether the client was told to come back.
	Retry bool
}

// Kind is what an item is.
type Kind string

// The kinds of items. Event is also the answer to a query. After Complete and Errors the operation
// is over, after End the connection.
const (
	Event    Kind = "event"
	Position Kind = "position"
	Complete Kind = "complete"
	Errors   Kind = "errors"
	End      Kind = "end"
)

// Run runs the scenarios that every transport for subscriptions must pass.
func Run(t *testing.T, client Client) {
	s := suite{client}
	for name, scenario := range map[string]func(*testing.T){
		"events in order once":              s.order,
		"positions":                         s.positions,
		"resume":                            s.resume,
		"state":                             s.state,
		"ends":                              s.ends,
		"refusals":                          s.refusals,
		"clients that hang up":              s.hangUp,
		"slow reader":                       s.slowReader,
		"slow reader that never reads":      s.neverReads,
		"drain":                             s.drain,
		"drain out of time":                 s.drainOutOfTime,
		"expiry":                            s.expiry,
		"expiry in the middle":              s.expired,
		"kick in the middle":                s.kicked,
		"storms":                            s.storms,
		"leaving in any order":              s.leaving,
		"control under a full outbox":       s.control,
		"write deadlines are taken back":    s.deadlines,
		"ends behind what is still to read": s.endBehindEvents,
		"cuts":                              s.cuts,
		"cut anywhere in the answer":        s.cutAnywhere,
		"cut anywhere in the request":       s.cutRequests,
		"cut while it catches up":           s.cutCatchingUp,
		"cut while it is opened":            s.cutOpening,
	} {
		t.Run(name, scenario)
	}
}

type suite struct{ client Client }

func (s suite) rig(t *testing.T, options transport.Options) *Rig {
	t.Helper()
	return s.node(t, newLogs(), options)
}

// node starts another node over logs.
func (s suite) node(t *testing.T, logs *Logs, options transport.Options) *Rig {
	t.Helper()
	start := serve
	if server, ok := s.client.(Server); ok {
		start = server.Serve
	}
	return newRig(t, start, logs, options, s.client.Construct)
}

func ticks(log string) string { return fmt.Sprintf(`subscription { ticks(log: %q) }`, log) }

// event reads on to the next event.
func event(t testing.TB, stream Stream) Item {
	t.Helper()
	for {
		switch item := stream.Next(); item.Kind {
		case Event:
			return item
		case Position:
		default:
			t.Fatalf("got %+v, want an event", item)
		}
	}
}

// endOf reads items up to the end of a connection, and returns that with the last code told.
func endOf(next func() Item) Item {
	code := ""
	for {
		item := next()
		if item.Code != "" {
			code = item.Code
		}
		if item.Kind == End {
			item.Code = code
			return item
		}
	}
}
