package delivery_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parley/delivery"
	"parley/eventlog"
)

// access is what the model's principals may read: a setting, as a room's history is one, and intervals.
// Who has the same of both is one audience.
func (s *story) access(readable eventlog.Intervals) delivery.Access {
	return delivery.Access{
		Readable: readable,
		Audience: delivery.Audience{Name: fmt.Sprint(s.setting.Load(), "~", spelled(readable))},
	}
}

// sharing is the group of one document's audience. Every other note reaches the history, so it can't
// be rendered once the setting is another one, and tells by whose intervals it was rendered.
func (s *story) sharing(document string, access delivery.Access) delivery.Sharing {
	name := access.Audience.Name
	setting, intervals, _ := strings.Cut(name, "~")
	return delivery.Sharing{
		Group: document + name, Audience: name,
		Renderer: &renderer{instead: func(_ context.Context, source delivery.Source) ([]byte, error) {
			switch _, isReset := source.Payload.(eventlog.Reset); {
			case s.failing.Load() && s.chance(1, 4):
				return nil, fmt.Errorf("wrapped: %w", eventlog.ErrUnavailable)
			case isReset || source.Cursor.Position.Offset%2 == 0:
				return nil, nil
			case setting != fmt.Sprint(s.setting.Load()):
				return nil, fmt.Errorf("wrapped: %w", delivery.ErrAudienceMoved)
			}
			return fmt.Append(nil, source.Payload, "~", intervals), nil
		}},
	}
}

// spelled is intervals in one word.
func spelled(intervals eventlog.Intervals) string {
	words := make([]string, len(intervals))
	for i, in := range intervals {
		words[i] = fmt.Sprint(in.From, "-", in.To)
	}
	return strings.Join(words, ",")
}

// renderedFor reports whether an event was rendered by the right of the listener: up to the event,
// the intervals are those that the event's own history gave them.
func (l *listener) renderedFor(what string, e *entry) bool {
	_, word, ok := strings.Cut(what, "~")
	if !ok {
		return true
	}
	var used eventlog.Intervals
	for text := range strings.SplitSeq(word, ",") {
		var in eventlog.Interval
		if _, err := fmt.Sscanf(text, "%d-%d", &in.From, &in.To); err != nil {
			panic(err)
		}
		used = append(used, in)
	}
	return spelled(used.Until(e.Offset)) == spelled(intervalsOf(e, l.principal).Until(e.Offset))
}

// club is a log whose readers are told apart by a setting: 0 makes them all one audience, 1 one for
// each first letter of their names. Notes reach the history but for those at even offsets.
type club struct {
	world
	setting atomic.Int64
	renders atomic.Int64 // that reach it
}

func (c *club) access(principal string) delivery.Access {
	name := "0"
	if c.setting.Load() == 1 {
		name = "1" + principal[:1]
	}
	return delivery.Access{Readable: eventlog.Everything(), Audience: delivery.Audience{Name: name}}
}

func (c *club) follower(principal string) delivery.Subscription {
	sub := forOne(principal)
	sub.Spec.Authorize = func(context.Context) (delivery.Access, error) { return c.access(principal), nil }
	sub.Share = func(access delivery.Access) delivery.Sharing {
		name := access.Audience.Name
		return delivery.Sharing{Group: "g" + name, Audience: name, Renderer: &renderer{instead: func(_ context.Context, source delivery.Source) ([]byte, error) {
			switch {
			case source.Cursor.Position.Offset%2 == 0:
				return nil, nil
			case name[0] != byte('0'+c.setting.Load()):
				return nil, delivery.ErrAudienceMoved
			}
			c.renders.Add(1)
			return fmt.Append(nil, source.Payload, "~", name), nil
		}}}
	}
	sub.Spec.Access = c.access(principal)
	sub.Sharing = sub.Share(sub.Spec.Access)
	return sub
}

// arrive has followers of two first letters come.
func (c *club) arrive() map[string]*client {
	members := map[string]*client{}
	for _, principal := range []string{"ann", "amy", "bob", "ben"} {
		members[principal] = c.subscribe(c.follower(principal))
	}
	c.settle()
	return members
}

// split changes the setting so that it tells them apart, and fails unless they all go on.
func (c *club) split(members map[string]*client) {
	c.Helper()
	c.setting.Store(1)
	e := c.odd()
	for principal, m := range members {
		m.saw(by("1"+principal[:1], e)...)
		c.same("ends", m.ends(), []string{})
	}
}

// by is the names of entries as rendered for an audience.
func by(audience string, entries ...*entry) []string {
	words := names(entries...)
	for i, e := range entries {
		if e.Offset%2 == 1 {
			words[i] += "~" + audience
		}
	}
	return words
}

func inClub(t *testing.T, options delivery.Options, test func(c *club)) {
	inWorld(t, options, func(w world) { test(&club{world: w}) })
}

