package redis

import (
	"net/url"
	"strings"
)

// docs/redis.md describes every key. Keys of a bucket are "parley:{<tag>}:<what>", those of a room,
// user or instance have its id behind, escaped: "parley:{<tag>}:<what>:<id>".

// key returns a key of the bucket itself.
func (b *bucket) key(what string) string { return b.prefix + what }

// keys returns keys of the bucket itself, in the order asked.
func (b *bucket) keys(what ...string) []string { return named(b.prefix, what, "") }

// named puts names between a prefix and a suffix, all in one piece of memory. There is room for a few more.
func named(prefix string, what []string, suffix string) []string {
	size := 0
	for _, w := range what {
		size += len(prefix) + len(w) + len(suffix)
	}
	var text strings.Builder
	text.Grow(size)
	keys := make([]string, len(what), len(what)+8)
	for i, w := range what {
		begin := text.Len()
		text.WriteString(prefix)
		text.WriteString(w)
		text.WriteString(suffix)
		keys[i] = text.String()[begin:]
	}
	return keys
}

// of returns the bucket's keys for something with an id.
func (b *bucket) of(id string) entity {
	return entity{bucket: b, id: id, suffix: ":" + url.QueryEscape(id)}
}

// entity is what has keys of its own: a room, a user or an instance.
type entity struct {
	*bucket
	id     string
	suffix string
}

// entityOf returns a room or a user with its bucket.
func entityOf(id string) entity { return bucketOf(id).of(id) }

// own returns one of the entity's keys.
func (e entity) own(what string) string { return e.prefix + what + e.suffix }

// owns returns keys of the entity, in the order asked; bucket adds some of its bucket's.
func (e entity) owns(what ...string) []string { return named(e.prefix, what, e.suffix) }

// channel is where the room's hints go.
func (e entity) channel() string { return e.own("room") }

// presenceChannel is where changes of presence of all the bucket's users go.
func (b *bucket) presenceChannel() string { return b.key("presence") }

// What is kept once, whatever the number of buckets, is kept in the first one.
func recordKey() string { return allBuckets()[0].key("record") }
func leasesKey() string { return allBuckets()[0].key("leases") }
