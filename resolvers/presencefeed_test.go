package resolvers_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"parley/chat"
	"parley/delivery"
	"parley/eventlog"
)

const (
	ofRoom   = `subscription { presence(roomId: "r_club") { id } }`
	ofPeople = `subscription { presence(userIds: ["eve", "dan", "bob", "bob"]) { id } }`
)

// follows is a presence feed under test. told fails the test unless it told just that since.
type follows struct {
	*testing.T
	*company
	world *world
	listener
	stop func()
}

// following runs a test in a bubble: time stands still until everything waits.
func following(t *testing.T, c *company, query string, test func(f *follows)) {
	synctest.Test(t, func(t *testing.T) {
		f := &follows{T: t, company: c, world: newClub(t, c)}
		opened := f.world.mustOpen(request{user: "ada", query: query})
		f.stop = f.listen(t, opened.Spec.State)
		test(f)
		f.stop()
		f.changes("ada", "bob", "cyd", "dan", "eve")
		synctest.Wait()
		if heard, watched := f.heard(), c.watched(); strings.Contains(heard, "after the end") || watched != "" {
			t.Errorf("after the end, heard %q and watching %q", heard, watched)
		}
	})
}

func (f *follows) expect(told, watched string) {
	f.Helper()
	synctest.Wait()
	if got := f.heard(); got != told {
		f.Errorf("told %q, not %q", got, told)
	}
	if got := f.watched(); got != watched {
		f.Errorf("watching %q, not %q", got, watched)
	}
}

func TestPresenceOfARoom(t *testing.T) {
	following(t, newCompany("ada", "bob"), ofRoom, func(f *follows) {
		f.expect("ada0 bob0", "ada bob the log")
		f.changes("bob")
		f.expect("bob1", "ada bob the log")

		f.become("ada", "cyd")
		f.expect("-bob cyd0", "ada cyd the log")
		f.changes("bob", "cyd")
		f.expect("cyd1", "ada cyd the log")

		f.become("ada", "bob", "cyd")
		f.expect("bob2", "ada bob cyd the log")
		f.log.Published([]eventlog.Publication{{Kind: chat.KindMessageSent}})
		f.expect("", "ada bob cyd the log")
		f.set(func() { f.members = []string{"ada"} })
		f.log.Look()
		f.expect("-bob -cyd", "ada the log")
	})
}

// TestPresenceWhileTheStoreIsSilent: nobody is told of before it is known that they may be.
func TestPresenceWhileTheStoreIsSilent(t *testing.T) {
	following(t, newCompany("ada", "bob", "cyd"), ofRoom, func(f *follows) {
		f.expect("ada0 bob0 cyd0", "ada bob cyd the log")
		f.set(func() { f.failing = fmt.Errorf("redis: %w", eventlog.ErrUnavailable) })
		f.become("ada", "cyd", "dan")
		f.changes("bob", "cyd", "cyd")
		time.Sleep(5 * time.Second)
		f.expect("", "ada bob cyd the log")
		f.set(func() { f.failing, f.failingState["dan"] = nil, eventlog.ErrUnavailable })
		time.Sleep(5 * time.Second)
		f.expect("", "ada bob cyd the log") // not before all is as it should be
		f.set(func() { delete(f.failingState, "dan") })
		time.Sleep(time.Second)
		f.expect("-bob cyd2 dan0", "ada cyd dan the log")
		if log := f.world.log.String(); log != "" {
			f.Errorf("logged: %s", log)
		}
	})
}

