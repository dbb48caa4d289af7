package e2e

import (
	"fmt"
	"sync"
	"testing"

	"parley/e2e/parleytest"
)

// TestRenderedOnceForAll: many subscribers of one document in one room cost one rendering per
// event, whoever they are and over whichever transport, and all see the same.
func TestRenderedOnceForAll(t *testing.T) {
	node := parleytest.Start(t, nil)
	n := parleytest.Scale(200, 1000)
	ada := parleytest.SignIn(t, node, "ada")
	room := ada.Must(t, `mutation { createRoom(input: {name: "Hall", type: CHANNEL, visibility: PUBLIC}) { room { id } } }`, nil).
		Text("createRoom", "room", "id")
	users := make([]*parleytest.Client, 50)
	for i := range users {
		users[i] = parleytest.SignIn(t, node, fmt.Sprint("user-", i))
		users[i].Must(t, joinRoom, map[string]any{"room": room})
	}
	streams := audience(t, users, n, follow(messageAdded, room, ""))
	renders := counting(t, node, streams, 20, func(e int) string {
		ada.MustSend(t, room, fmt.Sprint(e))
		return fmt.Sprint(e)
	})
	if renders != 20 {
		t.Errorf("20 events for %d subscribers cost %.0f renderings", n, renders)
	}
}

// TestRenderedOncePerAudience: where the document reaches the history of a room that hides it from
// newcomers, an event costs one rendering for each set of messages that some of the subscribers may
// read, and each sees what they may.
func TestRenderedOncePerAudience(t *testing.T) {
	node := parleytest.Start(t, nil)
	n, audiences, events := parleytest.Scale(100, 1000), 5, 10
	ada := parleytest.SignIn(t, node, "ada")
	room := ada.Must(t, `mutation { createRoom(input: {name: "Shift", type: CHANNEL, visibility: PUBLIC, history: SINCE_JOINED}) { room { id } } }`, nil).
		Text("createRoom", "room", "id")
	var asked []string // a message before each batch but the first
	users := make([]*parleytest.Client, 50)
	for i := range users {
		if i > 0 && i%(len(users)/audiences) == 0 {
			asked = append(asked, ada.MustSend(t, room, fmt.Sprint("question ", len(asked))).Text("sendMessage", "message", "id"))
		}
		users[i] = parleytest.SignIn(t, node, fmt.Sprint("user-", i))
		users[i].Must(t, joinRoom, map[string]any{"room": room})
	}
	streams := audience(t, users, n, follow(`subscription($room: ID!) { messageAdded(roomId: $room) { content replyTo { content } } }`, room, ""))
	answer := func(e int) string {
		sendReply(t, ada, room, fmt.Sprint(e), asked[e%len(asked)])
		return fmt.Sprint(e)
	}
	// shown fails unless a stream's event shows what is answered to those alone who were there.
	shown := func(batch func(user int) int) func(int, int, parleytest.Result) {
		return func(stream, e int, r parleytest.Result) {
			got, question := r.Text("messageAdded", "replyTo", "content"), e%len(asked)
			if want := map[bool]string{true: fmt.Sprint("question ", question)}[batch(stream%len(users)) <= question]; got != want {
				t.Fatalf("user %d: event %d answers %q instead of %q", stream%len(users), e, got, want)
			}
		}
	}
	batch := func(user int) int { return user / (len(users) / audiences) }
	if renders := counting(t, node, streams, events, answer, shown(batch)); renders != float64(events*audiences) {
		t.Errorf("%d events for %d subscribers of %d audiences cost %.0f renderings", events, n, audiences, renders)
	}

	// Everybody may read everything, from one event to the next; and then no longer.
	everybody := func(int) int { return 0 }
	set := func(history string) {
		ada.Must(t, `mutation($room: ID!, $history: RoomHistory) { updateRoom(input: {roomId: $room, history: $history}) { room { id } } }`,
			map[string]any{"room": room, "history": history})
	}
	set("ALL")
	counting(t, node, streams, 1, answer, shown(everybody))
	if renders := counting(t, node, streams, events, answer, shown(everybody)); renders != float64(events) {
		t.Errorf("%d events for %d subscribers of one audience cost %.0f renderings", events, n, renders)
	}
	set("SINCE_JOINED")
	counting(t, node, streams, 1, answer, shown(batch))
	if renders := counting(t, node, streams, events, answer, shown(batch)); renders != float64(events*audiences) {
		t.Errorf("%d events for %d subscribers of %d audiences again cost %.0f renderings", events, n, audiences, renders)
	}
	if moved := node.Metric(t, "parley_regroups_total"); moved != float64(2*n) {
		t.Errorf("%.0f moves to another group, with %d subscribers and two changes", moved, n)
	}
	if asked := node.Metric(t, "parley_render_viewer_asked_total"); asked != 0 {
		t.Errorf("%.0f shared renderings asked for the viewer", asked)
	}
}

