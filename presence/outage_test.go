package presence_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"parley/presence"
)

// outage fails all calls while it is on, by a hook for memory.before.
type outage struct {
	on   atomic.Bool
	fail func(context.Context, made) error
}

func (o *outage) hook(ctx context.Context, c made) error {
	if o.on.Load() {
		return o.fail(ctx, c)
	}
	return nil
}

func refuse(context.Context, made) error { return errDown }

func TestAnOutageDropsNothing(t *testing.T) {
	for name, fail := range map[string]func(context.Context, made) error{"refusing": refuse, "hanging": hang} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, down := newMemory(), outage{fail: fail}
				store.meddle(down.hook)
				n := startNode(t, store, presence.Options{Grace: 10 * time.Second})
				stays, goes := ada, n.Device(t.Context(), bob)
				n.Device(t.Context(), stays)
				pass(15 * time.Second)

				down.on.Store(true)
				store.forgetCalls()
				comes := presence.User{ID: "cleo"}
				n.Device(t.Context(), comes)
				pass(time.Second)
				goes()
				for range 1000 {
					n.Device(t.Context(), presence.User{ID: "passing by"})()
				}
				pass(19 * time.Second)
				if calls := len(store.made("connect", "disconnect")); calls > 4 {
					t.Fatalf("%d calls about devices during the outage", calls)
				}
				if renewals := len(store.made("renew")); renewals < 5 || renewals > 40 {
					t.Fatalf("%d renewals during the outage", renewals)
				}

				down.on.Store(false)
				pass(5 * time.Second)
				same(t, "devices", map[string]int{"ada": 1, "cleo": 1}, store.present())
				pass(10 * time.Second)
				same(t, "transitions", []string{"cleo ONLINE", "bob OFFLINE"}, store.turns())
				same(t, "leases lost", 0.0, n.metric(t, "parley_presence_lease_lost_total"))
				same(t, "pending", 0.0, n.metric(t, "parley_presence_pending_devices"))
				mustStop(t, n)
			})
		})
	}
}

func TestAnOutageFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, down := newMemory(), outage{fail: refuse}
		store.meddle(down.hook)
		down.on.Store(true)
		n := startNode(t, store, presence.Options{})
		n.Device(t.Context(), ada)
		pass(5 * time.Minute)
		same(t, "connects", 0, len(store.made("connect")))
		down.on.Store(false)
		pass(3 * time.Second)
		same(t, "transitions", []string{"ada ONLINE"}, store.turns())
		same(t, "leases lost", 0.0, n.metric(t, "parley_presence_lease_lost_total"))
		mustStop(t, n)
	})
}

func TestAnAnswerThatGotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		lost := true
		store.after = func(c made) error {
			if c.name == "connect" && lost {
				return errDown
			}
			return nil
		}
		n := startNode(t, store, presence.Options{})
		release := n.Device(t.Context(), ada)
		synctest.Wait()
		same(t, "devices", map[string]int{"ada": 1}, store.present())
		release()
		pass(time.Second)
		same(t, "devices", map[string]int{}, store.present())
		mustStop(t, n)
	})
}

func TestOneDeviceThatFailsHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		store.meddle(func(_ context.Context, c made) error {
			if c.name == "connect" && c.user == "bob" {
				return errDown
			}
			return nil
		})
		n := startNode(t, store, presence.Options{})
		n.Device(t.Context(), bob)
		leave := n.Device(t.Context(), ada)
		pass(time.Minute)
		same(t, "online", map[string]int{"ada": 1}, store.present())
		for i := range 20 {
			n.Device(t.Context(), presence.User{ID: fmt.Sprint("user", i)})
			pass(3 * time.Second)
			same(t, "online", i+2, len(store.present()))
		}
		leave()
		pass(3 * time.Second)
		same(t, "online", 20, len(store.present()))
		if tries := len(store.made("connect")); tries > 500 {
			t.Fatalf("%d connects", tries)
		}
		same(t, "leases lost", 0.0, n.metric(t, "parley_presence_lease_lost_total"))
		mustStop(t, n)
	})
}

