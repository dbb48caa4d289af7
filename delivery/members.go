package delivery

import "parley/worker"

// members are the subscribers that share one rendering. They belong to one mailbox.
type members struct {
	all []*Subscriber
	// personal: the rendering turned out to depend on the viewer, so each member has its own.
	personal bool
	workers  *worker.Pool
	fanOut   fanOut
}

func (m *members) add(s *Subscriber) {
	m.all = append(m.all, s)
	s.place = int32(len(m.all))
}

func (m *members) remove(s *Subscriber) {
	if s.place == 0 {
		return
	}
	last := m.all[len(m.all)-1]
	m.all[s.place-1] = last
	last.place = s.place
	s.place = 0
	m.all[len(m.all)-1] = nil
	m.all = m.all[:len(m.all)-1]
}

// rendering makes events with a renderer that is shared, or for one viewer alone.
type rendering func(r Renderer, shared bool) ([]*Event, error)

// deliver renders once, or once per receiver where it must be, gives the events to all receivers,
// and has each connection flushed. An error says that it was given up, because nobody wants the
// events any more or the hub closes.
func (m *members) deliver(receivers []*Subscriber, shared Renderer, render rendering) (deliveries int, err error) {
	if !m.personal {
		events, err := render(shared, true)
		if err == nil {
			return m.give(receivers, events), nil
		}
		if !isNotShareable(err) {
			return 0, err
		}
		m.personal = true
	}
	for _, s := range receivers {
		if s.ended.Load() {
			continue
		}
		events, err := render(s.personal, false)
		if err != nil {
			return deliveries, err
		}
		deliveries += m.give([]*Subscriber{s}, events)
	}
	return deliveries, nil
}

func (m *members) give(receivers []*Subscriber, events []*Event) (deliveries int) {
	if len(events) > 0 {
		m.fanOut.give(receivers, events, m.workers)
	}
	return len(receivers) * len(events)
}
