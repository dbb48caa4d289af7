package storetest

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"parley/auth"
	"parley/chat"
	"parley/eventlog"
	"parley/presence"
	"parley/ratelimit"
	"parley/reservation"
)

// Across returns several nodes' stores of the same data as one, which gives each call to the next of
// them in turn: with it the suite says that nodes see each other's doings. Close closes all.
func Across(nodes ...Store) Store { return &across{nodes: nodes} }

type across struct {
	nodes []Store
	calls atomic.Uint64
}

func (a *across) next() Store { return a.nodes[a.calls.Add(1)%uint64(len(a.nodes))] }

func (a *across) Close() error {
	var errs []error
	for _, n := range a.nodes {
		errs = append(errs, n.Close())
	}
	return errors.Join(errs...)
}

func (a *across) Ready(ctx context.Context) error { return a.next().Ready(ctx) }

func (a *across) CreateRoom(ctx context.Context, room chat.NewRoom) (chat.Room, error) {
	return a.next().CreateRoom(ctx, room)
}

func (a *across) View(ctx context.Context, q chat.ViewQuery) (chat.View, error) {
	return a.next().View(ctx, q)
}

func (a *across) Append(ctx context.Context, entry chat.Append) (chat.Appended, error) {
	return a.next().Append(ctx, entry)
}

func (a *across) MarkRead(ctx context.Context, room, user string, seq uint64) (chat.Member, error) {
	return a.next().MarkRead(ctx, room, user, seq)
}

func (a *across) Unread(ctx context.Context, room, user string) (int, error) {
	return a.next().Unread(ctx, room, user)
}

func (a *across) Message(ctx context.Context, room string, seq uint64) (chat.Message, error) {
	return a.next().Message(ctx, room, seq)
}

func (a *across) Messages(ctx context.Context, q chat.MessageQuery) (chat.MessagePage, error) {
	return a.next().Messages(ctx, q)
}

func (a *across) Members(ctx context.Context, room, after string, limit int) (chat.MemberPage, error) {
	return a.next().Members(ctx, room, after, limit)
}

func (a *across) RoomsOf(ctx context.Context, user string) ([]chat.Membership, error) {
	return a.next().RoomsOf(ctx, user)
}

func (a *across) RoomCount(ctx context.Context, user string) (int, error) {
	return a.next().RoomCount(ctx, user)
}

func (a *across) PublicRooms(ctx context.Context, search, after string, limit int) ([]chat.Room, error) {
	return a.next().PublicRooms(ctx, search, after, limit)
}

func (a *across) Take(ctx context.Context, cost ratelimit.Cost) error {
	return a.next().Take(ctx, cost)
}

func (a *across) Read(ctx context.Context, log string, after eventlog.Position, limit int) (eventlog.Page, error) {
	return a.next().Read(ctx, log, after, limit)
}

func (a *across) Watch(ctx context.Context, log string, watcher eventlog.Watcher) (stop func(), err error) {
	return a.next().Watch(ctx, log, watcher)
}

func (a *across) Fence(ctx context.Context, log string, seen eventlog.Position) error {
	return a.next().Fence(ctx, log, seen)
}

func (a *across) WatchState(ctx context.Context, topic string, sink func([]eventlog.Value)) (stop func(), err error) {
	return a.next().WatchState(ctx, topic, sink)
}

func (a *across) Renew(ctx context.Context, instance string, ttl time.Duration) (held bool, err error) {
	return a.next().Renew(ctx, instance, ttl)
}

func (a *across) Connect(ctx context.Context, instance, device string, user presence.User) error {
	return a.next().Connect(ctx, instance, device, user)
}

func (a *across) Disconnect(ctx context.Context, instance, device, user string, grace time.Duration) error {
	return a.next().Disconnect(ctx, instance, device, user, grace)
}

func (a *across) Sweep(ctx context.Context, grace time.Duration) (more bool, err error) {
	return a.next().Sweep(ctx, grace)
}

func (a *across) Release(ctx context.Context, instance string) error {
	return a.next().Release(ctx, instance)
}

func (a *across) Presences(ctx context.Context, users []string) ([]presence.Presence, error) {
	return a.next().Presences(ctx, users)
}

func (a *across) SetTyping(ctx context.Context, room string, user presence.User, ttl time.Duration) error {
	return a.next().SetTyping(ctx, room, user, ttl)
}

func (a *across) Typing(ctx context.Context, room string) (presence.Typing, error) {
	return a.next().Typing(ctx, room)
}

func (a *across) Revoke(ctx context.Context, r auth.Revocation, keep time.Duration, most int) (auth.Revocation, error) {
	return a.next().Revoke(ctx, r, keep, most)
}

func (a *across) Revocations(ctx context.Context, after uint64, limit int) (auth.RevocationPage, error) {
	return a.next().Revocations(ctx, after, limit)
}

func (a *across) WatchRevocations(ctx context.Context, look func()) (stop func(), err error) {
	return a.next().WatchRevocations(ctx, look)
}

func (a *across) PutTicket(ctx context.Context, t auth.Ticket, ttl time.Duration, most int) error {
	return a.next().PutTicket(ctx, t, ttl, most)
}

func (a *across) Ticket(ctx context.Context, id string) (auth.Ticket, error) {
	return a.next().Ticket(ctx, id)
}

func (a *across) OpenTicket(ctx context.Context, id string) (uint64, error) {
	return a.next().OpenTicket(ctx, id)
}

func (a *across) TicketOpenings(ctx context.Context, ids []string) ([]uint64, error) {
	return a.next().TicketOpenings(ctx, ids)
}

func (a *across) PutReservation(ctx context.Context, r reservation.Record, ttl time.Duration, most int) error {
	return a.next().PutReservation(ctx, r, ttl, most)
}

func (a *across) Reservation(ctx context.Context, id string, parts ...string) (reservation.Record, error) {
	return a.next().Reservation(ctx, id, parts...)
}

func (a *across) ChangeReservation(ctx context.Context, id string, c reservation.Change) error {
	return a.next().ChangeReservation(ctx, id, c)
}

func (a *across) DropReservation(ctx context.Context, id string) error {
	return a.next().DropReservation(ctx, id)
}

func (a *across) WatchReservation(ctx context.Context, id string, look func()) (stop func(), err error) {
	return a.next().WatchReservation(ctx, id, look)
}

func (a *across) WatchTicket(ctx context.Context, id string, look func()) (stop func(), err error) {
	return a.next().WatchTicket(ctx, id, look)
}
