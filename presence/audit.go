package presence

import (
	"context"
	"slices"
	"time"
)

// auditSize is how many devices are looked at after a renewal.
const auditSize = 50

// audit looks whether the store still has what it was told; see [Tracker].
func (k *keeper) audit(ctx context.Context) {
	if time.Now().Before(k.auditAt) {
		return
	}
	// Renewals out of turn, after failures, bring no audits out of turn.
	k.auditAt = time.Now().Add(k.options.renewEvery() * 3 / 4)
	sample := k.devices.sample(auditSize)
	if len(sample) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, k.options.patience())
	defer cancel()
	presences, err := k.store.Presences(ctx, usersOf(sample))
	if err != nil {
		// Whether the store is well, the next renewal shows; the next audit goes on.
		k.countError(ctx, "audit")
		return
	}
	// Devices go through this goroutine only: those in the sample can't have been taken back.
	if slices.ContainsFunc(presences, func(p Presence) bool { return p.Status == Offline }) {
		k.startOver("devices vanished from the store")
		// Should the store say so again, don't tell it everything all the time.
		k.auditAt = time.Now().Add(k.options.TTL)
		return
	}
	k.devices.tellAgain(sample)
}

// usersOf names the users of devices, each once.
func usersOf(devices []*device) []string {
	users := make([]string, 0, len(devices))
	seen := make(map[string]bool, len(devices))
	for _, d := range devices {
		if !seen[d.user.ID] {
			seen[d.user.ID] = true
			users = append(users, d.user.ID)
		}
	}
	return users
}
