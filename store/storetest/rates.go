package storetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"pgregory.net/rapid"

	"parley/chat"
	"parley/ratelimit"
)

func testRates(r rig) {
	r.sub("a burst, and no more", rateBurst)
	r.sub("by many at once", rateAtOnce)
	r.sub("as the model says", rateModel)
	r.sub("covered again when it says", rateRetryAfter)
	r.sub("a greater limit's past is no burden", rateShrinks)
	r.sub("a limit that bounds nothing", rateUnlimited)
	r.sub("an append pays with its step", rateAppend)
	r.sub("an append that isn't covered leaves no trace", rateNoTrace)
	r.sub("a repeat costs nothing", rateRepeat)
	r.sub("appends by many at once", rateAppendsAtOnce)
}

// slow is a limit that doesn't refill while a test runs.
func slow(burst int) ratelimit.Limit {
	return ratelimit.Limit{Count: 1, Period: 10 * time.Minute, Burst: burst}
}

// costing returns a cost of a rate that nobody else uses.
func costing(limit ratelimit.Limit) ratelimit.Cost {
	return ratelimit.Cost{Name: "test", Key: unique("rate/of: {somebody}"), Limit: limit}
}

// limited fails unless err is a refusal by the limit of that name, with a time to come back.
func (r rig) limited(err error, name string) time.Duration {
	r.Helper()
	refused, ok := errors.AsType[*ratelimit.Exceeded](err)
	if !ok || refused.Name != name || refused.RetryAfter <= 0 {
		r.Fatalf("%v (%+v), want a refusal by %q", err, refused, name)
	}
	return refused.RetryAfter
}

func rateBurst(r rig) {
	cost, other := costing(slow(5)), costing(slow(5))
	for range 5 {
		r.must("Take", r.Take(r.Context(), cost))
	}
	for range 3 {
		wait := r.limited(r.Take(r.Context(), cost), "test")
		if wait > 10*time.Minute || wait < 9*time.Minute {
			r.Fatalf("come back in %v", wait)
		}
	}
	r.must("another key", r.Take(r.Context(), other))
	other.N = 4
	r.must("four at once", r.Take(r.Context(), other))
	r.limited(r.Take(r.Context(), other), "test")
}

func rateAtOnce(r rig) {
	for range scaled(3, 30) {
		cost := costing(slow(20))
		var covered atomic.Int64
		together(50, func(int) {
			if r.Take(r.Context(), cost) == nil {
				covered.Add(1)
			}
		})
		r.same("covered of 50", covered.Load(), int64(20))
	}
}

// rateModel: takes of one moment, as the arithmetic in memory judges them.
func rateModel(r rig) {
	r.property(20, 300, func(r rig, t *rapid.T) {
		table := ratelimit.NewTable(100)
		costs := []ratelimit.Cost{costing(slow(7)), costing(slow(1)), costing(slow(30))}
		for i := range rapid.IntRange(1, 40).Draw(t, "takes") {
			cost := rapid.SampledFrom(costs).Draw(t, "cost")
			cost.N = rapid.IntRange(0, 9).Draw(t, "n")
			want, got := table.Take(time.Now(), cost), r.Take(r.Context(), cost)
			wantWait, _ := ratelimit.RetryAfter(want)
			gotWait, limited := ratelimit.RetryAfter(got)
			if got != nil && !limited || (got == nil) != (want == nil) || (gotWait-wantWait).Abs() > time.Minute {
				t.Fatalf("take %d of %+v: %v, want %v", i, cost, got, want)
			}
		}
	})
}

func rateRetryAfter(r rig) {
	cost := costing(ratelimit.Limit{Count: 10, Period: time.Second, Burst: 2})
	var err error
	for range 100 { // a slow machine may take longer for two than it takes to be paid back
		if err = r.Take(r.Context(), cost); err != nil {
			break
		}
	}
	wait := r.limited(err, "test")
	if wait > 100*time.Millisecond {
		r.Fatalf("come back in %v", wait)
	}
	r.pass(wait + 2*time.Millisecond) // of different clocks
	r.must("after that time", r.Take(r.Context(), cost))
}

func rateShrinks(r rig) {
	cost := costing(ratelimit.Limit{Count: 1, Period: 10 * time.Minute, Burst: 100})
	cost.N = 100
	r.must("a great burst", r.Take(r.Context(), cost))
	cost.Limit, cost.N = ratelimit.Limit{Count: 10, Period: time.Second, Burst: 1}, 1
	r.must("by a small limit", r.Take(r.Context(), cost))
}

