package chat

import lru "github.com/hashicorp/golang-lru/v2"

// maxKnown bounds the memberships that a service remembers, each of some hundred bytes.
const maxKnown = 10_000

// known are memberships by which something was written. The append compares their versions, so whoever sends
// again needn't be read again.
type known struct{ views *lru.Cache[membership, View] }

type membership struct{ room, user string }

func newKnown() known {
	views, err := lru.New[membership, View](maxKnown)
	if err != nil {
		panic(err) // the size isn't positive
	}
	return known{views}
}

func (k known) recall(room, user string) (View, bool) { return k.views.Get(membership{room, user}) }

func (k known) forget(room, user string) { k.views.Remove(membership{room, user}) }

func (k known) keep(user string, view View) {
	view = View{Room: view.Room, Members: map[string]*Member{user: view.Members[user]}}
	k.views.Add(membership{view.Room.ID, user}, view)
}