func TestAStoreThatOnlyRenewsIsNotHammered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		store.before = func(_ context.Context, c made) error {
			if c.name == "connect" {
				return errDown
			}
			return nil
		}
		n := startNode(t, store, presence.Options{})
		for i := range 1000 {
			n.Device(t.Context(), presence.User{ID: fmt.Sprint("user", i)})
		}
		pass(time.Minute)
		if tries := len(store.made("connect")); tries > 8000 {
			t.Fatalf("%d connects in a minute", tries)
		}
		same(t, "pending", 1000.0, n.metric(t, "parley_presence_pending_devices"))
		store.meddle(nil)
		pass(5 * time.Second)
		same(t, "online", 1000, len(store.present()))
		mustStop(t, n)
	})
}

func TestALapsedLease(t *testing.T) {
	t.Run("is replaced, and its devices told anew within their grace", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := newMemory()
			n := startNode(t, store, presence.Options{Grace: 15 * time.Second})
			for i := range 500 {
				n.Device(t.Context(), presence.User{ID: fmt.Sprint("user", i)})
			}
			pass(5 * time.Second)
			store.forgetCalls()
			// The lapse comes just before a renewal, so that the tracker hears of it from
			// there and not by looking at its devices.
			store.meddle(func(_ context.Context, c made) error {
				if c.name == "renew" && len(store.made("renew")) == 1 {
					store.lapseAll()
				}
				return nil
			})
			pass(30 * time.Second)
			renewals := store.made("renew")
			if renewals[0].instance == renewals[1].instance {
				t.Fatal("the same instance again")
			}
			same(t, "asked again at once", renewals[0].at, renewals[1].at)
			same(t, "online", 500, len(store.present()))
			same(t, "transitions", []string(nil), store.turns())
			same(t, "leases lost", 1.0, n.metric(t, "parley_presence_lease_lost_total"))
			mustStop(t, n)
		})
	})

	t.Run("isn't taken up again by a node that was cut off", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store, down := newMemory(), outage{}
			b := startNode(t, store, presence.Options{TTL: 3 * time.Second}) // sweeps what A leaves behind
			a := startNode(t, &cutOff{memory: store, outage: &down}, presence.Options{TTL: 3 * time.Second})
			goes := a.Device(t.Context(), bob)
			a.Device(t.Context(), ada)
			pass(time.Second)
			old := store.made("connect")[0].instance

			down.on.Store(true)
			pass(10 * time.Second)
			goes()
			same(t, "swept by B", map[string]int{}, store.present())
			store.forgetCalls()
			down.on.Store(false)
			pass(time.Second)
			for _, c := range store.made("renew", "connect", "disconnect") {
				if c.instance == old {
					t.Fatalf("%s of the lapsed instance", c.name)
				}
			}
			same(t, "transitions", []string{"ada ONLINE"}, store.turns())
			same(t, "leases lost", 1.0, a.metric(t, "parley_presence_lease_lost_total"))
			same(t, "leases lost", 0.0, b.metric(t, "parley_presence_lease_lost_total"))
			mustStop(t, a)
			mustStop(t, b)
		})
	})

	t.Run("of a store that refuses every id isn't asked for in a loop", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := &renewStore{memory: newMemory(), renew: func() (bool, error) { return false, nil }}
			n := startNode(t, store, presence.Options{})
			pass(time.Minute)
			if store.renewals > 70 {
				t.Fatalf("%d renewals in a minute", store.renewals)
			}
			mustStop(t, n)
		})
	})
}

// cutOff is a node's way to the store, hanging while the outage is on.
type cutOff struct {
	*memory
	outage *outage
}

func (c *cutOff) Renew(ctx context.Context, instance string, ttl time.Duration) (bool, error) {
	if c.outage.on.Load() {
		return false, hang(ctx, made{})
	}
	return c.memory.Renew(ctx, instance, ttl)
}

func (c *cutOff) Sweep(ctx context.Context, _ time.Duration) (bool, error) { return false, ctx.Err() }

