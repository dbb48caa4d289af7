package resolvers

import (
	"context"
	"sync"
	"time"

	"parley/eventlog"
)

// recheckEvery is how often a feed asks anew whom it may follow, where nothing tells it.
const recheckEvery = 10 * time.Second

// feedOptions say whose presence a feed follows.
type feedOptions struct {
	state eventlog.State
	// users says whom to follow now.
	users func(context.Context) ([]string, error)
	// log and room, if given, are watched for who comes and goes: then users is asked again.
	log  eventlog.Log
	room string
	// recheck asks users again before every change is told, and now and then.
	recheck bool
}

// feed makes one state topic of the presence topics of many users (delivery.StateSource).
type feed struct {
	feedOptions
	sink func([]eventlog.Value)

	// changed tells run that there is something to do.
	changed chan struct{}

	mu      sync.Mutex
	stale   bool                      // who is followed may have changed
	waiting map[string]eventlog.Value // newest values not yet told, by user

	// run's own.
	watched map[string]func()
}

// watch is the feed as a state source.
func (o feedOptions) watch(ctx context.Context, sink func([]eventlog.Value)) (stop func(), err error) {
	f := &feed{
		feedOptions: o, sink: sink, changed: make(chan struct{}, 1),
		stale: true, waiting: map[string]eventlog.Value{}, watched: map[string]func(){},
	}
	stopLog := func() {}
	if o.log != nil {
		if stopLog, err = o.log.Watch(ctx, o.room, f); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	if err := f.tell(ctx); err != nil {
		cancel()
		stopLog()
		f.unwatchAll()
		return nil, err
	}
	var running sync.WaitGroup
	running.Go(func() { f.run(ctx) })
	return func() {
		cancel()
		stopLog()
		running.Wait()
		f.unwatchAll()
	}, nil
}

// Published looks for who came and went (eventlog.Watcher).
func (f *feed) Published(pubs []eventlog.Publication) {
	for i := range pubs {
		if len(pubs[i].Access) > 0 || pubs[i].Kind == eventlog.KindReset {
			f.Look()
			return
		}
	}
}

// Look has users asked again (eventlog.Watcher).
func (f *feed) Look() {
	f.mu.Lock()
	f.stale = true
	f.mu.Unlock()
	f.signal()
}

func (f *feed) signal() {
	select {
	case f.changed <- struct{}{}:
	default: // run will see this too
	}
}

// take keeps the newest value of each user until it is told.
func (f *feed) take(values []eventlog.Value) {
	f.mu.Lock()
	for _, v := range values {
		if w, ok := f.waiting[v.Key]; !ok || v.Version > w.Version {
			f.waiting[v.Key] = v
		}
	}
	f.stale = f.stale || f.recheck
	f.mu.Unlock()
	f.signal()
}

// run tells changes until ctx ends. What can't be told while the store doesn't answer waits.
func (f *feed) run(ctx context.Context) {
	timer := time.NewTicker(recheckEvery)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.changed:
		case <-timer.C:
			f.mu.Lock()
			f.stale = f.stale || f.recheck
			f.mu.Unlock()
		}
		if f.tell(ctx) != nil { // not allowed to guess: ask again in a moment
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
				f.signal()
			}
		}
	}
}

// tell brings up to date who is followed, and hands over what waits of them.
func (f *feed) tell(ctx context.Context) error {
	f.mu.Lock()
	stale := f.stale
	f.stale = false
	f.mu.Unlock()
	if stale {
		if err := f.follow(ctx); err != nil {
			f.mu.Lock()
			f.stale = true
			f.mu.Unlock()
			return err
		}
	}
	f.mu.Lock()
	var values []eventlog.Value
	for user, v := range f.waiting {
		if f.watched[user] != nil {
			values = append(values, v)
		}
	}
	clear(f.waiting)
	f.mu.Unlock()
	if len(values) > 0 {
		f.sink(values)
	}
	return nil
}

// follow watches those users who are to be followed now, and no others.
func (f *feed) follow(ctx context.Context) error {
	users, err := f.users(ctx)
	if err != nil {
		return err
	}
	wanted := make(map[string]bool, len(users))
	for _, user := range users {
		wanted[user] = true
		if f.watched[user] != nil {
			continue
		}
		stop, err := f.state.WatchState(ctx, eventlog.PresenceTopic(user), f.take)
		if err != nil {
			return err
		}
		f.watched[user] = stop
	}
	for user, stop := range f.watched {
		if !wanted[user] {
			stop()
			delete(f.watched, user)
		}
	}
	return nil
}

func (f *feed) unwatchAll() {
	for _, stop := range f.watched {
		stop()
	}
}
