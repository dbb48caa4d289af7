package delivery

import "sync"

// maxSpare bounds the letters for which an idle mailbox keeps room.
const maxSpare = 64

// mailbox makes one thing at a time happen to its owner: letters are handled in order, in batches
// of all that wait, by a goroutine that exists only while there are some.
type mailbox[L any] struct {
	handle func(letters []L)
	// gather, if not nil, is called before a batch is taken; what comes meanwhile belongs to the batch.
	gather func()
	// spawn starts a goroutine that the hub joins; false means that the hub is closing, and
	// letters go nowhere.
	spawn func(func()) bool

	mu      sync.Mutex
	waiting []L
	spare   []L
	running bool
}

// post leaves a letter.
func (m *mailbox[L]) post(letter L) {
	m.mu.Lock()
	m.waiting = append(m.waiting, letter)
	start := !m.running
	m.running = true
	m.mu.Unlock()
	if start && !m.spawn(m.run) {
		m.mu.Lock()
		m.running, m.waiting = false, nil
		m.mu.Unlock()
	}
}

func (m *mailbox[L]) run() {
	for {
		m.mu.Lock()
		if len(m.waiting) == 0 {
			m.running = false
			m.mu.Unlock()
			return
		}
		if m.gather != nil {
			m.mu.Unlock()
			m.gather()
			m.mu.Lock()
		}
		batch := m.waiting
		m.waiting, m.spare = m.spare, nil
		m.mu.Unlock()

		m.handle(batch)

		clear(batch)
		if cap(batch) <= maxSpare {
			m.mu.Lock()
			m.spare = batch[:0]
			m.mu.Unlock()
		}
	}
}
