package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"parley/auth"
)

const manyRevocations = 1 << 20

func testRevocations(r rig) {
	r.sub("are listed in the order they were made", revocationsListed)
	r.sub("made again move to the end", revocationsAgain)
	r.sub("recorded again keep their time", revocationsRestored)
	r.sub("end with the tokens", revocationsEnd)
	r.sub("are bounded", revocationsBounded)
	r.sub("that are over take no room", revocationsOver)
	r.sub("are told to who watches", revocationsWatched)
	r.sub("made by many at once are all listed", revocationsAtOnce)
}

func (r rig) revoke(what auth.Revocation, keep time.Duration) auth.Revocation {
	r.Helper()
	made, err := r.Revoke(r.Context(), what, keep, manyRevocations)
	r.must("Revoke", err)
	return made
}

// revocations reads the list after a mark, in pages of two.
func (r rig) revocations(after uint64) (list []auth.Revocation, next uint64) {
	r.Helper()
	for {
		page, err := r.Store.Revocations(r.Context(), after, 2)
		r.must("Revocations", err)
		list = append(list, page.Revocations...)
		if len(page.Revocations) < 2 {
			return list, page.Next
		}
		if page.First <= after || page.Next <= page.First {
			r.Fatalf("a page of %d after %d goes from %d to %d", len(page.Revocations), after, page.First, page.Next)
		}
		after = page.Next
	}
}

func (r rig) tail() uint64 {
	r.Helper()
	_, next := r.revocations(0)
	return next
}

func revocationsListed(r rig) {
	begin := r.tail()
	var want []auth.Revocation
	for i := range 5 {
		want = append(want,
			r.revoke(auth.Revocation{User: unique("u:ser")}, 0),
			r.revoke(auth.Revocation{Token: unique(fmt.Sprint("t: {ö} ", i))}, time.Hour))
	}
	for i, made := range want {
		if made.At.IsZero() || made.Until.IsZero() != (made.Token == "") || made.Token != "" && made.Until.Sub(made.At) != time.Hour {
			r.Errorf("revocation %d: %+v", i, made)
		}
	}
	got, end := r.revocations(begin)
	if !slices.Equal(got, want) {
		r.Errorf("got  %+v\nwant %+v", got, want)
	}
	last, err := r.Store.Revocations(r.Context(), end-1, 10)
	r.must("Revocations", err)
	if len(last.Revocations) != 1 || last.Revocations[0] != want[9] || last.First != end || last.Next != end {
		r.Errorf("read again, the last one, at %d, is %+v", end, last)
	}
	none, err := r.Store.Revocations(r.Context(), end, 10)
	r.must("Revocations", err)
	if len(none.Revocations) != 0 || none.First != end || none.Next != end || none.Now.Before(want[9].At) {
		r.Errorf("after the last one, at %d, comes %+v", end, none)
	}
}

func revocationsAgain(r rig) {
	ada, bob := auth.Revocation{User: unique("ada")}, auth.Revocation{User: unique("bob")}
	first := r.revoke(ada, 0)
	middle := r.tail()
	r.revoke(bob, 0)
	r.tick()
	again := r.revoke(ada, 0)
	if !again.At.After(first.At) {
		r.Errorf("made at %v, and again at %v", first.At, again.At)
	}
	got, _ := r.revocations(middle)
	if len(got) != 2 || got[0].User != bob.User || got[1] != again {
		r.Errorf("after the first: %+v", got)
	}
}

