package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"parley/delivery"
)

// gate lets so many calls of Authorize through as it has tickets, and counts those who wait.
type gate struct {
	tickets chan struct{}
	waiting atomic.Int64
}

func (g *gate) at(authorize func(context.Context) (delivery.Access, error)) func(context.Context) (delivery.Access, error) {
	return func(ctx context.Context) (delivery.Access, error) {
		g.waiting.Add(1)
		defer g.waiting.Add(-1)
		select {
		case <-g.tickets:
			return authorize(ctx)
		case <-ctx.Done():
			return delivery.Access{}, ctx.Err()
		}
	}
}

// let lets n calls through.
func (g *gate) let(n int) {
	for range n {
		g.tickets <- struct{}{}
	}
}

// crowded is a club with n followers of the names a0, b1, c2, d3, a4 …, who are judged anew at the gate.
func (c *club) crowded(n int) (gate *gate, clients []*client) {
	gate = newGate()
	for i := range n {
		sub := c.follower(fmt.Sprintf("%c%d", 'a'+i%4, i))
		sub.Spec.Authorize = gate.at(sub.Spec.Authorize)
		clients = append(clients, c.subscribe(sub))
	}
	c.settle()
	return gate, clients
}

func newGate() *gate { return &gate{tickets: make(chan struct{})} }

// odd appends a note at an odd offset: one that reaches the history.
func (c *club) odd() *entry {
	if c.log.tail(room).Position.Offset%2 == 1 {
		c.log.append(room, kindSilent)
	}
	return c.log.append(room, kindNote)
}

// TestAudienceMovesTogether: each event is rendered once for each group that comes of a move, however
// many go there, each in its own time, and whatever comes meanwhile. Few are judged at a time, and nobody
// else waits for that.
func TestAudienceMovesTogether(t *testing.T) {
	const most = 8
	inClub(t, delivery.Options{MaxJudgings: most}, func(c *club) {
		gate, members := c.crowded(200)
		other := c.subscribe(forOne("zoe"))
		c.settle()
		before := c.odd()
		c.settle()
		c.same("renderings for all", c.renders.Load(), int64(1))

		c.setting.Store(1)
		all := []*entry{c.odd()}
		c.settle()
		c.same("judged at a time", gate.waiting.Load(), int64(most))
		gate.let(50)
		for range 10 {
			all = append(all, c.odd())
			c.settle()
			c.same("judged at a time", gate.waiting.Load(), int64(most))
			gate.let(10)
		}
		other.saw(names(append([]*entry{before}, all...)...)...)
		c.subscribe(startingAt(forOne("yan"), from(all[0]))).saw(names(all[1:]...)...)
		close(gate.tickets)
		for i, m := range members {
			m.saw(append(by("0", before), by(fmt.Sprintf("1%c", 'a'+i%4), all...)...)...)
		}
		c.same("renderings, for four groups", c.renders.Load(), int64(1+4*len(all)))
	})
}

// TestAudienceMovesBehind: those for whom more has come than is kept read it by themselves.
func TestAudienceMovesBehind(t *testing.T) {
	inClub(t, delivery.Options{}, func(c *club) {
		gate, members := c.crowded(9)
		c.setting.Store(1)
		all := []*entry{c.odd()}
		c.settle()
		gate.let(4)
		for range 100 {
			all = append(all, c.odd())
		}
		c.settle()
		close(gate.tickets)
		for i, m := range members {
			m.saw(by(fmt.Sprintf("1%c", 'a'+i%4), all...)...)
		}
		members[0].goesOnWith("~1a")
	})
}

// TestAudienceMovesAgain: the setting changes once more while members are still on their way.
func TestAudienceMovesAgain(t *testing.T) {
	inClub(t, delivery.Options{}, func(c *club) {
		gate, members := c.crowded(20)
		c.setting.Store(1)
		first := c.odd()
		c.settle()
		gate.let(10)
		c.settle()
		c.setting.Store(0)
		second := c.odd()
		c.settle()
		close(gate.tickets)
		c.settle()
		arrived := 0
		for i, m := range members {
			if by1 := by(fmt.Sprintf("1%c", 'a'+i%4), first); m.seen()[0] == by1[0] {
				arrived++
				m.saw(append(by1, by("0", second)...)...)
			} else {
				m.saw(by("0", first, second)...)
			}
		}
		c.same("arrived before the second change", arrived, 10)
	})
}

// TestAudienceHasMoved: what was kept for those on their way isn't, once all have come.
func TestAudienceHasMoved(t *testing.T) {
	inClub(t, delivery.Options{}, func(c *club) {
		gate, _ := c.crowded(8)
		close(gate.tickets)
		c.setting.Store(1)
		c.odd()
		c.settle()
		all := []*entry{c.odd(), c.odd()}
		c.settle()
		before := c.renders.Load()
		late := c.subscribe(startingAt(c.follower("amy"), from(all[0])))
		late.saw(by("1a", all[1])...)
		c.same("renderings for one who comes late", c.renders.Load()-before, int64(1))
	})
}

// TestAudienceMovesIntoFailure: an error that one was told of in an event's place isn't kept for the others.
func TestAudienceMovesIntoFailure(t *testing.T) {
	inClub(t, delivery.Options{}, func(c *club) {
		var failed atomic.Bool
		failing := func(sub delivery.Subscription) delivery.Subscription {
			share := sub.Share
			sub.Share = func(access delivery.Access) delivery.Sharing {
				sharing := share(access)
				render := sharing.Renderer.(*renderer).instead
				sharing.Renderer.(*renderer).instead = func(ctx context.Context, source delivery.Source) ([]byte, error) {
					payload, err := render(ctx, source)
					if err == nil && c.setting.Load() == 1 && !failed.Swap(true) {
						return nil, errors.New("bad payload")
					}
					return payload, err
				}
				return sharing
			}
			sub.Sharing = sub.Share(sub.Spec.Access)
			return sub
		}
		clients := []*client{c.subscribe(failing(c.follower("ann"))), c.subscribe(failing(c.follower("amy")))}
		c.settle()
		c.setting.Store(1)
		e := c.odd()
		c.settle()
		told := map[string]int{}
		for _, client := range clients {
			for _, what := range client.seen() {
				told[what]++
			}
		}
		c.same("told", told, map[string]int{"failure:bad_payload": 1, by("1a", e)[0]: 1})
	})
}
