package delivery

import (
	"context"
	"time"
)

const (
	// A busy group waits for a part of the time that its last run took, one in so many, and no longer
	// than maxGather.
	gatherPart = 2
	maxGather  = 3 * time.Millisecond
)

// pace has a large group that is busy wait a moment before each run: while thousands are written to,
// the next publications are on their way, and the more of them leave together, the fewer writes each
// costs. A publication that comes alone waits for nobody (see ADR 0014).
type pace struct {
	pause time.Duration
	until time.Time // the group counts as busy
}

// note takes note of a run to so many members, and whether it carried, or was followed by, more than one
// publication.
func (p *pace) note(began time.Time, members int, busy bool) {
	p.pause = 0
	if !busy || members < partition {
		return
	}
	now := time.Now()
	spent := now.Sub(began)
	p.pause, p.until = min(spent/gatherPart, maxGather), now.Add(spent)
}

// wait waits, if the group is busy.
func (p *pace) wait(ctx context.Context) {
	if p.pause == 0 || time.Now().After(p.until) {
		return
	}
	timer := time.NewTimer(p.pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
