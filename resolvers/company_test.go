package resolvers_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"parley/chat"
	"parley/delivery"
	"parley/eventlog"
	"parley/presence"
	"parley/resolvers"
)

const club = "r_club"

// company is an engine made by hand: one room, whose members come and go, and their presence. It
// counts what is asked of it and can be made to fail.
type company struct {
	chat.Store
	eventlog.Log

	mu      sync.Mutex
	members []string // sorted
	version map[string]uint64
	watches map[string][]*stateWatch
	log     eventlog.Watcher
	cut     bool
	listed  int            // pages of members
	asked   map[string]int // RoomsOf, by user
	// failing answers everything but the watching of states; failingState those of some users.
	failing      error
	failingState map[string]error
}

type stateWatch struct {
	sink    func([]eventlog.Value)
	stopped bool
}

func newCompany(members ...string) *company {
	return &company{
		members: slices.Sorted(slices.Values(members)), version: map[string]uint64{}, watches: map[string][]*stateWatch{},
		asked: map[string]int{}, failingState: map[string]error{},
	}
}

func (c *company) room() chat.Room {
	return chat.Room{ID: club, Type: chat.Group, Version: 1, RoomSettings: chat.RoomSettings{Visibility: chat.Private}}
}

func (c *company) row(user string) chat.Member {
	return chat.Member{RoomID: club, User: chat.User{ID: user}, Active: true, Intervals: eventlog.Intervals{{From: 1}}, Version: 1}
}

func (c *company) View(_ context.Context, q chat.ViewQuery) (chat.View, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	view := chat.View{Room: c.room(), Members: map[string]*chat.Member{}}
	for _, user := range q.Users {
		if slices.Contains(c.members, user) {
			row := c.row(user)
			view.Members[user] = &row
		}
	}
	return view, c.failing
}

func (c *company) Members(_ context.Context, _, after string, limit int) (chat.MemberPage, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listed++
	page := chat.MemberPage{Total: len(c.members)}
	for _, user := range c.members {
		if user > after && len(page.Members) < limit {
			page.Members = append(page.Members, c.row(user))
		}
	}
	last := ""
	if n := len(page.Members); n > 0 {
		last = page.Members[n-1].User.ID
	}
	page.HasMore = len(c.members) > 0 && last < c.members[len(c.members)-1]
	return page, c.failing
}

func (c *company) RoomsOf(_ context.Context, user string) ([]chat.Membership, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked[user]++
	if !slices.Contains(c.members, user) {
		return nil, c.failing
	}
	return []chat.Membership{{Room: c.room(), Member: c.row(user)}}, c.failing
}

func (c *company) Watch(_ context.Context, _ string, w eventlog.Watcher) (func(), error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failing != nil {
		return nil, c.failing
	}
	c.log = w
	return func() { c.set(func() { c.log = nil }) }, nil
}

func (c *company) WatchState(_ context.Context, topic string, sink func([]eventlog.Value)) (func(), error) {
	user := strings.TrimPrefix(topic, eventlog.PresenceTopic(""))
	w := &stateWatch{sink: sink}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.failingState[user]; err != nil {
		return nil, err
	}
	sink([]eventlog.Value{c.value(user)})
	c.watches[user] = append(c.watches[user], w)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		w.stopped = true
		c.watches[user] = slices.DeleteFunc(c.watches[user], func(other *stateWatch) bool { return other == w })
		if len(c.watches[user]) == 0 {
			delete(c.watches, user)
		}
	}, nil
}

func (c *company) cutOff(string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cut
}

func (c *company) value(user string) eventlog.Value {
	return eventlog.Value{Key: user, Version: c.version[user], Payload: &presence.Presence{User: presence.User{ID: user}, Version: c.version[user]}}
}

// changes moves a user's presence on and tells those who watch.
func (c *company) changes(users ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, user := range users {
		c.version[user]++
		for _, w := range c.watches[user] {
			w.sink([]eventlog.Value{c.value(user)})
		}
	}
}

// become sets the members, and tells whoever watches the log.
func (c *company) become(members ...string) {
	c.set(func() { c.members = slices.Sorted(slices.Values(members)) })
	c.mu.Lock()
	log := c.log
	c.mu.Unlock()
	if log != nil {
		log.Published([]eventlog.Publication{{Kind: chat.KindMessageSent}, {Kind: chat.KindMemberLeft, Access: []eventlog.AccessChange{{}}}})
	}
}

func (c *company) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

// watched are the users whose presence is watched, and "the log" if that is.
func (c *company) watched() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for user, watches := range c.watches {
		names = append(names, fmt.Sprintf("%s%.*s", user, len(watches)-1, "!!!!"))
	}
	if c.log != nil {
		names = append(names, "the log")
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// newClub is a world whose store is a company.
func newClub(t testing.TB, c *company) *world {
	w := &world{TB: t, log: &journal{}}
	w.assemble(&resolvers.Resolver{Chat: chat.NewService(c, c, chat.Limits{}), State: c, Log: c, CutOff: c.cutOff, MaxPresence: 4})
	return w
}

// listener records what a state source tells.
type listener struct {
	mu   sync.Mutex
	told []string
	over bool
}

func (l *listener) sink(values []eventlog.Value) {
	l.mu.Lock()
	defer l.mu.Unlock()
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = fmt.Sprint(v.Key, v.Version)
		if v.Gone() {
			words[i] = "-" + v.Key
		}
	}
	slices.Sort(words)
	if l.over {
		words = append(words, "after the end")
	}
	l.told = append(l.told, words...)
}

// heard returns what was told since it was last asked.
func (l *listener) heard() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	told := strings.Join(l.told, " ")
	l.told = nil
	return told
}

// listen begins to follow, as the hub does.
func (l *listener) listen(t testing.TB, source delivery.StateSource) (stop func()) {
	t.Helper()
	end, err := source(t.Context(), l.sink)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		end()
		l.mu.Lock()
		l.over = true
		l.mu.Unlock()
	}
}