func rateUnlimited(r rig) {
	cost := costing(ratelimit.Limit{})
	ada := person("ada")
	room := r.group(ada)
	for i := range 20 {
		r.must("Take", r.Take(r.Context(), cost))
		r.append(paying(sending(room, ada, fmt.Sprint(i)), cost))
	}
}

// paying adds costs to an append.
func paying(a chat.Append, costs ...ratelimit.Cost) chat.Append {
	a.Costs = costs
	return a
}

func rateAppend(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada, bob)
	all, hers, his := costing(slow(5)), costing(slow(3)), costing(slow(3))
	all.Name, hers.Name, his.Name = "all", "one", "one"
	for i := range 3 {
		r.append(paying(sending(room, ada, fmt.Sprint(i)), hers, all))
	}
	_, err := r.Append(r.Context(), paying(sending(room, ada, "one too many"), hers, all))
	r.limited(err, "one")
	r.append(paying(editing(room, bob, 1, "edited"), his, all)) // what ada was refused cost nothing
	r.append(paying(deleting(room, bob, 1), his, all))
	_, err = r.Append(r.Context(), paying(sending(room, bob, "the room's sixth"), his, all))
	r.limited(err, "all")
	r.append(paying(sending(room, bob, "his third"), his))
	_, err = r.Append(r.Context(), paying(leaving(room, bob), his))
	r.limited(err, "one")
	cyd, hall := person("cyd"), costing(slow(1))
	r.append(paying(joining(room, cyd), hall))
	_, err = r.Append(r.Context(), paying(leaving(room, cyd), hall))
	r.limited(err, "test")
	r.same("messages", r.room(room).LastSeq, uint64(4))
	r.same("members", r.room(room).MemberCount, 3)
}

func rateNoTrace(r rig) {
	ada, bob := person("ada"), person("bob")
	room := r.group(ada)
	r.send(room, ada, "one")
	spent := costing(slow(1))
	r.append(paying(editing(room, ada, 1, "1"), spent))
	before, log := r.room(room), len(r.history(room))
	settings := plain
	settings.Name = "Another name"
	for _, a := range []chat.Append{
		sending(room, ada, "two"), sendingOnce(room, ada, "three", "key"), editing(room, ada, 1, "one again"),
		deleting(room, ada, 1), joining(room, bob), updating(room, ada, settings), leaving(room, ada),
	} {
		_, err := r.Append(r.Context(), paying(a, spent))
		r.limited(err, "test")
	}
	r.same("room", r.room(room), before)
	r.same("entries", len(r.history(room)), log)
	r.same("content", r.message(room, 1).Content, "1")
	if row := r.view(room, bob.ID).Members[bob.ID]; row != nil {
		r.Fatalf("a refused joining left %+v", row)
	}
	done := r.append(sendingOnce(room, ada, "another three", "key")) // the key isn't used up
	r.same("seq", done.Message.Seq, uint64(2))
}

func rateRepeat(r rig) {
	ada := person("ada")
	room := r.group(ada)
	cost := costing(slow(2))
	once := paying(sendingOnce(room, ada, "hello", "key"), cost)
	first := r.append(once)
	for range 5 {
		if again := r.append(once); !again.Repeat {
			r.Fatalf("%+v, want a repeat", again)
		}
	}
	r.append(paying(sending(room, ada, "the second"), cost))
	_, err := r.Append(r.Context(), paying(sending(room, ada, "the third"), cost))
	r.limited(err, "test")
	again := r.append(once)
	r.same("a repeat by one who is limited", again.Message.ID(), first.Message.ID())
	moved := r.append(paying(sending(room, ada, "x"), costing(slow(1))))
	stale := expecting(editing(room, ada, moved.Message.Seq, "y"), chat.Expect{Message: 99})
	_, err = r.Append(r.Context(), paying(stale, cost))
	r.same("what moved is told before what it costs", errors.Is(err, chat.ErrMoved), true)
}

func rateAppendsAtOnce(r rig) {
	ada := person("ada")
	room := r.group(ada)
	cost := costing(slow(20))
	var written atomic.Int64
	together(50, func(i int) {
		_, err := r.Append(r.Context(), paying(sending(room, ada, fmt.Sprint(i)), cost))
		if err == nil {
			written.Add(1)
		} else if _, limited := ratelimit.RetryAfter(err); !limited {
			r.Errorf("Append: %v", err)
		}
	})
	r.same("written of 50", written.Load(), int64(20))
	r.same("messages", r.room(room).LastSeq, uint64(20))
}