// TestTooManyAudiences: beyond the setting a subscription that needs a rendering of its own is
// refused, over every transport, and one that needs none isn't.
func TestTooManyAudiences(t *testing.T) {
	node := parleytest.Start(t, map[string]string{"PARLEY_MAX_AUDIENCES": "2"})
	ada := parleytest.SignIn(t, node, "ada")
	room := ada.Must(t, `mutation { createRoom(input: {name: "Lounge", history: SINCE_JOINED}) { room { id } } }`, nil).Text("createRoom", "room", "id")
	answers := follow(`subscription($room: ID!) { messageAdded(roomId: $room) { content replyTo { content } } }`, room, "")
	var streams []*parleytest.Stream
	for i := range 3 {
		user := fmt.Sprint("user-", i)
		ada.Must(t, addMember, map[string]any{"room": room, "user": user})
		ada.MustSend(t, room, "between")
		c := parleytest.SignIn(t, node, user)
		for name, subscribe := range transports {
			s := parleytest.MustSubscribe(t, subscribe, c, answers)
			s.Position(t)
			if i < 2 {
				streams = append(streams, s)
			} else if f := s.Next(t); f.Result.Code() != "LIMIT_EXCEEDED" {
				t.Errorf("over %s, the third audience: %+v", name, f)
			}
			plain := parleytest.MustSubscribe(t, subscribe, c, follow(messageAdded, room, ""))
			plain.Position(t)
			streams = append(streams, plain)
		}
	}
	ada.MustSend(t, room, "for all")
	for _, s := range streams {
		f := s.Next(t)
		for f.Result.Text("messageAdded", "content") == "between" {
			f = s.Next(t)
		}
		if got := f.Result.Text("messageAdded", "content"); got != "for all" {
			t.Errorf("%q instead of the last message (%+v)", got, f)
		}
	}
}

const joinRoom = `mutation($room: ID!) { joinRoom(input: {roomId: $room}) { room { id } } }`

// audience opens n subscriptions of some users in turn, over WebSocket and SSE.
func audience(t *testing.T, users []*parleytest.Client, n int, op parleytest.Operation) []*parleytest.Stream {
	t.Helper()
	streams := make([]*parleytest.Stream, n)
	var opening sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i := range streams {
		opening.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			subscribe := parleytest.OverWS
			if i%2 == 1 {
				subscribe = parleytest.OverSSE
			}
			s, err := subscribe(t.Context(), users[i%len(users)], op)
			if err != nil {
				t.Error(err)
				return
			}
			streams[i] = s
		})
	}
	opening.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, s := range streams {
		s.Position(t)
	}
	return streams
}

// counting sends messages, fails unless every stream shows them in order and as each look wants, and
// returns the renderings that cost. send returns a message's content.
func counting(t *testing.T, node *parleytest.Node, streams []*parleytest.Stream, events int, send func(e int) string, looks ...func(stream, e int, r parleytest.Result)) float64 {
	t.Helper()
	before := node.Metric(t, "parley_renders_total")
	contents := make([]string, events)
	for e := range contents {
		contents[e] = send(e)
	}
	for i, s := range streams {
		for e, want := range contents {
			f := s.Next(t)
			if got := f.Result.Text("messageAdded", "content"); got != want {
				t.Fatalf("subscriber %d: %q instead of event %d (%+v)", i, got, e, f)
			}
			for _, look := range looks {
				look(i, e, f.Result)
			}
		}
	}
	renders := node.Metric(t, "parley_renders_total") - before
	t.Logf("%d subscribers, %d events, %.0f renderings", len(streams), events, renders)
	return renders
}

// TestNothingIsLeftBehind: connections that come and go leave no goroutine and no descriptor.
func TestNothingIsLeftBehind(t *testing.T) {
	node := parleytest.Start(t, nil)
	ada := parleytest.SignIn(t, node, "ada")
	room := ada.CreateRoom(t, "Doorway")
	round := func() {
		for _, subscribe := range transports {
			for range 20 {
				s := parleytest.MustSubscribe(t, subscribe, ada, follow(messageAdded, room, ""))
				s.Position(t)
				s.Close()
			}
		}
	}
	settled := func() (goroutines, descriptors float64) {
		parleytest.Eventually(t, "connections are gone", func() bool { return node.Metric(t, "parley_connections") == 0 })
		return node.Metric(t, "go_goroutines"), node.Metric(t, "process_open_fds")
	}
	round()
	goroutines, descriptors := settled()
	for range 5 {
		round()
	}
	parleytest.Eventually(t, "goroutines and descriptors are back where they were", func() bool {
		g, d := settled()
		return g <= goroutines+3 && d <= descriptors+3
	})
}
