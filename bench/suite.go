package main

import (
	"context"
	"time"

	"parley/bench/report"
)

// workload is one of the issue's, on some peers.
type workload struct {
	name string
	// point is where on a curve it stands; 0 if it is none.
	point int
	peers []string
	plan  plan
	// settings are for Parley, beside its defaults.
	settings []string
	run      func(ctx context.Context, r *rig) (report.Values, error)
	// beside says that the peers may stand side by side.
	beside bool
}

// parleyEnvelope is how much longer than its content the frame of Parley's event is, its header included: the bare
// server's frames are made as long.
const parleyEnvelope = 286

var (
	sockets = []string{"parley", "bare", "bare ×16", "centrifuge", "gqlgen", "graphql-ws", "socket.io"}
	// idling is without the second of the bare servers, whose queues are there for nothing then.
	idling = []string{"parley", "bare", "centrifuge", "gqlgen", "graphql-ws", "socket.io"}
	// compressing is with one more for Parley, which compresses.
	compressing = append([]string{"parley deflate"}, sockets...)
	// publishing is with one more row for Parley, since publishing is what differs.
	publishing = append([]string{"parley http"}, compressing...)
)

// size is how large and how long everything is.
type size struct {
	// traffic and crowds divide what the issue says: connections and rooms of W1, W2, W4, W5 and W6, and those
	// of W3, W7 and W8, which take long to assemble.
	traffic, crowds int
	warmUp, during  time.Duration
	// haste multiplies every pace.
	haste float64
	// idle is how long W3 waits, stop how long W6's readers stand still.
	idle, stop time.Duration
	// alone and beside are how often W8's clients poll, without a stream and with one.
	alone, beside time.Duration
}

var (
	full = size{
		traffic: 1, crowds: 1, warmUp: 1500 * time.Millisecond, during: 6 * time.Second, haste: 1, idle: time.Minute, stop: 30 * time.Second,
		alone: 3 * time.Second, beside: 10 * time.Second,
	}
	quick = size{
		traffic: 1, crowds: 5, warmUp: time.Second, during: 3 * time.Second, haste: 1, idle: 15 * time.Second, stop: 24 * time.Second,
		alone: 3 * time.Second, beside: 10 * time.Second,
	}
)

func part(n, share int) int { return max(1, n/share) }

// closed is traffic without a pace.
func (z size) closed(publishers int) traffic {
	return traffic{publishers: publishers, warmUp: z.warmUp, during: z.during}
}

// paced is traffic of so many messages a second.
func (z size) paced(publishers int, pace float64) traffic {
	t := z.closed(publishers)
	t.pace = pace * z.haste
	return t
}

// workloads are those of the issue, which README.md describes.
func (z size) workloads() []workload {
	one, large := inRooms(1, part(1000, z.traffic)), inRooms(1, part(5000, z.traffic))
	all := []workload{
		{name: "W1", peers: compressing, plan: one, run: z.closed(4).run},
		{name: "W2", peers: compressing, plan: large, run: z.paced(1, 2).run},
		{name: "W3", peers: idling, plan: inRooms(part(100, z.crowds), 100), run: idle{z.idle}.run, beside: true},
		{name: "W4", peers: publishing, plan: inRooms(part(500, z.traffic), 4), run: z.closed(16).run},
		{name: "W5", peers: []string{"parley", "parley sse"}, plan: one, run: z.closed(4).run},
		z.slow(one),
	}
	all = append(all, z.growth()...)
	return append(all, z.polling()...)
}

// slow is W6: a reader who stands still soon has more waiting than its outbox takes, which is a quarter of the
// default, so that the other 900 needn't be sent 100 MiB a second for that.
func (z size) slow(plan plan) workload {
	plan.receive = 16 << 10
	t := z.paced(1, 10)
	t.size = 4000
	return workload{
		name: "W6", peers: []string{"parley", "centrifuge", "gqlgen", "graphql-ws", "socket.io"}, plan: plan, settings: []string{"PARLEY_MAX_OUTBOX=262144"},
		run: slow{t, max(1, plan.connections/10), z.stop}.run,
	}
}

// growth is W7. There are as many deliveries a second at every number of followers, and as many messages at
// every number of rooms, so that nothing differs but the number.
func (z size) growth() (all []workload) {
	for _, followers := range []int{100, 1000, 10_000} {
		n := part(followers, z.crowds)
		all = append(all, workload{
			name: "W7 followers", point: n, peers: []string{"parley"}, plan: inRooms(1, n), run: z.paced(1, 10_000/float64(followers)).run,
		})
	}
	for _, rooms := range []int{1, 100, 5000} {
		n := part(rooms, z.crowds)
		t := z.paced(16, 400)
		t.warmUp += time.Duration(float64(n) * float64(time.Second) / t.pace) // each room has had a message
		all = append(all, workload{name: "W7 rooms", point: n, peers: []string{"parley"}, plan: inRooms(n, 4), run: t.run})
	}
	return all
}

// polling is W8: the intervals and the mix are those of the document whose claim is measured.
func (z size) polling() (all []workload) {
	for _, p := range []struct {
		peer   string
		every  time.Duration
		stream bool
	}{
		{"polling", z.alone, false},
		{"stream + polling", z.beside, true},
		{"stream", 0, true},
	} {
		t := z.paced(2, 10)
		t.during = max(t.during, 2*p.every) // polls come in the rhythm of their interval
		all = append(all, workload{
			name: "W8", peers: []string{p.peer}, plan: inRooms(part(100, z.crowds), 100), run: polling{t, p.every, p.stream}.run,
		})
	}
	return all
}
