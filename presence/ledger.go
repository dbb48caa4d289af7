package presence

import (
	"strconv"
	"sync"
)

// ledger compares the devices this node has with those the store was told of, and hands out the
// difference as calls. It knows no clock and no store, and is safe for concurrent use.
//
// Each device is in exactly one list, or busy with a call; a device that is neither wanted nor
// known to the store is in none and forgotten. A device that comes and goes before the store was
// told costs no call, and what is kept for an outage is bounded by the connections of the node.
type ledger struct {
	mu       sync.Mutex
	instance string
	last     uint64 // number of the device added last
	wanted   int
	busy     int
	joins    queue // wanted, to be told to the store
	leaves   queue // gone, to be told to the store
	failed   queue // told in vain, waiting for retry
	settled  queue // wanted, and the store knows
}

// device is one stream of a user on this node. The ledger's lock guards it.
type device struct {
	number uint64
	user   User
	wanted bool
	told   knowledge
	tries  int32  // calls in a row that failed
	in     *queue // nil for none
	place
}

// knowledge is what the store knows of a device under the present instance, as far as we know.
type knowledge uint8

const (
	unknown   knowledge = iota // never told, or taken back
	uncertain                  // told, with no answer; or due to be told again
	known
)

// verb is what a call tells the store.
type verb uint8

const (
	join verb = iota
	leave
)

// call is one call to the store, to be made and then settled.
type call struct {
	device   *device
	verb     verb
	instance string
	id       string // the device's, in the store
	user     User
	first    bool // no call for this device failed before
}

// outcome is how a call went.
type outcome uint8

const (
	done outcome = iota
	vain
	unmade
)

// add takes up a device.
func (l *ledger) add(user User) *device {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	l.wanted++
	d := &device{number: l.last, user: user, wanted: true}
	l.file(d)
	return d
}

// drop says that a device is gone. More than once is no error.
func (l *ledger) drop(d *device) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !d.wanted {
		return
	}
	d.wanted = false
	l.wanted--
	if d.in != nil {
		l.file(d)
	}
}

// take hands out up to n calls, each to be settled. All are of one verb: a user's new device is
// told before the old one goes, so joins come first.
func (l *ledger) take(n int) []call {
	l.mu.Lock()
	defer l.mu.Unlock()
	from, verb := &l.joins, join
	if from.length == 0 {
		from, verb = &l.leaves, leave
	}
	calls := make([]call, 0, min(n, from.length))
	for len(calls) < n && from.length > 0 {
		d := from.first
		l.remove(d)
		l.busy++
		calls = append(calls, call{
			device: d, verb: verb, instance: l.instance, id: l.id(d), user: d.user, first: d.tries == 0,
		})
	}
	return calls
}

// settle takes back a call with its outcome.
func (l *ledger) settle(c call, how outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy--
	d := c.device
	switch {
	case how == unmade:
		l.file(d)
	case how == vain:
		d.told = uncertain
		d.tries++
		l.put(d, &l.failed)
	case c.verb == join:
		d.told, d.tries = known, 0
		l.file(d)
	default:
		d.told, d.tries = unknown, 0
		l.file(d)
	}
}

// retry lets the calls made in vain be handed out again.
func (l *ledger) retry() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.failed.length > 0 {
		l.file(l.failed.first)
	}
}

// restart begins anew under another instance, of which the store knows nothing. What it knew
// under the one before ends with that one's lease. No call may be under way.
func (l *ledger) restart(instance string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.instance = instance
	for _, from := range []*queue{&l.leaves, &l.failed, &l.settled} {
		for from.length > 0 {
			d := from.first
			d.told, d.tries = unknown, 0
			l.file(d)
		}
	}
	for d := l.joins.first; d != nil; d = d.next {
		d.told, d.tries = unknown, 0
	}
}

// sample returns up to n settled devices, those looked at longest ago first.
func (l *ledger) sample(n int) []*device {
	l.mu.Lock()
	defer l.mu.Unlock()
	n = min(n, l.settled.length)
	devices := make([]*device, 0, n)
	for range n {
		d := l.settled.first
		l.settled.remove(d)
		l.settled.push(d)
		devices = append(devices, d)
	}
	return devices
}

// tellAgain has sampled devices told to the store once more, those that are still wanted. No call
// may have been under way since they were sampled.
func (l *ledger) tellAgain(devices []*device) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range devices {
		d.told = uncertain
		l.file(d)
	}
}

// backlog counts the calls that can be taken, and those that wait for retry.
func (l *ledger) backlog() (ready, failed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.joins.length + l.leaves.length, l.failed.length
}

// counts returns how many devices the node has, and of how many (gone ones included) the store
// isn't known to hold the truth.
func (l *ledger) counts() (devices, pending int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wanted, l.joins.length + l.leaves.length + l.failed.length + l.busy
}

// file puts a device where it belongs, by what is wanted and what the store knows.
func (l *ledger) file(d *device) {
	switch {
	case d.wanted && d.told == known:
		l.put(d, &l.settled)
	case d.wanted:
		l.put(d, &l.joins)
	case d.told != unknown:
		l.put(d, &l.leaves)
	default:
		l.remove(d)
	}
}

func (l *ledger) put(d *device, to *queue) {
	l.remove(d)
	d.in = to
	to.push(d)
}

func (l *ledger) remove(d *device) {
	if d.in != nil {
		d.in.remove(d)
		d.in = nil
	}
}

// id names a device in the store: another one under each instance, so that what is swept of an
// old instance can't be mistaken for the same device under the new one.
func (l *ledger) id(d *device) string { return l.instance + "." + strconv.FormatUint(d.number, 10) }
