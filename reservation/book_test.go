package reservation_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"parley/eventlog"
	"parley/reservation"
	"parley/reservation/reservationtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ada = reservation.Holder{User: "ada", Viewer: []byte(`{"ID":"ada"}`), Expires: time.Now().Add(time.Hour).Truncate(time.Millisecond)}

// desk is two nodes' books of one store, and a reservation there.
type desk struct {
	*testing.T
	store       *reservationtest.Memory
	book, other *reservation.Book
	token, id   string
}

func newDesk(t *testing.T, o reservation.Options) *desk {
	t.Helper()
	store := reservationtest.NewMemory()
	if o.Patience == 0 {
		o.Patience = 50 * time.Millisecond
	}
	d := &desk{T: t, store: store, book: reservation.NewBook(store, o), other: reservation.NewBook(store, o)}
	var err error
	d.token, err = d.book.Make(t.Context(), ada)
	d.must(err)
	d.id, err = reservation.IDOf(d.token)
	d.must(err)
	return d
}

func (d *desk) must(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

func (d *desk) is(err, want error) {
	d.Helper()
	if !errors.Is(err, want) {
		d.Fatalf("got %v, want %v", err, want)
	}
}

func (d *desk) find() *reservation.Reservation {
	d.Helper()
	r, err := d.book.Find(d.Context(), d.token)
	d.must(err)
	return r
}

func at(log string, offset uint64) eventlog.Cursor {
	return eventlog.Cursor{Kind: eventlog.CursorLog, Log: log, Position: eventlog.Position{Epoch: 3, Offset: offset, Check: 5}, Seq: offset}
}

// begin begins a subscription to a log.
func (d *desk) begin(operation string) uint64 {
	d.Helper()
	n, err := d.book.Begin(d.Context(), d.id, ada, reservation.Request{ID: operation, Body: []byte(`{}`), Start: at("r_a", 7)})
	d.must(err)
	return n
}

func (d *desk) answer(operation, payload string) {
	d.Helper()
	d.must(d.book.Answer(d.Context(), d.id, ada, reservation.Answer{ID: operation, Payload: []byte(payload)}))
}

func (d *desk) claim(from *reservation.Progress) *reservation.Reservation {
	d.Helper()
	r, err := d.book.Claim(d.Context(), d.find(), ada, from)
	d.must(err)
	return r
}

// unknown knows no operation.
func unknown(uint64) bool { return false }

func (d *desk) news(from uint64) *reservation.News {
	d.Helper()
	news, err := d.other.Read(d.Context(), d.id, unknown, from)
	d.must(err)
	return news
}

func TestFind(t *testing.T) {
	d := newDesk(t, reservation.Options{})
	if r := d.find(); r.User != ada.User || string(r.Viewer) != string(ada.Viewer) || !r.Expires.Equal(ada.Expires) || r.Owner != "" {
		t.Errorf("found %+v", r)
	}
	for _, token := range []string{"", "x", strings.Repeat("A", 43), d.id, d.token + "\n", d.token[1:], strings.Repeat("x", 1<<20)} {
		_, err := d.book.Find(t.Context(), token)
		d.is(err, reservation.ErrNone)
	}
}

func TestOperations(t *testing.T) {
	d := newDesk(t, reservation.Options{Operations: 3, Bytes: 100})
	first := d.begin("a")
	_, err := d.other.Begin(t.Context(), d.id, ada, reservation.Request{ID: "a", Once: true})
	d.is(err, reservation.ErrActive)
	d.is(d.book.Answer(t.Context(), d.id, ada, reservation.Answer{ID: "a"}), reservation.ErrActive)
	d.must(d.other.Stop(t.Context(), d.id, "a"))
	d.must(d.other.Stop(t.Context(), d.id, "a")) // nobody's fault
	second := d.begin("a")
	if second <= first {
		t.Errorf("%d after %d", second, first)
	}
	d.is(d.book.Answer(t.Context(), d.id, ada, reservation.Answer{ID: "a", Number: first}), reservation.ErrNone)

	_, err = d.book.Begin(t.Context(), d.id, ada, reservation.Request{ID: "big", Body: make([]byte, 99)})
	d.is(err, reservation.ErrTooBig)
	d.begin("b")
	d.begin("c")
	_, err = d.book.Begin(t.Context(), d.id, ada, reservation.Request{ID: "d"})
	d.is(err, reservation.ErrTooMany)
	if news := d.news(1); len(news.Requests) != 3 || string(news.Requests[second]) != `{}` || news.Operations[0].Start != at("r_a", 7) {
		t.Errorf("found %+v", news)
	}
}

// TestLostRun: a query whose node died frees its id and its place.
func TestLostRun(t *testing.T) {
	d := newDesk(t, reservation.Options{Operations: 1, RunTime: 20 * time.Millisecond})
	run := reservation.Request{ID: "a", Once: true}
	n, err := d.book.Begin(t.Context(), d.id, ada, run)
	d.must(err)
	_, err = d.book.Begin(t.Context(), d.id, ada, run)
	d.is(err, reservation.ErrActive)
	time.Sleep(30 * time.Millisecond) // the run time itself
	_, err = d.other.Begin(t.Context(), d.id, ada, run)
	d.must(err)
	d.is(d.book.Answer(t.Context(), d.id, ada, reservation.Answer{ID: "a", Number: n}), reservation.ErrNone)
}

func TestAnswers(t *testing.T) {
	d := newDesk(t, reservation.Options{Bytes: 100})
	n := d.begin("s")
	owner := d.claim(nil)
	d.answer("a", `{"data":1}`)
	d.must(d.book.End(t.Context(), owner, reservation.Answer{ID: "s", Number: n}))
	news := d.news(1)
	if len(news.Answers) != 2 || len(news.Operations) != 0 || news.More {
		t.Fatalf("found %+v", news)
	}
	a, s := news.Answers[0], news.Answers[1]
	if a.Seq != 1 || a.ID != "a" || string(a.Payload) != `{"data":1}` || s.Seq != 2 || s.Number != n || s.Payload != nil {
		t.Errorf("found %+v", news.Answers)
	}
	if news := d.news(2); len(news.Answers) != 1 || news.Answers[0].Seq != 2 {
		t.Errorf("found %+v", news)
	}

	large := `"` + strings.Repeat("x", 90) + `"`
	d.answer("large", large) // no room, and nobody who makes some
	if got := d.news(3).Answers; len(got) != 1 || !got[0].Lost || got[0].Payload != nil || got[0].ID != "large" {
		t.Errorf("found %+v", got)
	}
	var answering sync.WaitGroup
	stop, err := d.book.Watch(t.Context(), d.id, func() { // the owner has sent all that there was
		answering.Go(func() { d.trim(d.find(), news.Answers) })
	})
	d.must(err)
	d.answer("again", large)
	stop()
	answering.Wait()
	if got := d.news(4); len(got.Answers) != 1 || string(got.Answers[0].Payload) != large || sum(got.Sizes) != len(large) {
		t.Errorf("found %+v", got)
	}
}

// slow is a store that somebody is faster to change, once, than who gives an answer up.
type slow struct {
	*reservationtest.Memory
	first func()
}

func (s *slow) ChangeReservation(ctx context.Context, id string, c reservation.Change) error {
	if then := s.first; then != nil && len(c.Put) > 0 {
		s.first = nil
		then()
	}
	return s.Memory.ChangeReservation(ctx, id, c)
}

// TestRoomAtLast: an answer isn't lost that finds room after all.
func TestRoomAtLast(t *testing.T) {
	d := newDesk(t, reservation.Options{Bytes: 100})
	large := `"` + strings.Repeat("x", 90) + `"`
	d.answer("first", large)
	store := &slow{Memory: d.store, first: func() { d.trim(d.find(), d.news(1).Answers) }}
	late := reservation.NewBook(store, reservation.Options{Bytes: 100, Patience: 50 * time.Millisecond})
	d.must(late.Answer(t.Context(), d.id, ada, reservation.Answer{ID: "second", Payload: []byte(large)}))
	if got := d.news(2).Answers; len(got) != 1 || got[0].Lost || string(got[0].Payload) != large {
		t.Errorf("found %+v", got)
	}
}

func (d *desk) trim(r *reservation.Reservation, sent []reservation.Answer) (crowded bool) {
	d.Helper()
	crowded, err := d.book.Trim(d.Context(), r, sent)
	d.must(err)
	return crowded
}

func sum(sizes []int) (sum int) {
	for _, size := range sizes {
		sum += size
	}
	return sum
}

func TestManyAnswers(t *testing.T) {
	d := newDesk(t, reservation.Options{})
	d.claim(nil)
	for i := range 1024 {
		d.answer(fmt.Sprint(i), `1`)
	}
	d.is(d.book.Answer(t.Context(), d.id, ada, reservation.Answer{ID: "x"}), reservation.ErrUnread)
	_, err := d.book.Begin(t.Context(), d.id, ada, reservation.Request{ID: "x", Once: true})
	d.is(err, reservation.ErrUnread)
	seen := 0
	for from := uint64(1); ; {
		news := d.news(from)
		for _, a := range news.Answers {
			if a.ID != fmt.Sprint(seen) {
				t.Fatalf("answer %d is %+v", seen, a)
			}
			seen++
		}
		from += uint64(len(news.Answers))
		d.trim(news.Reservation, news.Answers)
		if !news.More {
			break
		}
	}
	r := d.find()
	if seen != 1024 || len(r.Sizes) > 512 {
		t.Errorf("%d seen, %d kept", seen, len(r.Sizes))
	}
	_, err = d.book.Claim(t.Context(), r, ada, &reservation.Progress{Answers: 2})
	d.is(err, reservation.ErrTooLate)
}

// TestClaim: one stream at a time; what the client has got is told by it.
func TestClaim(t *testing.T) {
	d := newDesk(t, reservation.Options{})
	n := d.begin("s")
	d.answer("a", `1`)
	d.answer("b", `2`)
	was := d.find()
	first := d.claim(nil)
	_, err := d.other.Claim(t.Context(), was, ada, nil)
	d.is(err, reservation.ErrOpen)

	got := first.Progress(nil)
	if got.Answers != 0 || got.At(n, "r_a") != at("r_a", 7) {
		t.Errorf("at first the client has got %+v", got)
	}
	got.Move(n, at("r_a", 9))
	got.Answers = 3 // a, and of b the response
	second, err := d.other.Claim(t.Context(), first, ada, &got)
	d.must(err)
	if second.Opening != first.Opening+1 || second.Owner == first.Owner || second.Operations[0].Start != at("r_a", 9) {
		t.Errorf("claimed %+v after %+v", second, first)
	}
	if now := second.Progress(&got); now.Answers != 3 || now.At(n, "r_a") != at("r_a", 9) {
		t.Errorf("the client has got %+v", now)
	}
	if news := d.news(1); len(news.Answers) != 1 || news.Answers[0].ID != "b" {
		t.Errorf("found %+v", news)
	}

	// The first one has nothing more to say.
	d.is(d.book.Release(t.Context(), first), reservation.ErrOpen)
	d.is(d.book.End(t.Context(), first, reservation.Answer{ID: "s", Number: n}), reservation.ErrOpen)
	d.is(d.book.Hear(t.Context(), first), reservation.ErrOpen)
	d.must(d.other.Release(t.Context(), second))
	if r := d.find(); r.Owner != "" || len(r.Operations) != 1 {
		t.Errorf("released: %+v", r)
	}
}

func TestAlive(t *testing.T) {
	d := newDesk(t, reservation.Options{})
	if alive, err := d.book.Alive(t.Context(), d.find()); alive || err != nil {
		t.Errorf("without a stream: %v, %v", alive, err)
	}
	owner := d.claim(nil)
	if alive, err := d.other.Alive(t.Context(), owner); alive || err != nil {
		t.Errorf("a dead owner's: %v, %v", alive, err)
	}
	var hearing sync.WaitGroup
	stop, err := d.book.Watch(t.Context(), d.id, func() {
		hearing.Go(func() {
			if r := d.find(); r.Knocks > r.Heard {
				if err := d.book.Hear(t.Context(), owner); err != nil {
					t.Error(err)
				}
			}
		})
	})
	d.must(err)
	if alive, err := d.other.Alive(t.Context(), owner); !alive || err != nil {
		t.Errorf("an open stream's: %v, %v", alive, err)
	}
	stop()
	hearing.Wait()
	d.must(d.book.Release(t.Context(), owner))
	if alive, err := d.other.Alive(t.Context(), owner); alive || err != nil {
		t.Errorf("a closed one's: %v, %v", alive, err)
	}
}

// TestKept: for a while, with a stream as long as the token lasts, and with a newer token longer.
func TestKept(t *testing.T) {
	d := newDesk(t, reservation.Options{TTL: 30 * time.Millisecond})
	d.claim(nil)
	time.Sleep(40 * time.Millisecond) // the time it may wait itself
	later := reservation.Holder{User: "ada", Viewer: []byte(`{"ID":"ada","again":true}`), Expires: ada.Expires.Add(time.Hour)}
	_, err := d.book.Begin(t.Context(), d.id, later, reservation.Request{ID: "a", Once: true})
	d.must(err)
	r := d.find()
	if !r.Expires.Equal(later.Expires) || string(r.Viewer) != string(later.Viewer) {
		t.Errorf("held by %+v", r.Holder)
	}
	d.must(d.book.Release(t.Context(), r))
	time.Sleep(40 * time.Millisecond) // again
	_, err = d.book.Find(t.Context(), d.token)
	d.is(err, reservation.ErrNone)
}

func TestAtOnce(t *testing.T) {
	d := newDesk(t, reservation.Options{})
	var begun atomic.Int64
	var all sync.WaitGroup
	for i := range 60 {
		all.Go(func() {
			book := []*reservation.Book{d.book, d.other}[i%2]
			_, err := book.Begin(t.Context(), d.id, ada, reservation.Request{ID: fmt.Sprint(i % 30), Body: []byte(`{}`)})
			if err == nil {
				begun.Add(1)
			} else if !errors.Is(err, reservation.ErrActive) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := len(d.find().Operations); begun.Load() != 30 || n != 30 {
		t.Errorf("%d begun, %d under way", begun.Load(), n)
	}
}
