package sse_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parley/eventlog"
	"parley/reservation"
	"parley/reservation/reservationtest"
	"parley/transport"
	"parley/transport/transporttest"
)

// TestSingleResume: however often, and wherever, the stream is cut and opened again, each operation tells everything once,
// in order. Now and then the old stream is left open, as when the server can't know that its client has gone.
func TestSingleResume(t *testing.T) {
	n := newSingle(t, transport.Options{}, reservation.Options{})
	m := reserve(t, n, "ada")
	published, heard := map[string]int{}, map[string]int{}
	publish := func(count int) {
		for range count {
			log := []string{"a", "b"}[rand.IntN(2)]
			n.Tick(log, fmt.Sprint(published[log]))
			published[log]++
		}
	}
	m.run(n, "a", `subscription { ticks(log: "a") }`)
	m.run(n, "b", `subscription { ticks(log: "b") }`)
	asked, answered, last := 0, 0, ""
	half := "" // an operation whose end is to come
	for round := range 40 {
		publish(4)
		if round%3 == 0 {
			m.run(n, fmt.Sprint("q", asked), fmt.Sprintf(`{ hello(name: "%d") }`, asked))
			asked++
		}
		s := m.open(n, last)
		for last == "" { // a client knows a position before any event, by which it needn't wait for the old stream's end
			b, err := s.block()
			if err != nil {
				t.Fatal(err)
			}
			last = b.id
		}
		publish(2)
		for range rand.IntN(6) {
			event := hear(s)
			switch last = event.last; {
			case event.event == "complete":
				if event.id != half {
					t.Fatalf("%s completes, not %s", event.id, half)
				}
				half = ""
			case strings.HasPrefix(event.id, "q"):
				if want := fmt.Sprint("hello ", answered); event.value != want || event.id != fmt.Sprint("q", answered) {
					t.Fatalf("got %+v, want %s", event, want)
				}
				half = event.id
				answered++
			default:
				if want := fmt.Sprint(heard[event.id]); event.value != want {
					t.Fatalf("%s: got %s, want %s", event.id, event.value, want)
				}
				heard[event.id]++
			}
		}
		if round%4 > 0 {
			s.Close()
		}
	}
	s := m.open(n, last)
	for heard["a"] < published["a"] || heard["b"] < published["b"] || answered < asked || half != "" {
		event := hear(s)
		switch {
		case event.event == "complete":
			half = ""
		case strings.HasPrefix(event.id, "q"):
			answered, half = answered+1, event.id
		default:
			if want := fmt.Sprint(heard[event.id]); event.value != want {
				t.Fatalf("%s: got %s, want %s", event.id, event.value, want)
			}
			heard[event.id]++
		}
	}
	s.Close()
}

// TestSingleTakeOver: the stream that was left is ended without a word to the operations.
func TestSingleTakeOver(t *testing.T) {
	n := newSingle(t, transport.Options{}, reservation.Options{})
	m := reserve(t, n, "ada")
	m.run(n, "s", `subscription { ticks(log: "a") }`)
	old := m.open(n, "")
	n.Tick("a", "1")
	last := hears(old, next("s", "1"))
	s := m.open(n, last)
	for {
		if b, err := old.block(); errors.Is(err, io.EOF) {
			break
		} else if err != nil || b.event != "" {
			t.Fatalf("got %+v, %v", b, err)
		}
	}
	n.Tick("a", "2")
	hears(s, next("s", "2"))
	s.Close()
}

// TestSingleDeadOwner: a stream of a node that is no more is found out by asking it.
func TestSingleDeadOwner(t *testing.T) {
	store := reservationtest.NewMemory()
	n := newNode(t, store, transport.Options{}, reservation.Options{})
	m := reserve(t, n, "ada")
	m.run(n, "s", `subscription { ticks(log: "a") }`)
	dead := reservation.NewBook(store, reservation.Options{})
	found, err := dead.Find(t.Context(), m.token)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dead.Claim(t.Context(), found, reservation.Holder{}, nil); err != nil {
		t.Fatal(err)
	}
	n.Tick("a", "1")
	s := m.open(n, "")
	hears(s, next("s", "1"))
	s.Close()
}

// TestSingleEnds: what ends subscriptions by the server's word is told once, over whichever stream.
func TestSingleEnds(t *testing.T) {
	n := newSingle(t, transport.Options{}, reservation.Options{})
	m := reserve(t, n, "ada")
	m.run(n, "s", `subscription { ticks(log: "a") }`)
	s := m.open(n, "")
	n.Tick("a", "1")
	hears(s, next("s", "1"))
	n.Logs.Publish("a", transporttest.KindTick, "2", eventlog.AccessChange{Principal: "ada", Change: eventlog.AccessRevoked})
	before := hears(s, next("s", "2"))
	after := hears(s, told{event: "next", id: "s", code: "FORBIDDEN"})
	end := hears(s, complete("s"))
	m.run(n, "s", `{ hello }`) // the id is free
	hears(s, next("s", "hello"))
	hears(s, complete("s"))
	s.Close()
	for _, test := range []struct {
		last string
		want []told
	}{
		{before, []told{{event: "next", id: "s", code: "FORBIDDEN"}, complete("s"), next("s", "hello"), complete("s")}},
		{after, []told{complete("s"), next("s", "hello"), complete("s")}},
		{end, []told{next("s", "hello"), complete("s")}},
	} {
		s := m.open(n, test.last)
		for _, event := range test.want {
			hears(s, event)
		}
		s.Close()
	}
}

