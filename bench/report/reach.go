package report

import (
	"fmt"
	"strings"
)

// target is a figure to reach.
type target struct {
	what string
	// measured is what came out; false if it wasn't measured.
	measured func(Rows) (Figure, bool)
	atMost   float64
	// atLeast is meant instead.
	atLeast bool
}

// against is a peer's column as a part of another's in the same run.
func against(workload, peer, key, other, otherKey string) func(Rows) (Figure, bool) {
	return func(rows Rows) (Figure, bool) {
		return rows.ratio(place{workload: workload, peer: peer}, key, place{workload: workload, peer: other}, otherKey)
	}
}

func alone(workload, peer, key string) func(Rows) (Figure, bool) {
	return func(rows Rows) (Figure, bool) { return rows.figure(place{workload: workload, peer: peer}, key) }
}

// flat is how far a curve's last point is above its first, run by run.
func flat(workload, peer, key string) func(Rows) (Figure, bool) {
	return func(rows Rows) (Figure, bool) {
		places := rows.places(workload)
		if len(places) < 2 {
			return Figure{}, false
		}
		return rows.ratio(places[len(places)-1], key, places[0], key)
	}
}

// publishLimit is W4's, over the socket: the greater of 0.8 of centrifuge and 1.1 of bare, run by run.
func publishLimit(rows Rows) (Figure, bool) {
	const w, key = "W4", "cpuPublish"
	var values []float64
	for _, r := range rows {
		if r.Workload != w || r.Peer != "parley" {
			continue
		}
		same := func(peer string) float64 {
			for _, other := range rows {
				if other.Workload == w && other.Peer == peer && other.Run == r.Run {
					return other.Values[key]
				}
			}
			return 0
		}
		if limit := max(.8*same("centrifuge"), 1.1*same("bare")); limit > 0 {
			values = append(values, r.Values[key]/limit)
		}
	}
	return figure(values)
}

// targets are those of the issue.
var targets = []target{
	{what: "W1, CPU per delivery, of bare", measured: against("W1", "parley", "cpu", "bare", "cpu"), atMost: .6},
	{what: "W1, CPU per delivery, of bare ×16", measured: against("W1", "parley", "cpu", "bare ×16", "cpu"), atMost: 1.1},
	{what: "W1, CPU per delivery, of centrifuge", measured: against("W1", "parley", "cpu", "centrifuge", "cpu"), atMost: .55},
	{what: "W1, CPU per delivery, of stock gqlgen", measured: against("W1", "parley", "cpu", "gqlgen", "cpu"), atMost: .125},
	{what: "W2, CPU per delivery, of bare", measured: against("W2", "parley", "cpu", "bare", "cpu"), atMost: 1.1},
	{what: "W2, p99, of bare", measured: against("W2", "parley", "p99", "bare", "p99"), atMost: 1.25},
	{what: "W3, KiB per connection", measured: alone("W3", "parley", "memory"), atMost: 4},
	{what: "W4 by HTTP, CPU per publish, of centrifuge", measured: against("W4", "parley http", "cpuPublish", "centrifuge", "cpuPublish"), atMost: 1},
	{what: "W4 over the socket, CPU per publish, of the greater of 0.8 centrifuge and 1.1 bare", measured: publishLimit, atMost: 1},
	{what: "W5, CPU per delivery, of the same over WebSocket", measured: against("W5", "parley sse", "cpu", "parley", "cpu"), atMost: 1.1},
	{what: "W6, memory at the end of the stop, of half-way", measured: against("W6", "parley", "memoryEnd", "parley", "memoryHalf"), atMost: 1.05},
	{what: "W6, memory of sockets, the same", measured: against("W6", "parley", "socketsEnd", "parley", "socketsHalf"), atMost: 1.05},
	{what: "W6, lags", measured: alone("W6", "parley", "lags"), atMost: 1, atLeast: true},
	{what: "W6, the others' p99, of before", measured: against("W6", "parley", "p99", "parley", "p99Before"), atMost: 1.25},
	{what: "W6, lost, duplicated, out of order, disconnected", measured: sum("W6", "parley", delivered), atMost: 0},
	{what: "W7, CPU per delivery of the most followers, of the fewest", measured: flat("W7 followers", "parley", "cpu"), atMost: 1.15},
	{what: "W7, CPU per publish of the most rooms, of the fewest", measured: flat("W7 rooms", "parley", "cpuPublish"), atMost: 1.25},
}

// sum is that of several columns.
func sum(workload, peer string, keys []string) func(Rows) (Figure, bool) {
	return func(rows Rows) (Figure, bool) {
		var values []float64
		for _, r := range rows {
			if r.Workload == workload && r.Peer == peer {
				all := 0.
				for _, key := range keys {
					all += r.Values[key]
				}
				values = append(values, all)
			}
		}
		return figure(values)
	}
}

// reached writes the table of figures to reach.
func (r Report) reached(b *strings.Builder) {
	var lines strings.Builder
	for _, t := range targets {
		f, measured := t.measured(r.Rows)
		if !measured {
			continue
		}
		sign, verdict := "≤", "reached"
		if t.atLeast {
			sign = "≥"
		}
		if t.atLeast && f.Median < t.atMost || !t.atLeast && f.Median > t.atMost {
			verdict = "**not reached**"
		}
		fmt.Fprintf(&lines, "| %s | %s %.4g | %s | %s |\n", t.what, sign, t.atMost, f.text(2), verdict)
	}
	if lines.Len() > 0 {
		b.WriteString("\n## Figures to reach\n\nRatios are taken within each run.\n\n| what | reach | measured | |\n| --- | ---: | ---: | --- |\n" + lines.String())
	}
}