func revocationsRestored(r rig) {
	ada := r.revoke(auth.Revocation{User: unique("ada")}, 0)
	end := r.tail()
	r.tick()
	if again := r.revoke(ada, 0); again != ada {
		r.Errorf("restored as %+v, was %+v", again, ada)
	}
	if older := r.revoke(auth.Revocation{User: ada.User, At: ada.At.Add(-time.Hour)}, 0); older != ada {
		r.Errorf("an older one makes %+v of %+v", older, ada)
	}
	if got, _ := r.revocations(end); len(got) != 0 {
		r.Errorf("recorded twice: %+v", got)
	}
	lost := auth.Revocation{Token: unique("token"), At: ada.At.Add(-time.Hour)}
	if made := r.revoke(lost, 0); made != lost {
		r.Errorf("restored as %+v, was %+v", made, lost)
	}
	if over := r.revoke(auth.Revocation{Token: unique("token"), At: ada.At.Add(-time.Hour)}, time.Minute); over.Until.After(ada.At) {
		r.Errorf("long over: %+v", over)
	}
	if got, _ := r.revocations(end); !slices.Equal(got, []auth.Revocation{lost}) {
		r.Errorf("restored: %+v", got)
	}
}

func revocationsEnd(r rig) {
	brief := r.revoke(auth.Revocation{User: unique("brief")}, time.Millisecond)
	r.tick()
	r.tick()
	r.eventually("what is over makes room", func() bool {
		_, err := r.Revoke(r.Context(), auth.Revocation{User: unique("another")}, time.Millisecond, 1<<10)
		r.must("Revoke", err)
		return true
	})
	again := r.revoke(auth.Revocation{User: brief.User}, 0)
	if !again.At.After(brief.At) || !again.Until.IsZero() {
		r.Errorf("made again: %+v after %+v", again, brief)
	}
}

func revocationsBounded(r rig) {
	ada := r.revoke(auth.Revocation{User: unique("ada")}, 0)
	if _, err := r.Revoke(r.Context(), auth.Revocation{User: unique("bob")}, 0, 1); !errors.Is(err, auth.ErrRevocationsFull) {
		r.Errorf("beyond the bound: %v", err)
	}
	r.tick()
	if again, err := r.Revoke(r.Context(), auth.Revocation{User: ada.User}, 0, 1); err != nil || !again.At.After(ada.At) {
		r.Errorf("one that is there already: %+v, %v", again, err)
	}
}

func revocationsOver(r rig) {
	r.revoke(auth.Revocation{User: unique("eternal")}, 0)
	var last auth.Revocation
	for range 3 {
		last = r.revoke(auth.Revocation{Token: unique("brief")}, 20*time.Millisecond)
	}
	r.pass(40 * time.Millisecond)
	all, end := r.revocations(0)
	if page, err := r.Store.Revocations(r.Context(), end, 10); err != nil || page.Now.Before(last.Until) {
		r.Errorf("read at %v, by the store's clock, after %v: %v", page.Now, last.Until, err)
	}
	live := 0
	for _, one := range all {
		if one.Until.IsZero() || one.Until.After(last.Until) {
			live++
		}
	}
	if _, err := r.Revoke(r.Context(), auth.Revocation{User: unique("ada")}, time.Hour, live+1); err != nil {
		r.Errorf("with %d kept, of which %d aren't over: %v", len(all), live, err)
	}
	if _, err := r.Revoke(r.Context(), auth.Revocation{User: unique("bob")}, time.Hour, live+1); !errors.Is(err, auth.ErrRevocationsFull) {
		r.Errorf("beyond the bound: %v", err)
	}
}

func revocationsWatched(r rig) {
	var looks atomic.Int64
	stop, err := r.WatchRevocations(r.Context(), func() { looks.Add(1) })
	r.must("WatchRevocations", err)
	r.revoke(auth.Revocation{User: unique("ada")}, 0)
	r.eventually("the watcher is told", func() bool { return looks.Load() > 0 })
	stop()
	before := looks.Load()
	r.revoke(auth.Revocation{User: unique("ada")}, 0)
	if looks.Load() != before {
		r.Error("told after stop")
	}
}

func revocationsAtOnce(r rig) {
	begin := r.tail()
	n := scaled(50, 500)
	together(10, func(int) {
		for range n {
			if _, err := r.Revoke(r.Context(), auth.Revocation{User: unique("u")}, 0, manyRevocations); err != nil {
				r.Errorf("Revoke: %v", err)
			}
		}
	})
	if got, _ := r.revocations(begin); len(got) != 10*n {
		r.Errorf("%d listed of %d", len(got), 10*n)
	}
}
