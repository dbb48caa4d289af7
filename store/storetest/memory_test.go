package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"parley/chat"
	"parley/eventlog"
	"parley/ratelimit"
	"parley/reservation/reservationtest"
)

// memory is the model as a store: behind a lock, with watches. It is here to check the suite.
type memory struct {
	mu        sync.Mutex
	closed    bool
	model     *model
	retention eventlog.Retention
	watches   map[string]map[*feed[eventlog.Publication]]bool
	people    people
	identity
	*reservationtest.Memory
}

// NewMemory returns an empty store.
func NewMemory(o Options) Store {
	m := &memory{
		model: newModel(dice{}), retention: o.Retention.WithDefaults(),
		watches: map[string]map[*feed[eventlog.Publication]]bool{},
	}
	m.people = newPeople()
	m.identity = newIdentity()
	m.Memory = reservationtest.NewMemory()
	return m
}

// dice are the fate of a store of its own.
type dice struct{}

func (dice) mark() uint32 { return rand.Uint32N(1<<32-1) + 1 }

func (dice) now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// step runs one atomic step.
func (m *memory) step(ctx context.Context, do func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	if m.closed {
		return fmt.Errorf("memory: closed: %w", eventlog.ErrUnavailable)
	}
	return do()
}

// ofChat runs one step whose errors clients see.
func (m *memory) ofChat(ctx context.Context, do func() error) error {
	err := m.step(ctx, do)
	if _, limited := ratelimit.RetryAfter(err); !limited && chat.CodeOf(err) == chat.Internal {
		return &chat.Error{Code: chat.Unavailable, Message: "not now", Cause: err}
	}
	return err
}

func (m *memory) Ready(ctx context.Context) error { return m.step(ctx, func() error { return nil }) }

// Close stops all watches.
func (m *memory) Close() error {
	m.mu.Lock()
	m.closed = true
	var feeds []func()
	for _, watches := range m.watches {
		for f := range watches {
			feeds = append(feeds, f.stop)
		}
	}
	feeds = append(feeds, m.people.feeds()...)
	m.mu.Unlock()
	for _, stop := range feeds {
		stop()
	}
	return nil
}

func (m *memory) CreateRoom(ctx context.Context, n chat.NewRoom) (room chat.Room, err error) {
	err = m.ofChat(ctx, func() (err error) { room, err = m.model.createRoom(n); return err })
	return room, err
}

func (m *memory) View(ctx context.Context, q chat.ViewQuery) (view chat.View, err error) {
	err = m.ofChat(ctx, func() (err error) { view, err = m.model.view(q); return err })
	return view, err
}

func (m *memory) Append(ctx context.Context, a chat.Append) (done chat.Appended, err error) {
	err = m.ofChat(ctx, func() (err error) {
		if done, err = m.model.append(a); err == nil && !done.Repeat {
			m.written(a.RoomID)
		}
		if a.Kind == chat.KindMessageSent {
			_, done.Typing = m.people.typingIn(a.RoomID).users[a.Actor.ID]
		}
		return err
	})
	return done, err
}

func (m *memory) Take(ctx context.Context, cost ratelimit.Cost) error {
	return m.step(ctx, func() error { return m.model.rates.Take(time.Now(), cost) })
}

// written publishes the last entry of a log, and trims the log.
func (m *memory) written(log string) {
	r := m.model.rooms[log]
	last := r.publication(r.entries[len(r.entries)-1])
	for f := range m.watches[log] {
		f.push(last)
	}
	const bytes = 40 // of an entry, about
	kept := func() int { return len(r.entries) - int(r.trimmed) }
	age := func() time.Duration { return last.At.Sub(r.entries[r.trimmed].at) }
	for int64(kept()*bytes) > m.retention.MaxBytes {
		r.trimmed++
	}
	for age() > m.retention.MaxAge {
		r.trimmed++
	}
	if kept() <= m.retention.MaxEntries+m.retention.MaxEntries/10 {
		return
	}
	for kept() > m.retention.MaxEntries && age() > m.retention.MinAge {
		r.trimmed++
	}
}