// TestAudienceMoves: at the first event that reaches the history by another setting, each goes to
// the group in which it belongs now, and misses nothing and sees nothing twice.
func TestAudienceMoves(t *testing.T) {
	inClub(t, delivery.Options{}, func(c *club) {
		ann, bea, bob := c.subscribe(c.follower("ann")), c.subscribe(c.follower("bea")), c.subscribe(c.follower("bob"))
		c.settle()
		first := c.log.notes(room, 2)
		c.settle()
		c.same("renderings", c.renders.Load(), int64(1))
		c.setting.Store(1)
		moving := c.log.notes(room, 2)
		c.settle()
		c.renders.Store(0)
		later := c.log.notes(room, 2) // offsets 5 and 6
		ann.saw(append(by("0", first...), by("1a", append(moving, later...)...)...)...)
		bea.saw(append(by("0", first...), by("1b", append(moving, later...)...)...)...)
		bob.saw(bea.seen()...)
		c.same("renderings, of two groups", c.renders.Load(), int64(2))
		c.setting.Store(0)
		back := c.log.notes(room, 2)
		c.settle()
		c.renders.Store(0)
		bob.saw(append(append(by("0", first...), by("1b", append(moving, later...)...)...), by("0", back...)...)...)
		bob.goesOnWith("~0")
		ann.goesOnWith("~0")
		c.same("renderings, of one group", c.renders.Load(), int64(1)) // the other note is at an even offset
	})
}

// goesOnWith is goesOn for one whose events end so where they reach the history.
func (c *client) goesOnWith(suffix string) {
	c.w.Helper()
	c.w.settle()
	before, e := c.seen(), c.w.log.append(room, kindNote)
	want := names(e)[0]
	if e.Offset%2 == 1 {
		want += suffix
	}
	c.saw(append(before, want)...)
}

// TestAudienceMovesWithinARun: what was rendered before the setting changed is given once, and what
// is rendered by the new one begins right after it.
func TestAudienceMovesWithinARun(t *testing.T) {
	inClub(t, delivery.Options{}, func(c *club) {
		ann, bea := c.subscribe(c.follower("ann")), c.subscribe(c.follower("bea"))
		c.settle()
		var run []eventlog.Publication
		c.log.setHint(func(_ eventlog.Watcher, p eventlog.Publication) { run = append(run, p) })
		c.log.append(room, kindSilent)
		all := c.log.notes(room, 5)
		c.log.setHint(nil)
		c.setting.Store(1)
		c.log.set(func(l *fakeLog) { l.logs[room].watchers[0].Published(run[:6]) })
		ann.saw(by("1a", all...)...)
		bea.saw(by("1b", all...)...)
		ann.goesOnWith("~1a")
	})
}

// TestAudienceMovesWhileReplaying: a replay goes on in another group too, and no longer shows what
// is hidden by then.
func TestAudienceMovesWhileReplaying(t *testing.T) {
	inClub(t, delivery.Options{PageSize: 3}, func(c *club) {
		all := c.log.notes(room, 9)
		sub := c.follower("ann")
		sub.Spec.Authorize = func(context.Context) (delivery.Access, error) {
			access := c.access("ann")
			access.Readable = eventlog.Intervals{{From: 8}}
			return access, nil
		}
		c.log.set(func(l *fakeLog) {
			l.onRead = func(after eventlog.Position, _ eventlog.Page) {
				if after.Offset == 3 {
					c.setting.Store(1)
				}
			}
		})
		ann := c.subscribe(sub)
		c.settle()
		// The fourth doesn't reach the history, so that nothing shows the change before the fifth.
		ann.saw(append(by("0", all[:4]...), by("1a", all[7:]...)...)...)
		ann.goesOnWith("~1a")
	})
}

// TestAudienceMovesAndAccessIsGone: whoever may no longer read sees nothing more.
func TestAudienceMovesAndAccessIsGone(t *testing.T) {
	inClub(t, delivery.Options{}, func(c *club) {
		sub := c.follower("bob")
		sub.Spec.Authorize = forbidden
		ann, bob := c.subscribe(c.follower("ann")), c.subscribe(sub)
		c.settle()
		c.setting.Store(1)
		e := c.log.append(room, kindNote)
		ann.saw(by("1a", e)...)
		bob.saw()
		bob.endedBy("forbidden")
		ann.goesOnWith("~1a")
	})
}

