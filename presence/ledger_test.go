package presence

import (
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var ledgerUser = User{ID: "ada", Name: "Ada"}

// testLedger is a ledger of the instance i1, all of one user's.
type testLedger struct {
	ledger
	t *testing.T
}

func beginLedger(t *testing.T) *testLedger {
	l := &testLedger{t: t}
	l.restart("i1")
	return l
}

// told has the store know of a device.
func (l *testLedger) told() *device {
	d := l.add(ledgerUser)
	l.settle(l.take(1)[0], done)
	return d
}

// next settles the calls that can be taken and describes them.
func (l *testLedger) next(how outcome) (calls []string) {
	for _, c := range l.take(10) {
		word := "join "
		if c.verb == leave {
			word = "leave "
		}
		calls = append(calls, word+c.id)
		l.settle(c, how)
	}
	return calls
}

// hands fails unless those are the calls that can be taken; they are settled.
func (l *testLedger) hands(how outcome, want ...string) {
	l.t.Helper()
	if diff := cmp.Diff(want, l.next(how)); diff != "" {
		l.t.Fatal(diff)
	}
}

func TestLedgerHandsOutForOne(t *testing.T) {
	t.Run("a join, once", func(t *testing.T) {
		l := beginLedger(t)
		l.add(ledgerUser)
		c := l.take(1)[0]
		if c.verb != join || c.instance != "i1" || c.id != "i1.1" || c.user != ledgerUser || !c.first {
			t.Fatalf("%+v", c)
		}
		l.settle(c, done)
		l.hands(done)
	})
	t.Run("nothing for what came and went", func(t *testing.T) {
		l := beginLedger(t)
		l.drop(l.add(ledgerUser))
		l.hands(done)
	})
	t.Run("a leave, once, however often it is dropped", func(t *testing.T) {
		l := beginLedger(t)
		d := l.told()
		l.drop(d)
		l.drop(d)
		l.hands(done, "leave i1.1")
		l.drop(d)
		l.hands(done)
	})
	t.Run("a leave for what was dropped during its join", func(t *testing.T) {
		l := beginLedger(t)
		d := l.add(ledgerUser)
		c := l.take(1)[0]
		l.drop(d)
		l.hands(done)
		l.settle(c, done)
		l.hands(done, "leave i1.1")
	})
	t.Run("nothing for what was dropped before its join was made", func(t *testing.T) {
		l := beginLedger(t)
		d := l.add(ledgerUser)
		c := l.take(1)[0]
		l.drop(d)
		l.settle(c, unmade)
		l.hands(done)
	})
	t.Run("a leave for what was joined perhaps", func(t *testing.T) {
		l := beginLedger(t)
		d := l.add(ledgerUser)
		l.hands(vain, "join i1.1")
		l.drop(d)
		l.hands(done, "leave i1.1")
	})
	t.Run("failed calls after a retry only, and not as the first", func(t *testing.T) {
		l := beginLedger(t)
		l.add(ledgerUser)
		l.hands(vain, "join i1.1")
		l.hands(done)
		l.retry()
		if c := l.take(1)[0]; c.id != "i1.1" || c.first {
			t.Fatalf("%+v", c)
		}
	})
	t.Run("unmade calls again", func(t *testing.T) {
		l := beginLedger(t)
		l.add(ledgerUser)
		l.hands(unmade, "join i1.1")
		l.hands(done, "join i1.1")
	})
}

func TestLedgerHandsOutForMany(t *testing.T) {
	t.Run("joins before leaves, in order", func(t *testing.T) {
		l := beginLedger(t)
		l.drop(l.told())
		l.add(ledgerUser)
		l.add(ledgerUser)
		l.hands(done, "join i1.2", "join i1.3")
		l.hands(done, "leave i1.1")
	})
	t.Run("at most as many as asked for", func(t *testing.T) {
		l := beginLedger(t)
		for range 11 {
			l.add(ledgerUser)
		}
		if n := len(l.next(done)); n != 10 {
			t.Fatalf("got %d", n)
		}
		l.hands(done, "join i1.11")
	})
	t.Run("all that is wanted, under a new instance", func(t *testing.T) {
		l := beginLedger(t)
		gone, failed := l.told(), l.add(ledgerUser)
		l.hands(vain, "join i1.2")
		l.told()
		l.add(ledgerUser)
		l.drop(gone)
		l.restart("i2")
		l.hands(done, "join i2.4", "join i2.2", "join i2.3")
		l.drop(failed)
		l.hands(done, "leave i2.2")
	})
	t.Run("once more what is to be told again, while it is wanted", func(t *testing.T) {
		l := beginLedger(t)
		l.told()
		gone := l.told()
		sample := l.sample(10)
		l.drop(gone)
		l.tellAgain(sample)
		l.hands(done, "join i1.1")
		l.hands(done, "leave i1.2")
	})
	t.Run("samples in rotation", func(t *testing.T) {
		l := beginLedger(t)
		for range 5 {
			l.told()
		}
		var numbers []uint64
		for range 3 {
			for _, d := range l.sample(2) {
				numbers = append(numbers, d.number)
			}
		}
		if want := []uint64{1, 2, 3, 4, 5, 1}; !slices.Equal(numbers, want) {
			t.Fatalf("got %v", numbers)
		}
	})
}

// ledgerModel is a node's streams beside a store that sometimes fails, before or after doing what
// it was asked.
type ledgerModel struct {
	ledger    ledger
	instances int
	live      map[*device]bool
	store     map[string]string // id → user, under the present instance
	mayKnow   map[uint64]bool   // what a store would know that did all it was asked
	underWay  []call
}

func (m *ledgerModel) restart(*rapid.T) {
	if len(m.underWay) > 0 {
		return
	}
	m.instances++
	m.store, m.mayKnow = map[string]string{}, map[uint64]bool{}
	m.ledger.restart("i" + strconv.Itoa(m.instances))
}

func (m *ledgerModel) add(t *rapid.T) {
	user := rapid.SampledFrom([]string{"ada", "bob", "cleo"}).Draw(t, "user")
	m.live[m.ledger.add(User{ID: user})] = true
}

func (m *ledgerModel) drop(t *rapid.T) {
	if len(m.live) == 0 {
		return
	}
	devices := slices.SortedFunc(maps.Keys(m.live), func(a, b *device) int { return int(a.number) - int(b.number) })
	d := rapid.SampledFrom(devices).Draw(t, "device")
	delete(m.live, d)
	m.ledger.drop(d)
}

func (m *ledgerModel) take(t *rapid.T) {
	m.underWay = append(m.underWay, m.ledger.take(rapid.IntRange(1, 4).Draw(t, "calls"))...)
}

func (m *ledgerModel) settle(t *rapid.T) {
	if len(m.underWay) == 0 {
		return
	}
	c := m.underWay[0]
	m.underWay = m.underWay[1:]
	how := rapid.SampledFrom([]outcome{done, vain, unmade}).Draw(t, "outcome")
	if how == done || how == vain && rapid.Bool().Draw(t, "answer lost") {
		m.make(t, c)
	}
	if c.verb == join && how != unmade {
		m.mayKnow[c.device.number] = true
	}
	if c.verb == leave && how == done {
		delete(m.mayKnow, c.device.number)
	}
	m.ledger.settle(c, how)
}

func (m *ledgerModel) make(t *rapid.T, c call) {
	if c.instance != m.ledger.instance {
		t.Fatalf("a call under %s, now %s", c.instance, m.ledger.instance)
	}
	if c.verb == join {
		m.store[c.id] = c.user.ID
	} else {
		delete(m.store, c.id)
	}
}

func (m *ledgerModel) retry(*rapid.T) { m.ledger.retry() }

func (m *ledgerModel) tellAgain(t *rapid.T) {
	m.ledger.tellAgain(m.ledger.sample(rapid.IntRange(1, 4).Draw(t, "devices")))
}

// check holds what is kept to what is live, under way, or perhaps known to the store.
func (m *ledgerModel) check(t *rapid.T) {
	devices, pending := m.ledger.counts()
	if devices != len(m.live) {
		t.Fatalf("%d devices, want %d", devices, len(m.live))
	}
	kept := m.ledger.settled.length + pending
	if kept < len(m.live) {
		t.Fatalf("keeps %d of %d devices", kept, len(m.live))
	}
	if most := len(m.live) + len(m.underWay) + len(m.mayKnow); kept > most {
		t.Fatalf("keeps %d devices, has reason for %d", kept, most)
	}
}

func TestLedgerMakesTheStoreAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &ledgerModel{live: map[*device]bool{}}
		m.restart(t)
		t.Repeat(map[string]func(*rapid.T){
			"restart": m.restart, "add": m.add, "drop": m.drop, "take": m.take,
			"settle": m.settle, "retry": m.retry, "tell again": m.tellAgain, "": m.check,
		})

		for _, c := range m.underWay {
			m.ledger.settle(c, unmade)
		}
		m.ledger.retry()
		for calls := m.ledger.take(3); len(calls) > 0; calls = m.ledger.take(3) {
			for _, c := range calls {
				m.make(t, c)
				m.ledger.settle(c, done)
			}
		}
		want := map[string]string{}
		for d := range m.live {
			want[m.ledger.id(d)] = d.user.ID
		}
		if diff := cmp.Diff(want, m.store); diff != "" {
			t.Fatal(diff)
		}
		if _, pending := m.ledger.counts(); pending != 0 || m.ledger.settled.length != len(m.live) {
			t.Fatalf("%d pending, %d settled, %d live", pending, m.ledger.settled.length, len(m.live))
		}
	})
}