func TestSingleLimits(t *testing.T) {
	n := newSingle(t, transport.Options{}, reservation.Options{Operations: 2, Bytes: 300, TTL: 50 * time.Millisecond})
	t.Run("one operation too many ends with LIMIT_EXCEEDED", func(t *testing.T) {
		m := reserve(t, n, "ada")
		s := m.open(n, "")
		for _, id := range []string{"1", "2", "3"} {
			m.run(n, id, `subscription { ticks(log: "a") }`)
		}
		hears(s, told{event: "next", id: "3", code: "LIMIT_EXCEEDED"})
		hears(s, complete("3"))
		s.Close()
	})
	t.Run("requests that take too much room end with LIMIT_EXCEEDED", func(t *testing.T) {
		m := reserve(t, n, "ada")
		s := m.open(n, "")
		m.run(n, "1", `subscription { ticks(log: "`+strings.Repeat("a", 300)+`") }`)
		hears(s, told{event: "next", id: "1", code: "LIMIT_EXCEEDED"})
		s.Close()
	})
	t.Run("it is kept for a while only", func(t *testing.T) {
		m := reserve(t, n, "ada")
		transporttest.Wait(t, "it has ended", func() bool {
			response, _ := m.ask(n, "DELETE", "?operationId=1", "", nil)
			return response.StatusCode == 404
		})
	})
	t.Run("an answer for which there is no room is told to be lost", func(t *testing.T) {
		m := reserve(t, n, "ada")
		s := m.open(n, "")
		for range 3 {
			m.run(n, "1", `{ big(size: 200) }`) // there is room as soon as the one before has been sent
			hears(s, next("1", strings.Repeat("b", 200)))
			hears(s, complete("1"))
		}
		s.Close()
	})
}

// TestSingleOver: a stream whose reservation has gone ends, and its client may come back, to make another one.
func TestSingleOver(t *testing.T) {
	n := newSingle(t, transport.Options{}, reservation.Options{Most: 1})
	m := reserve(t, n, "ada")
	m.run(n, "s", `subscription { ticks(log: "a") }`)
	s := m.open(n, "")
	n.Tick("a", "1")
	hears(s, next("s", "1"))
	reserve(t, n, "ada")
	for {
		b, err := s.block()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || b.event != "" {
			t.Fatalf("got %+v, %v", b, err)
		}
	}
	m.expect(n, "DELETE", "?operationId=s", "", nil, 404, "NOT_FOUND")
}

// TestSingleExpiry: each operation is told why; the reservation has ended with them.
func TestSingleExpiry(t *testing.T) {
	n := newSingle(t, transport.Options{Expires: func(context.Context) (time.Time, bool) {
		return time.Now().Add(300 * time.Millisecond), true
	}}, reservation.Options{})
	m := reserve(t, n, "ada")
	m.run(n, "a", `subscription { ticks(log: "a") }`)
	m.run(n, "b", `subscription { ticks(log: "b") }`)
	s := m.open(n, "")
	for _, id := range []string{"a", "b"} {
		if got := hear(s); got.id != id || got.code != "UNAUTHENTICATED" {
			t.Fatalf("got %+v", got)
		}
		if got := hear(s); got.id != id || got.event != "complete" {
			t.Fatalf("got %+v", got)
		}
	}
	transporttest.Wait(t, "it has ended", func() bool { return n.store.Len() == 0 })
}

// TestSingleStoreFails: while the store can't be asked nobody is told anything wrong, and then all goes on.
func TestSingleStoreFails(t *testing.T) {
	n := newSingle(t, transport.Options{}, reservation.Options{})
	m := reserve(t, n, "ada")
	m.run(n, "s", `subscription { ticks(log: "a") }`)
	s := m.open(n, "")
	n.Tick("a", "1")
	hears(s, next("s", "1"))
	n.store.Fail(errors.New("the store can't answer"))
	for _, method := range []string{http.MethodPut, http.MethodDelete} {
		m.expect(n, method, "?operationId=1", "", nil, 503, "UNAVAILABLE")
	}
	if response, _ := m.post(n, "q", `{ hello }`, ""); response.StatusCode != 503 {
		t.Errorf("POST: got %d", response.StatusCode)
	}
	if got := m.tryOpen(n, ""); got.response.StatusCode != 503 {
		t.Errorf("GET: got %d", got.response.StatusCode)
	}
	n.Logs.Publish("a", transporttest.KindTick, "2", eventlog.AccessChange{Principal: "ada", Change: eventlog.AccessRevoked})
	hears(s, next("s", "2"))
	n.store.Fail(nil)
	hears(s, told{event: "next", id: "s", code: "FORBIDDEN"})
	hears(s, complete("s"))
	s.Close()
}

