// Package delivery carries events from the logs to the connections: the [Hub] keeps order, heals
// gaps, replays and hands over to live, ends what may no longer be read; the [Outbox] of a
// connection bounds what waits for a slow reader. It handles bytes and positions and knows neither
// rooms nor GraphQL.
package delivery

import (
	"context"
	"sync"
	"sync/atomic"

	"parley/eventlog"
)

// Event is a publication or a value, rendered: the bytes that every subscriber of a group gets.
// It is immutable, apart from the frames it remembers.
type Event struct {
	// Payload is the GraphQL response, a JSON object.
	Payload []byte
	// Cursor is the opaque position after the event; "" for state.
	Cursor string
	// Offset is the event's place in its log; 0 for state.
	Offset uint64
	// Key is the state key whose older value this one replaces; only for state.
	Key string

	// before is the position right before the event: where a reader stands who has seen all but it.
	before eventlog.Cursor
	// reset: it leads into another history, where offsets may be lower.
	reset bool
	// failure: it tells of an error instead.
	failure bool

	mu     sync.Mutex               // held to add a frame
	frames atomic.Pointer[[]*frame] // never changed in place
}

type frame struct {
	framing Framing
	once    sync.Once
	bytes   []byte
}

// Framing is how a wire protocol puts an event's shared bytes into a frame. Framings are compared
// with ==: equal ones share the bytes.
type Framing interface {
	// AppendEvent appends the part of the frame that all subscribers with this framing share. It may be made of what
	// another framing makes of the event.
	AppendEvent(dst []byte, e *Event) []byte
}

// Frame returns the event's shared bytes in a framing, made at the first call.
func (e *Event) Frame(f Framing) []byte {
	frame := e.framed(f)
	if frame == nil {
		frame = e.add(f)
	}
	frame.once.Do(func() { frame.bytes = f.AppendEvent(make([]byte, 0, len(e.Payload)+128), e) })
	return frame.bytes
}

func (e *Event) framed(f Framing) *frame {
	if frames := e.frames.Load(); frames != nil {
		for _, frame := range *frames {
			if frame.framing == f {
				return frame
			}
		}
	}
	return nil
}

// add adds a frame that is yet to be made, under no lock: it may take another one.
func (e *Event) add(f Framing) *frame {
	e.mu.Lock()
	defer e.mu.Unlock()
	if added := e.framed(f); added != nil {
		return added
	}
	frames := []*frame{{framing: f}}
	if others := e.frames.Load(); others != nil {
		frames = append(frames, *others...)
	}
	e.frames.Store(&frames)
	return frames[0]
}

// Source is what is to be rendered.
type Source struct {
	// Payload is the publication's or the value's.
	Payload any
	// Cursor is the position after it; the zero Cursor for state.
	Cursor eventlog.Cursor
}

// Renderer renders for one group. Render returns the response, errors of the GraphQL kind
// included; an error of its own means that the store couldn't answer and that the same call may
// succeed later. It is safe for concurrent use.
type Renderer interface {
	Render(ctx context.Context, source Source) (payload []byte, err error)
	// RenderFailure renders the response that tells of an error instead.
	RenderFailure(ctx context.Context, source Source, err error) (payload []byte)
}

// Direct is a [Renderer] to which some sources tell all there is to render.
type Direct interface {
	// RenderDirectly is Render without anything to wait for; false leaves it to Render.
	RenderDirectly(source Source) (payload []byte, ok bool)
}