// TestPresenceOfARoomWithGaps: whoever left in what the log didn't tell of isn't followed any more, though
// what follows is only a message.
func TestPresenceOfARoomWithGaps(t *testing.T) {
	following(t, newCompany("ada", "bob"), ofRoom, func(f *follows) {
		at := eventlog.Position{Epoch: 7, Offset: 40, Check: 1}
		says := func(skipped uint64) {
			prev := at.Check
			if skipped > 0 {
				prev += 1000
			}
			at = eventlog.Position{Epoch: 7, Offset: at.Offset + 1 + skipped, Check: at.Check + 1}
			f.log.Published([]eventlog.Publication{{Position: at, Prev: prev, Kind: chat.KindMessageSent}})
			synctest.Wait()
		}
		f.expect("ada0 bob0", "ada bob the log")
		f.set(func() { f.members = []string{"ada", "cyd"} })
		says(1)
		f.expect("-bob cyd0", "ada cyd the log")
		f.changes("bob")
		f.expect("", "ada cyd the log")

		before := f.listed
		says(0)
		f.log.Published([]eventlog.Publication{{Position: at, Kind: chat.KindMessageSent}}) // again
		says(0)
		if f.expect("", "ada cyd the log"); f.listed != before {
			t.Errorf("the members were asked for %d times by what changes none", f.listed-before)
		}
		f.set(func() { f.members = []string{"ada"} })
		says(2)
		f.expect("-cyd", "ada the log")
	})
}

// TestPresenceWhileCutOff: what isn't told of the room is asked for before anything is told of its members.
func TestPresenceWhileCutOff(t *testing.T) {
	following(t, newCompany("ada", "bob", "cyd"), ofRoom, func(f *follows) {
		f.expect("ada0 bob0 cyd0", "ada bob cyd the log")
		f.set(func() { f.cut, f.members = true, []string{"ada", "cyd"} })
		f.changes("bob", "cyd")
		f.expect("-bob cyd1", "ada cyd the log")

		f.set(func() { f.failing = eventlog.ErrUnavailable })
		f.set(func() { f.members = []string{"ada"} })
		f.changes("cyd")
		time.Sleep(time.Minute)
		f.expect("", "ada cyd the log")
		f.changes("ada")
		f.set(func() { f.cut, f.failing = false, nil }) // in contact again; what was missed is still to be told
		time.Sleep(time.Second)
		f.expect("-cyd ada1", "ada the log")
	})
}

// TestPresenceOfARoomThatGrows: up to twice the bound it is followed on; beyond, nobody is told of.
func TestPresenceOfARoomThatGrows(t *testing.T) {
	c := newCompany("ada", "bob")
	following(t, c, ofRoom, func(f *follows) {
		f.expect("ada0 bob0", "ada bob the log")
		f.become("ada", "b1", "b2", "b3", "b4", "bob")
		f.expect("b10 b20 b30 b40", "ada b1 b2 b3 b4 bob the log")
		f.become("ada", "b1", "b2", "b3", "b4", "b5", "b6", "b7", "bob")
		f.expect("-ada -b1 -b2 -b3 -b4 -bob", "the log")
		f.changes("ada")
		f.become("ada")
		time.Sleep(time.Minute)
		f.expect("ada1", "ada the log")
		if log := f.world.log.String(); !strings.Contains(log, "LIMIT_EXCEEDED") {
			f.Errorf("logged: %s", log)
		}
		_, errs := f.world.open(request{user: "ada", query: ofRoom})
		if errs != nil {
			f.Errorf("a room that has shrunk: %v", errs)
		}
	})
	for name, members := range map[string][]string{"as big as may be": {"ada", "b", "c", "d"}, "bigger": {"ada", "b", "c", "d", "e"}} {
		t.Run(name, func(t *testing.T) {
			got := newClub(t, newCompany(members...)).opening(request{user: "ada", query: ofRoom})
			if (got == "!LIMIT_EXCEEDED at presence") != (name == "bigger") {
				t.Errorf("got %s", got)
			}
		})
	}
}

// TestPresenceOfPeople: each of them for as long as they share a room with the viewer.
func TestPresenceOfPeople(t *testing.T) {
	following(t, newCompany("ada", "bob"), ofPeople, func(f *follows) {
		f.expect("bob0", "bob")
		f.changes("bob", "dan")
		f.expect("bob1", "bob")

		f.become("ada", "bob", "dan") // nothing tells of it
		time.Sleep(11 * time.Second)
		f.expect("dan1", "bob dan")

		f.become("ada", "dan")
		f.set(func() { clear(f.asked) })
		f.changes("bob")
		f.expect("-bob", "dan")
		if f.asked["bob"] != 1 || f.asked["ada"] != 1 || f.asked["dan"] != 0 {
			f.Errorf("for one change was asked: %v", f.asked)
		}
		f.become("bob", "dan") // the viewer leaves
		f.changes("dan")
		f.expect("-dan", "")
	})
}