// TestSingleRenewed: an operation that comes with a newer token has the stream go on with it, even if that can't be judged
// at first.
func TestSingleRenewed(t *testing.T) {
	n := newSingle(t, transport.Options{}, reservation.Options{})
	m := reserve(t, n, "ada")
	s := m.open(n, "")
	m.run(n, "1", `{ hello }`)
	hears(s, next("1", "hello"))
	hears(s, complete("1"))
	before := renewed.Load()
	unsure.Store(2)
	m.run(n, "2", `{ hello }`) // each of the test's tokens ends later than the one before
	transporttest.Wait(t, "the stream is renewed", func() bool { return renewed.Load() > before })
	s.Close()
}

// hooked is a store to which something happens right behind the next change.
type hooked struct {
	*reservationtest.Memory
	next atomic.Pointer[func()]
}

func (h *hooked) ChangeReservation(ctx context.Context, id string, c reservation.Change) error {
	err := h.Memory.ChangeReservation(ctx, id, c)
	if then := h.next.Swap(nil); then != nil {
		(*then)()
	}
	return err
}

// TestSingleRenewedAtOnce: so does one that comes before the stream has looked for the first time.
func TestSingleRenewedAtOnce(t *testing.T) {
	store := &hooked{Memory: reservationtest.NewMemory()}
	n := &node{transporttest.NewRig(t, transport.Options{}, singleOf(store, reservation.Options{}), construct), store.Memory}
	m := reserve(t, n, "ada")
	id, err := reservation.IDOf(m.token)
	if err != nil {
		t.Fatal(err)
	}
	before := renewed.Load()
	m.run(n, "0", `{ hello }`)
	s := m.open(n, "")
	hears(s, next("0", "hello"))
	last := hears(s, complete("0"))
	s.Close()
	transporttest.Wait(t, "it is given up", func() bool { return n.Service.Len() == 0 })
	if renewed.Load() > before {
		t.Fatal("renewed by the token that it was opened with")
	}
	begun := make(chan error, 1)
	elsewhere := func() {
		later := reservation.Holder{User: "ada", Viewer: []byte(`{}`), Expires: time.Now().Add(2 * time.Hour)}
		_, err := reservation.NewBook(store, reservation.Options{}).Begin(t.Context(), id, later, reservation.Request{ID: "1", Once: true})
		begun <- err
	}
	store.next.Store(&elsewhere)
	s = m.open(n, last)
	if err := <-begun; err != nil {
		t.Fatal(err)
	}
	transporttest.Wait(t, "the stream is renewed", func() bool { return renewed.Load() > before })
	s.Close()
}

// TestSingleIsBounded: an id: with as many subscriptions as may be fits into a header, and comes back in one.
func TestSingleIsBounded(t *testing.T) {
	n := newSingle(t, transport.Options{MaxOperations: 1000}, reservation.Options{Operations: 1000})
	m := reserve(t, n, "ada")
	for i := range reservation.MostOperations {
		m.run(n, fmt.Sprint(i), fmt.Sprintf(`subscription { ticks(log: "log%d") }`, i))
	}
	m.run(n, "more", `subscription { ticks(log: "more") }`)
	s := m.open(n, "")
	hears(s, told{event: "next", id: "more", code: "LIMIT_EXCEEDED"})
	last := hears(s, complete("more"))
	s.Close()
	if len(last) > 4<<10 {
		t.Errorf("%d bytes", len(last))
	}
	s = m.open(n, last)
	for i := range reservation.MostOperations {
		n.Tick(fmt.Sprint("log", i), "x")
		hears(s, next(fmt.Sprint(i), "x"))
	}
	s.Close()
}

// TestSingleLargeAnswers: where each answer takes most of the room there is, and the reader takes its time, the ones that
// have been read make room for the next.
func TestSingleLargeAnswers(t *testing.T) {
	n := newSingle(t, transport.Options{}, reservation.Options{Bytes: 100 << 10, Patience: 10 * time.Second})
	m := reserve(t, n, "ada")
	s := m.open(n, "")
	const count = 8
	asked := make(chan int, count)
	go func() {
		for i := range count {
			response, _ := m.post(n, fmt.Sprint(i), `{ big(size: 90000) }`, "")
			asked <- response.StatusCode
		}
	}()
	for i := range count {
		if got := hear(s); got.id != fmt.Sprint(i) || len(got.value) != 90_000 {
			t.Fatalf("%s: got %d bytes, %s", got.id, len(got.value), got.code)
		}
		hears(s, complete(fmt.Sprint(i)))
		if status := <-asked; status != http.StatusAccepted {
			t.Errorf("%d: %d", i, status)
		}
	}
	s.Close()
}