func (m *memory) MarkRead(ctx context.Context, room, user string, seq uint64) (row chat.Member, err error) {
	err = m.ofChat(ctx, func() (err error) { row, err = m.model.markRead(room, user, seq); return err })
	return row, err
}

func (m *memory) Unread(ctx context.Context, room, user string) (n int, err error) {
	err = m.ofChat(ctx, func() (err error) { n, err = m.model.unread(room, user); return err })
	return n, err
}

func (m *memory) Message(ctx context.Context, room string, seq uint64) (message chat.Message, err error) {
	err = m.ofChat(ctx, func() (err error) { message, err = m.model.message(room, seq); return err })
	return message, err
}

func (m *memory) Messages(ctx context.Context, q chat.MessageQuery) (page chat.MessagePage, err error) {
	q.Limit = min(q.Limit, 1000)
	err = m.ofChat(ctx, func() (err error) { page, err = m.model.messages(q); return err })
	return page, err
}

func (m *memory) Members(ctx context.Context, room, after string, limit int) (page chat.MemberPage, err error) {
	err = m.ofChat(ctx, func() (err error) { page, err = m.model.memberPage(room, after, limit); return err })
	return page, err
}

func (m *memory) RoomsOf(ctx context.Context, user string) (rooms []chat.Membership, err error) {
	err = m.ofChat(ctx, func() error { rooms = m.model.roomsOf(user); return nil })
	return rooms, err
}

func (m *memory) RoomCount(ctx context.Context, user string) (n int, err error) {
	err = m.ofChat(ctx, func() error { n = len(m.model.roomsOf(user)); return nil })
	return n, err
}

func (m *memory) PublicRooms(ctx context.Context, search, after string, limit int) (rooms []chat.Room, err error) {
	err = m.ofChat(ctx, func() error { rooms = m.model.publicRooms(search, after, limit); return nil })
	return rooms, err
}

func (m *memory) Read(ctx context.Context, log string, after eventlog.Position, limit int) (page eventlog.Page, err error) {
	err = m.step(ctx, func() (err error) { page, err = m.model.read(log, after, min(limit, 1000)); return err })
	return page, err
}

func (m *memory) Fence(ctx context.Context, log string, seen eventlog.Position) error {
	return m.step(ctx, func() error {
		before := m.model.rooms[log]
		tail := eventlog.Position{}
		if before != nil {
			tail = before.Tail
		}
		err := m.model.fence(log, seen)
		if err == nil && before.Tail != tail {
			m.written(log)
		}
		return err
	})
}

func (m *memory) Watch(ctx context.Context, log string, w eventlog.Watcher) (stop func(), err error) {
	var f *feed[eventlog.Publication]
	err = m.step(ctx, func() error {
		if m.model.rooms[log] == nil {
			return eventlog.ErrNoLog
		}
		if m.watches[log] == nil {
			m.watches[log] = map[*feed[eventlog.Publication]]bool{}
		}
		f = newFeed(w.Published)
		m.watches[log][f] = true
		return nil
	})
	if err != nil {
		return nil, err
	}
	return func() {
		m.mu.Lock()
		delete(m.watches[log], f)
		m.mu.Unlock()
		f.stop()
	}, nil
}

// feed hands what is pushed to a sink, from a goroutine of its own.
type feed[T any] struct {
	mu    sync.Mutex
	queue []T
	wake  chan struct{}
	stop  func() // joins the goroutine
}

func newFeed[T any](sink func([]T)) *feed[T] {
	f := &feed[T]{wake: make(chan struct{}, 1)}
	done, exited := make(chan struct{}), make(chan struct{})
	f.stop = sync.OnceFunc(func() { close(done); <-exited })
	go func() {
		defer close(exited)
		for {
			select {
			case <-done:
				return
			case <-f.wake:
			}
			f.mu.Lock()
			queue := f.queue
			f.queue = nil
			f.mu.Unlock()
			if len(queue) > 0 {
				sink(queue)
			}
		}
	}()
	return f
}

func (f *feed[T]) push(news T) {
	f.mu.Lock()
	f.queue = append(f.queue, news)
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}
