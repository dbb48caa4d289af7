package transport

import (
	"container/heap"
	"sync"
	"time"
)

// agenda is when connections are to be seen to. All of a service have one timer, since one each would be a good part of what
// an idle connection takes.
type agenda struct {
	began time.Time

	mu    sync.Mutex
	all   appointments
	timer *time.Timer // nil until it is needed
}

// now is a point in time, since the service began, on a clock that nobody sets.
func (a *agenda) now() time.Duration { return time.Since(a.began) }

// set has c.tick called at a point in time, and not at the one that was set before.
func (a *agenda) set(c *Conn, at time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c.pulse.place == 0 {
		heap.Push(&a.all, appointment{at, c})
	} else {
		i := c.pulse.place - 1
		a.all[i].at = at
		heap.Fix(&a.all, int(i))
	}
	if c.pulse.place == 1 { // it is the first
		a.wind()
	}
}

// remove has c.tick not called any more.
func (a *agenda) remove(c *Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c.pulse.place > 0 {
		heap.Remove(&a.all, int(c.pulse.place-1))
	}
	if len(a.all) == 0 && a.timer != nil {
		a.timer.Stop()
	}
}

// wind sets the timer for the first; called under mu.
func (a *agenda) wind() {
	wait := max(0, a.all[0].at-a.now())
	if a.timer == nil {
		a.timer = time.AfterFunc(wait, a.keep)
		return
	}
	a.timer.Reset(wait)
}

// keep sees to all that are due.
func (a *agenda) keep() {
	for c := a.next(); c != nil; c = a.next() {
		c.tick()
	}
}

// next takes off the first that is due; nil if none is yet.
func (a *agenda) next() *Conn {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case len(a.all) == 0:
		return nil
	case a.all[0].at > a.now():
		a.wind()
		return nil
	}
	return heap.Pop(&a.all).(appointment).conn
}

type appointment struct {
	at   time.Duration
	conn *Conn
}

// appointments are a heap, the earliest first.
type appointments []appointment

func (as appointments) Len() int           { return len(as) }
func (as appointments) Less(i, j int) bool { return as[i].at < as[j].at }

func (as appointments) Swap(i, j int) {
	as[i], as[j] = as[j], as[i]
	as[i].conn.pulse.place, as[j].conn.pulse.place = int32(i+1), int32(j+1)
}

// Push implements heap.Interface.
func (as *appointments) Push(x any) {
	*as = append(*as, x.(appointment))
	x.(appointment).conn.pulse.place = int32(len(*as))
}

// Pop implements heap.Interface.
func (as *appointments) Pop() any {
	last := len(*as) - 1
	one := (*as)[last]
	(*as)[last] = appointment{}
	*as = (*as)[:last]
	one.conn.pulse.place = 0
	return one
}
