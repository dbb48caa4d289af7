package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"time"

	"parley/reservation"
)

func testReservations(r rig) {
	r.sub("are changed, version by version", reservationChanged)
	r.sub("keep parts", reservationParts)
	r.sub("are changed by one of many at once", reservationAtOnce)
	r.sub("end", reservationEnds)
	r.sub("are dropped", reservationDropped)
	r.sub("of one user are bounded", reservationsBounded)
	r.sub("are told of to who watches", reservationWatched)
}

const manyReservations = 100

// reserve puts a reservation of somebody's.
func (r rig) reserve(user string, ttl time.Duration, most int) reservation.Record {
	r.Helper()
	made := reservation.Record{ID: unique("reservation"), User: user, Version: 1, State: []byte(`{"pay": "lo\u0000ad 🦜"}`)}
	r.must("PutReservation", r.PutReservation(r.Context(), made, ttl, most))
	return made
}

// reserved fails the test unless a reservation is as it should be.
func (r rig) reserved(want reservation.Record, parts ...string) {
	r.Helper()
	got, err := r.Reservation(r.Context(), want.ID, parts...)
	r.must("Reservation", err)
	same := got.ID == want.ID && got.User == want.User && got.Version == want.Version && bytes.Equal(got.State, want.State)
	if !same || !maps.EqualFunc(got.Parts, want.Parts, bytes.Equal) {
		r.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// ended reports whether a reservation is no more.
func (r rig) ended(id string) bool {
	r.Helper()
	_, err := r.Reservation(r.Context(), id)
	if err != nil && !errors.Is(err, reservation.ErrNone) {
		r.Fatalf("a reservation that may have ended: %v", err)
	}
	return err != nil
}

func reservationChanged(r rig) {
	made := r.reserve(unique("ada"), time.Hour, manyReservations)
	r.reserved(made)
	for range 3 {
		state := []byte(fmt.Sprintf(`{"after": %d}`, made.Version))
		r.must("ChangeReservation", r.ChangeReservation(r.Context(), made.ID, reservation.Change{Expect: made.Version, State: state}))
		late := r.ChangeReservation(r.Context(), made.ID, reservation.Change{
			Expect: made.Version, State: []byte(`{"late": true}`), Put: map[string][]byte{"late": []byte("1")},
		})
		if !errors.Is(late, reservation.ErrChanged) {
			r.Errorf("another change of version %d: %v", made.Version, late)
		}
		made.Version, made.State = made.Version+1, state
		r.reserved(made, "late")
	}
	err := r.ChangeReservation(r.Context(), unique("none"), reservation.Change{Expect: 1, State: []byte("{}")})
	if !r.ended(unique("none")) || !errors.Is(err, reservation.ErrNone) {
		r.Errorf("one that isn't there: %v", err)
	}
}

func reservationParts(r rig) {
	made := r.reserve(unique("ada"), time.Hour, manyReservations)
	large := []byte(`"` + strings.Repeat("x", 1<<20) + `"`)
	change := func(put map[string][]byte, drop ...string) {
		r.Helper()
		c := reservation.Change{Expect: made.Version, State: made.State, Put: put, Drop: drop}
		r.must("ChangeReservation", r.ChangeReservation(r.Context(), made.ID, c))
		made.Version++
	}
	change(map[string][]byte{"a": []byte("1"), "b": large, "version": []byte("7")})
	made.Parts = map[string][]byte{"a": []byte("1"), "b": large, "version": []byte("7")}
	r.reserved(made, "a", "b", "c", "version")
	made.Parts = map[string][]byte{"a": []byte("1")}
	r.reserved(made, "a")
	change(map[string][]byte{"a": []byte("2")}, "b", "nothing")
	made.Parts = map[string][]byte{"a": []byte("2"), "version": []byte("7")}
	r.reserved(made, "a", "b", "version")
}

func reservationAtOnce(r rig) {
	made := r.reserve(unique("ada"), time.Hour, manyReservations)
	var first atomic.Int64
	together(20, func(i int) {
		err := r.ChangeReservation(r.Context(), made.ID, reservation.Change{Expect: 1, State: []byte("{}")})
		switch {
		case err == nil:
			first.Add(1)
		case !errors.Is(err, reservation.ErrChanged):
			r.Errorf("ChangeReservation: %v", err)
		}
	})
	if first.Load() != 1 {
		r.Errorf("%d changes of one version", first.Load())
	}
}

func reservationEnds(r rig) {
	brief, kept := r.reserve(unique("ada"), 20*time.Millisecond, manyReservations), r.reserve(unique("bob"), 2*time.Second, manyReservations)
	r.pass(40 * time.Millisecond)
	err := r.ChangeReservation(r.Context(), brief.ID, reservation.Change{Expect: 1, State: brief.State, TTL: time.Hour})
	if !r.ended(brief.ID) || !errors.Is(err, reservation.ErrNone) {
		r.Errorf("it is kept too long: %v", err)
	}
	r.must("ChangeReservation", r.ChangeReservation(r.Context(), kept.ID, reservation.Change{Expect: 1, State: kept.State}))
	r.must("ChangeReservation", r.ChangeReservation(r.Context(), kept.ID, reservation.Change{Expect: 2, State: kept.State, TTL: time.Hour}))
	r.must("ChangeReservation", r.ChangeReservation(r.Context(), kept.ID, reservation.Change{Expect: 3, State: kept.State}))
	r.pass(2100 * time.Millisecond)
	kept.Version = 4
	r.reserved(kept)
}

func reservationDropped(r rig) {
	made := r.reserve(unique("ada"), time.Hour, manyReservations)
	r.must("ChangeReservation", r.ChangeReservation(r.Context(), made.ID, reservation.Change{
		Expect: 1, State: made.State, Put: map[string][]byte{"a": []byte("1")},
	}))
	for range 2 {
		r.must("DropReservation", r.DropReservation(r.Context(), made.ID))
		if !r.ended(made.ID) {
			r.Error("it is there still")
		}
	}
}

func reservationsBounded(r rig) {
	user, stranger := unique("ada"), r.reserve(unique("bob"), time.Hour, 3)
	soon, later := r.reserve(user, time.Hour, 3), r.reserve(user, 2*time.Hour, 3)
	r.must("ChangeReservation", r.ChangeReservation(r.Context(), soon.ID, reservation.Change{Expect: 1, State: soon.State, TTL: 3 * time.Hour}))
	third := r.reserve(user, time.Minute, 3)
	fourth := r.reserve(user, time.Second, 3) // which would end first, but has only just been made
	if !r.ended(third.ID) || r.ended(fourth.ID) || r.ended(soon.ID) || r.ended(later.ID) || r.ended(stranger.ID) {
		r.Error("another one went than that which would have ended first")
	}
	r.must("DropReservation", r.DropReservation(r.Context(), soon.ID))
	r.reserve(user, time.Hour, 3)
	if r.ended(later.ID) || r.ended(fourth.ID) {
		r.Error("one went that there was room for")
	}
	brief := unique("carol")
	r.reserve(brief, 20*time.Millisecond, 2)
	stays := r.reserve(brief, time.Hour, 2)
	r.pass(40 * time.Millisecond)
	r.reserve(brief, 2*time.Hour, 2)
	if r.ended(stays.ID) {
		r.Error("one that had ended pushed another out")
	}
}

func reservationWatched(r rig) {
	made := r.reserve(unique("ada"), time.Hour, 1)
	var looks atomic.Int64
	stop, err := r.WatchReservation(r.Context(), made.ID, func() { looks.Add(1) })
	r.must("WatchReservation", err)
	r.must("ChangeReservation", r.ChangeReservation(r.Context(), made.ID, reservation.Change{Expect: 1, State: made.State}))
	r.eventually("the watcher is told of a change", func() bool { return looks.Load() > 0 })
	before := looks.Load()
	r.reserve(made.User, time.Hour, 1)
	r.eventually("the watcher is told of the end", func() bool { return looks.Load() > before })
	stop()
	before = looks.Load()
	r.must("DropReservation", r.DropReservation(r.Context(), made.ID))
	if looks.Load() != before {
		r.Error("told after stop")
	}
}