// TestAudienceMovesWhileTheStoreIsAway: nobody is shown anything before they have been judged.
func TestAudienceMovesWhileTheStoreIsAway(t *testing.T) {
	inClub(t, delivery.Options{}, func(c *club) {
		var down atomic.Bool
		sub := c.follower("ann")
		sub.Spec.Authorize = func(context.Context) (delivery.Access, error) {
			if down.Load() {
				return delivery.Access{}, fmt.Errorf("wrapped: %w", eventlog.ErrUnavailable)
			}
			return c.access("ann"), nil
		}
		ann := c.subscribe(sub)
		c.settle()
		down.Store(true)
		c.setting.Store(1)
		all := c.log.notes(room, 3)
		time.Sleep(time.Minute)
		ann.saw()
		down.Store(false)
		time.Sleep(10 * time.Second)
		ann.saw(by("1a", all...)...)
		ann.goesOnWith("~1a")
	})
}

// TestTooManyAudiences: a topic takes so many audiences, everyone aside. Who is of one that it has
// may come still, and there is room again for another when the last of one has gone.
func TestTooManyAudiences(t *testing.T) {
	of := func(sub delivery.Subscription, audience string) delivery.Subscription {
		sub.Group, sub.Audience = "g"+audience, audience
		return sub
	}
	for name, subscription := range map[string]func() delivery.Subscription{
		"of a log":   func() delivery.Subscription { return forOne("ada") },
		"of a state": func() delivery.Subscription { return ofState(newSource(value("a", 1)), "") },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, delivery.Options{MaxAudiences: 2}, func(w world) {
				here := func(audience string, want ...string) *client {
					c := w.subscribe(of(subscription(), audience))
					w.settle()
					w.same("ends of one of "+audience, c.ends(), append([]string{}, want...))
					return c
				}
				a := here("a")
				here("b")
				here("c", delivery.ErrTooManyAudiences.Error())
				here("")
				also := here("a")
				a.sub.Close()
				here("c", delivery.ErrTooManyAudiences.Error())
				also.sub.Close()
				here("c")
				here("a", delivery.ErrTooManyAudiences.Error())
			})
		})
	}
	t.Run("by a change of the setting", func(t *testing.T) {
		inClub(t, delivery.Options{MaxAudiences: 2}, func(c *club) {
			clients := map[string]*client{}
			for _, principal := range []string{"ann", "amy", "bob", "cyd", "dan"} {
				clients[principal] = c.subscribe(c.follower(principal))
			}
			c.settle()
			c.setting.Store(1)
			c.log.append(room, kindNote)
			c.settle()
			refused := 0
			for _, client := range clients {
				if len(client.ends()) > 0 {
					client.endedBy(delivery.ErrTooManyAudiences.Error())
					client.saw()
					refused++
				}
			}
			if refused < 2 || refused > 3 {
				t.Errorf("%d of 5 were one too many", refused)
			}
		})
	})
	t.Run("after a loss", func(t *testing.T) {
		inWorld(t, delivery.Options{MaxAudiences: 2}, func(w world) {
			a, b := w.subscribe(of(withResets("ada"), "a")), w.subscribe(of(withResets("bob"), "b"))
			w.settle()
			w.log.notes(room, 3)
			w.settle()
			for range 3 {
				w.log.truncate(room, 1)
				w.log.look(room)
				w.settle()
				a.goesOn()
				b.goesOn()
			}
			b.sub.Close()
			c := w.subscribe(of(forOne("cyd"), "c"))
			c.goesOn()
			w.subscribe(of(forOne("dan"), "d")).endedBy(delivery.ErrTooManyAudiences.Error())
		})
	})
}

// TestTooManyAudiencesOfOld: an audience that has moved takes no place from those its members come to.
func TestTooManyAudiencesOfOld(t *testing.T) {
	t.Run("one that has moved takes none", func(t *testing.T) {
		inClub(t, delivery.Options{MaxAudiences: 2}, func(c *club) {
			c.split(c.arrive())
		})
	})
	t.Run("nor one that would have, had it rendered anything", func(t *testing.T) {
		inClub(t, delivery.Options{MaxAudiences: 2}, func(c *club) {
			quiet := func(principal string) (*client, *atomic.Int64) {
				sub, judged := c.follower(principal), new(atomic.Int64)
				share, authorize := sub.Share, sub.Spec.Authorize
				sub.Share = func(access delivery.Access) delivery.Sharing {
					sharing := share(access)
					sharing.Group = "quiet" + sharing.Group
					return sharing
				}
				sub.Sharing, sub.Spec.Filter = sub.Share(sub.Spec.Access), eventlog.KindsOf(kindAccess)
				sub.Spec.Authorize = func(ctx context.Context) (delivery.Access, error) { judged.Add(1); return authorize(ctx) }
				return c.subscribe(sub), judged
			}
			q, judged := quiet("bea")
			c.split(c.arrive())
			for range 3 { // but where there is no room there is none, and nobody is asked for it again
				c.subscribe(c.follower("cyd")).endedBy(delivery.ErrTooManyAudiences.Error())
			}
			q.saw()
			c.same("judged", judged.Load(), int64(1))
			q.saw(names(c.log.append(room, kindAccess, begins("eve")))...)
		})
	})
}
