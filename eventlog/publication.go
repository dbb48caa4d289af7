package eventlog

import "time"

// Kind tells what happened in an entry. The log itself knows one kind, [KindReset]; the others
// are the domain's.
type Kind uint8

// KindReset marks the entry with which a fence begins a new epoch. Its payload is a [Reset].
const KindReset Kind = 1

// Kinds is a set of kinds, each below 64: the filter of a subscription.
type Kinds uint64

// KindsOf returns the set of the kinds given.
func KindsOf(kinds ...Kind) Kinds {
	var set Kinds
	for _, k := range kinds {
		set |= 1 << k
	}
	return set
}

// Has reports whether the set contains kind.
func (s Kinds) Has(kind Kind) bool { return kind < 64 && s&(1<<kind) != 0 }

// Publication is one entry of a log as its readers see it: where it stands, whose access it
// changes, and the event itself, hydrated, as an opaque payload of the domain.
type Publication struct {
	Position
	// Prev is the check of the entry before this one.
	Prev uint32
	// At is when the entry was written, by the store's clock, in whole milliseconds.
	At   time.Time
	Kind Kind
	// Seq is the domain's count up to and including this entry, for cursors.
	Seq uint64
	// Access lists whose access this entry ends or begins; empty for most entries.
	Access []AccessChange
	// Payload is the hydrated event: the domain's, immutable once published.
	Payload any
}

// AccessChange says that an entry ends or begins a principal's right to read the log.
type AccessChange struct {
	// Principal is the id of the user concerned.
	Principal string
	Change    Change
}

// Change is what an entry does to a principal's access.
type Change uint8

// The entry at which access ends is the last one that the principal may read.
const (
	// AccessBegins from this entry on.
	AccessBegins Change = iota + 1
	// AccessLeft ends access by the principal's own wish.
	AccessLeft
	// AccessRevoked ends access by somebody else's.
	AccessRevoked
)

// Ends returns how the publication ends principal's access, and whether it does.
func (p *Publication) Ends(principal string) (Change, bool) {
	for _, a := range p.Access {
		if a.Principal == principal && a.Change != AccessBegins {
			return a.Change, true
		}
	}
	return 0, false
}

// Follows reports whether the publication is the entry right after position at, of the same
// history: next offset, and naming at's check as its predecessor's. An epoch may begin with it.
func (p *Publication) Follows(at Position) bool {
	return p.Offset == at.Offset+1 && p.Prev == at.Check && (p.Epoch == at.Epoch || p.Kind == KindReset)
}

// Reset is the payload of a reset: history before it can't be continued from.
type Reset struct {
	// Log is the log concerned.
	Log    string
	Reason ResetReason
	// At is when it was found, in whole milliseconds: by the store's clock where an entry says so.
	At time.Time
}

// ResetReason says why a position can't be continued from.
type ResetReason uint8

const (
	// Trimmed: the entries after the position were dropped by retention.
	Trimmed ResetReason = iota + 1
	// HistoryLost: the position is of a history that this log no longer has.
	HistoryLost
)

// String returns the reason in words for logs and messages.
func (r ResetReason) String() string {
	switch r {
	case Trimmed:
		return "trimmed"
	case HistoryLost:
		return "history lost"
	}
	return "unknown"
}
