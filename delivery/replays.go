package delivery

import (
	"context"
	"reflect"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"parley/eventlog"
)

const (
	// maxReplays and maxReplayBytes bound what is kept of renderings for replays.
	maxReplays     = 4096
	maxReplayBytes = 16 << 20
	// freshReplay is for how long: what a rendering shows beside its publication may change.
	freshReplay = time.Second
)

// replays keeps for a moment what was rendered for replays. Those who lag together, or come back
// together, read the same part of a log: each of its publications is rendered once for all of a group.
type replays struct {
	mu    sync.Mutex
	all   *simplelru.LRU[replayKey, *replay]
	bytes int
	// sweep is under way while there are any.
	sweep *time.Timer
}

type replayKey struct {
	log, group string
	at         eventlog.Position
}

// replay is a rendering, or one under way.
type replay struct {
	payload any // the publication's: an edited message is rendered anew
	begun   time.Time
	done    chan struct{} // closed when event is there, or they have given up
	event   *Event        // guarded by replays.mu until done
}

func newReplays() *replays {
	r := &replays{}
	r.all, _ = simplelru.NewLRU(maxReplays, func(_ replayKey, gone *replay) { // fails for no size
		if gone.event != nil {
			r.bytes -= len(gone.event.Payload)
		}
	})
	return r
}

// get returns a publication's rendering for a group, made by render unless there is one.
func (r *replays) get(ctx context.Context, key replayKey, payload any, render func() (*Event, error)) (*Event, error) {
	theirs, mine := r.find(key, payload)
	if theirs != nil {
		select {
		case <-theirs.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if theirs.event != nil {
			return theirs.event, nil
		}
		return render() // they have given up
	}
	defer close(mine.done)
	event, err := render()
	r.mu.Lock()
	defer r.mu.Unlock()
	kept, _ := r.all.Peek(key)
	switch {
	case kept != mine:
	case err != nil || event.failure:
		r.all.Remove(key)
	default:
		mine.event = event
		r.bytes += len(event.Payload)
	}
	for r.bytes > maxReplayBytes {
		r.all.RemoveOldest()
	}
	return event, err
}

// find returns the rendering there is, or else notes that the caller makes it.
func (r *replays) find(key replayKey, payload any) (theirs, mine *replay) {
	r.mu.Lock()
	defer r.mu.Unlock()
	theirs, found := r.all.Get(key)
	if found && time.Since(theirs.begun) < freshReplay && reflect.DeepEqual(theirs.payload, payload) {
		return theirs, nil
	}
	mine = &replay{payload: payload, begun: time.Now(), done: make(chan struct{})}
	r.all.Remove(key)
	r.all.Add(key, mine)
	if r.sweep == nil {
		r.sweep = time.AfterFunc(freshReplay, r.forgetStale)
	}
	return nil, mine
}

// forgetStale drops what is too old to be shown, and comes again while something is left.
func (r *replays) forgetStale() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, key := range r.all.Keys() {
		if kept, _ := r.all.Peek(key); time.Since(kept.begun) >= freshReplay {
			r.all.Remove(key)
		}
	}
	r.sweep = nil
	if r.all.Len() > 0 {
		r.sweep = time.AfterFunc(freshReplay, r.forgetStale)
	}
}

// close drops everything; nobody asks any more.
func (r *replays) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all.Purge()
	if r.sweep != nil {
		r.sweep.Stop()
	}
}
