package e2e

import (
	"slices"
	"testing"

	"parley/e2e/parleytest"
)

// hostileWorld is a server and what its people have there.
type hostileWorld struct {
	node     *parleytest.Node
	ada, bob *parleytest.Client
	// room and another are ada's, bobs is bob's: private groups of one.
	room, another, bobs string
	// message is in room, elsewhere in another, bobsMessage in bobs.
	message, elsewhere, bobsMessage string
}

func newHostileWorld(t *testing.T, settings map[string]string) *hostileWorld {
	t.Helper()
	w := &hostileWorld{node: startHostile(t, settings)}
	w.ada, w.bob = person(t, w.node, "ada"), person(t, w.node, "bob")
	w.room, w.another, w.bobs = w.ada.CreateRoom(t, "Mine"), w.ada.CreateRoom(t, "Mine too"), w.bob.CreateRoom(t, "His")
	first := func(c *parleytest.Client, room string) string {
		return c.MustSend(t, room, whispered).Text("sendMessage", "message", "id")
	}
	w.message, w.elsewhere, w.bobsMessage = first(w.ada, w.room), first(w.ada, w.another), first(w.bob, w.bobs)
	return w
}

// TestHostileInput sends every kind of bad input over every transport.
func TestHostileInput(t *testing.T) {
	t.Parallel()
	for engine, settings := range hostileEngines(t) {
		t.Run(engine, func(t *testing.T) {
			w := newHostileWorld(t, settings)
			good := ask("good", w.ada, parleytest.Operation{Query: `{ viewer { id } rooms { edges { node { id } } } }`}).answered("ok")
			runCases(t, w.node, slices.Repeat([]hostileCase{good}, 40)) // then what is made once is made
			before := settled(t, w.node)
			runCases(t, w.node, slices.Concat(
				w.malformed(), w.wrongTypes(), w.documents(),
				w.ids(), w.contents(), w.settings(), w.pages(), w.cursors(t),
				w.tokens(t),
			))
			nothingLeft(t, w.node, before)
		})
	}
}
