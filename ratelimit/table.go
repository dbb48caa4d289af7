package ratelimit

import "time"

// Table is the state of many rates, in bounded memory. It isn't safe for concurrent use.
type Table struct {
	max  int
	tats map[string]int64
}

// NewTable returns a table of at most so many keys.
func NewTable(max int) *Table { return &Table{max: max, tats: map[string]int64{}} }

// Len returns how many keys are remembered.
func (t *Table) Len() int { return len(t.tats) }

// Take charges all the costs, or none and returns an *[Exceeded] of the one that takes longest.
func (t *Table) Take(now time.Time, costs ...Cost) error {
	at := now.UnixMicro()
	var longest int64
	var err error
	for _, c := range costs {
		if wait := t.wait(at, c); wait > longest {
			longest, err = wait, exceeded(c, wait)
		}
	}
	if err != nil {
		return err
	}
	for _, c := range costs {
		t.charge(at, c)
	}
	return nil
}

// Check charges nothing, and returns an *[Exceeded] if a cost isn't covered.
func (t *Table) Check(now time.Time, cost Cost) error {
	if wait := t.wait(now.UnixMicro(), cost); wait > 0 {
		return exceeded(cost, wait)
	}
	return nil
}

// Refund gives back a cost that was charged.
func (t *Table) Refund(now time.Time, c Cost) {
	tat, known := t.tats[c.Key]
	if !known {
		return // it was forgotten, as good as unused
	}
	if tat = c.Limit.back(tat, c.Times()); tat > now.UnixMicro() {
		t.tats[c.Key] = tat
	} else {
		delete(t.tats, c.Key)
	}
}

func (t *Table) wait(at int64, c Cost) int64 {
	if c.Limit.Unlimited() {
		return 0
	}
	_, wait := c.Limit.next(t.tats[c.Key], at, c.Times())
	return wait
}

func (t *Table) charge(at int64, c Cost) {
	if c.Limit.Unlimited() {
		return
	}
	tat, known := t.tats[c.Key]
	if !known {
		t.makeRoom(at)
	}
	t.tats[c.Key], _ = c.Limit.next(tat, at, c.Times())
}

// looks is how many keys are looked at before one is added: more than one, so that those as good as
// unused go faster than others come.
const looks = 4

// makeRoom forgets, of some keys, those as good as unused. In a full table it forgets the one of
// them that is nearest to that: whoever has many keys to fill it with has as many rates anyway, and
// nobody else is refused for it.
func (t *Table) makeRoom(at int64) {
	left := looks
	nearest, soonest := "", int64(0)
	for key, tat := range t.tats {
		switch {
		case tat <= at:
			delete(t.tats, key)
		case soonest == 0 || tat < soonest:
			nearest, soonest = key, tat
		}
		if left--; left == 0 {
			break
		}
	}
	if len(t.tats) >= t.max {
		delete(t.tats, nearest)
	}
}
