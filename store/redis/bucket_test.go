package redis

import "testing"

func TestSlotOf(t *testing.T) {
	// The examples are from the Redis Cluster specification and its test vectors.
	for tag, want := range map[string]uint16{"123456789": 0x31c3, "": 0, "foo": 12182, "bar": 5061} {
		if got := slotOf(tag); got != want {
			t.Errorf("%q: got %d, want %d", tag, got, want)
		}
	}
}

func TestBucketsAreSpreadOverTheSlots(t *testing.T) {
	const part = slotCount / bucketCount
	for i := range bucketCount {
		if slot := int(slotOf(bucketTag(i))); slot/part != i {
			t.Errorf("the slot of bucket %d is %d, want one in [%d, %d)", i, slot, i*part, (i+1)*part)
		}
	}
}

// TestBucketsStayWhereTheyAre keeps the storage format: what is stored is found where it was put.
func TestBucketsStayWhereTheyAre(t *testing.T) {
	for id, want := range map[string]string{
		"r_general": "parley:{35-20}:room:r_general",
		"ada":       "parley:{40-21}:room:ada",
		"{x}: ä/%":  "parley:{25-3}:room:%7Bx%7D%3A+%C3%A4%2F%25",
	} {
		if got := entityOf(id).own("room"); got != want {
			t.Errorf("%q: got %q, want %q", id, got, want)
		}
	}
}
