package eventlog

import "context"

// Value is the latest value of a key of a state topic.
type Value struct {
	Key string
	// Version grows with each change of the key; a value with a version not above the last one
	// seen is old news.
	Version uint64
	// Payload is the domain's, immutable once handed over. Nil says that the key is gone, whatever
	// the version: nobody is told of it any more, and any value after it is news.
	Payload any
}

// Gone is the value of a key that is no more.
func Gone(key string) Value { return Value{Key: key} }

// Gone reports whether the key is no more.
func (v Value) Gone() bool { return v.Payload == nil }

// State is what an engine offers for things of which only the present value matters: who types,
// who is online. A topic holds a bounded number of keys.
type State interface {
	// WatchState calls sink with the present values of the topic (perhaps none), before it
	// returns, and then with each changed value, until stop is called. Values lost on the way
	// are sent again when the engine notices: the version tells old from new. sink is called
	// one call at a time and must not block. stop may be called once, and returns when no
	// call to sink is under way any more.
	WatchState(ctx context.Context, topic string, sink func([]Value)) (stop func(), err error)
}

// TypingTopic is the state topic of who types in a room: one key, "", whose payload is the whole
// set (*presence.Typing).
func TypingTopic(room string) string { return "typing/" + room }

// PresenceTopic is the state topic of one user's presence: one key, the user's id, whose payload is
// *presence.Presence.
func PresenceTopic(user string) string { return "presence/" + user }
