package storetest

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"parley/chat"
	"parley/eventlog"
	"parley/ratelimit"
)

// model is what every engine has to behave like, in maps and slices: one call at a time, nothing
// stored, nothing told to anybody. What engines draw at random or read off a clock comes from fate.
type model struct {
	fate  fate
	rooms map[string]*modelRoom
	rates *ratelimit.Table
}

// fate says what can't be foreseen.
type fate interface {
	// mark is the next epoch or check.
	mark() uint32
	// now is the time of the step under way.
	now() time.Time
}

type modelRoom struct {
	chat.Room
	members  map[string]*chat.Member
	messages []chat.Message // by seq, from 1
	entries  []modelEntry   // by offset, from 1; those trimmed stay, but aren't shown
	trimmed  uint64         // the offset of the last entry that retention has dropped
	requests map[modelKey]modelRequest
}

type modelKey struct{ sender, clientID string }

type modelRequest struct {
	seq         uint64
	fingerprint string
}

func newModel(f fate) *model {
	return &model{fate: f, rooms: map[string]*modelRoom{}, rates: ratelimit.NewTable(1000)}
}

func (m *model) room(id string) (*modelRoom, error) {
	if r := m.rooms[id]; r != nil {
		return r, nil
	}
	return nil, chat.Errorf(chat.NotFound, "no such room")
}

func (m *model) createRoom(n chat.NewRoom) (chat.Room, error) {
	if m.rooms[n.ID] != nil {
		return chat.Room{}, chat.Errorf(chat.Conflict, "the room exists")
	}
	at := m.fate.now()
	r := &modelRoom{
		Room: chat.Room{
			ID: n.ID, Type: n.Type, RoomSettings: n.Settings, Version: 1, CreatedAt: at, UpdatedAt: at,
			Tail: eventlog.Position{Epoch: m.fate.mark()},
		},
		members:  map[string]*chat.Member{},
		requests: map[modelKey]modelRequest{},
	}
	m.rooms[n.ID] = r
	if n.Owner != nil {
		r.join(r.enter(chat.KindMemberJoined, *n.Owner, at, m.fate.mark()), *n.Owner, chat.Owner)
		for _, u := range n.Members {
			r.join(r.enter(chat.KindMemberJoined, *n.Owner, at, m.fate.mark()), u, chat.Ordinary)
		}
		r.Version = 1
	}
	return r.Room, nil
}

func (m *model) view(q chat.ViewQuery) (chat.View, error) {
	r, err := m.room(q.RoomID)
	if err != nil {
		return chat.View{}, err
	}
	view := chat.View{Room: r.Room, Members: map[string]*chat.Member{}}
	for _, id := range q.Users {
		if row := r.members[id]; row != nil {
			view.Members[id] = copied(row)
		}
	}
	if request, found := r.requests[modelKey{q.Sender, q.ClientID}]; found {
		view.Repeat, view.RepeatFingerprint = r.message(request.seq), request.fingerprint
	}
	return view, nil
}

func (m *model) markRead(room, user string, seq uint64) (chat.Member, error) {
	r, err := m.room(room)
	if err != nil {
		return chat.Member{}, err
	}
	row := r.members[user]
	if row == nil || !row.Active {
		return chat.Member{}, chat.Errorf(chat.NotFound, "not a member")
	}
	moveRead(row, min(seq, r.LastSeq), m.fate.now())
	return *copied(row), nil
}

func (m *model) unread(room, user string) (int, error) {
	r, err := m.room(room)
	if err != nil {
		return 0, err
	}
	row, n := r.members[user], 0
	for i := range r.messages {
		message := &r.messages[i]
		if row != nil && row.Active && message.Seq > max(row.LastReadSeq, row.JoinedSeq) && !message.Deleted() {
			n++
		}
	}
	return n, nil
}

func (m *model) message(room string, seq uint64) (chat.Message, error) {
	r, err := m.room(room)
	if err != nil {
		return chat.Message{}, err
	}
	if seq == 0 || seq > r.LastSeq {
		return chat.Message{}, chat.Errorf(chat.NotFound, "no such message")
	}
	return *r.message(seq), nil
}

func (m *model) messages(q chat.MessageQuery) (chat.MessagePage, error) {
	r, err := m.room(q.RoomID)
	if err != nil {
		return chat.MessagePage{}, err
	}
	if !r.holds(q.Expect, 0) {
		return chat.MessagePage{}, chat.ErrMoved
	}
	return r.page(q), nil
}

func (m *model) memberPage(room, after string, limit int) (chat.MemberPage, error) {
	r, err := m.room(room)
	if err != nil {
		return chat.MemberPage{}, err
	}
	page := chat.MemberPage{Total: r.MemberCount}
	for _, id := range slices.Sorted(maps.Keys(r.members)) {
		switch row := r.members[id]; {
		case !row.Active || id <= after:
		case len(page.Members) == limit:
			page.HasMore = true
		default:
			page.Members = append(page.Members, *copied(row))
		}
	}
	return page, nil
}

// roomsOf is in the order of room ids; engines need none.
func (m *model) roomsOf(user string) []chat.Membership {
	var rooms []chat.Membership
	for _, id := range slices.Sorted(maps.Keys(m.rooms)) {
		if row := m.rooms[id].members[user]; row != nil && row.Active {
			rooms = append(rooms, chat.Membership{Room: m.rooms[id].Room, Member: *copied(row)})
		}
	}
	return rooms
}

func (m *model) publicRooms(search, after string, limit int) []chat.Room {
	var found []chat.Room
	for _, r := range m.rooms {
		matches := strings.Contains(strings.ToLower(r.Name), strings.ToLower(search))
		if r.Visibility == chat.Public && matches && r.PublicKey() > after {
			found = append(found, r.Room)
		}
	}
	slices.SortFunc(found, func(a, b chat.Room) int { return cmp.Compare(a.PublicKey(), b.PublicKey()) })
	return found[:min(limit, len(found))]
}

// copied returns a row that later changes don't reach.
func copied(row *chat.Member) *chat.Member {
	c := *row
	c.Intervals = slices.Clone(row.Intervals)
	return &c
}
