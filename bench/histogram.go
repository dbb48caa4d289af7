package main

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// histogram counts durations in classes that differ by less than 2 %, without a lock.
type histogram struct {
	counts [64 << 6]atomic.Int64
}

// class is linear within each power of two, of which there are 64 parts.
func class(d time.Duration) int {
	n := uint64(max(0, d))
	shift := max(0, bits.Len64(n)-7)
	return shift<<6 + int(n>>shift)
}

// middle is in the middle of a class.
func middle(class int) time.Duration {
	if class < 128 {
		return time.Duration(class)
	}
	shift := class>>6 - 1
	return time.Duration((uint64(class&63|64)<<1 + 1) << shift >> 1)
}

func (h *histogram) add(d time.Duration) { h.counts[class(d)].Add(1) }

// at is the duration that so large a share of all isn't above; 0 if there are none.
func (h *histogram) at(share float64) time.Duration {
	var all int64
	for i := range h.counts {
		all += h.counts[i].Load()
	}
	left := int64(share * float64(all))
	for i := range h.counts {
		if left -= h.counts[i].Load(); left < 0 {
			return middle(i)
		}
	}
	return 0
}
