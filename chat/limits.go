package chat

import "cmp"

// Limits bounds what people may put into the store. A zero field takes its default.
type Limits struct {
	// ContentBytes of a message; 0 means 8,192.
	ContentBytes int
	// NameChars of a room's name, in code points; 0 means 120. Above 160 a public room's cursor
	// may grow longer than eventlog.MaxCursorLength.
	NameChars int
	// TopicChars of a room's topic, in code points; 0 means 1,000.
	TopicChars int
	// MetadataBytes of a room's metadata, as compact JSON; 0 means 4,096.
	MetadataBytes int
	// ClientIDBytes of a message's clientId; 0 means 128.
	ClientIDBytes int
	// SearchChars of a search for public rooms, in code points; 0 means 120.
	SearchChars int
	// RoomsPerUser a user may be a member of; 0 means 10,000. Like MembersPerRoom it is
	// compared with a count read before the step: those who join at the same moment may pass it
	// together.
	RoomsPerUser int
	// MembersPerRoom at a time; 0 means 100,000.
	MembersPerRoom int
	// Rates bound how often they may; none by default.
	Rates Rates
}

// WithDefaults returns l with its zero fields set.
func (l Limits) WithDefaults() Limits {
	l.ContentBytes = cmp.Or(l.ContentBytes, 8192)
	l.NameChars = cmp.Or(l.NameChars, 120)
	l.TopicChars = cmp.Or(l.TopicChars, 1000)
	l.MetadataBytes = cmp.Or(l.MetadataBytes, 4096)
	l.ClientIDBytes = cmp.Or(l.ClientIDBytes, 128)
	l.SearchChars = cmp.Or(l.SearchChars, 120)
	l.RoomsPerUser = cmp.Or(l.RoomsPerUser, 10_000)
	l.MembersPerRoom = cmp.Or(l.MembersPerRoom, 100_000)
	return l
}
