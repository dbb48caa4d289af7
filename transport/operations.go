package transport

import "iter"

// operations are a connection's, by id. Most connections have one, which needs no map.
type operations struct {
	one  *operation
	more map[string]*operation // nil while there is none
}

// get returns the operation of an id, nil if there is none.
func (os *operations) get(id string) *operation {
	if os.one != nil && os.one.id == id {
		return os.one
	}
	return os.more[id]
}

// put adds an operation, in place of the one with its id.
func (os *operations) put(o *operation) {
	switch known := os.get(o.id); {
	case os.one == known: // itself, or nobody
		os.one = o
	case os.more == nil:
		os.more = map[string]*operation{o.id: o}
	default:
		os.more[o.id] = o
	}
}

func (os *operations) remove(o *operation) {
	if os.one == o {
		os.one = nil
		return
	}
	if delete(os.more, o.id); len(os.more) == 0 {
		os.more = nil
	}
}

// all goes through them, in any order. They may be removed meanwhile.
func (os *operations) all() iter.Seq[*operation] {
	return func(yield func(*operation) bool) {
		if os.one != nil && !yield(os.one) {
			return
		}
		for _, o := range os.more {
			if !yield(o) {
				return
			}
		}
	}
}
