package redis

import (
	"strconv"
	"strings"
)

// hint is what pub/sub carries of a change: what changed, the bucket's count of changes at it, and
// what there is to know. The form is "<n>\n<topic>\n<payload>".
type hint struct {
	n     uint64
	topic string
	// payload is an event for a room's log, a set or a presence for a state topic, as JSON.
	payload string
}

func parseHint(text string) (h hint, ok bool) {
	count, rest, _ := strings.Cut(text, "\n")
	n, err := strconv.ParseUint(count, 10, 64)
	if err != nil {
		return hint{}, false
	}
	topic, payload, found := strings.Cut(rest, "\n")
	if !found || topic == "" {
		return hint{}, false
	}
	return hint{n: n, topic: topic, payload: payload}, true
}