// renewStore is memory with a renewal of one's own.
type renewStore struct {
	*memory
	renew    func() (held bool, err error)
	renewals int
}

func (s *renewStore) Renew(context.Context, string, time.Duration) (bool, error) {
	s.renewals++
	return s.renew()
}

func TestAStoreThatForgets(t *testing.T) {
	t.Run("everything is told everything within TTL/6", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := newMemory()
			n := startNode(t, store, presence.Options{})
			for i := range 2000 {
				n.Device(t.Context(), presence.User{ID: fmt.Sprint("user", i)})
			}
			pass(15 * time.Second)
			old := store.made("renew")[0].instance
			store.wipe()
			store.forgetCalls()
			pass(11 * time.Second)
			same(t, "online", 2000, len(store.present()))
			for _, c := range store.made("connect") {
				if c.instance == old {
					t.Fatal("under the old instance, where ghosts may be")
				}
			}
			same(t, "leases lost", 1.0, n.metric(t, "parley_presence_lease_lost_total"))
			pass(3 * time.Minute)
			same(t, "online", 2000, len(store.present()))
			same(t, "transitions", 2000, len(store.turns()))
			same(t, "leases lost", 1.0, n.metric(t, "parley_presence_lease_lost_total"))
			mustStop(t, n)
		})
	})

	t.Run("a device whose user is online elsewhere is told of it again", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := newMemory()
			a := startNode(t, store, presence.Options{})
			b := startNode(t, store, presence.Options{})
			a.Device(t.Context(), ada)
			b.Device(t.Context(), ada)
			pass(time.Second)
			store.lose(store.made("connect")[0].device)
			pass(10 * time.Second)
			same(t, "devices", map[string]int{"ada": 2}, store.present())
			same(t, "transitions", []string{"ada ONLINE"}, store.turns())
			mustStop(t, a)
			mustStop(t, b)
		})
	})

	t.Run("one user is told of them within TTL/6", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := newMemory()
			n := startNode(t, store, presence.Options{})
			n.Device(t.Context(), ada)
			pass(time.Second)
			n.Device(t.Context(), bob)
			pass(time.Second)
			store.lose(store.made("connect")[0].device)
			pass(10 * time.Second)
			same(t, "devices", 2, len(store.present()))
			same(t, "transitions", []string{"ada ONLINE", "bob ONLINE", "ada OFFLINE", "ada ONLINE"}, store.turns())
			same(t, "leases lost", 1.0, n.metric(t, "parley_presence_lease_lost_total"))
			mustStop(t, n)
		})
	})
}

// TestTellingAgain: what is told again in case that a store has forgotten it costs little.
func TestTellingAgain(t *testing.T) {
	t.Run("to a store that stays wrong isn't done all the time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := &amnesiac{newMemory()}
			n := startNode(t, store, presence.Options{})
			n.Device(t.Context(), ada)
			pass(10 * time.Minute)
			if connects := len(store.made("connect")); connects > 11 {
				t.Fatalf("%d connects", connects)
			}
			mustStop(t, n)
		})
	})

	t.Run("costs the same whatever the number of devices", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := newMemory()
			n := startNode(t, store, presence.Options{})
			for i := range 5000 {
				n.Device(t.Context(), presence.User{ID: fmt.Sprint("user", i)})
			}
			pass(9 * time.Second)
			store.forgetCalls()
			pass(time.Minute)
			same(t, "renewals", 6, len(store.made("renew")))
			same(t, "reads", 6, len(store.made("presences")))
			connects := store.made("connect")
			same(t, "told again", 300, len(connects))
			told := map[string]bool{}
			for _, c := range connects {
				told[c.device] = true
			}
			same(t, "in rotation", 300, len(told))
			mustStop(t, n)
		})
	})
}

// amnesiac says of everybody that they are OFFLINE.
type amnesiac struct{ *memory }

func (amnesiac) Presences(_ context.Context, users []string) (found []presence.Presence, err error) {
	for _, id := range users {
		found = append(found, presence.Presence{User: presence.User{ID: id}, Status: presence.Offline})
	}
	return found, nil
}
