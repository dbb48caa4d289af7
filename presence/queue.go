package presence

// queue is devices one after another. Unlike those of container/list they hold their places themselves, of which each
// connection has one.
type queue struct {
	first, last *device
	length      int
}

// place is a device's in the queue that it is in.
type place struct{ before, next *device }

func (q *queue) push(d *device) {
	d.place = place{before: q.last}
	if q.last == nil {
		q.first = d
	} else {
		q.last.next = d
	}
	q.last = d
	q.length++
}

func (q *queue) remove(d *device) {
	if d.before == nil {
		q.first = d.next
	} else {
		d.before.next = d.next
	}
	if d.next == nil {
		q.last = d.before
	} else {
		d.next.before = d.before
	}
	d.place = place{}
	q.length--
}
