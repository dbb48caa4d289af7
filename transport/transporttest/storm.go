package transporttest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"parley/transport"
)

// storms: readers subscribe, read, unsubscribe and hang up at random, while a writer writes, and somebody is kicked. Each
// time everybody has had everything in the end, once, and nothing is left.
func (s suite) storms(t *testing.T) {
	storms := 50
	if _, secured := s.client.(Server); secured {
		storms = 10 // which take several times as long
	}
	if os.Getenv("PARLEY_PROVE") == "1" {
		storms = 10_000
	}
	each := min(50, storms) // of a server: none is so old that it forgets by itself
	begin := time.Now()
	sums := map[string]float64{}
	for first := 0; first < storms; first += each {
		t.Run(fmt.Sprint(first), func(t *testing.T) {
			rig := s.rig(t, transport.Options{HighWater: 4 << 10, CloseTimeout: 500 * time.Millisecond})
			for n := range each {
				s.storm(t, rig, uint64(first+n))
				rig.WaitUntilIdle(t)
				if t.Failed() {
					t.Fatalf("in storm %d", first+n)
				}
			}
			for name, sum := range rig.metrics(t) {
				sums[name] += sum
			}
		})
		if t.Failed() {
			break
		}
	}
	t.Logf("%d storms in %v: %v events live, %v from the log, %v fell behind", storms, time.Since(begin).Round(time.Second),
		sums["parley_deliveries_total"], sums["parley_replayed_total"], sums["parley_lags_total"])
}

// storm is one, the same for the same seed but for the scheduler.
func (s suite) storm(t *testing.T, rig *Rig, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 4))
	total := 5 + random.IntN(25)
	kickAt := random.IntN(3 * total) // mostly after the end: never
	w := &writer{rig: rig, log: fmt.Sprint("storm", seed)}
	if seed%4 == 0 {
		w.padding = strings.Repeat("x", 1<<random.IntN(15))
	}
	start := s.reader(t, rig, "", w.log) // before anything is written
	var all sync.WaitGroup
	all.Go(func() {
		random := rand.New(rand.NewPCG(seed, 5))
		for w.written < total {
			if w.written == kickAt {
				w.kick("eve")
			} else {
				w.write(1)
			}
			if random.IntN(2) == 0 {
				time.Sleep(time.Duration(random.IntN(3000)) * time.Microsecond) // so that some find it live
			}
		}
	})
	for i, viewer := range []string{"ada", "bob", "cyd", "eve"} {
		all.Go(func() {
			r := *start
			r.viewer = viewer
			p := &passerby{Rand: rand.New(rand.NewPCG(seed, uint64(10+i))), reader: &r, last: total}
			if p.kicked = viewer == "eve" && kickAt < total; p.kicked {
				p.last = kickAt + 1
			}
			p.run()
		})
	}
	all.Wait()
}

// passerby is a reader who comes and goes, until so many events were seen. Whoever is kicked by the last one needn't have
// been there.
type passerby struct {
	*rand.Rand
	*reader
	last   int
	kicked bool
	// told is how much came since it last subscribed.
	told int
}

func (p *passerby) run() {
	visits := p.IntN(4)
	for visit := 0; p.seen < p.last && !p.t.Failed(); visit++ {
		p.connect()
		p.told = 0
		for stay := true; stay; {
			want := p.last
			if visit < visits {
				want = min(want, p.seen+p.IntN(8))
			}
			if !p.readUpTo(want) {
				p.goAway()
				return
			}
			stay = p.seen < p.last && p.IntN(3) == 0 && p.resubscribe()
		}
		p.goAway()
	}
	if p.seen > p.last {
		p.t.Errorf("%d events, want %d", p.seen, p.last)
	}
}

// readUpTo reads until so many events were seen; false means that the subscription has ended.
func (p *passerby) readUpTo(count int) bool {
	for p.seen < count {
		item := p.read()
		if item.Kind == Event || item.Kind == Position {
			p.told++
			continue
		}
		if !p.kicked || item.Code != "FORBIDDEN" || p.told > 0 && p.seen < p.last {
			p.t.Errorf("got %+v after %d of %d events, %d of them by this subscription", item, p.seen, p.last, p.told)
		}
		return false
	}
	return true
}

// resubscribe unsubscribes and subscribes again, on the same connection where there is more than one operation.
func (p *passerby) resubscribe() bool {
	stream, ok := p.stream.(Multiplexed)
	if ok {
		p.unsubscribe()
		p.operation += "+" // what is on its way still is of the old one
		stream.Start(p.operation, ticks(p.log), p.cursor)
		p.told = 0
	}
	return ok
}

func (p *passerby) goAway() {
	if polite, ok := p.stream.(Polite); ok && p.IntN(4) == 0 {
		polite.Leave()
	}
	p.stream.Close()
	p.operation = ""
}