func TestPresenceOfPeopleWhileTheStoreIsSilent(t *testing.T) {
	following(t, newCompany("ada", "bob", "dan"), ofPeople, func(f *follows) {
		f.expect("bob0 dan0", "bob dan")
		f.set(func() { f.failing = eventlog.ErrUnavailable })
		f.changes("bob", "dan")
		time.Sleep(3 * time.Second)
		f.changes("dan")
		time.Sleep(time.Minute)
		f.expect("", "bob dan")
		f.become("ada", "dan")
		f.set(func() { f.failing = nil })
		time.Sleep(time.Second)
		f.expect("-bob dan2", "dan")
	})
}

// TestPresenceThatCannotBegin leaves nothing behind.
func TestPresenceThatCannotBegin(t *testing.T) {
	broken := errors.New("broken")
	for name, spoil := range map[string]func(*company){
		"nobody answers":               func(c *company) { c.failing = broken },
		"one of many can't be watched": func(c *company) { c.failingState["bob"] = broken },
	} {
		for _, query := range []string{ofRoom, ofPeople} {
			t.Run(name, func(t *testing.T) {
				c := newCompany("ada", "bob", "cyd", "dan")
				opened := newClub(t, c).mustOpen(request{user: "ada", query: query})
				spoil(c)
				var l listener
				if stop, err := opened.Spec.State(t.Context(), l.sink); stop != nil || !errors.Is(err, broken) {
					t.Errorf("got %v", err)
				}
				if c.watched() != "" || l.heard() != "" {
					t.Errorf("watching %q, told %q", c.watched(), l.heard())
				}
			})
		}
	}
}

// TestPresenceStorm: members come and go, states change and feeds begin and end, all at once.
func TestPresenceStorm(t *testing.T) {
	c := newCompany("ada", "bob", "cyd", "dan")
	w := newClub(t, c)
	sources := []delivery.StateSource{
		w.mustOpen(request{user: "ada", query: ofRoom}).Spec.State,
		w.mustOpen(request{user: "ada", query: ofPeople}).Spec.State,
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var storm sync.WaitGroup
	for _, do := range []func(){
		func() { c.changes("bob", "cyd", "dan") },
		func() { c.become("ada", "bob"); c.become("ada", "cyd", "dan") },
	} {
		storm.Go(func() {
			for ctx.Err() == nil {
				do()
			}
		})
	}
	for _, source := range sources {
		for range 3 {
			storm.Go(func() {
				for ctx.Err() == nil {
					var l listener
					stop := l.listen(t, source)
					stop()
					if heard := l.heard(); strings.Contains(heard, "after the end") {
						t.Error(heard)
					}
				}
			})
		}
	}
	storm.Wait()
	c.set(func() { c.log = nil })
	if watched := c.watched(); watched != "" {
		t.Errorf("still watching %q", watched)
	}
}

// TestPresenceTopics: who shares a feed.
func TestPresenceTopics(t *testing.T) {
	w := newClub(t, newCompany("ada", "bob"))
	topic := func(user, arguments string) string {
		return w.mustOpen(request{user: user, query: `subscription { presence(` + arguments + `) { id } }`}).Spec.Topic
	}
	if topic("ada", `roomId: "r_club"`) != topic("bob", `roomId: "r_club"`) {
		t.Error("members of a room don't share its feed")
	}
	if topic("ada", `userIds: ["bob", "cyd"]`) != topic("ada", `userIds: ["cyd", "bob", "cyd"]`) {
		t.Error("the same people are another feed in another order")
	}
	if topic("ada", `userIds: ["bob"]`) == topic("bob", `userIds: ["bob"]`) {
		t.Error("two viewers share a feed of people")
	}
	if topic("ada", `userIds: ["bob", "cyd"]`) == topic("ada", `userIds: ["bob\u0000cyd"]`) {
		t.Error("other people share a feed")
	}
}
