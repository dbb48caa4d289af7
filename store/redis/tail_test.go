package redis

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestCompare checks a bucket with two topics, watched when its count was 10.
func TestCompare(t *testing.T) {
	type check struct {
		heard map[string]uint64 // hints since the last check
		tail  bucketTail
		want  []string
		// unheard says that there was no connection before.
		unheard bool
	}
	at := func(n uint64, recent map[string]uint64) bucketTail {
		return bucketTail{bucketState: bucketState{n: n, mark: "life"}, recent: recent}
	}
	both := []string{"one", "two"}
	for name, checks := range map[string][]check{
		"nothing happens": {{tail: at(10, nil)}, {tail: at(10, nil)}},
		"all is heard": {
			{heard: map[string]uint64{"one": 11, "two": 12}, tail: at(12, map[string]uint64{"one": 11, "two": 12})},
			{tail: at(12, nil)},
		},
		"a hint is late": {
			{tail: at(11, map[string]uint64{"one": 11})},
			{heard: map[string]uint64{"one": 11}, tail: at(11, nil)},
			{tail: at(11, nil)},
		},
		"a hint is lost": {
			{tail: at(11, map[string]uint64{"one": 11})},
			{tail: at(11, nil), want: []string{"one"}},
			{tail: at(11, nil)},
		},
		"one is lost, one is heard": {
			{heard: map[string]uint64{"two": 12}, tail: at(12, map[string]uint64{"one": 11, "two": 12})},
			{tail: at(12, nil), want: []string{"one"}},
		},
		"another topic changes": {{tail: at(11, map[string]uint64{"three": 11})}, {tail: at(11, nil)}},
		"the connection was gone": {
			{heard: map[string]uint64{"two": 12}, tail: at(12, map[string]uint64{"one": 11, "two": 12}), unheard: true, want: []string{"one"}},
			{tail: at(12, nil)},
		},
		"the connection was gone before the first check": {
			{
				heard: map[string]uint64{"two": 12}, unheard: true, want: both,
				tail: bucketTail{bucketState: bucketState{n: 12, mark: "life"}, lineage: "a", recent: map[string]uint64{"one": 11, "two": 12}},
			},
			{tail: bucketTail{bucketState: bucketState{n: 12, mark: "life"}, lineage: "a"}},
		},
		"another server is promoted": {
			{tail: bucketTail{bucketState: bucketState{n: 10, mark: "life"}, lineage: "a"}},
			{tail: bucketTail{bucketState: bucketState{n: 10, mark: "life"}, lineage: "b"}, want: both},
			{tail: bucketTail{bucketState: bucketState{n: 10, mark: "life"}, lineage: "b"}},
		},
		"the bucket is gone": {
			{tail: bucketTail{}, want: both},
			{tail: bucketTail{}},
		},
		"the bucket begins anew and is further already": {
			{tail: bucketTail{bucketState: bucketState{n: 50, mark: "another life"}}, want: both},
		},
		"the bucket is put back": {{tail: at(9, nil), want: both}, {tail: at(9, nil)}},
		"the bucket is put back below what was heard": {
			{heard: map[string]uint64{"one": 12}, tail: at(11, nil), want: both},
		},
		"hints begin anew": {
			{heard: map[string]uint64{"one": 12}, tail: at(12, nil)},
			{heard: map[string]uint64{"one": 12}, tail: at(12, nil), want: both},
		},
		"more has changed than is told": {
			{tail: bucketTail{bucketState: bucketState{n: 30000, mark: "life", evicted: 11}}, want: both},
			{tail: bucketTail{bucketState: bucketState{n: 30000, mark: "life", evicted: 11}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			ts, b := newTopics(), allBuckets()[0]
			for _, name := range both {
				ts.add(topic{name: name, bucket: b}, &watch{}, bucketState{n: 10, mark: "life"})
			}
			for i, c := range checks {
				for _, name := range slices.Sorted(maps.Keys(c.heard)) {
					ts.hear(hint{n: c.heard[name], topic: name})
				}
				var missed []string
				for _, t := range ts.compare(b, ts.marks()[b], c.tail, c.unheard).topics {
					missed = append(missed, t.name)
				}
				slices.Sort(missed)
				if diff := cmp.Diff(c.want, missed); diff != "" {
					t.Errorf("check %d: (-want +got):\n%s", i, diff)
				}
			}
		})
	}
}

// TestConfirm: what may have been missed isn't confirmed before its watchers have been told to look.
func TestConfirm(t *testing.T) {
	ts, b := newTopics(), allBuckets()[0]
	ts.add(topic{name: "one", bucket: b}, &watch{}, bucketState{n: 10, mark: "life"})
	begun, _ := ts.confirmed(b)
	check := func(n uint64, recent map[string]uint64) (missed int, began time.Time) {
		began = time.Now()
		m := ts.compare(b, ts.marks()[b], bucketTail{bucketState: bucketState{n: n, mark: "life"}, recent: recent}, false)
		ts.confirm(b, began)
		return len(m.topics), began
	}
	confirmed := func(want time.Time) {
		t.Helper()
		if at, watched := ts.confirmed(b); !watched || !at.Equal(want) {
			t.Errorf("confirmed is %v, %v, want %v", at, watched, want)
		}
	}
	confirmed(begun)
	_, first := check(10, nil)
	confirmed(first)
	check(11, map[string]uint64{"one": 11})
	confirmed(first)
	one := ts.named("one")
	if missed, _ := check(11, nil); missed != 1 {
		t.Errorf("%d are to be looked at", missed)
	}
	confirmed(first) // until they are
	early := ts.owed(one)
	if missed, _ := check(5, nil); missed != 1 { // lost, and so to be looked at anew
		t.Errorf("%d are to be looked at", missed)
	}
	ts.looked(one, early)
	check(5, nil)
	confirmed(first)
	ts.looked(one, ts.owed(one))
	_, last := check(5, nil)
	confirmed(last)
	var found [4]time.Time // something each time, of which watchers are told by the next
	for i := range found {
		_, found[i] = check(4-uint64(i), nil)
		ts.looked(one, ts.owed(one))
	}
	confirmed(found[1])
	if _, watched := ts.confirmed(allBuckets()[1]); watched {
		t.Error("a bucket that nobody watches is watched")
	}
}
