package delivery

import (
	"context"
	"errors"

	"parley/eventlog"
)

// Access is what a principal may read of a log, and with whom that is shared.
type Access struct {
	// Readable is what the principal may read. Where nothing to come may be read, the
	// subscription ends with ErrAccessRevoked after the replay.
	Readable eventlog.Intervals
	// Audience are those who may read the same.
	Audience Audience
}

// Audience is those who may read the same of a log, at one moment.
type Audience struct {
	// Name is the same for all of them; "" where everybody may read everything.
	Name string
	// Enter puts what they may read into the context of a rendering, for fields that reach other
	// entries than the event's own; nil: only a viewer of one's own can say.
	Enter func(context.Context) context.Context
}

// Sharing is with whom a subscription shares its renderings.
type Sharing struct {
	// Group is the key of those who share, within the topic.
	Group string
	// Audience names whom the renderings are fit for; "" is everyone. A topic has so many others
	// at most (Options.MaxAudiences).
	Audience string
	// Renderer renders for the group.
	Renderer Renderer
}

// ErrAudienceMoved is a renderer's word that its audience may no longer read what it did. Whoever
// belonged to it is judged anew before the event is rendered for them.
var ErrAudienceMoved = errors.New("delivery: the audience may read something else now")

// ErrTooManyAudiences ends a subscription whose audience would be one too many for its topic.
var ErrTooManyAudiences = errors.New("delivery: too many audiences")

func isAudienceMoved(err error) bool { return errors.Is(err, ErrAudienceMoved) }

// audiences counts the groups of a topic by whom they are fit for.
type audiences map[string]int

// admit counts one group more; false if its audience would be one too many.
func (a audiences) admit(name string, most int) bool {
	if name == "" {
		return true
	}
	if a[name] == 0 && len(a) >= most {
		return false
	}
	a[name]++
	return true
}

// drop counts one group less.
func (a audiences) drop(name string) {
	if a[name]--; a[name] <= 0 {
		delete(a, name)
	}
}
