package redis

import (
	"hash/crc32"
	"strconv"
	"sync"
)

// Rooms and users are spread over a fixed number of buckets. All keys of a bucket carry its hash
// tag, so that a script may touch any of them in a cluster too, and the tags are chosen so that the
// buckets' slots are spread evenly over a cluster's.
const (
	bucketCount = 64
	slotCount   = 16384
)

// bucket is one of the parts a store is divided into.
type bucket struct {
	index int
	// prefix begins each of its keys and channels: "parley:{<tag>}:".
	prefix string
}

// allBuckets returns the buckets in order.
var allBuckets = sync.OnceValue(func() []*bucket {
	buckets := make([]*bucket, bucketCount)
	for i := range buckets {
		buckets[i] = &bucket{index: i, prefix: "parley:{" + bucketTag(i) + "}:"}
	}
	return buckets
})

// bucketOf returns the bucket of a room or user. It is part of the storage format.
func bucketOf(id string) *bucket {
	return allBuckets()[crc32.ChecksumIEEE([]byte(id))%bucketCount]
}

// bucketTag returns the i-th bucket's hash tag: the first of "i", "i-1", "i-2", … whose slot lies in
// the i-th of bucketCount equal parts of the slots.
func bucketTag(i int) string {
	const part = slotCount / bucketCount
	tag := strconv.Itoa(i)
	for n := 1; int(slotOf(tag))/part != i; n++ {
		tag = strconv.Itoa(i) + "-" + strconv.Itoa(n)
	}
	return tag
}

// slotOf returns the cluster slot of a hash tag: its CRC16 (XMODEM) modulo the number of slots.
func slotOf(tag string) uint16 {
	var crc uint16
	for _, b := range []byte(tag) {
		crc ^= uint16(b) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return crc % slotCount
}
