package sqlite

import "context"

// chore is something to tidy up, in portions that hold nobody up for long.
type chore struct {
	name string
	// portion does some of it, in a transaction, and reports whether there is more.
	portion func(context.Context, *tx) (more bool, err error)
}

// portionSize bounds the rows that one portion looks at.
const portionSize = 500

func (w *writer) allChores() []chore {
	w.overfull.lookAgain()
	return []chore{
		{"age logs", ageLogs},
		{"forget leases", forgetLeases},
		{"forget revocations", forgetRevocations},
		{"forget tickets", forgetTickets},
		{"forget reservations", forgetReservations},
	}
}

// tidyUp does one portion of what is to be tidied up, and reports whether there is more. An error
// leaves the chore for the next time.
func (w *writer) tidyUp() (more bool) {
	if w.overfull.any() {
		if err := w.alone(w.overfull.trim); err != nil {
			w.log.Error("sqlite: trimming failed", "error", err)
			w.overfull.putOff()
			return false
		}
		return true
	}
	if len(w.chores) == 0 {
		return false
	}
	chore := w.chores[0]
	err := w.alone(func(ctx context.Context, t *tx) (err error) {
		more, err = chore.portion(ctx, t)
		return err
	})
	if err != nil {
		w.log.Error("sqlite: chore failed", "chore", chore.name, "error", err)
	}
	if err != nil || !more {
		w.chores = w.chores[1:]
	}
	return len(w.chores) > 0
}
