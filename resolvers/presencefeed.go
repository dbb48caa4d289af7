package resolvers

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"parley/chat"
	"parley/eventlog"
)

const (
	// recheckEvery is how often a feed asks anew whom it may follow, where nothing tells it.
	recheckEvery = 10 * time.Second
	// askAgainAfter is how soon a feed asks again where the store didn't answer.
	askAgainAfter = time.Second
)

// feedOptions say whose presence a feed follows.
type feedOptions struct {
	state eventlog.State
	// users says whom to follow now.
	users func(context.Context) ([]string, error)
	// log and room, if given, are watched for who comes and goes: then users is asked again.
	log  eventlog.Log
	room string
	// cutOff, if given, says whether the store has been silent about a log for too long: then users is
	// asked before each telling, for the log may have told of nobody who left.
	cutOff func(log string) bool
	// among, if given, says of which of some users may be told now. It is asked before each
	// telling, and users now and then.
	among func(ctx context.Context, users []string) ([]string, error)
	// warn takes what operators should know.
	warn *slog.Logger
}

// feed makes one state topic of the presence topics of many users (delivery.StateSource). It tells
// of nobody whom it isn't sure it may tell of: while the store doesn't answer, changes wait.
type feed struct {
	feedOptions
	sink func([]eventlog.Value)

	// changed has run look for what there is to do.
	changed chan struct{}

	at eventlog.Position // of the last publication heard; the log's own

	mu      sync.Mutex
	stale   bool                      // who is followed may have changed
	waiting map[string]eventlog.Value // newest values not yet told, by user

	// followed are the users followed, with what stops that; gone are those who were, which is still
	// to be told. They are run's own.
	followed map[string]func()
	gone     []eventlog.Value
}

// watch is the feed as a state source.
func (o feedOptions) watch(ctx context.Context, sink func([]eventlog.Value)) (stop func(), err error) {
	f := &feed{
		feedOptions: o, sink: sink, changed: make(chan struct{}, 1),
		stale: true, waiting: map[string]eventlog.Value{}, followed: map[string]func(){},
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
		f.followOnly(nil)
		return nil, err
	}
	var running sync.WaitGroup
	running.Go(func() { f.run(ctx) })
	return func() {
		cancel()
		stopLog()
		running.Wait()
		f.followOnly(nil)
	}, nil
}

// Published looks for who came and went (eventlog.Watcher), also with what is missing before a
// publication: of one that has been followed by others the engine doesn't tell again.
func (f *feed) Published(pubs []eventlog.Publication) {
	changed := false
	for i := range pubs {
		p := &pubs[i]
		missed := p.Position != f.at && !p.Follows(f.at)
		changed = changed || missed || len(p.Access) > 0 || p.Kind == eventlog.KindReset
		f.at = p.Position
	}
	if changed {
		f.Look()
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
	f.mu.Unlock()
	f.signal()
}

// run tells changes until ctx ends.
func (f *feed) run(ctx context.Context) {
	var recheck <-chan time.Time
	if f.among != nil {
		ticker := time.NewTicker(recheckEvery)
		defer ticker.Stop()
		recheck = ticker.C
	}
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-f.changed:
			f.pause(ctx, f.tell(ctx))
		case <-recheck:
			f.Look()
		}
	}
}

// pause waits, after an error, until it makes sense to ask again. Where more than the store's
// silence keeps the feed from knowing whom it may tell of, that is nobody.
func (f *feed) pause(ctx context.Context, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	wait := askAgainAfter
	if !errors.Is(err, eventlog.ErrUnavailable) && chat.CodeOf(err) != chat.Unavailable {
		f.warn.WarnContext(ctx, "presence isn't followed any more, for now", "room", f.room, "error", err)
		f.followOnly(nil)
		f.hand(nil)
		wait = recheckEvery
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
		f.signal()
	}
}

// tell brings up to date who is followed, and hands over what waits of them.
func (f *feed) tell(ctx context.Context) error {
	cut := f.cutOff != nil && f.cutOff(f.room) // under no lock: take is called under others'
	f.mu.Lock()
	stale := f.stale || cut
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
	values := f.ripe()
	if f.among != nil && !stale && len(values) > 0 {
		if err := f.judge(ctx, values); err != nil {
			f.take(values)
			return err
		}
		values = slices.DeleteFunc(values, f.unfollowed)
	}
	f.hand(values)
	return nil
}

// hand tells who is gone, then the values.
func (f *feed) hand(values []eventlog.Value) {
	if values = append(f.gone, values...); len(values) > 0 {
		f.sink(values)
	}
	f.gone = nil
}

// unfollow stops following a user: those who come to the topic later must not see what was told.
func (f *feed) unfollow(user string) {
	f.followed[user]()
	delete(f.followed, user)
	f.gone = append(f.gone, eventlog.Gone(user))
}

// ripe takes out what waits, as far as it is of users who are followed.
func (f *feed) ripe() []eventlog.Value {
	f.mu.Lock()
	defer f.mu.Unlock()
	values := make([]eventlog.Value, 0, len(f.waiting))
	for _, v := range f.waiting {
		values = append(values, v)
	}
	clear(f.waiting)
	return slices.DeleteFunc(values, f.unfollowed)
}

func (f *feed) unfollowed(v eventlog.Value) bool { return f.followed[v.Key] == nil }

// judge stops following those of the values' users of whom may not be told any more.
func (f *feed) judge(ctx context.Context, values []eventlog.Value) error {
	users := make([]string, len(values))
	for i, v := range values {
		users[i] = v.Key
	}
	allowed, err := f.among(ctx, users)
	if err != nil {
		return err
	}
	for _, user := range users {
		if !slices.Contains(allowed, user) {
			f.unfollow(user)
		}
	}
	return nil
}

// follow follows those users who are to be followed now, and no others.
func (f *feed) follow(ctx context.Context) error {
	users, err := f.users(ctx)
	if err != nil {
		return err
	}
	for _, user := range users {
		if f.followed[user] != nil {
			continue
		}
		stop, err := f.state.WatchState(ctx, eventlog.PresenceTopic(user), f.take)
		if err != nil {
			return err
		}
		f.followed[user] = stop
	}
	f.followOnly(users)
	return nil
}

// followOnly stops following all others.
func (f *feed) followOnly(users []string) {
	wanted := make(map[string]bool, len(users))
	for _, user := range users {
		wanted[user] = true
	}
	for user := range f.followed {
		if !wanted[user] {
			f.unfollow(user)
		}
	}
}
